"""A customer who has proven who it is is looked for by its document's number, too."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.events import Event
from libs.common.record import replace
from schemas.accounts.events import CustomerClosed
from schemas.compliance.events import (
    CaseDecision,
    CaseOpened,
    CustomerRestricted,
    CustomerVerified,
    ScreeningOutcome,
    UnscreenableReason,
)
from services.compliance.diligence.documents import Checked, Document, DocumentKind, RefusedBecause
from services.compliance.diligence.rating import Factor
from services.compliance.domain.acts import ProposeDecision, TakeCase
from services.compliance.domain.alike import likeness_of
from services.compliance.domain.case import CaseStatus
from services.compliance.domain.casework import ReopenCase
from services.compliance.domain.customers import RescreenCustomer, numbers_of
from services.compliance.domain.diligence import NUMBERS_MAX, DiligenceRefusal, RecordCheck, TakeDocument
from services.compliance.domain.people import Role
from services.compliance.domain.whitelist import Pair, PairState, entry_of, pair_id_of, party_of
from services.compliance.domain.whitelisting import ExpirePair, PairRefusal, ProposePair
from services.compliance.domain.work import CustomerStatus
from services.compliance.matching.screening import (
    HITS_MAX,
    UNREADABLE,
    SharedNumber,
    Verdict,
    joined,
    screen,
    screen_numbers,
)
from services.compliance.matching.subject import Subject
from tests.unit.compliance.office import CUSTOMER, ORDINARY, START, Office, registered
from tests.unit.compliance.test_customers import decide

LISTED_NUMBER = "K 7711 0042"
HEADER = "entity_id,kind,name,birth_dates,identifiers\n"
LIST = f"""{HEADER}1,person,"SMITHERINGALE, John",1968-03-14,{LISTED_NUMBER}
2,person,"SMITHERINGALE, Jonathan",,
"""
NOBODY = HEADER + "9,person,Tortov Grimbel,,\n"
BORN = "1980-05-17"
ALIKE = Subject(name="Jon Smitheringale", birth_date="1988-07-02")
"""Resembles both."""
FIRST, SECOND = "test/1", "test/2"
UNTIL = START + timedelta(days=90)


def proven(office: Office, number: str, because: RefusedBecause | None = None) -> list[Event]:
    """What is told of a customer once somebody has said of its document whether it is accepted."""
    office.decide(document(number))
    return accepted(office, number, because)


def document(number: str) -> TakeDocument:
    handed = Document(kind=DocumentKind.PASSPORT, number=number, country="DE", name=ORDINARY)
    return TakeDocument(customer_id=CUSTOMER, document_id=number, document=handed, by="onboarding")


def accepted(office: Office, number: str, because: RefusedBecause | None = None) -> list[Event]:
    answer = Checked(refused_because=because, reference="7")
    return office.decide(RecordCheck(customer_id=CUSTOMER, document_id=number, checked=answer))


def hits(office: Office) -> list[str]:
    return sorted(hit.reference for hit in office.customers[CUSTOMER].verdict.hits)


def whitelisted(office: Office, *references: str, subject: Subject = ALIKE) -> None:
    """Two people have said of entries that they are someone else."""
    for hit in screen(office.index, subject).hits:
        if hit.reference in references:
            pair_id = pair_id_of(subject, hit.reference)
            office.pairs[pair_id] = Pair(
                pair_id=pair_id,
                party=party_of(subject),
                subject=subject,
                reference=hit.reference,
                listed_name=hit.listed_name,
                entry=entry_of(hit),
                case_id=None,
                state=PairState.IN_FORCE,
                until=UNTIL,
                reason="another one",
                proposed_by="ann",
                proposed_at=START,
            )


@pytest.fixture
def office() -> Office:
    return Office(LIST)


@pytest.fixture
def with_alike(office: Office) -> Office:
    """A customer is served who resembles both entries: they are on the whitelist."""
    whitelisted(office, FIRST, SECOND)
    office.decide(registered(ALIKE.name, birth_date=ALIKE.birth_date))
    assert hits(office) == []
    return office


def test_whoever_has_a_listed_number_is_asked_about_whatever_the_name(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    events = proven(office, LISTED_NUMBER)
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened], "no tier is told of"
    assert office.case().reasons == ("resembles_listed",)
    assert hits(office) == [FIRST]
    (hit,) = office.customers[CUSTOMER].verdict.hits
    assert hit.outcome is ScreeningOutcome.REVIEW
    assert "the same official number: K77110042" in hit.reasons


def test_whoever_has_the_name_and_the_number_may_be_approved_by_nobody(office: Office) -> None:
    office.decide(registered(ALIKE.name))
    decide(office, CaseDecision.APPROVE)
    proven(office, LISTED_NUMBER)
    assert office.customers[CUSTOMER].verdict.outcome is ScreeningOutcome.BLOCK
    assert not office.case().may_end_in(CaseDecision.APPROVE)


def test_by_any_other_number_a_customer_is_proven(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    (told,) = proven(office, "P 1234567")
    assert isinstance(told, CustomerVerified)
    assert told.tier == 3
    assert numbers_of(office.customers[CUSTOMER]) == ("P1234567",)


def test_the_number_of_a_document_that_is_refused_says_nothing(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    proven(office, LISTED_NUMBER, RefusedBecause.FORGED)
    assert hits(office) == []
    assert office.case().reasons == ("document_refused",)
    proven(office, "P 1234567")
    assert numbers_of(office.customers[CUSTOMER]) == ("P1234567",)


def test_a_number_that_could_be_anybodys_is_not_looked_for(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    assert [type(event) for event in proven(office, "12345")] == [CustomerVerified]
    assert numbers_of(office.customers[CUSTOMER]) == ()


def test_a_new_document_leaves_the_number_of_the_one_before_known(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    for number in ("P 1234567", "P 7654321", "P 1234567"):
        proven(office, number)
    assert numbers_of(office.customers[CUSTOMER]) == ("P1234567", "P7654321")
    office.switch_to(HEADER + "9,person,Tortov Grimbel,,P 7654321\n")
    events = office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert hits(office) == ["test/9"]


def test_no_number_is_given_up_for_newer_ones(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    for number in range(NUMBERS_MAX):
        proven(office, f"P 10000{number:02}")
    found = numbers_of(office.customers[CUSTOMER])
    assert (len(found), found[0], found[-1]) == (NUMBERS_MAX, "P1000099", "P1000000")
    assert office.refusal(document(LISTED_NUMBER)) == DiligenceRefusal.TOO_MANY_DOCUMENTS


def test_of_somebody_refused_by_law_it_stays_known_by_which_entry(office: Office) -> None:
    office.decide(registered("John Smitheringale", birth_date="1968-03-14"))
    assert office.customers[CUSTOMER].status is CustomerStatus.REFUSED
    verdict = office.customers[CUSTOMER].verdict
    assert proven(office, "P 1234567") == []
    assert office.customers[CUSTOMER].verdict == verdict


def test_nobody_is_asked_about_a_customer_who_has_gone_meanwhile(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    office.decide(document(LISTED_NUMBER))
    office.decide(CustomerClosed(customer_id=CUSTOMER, closed_at=START))
    assert accepted(office, LISTED_NUMBER) == []
    assert office.customers[CUSTOMER].status is CustomerStatus.CLOSED


def test_a_name_that_nobody_can_read_hides_no_number(office: Office) -> None:
    office.decide(registered("???"))
    assert proven(office, LISTED_NUMBER) == []
    assert hits(office) == [FIRST]
    shown = office.case().customer
    assert shown is not None
    assert shown.verdict.unscreenable is UnscreenableReason.NAME_UNREADABLE, "that is to be looked at still"
    assert shown.reasons == ("not_screenable", "resembles_listed")
    office.switch_to(NOBODY)
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert office.case().customer == replace(shown, verdict=UNREADABLE, reasons=("not_screenable", "list_changed"))


def test_of_somebody_served_whose_name_nobody_can_read_a_number_is_found(office: Office) -> None:
    office.decide(registered("???"))
    decide(office, CaseDecision.APPROVE)
    assert proven(office, "P 1234567") == []
    assert [type(event) for event in proven(office, LISTED_NUMBER)] == [CustomerRestricted, CaseOpened]


def test_an_entry_that_nobody_can_read_is_found_by_its_number(office: Office) -> None:
    office.switch_to(HEADER + f"1,person,???,,{LISTED_NUMBER}\n")
    office.decide(registered(ORDINARY, birth_date=BORN))
    proven(office, LISTED_NUMBER)
    assert hits(office) == [FIRST]


def test_what_somebody_has_proposed_falls_when_the_number_becomes_known(office: Office) -> None:
    office.decide(registered("John Smitheringale", birth_date="1968-03-15"))
    before = office.customers[CUSTOMER].verdict
    office.decide(TakeCase(**at_case(office)))
    office.decide(ProposeDecision(**at_case(office), decision=CaseDecision.APPROVE, note="seen"))
    proven(office, LISTED_NUMBER)
    assert [hit.score for hit in office.customers[CUSTOMER].verdict.hits] == [hit.score for hit in before.hits]
    shown = office.case().customer
    assert shown is not None and shown.numbers_listed == (SharedNumber(reference=FIRST, identifier="K77110042"),)
    assert office.case().status is CaseStatus.TAKEN, "nothing of it is left to be confirmed"


def test_what_became_known_of_somebody_refused_is_shown_when_the_case_is_opened_again(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    proven(office, "P 1234567", RefusedBecause.FORGED)
    decide(office, CaseDecision.REJECT)
    proven(office, LISTED_NUMBER)
    assert office.customers[CUSTOMER].status is CustomerStatus.REFUSED
    office.decide(ReopenCase(**at_case(office), note="they have sent another"))
    shown = office.case().customer
    assert shown is not None and [hit.reference for hit in shown.verdict.hits] == [FIRST]
    assert shown.reasons == ("document_refused", "resembles_listed")
    rating = office.customers[CUSTOMER].rating
    assert rating is not None and Factor.RESEMBLES_LISTED in rating.factors


def test_so_it_is_of_somebody_whose_property_is_blocked_by_another_entry(office: Office) -> None:
    office.decide(registered(ALIKE.name, birth_date=ALIKE.birth_date))
    decide(office, CaseDecision.BLOCK)
    told = office.customers[CUSTOMER].verdict
    assert proven(office, LISTED_NUMBER) == []
    office.decide(ReopenCase(**at_case(office), note="they have come in person"))
    shown = office.case().customer
    assert shown is not None and shown.numbers_listed == (SharedNumber(reference=FIRST, identifier="K77110042"),)
    assert office.customers[CUSTOMER].verdict == told, "as it was reported"


def test_no_number_makes_room_for_names(office: Office) -> None:
    (hit,) = screen_numbers(office.index, Subject(name=ORDINARY), ["K77110042"])
    names = tuple(
        replace(hit, score=0.98, listed=replace(hit.listed, entity_id=f"n{number}", identifiers=()))
        for number in range(HITS_MAX)
    )
    found = joined(Verdict(outcome=ScreeningOutcome.REVIEW, hits=names), [hit]).hits
    assert len(found) == HITS_MAX
    assert hit in found


def test_whoever_has_a_listed_number_is_decided_on_by_itself(office: Office) -> None:
    office.decide(registered("Jon Smitheringale", birth_date=BORN))
    assert likeness_of(office.case()) is not None
    proven(office, LISTED_NUMBER)
    assert likeness_of(office.case()) is None


def at_case(office: Office) -> dict[str, Any]:
    """What ann says of the case as she sees it."""
    case = office.case()
    return {"case_id": case.case_id, "actor": "ann", "role": Role.SUPERVISOR, "version": case.version}


def test_whoever_was_cleared_by_name_is_not_cleared_of_having_the_number(office: Office) -> None:
    office.decide(registered(ALIKE.name, birth_date=ALIKE.birth_date))
    decide(office, CaseDecision.APPROVE)
    assert sorted(office.customers[CUSTOMER].cleared) == [FIRST, SECOND]
    events = proven(office, LISTED_NUMBER)
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert hits(office) == [FIRST]
    shown = office.case().customer
    assert shown is not None and shown.numbers == ("K77110042",)
    decide(office, CaseDecision.APPROVE)
    assert office.customers[CUSTOMER].status is CustomerStatus.VERIFIED
    office.switch_to(LIST)
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert hits(office) == [], "people have seen the number, too"
    assert office.customers[CUSTOMER].status is CustomerStatus.VERIFIED
    assert office.customers[CUSTOMER].resembles is Factor.RESEMBLES_LISTED, "it is rated by it still"


def test_the_whitelist_goes_on_to_hold_for_who_proves_to_be_somebody_else(with_alike: Office) -> None:
    (told,) = proven(with_alike, "P 1234567")
    assert isinstance(told, CustomerVerified)
    assert hits(with_alike) == []


def test_the_whitelist_does_not_hold_for_who_has_the_entrys_number(with_alike: Office) -> None:
    events = proven(with_alike, LISTED_NUMBER)
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert hits(with_alike) == [FIRST]


def test_who_has_the_entrys_number_is_not_put_on_the_whitelist(office: Office) -> None:
    office.decide(registered(ALIKE.name, birth_date=ALIKE.birth_date))
    proven(office, LISTED_NUMBER)
    assert hits(office) == [FIRST, SECOND]
    assert office.refusal(proposed(office, FIRST)) == PairRefusal.NUMBER_LISTED
    assert office.refusal(proposed(office, SECOND)) is None


def proposed(office: Office, reference: str) -> ProposePair:
    return ProposePair(
        case_id=office.case().case_id,
        actor="ann",
        role=Role.SUPERVISOR,
        version=office.case().version,
        pair_id=pair_id_of(ALIKE, reference),
        until=UNTIL,
        note="another one",
    )


def test_a_pair_that_ends_is_a_hit_again_of_who_has_a_number_since(with_alike: Office) -> None:
    proven(with_alike, "P 1234567")
    with_alike.now = UNTIL
    events = with_alike.decide(ExpirePair(pair_id=pair_id_of(ALIKE, SECOND)))
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert SECOND in hits(with_alike)


def test_who_was_proven_before_numbers_were_looked_for_is_found_with_the_next_list(
    office: Office,
) -> None:
    office.switch_to(NOBODY)
    office.decide(registered(ORDINARY, birth_date=BORN))
    proven(office, LISTED_NUMBER)
    office.switch_to(LIST)
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert hits(office) == [FIRST]
