"""One payment assessed: against its parties' past, once, and whatever it was when it was first decided."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.record import replace
from schemas.fraud.events import FraudAssessed, FraudOutcome, Label
from schemas.payments.events import Answer, Channel, EncryptedPersonalData
from services.fraud import rulebooks
from services.fraud.domain.assessing import AssessPayment
from services.fraud.domain.entities import EntityKind, device_entity_id, fingerprint
from services.fraud.domain.history import KEPT_DAYS, LATE_DAYS_MAX, LOOK_BACK_DAYS
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Assessment, Panel
from services.fraud.domain.labelling import LabelPayment
from tests.unit.fraud.past import (
    ANN,
    CLEO,
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    NO_RULES,
    SHOP,
    START,
    Desk,
    initiated,
    order,
    overdue,
    payment_id,
)


def rules_of(assessed: FraudAssessed) -> set[str]:
    return {finding.rule for finding in assessed.findings}


def test_a_payment_is_assessed_and_becomes_part_of_all_its_parties_pasts() -> None:
    desk = Desk()
    assessed = desk.assess(1, order(10_00, device_id="phone"))
    assert (assessed.outcome, assessed.score, assessed.findings) == (FraudOutcome.ALLOW, 0.0, ())
    assert (assessed.payment_id, assessed.debtor_account_id, assessed.rules_version) == (
        payment_id(1),
        ANN,
        rulebooks.shipped().version,
    )
    for kind, id_, counterpart in (
        (EntityKind.DEBTOR, ANN, SHOP),
        (EntityKind.CREDITOR, SHOP, ANN),
        (EntityKind.DEVICE, device_entity_id("phone"), ANN),
    ):
        past = desk.entity(kind, id_).history
        assert (list(past.amounts), list(past.counterparts)) == ([10_00], [fingerprint(counterpart)])


def test_the_name_a_client_gave_a_device_is_not_kept() -> None:
    desk = Desk()
    desk.assess(1, order(device_id="ann's phone"))
    assert "ann's phone" not in repr(desk.entities)


def test_an_account_has_one_past_as_payer_and_another_as_payee() -> None:
    desk = Desk()
    desk.assess(1, order(debtor=ANN, creditor=SHOP))
    desk.assess(2, order(debtor=SHOP, creditor=ANN))
    assert len(desk.entity(EntityKind.DEBTOR, ANN).history.times) == 1
    assert len(desk.entity(EntityKind.CREDITOR, ANN).history.times) == 1


@pytest.mark.parametrize("again", [initiated(1, order()), overdue(1, order(), Answer.FRAUD)])
def test_a_payment_asked_about_again_gets_the_answer_it_got_and_is_remembered_once(again: Any) -> None:
    desk = Desk()
    first = desk.assess(1, order())
    desk.now += DAY
    known = dict(desk.entities)
    assert desk.hears(again) == [first]
    assert desk.numbers == [2], "told anew, and so with a number of its own"
    assert desk.entities == known
    assert desk.tally("allow") == (1, 0, 0)


def test_an_answer_once_given_stands_though_the_rules_have_changed() -> None:
    desk = Desk()
    first = desk.assess(1, order(230_00, channel=Channel.CARD))
    assert first.outcome is FraudOutcome.REVIEW
    desk.panel = Panel(live=Judge(NO_RULES))
    (again,) = desk.hears(overdue(1, order(230_00, channel=Channel.CARD), Answer.FRAUD))
    assert again == first


def test_a_payment_first_heard_of_when_its_answer_is_overdue_is_assessed_then() -> None:
    desk = Desk()
    (event,) = desk.hears(overdue(1, order(), Answer.HOLD, Answer.FRAUD))
    assert isinstance(event, FraudAssessed)
    assert desk.hears(initiated(1, order())) == [event]


def test_what_others_are_asked_is_none_of_frauds_business() -> None:
    desk = Desk()
    assert desk.hears(overdue(1, order(), Answer.HOLD, Answer.COMPLIANCE)) == []
    assert desk.assessments == {}


def test_within_a_batch_each_payment_sees_those_before_it() -> None:
    desk = Desk()
    events = desk.hears(*(initiated(number, order(10_00)) for number in range(3)))
    assert [rules_of(event) for event in events if isinstance(event, FraudAssessed)] == [
        set(),
        set(),
        {"same_amount_again"},
    ]


def with_past(*orders: Any) -> Desk:
    desk = Desk()
    for number, ordered in enumerate(orders):
        desk.assess(number, ordered)
    return desk


def test_what_only_encrypted_data_tells_is_not_guessed_at() -> None:
    desk = Desk()
    hidden = replace(order(ip_country="BR"), personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    (finding,) = desk.assess(1, hidden).findings
    assert (finding.rule, finding.score) == ("payer_unknown", 0)


# What fraud blocks is an attempt, and no habit


def with_habits(*more: Any) -> Desk:
    """Ann has paid the shop from her phone on five days."""
    return with_past(*(order(10_00, device_id="phone", at=START - number * DAY) for number in range(5, 0, -1)), *more)


STOLEN = order(20_000_00, creditor=CLEO, device_id="laptop", at=START - MINUTE)


def test_a_blocked_payment_counts_among_attempts() -> None:
    desk = with_habits(STOLEN)
    again = order(20_000_00, creditor=CLEO, device_id="laptop")
    expected = {
        "debtor_attempts_1h": 2,
        "debtor_attempts_1d": 2,
        "debtor_payees_1d": 1,
        "debtor_attempted_1d": 40_000.0,
        "debtor_attempted_7d": 40_050.0,
        "debtor_same_amount_10m": 2,
    }
    assert {name: desk.value(name, again) for name in expected} == expected
    desk.assess(9, order(debtor=SHOP))
    by_another = order(debtor=SHOP, creditor=CLEO, device_id="laptop")
    assert [desk.value(name, by_another) for name in ("creditor_payers_1d", "device_payers_7d")] == [2, 2]


def test_a_blocked_payment_is_nobodys_habit() -> None:
    desk = with_habits(STOLEN)
    assert desk.tally("block") == (1, 0, 0)
    next_day = order(creditor=CLEO, device_id="laptop", at=START + DAY)
    expected = {
        "debtor_count_30d": 5,
        "debtor_average_30d": 10.0,
        "debtor_max_30d": 10.0,
        "debtor_idle_days": 2.0,
        "creditor_is_new": True,
        "creditor_count_30d": 0,
        "device_count_30d": 0,
        "device_is_new": True,
    }
    assert {name: desk.value(name, next_day) for name in expected} == expected


def test_what_was_blocked_is_as_suspicious_when_it_is_tried_again() -> None:
    desk = with_habits()
    first, *others = [desk.assess(number, STOLEN) for number in range(10, 15)]
    assert first.outcome is FraudOutcome.BLOCK
    for other in others:
        assert other.score >= first.score
        assert rules_of(first) <= rules_of(other)


def test_a_payment_sent_to_review_is_a_habit_for_nobody_knows_yet_how_it_ends() -> None:
    desk = Desk()
    assert desk.assess(1, order(16_000_00)).outcome is FraudOutcome.REVIEW
    assert desk.value("debtor_average_30d", order()) == 16_000.0


# Time


def test_detection_goes_by_the_time_of_the_order_not_by_that_of_its_arrival() -> None:
    desk = Desk()
    for number in range(11):
        desk.now += DAY
        assessed = desk.assess(number, order(number + 1, at=START + number * MINUTE))
    assert rules_of(assessed) == {"many_payments_in_hour"}


def test_a_payment_that_comes_late_sees_its_own_past_and_not_what_came_after_it() -> None:
    desk = with_past(order(1_00, at=START - DAY), order(500_00, at=START))
    assert desk.value("debtor_max_30d", order(at=START - HOUR)) == 1.0


@pytest.mark.parametrize(("late", "is_late"), [(LATE_DAYS_MAX * DAY, False), (LATE_DAYS_MAX * DAY + MINUTE, True)])
def test_an_order_older_than_part_of_its_window_is_flagged(late: timedelta, is_late: bool) -> None:
    oldest = START - (LOOK_BACK_DAYS + LATE_DAYS_MAX) * DAY
    desk = with_past(order(at=oldest), order(at=START))
    assessed = desk.assess(9, order(at=START - late))
    assert ("history_incomplete" in rules_of(assessed)) is is_late
    assert assessed.score == 0.0, "that alone speaks against nobody"


def test_an_order_older_than_the_whole_history_is_assessed_counted_and_not_remembered() -> None:
    desk = with_past(order(at=START))
    assessed = desk.assess(9, order(at=START - KEPT_DAYS * DAY))
    past = desk.entity(EntityKind.DEBTOR, ANN).history
    assert (len(past.times), past.forgotten_count) == (1, 1)
    assert rules_of(desk.assess(10, order(at=START - KEPT_DAYS * DAY))) == {"history_incomplete"}
    assert assessed.outcome is FraudOutcome.ALLOW


@pytest.mark.parametrize(("ahead", "is_remembered"), [(DAY, True), (DAY + MICROSECOND, False), (365 * DAY, False)])
def test_an_order_from_the_future_does_not_make_all_others_too_old(ahead: timedelta, is_remembered: bool) -> None:
    desk = with_past(order())
    assessed = desk.assess(9, order(at=START + ahead))
    assert ("ordered_in_future" in rules_of(assessed)) is not is_remembered
    for kind, id_ in ((EntityKind.DEBTOR, ANN), (EntityKind.CREDITOR, SHOP)):
        assert len(desk.entity(kind, id_).history.times) == 1 + is_remembered
    assert isinstance(desk.assessments[payment_id(9)], Assessment), "but it has an answer"


# What is counted of the answers


def test_outcomes_and_rules_are_counted_once_a_payment() -> None:
    desk = Desk()
    desk.assess(1, order(230_00, channel=Channel.CARD, ip_country="BR"))
    desk.assess(2, order(10_00))
    assert desk.tally("review") == (1, 0, 0)
    assert desk.tally("allow") == (1, 0, 0)
    assert desk.tally("amount_over_limit") == desk.tally("ip_country_differs") == (1, 0, 0)


def test_an_order_by_an_unknown_channel_is_judged_as_one_by_a_program() -> None:
    desk = with_past(order())
    assert desk.value("is_by_program", order(channel=Channel.UNKNOWN)) is True
    assert desk.value("is_by_program", order(channel=Channel.MOBILE)) is False


# What is kept of an answer


def test_an_assessment_keeps_every_value_that_it_was_made_of() -> None:
    desk = Desk(Judge(NO_RULES, also=["amount", "debtor_average_30d", "debtor_attempts_1h", "is_weekend"]))
    desk.assess(1, order(12_34))
    assert desk.values(1) == {
        "amount": 12.34,
        "debtor_average_30d": None,
        "debtor_attempts_1h": 1,
        "is_weekend": False,
    }


def test_an_assessment_names_the_rulebook_and_no_model_where_rules_judge_alone() -> None:
    desk = Desk()
    event = desk.assess(1, order())
    known = desk.assessments[payment_id(1)]
    assert (event.rules_version, event.model_version, event.model_score) == (rulebooks.shipped().version, None, None)
    assert (known.rules_version, known.model_version, known.model_score) == (rulebooks.shipped().version, None, None)


def test_to_ask_about_a_payment_changes_nothing_for_those_that_are_made() -> None:
    desk = Desk()
    for number in range(20, 30):
        assert desk.hears(AssessPayment(payment_id=payment_id(number), order=order(230_00, channel=Channel.CARD))) == []
    assert desk.assessments[payment_id(20)].outcome is FraudOutcome.REVIEW
    assert desk.value("debtor_attempts_1h", order()) == 1
    assert desk.assess(1, order(230_00, channel=Channel.CARD)).outcome is FraudOutcome.REVIEW
    assert desk.value("debtor_attempts_1h", order()) == 2


def test_a_label_of_what_was_never_part_of_a_past_changes_no_past() -> None:
    desk = Desk()
    desk.hears(AssessPayment(payment_id=payment_id(1), order=order()))
    before = desk.entity(EntityKind.DEBTOR, ANN)
    desk.hears(LabelPayment(payment_id=payment_id(1), label=Label.FRAUD))
    assert desk.entity(EntityKind.DEBTOR, ANN) == replace(before, label_sequence=1)
