"""What one entity did lately: its recent payments by event time, so that rolling windows are exact. Pure.

    times     ──────●───●─●──────●──►      the newest PAYMENTS_MAX, each with amount and counterpart
    days      ▂ ▅ ▃                        what had no room there, by the day: estimates, and said to be

An entity's whole past in one small row keeps the shape of every service: load the rows of a batch,
decide purely, save them. What is older than KEPT_DAYS before the newest payment is forgotten; a
payment that comes too late to be remembered is counted.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import chain

from libs.common.record import Record, replace

MICROS_PER_SECOND = 1_000_000
MICROS_PER_HOUR = 3_600 * MICROS_PER_SECOND
MICROS_PER_DAY = 24 * MICROS_PER_HOUR

WINDOW_DAYS_MAX = 30
"""The longest window that any rule looks at."""
LATE_DAYS_MAX = 7
"""How late a payment may come and still find its longest window whole."""
KEPT_DAYS = WINDOW_DAYS_MAX + LATE_DAYS_MAX
PAYMENTS_MAX = 192
"""Payments kept one by one: six a day. An entity that does more is crowded, and its oldest go by the day."""

BEGINNING_MICROS = -(2**63)
"""Before any event."""

_HEADER = struct.Struct("<BxHHxxIqq")
_DAY = struct.Struct("<iIqq")
_VERSION = 1
_WIDE = 2
"""The format where some amount needs 64 bits."""
_NARROW_AMOUNT_MAX = _COUNT_MAX = 2**32 - 1
_TOTAL_MAX = 2**63 - 1

assert array("H", [1]).tobytes() == b"\x01\x00", "histories are stored as arrays of little-endian numbers"


class Day(Record):
    """The payments of one UTC day that are no longer kept one by one."""

    day: int
    """Days since 1970-01-01."""
    count: int
    total_minor: int
    highest_minor: int


class History(Record):
    """An entity's recent payments in order of event time. Treat the arrays as constants."""

    times: "array[int]" = array("q")
    """Event times, in microseconds since 1970."""
    amounts: "array[int]" = array("I")
    """Amounts, in minor units."""
    counterparts: "array[int]" = array("I")
    """Who the other party was: a 32-bit hash, for recognising it again."""
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


class Window(Record):
    """How many payments lie in (t - width, t], and their sum. An estimate where it is not exact."""

    count: int
    total_minor: int
    is_exact: bool


EMPTY = History()


def add(history: History, *, at_micros: int, amount_minor: int, counterpart: int) -> History:
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
        return replace(history, days=_with_day(history.days, at_micros, amount_minor))
    return _crowd(_forget(_insert(history, at_micros, amount_minor, counterpart), cut))


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
        amounts = self.amounts(width_micros)
        count, total = len(amounts), sum(amounts)
        if since < history.crowded_until_micros:
            crowded_count, crowded_total = _estimate(history, since, self.at_micros)
            count, total = count + crowded_count, total + crowded_total
        is_exact = since >= history.crowded_until_micros and since >= history.forgotten_until_micros
        return Window(count=count, total_minor=total, is_exact=is_exact)

    def amounts(self, width_micros: int) -> "array[int]":
        """The amounts in (t - width, t] that are kept one by one, oldest first."""
        return self.history.amounts[self._start(width_micros) : self._end]

    def counterparts(self, width_micros: int) -> "array[int]":
        """The counterparts in (t - width, t], as far as payments are kept one by one, oldest first."""
        return self.history.counterparts[self._start(width_micros) : self._end]

    def highest_minor(self, width_micros: int) -> int:
        """The largest amount in (t - width, t], whole days counted where that is all there is; 0 if none."""
        since_day = (self.at_micros - width_micros) // MICROS_PER_DAY
        crowded = (day.highest_minor for day in self.history.days if day.day >= since_day)
        return max(max(self.amounts(width_micros), default=0), max(crowded, default=0))

    @property
    def newest_micros(self) -> int | None:
        """When the last payment up to this moment was, if one is kept."""
        return self.history.times[self._end - 1] if self._end else None

    def _start(self, width_micros: int) -> int:
        return bisect_right(self.history.times, self.at_micros - width_micros, 0, self._end)


