"""The desk with 10,000 cases open: its pages, its search and the next case, as a browser waits for them."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import Connection

from bench.figures import Figures, percentile
from libs.common import ids
from libs.common.service import Runtime
from libs.common.writes import writing
from schemas.payments.events import (
    Channel,
    InternalReason,
    Party,
    PaymentEvidence,
    PaymentOrder,
    PaymentPersonalData,
)
from services.compliance.__main__ import SERVICE
from services.compliance.desk import passwords
from services.compliance.domain.case import Case, PaymentFacts
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.people import Role
from services.compliance.filler import filler_customers
from services.compliance.store import cases, people
from tests.parts import Parts
from tests.serving import listening

CASES = 10_000
REQUESTS = 60
PASSWORD = "only for measuring"
_REASONS = (InternalReason.COMPLIANCE_REVIEW, InternalReason.FRAUD_REVIEW, InternalReason.COMPLIANCE_BLOCK)


def pages(parts: Parts) -> Figures:
    """Of each page the median and what one in twenty takes longer than, in milliseconds."""
    figures: dict[str, float] = {}
    with parts.runtime(SERVICE) as runtime, listening(runtime) as address, httpx.Client(base_url=address) as http:
        last = _fill(runtime, CASES)
        password_hash = passwords.hash_password(PASSWORD)
        runtime.unit.administer(lambda tx: people.save_user(tx, "measuring", password_hash, Role.SUPERVISOR))
        answer = http.post("/desk/sign-in", json={"username": "measuring", "password": PASSWORD})
        headers = {"X-CSRF-Token": answer.json()["csrf_token"]}
        paths = {
            "queue": "/desk",
            "queue_narrowed": "/desk?reason=fraud_review&kind=payment&overdue=false&sort=due",
            "queue_by_age": "/desk?sort=age",
            "search_name": "/desk/search?q=ahmed",
            "search_beginning": "/desk/search?q=ma",
            "search_id": f"/desk/search?q={last.payment_id}",
            "case": f"/desk/cases/{last.case_id}",
        }
        for name, path in paths.items():
            figures |= _measured(name, lambda path=path: http.get(path))  # type: ignore[misc]
        figures |= _measured("next", lambda: http.post("/desk/api/next", headers=headers))
    return figures


def _measured(name: str, ask: Callable[[], httpx.Response]) -> Figures:
    milliseconds = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        ask().raise_for_status()
        milliseconds.append((time.perf_counter() - began) * 1_000)
    milliseconds.sort()
    return {f"desk_{name}_p{percent}_ms": percentile(milliseconds, percent) for percent in (50, 95)}


def _fill(runtime: Runtime, count: int) -> Case:
    """So many open cases; the last of them."""
    rng, now = random.Random(1), datetime.now(UTC)
    names = [subject.name for subject in filler_customers()]
    made = [_case(rng, names, now) for _ in range(count)]
    for start in range(0, count, 1_000):
        part = made[start : start + 1_000]

        def write(tx: Connection, part: list[Case] = part) -> None:
            with writing(tx) as writes:
                writes.insert(cases.CASES, map(cases.case_row, part))
                writes.insert(cases.WORDS, sorted(row for case in part for row in cases.word_rows(None, case)))

        runtime.unit.administer(write)
    runtime.unit.administer(lambda tx: tx.exec_driver_sql("ANALYZE"))
    return made[-1]


def _case(rng: random.Random, names: list[str], now: datetime) -> Case:
    payment_id, opened_at = ids.new(), now - timedelta(minutes=rng.randrange(10_000))
    order = PaymentOrder(
        client_id="shop",
        debtor_account_id=ids.new(),
        creditor_account_id=ids.new(),
        debtor_customer_id=ids.new(),
        creditor_customer_id=ids.new(),
        amount_minor=rng.randrange(100, 9_000_000),
        currency="EUR",
        channel=Channel.API,
        instructed_at=opened_at,
        personal=PaymentPersonalData(debtor=Party(name=rng.choice(names)), creditor=Party(name=rng.choice(names))),
    )
    evidence = PaymentEvidence(compliance_outcome="review", fraud_outcome="review", funds_outcome="held")
    return Case(
        case_id=payment_case_id(payment_id),
        partition_key=order.debtor_account_id,
        payment_id=payment_id,
        payment=PaymentFacts(order=order, reasons=(rng.choice(_REASONS),), evidence=evidence),
        opened_at=opened_at,
        told_at=opened_at,
        decide_by=opened_at + timedelta(days=5),
        version=1,
    )
