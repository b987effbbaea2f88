"""Payments that wait for people: looked at again when a list or the matcher changes, before anyone decides."""

import pytest

from libs.common.record import replace
from schemas.compliance.events import CaseDecision, CaseResolved, ComplianceScreened, ScreeningOutcome
from schemas.payments.events import InternalReason, PaymentEvidence
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, RefusalReason, TakeCase
from services.compliance.domain.case import CaseStatus
from services.compliance.domain.people import Role
from services.compliance.domain.screenings import RescreenPayment
from services.compliance.matching.screening import MATCHER_VERSION
from tests.unit.compliance.office import DECIDE_BY, LIST, PAYMENT, Office, initiated, order, suspended

RESCREEN = RescreenPayment(payment_id=PAYMENT)
ALIKE_LISTED = LIST + '3,person,"MILLER, Anne",,,,,,\n'
NAMED = LIST + "3,person,Zarifan Qandarus,,,,,,\n"
UNRELATED = LIST + "3,person,Someone Else,,,,,,\n"
SUSPICIOUS = PaymentEvidence(compliance_outcome="clear", fraud_outcome="review", funds_outcome="held")
BLOCKED = PaymentEvidence(compliance_outcome="block", fraud_outcome="review", funds_outcome="held")


def waiting(payer: str = "Ann Miller", *, is_encrypted: bool = False) -> Office:
    """A payment that resembled nobody when it was screened, and is suspicious: its case waits, and was looked at."""
    office = Office()
    ordered = order(payer, is_encrypted=is_encrypted)
    office.decide(initiated(ordered))
    office.decide(replace(suspended(InternalReason.FRAUD_REVIEW, evidence=SUSPICIOUS), order=ordered))
    assert office.decide(RESCREEN) == []
    assert office.case().version == 1
    return office


def take(office: Office) -> None:
    office.decide(
        TakeCase(case_id=office.case().case_id, actor="ann", role=Role.SUPERVISOR, version=office.case().version)
    )


def proposal(office: Office, decision: CaseDecision) -> ProposeDecision:
    case = office.case()
    return ProposeDecision(
        case_id=case.case_id, actor="ann", role=Role.SUPERVISOR, version=case.version, decision=decision, note="seen"
    )


def test_who_is_on_a_list_by_now_is_shown_before_anyone_decides() -> None:
    office = waiting()
    office.switch_to(ALIKE_LISTED)
    (told,) = office.decide(RESCREEN)
    assert isinstance(told, ComplianceScreened)
    assert (told.outcome, told.lists_version) == (ScreeningOutcome.REVIEW, "test:2")
    assert [hit.entity_id for hit in told.hits] == ["3"]
    (role,) = office.screenings[PAYMENT].roles
    assert [hit.entity_id for hit in role.verdict.hits] == ["3"]
    assert office.screenings[PAYMENT].sequence == 2
    assert office.case().reasons == ("fraud_review", "list_changed")
    assert office.timeline()[-1] == "evidence_changed"


def test_what_is_found_later_has_a_later_time_whatever_the_clock_says() -> None:
    """Payments heeds the newest; two looks can fall into one moment, and clocks are set back."""
    office = waiting()
    before = office.screenings[PAYMENT].screened_at
    office.switch_to(ALIKE_LISTED)
    (told,) = office.decide(RESCREEN)
    office.switch_to(LIST)
    (told_again,) = office.decide(RESCREEN)
    assert isinstance(told, ComplianceScreened) and isinstance(told_again, ComplianceScreened)
    assert before < told.screened_at < told_again.screened_at


def test_a_proposal_made_on_old_hits_falls_and_whoever_saw_them_is_told() -> None:
    office = waiting()
    take(office)
    seen = proposal(office, CaseDecision.APPROVE)
    office.decide(seen)
    office.switch_to(ALIKE_LISTED)
    office.decide(RESCREEN)
    assert (office.case().status, office.case().proposal) == (CaseStatus.TAKEN, None)
    assert office.refusal(seen) == RefusalReason.STALE
    assert office.refusal(proposal(office, CaseDecision.APPROVE)) is None


