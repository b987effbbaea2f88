"""How often what an account received turned out to be fraud: counted label by label, told as a whole. Pure.

This is the features worker's arithmetic. Its counts live in a table that a crash may restore as it
was a moment ago, and its labels may come twice; so a value remembers the last label it counted, by
its place in the log and by its number among the labels of its account, and counts none twice.
"""

import struct
from datetime import UTC, datetime, timedelta

from libs.common.record import Record
from schemas.fraud.events import CreditorRiskUpdated, PaymentLabelled
from services.fraud.domain import label_days
from services.fraud.domain.label_days import LabelDays
from services.fraud.domain.moment import micros_of

WINDOW_DAYS = 30
"""Tumbling windows of a day each, the newest 30 of them: the day of the newest labelled payment and 29 before."""
SEQUENCE_BITS = 40
"""Of a snapshot's version: the rest is the generation, which a recount from the first label raises."""

_HEADER = struct.Struct("<qqqq")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Counted(Record):
    """What is counted of one account's labels."""

    offset: int = -1
    """Where in its partition the last counted label was."""
    sequence: int = 0
    """Its number among the labels of this account."""
    missed_count: int = 0
    """Labels that were never seen, as the gaps in their numbers tell."""
    newest_micros: int = -(2**63)
    """Event time of the newest labelled payment."""
    label_days: LabelDays = label_days.NONE


def count(known: Counted, event: PaymentLabelled, *, offset: int, sequence: int) -> Counted:
    """The counts with one more label; as they were if it is in them already."""
    if offset <= known.offset or sequence <= known.sequence:
        return known
    at_micros = micros_of(event.transacted_at)
    return Counted(
        offset=offset,
        sequence=sequence,
        missed_count=known.missed_count + sequence - known.sequence - 1,
        newest_micros=max(known.newest_micros, at_micros),
        label_days=label_days.relabel(
            known.label_days, day=label_days.day_of(at_micros), before=event.previous_label, after=event.label
        ),
    )


def snapshot(known: Counted, creditor_account_id: str, *, generation: int) -> CreditorRiskUpdated:
    """All that is counted, as an absolute statement that replaces every earlier one."""
    newest_day = label_days.day_of(known.newest_micros)
    counts = label_days.count(known.label_days, after_day=newest_day - WINDOW_DAYS, until_day=newest_day)
    return CreditorRiskUpdated(
        creditor_account_id=creditor_account_id,
        labelled_count=counts.labelled,
        fraud_count=counts.fraud,
        window_days=WINDOW_DAYS,
        version=version(generation, known.sequence),
        as_of=_EPOCH + timedelta(microseconds=known.newest_micros),
    )


def version(generation: int, sequence: int) -> int:
    """A snapshot's version: it grows with every label, and with every recount."""
    return (generation << SEQUENCE_BITS) + sequence


def sequence_of(version: int) -> int:
    """How many labels of its account a snapshot had seen."""
    return version & ((1 << SEQUENCE_BITS) - 1)


def pack(known: Counted) -> bytes:
    """The counts as the bytes that the worker's table stores."""
    header = _HEADER.pack(known.offset, known.sequence, known.missed_count, known.newest_micros)
    return header + label_days.pack(known.label_days)


def unpack(packed: bytes | None) -> Counted:
    """The counts in stored bytes; nothing counted in none."""
    if not packed:
        return Counted()
    offset, sequence, missed_count, newest_micros = _HEADER.unpack_from(packed)
    return Counted(
        offset=offset,
        sequence=sequence,
        missed_count=missed_count,
        newest_micros=newest_micros,
        label_days=label_days.unpack(packed[_HEADER.size :]),
    )
