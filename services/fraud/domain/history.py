"""What one entity did lately: its recent payments by event time, so that rolling windows are exact. Pure.

    times     ──────●───●─●──────●──►      the newest PAYMENTS_MAX, each with amount, counterpart and label
    days      ▂ ▅ ▃                        what had no room there, by the day: estimates, and said to be

An entity's whole past in one small row keeps the shape of every service: load the rows of a batch,
decide purely, save them. What is older than KEPT_DAYS before the newest payment is forgotten; a
payment that comes too late to be remembered is counted.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import isqrt
from operator import mul
from typing import NamedTuple

from libs.common.record import Record, replace
from schemas.fraud.events import Label

MICROS_PER_SECOND = 1_000_000
MICROS_PER_HOUR = 3_600 * MICROS_PER_SECOND
MICROS_PER_DAY = 24 * MICROS_PER_HOUR

WINDOW_DAYS_MAX = 30
"""The longest window that any feature looks at."""
LABEL_DELAY_DAYS = 7
"""Labels of younger payments are left out, live as in training: by then most have come."""
LATE_DAYS_MAX = 7
"""How late a payment may come and still find its longest window whole."""
LOOK_BACK_DAYS = WINDOW_DAYS_MAX + LABEL_DELAY_DAYS
KEPT_DAYS = LOOK_BACK_DAYS + LATE_DAYS_MAX
PAYMENTS_MAX = 192
"""Payments kept one by one: four a day. An entity that does more is crowded, and its oldest go by the day."""

BEGINNING_MICROS = -(2**63)
"""Before any event."""

_HEADER = struct.Struct("<BxHHxxIqq")
_DAY = struct.Struct("<iIIIqq")
_VERSION = 3
_WIDE = 4
"""The format where some amount needs 64 bits."""
_NARROW_AMOUNT_MAX = _COUNT_MAX = 2**32 - 1
_TOTAL_MAX = 2**63 - 1

_LABELS = {None: b"\x00", Label.GENUINE: b"\x01", Label.FRAUD: b"\x02"}
_UNLABELLED, _FRAUD = _LABELS[None], _LABELS[Label.FRAUD]

assert array("H", [1]).tobytes() == b"\x01\x00", "histories are stored as arrays of little-endian numbers"


class Day(Record):
    """The payments of one UTC day that are no longer kept one by one."""

    day: int
    """Days since 1970-01-01."""
    count: int
    labelled: int = 0
    frauds: int = 0
    total_cents: int
    highest_cents: int


class History(Record):
    """An entity's recent payments in order of event time. Treat the arrays as constants."""

    times: "array[int]" = array("q")
    """Event times, in microseconds since 1970."""
    amounts: "array[int]" = array("I")
    """Amounts, in cents of rough euros: a history may hold several currencies."""
    counterparts: "array[int]" = array("I")
    """Who the other party was: a 32-bit hash, for recognising it again."""
    labels: bytes = b""
    """What each turned out to be, a byte each."""
    days: tuple[Day, ...] = ()
    crowded_until_micros: int = BEGINNING_MICROS
    """Up to here payments are kept by the day only."""
    forgotten_until_micros: int = BEGINNING_MICROS
    """Up to here nothing is kept any more."""
    forgotten_count: int = 0
    """Payments that came too late to be remembered at all."""

    @property
    def is_crowded(self) -> bool:
        return bool(self.days)


class Window(NamedTuple):
    """The payments in (t - width, t]. An estimate where the history is crowded."""

    payments: int
    total_cents: int


class LabelWindow(NamedTuple):
    """The payments in (t - delay - width, t - delay], by what they turned out to be; an estimate like that."""

    payments: int
    labelled: int
    frauds: int


EMPTY = History()


def add(history: History, *, at_micros: int, amount_cents: int, counterpart: int) -> History:
    """The history with one more payment, wherever in it that belongs."""
    newest = max(at_micros, history.times[-1]) if history.times else at_micros
    cut = newest - KEPT_DAYS * MICROS_PER_DAY
    if at_micros <= cut:
        return replace(
            history,
            forgotten_count=min(history.forgotten_count + 1, _COUNT_MAX),
            forgotten_until_micros=max(at_micros, history.forgotten_until_micros),
        )
    if at_micros <= history.crowded_until_micros:
        return replace(history, days=_with_day(history.days, at_micros, amount_cents, _UNLABELLED))
    return _crowd(_forget(_insert(history, at_micros, amount_cents, counterpart), cut))


def relabel(
    history: History,
    *,
    at_micros: int,
    amount_cents: int,
    counterpart: int,
    before: Label | None,
    after: Label,
) -> History:
    """The history with one of its payments labelled `after`, instead of `before` if it had a label.

    What is not in it any more is past all windows: nothing changes.
    """
    place = _find(history, at_micros, amount_cents, counterpart, _LABELS[before])
    if place is not None:
        labels = history.labels
        return replace(history, labels=labels[:place] + _LABELS[after] + labels[place + 1 :])
    if at_micros <= history.crowded_until_micros:
        return replace(history, days=_relabelled_day(history.days, at_micros, before, after))
    return history


