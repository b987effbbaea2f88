"""Whatever payments come, in whatever order: windows against a plain count, live decisions against a backtest."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fraud.events import FraudAssessed, Label, PaymentLabelled
from schemas.payments.events import Channel, PaymentOrder
from services.fraud.backtest import Backtest, KnownPayment
from services.fraud.domain import creditor_risk, history, label_days
from services.fraud.domain.creditor_risk import Counted
from services.fraud.domain.history import (
    EMPTY,
    KEPT_DAYS,
    MICROS_PER_DAY,
    PAYMENTS_MAX,
    WINDOW_DAYS_MAX,
    History,
    Past,
)
from services.fraud.domain.label_days import LabelDays
from services.fraud.domain.rule_set import rule_set
from tests.unit.fraud.past import ANN, CLEO, DAY, SHOP, START, Desk, initiated, labelled, order, payment_id

Remembered = tuple[int, int, int]
"""Time, amount and counterpart."""

NOW = 20_000 * MICROS_PER_DAY
LABEL_DELAY = 7 * DAY

times = st.integers(-KEPT_DAYS * MICROS_PER_DAY + 1, 0).map(lambda ago: NOW + ago)
payments = st.lists(st.tuples(times, st.integers(1, 2**40), st.integers(0, 5)), max_size=60)
widths = st.sampled_from([MICROS_PER_DAY // 24, MICROS_PER_DAY, 7 * MICROS_PER_DAY, WINDOW_DAYS_MAX * MICROS_PER_DAY])


def remembered(inputs: Sequence[Remembered], known: History = EMPTY) -> History:
    for at_micros, amount_minor, counterpart in inputs:
        known = history.add(known, at_micros=at_micros, amount_minor=amount_minor, counterpart=counterpart)
    return known


@settings(max_examples=100, deadline=None)
@given(payments, times, widths)
def test_a_window_holds_exactly_what_lies_in_it(inputs: list[Remembered], at: int, width: int) -> None:
    past = Past(remembered(inputs), at)
    within = [payment for payment in inputs if at - width < payment[0] <= at]
    window = past.window(width)
    assert (window.payments, window.total_minor) == (len(within), sum(amount for _, amount, _ in within))
    assert window.is_exact
    assert past.highest_minor(width) == max((amount for _, amount, _ in within), default=0)
    assert sorted(past.counterparts(width)) == sorted(counterpart for _, _, counterpart in within)
    before = [payment[0] for payment in inputs if payment[0] <= at]
    assert past.newest_micros == max(before, default=None)


@settings(max_examples=50, deadline=None)
@given(payments.flatmap(lambda inputs: st.tuples(st.just(inputs), st.permutations(inputs))))
def test_what_is_remembered_does_not_depend_on_the_order_of_arrival(
    orders: tuple[list[Remembered], list[Remembered]],
) -> None:
    """Unless payments share their very moment: then the later to come stands behind the other."""
    one, other = (remembered(inputs) for inputs in orders)
    assert one.times == other.times
    assert sorted(zip(one.times, one.amounts, one.counterparts, strict=True)) == sorted(
        zip(other.times, other.amounts, other.counterparts, strict=True)
    )


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(0, 60 * MICROS_PER_DAY), min_size=PAYMENTS_MAX, max_size=2 * PAYMENTS_MAX),
    st.integers(0, 60 * MICROS_PER_DAY),
)
def test_a_crowd_is_never_miscounted_as_a_whole_and_survives_its_storage(gaps: list[int], at: int) -> None:
    known = EMPTY
    for number, time in enumerate(gaps):
        known = history.add(known, at_micros=NOW + time, amount_minor=10, counterpart=number)
        assert len(known.times) <= PAYMENTS_MAX
        assert list(known.times) == sorted(known.times)
        assert known.times[0] > known.crowded_until_micros
    assert history.unpack(history.pack(known)) == known
    kept = len(known.times) + sum(day.count for day in known.days)
    assert kept + known.forgotten_count <= len(gaps)
    window = Past(known, NOW + at).window(WINDOW_DAYS_MAX * MICROS_PER_DAY)
    exact = sum(1 for time in gaps if at - WINDOW_DAYS_MAX * MICROS_PER_DAY < time <= at)
    assert window.payments == exact or not window.is_exact


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([Label.FRAUD, Label.GENUINE])), max_size=30), st.data())
def test_labels_by_the_day_do_not_depend_on_the_order_they_come_in(
    labels: list[tuple[int, Label]], data: st.DataObject
) -> None:
    """Corrections aside, of which each payment's own come in order."""

    def counted(of: Sequence[tuple[int, Label]]) -> LabelDays:
        known = label_days.NONE
        for day, label in of:
            known = label_days.relabel(known, day=day, before=None, after=label)
        return known

    assert counted(data.draw(st.permutations(labels))) == counted(labels)


