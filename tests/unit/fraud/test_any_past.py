"""Whatever payments come, in whatever order: windows against a plain count, labels against a plain count."""

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fraud.events import FraudAssessed, Label
from services.fraud.domain import history, label_days
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
from tests.unit.fraud.past import ANN, CLEO, DAY, SHOP, START, Desk, account, order

Remembered = tuple[int, int, int]
"""Time, amount and counterpart."""

NOW = 20_000 * MICROS_PER_DAY
LABEL_DELAY = 7 * MICROS_PER_DAY

times = st.integers(-KEPT_DAYS * MICROS_PER_DAY + 1, 0).map(lambda ago: NOW + ago)
payments = st.lists(st.tuples(times, st.integers(1, 2**40), st.integers(0, 5)), max_size=60)
widths = st.sampled_from([MICROS_PER_DAY // 24, MICROS_PER_DAY, 7 * MICROS_PER_DAY, WINDOW_DAYS_MAX * MICROS_PER_DAY])


def remembered(inputs: Sequence[Remembered], known: History = EMPTY) -> History:
    for at_micros, amount_cents, counterpart in inputs:
        known = history.add(known, at_micros=at_micros, amount_cents=amount_cents, counterpart=counterpart)
    return known


@settings(max_examples=100)
@given(payments, times, widths)
def test_a_window_holds_exactly_what_lies_in_it(inputs: list[Remembered], at: int, width: int) -> None:
    past = Past(remembered(inputs), at)
    within = [payment for payment in inputs if at - width < payment[0] <= at]
    window = past.window(width)
    assert (window.payments, window.total_cents) == (len(within), sum(amount for _, amount, _ in within))
    assert past.highest_cents(width) == max((amount for _, amount, _ in within), default=0)
    assert sorted(past.counterparts(width)) == sorted(counterpart for _, _, counterpart in within)
    before = [payment[0] for payment in inputs if payment[0] <= at]
    assert past.newest_micros == max(before, default=None)


@settings(max_examples=50)
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


@settings(max_examples=12)
@given(
    st.lists(st.integers(0, 60 * MICROS_PER_DAY), min_size=PAYMENTS_MAX, max_size=2 * PAYMENTS_MAX),
    st.integers(0, 60 * MICROS_PER_DAY),
)
def test_a_crowd_is_never_miscounted_as_a_whole_and_survives_its_storage(gaps: list[int], at: int) -> None:
    known = EMPTY
    for number, time in enumerate(gaps):
        known = history.add(known, at_micros=NOW + time, amount_cents=10, counterpart=number)
        assert len(known.times) <= PAYMENTS_MAX
        assert list(known.times) == sorted(known.times)
        assert known.times[0] > known.crowded_until_micros
    assert history.unpack(history.pack(known)) == known
    kept = len(known.times) + sum(day.count for day in known.days)
    assert kept + known.forgotten_count <= len(gaps)
    since = at - WINDOW_DAYS_MAX * MICROS_PER_DAY
    exact = sum(1 for time in gaps if since < time <= at)
    is_whole = NOW + since >= max(known.crowded_until_micros, known.forgotten_until_micros)
    assert Past(known, NOW + at).window(at - since).payments == exact or not is_whole


@settings(max_examples=60)
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


# Labels

labelled_payments = st.lists(
    st.tuples(times, st.integers(1, 3), st.integers(0, 2), st.lists(st.sampled_from([Label.FRAUD, Label.GENUINE]))),
    max_size=40,
)


@settings(max_examples=60)
@given(labelled_payments, times, widths, st.sampled_from([0, LABEL_DELAY]), st.randoms())
def test_a_window_counts_the_last_label_of_each_of_its_payments(
    inputs: list[tuple[int, int, int, list[Label]]], at: int, width: int, delay: int, chance: Random
) -> None:
    """Whatever order payments and labels come in, if each payment's labels come in their own."""
    known = remembered([payment for *payment, _ in inputs])  # type: ignore[misc]
    steps = [number for number, (*_, given_labels) in enumerate(inputs) for _ in given_labels]
    chance.shuffle(steps)
    last: dict[int, Label] = {}
    for number in steps:
        at_micros, amount_cents, counterpart, given_labels = inputs[number]
        before, after = last.get(number), given_labels.pop(0)
        known = history.relabel(
            known, at_micros=at_micros, amount_cents=amount_cents, counterpart=counterpart, before=before, after=after
        )
        last[number] = after
    within = [n for n, (time, *_) in enumerate(inputs) if at - delay - width < time <= at - delay]
    window = Past(history.unpack(history.pack(known)), at).labels(width, delay)
    assert window.payments == len(within)
    assert window.labelled == sum(number in last for number in within)
    assert window.frauds == sum(last.get(number) is Label.FRAUD for number in within)


# Others

strangers = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([1_00, 230_00, 9_000_00, 20_000_00]), st.sampled_from("ab")),
    max_size=25,
)


@settings(max_examples=30)
@given(strangers, st.randoms())
def test_what_happens_to_others_changes_nothing(drawn: list[tuple[int, int, str]], chance: Random) -> None:
    """Payments with neither a party nor a device in common may be decided in any order between them."""
    payments = [
        order(amount, debtor=ANN if who == "a" else CLEO, creditor=SHOP if who == "a" else account(1), device_id=who,
              at=START + hours * DAY / 24)
        for hours, amount, who in drawn
    ]  # fmt: skip

    def decided(numbers: Sequence[int]) -> dict[int, FraudAssessed]:
        desk = Desk()
        desk.now = START + 1_000 * DAY
        return {number: desk.assess(number, payments[number]) for number in numbers}

    mine = [number for number, (*_, who) in enumerate(drawn) if who == "a"]
    others = [number for number, (*_, who) in enumerate(drawn) if who == "b"]
    mixed = [mine[:], others[:]]
    interleaved = [chance.choice([queue for queue in mixed if queue]).pop(0) for _ in range(len(drawn))]
    assert decided(mine + others) == decided(others + mine) == decided(interleaved)
