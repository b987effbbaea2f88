"""What one customer's money did lately, by event time, in one compact row. Pure.

    movements  ──────●───●─●──────●──►   the newest MOVEMENTS_MAX of 37 days, each by itself
    days       ▂ ▅   ▃ ▁      ▂   ▅      97 days: how much came and went, and the most at once
    cash       ·     ▃            ▅      37 business days: cash paid in, and cash paid out

Days and cash hold every movement, also those that are kept one by one, and so stay exact however many
there are. When a customer is crowded, only windows lose: those over movements one by one see the newest
alone, from `crowded_until_micros` on. What comes too late to be kept at all is counted.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b

from libs.common.record import Record, replace
from services.compliance.domain.business_days import OFFSET, business_day_of
from services.compliance.monitoring.movements import date_of_day

MICROS_PER_HOUR = 3_600 * 1_000_000
MICROS_PER_DAY = 24 * MICROS_PER_HOUR

WINDOW_DAYS_MAX = 30
"""The longest window over movements one by one."""
DAYS_MAX = 90
"""The longest over days."""
LATE_DAYS_MAX = 7
"""How late a movement may come and still find its longest window whole."""
MOVEMENTS_MAX = 128
"""Movements kept one by one: four a day."""
IDLE_DAYS_MIN = 30
"""A shorter time without any movement is no rest."""

BEGINNING_MICROS = -(2**63)
"""Before any event."""

_KEPT_MICROS = (WINDOW_DAYS_MAX + LATE_DAYS_MAX) * MICROS_PER_DAY
_DAYS_KEPT = DAYS_MAX + LATE_DAYS_MAX
_OFFSET_MICROS = OFFSET // timedelta(microseconds=1)
_IDLE_MICROS_MIN = IDLE_DAYS_MIN * MICROS_PER_DAY
_TOTAL_MAX = 2**63 - 1
_COUNT_MAX = 2**32 - 1

_OUT, _CASH, _ZEROS_SHIFT = 1, 2, 2
_PAYMENT_LENGTH = 16

_HEADER = struct.Struct("<BxHHHIqqqq")
_VERSION = 1

assert array("H", [1]).tobytes() == b"\x01\x00", "histories are stored as arrays of little-endian numbers"


class Entry(Record):
    """A movement from one side."""

    payment_id: str
    at_micros: int
    cents: int
    is_out: bool
    is_cash: bool
    zeros: int
    counterpart: int
    """Who the other side was: a 64-bit hash, for recognising it again."""


class History(Record):
    """A customer's movements in order of event time. Treat the arrays as constants."""

    times: "array[int]" = array("q")
    """Event times, in microseconds since 1970."""
    cents: "array[int]" = array("q")
    counterparts: "array[int]" = array("Q")
    flags: bytes = b""
    """A byte each: whether it went out, whether it was cash, and how many zeros the amount ended in."""
    payments: bytes = b""
    """Their ids, 16 bytes each."""

    days: "array[int]" = array("i")
    """Days since 1970, of the time zone in which reports are due."""
    out_counts: "array[int]" = array("I")
    in_cents: "array[int]" = array("q")
    out_cents: "array[int]" = array("q")
    out_highest: "array[int]" = array("q")

    cash_days: "array[int]" = array("i")
    """Business days since 1970."""
    cash_in: "array[int]" = array("q")
    cash_out: "array[int]" = array("q")

    newest_micros: int = BEGINNING_MICROS
    idle_from_micros: int = BEGINNING_MICROS
    """The last movement before the last rest of IDLE_DAYS_MIN or more."""
    woke_at_micros: int = BEGINNING_MICROS
    """The first one after it."""
    crowded_until_micros: int = BEGINNING_MICROS
    """Up to here movements are not kept one by one for want of room."""
    forgotten_count: int = 0
    """Movements that came too late to be remembered at all."""

    def is_out(self, place: int) -> bool:
        return bool(self.flags[place] & _OUT)

    def is_cash(self, place: int) -> bool:
        return bool(self.flags[place] & _CASH)

    def zeros(self, place: int) -> int:
        return self.flags[place] >> _ZEROS_SHIFT

    def payment_id(self, place: int) -> str:
        text = self.payments[place * _PAYMENT_LENGTH : (place + 1) * _PAYMENT_LENGTH].hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def windows(self, at_micros: int, width_micros: int) -> Iterator[tuple[int, int]]:
        """The places, from and to, of every window that ends with a movement and holds this moment.

        One for a movement that comes in order. One that comes late may complete windows that end later.
        """
        end = bisect_right(self.times, at_micros)
        if not end or self.times[end - 1] != at_micros:
            return
        while end <= len(self.times):
            last = self.times[end - 1]
            start = bisect_right(self.times, last - width_micros)
            if last - width_micros >= at_micros:
                return
            yield start, end
            end += 1

    def knows(self, payment_id: str, at_micros: int) -> bool:
        """Whether a movement is kept here already, one by one."""
        packed = _packed_id(payment_id)
        start, end = bisect_left(self.times, at_micros), bisect_right(self.times, at_micros)
        return any(
            self.payments[place * _PAYMENT_LENGTH : (place + 1) * _PAYMENT_LENGTH] == packed
            for place in range(start, end)
        )

    def between_days(self, since_day: int, until_day: int) -> slice:
        """The places of the days from one to another, both of them included."""
        return slice(bisect_left(self.days, since_day), bisect_right(self.days, until_day))

    def cash_of(self, business_day: int, *, is_out: bool) -> int:
        """Cash paid out, or in, on a business day."""
        place = bisect_left(self.cash_days, business_day)
        if place == len(self.cash_days) or self.cash_days[place] != business_day:
            return 0
        return (self.cash_out if is_out else self.cash_in)[place]