class Pasts:
    """Several pasts as of one moment, taken together."""

    __slots__ = ("_pasts",)

    def __init__(self, *pasts: Past) -> None:
        self._pasts = pasts

    def window(self, width_micros: int) -> Window:
        """Count and sum of (t - width, t]."""
        windows = [past.window(width_micros) for past in self._pasts]
        return Window(
            count=sum(window.count for window in windows),
            total_minor=sum(window.total_minor for window in windows),
            is_exact=all(window.is_exact for window in windows),
        )

    def amounts(self, width_micros: int) -> Iterator[int]:
        """The amounts in (t - width, t] that are kept one by one."""
        return chain.from_iterable(past.amounts(width_micros) for past in self._pasts)

    def counterparts(self, width_micros: int) -> Iterator[int]:
        """The counterparts of those, in the same order."""
        return chain.from_iterable(past.counterparts(width_micros) for past in self._pasts)


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
    days = b"".join(_DAY.pack(day.day, day.count, day.total_minor, day.highest_minor) for day in history.days)
    return b"".join((header, history.times.tobytes(), history.amounts.tobytes(), history.counterparts.tobytes(), days))


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
    return History(
        times=times,
        amounts=amounts,
        counterparts=counterparts,
        days=tuple(_day(packed, start + number * _DAY.size) for number in range(day_count)),
        crowded_until_micros=crowded_until,
        forgotten_until_micros=forgotten_until,
        forgotten_count=forgotten_count,
    )


def _day(packed: bytes, start: int) -> Day:
    day, count, total_minor, highest_minor = _DAY.unpack_from(packed, start)
    return Day(day=day, count=count, total_minor=total_minor, highest_minor=highest_minor)


def _insert(history: History, at_micros: int, amount_minor: int, counterpart: int) -> History:
    place = bisect_right(history.times, at_micros)
    times, counterparts = history.times[:], history.counterparts[:]
    is_wider = amount_minor > _NARROW_AMOUNT_MAX and history.amounts.typecode == "I"
    amounts = array("q", history.amounts) if is_wider else history.amounts[:]
    times.insert(place, at_micros)
    amounts.insert(place, amount_minor)
    counterparts.insert(place, counterpart)
    return replace(history, times=times, amounts=amounts, counterparts=counterparts)


def _forget(history: History, cut_micros: int) -> History:
    """The history without what lies at or before the cut."""
    if history.days and history.days[0].day < cut_micros // MICROS_PER_DAY:
        kept = tuple(day for day in history.days if day.day >= cut_micros // MICROS_PER_DAY)
        until = cut_micros // MICROS_PER_DAY * MICROS_PER_DAY - 1
        history = replace(history, days=kept, forgotten_until_micros=max(until, history.forgotten_until_micros))
    if history.times[0] > cut_micros:
        return history
    start = bisect_right(history.times, cut_micros)
    return replace(
        history,
        times=history.times[start:],
        amounts=history.amounts[start:],
        counterparts=history.counterparts[start:],
        forgotten_until_micros=max(history.times[start - 1], history.forgotten_until_micros),
    )


def _crowd(history: History) -> History:
    """The history with its oldest payments kept by the day, if there are more than there is room for."""
    if len(history.times) <= PAYMENTS_MAX:
        return history
    until = history.times[len(history.times) - PAYMENTS_MAX - 1]
    start = bisect_right(history.times, until)
    days = history.days
    for at_micros, amount_minor in zip(history.times[:start], history.amounts[:start], strict=True):
        days = _with_day(days, at_micros, amount_minor)
    return replace(
        history,
        times=history.times[start:],
        amounts=history.amounts[start:],
        counterparts=history.counterparts[start:],
        days=days,
        crowded_until_micros=until,
    )


def _with_day(days: tuple[Day, ...], at_micros: int, amount_minor: int) -> tuple[Day, ...]:
    number = at_micros // MICROS_PER_DAY
    place = bisect_left(days, number, key=lambda day: day.day)
    if place < len(days) and days[place].day == number:
        day = days[place]
        grown = Day(
            day=number,
            count=day.count + 1,
            total_minor=min(day.total_minor + amount_minor, _TOTAL_MAX),
            highest_minor=max(day.highest_minor, amount_minor),
        )
        return (*days[:place], grown, *days[place + 1 :])
    first = Day(day=number, count=1, total_minor=amount_minor, highest_minor=amount_minor)
    return (*days[:place], first, *days[place:])


def _estimate(history: History, since_micros: int, until_micros: int) -> tuple[int, int]:
    """Count and sum of what is kept by the day in (since, until], parts of days pro rata."""
    count = total = 0
    for day in history.days:
        start = day.day * MICROS_PER_DAY
        end = min(start + MICROS_PER_DAY, history.crowded_until_micros + 1)
        overlap = min(end, until_micros + 1) - max(start, since_micros + 1)
        if overlap > 0:
            count += day.count * overlap // (end - start)
            total += day.total_minor * overlap // (end - start)
    return count, total
