"""An entity's past: windows that are exact, what is kept by the day, what is forgotten, and the stored bytes."""

from collections.abc import Iterable

import pytest

from services.fraud.domain import history
from services.fraud.domain.history import (
    EMPTY,
    KEPT_DAYS,
    MICROS_PER_DAY,
    MICROS_PER_HOUR,
    PAYMENTS_MAX,
    WINDOW_DAYS_MAX,
    History,
    Past,
    Pasts,
    Window,
)

NOON = 20_000 * MICROS_PER_DAY + 12 * MICROS_PER_HOUR
HOUR, DAY = MICROS_PER_HOUR, MICROS_PER_DAY
MONTH = WINDOW_DAYS_MAX * DAY


def remembered(*payments: tuple[int, int], known: History = EMPTY) -> History:
    """A history of payments, each with its time and its amount."""
    for at_micros, amount_minor in payments:
        known = history.add(known, at_micros=at_micros, amount_minor=amount_minor, counterpart=amount_minor % 7)
    return known


def every_minute(count: int, *, until: int = NOON) -> Iterable[tuple[int, int]]:
    return [(until - number * 60_000_000, 10) for number in reversed(range(count))]


@pytest.mark.parametrize(
    ("at_micros", "is_within"),
    [
        (NOON - HOUR, False),
        (NOON - HOUR + 1, True),
        (NOON - 1, True),
        (NOON, True),
        (NOON + 1, False),
    ],
)
def test_a_window_begins_just_after_its_width_and_ends_with_the_moment_itself(at_micros: int, is_within: bool) -> None:
    """(t - w, t]"""
    past = Past(remembered((at_micros, 500)), NOON)
    expected = Window(count=int(is_within), total_minor=500 * is_within, is_exact=True)
    assert past.window(HOUR) == expected
    assert list(past.amounts(HOUR)) == ([500] if is_within else [])
    assert past.highest_minor(HOUR) == (500 if is_within else 0)


def test_nothing_is_known_of_who_was_never_seen() -> None:
    past = Past(EMPTY, NOON)
    assert past.window(MONTH) == Window(count=0, total_minor=0, is_exact=True)
    assert (past.newest_micros, past.highest_minor(MONTH), list(past.counterparts(MONTH))) == (None, 0, [])


def test_a_payment_of_the_past_does_not_see_what_came_after_it() -> None:
    known = remembered((NOON - DAY, 1), (NOON, 2), (NOON + DAY, 4))
    assert Past(known, NOON).window(MONTH).total_minor == 3
    assert Past(known, NOON).newest_micros == NOON
    assert Past(known, NOON - 2 * DAY).newest_micros is None


def test_several_pasts_are_taken_together_whatever_the_width_of_their_amounts() -> None:
    known = [remembered((NOON - DAY, 1), (NOON, 2)), remembered((NOON, 2**40)), EMPTY]
    together = Pasts(*(Past(one, NOON) for one in known))
    assert together.window(HOUR) == Window(count=2, total_minor=2**40 + 2, is_exact=True)
    assert list(together.amounts(MONTH)) == [1, 2, 2**40]
    assert list(together.counterparts(MONTH)) == [1, 2, 2**40 % 7]


def test_pasts_are_exact_together_if_each_of_them_is() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    together = Pasts(Past(crowded, NOON), Past(EMPTY, NOON))
    assert (together.window(HOUR).is_exact, together.window(DAY).is_exact) == (True, False)


def test_payments_are_kept_in_order_of_their_time_however_they_come() -> None:
    inputs = [(NOON, 1), (NOON - HOUR, 2), (NOON + HOUR, 3), (NOON - DAY, 4)]
    assert list(remembered(*inputs).times) == sorted(at for at, _ in inputs)
    assert list(remembered(*inputs).amounts) == [4, 2, 1, 3]


def test_of_two_at_the_same_time_both_count() -> None:
    assert Past(remembered((NOON, 1), (NOON, 1)), NOON).window(HOUR).count == 2


def test_adding_leaves_the_history_it_was_added_to_as_it_was() -> None:
    known = remembered((NOON, 1))
    before = history.pack(known)
    remembered((NOON, 2), (NOON - DAY, 3), known=known)
    assert history.pack(known) == before