class Past:
    """What of a history lies at or before a moment: the payments that a decision on that moment may know."""

    __slots__ = ("_end", "at_micros", "history")

    def __init__(self, history: History, at_micros: int) -> None:
        self.history = history
        self.at_micros = at_micros
        self._end = bisect_right(history.times, at_micros)

    def window(self, width_micros: int) -> Window:
        """Count and sum of (t - width, t]."""
        history, since = self.history, self.at_micros - width_micros
        start = bisect_right(history.times, since, 0, self._end)
        payments, total_cents = self._end - start, sum(history.amounts[start : self._end])
        if since < history.crowded_until_micros:
            for day, share, whole in _days_between(history, since, self.at_micros):
                payments += day.count * share // whole
                total_cents += day.total_cents * share // whole
        return Window(payments, total_cents)

    def labels(self, width_micros: int, delay_micros: int) -> LabelWindow:
        """Counts of (t - delay - width, t - delay], by label."""
        history, until = self.history, self.at_micros - delay_micros
        since = until - width_micros
        end = bisect_right(history.times, until, 0, self._end)
        start = bisect_right(history.times, since, 0, end)
        payments, labels = end - start, history.labels
        labelled = payments - labels.count(_UNLABELLED, start, end)
        frauds = labels.count(_FRAUD, start, end)
        if since < history.crowded_until_micros:
            for day, share, whole in _days_between(history, since, until):
                payments += day.count * share // whole
                labelled += day.labelled * share // whole
                frauds += day.frauds * share // whole
        return LabelWindow(payments, labelled, frauds)

    def amounts(self, width_micros: int) -> "array[int]":
        """The amounts in (t - width, t] that are kept one by one, oldest first."""
        return self.history.amounts[self._start(width_micros) : self._end]

    def counterparts(self, width_micros: int) -> "array[int]":
        """The counterparts in (t - width, t], as far as payments are kept one by one, oldest first."""
        return self.history.counterparts[self._start(width_micros) : self._end]

    def highest_cents(self, width_micros: int) -> int:
        """The largest amount in (t - width, t], whole days counted where that is all there is; 0 if none."""
        since, highest = self.at_micros - width_micros, max(self.amounts(width_micros), default=0)
        if since >= self.history.crowded_until_micros:
            return highest
        since_day, until_day = since // MICROS_PER_DAY, self.at_micros // MICROS_PER_DAY
        crowded = (day.highest_cents for day in self.history.days if since_day <= day.day <= until_day)
        return max(highest, max(crowded, default=0))

    @property
    def newest_micros(self) -> int | None:
        """When the last payment up to this moment was, if one is kept."""
        return self.history.times[self._end - 1] if self._end else None

    def _start(self, width_micros: int) -> int:
        return bisect_right(self.history.times, self.at_micros - width_micros, 0, self._end)


def deviation_cents(amounts: "array[int]") -> int:
    """The standard deviation of amounts (of them all, not of a sample), to the cent; 0 for fewer than two."""
    count = len(amounts)
    if count < 2:
        return 0
    total = sum(amounts)
    return isqrt(max(count * sum(map(mul, amounts, amounts)) - total * total, 0)) // count


def pack(history: History) -> bytes:
    """The history as the bytes that are stored; none for one that nothing was ever added to."""
    if history is EMPTY:
        return b""
    is_wide = history.amounts.typecode != "I"
    header = _HEADER.pack(
        _WIDE if is_wide else _VERSION,
        len(history.times),
        len(history.days),
        history.forgotten_count,
        history.crowded_until_micros,
        history.forgotten_until_micros,
    )
    days = (
        _DAY.pack(day.day, day.count, day.labelled, day.frauds, day.total_cents, day.highest_cents)
        for day in history.days
    )
    columns = history.times.tobytes(), history.amounts.tobytes(), history.counterparts.tobytes(), history.labels
    return b"".join((header, *columns, *days))


def unpack(packed: bytes) -> History:
    """The history in stored bytes; an empty one in none."""
    if not packed:
        return EMPTY
    version, count, day_count, forgotten_count, crowded_until, forgotten_until = _HEADER.unpack_from(packed)
    times, amounts, counterparts = array("q"), array("q" if version == _WIDE else "I"), array("I")
    start = _HEADER.size
    for column in (times, amounts, counterparts):
        end = start + count * column.itemsize
        column.frombytes(packed[start:end])
        start = end
    labels = bytes(packed[start : start + count])
    start += count
    return History(
        times=times,
        amounts=amounts,
        counterparts=counterparts,
        labels=labels,
        days=tuple(_day(packed, start + number * _DAY.size) for number in range(day_count)),
        crowded_until_micros=crowded_until,
        forgotten_until_micros=forgotten_until,
        forgotten_count=forgotten_count,
    )