# Live decisions and a backtest

STEPS = (timedelta(0), timedelta(seconds=30), timedelta(minutes=20), timedelta(hours=9), 3 * DAY, 20 * DAY)
drawn_payments = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from([ANN, SHOP, CLEO]),
        st.sampled_from([SHOP, CLEO]),
        st.sampled_from([1_00, 9_000_00, 230_00, 20_000_00]),
        st.sampled_from([Channel.CARD, Channel.WEB, Channel.API]),
        st.sampled_from([None, "phone", "laptop"]),
        st.sampled_from([Label.FRAUD, Label.GENUINE]),
        st.booleans(),
    ),
    max_size=25,
)


def known_payments(
    drawn: list[tuple[timedelta, str, str, int, Channel, str | None, Label, bool]],
) -> list[KnownPayment]:
    at, found = START, []
    for number, (step, debtor, creditor, amount, channel, device, label, is_cash) in enumerate(drawn):
        at += step
        ordered = order(
            amount, debtor=debtor, creditor=creditor, at=at, channel=channel, device_id=device, is_cash=is_cash
        )
        found.append(KnownPayment(payment_id=payment_id(number), order=ordered, label=label))
    return found


def decided_live(known: list[KnownPayment], sizes: list[int]) -> list[FraudAssessed]:
    """The same by the service's own handlers, in batches, its labels and snapshots coming on the way."""
    desk, assessed, waiting = Desk(), list[FraudAssessed](), list[tuple[int, KnownPayment]]()
    risks: dict[str, Counted] = {}
    batch: list[tuple[int, PaymentOrder]] = []

    def decide() -> None:
        assessed.extend(
            event
            for event in desk.hears(*(initiated(number, ordered) for number, ordered in batch))
            if isinstance(event, FraudAssessed)
        )
        batch.clear()

    def label_until(at: datetime) -> None:
        while waiting and waiting[0][1].order.instructed_at + LABEL_DELAY <= at:
            number, payment = waiting.pop(0)
            decide()
            for event in desk.hears(labelled(number, payment.label)):
                assert isinstance(event, PaymentLabelled)
                account_id, place = event.creditor_account_id, desk.numbers[0]
                risks[account_id] = creditor_risk.count(
                    risks.get(account_id, Counted()), event, offset=place, sequence=place
                )
                desk.hears(creditor_risk.snapshot(risks[account_id], account_id, generation=1))

    for number, payment in enumerate(known):
        desk.now = payment.order.instructed_at
        label_until(desk.now)
        batch.append((number, payment.order))
        waiting.append((number, payment))
        if len(batch) >= sizes[number % len(sizes)]:
            decide()
    decide()
    return assessed


@settings(max_examples=60, deadline=None)
@given(drawn_payments, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_a_backtest_decides_as_the_live_path_did_in_the_same_order(
    drawn: list[tuple[timedelta, str, str, int, Channel, str | None, Label, bool]], sizes: list[int]
) -> None:
    known = known_payments(drawn)
    backtest = Backtest(rule_set(), label_delay=LABEL_DELAY)
    backtest.run(known)
    replayed = [backtest.knowledge.assessments[payment.payment_id] for payment in known]
    live = decided_live(known, sizes)
    assert [(e.payment_id, e.outcome, e.score, e.findings) for e in live] == [
        (a.payment_id, a.outcome, a.score, a.findings) for a in replayed
    ]


@settings(max_examples=30, deadline=None)
@given(drawn_payments)
def test_what_happens_to_others_changes_nothing(
    drawn: list[tuple[timedelta, str, str, int, Channel, str | None, Label, bool]],
) -> None:
    """Payments with neither a party nor a device in common may be decided in any order between them."""
    mine = [
        p for p in known_payments(drawn) if p.order.debtor_account_id == ANN and p.order.creditor_account_id == SHOP
    ]
    others = [p for p in known_payments(drawn) if CLEO in (p.order.debtor_account_id, p.order.creditor_account_id)]
    others = [p for p in others if not {ANN, SHOP} & {p.order.debtor_account_id, p.order.creditor_account_id}]

    def decided(first: list[KnownPayment], then: list[KnownPayment]) -> dict[str, FraudAssessed]:
        desk = Desk()
        desk.now = START + 1_000 * DAY
        found: dict[str, FraudAssessed] = {}
        for payment in (*first, *then):
            number = next(n for n in range(len(drawn)) if payment_id(n) == payment.payment_id)
            ordered = order(
                payment.order.amount_minor,
                debtor=payment.order.debtor_account_id,
                creditor=payment.order.creditor_account_id,
                at=payment.order.instructed_at,
            )
            found[payment.payment_id] = desk.assess(number, ordered)
        return found

    assert decided(mine, others) == decided(others, mine)
