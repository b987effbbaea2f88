"""What stands in the way of erasing a customer, service by service, and what is blanked of what is readable."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from libs.common import ids
from libs.common.erasing import Eraser, Erasure, Whom
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.payments.events import PaymentCancelled, PaymentInitiated
from services.accounts.__main__ import SERVICE as ACCOUNTS
from services.accounts.domain.customers import CloseCustomer
from services.compliance.__main__ import SERVICE as COMPLIANCE
from services.compliance.checking import DocumentChecking
from services.compliance.diligence.documents import Document, DocumentKind
from services.compliance.diligence.providers import SimulatedChecks
from services.compliance.domain.diligence import TakeDocument
from services.payments.__main__ import SERVICE as PAYMENTS
from tests.deciding import decide
from tests.integration.compliance import scene
from tests.integration.compliance.reports import filing_on
from tests.integration.compliance.test_monitoring import settled
from tests.integration.payments.scene import ANNS, BENS, know_accounts, order
from tests.parts import Parts
from tests.serving import rows, serving, tell

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def compliance(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(COMPLIANCE) as runtime:
        yield runtime


def obstacles(runtime: Runtime, whom: Whom, now: datetime = NOW) -> list[str]:
    return runtime.unit.administer(lambda tx: eraser_of(runtime).obstacles(tx, whom, now))


def identify(runtime: Runtime, whom: Whom) -> Whom:
    return runtime.unit.administer(lambda tx: eraser_of(runtime).identify(tx, whom))


def blank(runtime: Runtime, whom: Whom) -> dict[str, int]:
    erasure = Erasure(whom=whom, actor="operator", reason="asked for", at=NOW)
    return dict(runtime.unit.administer(lambda tx: eraser_of(runtime).blank(tx, erasure)))


def eraser_of(runtime: Runtime) -> Eraser:
    assert runtime.service.eraser is not None
    return runtime.service.eraser


def whom_of(event: PaymentInitiated) -> Whom:
    return Whom(customer_id=event.order.debtor_customer_id, payment_ids=(event.payment_id,))


def test_a_payment_that_lists_had_nothing_to_say_to_is_forgotten(compliance: Runtime) -> None:
    event = scene.initiated(scene.order())
    tell(compliance, event)
    assert obstacles(compliance, whom_of(event)) == []
    assert blank(compliance, whom_of(event)) == {"customers": 0, "screenings": 1}
    assert blank(compliance, whom_of(event)) == {"customers": 0, "screenings": 0}


def test_a_pseudonym_of_who_was_elsewhere_is_forgotten_with_the_payment(compliance: Runtime) -> None:
    # So little that no rule asks for anything.
    event = scene.initiated(replace(scene.to_another_bank(minor=1), currency="USD", debtor_institution=None))
    tell(compliance, event)
    kept = "SELECT outsiders IS NOT NULL FROM screenings WHERE payment_id = %s"
    assert rows(compliance, kept, (event.payment_id,)) == [(True,)]
    blank(compliance, whom_of(event))
    assert rows(compliance, kept, (event.payment_id,)) == [(False,)]


def test_what_the_travel_rule_asked_for_stands_in_the_way_until_its_time_is_over(compliance: Runtime) -> None:
    event = scene.initiated(scene.to_another_bank())
    tell(compliance, event)
    (kept,) = obstacles(compliance, whom_of(event))
    assert kept.startswith("records of the travel rule are kept: 1")


def test_what_the_law_has_kept_stands_in_the_way(compliance: Runtime) -> None:
    event = scene.initiated(scene.order(creditor=scene.LISTED))
    tell(compliance, event)
    (screened,) = obstacles(compliance, whom_of(event))
    assert screened.startswith("screenings that lists had something to say to are kept: 1")
    tell(compliance, scene.suspended(event, "block"))
    tell(compliance, scene.blocked(event.payment_id))
    found = obstacles(compliance, whom_of(event))
    assert [reason.partition(" are kept")[0] for reason in found] == [
        "records of compliance",
        "screenings that lists had something to say to",
    ]
    assert obstacles(compliance, Whom(customer_id=ids.new(), payment_ids=(ids.new(),))) == []


def test_a_case_of_alerts_and_a_report_on_it_stand_in_the_way_and_are_not_told_apart(compliance: Runtime) -> None:
    customer_id = ids.new()
    tell(compliance, settled(12_000, debtor=ids.new(), creditor=customer_id, is_cash=True))
    whom = Whom(customer_id=customer_id)
    (kept,) = obstacles(compliance, whom)
    assert kept.startswith("records of compliance are kept: 1 ")
    ((case_id,),) = rows(compliance, "SELECT case_id FROM cases WHERE customer_id = %s", (customer_id,))
    filing_on(compliance, case_id)
    (kept,) = obstacles(compliance, whom)
    assert kept.startswith("records of compliance are kept: 2 ")
    assert "report" not in kept


def test_a_payment_that_was_cancelled_before_anybody_was_asked_forbids_nothing(compliance: Runtime) -> None:
    event = scene.initiated(scene.order())
    cancelled = PaymentCancelled(
        payment_id=event.payment_id, debtor_account_id=event.order.debtor_account_id, cancelled_at=NOW
    )
    tell(compliance, event, cancelled)
    assert obstacles(compliance, whom_of(event)) == []


def test_compliance_forgets_whom_it_screened_and_puts_it_into_its_log(compliance: Runtime) -> None:
    customer = scene.registered("Ottokar Wolkenstein", birth_date="1980-05-17")
    tell(compliance, customer)
    for number in ("P1234567", "P7654321"):
        hand_in(compliance, customer.customer_id, number, "Ottokar Wolkenstein")
    whom = Whom(customer_id=customer.customer_id)
    assert obstacles(compliance, whom) == []
    assert blank(compliance, whom)["customers"] == 1
    ((body,),) = rows(compliance, "SELECT body FROM customers WHERE customer_id = %s", (customer.customer_id,))
    assert not [said for said in ("Wolkenstein", "1980", "1234567", "7654321") if said in body]
    logged = rows(compliance, "SELECT verb, details FROM audit_entries WHERE object_id = %s", (customer.customer_id,))
    assert sorted(logged) == [("customer_erased", "asked for"), *[("document_handed_in", "passport; DE")] * 2]


def hand_in(runtime: Runtime, customer_id: str, number: str, name: str) -> None:
    document = Document(kind=DocumentKind.PASSPORT, number=number, country="DE", name=name)
    decide(runtime, TakeDocument(customer_id=customer_id, document_id=ids.new(), document=document, by="staff"))
    DocumentChecking(runtime.unit, SimulatedChecks()).run_once()


def test_payments_finds_both_sides_waits_for_their_ends_and_blanks_what_is_readable(parts: Parts) -> None:
    with parts.runtime(PAYMENTS) as runtime, serving(runtime) as api:
        know_accounts(runtime)
        payment_id = api.post("/v1/payments", order()).json()["payment_id"]
        for account_id in (ANNS, BENS):
            whom = identify(runtime, Whom(customer_id=ids.new(), account_ids=(account_id,)))
            assert whom.payment_ids == (payment_id,)
        assert identify(runtime, Whom(customer_id=ids.new(), account_ids=(ids.new(),))).payment_ids == ()
        assert obstacles(runtime, whom) == ["1 payments have not ended"]
        assert blank(runtime, whom) == {"payments": 1}
        assert "Ann Miller" not in str(rows(runtime, "SELECT body FROM payments"))
        assert api.get(f"/v1/payments/{payment_id}").json()["amount"] == "12.34"


def test_accounts_keeps_who_a_customer_was_for_five_years_after_the_end(parts: Parts) -> None:
    with parts.runtime(ACCOUNTS) as runtime, serving(runtime) as api:
        customer_id = api.post("/v1/customers", {"name": "Ida Sparsam"}, by="staff").json()["customer_id"]
        whom = identify(runtime, Whom(customer_id=customer_id))
        assert obstacles(runtime, replace(whom, customer_id=ids.new())) == ["there is no such customer"]
        assert obstacles(runtime, whom)[0].startswith("the customer is registered: close")
        tell(runtime, CloseCustomer(customer_id=customer_id))
        assert "is kept until" in obstacles(runtime, whom)[0]
        assert obstacles(runtime, whom, NOW + timedelta(days=5 * 366 + 1)) == []
        assert blank(runtime, whom) == {"customers": 1, "accounts": 0}
        assert api.get(f"/v1/customers/{customer_id}", by="staff").json()["name"] is None
