"""What fraud's tests on real parts share: orders, and looks into the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from libs.common import ids
from libs.common.database import fetch, transaction
from libs.common.service import Runtime
from schemas.payments.events import (
    Answer,
    Channel,
    Party,
    PaymentAnswerOverdue,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
)
from services.fraud.requests import NewAssessment
from tests.deciding import decide
from tests.serving import Api

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN, BOB = ids.new(), ids.new()


def order(
    debtor: str, creditor: str, *, minor: int = 2_000, at: datetime = T0, device: str | None = None
) -> PaymentOrder:
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        debtor_customer_id=ids.new(),
        creditor_customer_id=ids.new(),
        amount_minor=minor,
        currency="EUR",
        channel=Channel.BRANCH,
        device_id=device,
        instructed_at=at,
        personal=PaymentPersonalData(debtor=Party(name="Ann", country="DE"), creditor=Party(name="Bob", country="DE")),
    )


def initiated(order: PaymentOrder, payment_id: str | None = None) -> PaymentInitiated:
    return PaymentInitiated(payment_id=payment_id or ids.new(), order=order, initiated_at=order.instructed_at)


def overdue(event: PaymentInitiated, *awaited: Answer) -> PaymentAnswerOverdue:
    at = event.initiated_at + timedelta(seconds=30)
    return PaymentAnswerOverdue(payment_id=event.payment_id, order=event.order, awaited=awaited, overdue_at=at)


def rulebook(*rules: str, review: float = 0.5) -> str:
    """A rulebook of some rules, each given from its `when` on."""
    written = [
        f'rule rule_{number}\n    "What rule {number} looks for."\n    {rule}\n    because "so"\n'
        for number, rule in enumerate(rules, 1)
    ]
    return "\n".join([f"threshold review {review}", "threshold block 0.9", "", *written])


def add_rulebook(api: Api, text: str, name: str = "a rulebook") -> str:
    """The version of a rulebook that is now kept."""
    answer = api.post("/v1/rulebooks", {"name": name, "text": text}, by="staff")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["version"])


def move(api: Api, path: str, version: str, state: str, **options: Any) -> httpx.Response:
    body = {"state": state, "reason": "as agreed on Monday"}
    return api.post(f"/v1/{path}/{version}/state", body, by="staff", **options)


def assess(api: Api, by: str = "staff", **changes: Any) -> Any:
    """Fraud's answer about a payment that is not made yet: 20 euros from Ann to Bob unless something else is said."""
    answer = api.post("/v1/assessments", wish(**changes), by=by)
    assert answer.status_code == 201, answer.text
    return answer.json()


def pay(api: Api, **changes: Any) -> Any:
    """Fraud's answer about a payment that is made, in the shape of one about a payment that is not."""
    event = initiated(NewAssessment.model_validate(wish(**changes)).order("shop"))
    decide(api.runtime, event)
    shown = api.get(f"/v1/assessments/{event.payment_id}", by="staff").json()
    return {"payment_id": event.payment_id, "outcome": shown["outcome"], "grounds": shown}


def wish(**changes: Any) -> dict[str, Any]:
    """A payment that someone thinks of making."""
    body = {
        "currency": "EUR",
        "amount": "20.00",
        "debtor": {"account_id": ANN, "country": "DE"},
        "creditor": {"account_id": BOB, "country": "DE"},
        "channel": "branch",
        "instructed_at": T0.isoformat(),
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def fault(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, and what is wrong with which field of a request."""
    (found,) = answer.json()["errors"]
    return answer.status_code, found["reason"], found["field"]


def rows(runtime: Runtime, query: str, parameters: Sequence[Any] = (), *, binary: bool = False) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query, parameters, binary=binary)
