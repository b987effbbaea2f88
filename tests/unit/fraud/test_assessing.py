"""One payment assessed: against its parties' past, once, and whatever it was when it was first decided."""

from datetime import timedelta
from typing import Any

import pytest

from libs.common.record import replace
from schemas.fraud.events import FraudAssessed, FraudOutcome
from schemas.payments.events import Answer, Channel, EncryptedPersonalData
from services.fraud.domain.entities import EntityKind, device_entity_id, fingerprint
from services.fraud.domain.facts import Facts, gather
from services.fraud.domain.history import KEPT_DAYS, LATE_DAYS_MAX, WINDOW_DAYS_MAX
from services.fraud.domain.knowledge import Assessment
from services.fraud.domain.limits import DEFAULT_LIMITS
from services.fraud.domain.rule_set import RULES_VERSION, RuleName, rule_set
from tests.unit.fraud.past import (
    ANN,
    CLEO,
    DAY,
    HOUR,
    MINUTE,
    SHOP,
    START,
    Desk,
    initiated,
    order,
    overdue,
    payment_id,
)


def facts_of(desk: Desk, **fields: Any) -> Facts:
    """The facts about an order of Ann's to the shop, by what the desk remembers."""
    ordered = order(**fields)
    device = (EntityKind.DEVICE, device_entity_id(ordered.device_id)) if ordered.device_id else None
    return gather(
        ordered,
        debtor=desk.entity(EntityKind.DEBTOR, ordered.debtor_account_id),
        creditor=desk.entity(EntityKind.CREDITOR, ordered.creditor_account_id),
        device=desk.entities[device] if device else None,
        now=desk.now,
        limits=DEFAULT_LIMITS,
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
        RULES_VERSION,
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
    desk.rules = rule_set(without={RuleName.AMOUNT_OVER_LIMIT})
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
        {RuleName.SAME_AMOUNT_AGAIN},
    ]


# Facts, and whom they count


def with_past(*orders: Any) -> Desk:
    desk = Desk()
    for number, ordered in enumerate(orders):
        desk.assess(number, ordered)
    return desk


def test_counts_and_sums_include_the_payment_itself_averages_and_maxima_do_not() -> None:
    desk = with_past(order(10_00, at=START - 2 * HOUR), order(30_00, at=START - MINUTE))
    debtor = facts_of(desk, amount_minor=100_00).debtor
    assert (debtor.count_1h, debtor.count_1d, debtor.sum_1d_minor, debtor.sum_7d_minor) == (2, 3, 140_00, 140_00)
    assert (debtor.earlier_count, debtor.average_minor, debtor.highest_minor) == (2, 20_00, 30_00)


def test_different_payees_and_payers_are_counted_once_each() -> None:
    desk = with_past(order(), order(), order(creditor=CLEO), order(debtor=CLEO, at=START - DAY))
    known = facts_of(desk)
    assert (known.debtor.creditors_1d, known.creditor.debtors_1d) == (2, 1)
    assert facts_of(desk, at=START - timedelta(microseconds=1)).creditor.debtors_1d == 2


@pytest.mark.parametrize(("since", "idle_days"), [(DAY, 1), (DAY - MINUTE, 0), (25 * DAY, 25)])
def test_idle_days_are_whole_days_since_the_last_payment(since: timedelta, idle_days: int) -> None:
    assert facts_of(with_past(order(at=START - since))).debtor.idle_days == idle_days


def test_the_same_amount_to_the_same_payee_counts_within_minutes_only() -> None:
    desk = with_past(
        order(5_00, at=START - 10 * MINUTE),
        order(5_00, at=START - 9 * MINUTE),
        order(5_00, creditor=CLEO, at=START - MINUTE),
        order(6_00, at=START - MINUTE),
    )
    assert facts_of(desk, amount_minor=5_00).debtor.same_amount_count == 1


def test_cash_below_the_threshold_is_counted_over_days_and_only_for_cash() -> None:
    desk = with_past(
        order(9_000_00, at=START - 5 * DAY), order(9_000_00, at=START - 4 * DAY), order(10_000_00, at=START - DAY)
    )
    assert facts_of(desk, amount_minor=8_000_00, is_cash=True).debtor.below_threshold_count == 2
    assert facts_of(desk, amount_minor=8_000_00).debtor.below_threshold_count == 0


@pytest.mark.parametrize(("earlier", "is_new"), [(4, False), (5, True)])
def test_a_payee_is_new_only_where_enough_is_known_of_the_payer(earlier: int, is_new: bool) -> None:
    desk = with_past(
        *(order(at=START - number * DAY) for number in range(1, earlier + 1)), order(debtor=SHOP, creditor=CLEO)
    )
    assert facts_of(desk, creditor=CLEO).debtor.pays_creditor_first_time is is_new
    assert facts_of(desk, creditor=SHOP).debtor.pays_creditor_first_time is False


