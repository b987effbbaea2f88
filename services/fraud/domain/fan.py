"""Who was on the other side of an account's frauds: a payee's payers (fan-in), a payer's payees (fan-out). Pure.

A mule's account is known by the many who were defrauded into it, an account taken over by the many it
paid. Different ones can't be added up from day to day; so each is kept with the UTC day of the payment
and with how many frauds there were, from which a correction takes one away.
"""

import hashlib
import struct
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from libs.common.record import Record
from schemas.fraud.events import Label

PAIRS_MAX = 256
"""Days and counterparts kept of an account, 24 bytes each. Where there are more, the oldest make room."""

_HEADER = struct.Struct("<iH")
_PAIR = struct.Struct("<iI16s")
_NEVER = -(2**31)


class Pair(NamedTuple):
    """A counterpart on one day."""

    day: int
    """Days since 1970-01-01."""
    counterpart: bytes
    """Who it is, in 128 bits: nobody is taken for somebody else."""
    frauds: int


class Fan(Record):
    """The counterparts of the newest frauds."""

    pairs: tuple[Pair, ...] = ()
    """In order."""
    left_out_until_day: int = _NEVER
    """Up to this day some had no room."""


class FanCount(Record):
    """Different counterparts over some days."""

    counterparts: int
    is_exact: bool
    """Or else there were at least so many."""


NONE = Fan()


def counterpart_of(account_id: str) -> bytes:
    """An account as it is kept here. Its id may be of any form: files name accounts as they like."""
    return hashlib.blake2b(account_id.encode(), digest_size=16).digest()


def relabel(known: Fan, *, day: int, counterpart: bytes, before: Label | None, after: Label, after_day: int) -> Fan:
    """The counterparts with one payment of `day` labelled `after`, instead of `before` if it had a label.

    What lies at or before `after_day` is forgotten.
    """
    pairs = known.pairs[_place(known.pairs, after_day + 1) :]
    change = (after is Label.FRAUD) - (before is Label.FRAUD)
    if change and day > after_day:
        pairs = _counted(pairs, day, counterpart, change)
    if len(pairs) <= PAIRS_MAX:
        return Fan(pairs=pairs, left_out_until_day=known.left_out_until_day)
    start = len(pairs) - PAIRS_MAX
    return Fan(pairs=pairs[start:], left_out_until_day=max(known.left_out_until_day, pairs[start - 1].day))


def count(known: Fan, *, after_day: int) -> FanCount:
    """The different counterparts of frauds after a day.

    Never too many: what had no room is missing, and a correction of one that had none can only take more away.
    """
    counterparts = {pair.counterpart for pair in known.pairs if pair.day > after_day}
    return FanCount(counterparts=len(counterparts), is_exact=known.left_out_until_day <= after_day)


def _counted(pairs: tuple[Pair, ...], day: int, counterpart: bytes, change: int) -> tuple[Pair, ...]:
    """One fraud more or less. None is taken from what isn't there: it had no room."""
    place = _place(pairs, day, counterpart)
    is_known = place < len(pairs) and pairs[place][:2] == (day, counterpart)
    frauds = (pairs[place].frauds if is_known else 0) + change
    kept = (Pair(day, counterpart, frauds),) if frauds > 0 else ()
    return (*pairs[:place], *kept, *pairs[place + is_known :])


def _place(pairs: Sequence[Pair], day: int, counterpart: bytes = b"") -> int:
    return bisect_left(pairs, (day, counterpart))


def pack(known: Fan) -> bytes:
    """The counterparts as the bytes that are stored."""
    return b"".join(
        (
            _HEADER.pack(known.left_out_until_day, len(known.pairs)),
            *(_PAIR.pack(day, frauds, who) for day, who, frauds in known.pairs),
        )
    )


def unpack(packed: bytes, start: int = 0) -> Fan:
    """The counterparts in stored bytes, from `start` to their end."""
    left_out_until_day, length = _HEADER.unpack_from(packed, start)
    start += _HEADER.size
    found = _PAIR.iter_unpack(packed[start : start + length * _PAIR.size])
    return Fan(pairs=tuple(Pair(day, who, frauds) for day, frauds, who in found), left_out_until_day=left_out_until_day)
