"""An entity's past: windows that are exact, what is kept by the day, what is forgotten, labels, the stored bytes."""

from collections.abc import Iterable

import pytest

from schemas.fraud.events import Label
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
    Window,
    deviation_cents,
)

NOON = 20_000 * MICROS_PER_DAY + 12 * MICROS_PER_HOUR
HOUR, DAY = MICROS_PER_HOUR, MICROS_PER_DAY
MONTH = WINDOW_DAYS_MAX * DAY


def remembered(*payments: tuple[int, int], known: History = EMPTY) -> History:
    """A history of payments, each with its time and its amount."""
    for at_micros, amount_cents in payments:
        known = history.add(known, at_micros=at_micros, amount_cents=amount_cents, counterpart=amount_cents % 7)
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
    expected = Window(int(is_within), 500 * is_within)
    assert past.window(HOUR) == expected
    assert list(past.amounts(HOUR)) == ([500] if is_within else [])
    assert past.highest_cents(HOUR) == (500 if is_within else 0)


def test_nothing_is_known_of_who_was_never_seen() -> None:
    past = Past(EMPTY, NOON)
    assert past.window(MONTH) == Window(0, 0)
    assert (past.newest_micros, past.highest_cents(MONTH), list(past.counterparts(MONTH))) == (None, 0, [])


def test_a_payment_of_the_past_does_not_see_what_came_after_it() -> None:
    known = remembered((NOON - DAY, 1), (NOON, 2), (NOON + DAY, 4))
    assert Past(known, NOON).window(MONTH).total_cents == 3
    assert Past(known, NOON).newest_micros == NOON
    assert Past(known, NOON - 2 * DAY).newest_micros is None


def test_payments_are_kept_in_order_of_their_time_however_they_come() -> None:
    inputs = [(NOON, 1), (NOON - HOUR, 2), (NOON + HOUR, 3), (NOON - DAY, 4)]
    assert list(remembered(*inputs).times) == sorted(at for at, _ in inputs)
    assert list(remembered(*inputs).amounts) == [4, 2, 1, 3]


def test_of_two_at_the_same_time_both_count() -> None:
    assert Past(remembered((NOON, 1), (NOON, 1)), NOON).window(HOUR).payments == 2


def test_adding_leaves_the_history_it_was_added_to_as_it_was() -> None:
    known = remembered((NOON, 1))
    before = history.pack(known)
    remembered((NOON, 2), (NOON - DAY, 3), known=known)
    assert history.pack(known) == before


def test_what_is_older_than_all_windows_is_forgotten_and_so_the_longest_stays_whole_for_latecomers() -> None:
    known = remembered((NOON - KEPT_DAYS * DAY, 1), (NOON - KEPT_DAYS * DAY + 1, 2), (NOON, 4))
    assert list(known.amounts) == [2, 4]
    assert known.forgotten_until_micros == NOON - KEPT_DAYS * DAY
    late = NOON - (KEPT_DAYS - WINDOW_DAYS_MAX) * DAY
    assert late - MONTH == known.forgotten_until_micros, "a window that begins here has lost nothing"


def test_a_payment_too_old_to_be_remembered_is_counted() -> None:
    known = remembered((NOON, 1), (NOON - KEPT_DAYS * DAY, 2), (NOON - KEPT_DAYS * DAY - 5, 3))
    assert (list(known.amounts), known.forgotten_count) == ([1], 2)
    assert known.forgotten_until_micros == NOON - KEPT_DAYS * DAY


def test_a_full_history_is_exact_and_one_more_payment_makes_its_oldest_an_estimate() -> None:
    full = remembered(*every_minute(PAYMENTS_MAX))
    assert not full.is_crowded
    assert Past(full, NOON).window(DAY) == Window(PAYMENTS_MAX, 10 * PAYMENTS_MAX)
    crowded = remembered((NOON + 1, 10), known=full)
    assert (crowded.is_crowded, len(crowded.times)) == (True, PAYMENTS_MAX)
    assert [(day.count, day.total_cents) for day in crowded.days] == [(1, 10)]
    assert Past(crowded, NOON + 1).window(DAY) == Window(PAYMENTS_MAX + 1, 10 * (PAYMENTS_MAX + 1))


