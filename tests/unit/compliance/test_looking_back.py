"""Payments that have settled, looked at again when a list changes: what is found is a case, once."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.personal_data import Keys, Unsealable
from libs.common.record import replace
from schemas.compliance.events import CaseDecision, ComplianceScreened, ScreeningOutcome
from schemas.payments.events import (
    Answer,
    EncryptedPersonalData,
    Party,
    PaymentAnswerOverdue,
    PaymentDataSupplied,
    PaymentEvidence,
    PaymentSettled,
)
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.case import CaseReason, CaseStatus
from services.compliance.domain.looking_back import GoOn, LookBack
from services.compliance.domain.meanings import words_of
from services.compliance.domain.people import Role
from services.compliance.domain.priority import Priority, priority_of
from services.compliance.domain.travel import TellDetails
from services.compliance.domain.work import LookingBack, Mark
from services.compliance.matching.screening import MATCHER_VERSION
from services.compliance.store.work import subjects_in
from services.compliance.travel.record import Details
from tests.unit.compliance.office import (
    ACCOUNT,
    ALIKE,
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
from tests.unit.compliance.test_travel_rule import travelling

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


def test_what_was_decided_about_held_money_is_not_reworded_when_it_is_found_later() -> None:
    office = Office()
    office.decide(initiated(order(ALIKE)), suspended())
    about: dict[str, Any] = {"case_id": office.case().case_id, "role": Role.SUPERVISOR}

    def approve(version: int) -> None:
        said: dict[str, Any] = {"decision": CaseDecision.APPROVE, "note": "seen"}
        office.decide(TakeCase(**about, actor="ann", version=version))
        office.decide(ProposeDecision(**about, actor="ann", version=version + 1, **said))
        office.decide(ConfirmDecision(**about, actor="ben", version=version + 2, note=""))

    approve(1)
    office.decide(settled())
    office.switch_to(LIST + '3,person,"VARKOSKIY, Dmitrum",,,,,,\n')
    office.decide(LOOK)
    approve(office.case().version)
    words = list(words_of(office.case(), office.acts).values())
    assert words == ["approve", "approve", "explained", "explained"]


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
    assert office.screenings == {}
    office.decide(overdue(Answer.COMPLIANCE), settled())
    office.switch_to(ALIKE_LISTED)
    office.decide(LOOK)
    assert office.case().reasons == ("found_later",)


def mark(version: int = 2, payment_id: str = PAYMENT) -> LookingBack:
    at = Mark(at=START, payment_id=payment_id)
    return LookingBack(matcher_version=MATCHER_VERSION, catalogue_version=version, mark=at, is_done=False)


def test_nothing_is_written_of_a_payment_of_which_there_is_no_news() -> None:
    office = over()
    office.switch_to(LIST)
    touched = []
    office.observe = lambda work, _: touched.extend(work.screenings.updated)
    office.decide(LOOK, GoOn(before=None, after=mark(), payment_ids=(PAYMENT,)))
    assert touched == []
    assert list(office.looking_back.values()) == [mark()]


def test_two_who_look_at_the_same_payments_move_the_mark_once() -> None:
    office = over()
    office.decide(GoOn(before=None, after=mark(2), payment_ids=()))
    office.decide(GoOn(before=None, after=mark(3), payment_ids=()))
    assert list(office.looking_back.values()) == [mark(2)]


def test_an_order_whose_key_is_lost_costs_its_own_look_and_no_other() -> None:
    office = over()
    ordered = replace(order(), personal=EncryptedPersonalData(key_id="lost", ciphertext=b"?"))
    office.screenings[PAYMENT] = replace(office.screenings[PAYMENT], order=ordered)
    office.keys = Keys(current={})
    assert subjects_in([LOOK], {}, {}, office.screenings, {}, office.keys) == []
    office.switch_to(ALIKE_LISTED)
    with pytest.raises(Unsealable):
        office.decide(LOOK)


def test_what_could_not_be_looked_at_is_looked_at_by_itself_until_it_can() -> None:
    office = over()
    office.switch_to(ALIKE_LISTED)
    # Its look broke, and so left no trace in the batch.
    office.decide(GoOn(before=None, after=mark(), payment_ids=(PAYMENT,)))
    assert office.screenings[PAYMENT].is_to_look_at
    office.decide(LOOK)
    assert not office.screenings[PAYMENT].is_to_look_at
    assert office.case().reasons == ("found_later",)


def test_a_payment_that_settles_behind_the_mark_is_looked_at_by_itself() -> None:
    office = Office()
    office.decide(initiated())
    office.switch_to(ALIKE_LISTED)
    office.decide(LOOK, GoOn(before=None, after=mark(), payment_ids=(PAYMENT,)))
    assert not office.screenings[PAYMENT].is_to_look_at
    office.decide(settled())
    assert office.screenings[PAYMENT].is_to_look_at
    office.decide(LOOK)
    assert office.case().reasons == ("found_later",)


def test_who_knows_less_leaves_a_payment_to_those_who_know_more() -> None:
    """While processes are replaced: answered by a newer matcher with older lists, noted by an older one."""
    office = Office()
    office.decide(initiated())
    newer = replace(office.screenings[PAYMENT], matcher_version=MATCHER_VERSION + 1)
    office.screenings[PAYMENT] = newer
    office.switch_to(ALIKE_LISTED)
    office.decide(settled())
    assert office.screenings[PAYMENT].is_to_look_at
    office.decide(LOOK)
    assert office.screenings[PAYMENT].is_to_look_at, "a newer process looks at it"
    assert office.cases == {}


@pytest.mark.parametrize("days", [0, 30])
def test_nothing_is_kept_of_encrypted_parties_nor_where_nobody_looks_back(days: int) -> None:
    office = Office()
    office.policy = replace(office.policy, look_back_for=timedelta(days=days))
    office.decide(initiated(order(is_encrypted=days > 0)))
    assert office.screenings[PAYMENT].order is None
    office.decide(settled())
    office.switch_to(ALIKE_LISTED)
    assert office.decide(LOOK) == []
    assert office.cases == {}


# Told after it had settled


def told_of_a_settled_payment(office: Office) -> list[Any]:
    """The ways in which more is told, by which the payer is somebody listed."""
    told: dict[str, Any] = {"birth_date": "1968-03-14", "country": "RU"}
    ordered = travelling(debtor=Party(name="Dmitro Varkovsky"))
    (event,) = office.decide(initiated(ordered))
    assert isinstance(event, ComplianceScreened)
    assert event.hits == ()
    office.decide(settled())
    more = travelling(debtor=Party(name="Dmitro Varkovsky", **told))
    return [
        TellDetails(payment_id=PAYMENT, by="gate", role="client", debtor=Details(**told), creditor=Details()),
        PaymentDataSupplied(payment_id=PAYMENT, order=more, supplied_at=START),
    ]


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("days", [0, 30])
def test_a_hit_by_what_is_told_after_it_has_settled_is_a_case(way: int, days: int) -> None:
    office = Office()
    office.policy = replace(office.policy, look_back_for=timedelta(days=days))
    told = told_of_a_settled_payment(office)[way]
    assert office.decide(told) == [], "its money has moved: payments can do nothing"
    case = office.case()
    assert (case.reasons, case.is_second_look, case.opened_at is not None) == (("found_later",), True, True)
    (role,) = office.screenings[PAYMENT].roles
    assert role.verdict.outcome is ScreeningOutcome.REVIEW


def test_such_a_hit_joins_the_case_that_is_open_and_is_shown_once() -> None:
    office = Office()
    by_program, by_client = told_of_a_settled_payment(office)
    office.decide(by_program)
    office.decide(by_client)
    assert office.timeline() == ["opened"]
    office.switch_to(LIST.replace("VARKOSKY, Dmitrun", "VARKOVSKY, Dmitro"))
    office.decide(LOOK)
    assert office.timeline() == ["opened", "evidence_changed"]


def test_what_is_told_of_a_settled_payment_and_says_nothing_new_opens_no_case() -> None:
    office = Office()
    told_of_a_settled_payment(office)
    office.decide(
        TellDetails(
            payment_id=PAYMENT, by="gate", role="client", debtor=Details(address="1 Mill Race"), creditor=Details()
        )
    )
    assert office.cases == {}
