"""A customer who has proven who it is is looked for by its document's number, too."""

from datetime import timedelta

import pytest

from libs.common.events import Event
from libs.common.record import replace
from schemas.compliance.events import CaseDecision, CaseOpened, CustomerRestricted, CustomerVerified
from services.compliance.diligence.documents import Checked, Document, DocumentKind, RefusedBecause
from services.compliance.domain.customers import RescreenCustomer
from services.compliance.domain.diligence import RecordCheck, TakeDocument
from services.compliance.domain.whitelist import Pair, PairState, entry_of, pair_id_of, party_of
from services.compliance.domain.whitelisting import ExpirePair
from services.compliance.domain.work import CustomerStatus
from services.compliance.matching.screening import MATCHER_VERSION, screen
from services.compliance.matching.subject import Subject
from tests.unit.compliance.office import CUSTOMER, ORDINARY, START, Office, registered
from tests.unit.compliance.test_customers import decide

LISTED_NUMBER = "K 7711 0042"
LIST = f"""entity_id,kind,name,birth_dates,identifiers
1,person,"SMITHERINGALE, John",1968-03-14,{LISTED_NUMBER}
2,person,"SMITHERINGALE, Jonathan",,
"""
BORN = "1980-05-17"
ALIKE = Subject(name="Jon Smitheringale", birth_date="1988-07-02")
"""Resembles both."""
FIRST, SECOND = "test/1", "test/2"
UNTIL = START + timedelta(days=90)


def proven(office: Office, number: str, because: RefusedBecause | None = None) -> list[Event]:
    """What is told of a customer once somebody has said of its document that it is accepted."""
    document = Document(kind=DocumentKind.PASSPORT, number=number, country="DE", name=ORDINARY)
    office.decide(TakeDocument(customer_id=CUSTOMER, document_id=number, document=document, by="onboarding"))
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
    assert office.case().reasons == ("number_learnt",)
    assert hits(office) == [FIRST]
    (hit,) = office.customers[CUSTOMER].verdict.hits
    assert "the same official number: K77110042" in hit.reasons


def test_any_other_number_is_kept_and_the_customer_is_proven(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    (told,) = proven(office, "P 1234567")
    assert isinstance(told, CustomerVerified)
    assert told.tier == 3
    subject = office.customers[CUSTOMER].subject
    assert subject == Subject(name=ORDINARY, birth_date=BORN, identifier="P1234567")


def test_the_number_of_a_document_that_is_refused_says_nothing(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    proven(office, LISTED_NUMBER, RefusedBecause.FORGED)
    assert hits(office) == []
    assert office.case().reasons == ("document_refused",)


def test_of_somebody_refused_by_law_it_stays_known_by_which_entry(office: Office) -> None:
    office.decide(registered("John Smitheringale", birth_date="1968-03-14"))
    assert office.customers[CUSTOMER].status is CustomerStatus.REFUSED
    verdict = office.customers[CUSTOMER].verdict
    assert proven(office, "P 1234567") == []
    assert office.customers[CUSTOMER].verdict == verdict


def test_nobody_is_cleared_of_an_entry_with_their_own_number(office: Office) -> None:
    office.decide(registered(ALIKE.name, birth_date=ALIKE.birth_date))
    decide(office, CaseDecision.APPROVE)
    assert sorted(office.customers[CUSTOMER].cleared) == [FIRST, SECOND]
    events = proven(office, LISTED_NUMBER)
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert hits(office) == [FIRST]
    decide(office, CaseDecision.APPROVE)
    assert office.customers[CUSTOMER].status is CustomerStatus.VERIFIED, "people have seen the number, too"
    assert hits(office) == [FIRST], "what they decided on"
    office.switch_to(LIST)
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert hits(office) == []
    assert office.customers[CUSTOMER].status is CustomerStatus.VERIFIED


def test_the_whitelist_goes_on_to_hold_for_who_proves_to_be_somebody_else(with_alike: Office) -> None:
    (told,) = proven(with_alike, "P 1234567")
    assert isinstance(told, CustomerVerified)
    assert hits(with_alike) == []


def test_the_whitelist_does_not_hold_for_who_has_the_entrys_number(with_alike: Office) -> None:
    events = proven(with_alike, LISTED_NUMBER)
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert hits(with_alike) == [FIRST]


def test_it_does_once_people_have_seen_the_number(with_alike: Office) -> None:
    whitelisted(with_alike, FIRST, subject=ALIKE.with_number(LISTED_NUMBER))
    (told,) = proven(with_alike, LISTED_NUMBER)
    assert isinstance(told, CustomerVerified)
    assert hits(with_alike) == []


def test_a_pair_that_ends_is_a_hit_again_of_who_has_a_number_since(with_alike: Office) -> None:
    proven(with_alike, "P 1234567")
    with_alike.now = UNTIL
    events = with_alike.decide(ExpirePair(pair_id=pair_id_of(ALIKE, SECOND)))
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert SECOND in hits(with_alike)


def test_who_was_proven_before_numbers_were_looked_for_is_looked_at_again(office: Office) -> None:
    office.decide(registered(ORDINARY, birth_date=BORN))
    proven(office, "P 1234567")
    known = office.customers[CUSTOMER]
    assert known.document is not None and known.subject is not None
    document = replace(known.document, document=replace(known.document.document, number=LISTED_NUMBER))
    older = replace(known, subject=known.subject.named, document=document, matcher_version=MATCHER_VERSION - 1)
    office.customers = {CUSTOMER: older}
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert hits(office) == [FIRST]
    assert office.case().reasons == ("matcher_changed",)