def _day(packed: bytes, start: int) -> Day:
    day, count, labelled, frauds, total_cents, highest_cents = _DAY.unpack_from(packed, start)
    return Day(
        day=day, count=count, labelled=labelled, frauds=frauds, total_cents=total_cents, highest_cents=highest_cents
    )


def _insert(history: History, at_micros: int, amount_cents: int, counterpart: int) -> History:
    place = bisect_right(history.times, at_micros)
    times, counterparts = history.times[:], history.counterparts[:]
    is_wider = amount_cents > _NARROW_AMOUNT_MAX and history.amounts.typecode == "I"
    amounts = array("q", history.amounts) if is_wider else history.amounts[:]
    times.insert(place, at_micros)
    amounts.insert(place, amount_cents)
    counterparts.insert(place, counterpart)
    labels = history.labels[:place] + _UNLABELLED + history.labels[place:]
    return replace(history, times=times, amounts=amounts, counterparts=counterparts, labels=labels)


def _find(history: History, at_micros: int, amount_cents: int, counterpart: int, label: bytes) -> int | None:
    """Where a payment is kept. Two that are the same in all this are the same to every feature."""
    start, end = bisect_left(history.times, at_micros), bisect_right(history.times, at_micros)
    for place in range(start, end):
        is_it = history.amounts[place] == amount_cents and history.counterparts[place] == counterpart
        if is_it and history.labels[place] == label[0]:
            return place
    return None


def _forget(history: History, cut_micros: int) -> History:
    """The history without what lies at or before the cut."""
    if history.days and history.days[0].day < cut_micros // MICROS_PER_DAY:
        kept = tuple(day for day in history.days if day.day >= cut_micros // MICROS_PER_DAY)
        until = cut_micros // MICROS_PER_DAY * MICROS_PER_DAY - 1
        history = replace(history, days=kept, forgotten_until_micros=max(until, history.forgotten_until_micros))
    if history.times[0] > cut_micros:
        return history
    start = bisect_right(history.times, cut_micros)
    until = max(history.times[start - 1], history.forgotten_until_micros)
    return replace(_from(history, start), forgotten_until_micros=until)


def _crowd(history: History) -> History:
    """The history with its oldest payments kept by the day, if there are more than there is room for."""
    if len(history.times) <= PAYMENTS_MAX:
        return history
    until = history.times[len(history.times) - PAYMENTS_MAX - 1]
    start = bisect_right(history.times, until)
    days = history.days
    for place in range(start):
        label = history.labels[place : place + 1]
        days = _with_day(days, history.times[place], history.amounts[place], label)
    return replace(_from(history, start), days=days, crowded_until_micros=until)


def _from(history: History, start: int) -> History:
    return replace(
        history,
        times=history.times[start:],
        amounts=history.amounts[start:],
        counterparts=history.counterparts[start:],
        labels=history.labels[start:],
    )


def _with_day(days: tuple[Day, ...], at_micros: int, amount_cents: int, label: bytes) -> tuple[Day, ...]:
    number = at_micros // MICROS_PER_DAY
    place = bisect_left(days, number, key=lambda day: day.day)
    is_known = place < len(days) and days[place].day == number
    day = days[place] if is_known else Day(day=number, count=0, total_cents=0, highest_cents=0)
    grown = Day(
        day=number,
        count=day.count + 1,
        labelled=day.labelled + (label != _UNLABELLED),
        frauds=day.frauds + (label == _FRAUD),
        total_cents=min(day.total_cents + amount_cents, _TOTAL_MAX),
        highest_cents=max(day.highest_cents, amount_cents),
    )
    return (*days[:place], grown, *days[place + is_known :])


def _relabelled_day(days: tuple[Day, ...], at_micros: int, before: Label | None, after: Label) -> tuple[Day, ...]:
    number = at_micros // MICROS_PER_DAY
    place = bisect_left(days, number, key=lambda day: day.day)
    if place == len(days) or days[place].day != number:
        return days
    day = days[place]
    labelled = day.labelled + (before is None)
    frauds = day.frauds + (after is Label.FRAUD) - (before is Label.FRAUD)
    if not 0 <= frauds <= labelled <= day.count:
        return days
    return (*days[:place], replace(day, labelled=labelled, frauds=frauds), *days[place + 1 :])


def _days_between(history: History, since_micros: int, until_micros: int) -> Iterator[tuple[Day, int, int]]:
    """What is kept by the day in (since, until], with how much of each day lies in it: so much of so much."""
    for day in history.days:
        start = day.day * MICROS_PER_DAY
        end = min(start + MICROS_PER_DAY, history.crowded_until_micros + 1)
        overlap = min(end, until_micros + 1) - max(start, since_micros + 1)
        if overlap > 0:
            yield day, overlap, end - start