def test_what_is_older_than_all_windows_is_forgotten_and_so_the_longest_stays_whole_for_latecomers() -> None:
    late = (KEPT_DAYS - WINDOW_DAYS_MAX) * DAY
    known = remembered((NOON - KEPT_DAYS * DAY, 1), (NOON - KEPT_DAYS * DAY + 1, 2), (NOON, 4))
    assert list(known.amounts) == [2, 4]
    assert known.forgotten_until_micros == NOON - KEPT_DAYS * DAY
    assert Past(known, NOON - late).window(MONTH).is_exact
    assert not Past(known, NOON - late - 1).window(MONTH).is_exact


def test_a_payment_too_old_to_be_remembered_is_counted() -> None:
    known = remembered((NOON, 1), (NOON - KEPT_DAYS * DAY, 2), (NOON - KEPT_DAYS * DAY - 5, 3))
    assert (list(known.amounts), known.forgotten_count) == ([1], 2)
    assert known.forgotten_until_micros == NOON - KEPT_DAYS * DAY


def test_a_full_history_is_exact_and_one_more_payment_makes_its_oldest_an_estimate() -> None:
    full = remembered(*every_minute(PAYMENTS_MAX))
    assert not full.is_crowded
    assert Past(full, NOON).window(DAY) == Window(count=PAYMENTS_MAX, total_minor=10 * PAYMENTS_MAX, is_exact=True)
    crowded = remembered((NOON + 1, 10), known=full)
    assert (crowded.is_crowded, len(crowded.times)) == (True, PAYMENTS_MAX)
    assert [(day.count, day.total_minor) for day in crowded.days] == [(1, 10)]
    window = Past(crowded, NOON + 1).window(DAY)
    assert window == Window(count=PAYMENTS_MAX + 1, total_minor=10 * (PAYMENTS_MAX + 1), is_exact=False)


def test_a_window_among_what_is_still_kept_one_by_one_stays_exact_in_a_crowd() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    window = Past(crowded, NOON).window(HOUR)
    assert window == Window(count=60, total_minor=600, is_exact=True)


def test_whole_days_of_a_crowd_count_in_full_and_parts_pro_rata() -> None:
    start = NOON // DAY * DAY
    crowded = remembered(
        *[(start + number * HOUR // 10, 10) for number in range(240)], *every_minute(200, until=start + 3 * DAY)
    )
    (first, *_) = crowded.days
    assert first.count == 240
    whole = Past(crowded, start + 3 * DAY).window(MONTH)
    assert whole.count == 240 + 200
    half = Past(crowded, start + DAY // 2 - 1).window(MONTH)
    assert abs(half.count - 120) <= 1


def test_a_latecomer_among_the_crowd_goes_to_its_day() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    late = remembered((NOON - 2 * DAY, 99_00), known=crowded)
    assert len(late.times) == PAYMENTS_MAX
    assert Past(late, NOON).highest_minor(3 * DAY) == 99_00
    assert Past(late, NOON).window(3 * DAY).count == PAYMENTS_MAX + 61


def test_days_of_a_crowd_are_forgotten_like_payments() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    later = remembered((NOON + (KEPT_DAYS + 1) * DAY, 5), known=crowded)
    assert (later.days, list(later.amounts)) == ((), [5])
    assert later.forgotten_until_micros >= NOON


@pytest.mark.parametrize("amount_minor", [0, 1, 2**32 - 1, 2**32, 2**63 - 1])
def test_stored_bytes_give_the_same_history_back_whatever_the_amounts(amount_minor: int) -> None:
    known = remembered((NOON, amount_minor), (NOON + HOUR, 3))
    again = history.unpack(history.pack(known))
    assert again == known
    assert Past(again, NOON).window(HOUR).total_minor == amount_minor


def test_a_crowd_and_what_it_has_forgotten_survive_their_storage() -> None:
    known = remembered(*every_minute(PAYMENTS_MAX + 60), (NOON - KEPT_DAYS * DAY - 1, 7))
    assert known.forgotten_count == 1
    assert history.unpack(history.pack(known)) == known


def test_who_was_never_seen_takes_no_bytes() -> None:
    assert history.pack(EMPTY) == b""
    assert history.unpack(b"") is EMPTY