def test_a_window_among_what_is_still_kept_one_by_one_stays_exact_in_a_crowd() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    assert Past(crowded, NOON).window(HOUR) == Window(60, 600)


def test_whole_days_of_a_crowd_count_in_full_and_parts_pro_rata() -> None:
    start = NOON // DAY * DAY
    crowded = remembered(
        *[(start + number * HOUR // 10, 10) for number in range(240)], *every_minute(200, until=start + 3 * DAY)
    )
    (first, *_) = crowded.days
    assert first.count == 240
    whole = Past(crowded, start + 3 * DAY).window(MONTH)
    assert whole.payments == 240 + 200
    half = Past(crowded, start + DAY // 2 - 1).window(MONTH)
    assert abs(half.payments - 120) <= 1


def test_a_latecomer_among_the_crowd_goes_to_its_day() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    late = remembered((NOON - 2 * DAY, 99_00), known=crowded)
    assert len(late.times) == PAYMENTS_MAX
    assert Past(late, NOON).highest_cents(3 * DAY) == 99_00
    assert Past(late, NOON).window(3 * DAY).payments == PAYMENTS_MAX + 61


def test_days_of_a_crowd_are_forgotten_like_payments() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    later = remembered((NOON + (KEPT_DAYS + 1) * DAY, 5), known=crowded)
    assert (later.days, list(later.amounts)) == ((), [5])
    assert later.forgotten_until_micros >= NOON


@pytest.mark.parametrize("amount_cents", [0, 1, 2**32 - 1, 2**32, 2**63 - 1])
def test_stored_bytes_give_the_same_history_back_whatever_the_amounts(amount_cents: int) -> None:
    known = remembered((NOON, amount_cents), (NOON + HOUR, 3))
    again = history.unpack(history.pack(known))
    assert again == known
    assert Past(again, NOON).window(HOUR).total_cents == amount_cents


def test_a_crowd_and_what_it_has_forgotten_survive_their_storage() -> None:
    known = remembered(*every_minute(PAYMENTS_MAX + 60), (NOON - KEPT_DAYS * DAY - 1, 7))
    assert known.forgotten_count == 1
    assert history.unpack(history.pack(known)) == known


def test_who_was_never_seen_takes_no_bytes() -> None:
    assert history.pack(EMPTY) == b""
    assert history.unpack(b"") is EMPTY


def test_the_largest_of_a_crowd_is_none_that_came_later() -> None:
    start = NOON // DAY * DAY
    crowded = remembered((start + DAY, 99_00), *every_minute(PAYMENTS_MAX, until=start + 4 * DAY), (start, 7))
    assert Past(crowded, start + HOUR).highest_cents(DAY) == 7


def test_the_largest_of_a_crowd_is_none_from_before_the_window() -> None:
    start = NOON // DAY * DAY
    crowded = remembered((start, 99_00), (start + DAY + HOUR, 7), *every_minute(PAYMENTS_MAX, until=start + 4 * DAY))
    assert Past(crowded, start + 2 * DAY).highest_cents(DAY - HOUR // 2) == 7
    assert Past(crowded, start + 2 * DAY).highest_cents(DAY - HOUR) == 0, "and exact where nothing of a crowd is in it"
    assert Past(crowded, start + 2 * DAY).highest_cents(2 * DAY) == 99_00, "of a day that is partly in it, all counts"


@pytest.mark.parametrize(
    ("amounts", "deviation"),
    [([], 0), ([5], 0), ([5, 5], 0), ([10, 30], 10), ([2, 4, 4, 4, 5, 5, 7, 9], 2), ([0, 3], 1)],
)
def test_the_deviation_is_of_them_all_and_in_whole_cents(amounts: list[int], deviation: int) -> None:
    assert deviation_cents(remembered(*((NOON, amount) for amount in amounts)).amounts) == deviation


def test_the_deviation_of_huge_amounts_is_exact() -> None:
    assert deviation_cents(remembered((NOON, 2**62), (NOON, 2**62 + 20)).amounts) == 10


# Labels


def relabelled(
    known: History, at_micros: int, amount_cents: int, after: Label, *, before: Label | None = None
) -> History:
    return history.relabel(
        known,
        at_micros=at_micros,
        amount_cents=amount_cents,
        counterpart=amount_cents % 7,
        before=before,
        after=after,
    )


def labels_of(known: History, width: int = MONTH, at: int = NOON) -> tuple[int, int]:
    found = Past(known, at).labels(width, 0)
    return found.labelled, found.frauds


def test_a_label_is_counted_where_its_payment_is() -> None:
    known = relabelled(remembered((NOON - DAY, 10), (NOON, 20)), NOON - DAY, 10, Label.FRAUD)
    assert labels_of(known) == (1, 1)
    assert labels_of(known, DAY) == (0, 0)
    assert labels_of(relabelled(known, NOON, 20, Label.GENUINE)) == (2, 1)


def test_a_correction_takes_the_place_of_the_label_before() -> None:
    known = relabelled(remembered((NOON, 10)), NOON, 10, Label.FRAUD)
    known = relabelled(known, NOON, 10, Label.GENUINE, before=Label.FRAUD)
    assert labels_of(known) == (1, 0)
    assert labels_of(relabelled(known, NOON, 10, Label.FRAUD, before=Label.GENUINE)) == (1, 1)


def test_of_two_payments_that_are_alike_each_is_labelled_once() -> None:
    known = remembered((NOON, 10), (NOON, 10), (NOON, 10))
    for after in (Label.FRAUD, Label.GENUINE):
        known = relabelled(known, NOON, 10, after)
    assert labels_of(known) == (2, 1)
    assert labels_of(relabelled(known, NOON, 10, Label.GENUINE, before=Label.FRAUD)) == (2, 0)


@pytest.mark.parametrize(("at_micros", "amount_cents"), [(NOON + 1, 10), (NOON, 11), (NOON - 60 * DAY, 10)])
def test_a_label_of_what_is_not_in_a_history_changes_nothing(at_micros: int, amount_cents: int) -> None:
    known = remembered((NOON, 10))
    assert relabelled(known, at_micros, amount_cents, Label.FRAUD) is known


def test_labels_come_along_when_payments_are_inserted_before_them_and_forgotten() -> None:
    known = relabelled(remembered((NOON, 10)), NOON, 10, Label.FRAUD)
    known = remembered((NOON - DAY, 20), (NOON + DAY, 30), known=known)
    assert list(known.labels) == [0, 2, 0]
    later = remembered((NOON + KEPT_DAYS * DAY - 1, 40), known=known)
    assert list(later.labels) == [2, 0, 0]
    assert later.amounts.tolist() == [10, 30, 40]


def test_in_a_crowd_labels_are_counted_by_the_day() -> None:
    crowded = remembered(*every_minute(PAYMENTS_MAX + 60))
    oldest = NOON - (PAYMENTS_MAX + 59) * 60_000_000
    known = relabelled(crowded, oldest, 10, Label.FRAUD)
    assert labels_of(known, DAY) == (1, 1)
    known = relabelled(known, oldest, 10, Label.GENUINE, before=Label.FRAUD)
    assert labels_of(known, DAY) == (1, 0)
    assert relabelled(known, oldest - 5 * DAY, 10, Label.FRAUD) == known


def test_a_payment_that_joins_the_crowd_takes_its_label_along() -> None:
    full = remembered(*every_minute(PAYMENTS_MAX))
    known = relabelled(full, full.times[0], 10, Label.FRAUD)
    crowded = remembered((NOON + 1, 10), known=known)
    assert [(day.labelled, day.frauds) for day in crowded.days] == [(1, 1)]
    assert labels_of(crowded, DAY, NOON + 1) == (1, 1)


def test_no_day_ever_has_more_labels_than_payments_or_less_than_none() -> None:
    full = remembered(*every_minute(PAYMENTS_MAX + 1))
    (day,) = full.days
    known = relabelled(full, day.day * DAY, 10, Label.FRAUD)
    assert relabelled(known, day.day * DAY, 10, Label.FRAUD) == known
    assert relabelled(full, day.day * DAY, 10, Label.GENUINE, before=Label.FRAUD) == full


def test_labels_survive_their_storage() -> None:
    known = remembered(*every_minute(PAYMENTS_MAX + 60))
    known = relabelled(relabelled(known, NOON, 10, Label.FRAUD), known.days[0].day * DAY, 10, Label.GENUINE)
    assert history.unpack(history.pack(known)) == known