EMPTY = History()


def add(history: History, entry: Entry) -> History:
    """The history with one more movement, wherever in it that belongs."""
    at, newest = entry.at_micros, max(entry.at_micros, history.newest_micros)
    if day_number(at) <= day_number(newest) - _DAYS_KEPT:
        return replace(history, forgotten_count=min(history.forgotten_count + 1, _COUNT_MAX))
    history = _wake(history, at)
    history = _with_day(replace(history, newest_micros=newest), entry)
    if entry.is_cash and at > newest - _KEPT_MICROS:
        history = _with_cash(history, entry)
    if at > newest - _KEPT_MICROS and at > history.crowded_until_micros:
        history = _insert(history, entry)
    return _forget(_crowd(history))


def day_number(at_micros: int) -> int:
    """The day a moment belongs to, counted since 1970-01-01, where reports are due."""
    return (at_micros + _OFFSET_MICROS) // MICROS_PER_DAY


def business_day_number(at_micros: int) -> int:
    """The business day that a moment's cash is counted to."""
    return _business_day(day_number(at_micros))


@lru_cache(maxsize=1_024)
def _business_day(day: int) -> int:
    date = date_of_day(day)
    return day + (business_day_of(date) - date).days


def counterpart_of(customer_id: str) -> int:
    """A customer's id as 64 bits."""
    return int.from_bytes(blake2b(customer_id.encode(), digest_size=8).digest(), "little")


def pack(history: History) -> bytes:
    """The history as the bytes that are stored; none for one that nothing was ever added to."""
    if history is EMPTY:
        return b""
    header = _HEADER.pack(
        _VERSION,
        len(history.times),
        len(history.days),
        len(history.cash_days),
        history.forgotten_count,
        history.newest_micros,
        history.idle_from_micros,
        history.woke_at_micros,
        history.crowded_until_micros,
    )
    return b"".join(
        (
            header,
            history.times.tobytes(),
            history.cents.tobytes(),
            history.counterparts.tobytes(),
            history.flags,
            history.payments,
            history.days.tobytes(),
            history.out_counts.tobytes(),
            history.in_cents.tobytes(),
            history.out_cents.tobytes(),
            history.out_highest.tobytes(),
            history.cash_days.tobytes(),
            history.cash_in.tobytes(),
            history.cash_out.tobytes(),
        )
    )


def unpack(packed: bytes) -> History:
    """The history in stored bytes; an empty one in none."""
    if not packed:
        return EMPTY
    _, count, days, cash_days, forgotten_count, newest, idle_from, woke_at, crowded_until = _HEADER.unpack_from(packed)
    cut = _Cut(packed, _HEADER.size)
    return History(
        times=cut.array("q", count),
        cents=cut.array("q", count),
        counterparts=cut.array("Q", count),
        flags=cut.bytes(count),
        payments=cut.bytes(count * _PAYMENT_LENGTH),
        days=cut.array("i", days),
        out_counts=cut.array("I", days),
        in_cents=cut.array("q", days),
        out_cents=cut.array("q", days),
        out_highest=cut.array("q", days),
        cash_days=cut.array("i", cash_days),
        cash_in=cut.array("q", cash_days),
        cash_out=cut.array("q", cash_days),
        newest_micros=newest,
        idle_from_micros=idle_from,
        woke_at_micros=woke_at,
        crowded_until_micros=crowded_until,
        forgotten_count=forgotten_count,
    )


class _Cut:
    """Takes pieces off stored bytes, one after another."""

    def __init__(self, packed: bytes, start: int) -> None:
        self._packed = packed
        self._start = start

    def bytes(self, length: int) -> bytes:
        start, self._start = self._start, self._start + length
        return self._packed[start : self._start]

    def array(self, typecode: str, count: int) -> "array[int]":
        found = array(typecode)
        found.frombytes(self.bytes(count * found.itemsize))
        return found