@pytest.mark.parametrize("decision", [CaseDecision.APPROVE, CaseDecision.REJECT])
def test_money_of_who_is_listed_by_now_goes_neither_on_nor_back(decision: CaseDecision) -> None:
    """Payments has not heard of it yet: it would give back what people reject."""
    office = waiting("Zarifan Qandarus")
    office.switch_to(NAMED)
    office.decide(RESCREEN)
    take(office)
    assert office.case().is_about_listed_party
    assert office.refusal(proposal(office, decision)) == RefusalReason.LISTED_PARTY
    office.decide(proposal(office, CaseDecision.BLOCK))
    case = office.case()
    (event,) = office.decide(
        ConfirmDecision(case_id=case.case_id, actor="ben", role=Role.SUPERVISOR, version=case.version, note="")
    )
    assert isinstance(event, CaseResolved)
    assert event.decision is CaseDecision.BLOCK


def test_once_payments_knows_who_is_listed_people_may_reject_for_then_the_money_is_blocked() -> None:
    office = waiting("Zarifan Qandarus")
    office.switch_to(NAMED)
    office.decide(RESCREEN)
    office.decide(suspended(InternalReason.COMPLIANCE_REVIEW, evidence=BLOCKED, decide_by=DECIDE_BY))
    take(office)
    assert office.refusal(proposal(office, CaseDecision.APPROVE)) == RefusalReason.LISTED_PARTY
    assert office.refusal(proposal(office, CaseDecision.REJECT)) is None


def test_what_payments_tells_later_does_not_hide_who_is_listed_by_now() -> None:
    office = waiting("Zarifan Qandarus")
    office.switch_to(NAMED)
    office.decide(RESCREEN)
    office.decide(suspended(InternalReason.ANSWER_MISSING, evidence=SUSPICIOUS, decide_by=DECIDE_BY))
    assert office.case().is_about_listed_party


def test_who_is_off_the_list_again_may_be_approved() -> None:
    office = waiting("Zarifan Qandarus")
    for listed in (NAMED, LIST):
        office.switch_to(listed)
        office.decide(RESCREEN)
    take(office)
    assert office.screenings[PAYMENT].outcome is ScreeningOutcome.CLEAR
    assert office.refusal(proposal(office, CaseDecision.APPROVE)) is None


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_list_that_names_nobody_new_changes_nothing_that_people_see(is_encrypted: bool) -> None:
    office = waiting(is_encrypted=is_encrypted)
    before = office.screenings[PAYMENT]
    office.switch_to(UNRELATED)
    assert office.decide(RESCREEN) == []
    assert (office.case().version, office.case().catalogue_version) == (1, 2)
    assert office.screenings[PAYMENT] == before


def test_a_list_that_changed_between_the_answer_and_the_case_is_not_missed() -> None:
    office = Office()
    office.decide(initiated())
    office.switch_to(ALIKE_LISTED)
    office.decide(suspended(InternalReason.FRAUD_REVIEW, evidence=SUSPICIOUS))
    (told,) = office.decide(RESCREEN)
    assert isinstance(told, ComplianceScreened)


def test_a_payment_is_looked_at_again_when_names_are_compared_anew_and_never_by_an_older_matcher() -> None:
    office = waiting()
    (role,) = waiting_with_hit().screenings[PAYMENT].roles
    case_id = office.case().case_id
    office.screenings = {PAYMENT: replace(office.screenings[PAYMENT], roles=(role,))}
    office.cases = {case_id: replace(office.case(), matcher_version=MATCHER_VERSION + 1)}
    assert office.decide(RESCREEN) == []
    office.cases = {case_id: replace(office.case(), matcher_version=MATCHER_VERSION - 1)}
    (told,) = office.decide(RESCREEN)
    assert isinstance(told, ComplianceScreened)
    assert office.case().reasons == ("fraud_review", "matcher_changed")


def waiting_with_hit() -> Office:
    office = waiting()
    office.switch_to(ALIKE_LISTED)
    office.decide(RESCREEN)
    return office


def test_what_is_decided_or_was_never_screened_or_is_unknown_is_left_alone() -> None:
    decided = waiting()
    take(decided)
    decided.decide(proposal(decided, CaseDecision.APPROVE))
    case = decided.case()
    decided.decide(
        ConfirmDecision(case_id=case.case_id, actor="ben", role=Role.SUPERVISOR, version=case.version, note="")
    )
    decided.switch_to(ALIKE_LISTED)
    assert decided.decide(RESCREEN) == []
    unscreened = Office()
    unscreened.decide(suspended(InternalReason.ANSWER_MISSING))
    assert unscreened.decide(RESCREEN) == []
    assert unscreened.case().catalogue_version == 0
    assert Office().decide(RESCREEN) == []
