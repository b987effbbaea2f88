"""A payment's two parties: screened once, remembered, answered again when asked again."""

import pytest

from schemas.compliance.events import ComplianceScreened, PartyRole, ScreeningOutcome, UnscreenableReason
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentOrder
from services.compliance.domain.parties import party_key
from services.compliance.matching.subject import Subject
from tests.unit.compliance.office import ALIKE, HEADER, LISTED, ORDINARY, PAYMENT, START, Office, initiated, order


def answer(office: Office, ordered: PaymentOrder) -> ComplianceScreened:
    (event,) = office.decide(initiated(ordered))
    assert isinstance(event, ComplianceScreened)
    return event


def overdue(*awaited: Answer) -> PaymentAnswerOverdue:
    return PaymentAnswerOverdue(payment_id=PAYMENT, order=order(ALIKE), awaited=awaited, overdue_at=START)


@pytest.mark.parametrize(
    ("debtor", "creditor", "outcome", "roles"),
    [
        (ORDINARY, "Ben Baker", ScreeningOutcome.CLEAR, set()),
        (ALIKE, "Ben Baker", ScreeningOutcome.REVIEW, {PartyRole.DEBTOR}),
        (ORDINARY, ALIKE, ScreeningOutcome.REVIEW, {PartyRole.CREDITOR}),
        (LISTED, ALIKE, ScreeningOutcome.BLOCK, {PartyRole.DEBTOR, PartyRole.CREDITOR}),
        (ORDINARY, LISTED, ScreeningOutcome.BLOCK, {PartyRole.CREDITOR}),
    ],
)
def test_the_worse_of_both_parties_decides(
    debtor: str, creditor: str, outcome: ScreeningOutcome, roles: set[PartyRole]
) -> None:
    event = answer(Office(), order(debtor, creditor))
    assert event.outcome is outcome
    assert {hit.role for hit in event.hits} == roles
    assert event.lists_version == "test:1"


def test_a_hit_tells_the_list_the_entry_and_why_but_nothing_of_whom_it_was_compared_with() -> None:
    (hit,) = answer(Office(), order(ALIKE, country="RU")).hits
    assert (hit.list_name, hit.entity_id, hit.listed_name) == ("test", "1", "VARKOSKY, Dmitrun")
    assert "name alike" in hit.explanation
    assert "the same country" in hit.explanation
    assert "varkoskiy" not in hit.explanation and "RU" not in hit.explanation


@pytest.mark.parametrize(
    ("debtor", "number", "outcome"),
    [
        (ORDINARY, "ab 123-456", ScreeningOutcome.REVIEW),
        (ALIKE, "AB123456", ScreeningOutcome.BLOCK),
        (ALIKE, "AB999999", ScreeningOutcome.REVIEW),
        (ORDINARY, "AB999999", ScreeningOutcome.CLEAR),
        (ORDINARY, "12", ScreeningOutcome.CLEAR),
    ],
)
def test_a_partys_document_number_is_looked_for_and_told_to_nobody(
    debtor: str, number: str, outcome: ScreeningOutcome
) -> None:
    listed = 'entity_id,kind,name,identifiers\n1,person,"VARKOSKY, Dmitrun",AB123456\n'
    event = answer(Office(listed), order(debtor, document_number=number))
    assert event.outcome is outcome
    assert "123456" not in str(event)


def test_encrypted_parties_are_for_a_person_to_look_at() -> None:
    event = answer(Office(), order(is_encrypted=True))
    assert (event.outcome, event.unscreenable) == (ScreeningOutcome.REVIEW, (UnscreenableReason.ENCRYPTED,))


def test_a_name_without_letters_is_for_a_person_to_look_at() -> None:
    event = answer(Office(), order("???"))
    assert (event.outcome, event.unscreenable) == (ScreeningOutcome.REVIEW, (UnscreenableReason.NAME_UNREADABLE,))


def test_a_party_is_searched_for_once() -> None:
    office = Office()
    office.decide(initiated(order(ALIKE, "Ben Baker"), "a"), initiated(order(ALIKE.upper(), "Ben  Baker"), "b"))
    office.decide(initiated(order("Ben Baker", ALIKE), "c"))
    assert office.searches == 2


def test_another_date_of_birth_another_country_or_another_list_is_another_search() -> None:
    of = Subject(name=ALIKE, birth_date="1968", country="RU")
    others = (
        Subject(name=LISTED, birth_date="1968", country="RU"),
        Subject(name=ALIKE, birth_date="1969", country="RU"),
        Subject(name=ALIKE, birth_date="1968", country="CY"),
        Subject(name=ALIKE, birth_date="1968RU"),
    )
    assert party_key(of, 1) == party_key(Subject(name=f" {ALIKE.lower()} ", birth_date="1968", country="RU"), 1)
    assert len({party_key(of, 1), party_key(of, 2), *(party_key(other, 1) for other in others)}) == 6


def test_an_answer_is_given_again_as_it_was_even_if_the_lists_have_changed() -> None:
    office = Office()
    first = answer(office, order(ALIKE))
    office.switch_to(HEADER + "9,person,Someone Else,,,,,,\n")
    (again,) = office.decide(overdue(Answer.COMPLIANCE, Answer.HOLD))
    assert again == first
    assert office.screenings[PAYMENT].sequence == 2


def test_a_question_that_never_arrived_is_answered_when_it_is_asked_again() -> None:
    (event,) = Office().decide(overdue(Answer.COMPLIANCE))
    assert isinstance(event, ComplianceScreened)
    assert event.outcome is ScreeningOutcome.REVIEW


def test_what_others_are_asked_again_is_not_answered_here() -> None:
    assert Office().decide(overdue(Answer.HOLD, Answer.FRAUD)) == []


def test_nothing_personal_is_kept_of_a_payment_that_is_clear() -> None:
    office = Office()
    answer(office, order())
    assert office.screenings[PAYMENT].roles == ()