def _packed_id(payment_id: str) -> bytes:
    return bytes.fromhex(payment_id.replace("-", ""))


def _wake(history: History, at_micros: int) -> History:
    newest, woke_at = history.newest_micros, history.woke_at_micros
    if newest == BEGINNING_MICROS:
        return history
    if at_micros - newest >= _IDLE_MICROS_MIN:
        return replace(history, idle_from_micros=newest, woke_at_micros=at_micros)
    if history.idle_from_micros < at_micros < woke_at:
        # It came late, in the midst of the rest: of the two that are left, the last one that is a rest counts.
        if woke_at - at_micros < _IDLE_MICROS_MIN <= at_micros - history.idle_from_micros:
            return replace(history, woke_at_micros=at_micros)
        return replace(history, idle_from_micros=at_micros)
    return history


def _with_day(history: History, entry: Entry) -> History:
    number = day_number(entry.at_micros)
    place = bisect_left(history.days, number)
    days, counts, came = history.days, history.out_counts[:], history.in_cents[:]
    went, highest = history.out_cents[:], history.out_highest[:]
    if place == len(days) or days[place] != number:
        days = days[:]
        days.insert(place, number)
        for column in (counts, came, went, highest):
            column.insert(place, 0)
    if entry.is_out:
        counts[place] = min(counts[place] + 1, _COUNT_MAX)
        went[place] = min(went[place] + entry.cents, _TOTAL_MAX)
        highest[place] = max(highest[place], entry.cents)
    else:
        came[place] = min(came[place] + entry.cents, _TOTAL_MAX)
    return replace(history, days=days, out_counts=counts, in_cents=came, out_cents=went, out_highest=highest)


def _with_cash(history: History, entry: Entry) -> History:
    number = business_day_number(entry.at_micros)
    place = bisect_left(history.cash_days, number)
    days, paid_in, paid_out = history.cash_days, history.cash_in[:], history.cash_out[:]
    if place == len(days) or days[place] != number:
        days = days[:]
        days.insert(place, number)
        paid_in.insert(place, 0)
        paid_out.insert(place, 0)
    column = paid_out if entry.is_out else paid_in
    column[place] = min(column[place] + entry.cents, _TOTAL_MAX)
    return replace(history, cash_days=days, cash_in=paid_in, cash_out=paid_out)


def _insert(history: History, entry: Entry) -> History:
    place = bisect_right(history.times, entry.at_micros)
    times, cents, counterparts = history.times[:], history.cents[:], history.counterparts[:]
    times.insert(place, entry.at_micros)
    cents.insert(place, entry.cents)
    counterparts.insert(place, entry.counterpart)
    flag = bytes((entry.is_out * _OUT | entry.is_cash * _CASH | entry.zeros << _ZEROS_SHIFT,))
    cut = place * _PAYMENT_LENGTH
    return replace(
        history,
        times=times,
        cents=cents,
        counterparts=counterparts,
        flags=history.flags[:place] + flag + history.flags[place:],
        payments=history.payments[:cut] + _packed_id(entry.payment_id) + history.payments[cut:],
    )


def _crowd(history: History) -> History:
    """The history without its oldest movements, if there are more than there is room for."""
    if len(history.times) <= MOVEMENTS_MAX:
        return history
    until = history.times[len(history.times) - MOVEMENTS_MAX - 1]
    return replace(_from(history, bisect_right(history.times, until)), crowded_until_micros=until)


def _forget(history: History) -> History:
    """The history without what no window reaches any more."""
    start = bisect_right(history.times, history.newest_micros - _KEPT_MICROS)
    if start:
        history = _from(history, start)
    first_day = day_number(history.newest_micros) - _DAYS_KEPT + 1
    if history.days[0] < first_day:
        days = slice(bisect_left(history.days, first_day), None)
        history = replace(
            history,
            days=history.days[days],
            out_counts=history.out_counts[days],
            in_cents=history.in_cents[days],
            out_cents=history.out_cents[days],
            out_highest=history.out_highest[days],
        )
    first_cash = day_number(history.newest_micros - _KEPT_MICROS)
    if history.cash_days and history.cash_days[0] < first_cash:
        days = slice(bisect_left(history.cash_days, first_cash), None)
        history = replace(
            history,
            cash_days=history.cash_days[days],
            cash_in=history.cash_in[days],
            cash_out=history.cash_out[days],
        )
    return history


def _from(history: History, start: int) -> History:
    return replace(
        history,
        times=history.times[start:],
        cents=history.cents[start:],
        counterparts=history.counterparts[start:],
        flags=history.flags[start:],
        payments=history.payments[start * _PAYMENT_LENGTH :],
    )
