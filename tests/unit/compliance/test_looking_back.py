"""Payments that have settled, looked at again when a list changes: what is found is a case, once."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.record import replace
from schemas.compliance.events import CaseDecision, ScreeningOutcome
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentEvidence, PaymentSettled
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.case import CaseReason, CaseStatus
from services.compliance.domain.looking_back import LookBack
from services.compliance.domain.people import Role
from services.compliance.domain.priority import Priority, priority_of
from tests.unit.compliance.office import (
    ACCOUNT,
    CREDITOR_ACCOUNT,
    CUSTOMER,
    LIST,
    PAYMENT,
    START,
    Office,
    initiated,
    order,
    suspended,
)

LOOK = LookBack(payment_id=PAYMENT)
ALIKE_LISTED = LIST + '3,person,"MILLER, Anne",,,,,,\n'
NAMED = LIST + '3,person,"QANDARUS, Zarifan",,,,,,\n'
MORE = ALIKE_LISTED + '4,person,"MILLER, Ann",,,,,,\n'


def settled() -> PaymentSettled:
    return PaymentSettled(
        payment_id=PAYMENT,
        debtor_account_id=ACCOUNT,
        creditor_account_id=CREDITOR_ACCOUNT,
        debtor_customer_id=CUSTOMER,
        creditor_customer_id=CUSTOMER,
        amount_minor=12_345,
        currency="EUR",
        instructed_at=START,
        transfer_id=PAYMENT,
        settled_at=START,
    )


def over(payer: str = "Ann Miller", *, is_encrypted: bool = False) -> Office:
    """A payment that resembled nobody when it was screened, and has settled."""
    office = Office()
    office.decide(initiated(order(payer, is_encrypted=is_encrypted)))
    office.decide(settled())
    assert office.decide(LOOK) == []
    return office


def test_who_is_listed_by_now_is_a_case_though_its_payment_has_settled() -> None:
    office = over()
    office.switch_to(ALIKE_LISTED)
    assert office.decide(LOOK) == []
    case = office.case()
    assert (case.reasons, case.status, case.is_second_look) == (("found_later",), CaseStatus.OPEN, True)
    assert priority_of(case) is Priority.P2
    assert case.payment is not None
    assert case.payment.order.debtor_account_id == ACCOUNT
    (role,) = office.screenings[PAYMENT].roles
    assert [hit.entity_id for hit in role.verdict.hits] == ["3"]


def test_a_listed_party_is_urgent_and_what_people_decide_is_told_to_nobody() -> None:
    office = over("Zarifan Qandarus")
    office.switch_to(NAMED)
    office.decide(LOOK)
    case = office.case()
    assert case.rescreened is not None
    assert case.rescreened.outcome is ScreeningOutcome.BLOCK
    assert priority_of(case) is Priority.P1
    about: dict[str, Any] = {"case_id": case.case_id, "role": Role.SUPERVISOR}
    office.decide(TakeCase(**about, actor="ann", version=1))
    office.decide(ProposeDecision(**about, actor="ann", version=2, decision=CaseDecision.BLOCK, note="reported"))
    assert office.decide(ConfirmDecision(**about, actor="ben", version=3, note="")) == []


def test_it_is_looked_at_once_a_version_and_only_news_is_told() -> None:
    office = over()
    office.switch_to(ALIKE_LISTED)
    office.decide(LOOK)
    version = office.case().version
    office.decide(LOOK)
    office.switch_to(ALIKE_LISTED.replace("John", "Jon"))
    office.decide(LOOK)
    assert office.case().version == version
    office.switch_to(LIST)
    office.decide(LOOK)
    assert office.case().version == version
    office.switch_to(MORE)
    office.decide(LOOK)
    assert office.timeline() == ["opened", "evidence_changed"]


def test_what_people_had_decided_is_looked_at_a_second_time() -> None:
    office = Office()
    office.decide(initiated(order("Jon Smitheringale")))
    office.decide(replace(suspended(), order=order("Jon Smitheringale")))
    about: dict[str, Any] = {"case_id": office.case().case_id, "role": Role.SUPERVISOR}
    office.decide(TakeCase(**about, actor="ann", version=1))
    office.decide(ProposeDecision(**about, actor="ann", version=2, decision=CaseDecision.APPROVE, note="other"))
    office.decide(ConfirmDecision(**about, actor="ben", version=3, note=""))
    office.decide(settled())
    office.switch_to(LIST + "5,person,Unrelated Person,,,,,,\n")
    office.decide(LOOK)
    assert office.case().status is CaseStatus.RESOLVED
    office.switch_to(LIST + '5,person,"SMITHERINGALE, Jon",,,,,,\n')
    office.decide(LOOK)
    case = office.case()
    assert (case.status, case.is_second_look) == (CaseStatus.OPEN, True)
    assert CaseReason.FOUND_LATER in case.reasons
    assert office.timeline()[-1] == "reopened"


def test_a_payment_that_has_not_settled_waits_until_it_has() -> None:
    office = Office()
    office.decide(initiated())
    office.switch_to(ALIKE_LISTED)
    office.decide(LOOK)
    assert office.cases == {}
    office.decide(settled())
    office.decide(LOOK)
    assert office.case().reasons == ("found_later",)


def test_a_suspension_told_late_changes_nothing_about_it() -> None:
    office = over()
    office.switch_to(ALIKE_LISTED)
    office.decide(LOOK)
    before = office.case()
    office.decide(suspended(evidence=PaymentEvidence()))
    assert office.case() == before


def overdue(*awaited: Answer) -> PaymentAnswerOverdue:
    return PaymentAnswerOverdue(payment_id=PAYMENT, order=order(), awaited=awaited, overdue_at=START)


def test_a_payment_of_which_only_a_late_answer_was_asked_is_looked_at_as_well() -> None:
    office = Office()
    office.decide(overdue(Answer.FRAUD))
    assert office.orders == {}
    office.decide(overdue(Answer.COMPLIANCE), settled())
    office.switch_to(ALIKE_LISTED)
    office.decide(LOOK)
    assert office.case().reasons == ("found_later",)


def test_what_was_answered_and_not_remembered_is_looked_at_without_a_new_list() -> None:
    office = Office()
    office.decide(initiated())
    office.orders.clear()
    office.switch_to(ALIKE_LISTED)
    office.decide(overdue(Answer.COMPLIANCE), settled())
    assert (office.orders[PAYMENT].matcher_version, office.orders[PAYMENT].catalogue_version) == (0, 0)
    office.decide(LOOK)
    assert office.case().reasons == ("found_later",)


@pytest.mark.parametrize("days", [0, 30])
def test_nothing_is_kept_of_encrypted_parties_nor_where_nobody_looks_back(days: int) -> None:
    office = Office()
    office.policy = replace(office.policy, look_back_for=timedelta(days=days))
    office.decide(initiated(order(is_encrypted=days > 0)))
    assert office.orders == {}
    office.decide(settled())
    office.switch_to(ALIKE_LISTED)
    assert office.decide(LOOK) == []
    assert office.cases == {}
