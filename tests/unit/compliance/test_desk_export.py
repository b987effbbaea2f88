"""What an examiner is given of a case: the page and the document say the same, and leave nothing of the case out."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from schemas.compliance.events import ScreeningOutcome
from schemas.payments.events import Finding, PaymentEvidence
from services.compliance.desk import render
from services.compliance.desk.export import Exported, document, pair_in_words
from services.compliance.desk.journey import Journey, JourneyStep, Source
from services.compliance.desk.sessions import DeskSession
from services.compliance.desk.travel_views import MissingField, TravelSide, TravelView
from services.compliance.desk.views import case_row, case_view
from services.compliance.domain.people import Role
from services.compliance.domain.whitelist import Pair, PairState, pair_id_of
from services.compliance.matching.owned import Ownership
from services.compliance.matching.subject import Subject
from services.compliance.monitoring_queries import ReadableAlerts
from services.compliance.search_queries import FoundPayment
from tests.unit.compliance.office import ALIKE, CUSTOMER, START, Office, initiated, registered, suspended
from tests.unit.compliance.test_casework import OTHER_PAYMENT, link

PERSON = DeskSession(username="olga", role=Role.OFFICER, csrf_token="", token="")
TRAVEL = TravelView(
    rules=(("FATF, from 1,000.00 USD", "Recommendation 16"),),
    sides=(
        TravelSide(
            role="Payee",
            held_by="Autre Banque",
            missing=(MissingField(name="creditor.birth_date", label="Date of birth", length_max=10),),
        ),
    ),
    is_complete=False,
    told=("teller, 5 Jan 2026, 09:00 UTC: address of the debtor",),
    has_message=True,
)
JOURNEY = Journey(
    source=Source.PAYMENTS,
    steps=(JourneyStep(at=START, what="fraud answered", detail="review", service="fraud"),),
)


def exported(
    office: Office,
    *,
    hit_pairs: dict[str, Pair] | None = None,
    case_id: str | None = None,
    linked: dict[str, FoundPayment] | None = None,
) -> Exported:
    case = office.cases[case_id] if case_id else office.case()
    acts = [act for act in office.acts if act.case_id == case.case_id]
    return Exported(
        person=PERSON,
        now=START,
        case=case_view(case, acts, None, ReadableAlerts(), Ownership(), linked or {}, START),
        about=(("Opened", "today"),),
        travel=TRAVEL,
        journey=JOURNEY,
        pairs=hit_pairs or {},
        related=[case_row(case, START)],
        activities=[],
        network=None,
    )


def page(found: Exported) -> str:
    values = {name: getattr(found, name) for name in found.__struct_fields__}
    response = render.page("export.html", **values, css="", pair_in_words=pair_in_words)
    return bytes(response.body).decode()


def printed(found: Exported) -> str:
    return msgspec.json.encode(document(found)).decode()


@pytest.fixture
def office() -> Office:
    office = Office()
    hits = (Finding(source="un/QDi.1", score=0.91, reason="creditor resembles somebody"),)
    office.decide(suspended(evidence=PaymentEvidence(compliance_outcome="review", compliance_hits=hits)))
    return office


@pytest.mark.parametrize(
    "said",
    [
        "Recommendation 16",
        "Payee: Date of birth",
        "teller, 5 Jan 2026, 09:00 UTC: address of the debtor",
        "A message (IVMS101) came with it.",
        "creditor resembles somebody",
        "un/QDi.1",
        "Other cases of the same customers",
    ],
)
def test_the_page_and_the_document_say_it(office: Office, said: str) -> None:
    found = exported(office)
    assert said in page(found)
    assert said in printed(found)


def test_the_payments_way_through_the_services_is_in_both(office: Office) -> None:
    found = exported(office)
    assert "Fraud answered" in page(found)
    assert "fraud answered review" in printed(found)


def test_a_linked_payment_is_in_both_with_what_is_known_of_it(office: Office) -> None:
    office.decide(initiated(payment_id=OTHER_PAYMENT))
    office.decide(link(note="The same device."))
    known = FoundPayment(
        payment_id=OTHER_PAYMENT,
        outcome=ScreeningOutcome.CLEAR,
        screened_at=START,
        settled_at=datetime(2026, 1, 7, 10, 15, tzinfo=UTC),
        case_id=None,
    )
    found = exported(office, linked={OTHER_PAYMENT: known})
    for text in (page(found), printed(found)):
        for said in (OTHER_PAYMENT, "Clear", "Linked by ann", "settled 7 Jan 2026, 10:15 UTC", "The same device."):
            assert said in text
    for text in (page(unknown := exported(office)), printed(unknown)):
        assert OTHER_PAYMENT in text
        assert "settled 7 Jan" not in text


def test_of_a_hit_it_is_said_who_has_ruled_it_out(office: Office) -> None:
    office.decide(registered(ALIKE))
    (case,) = (case for case in office.cases.values() if case.customer_id == CUSTOMER)
    assert case.customer is not None and case.customer.subject is not None
    hit = case.customer.verdict.hits[0]
    pair_id = pair_id_of(case.customer.subject, hit.reference)
    pair = Pair(
        pair_id=pair_id,
        party="",
        subject=Subject(name=ALIKE),
        reference=hit.reference,
        listed_name=hit.listed_name,
        entry="",
        case_id=case.case_id,
        state=PairState.IN_FORCE,
        until=START + timedelta(days=30),
        reason="Another passport.",
        proposed_by="ann",
        proposed_at=START,
        confirmed_by="ben",
    )
    found = exported(office, hit_pairs={pair_id: pair}, case_id=case.case_id)
    for text in (page(found), printed(found)):
        assert "Whitelisted by ann" in text
        assert "Another passport.; confirmed by ben" in text
        assert "The listed entry" in text
