"""A customer's history: bounded, in order of event time whatever the order of arrival, the same after storing."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.compliance.monitoring import history
from services.compliance.monitoring.alerts import Watched
from services.compliance.monitoring.history import EMPTY, MOVEMENTS_MAX, Entry, add
from services.compliance.monitoring.movements import micros_of, zeros_of
from services.compliance.monitoring.parameters import Scenario
from services.compliance.monitoring.watching import watch
from tests.unit.compliance.money import (
    ANN,
    DAY,
    HOUR,
    START,
    Move,
    found,
    gets,
    movement,
    payment_id,
    pays,
    scenarios,
    standards,
)


def entry(number: int, after: timedelta, *, cents: int = 100, is_out: bool = True, is_cash: bool = False) -> Entry:
    return Entry(
        payment_id=payment_id(number),
        at_micros=micros_of(START + after),
        cents=cents,
        is_out=is_out,
        is_cash=is_cash,
        zeros=0,
        counterpart=number % 7,
    )


AFTERS = st.integers(0, 150 * 24).map(lambda hours: hours * HOUR)
ENTRIES = st.lists(
    st.tuples(AFTERS, st.integers(1, 10**12), st.booleans(), st.booleans()), min_size=1, max_size=40
).map(
    lambda rows: [
        entry(number, after, cents=cents, is_out=is_out, is_cash=is_cash)
        for number, (after, cents, is_out, is_cash) in enumerate(rows)
    ]
)
MOVES = st.lists(
    st.builds(
        lambda other, is_out, dollars, hours, is_cash: (pays if is_out else gets)(
            dollars, hours * HOUR, is_cash=is_cash, **{"to" if is_out else "of": other}
        ),
        st.sampled_from(["bob", "carl", "dora", "eve", "fred", "gus"]),
        st.booleans(),
        st.sampled_from([100, 500, 1_000, 4_000, 5_000, 6_000, 9_000, 9_500, 12_000]),
        st.integers(0, 200),
        st.booleans(),
    ),
    max_size=25,
)


@given(ENTRIES)
def test_what_is_stored_is_what_is_read(entries: list[Entry]) -> None:
    past = EMPTY
    for one in entries:
        past = add(past, one)
        assert history.unpack(history.pack(past)) == past


@given(ENTRIES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_leaves_no_trace_among_what_is_not_too_late(entries: list[Entry], chance: object) -> None:
    newest = max(one.at_micros for one in entries)
    recent = [one for one in entries if one.at_micros > newest - 36 * history.MICROS_PER_DAY]
    shuffled = list(recent)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = EMPTY, EMPTY
    for one in recent:
        first = add(first, one)
    for one in shuffled:
        second = add(second, one)
    assert sorted(zip(first.times, first.cents, strict=True)) == sorted(zip(second.times, second.cents, strict=True))
    for name in ("days", "out_counts", "in_cents", "out_cents", "out_highest", "cash_days", "cash_in", "cash_out"):
        assert getattr(first, name) == getattr(second, name)


@given(MOVES, st.integers(1, 25))
def test_any_split_into_batches_tells_the_same(moves: list[Move], size: int) -> None:
    """Between batches a history goes through its stored bytes; within one it does not."""
    expected = [(finding.key, finding.at_micros, finding.payment_ids) for finding in found(moves, stored=False)]
    assert [(finding.key, finding.at_micros, finding.payment_ids) for finding in found(moves)] == expected
    watched, told = Watched(customer_id=ANN), []
    for number, move in enumerate(moves):
        if number % size == 0:
            past = history.unpack(history.pack(watched.history))
            watched = Watched(customer_id=ANN, history=past, marks=watched.marks)
        watched, new = watch(watched, movement(move, number), {}, standards())
        told += [(finding.key, finding.at_micros, finding.payment_ids) for finding, _ in new]
    assert told == expected


@given(MOVES)
def test_a_movement_that_comes_again_is_counted_once(moves: list[Move]) -> None:
    watched = Watched(customer_id=ANN)
    for number, move in enumerate(moves):
        watched, _ = watch(watched, movement(move, number), {}, standards())
        again, told = watch(watched, movement(move, number), {}, standards())
        assert again == watched
        assert not told


def test_a_crowded_customer_is_bounded_and_its_cash_and_days_stay_exact() -> None:
    past = EMPTY
    for number in range(3 * MOVEMENTS_MAX):
        past = add(past, entry(number, number * timedelta(minutes=1), is_cash=True))
    assert len(past.times) == MOVEMENTS_MAX
    assert past.crowded_until_micros == micros_of(START + (2 * MOVEMENTS_MAX - 1) * timedelta(minutes=1))
    assert past.cash_of(past.cash_days[0], is_out=True) == 3 * MOVEMENTS_MAX * 100
    assert list(past.out_counts) == [3 * MOVEMENTS_MAX]


def test_a_crowded_customers_report_on_cash_is_still_due() -> None:
    moves = [gets(30, n * timedelta(minutes=1), is_cash=True) for n in range(400)]
    assert Scenario.CASH_REPORT in scenarios(found(moves))


def test_what_comes_too_late_for_any_window_is_counted_by_the_day_and_then_not_at_all() -> None:
    past = add(EMPTY, entry(0, 200 * DAY))
    past = add(past, entry(1, 150 * DAY))
    assert (len(past.times), len(past.days), past.forgotten_count) == (1, 2, 0)
    past = add(past, entry(2, NOTHING))
    assert (len(past.times), len(past.days), past.forgotten_count) == (1, 2, 1)


NOTHING = timedelta(0)


def test_a_row_stays_small() -> None:
    past = EMPTY
    for number in range(2_000):
        past = add(past, entry(number, number * 2 * HOUR, is_cash=True))
    assert len(history.pack(past)) < 10_000


def test_zeros_are_of_whole_amounts_in_their_own_currency() -> None:
    cases = {(500_000, "USD"): 3, (500_050, "USD"): 0, (5_000, "JPY"): 3, (5, "USD"): 0, (12_300, "EUR"): 0}
    assert {case: zeros_of(*case) for case in cases} == cases
