"""Pairs of party and entry that two people have told apart: no hit for a time, while both stay the same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.events import Event
from libs.common.record import replace
from schemas.compliance.events import (
    CaseOpened,
    ComplianceScreened,
    CustomerRestricted,
    CustomerVerified,
    ScreeningOutcome,
)
from schemas.payments.events import PaymentCancelled, PaymentInitiated
from services.compliance.domain.people import Role
from services.compliance.domain.whitelist import Pair, PairState, is_distinct, pair_id_of
from services.compliance.domain.whitelisting import (
    ConfirmPair,
    EndPair,
    ExpirePair,
    KeepPair,
    PairRefusal,
    ProposePair,
)
from services.compliance.domain.work import CustomerStatus
from services.compliance.lists.listed import PartyKind
from services.compliance.matching.subject import Subject
from tests.unit.compliance.office import (
    ACCOUNT,
    CUSTOMER,
    LIST,
    PAYMENT,
    START,
    Office,
    initiated,
    order,
    registered,
    suspended,
)

ALIKE = "Jon Smitheringale"
BORN = "1988-07-02"
REFERENCE = "test/2"
PAIR = pair_id_of(Subject(name=ALIKE, birth_date=BORN), REFERENCE)
UNTIL = START + timedelta(days=90)


def payment(name: str = ALIKE) -> PaymentInitiated:
    return initiated(order(name, birth_date=BORN), payment_id=ids.named(f"payment {name} {next(_numbers)}"))


_numbers = iter(range(1_000_000))


def screened(office: Office, name: str = ALIKE) -> ScreeningOutcome:
    (told,) = office.decide(payment(name))
    assert isinstance(told, ComplianceScreened)
    return told.outcome


@pytest.fixture
def office() -> Office:
    """A payment that waits, for its payer resembles a listed party."""
    office = Office()
    event = initiated(order(ALIKE, birth_date=BORN))
    office.decide(event, replace(suspended(), order=event.order))
    assert screened(office) is ScreeningOutcome.REVIEW
    return office


def proposal(office: Office, **other: Any) -> ProposePair:
    about = {"case_id": office.case().case_id, "version": office.case().version, "actor": "ann", "role": Role.ANALYST}
    return ProposePair(**{**about, "pair_id": PAIR, "until": UNTIL, "note": "another year of birth", **other})


def confirmation(office: Office, **other: Any) -> ConfirmPair:
    about = {"pair_id": PAIR, "version": office.pairs[PAIR].version, "actor": "ben", "role": Role.SUPERVISOR}
    return ConfirmPair(**{**about, **other})


def ending(office: Office, **other: Any) -> EndPair:
    about = {"pair_id": PAIR, "version": office.pairs[PAIR].version, "actor": "ben", "role": Role.SUPERVISOR}
    return EndPair(**{**about, "note": "seen anew", **other})


def whitelisted(office: Office) -> Pair:
    office.decide(proposal(office))
    assert screened(office) is ScreeningOutcome.REVIEW
    office.decide(confirmation(office))
    return office.pairs[PAIR]


def test_what_two_people_have_told_apart_is_no_hit_until_its_end(office: Office) -> None:
    pair = whitelisted(office)
    assert (pair.state, pair.proposed_by, pair.confirmed_by) == (PairState.IN_FORCE, "ann", "ben")
    assert screened(office) is ScreeningOutcome.CLEAR
    office.now = UNTIL
    assert screened(office) is ScreeningOutcome.REVIEW


def test_the_answer_is_remembered_under_the_whitelists_version(office: Office) -> None:
    whitelisted(office)
    before = office.searches
    assert [screened(office) for _ in range(3)] == [ScreeningOutcome.CLEAR] * 3
    # The payer once; the payee was known, and stays so.
    assert office.searches == before + 1


def test_another_party_resembles_the_entry_as_before(office: Office) -> None:
    whitelisted(office)
    assert screened(office, "John Smitheringale") is not ScreeningOutcome.CLEAR
    of = payment()
    born = initiated(order(ALIKE, birth_date="1970-01-01"), payment_id=of.payment_id)
    (told,) = office.decide(born)
    assert isinstance(told, ComplianceScreened)
    assert told.outcome is ScreeningOutcome.REVIEW


def test_an_entry_that_has_changed_is_asked_about_anew(office: Office) -> None:
    whitelisted(office)
    office.switch_to(LIST + '3,person,"VARKOSKY, Other",,,,,,\n')
    assert screened(office) is ScreeningOutcome.CLEAR
    office.switch_to(LIST.replace('"SMITHERINGALE, John",,,', '"SMITHERINGALE, John",,,1970-01-01'))
    assert screened(office) is ScreeningOutcome.REVIEW
    # And may be proposed anew, though the old pair's time is not over.
    other = initiated(order(ALIKE, birth_date=BORN), payment_id=ids.named("another"))
    office.decide(other, replace(suspended(payment_id=other.payment_id), order=other.order))
    case_id = next(case.case_id for case in office.cases.values() if case.payment_id == other.payment_id)
    office.decide(
        ProposePair(case_id=case_id, version=1, actor="ann", role=Role.ANALYST, pair_id=PAIR, until=UNTIL, note="too")
    )
    assert office.pairs[PAIR].state is PairState.PROPOSED


def test_what_a_person_ends_is_a_hit_again(office: Office) -> None:
    whitelisted(office)
    office.decide(ending(office))
    assert screened(office) is ScreeningOutcome.CLEAR, "until another person agrees"
    assert office.pairs[PAIR].is_waiting
    assert office.refusal(ending(office)) == PairRefusal.END_PROPOSED
    assert office.refusal(confirmation(office, actor="ben")) == PairRefusal.OWN_PROPOSAL
    office.decide(confirmation(office, actor="sue"))
    assert screened(office) is ScreeningOutcome.REVIEW
    pair = office.pairs[PAIR]
    assert (pair.state, pair.end_proposed_by, pair.ended_by) == (PairState.ENDED, "ben", "sue")
    assert (pair.end_reason, pair.is_waiting) == ("seen anew", False)


def keeping(office: Office, **other: Any) -> KeepPair:
    about: dict[str, Any] = {"pair_id": PAIR, "actor": "sue", "role": Role.SUPERVISOR}
    return KeepPair(**{**about, "version": office.pairs[PAIR].version, **other})


def test_a_pair_whose_end_nobody_agrees_with_goes_on(office: Office) -> None:
    whitelisted(office)
    assert office.refusal(keeping(office)) == PairRefusal.WRONG_STATE
    office.decide(ending(office))
    assert office.refusal(keeping(office, version=7)) == PairRefusal.STALE
    office.decide(keeping(office))
    assert screened(office) is ScreeningOutcome.CLEAR
    assert office.refusal(confirmation(office, actor="sue")) == PairRefusal.WRONG_STATE
    office.decide(ending(office))
    office.decide(confirmation(office, actor="sue"))
    assert office.pairs[PAIR].state is PairState.ENDED


def by_two(office: Office) -> list[Event]:
    office.decide(ending(office))
    return office.decide(confirmation(office, actor="sue"))


def by_time(office: Office) -> list[Event]:
    office.now = UNTIL
    return office.decide(ExpirePair(pair_id=PAIR))


@pytest.mark.parametrize("ended", [by_two, by_time])
def test_when_a_pair_ends_its_customers_are_looked_at_again_at_once(
    office: Office, ended: Callable[[Office], list[Event]]
) -> None:
    whitelisted(office)
    office.decide(registered(ALIKE, birth_date=BORN))
    events = ended(office)
    assert [type(event) for event in events] == [CustomerRestricted, CaseOpened]
    assert office.customers[CUSTOMER].status is CustomerStatus.RESTRICTED
    case = next(case for case in office.cases.values() if case.customer_id is not None)
    assert case.reasons == ("pair_ended",)
    assert office.pairs[PAIR].state is PairState.ENDED


def test_a_pair_does_not_end_before_its_time(office: Office) -> None:
    whitelisted(office)
    assert office.decide(ExpirePair(pair_id=PAIR)) == []
    assert office.pairs[PAIR].state is PairState.IN_FORCE


def test_a_customer_is_verified_whose_only_hit_is_whitelisted(office: Office) -> None:
    whitelisted(office)
    (told,) = office.decide(registered(ALIKE, birth_date=BORN))
    assert isinstance(told, CustomerVerified)


def test_each_act_is_in_the_audit_log_and_the_proposal_in_the_cases_timeline(office: Office) -> None:
    whitelisted(office)
    office.decide(ending(office))
    office.decide(keeping(office))
    by_two(office)
    verbs = [(entry.verb, entry.actor) for entry in office.audit if entry.object_kind == "whitelist"]
    assert verbs == [
        *(("pair_proposed", "ann"), ("pair_confirmed", "ben")),
        *(("pair_end_proposed", "ben"), ("pair_kept", "sue"), ("pair_end_proposed", "ben"), ("pair_ended", "sue")),
    ]
    assert "another year of birth" in office.audit[0].details
    assert office.timeline()[-1] == "pair_proposed"


Refused = Callable[[Office], Any]
REFUSED: dict[str, tuple[Refused, PairRefusal]] = {
    "a case that is not there": (lambda o: proposal(o, case_id=ids.named("none")), PairRefusal.CASE_UNKNOWN),
    "a hit that is not there": (lambda o: proposal(o, pair_id=ids.named("none")), PairRefusal.PAIR_UNKNOWN),
    "no reason": (lambda o: proposal(o, note=" "), PairRefusal.NOTE_MISSING),
    "an end that is over": (lambda o: proposal(o, until=START), PairRefusal.END_OUT_OF_RANGE),
    "an end too far": (lambda o: proposal(o, until=START + timedelta(days=400)), PairRefusal.END_OUT_OF_RANGE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_proposal_is_refused(office: Office, name: str) -> None:
    asked, reason = REFUSED[name]
    assert office.refusal(asked(office)) == reason
    assert office.pairs == {}


def test_who_screening_blocks_is_whitelisted_by_nobody() -> None:
    office = Office()
    event = initiated(order("Dmitrun Varkosky", birth_date="1968-03-14"))
    office.decide(event, replace(suspended(), order=event.order))
    subject = Subject(name="Dmitrun Varkosky", birth_date="1968-03-14")
    assert office.refusal(proposal(office, pair_id=pair_id_of(subject, "test/1"))) == PairRefusal.LISTED_PARTY


def test_it_takes_another_person_who_has_seen_what_is_so_now(office: Office) -> None:
    office.decide(proposal(office))
    assert office.refusal(proposal(office)) == PairRefusal.ALREADY_WHITELISTED
    assert office.refusal(confirmation(office, actor="ann")) == PairRefusal.OWN_PROPOSAL
    assert office.refusal(confirmation(office, version=7)) == PairRefusal.STALE
    assert office.refusal(ending(office, version=7)) == PairRefusal.STALE
    assert office.refusal(ending(office, note="")) == PairRefusal.NOTE_MISSING
    late = confirmation(office)
    office.decide(late)
    assert office.refusal(confirmation(office)) == PairRefusal.WRONG_STATE
    by_two(office)
    assert office.refusal(ending(office)) == PairRefusal.WRONG_STATE
    for command in (confirmation(office, pair_id=ids.named("none")), ending(office, pair_id=ids.named("none"))):
        assert office.refusal(command) == PairRefusal.PAIR_UNKNOWN


def test_what_nobody_confirmed_in_time_is_to_be_proposed_anew(office: Office) -> None:
    office.decide(proposal(office))
    office.now = UNTIL
    assert office.refusal(confirmation(office)) == PairRefusal.END_OUT_OF_RANGE
    later = UNTIL + timedelta(days=90)
    office.decide(proposal(office, actor="ben", until=later))
    pair = office.pairs[PAIR]
    assert (pair.state, pair.until, pair.proposed_by, pair.version) == (PairState.PROPOSED, later, "ben", 2)


@pytest.mark.parametrize("known", [{}, {"birth_date": "1988"}, {"birth_date": "1988-07"}, {"country": "DE"}])
def test_of_whom_hardly_more_than_a_name_is_known_nobody_is_ruled_out(known: dict[str, Any]) -> None:
    office = Office()
    event = initiated(order(ALIKE, **known))
    office.decide(event, replace(suspended(), order=event.order))
    pair_id = pair_id_of(Subject(name=ALIKE, **known), REFERENCE)
    assert office.refusal(proposal(office, pair_id=pair_id)) == PairRefusal.PARTY_INDISTINCT
    assert office.pairs == {}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Subject(name=ALIKE, birth_date=BORN), True),
        (Subject(name="Smitheringale Ltd", kind=PartyKind.ORGANISATION, identifier="HRB1234"), True),
        (Subject(name="Smitheringale Ltd", kind=PartyKind.ORGANISATION, birth_date="2001-04-05"), True),
        (Subject(name="Smitheringale Ltd", kind=PartyKind.ORGANISATION, country="DE"), False),
        (Subject(name=ALIKE, birth_date="1980/1990"), False),
    ],
)
def test_a_day_or_an_official_number_tells_a_party_from_others_of_its_name(known: Subject, expected: bool) -> None:
    assert is_distinct(known) is expected


def test_a_proposal_is_about_a_case_that_is_open_and_was_seen_as_it_is_now(office: Office) -> None:
    assert office.refusal(proposal(office, version=7)) == PairRefusal.STALE
    office.decide(PaymentCancelled(payment_id=PAYMENT, debtor_account_id=ACCOUNT, cancelled_at=START))
    assert office.case().has_ended
    assert office.refusal(proposal(office)) == PairRefusal.NOT_OPEN
    assert office.pairs == {}
