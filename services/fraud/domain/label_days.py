"""What the features worker remembers: how an account's payments turned out, by the UTC day they were ordered on. Pure.

Labels arrive days after the payments they speak of, and are corrected now and then. So they are
counted by the day of the payment, and a correction moves one from one count to the other.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right

from libs.common.record import Record
from schemas.fraud.events import Label
from services.fraud.domain.history import MICROS_PER_DAY

DAYS_KEPT = 64
"""Before the newest labelled day; longer than any rule looks back."""

_HEADER = struct.Struct("<H")


class LabelDays(Record):
    """For each day with labels: how many payments of it are labelled, and how many of those as fraud."""

    days: "array[int]" = array("i")
    """Days since 1970-01-01, ascending."""
    labelled: "array[int]" = array("I")
    frauds: "array[int]" = array("I")


class LabelCount(Record):
    """Labels over some days."""

    labelled: int
    fraud: int


NONE = LabelDays()
_NOTHING = LabelCount(labelled=0, fraud=0)


def day_of(at_micros: int) -> int:
    """The UTC day of a moment, in days since 1970-01-01."""
    return at_micros // MICROS_PER_DAY


def relabel(known: LabelDays, *, day: int, before: Label | None, after: Label) -> LabelDays:
    """The counts with one payment of `day` labelled `after`, instead of `before` if it had a label.

    Correcting a label that isn't counted changes nothing: it was too old when it came, or it got lost.
    """
    is_too_old = bool(known.days) and day <= known.days[-1] - DAYS_KEPT
    is_unfounded = before is not None and not _has(known, day, before)
    if is_too_old or is_unfounded or before is after:
        return known
    days, labelled, frauds = known.days[:], known.labelled[:], known.frauds[:]
    place = bisect_left(days, day)
    if place == len(days) or days[place] != day:
        days.insert(place, day)
        labelled.insert(place, 0)
        frauds.insert(place, 0)
    labelled[place] += before is None
    frauds[place] += (after is Label.FRAUD) - (before is Label.FRAUD)
    start = bisect_right(days, days[-1] - DAYS_KEPT)
    return LabelDays(days=days[start:], labelled=labelled[start:], frauds=frauds[start:])


def count(known: LabelDays, *, after_day: int, until_day: int) -> LabelCount:
    """The labels of payments ordered on the days (after, until]."""
    if not known.days:
        return _NOTHING
    start, end = bisect_right(known.days, after_day), bisect_right(known.days, until_day)
    return LabelCount(labelled=sum(known.labelled[start:end]), fraud=sum(known.frauds[start:end]))


def _has(known: LabelDays, day: int, label: Label) -> bool:
    """Whether a payment of this day is counted with such a label."""
    found = count(known, after_day=day - 1, until_day=day)
    return (found.fraud if label is Label.FRAUD else found.labelled - found.fraud) > 0


def pack(known: LabelDays) -> bytes:
    """The counts as the bytes that are stored; none for none."""
    if not known.days:
        return b""
    return b"".join(
        (_HEADER.pack(len(known.days)), known.days.tobytes(), known.labelled.tobytes(), known.frauds.tobytes())
    )


def unpack(packed: bytes | None) -> LabelDays:
    """The counts in stored bytes; none in none."""
    if not packed:
        return NONE
    (length,) = _HEADER.unpack_from(packed)
    columns = array("i"), array("I"), array("I")
    start = _HEADER.size
    for column in columns:
        column.frombytes(packed[start : start + 4 * length])
        start += 4 * length
    days, labelled, frauds = columns
    return LabelDays(days=days, labelled=labelled, frauds=frauds)