def test_a_device_is_known_by_its_payers() -> None:
    desk = with_past(
        *(order(at=START - number * HOUR) for number in range(1, 6)),
        order(debtor=CLEO, device_id="phone", at=START - DAY),
        order(debtor=SHOP, creditor=ANN, device_id="phone", at=START - 8 * DAY),
    )
    device = facts_of(desk, device_id="phone").device
    assert device is not None
    assert (device.is_new_to_debtor, device.debtors_7d) == (True, 2)


def test_what_only_encrypted_data_tells_is_not_guessed_at() -> None:
    desk = Desk()
    hidden = replace(order(ip_country="BR"), personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    assert desk.assess(1, hidden).findings == ()


# What fraud blocks is an attempt, and no habit


def with_habits(*more: Any) -> Desk:
    """Ann has paid the shop from her phone on five days."""
    return with_past(*(order(10_00, device_id="phone", at=START - number * DAY) for number in range(5, 0, -1)), *more)


STOLEN = order(20_000_00, creditor=CLEO, device_id="laptop", at=START - MINUTE)


def test_a_blocked_payment_counts_among_attempts() -> None:
    known = facts_of(with_habits(STOLEN), amount_minor=20_000_00, creditor=CLEO, device_id="laptop")
    assert (known.debtor.count_1h, known.debtor.count_1d, known.debtor.creditors_1d) == (2, 2, 1)
    assert (known.debtor.sum_1d_minor, known.debtor.sum_7d_minor) == (40_000_00, 40_050_00)
    assert known.debtor.same_amount_count == 1
    known = facts_of(with_habits(STOLEN, order(debtor=SHOP)), debtor=SHOP, creditor=CLEO, device_id="laptop")
    assert known.creditor.debtors_1d == 2
    assert known.device is not None and known.device.debtors_7d == 2


def test_a_blocked_payment_is_nobodys_habit() -> None:
    desk = with_habits(STOLEN)
    assert desk.tally("block") == (1, 0, 0)
    known = facts_of(desk, creditor=CLEO, device_id="laptop", at=START + DAY)
    assert (known.debtor.earlier_count, known.debtor.average_minor, known.debtor.highest_minor) == (5, 10_00, 10_00)
    assert (known.debtor.pays_creditor_first_time, known.debtor.idle_days) == (True, 2)
    assert known.creditor.earlier_count == 0
    assert known.device is not None and known.device.is_new_to_debtor


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
    assert facts_of(desk).debtor.average_minor == 16_000_00


# Time


def test_detection_goes_by_the_time_of_the_order_not_by_that_of_its_arrival() -> None:
    desk = Desk()
    for number in range(11):
        desk.now += DAY
        assessed = desk.assess(number, order(number + 1, at=START + number * MINUTE))
    assert rules_of(assessed) == {RuleName.MANY_PAYMENTS_IN_HOUR}


def test_a_payment_that_comes_late_sees_its_own_past_and_not_what_came_after_it() -> None:
    desk = with_past(order(1_00, at=START - DAY), order(500_00, at=START))
    assert facts_of(desk, at=START - HOUR).debtor.highest_minor == 1_00


@pytest.mark.parametrize(("late", "is_late"), [(LATE_DAYS_MAX * DAY, False), (LATE_DAYS_MAX * DAY + MINUTE, True)])
def test_an_order_older_than_part_of_its_window_is_flagged(late: timedelta, is_late: bool) -> None:
    oldest = START - (WINDOW_DAYS_MAX + LATE_DAYS_MAX) * DAY
    desk = with_past(order(at=oldest), order(at=START))
    assessed = desk.assess(9, order(at=START - late))
    assert (RuleName.HISTORY_INCOMPLETE in rules_of(assessed)) is is_late
    assert assessed.score == 0.0, "that alone speaks against nobody"


def test_an_order_older_than_the_whole_history_is_assessed_counted_and_not_remembered() -> None:
    desk = with_past(order(at=START))
    assessed = desk.assess(9, order(at=START - KEPT_DAYS * DAY))
    past = desk.entity(EntityKind.DEBTOR, ANN).history
    assert (len(past.times), past.forgotten_count) == (1, 1)
    assert rules_of(desk.assess(10, order(at=START - KEPT_DAYS * DAY))) == {RuleName.HISTORY_INCOMPLETE}
    assert assessed.outcome is FraudOutcome.ALLOW


@pytest.mark.parametrize(
    ("ahead", "is_remembered"), [(DAY, True), (DAY + timedelta(microseconds=1), False), (365 * DAY, False)]
)
def test_an_order_from_the_future_does_not_make_all_others_too_old(ahead: timedelta, is_remembered: bool) -> None:
    desk = with_past(order())
    assessed = desk.assess(9, order(at=START + ahead))
    assert (RuleName.ORDERED_IN_FUTURE in rules_of(assessed)) is not is_remembered
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
    assert desk.tally(RuleName.AMOUNT_OVER_LIMIT) == desk.tally(RuleName.IP_COUNTRY_DIFFERS) == (1, 0, 0)


def test_an_order_by_an_unknown_channel_is_judged_as_one_by_a_program() -> None:
    assert facts_of(with_past(order()), channel=Channel.UNKNOWN).is_by_program
    assert not facts_of(with_past(order()), channel=Channel.MOBILE).is_by_program
