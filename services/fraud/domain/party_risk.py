"""How an account's payments turned out, paid or received: counted label by label, told as a whole. Pure.

This is the features worker's arithmetic. Its counts live in a table that a crash may restore as it
was a moment ago, and its labels may come twice; so a value remembers the last label it counted, by
its place in the log and by its number among the labels of its party, and counts none twice.
"""

import struct
from datetime import UTC, datetime, timedelta

from libs.common.record import Record
from schemas.fraud.events import (
    DebtorPaymentLabelled,
    Label,
    PartyRiskUpdated,
    PartyRole,
    PaymentLabelled,
)
from services.fraud.domain import fan, label_days
from services.fraud.domain.fan import Fan
from services.fraud.domain.label_days import LabelDays
from services.fraud.domain.moment import micros_of

WINDOW_DAYS = 30
"""Tumbling windows of a day each, the newest 30 of them: the day of the newest labelled payment and 29 before."""
SEQUENCE_BITS = 40
"""Of a snapshot's version: the rest is the generation, which a recount from the first label raises."""

_HEADER = struct.Struct("<qqqqH")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Party(Record):
    """An account in one of its two roles."""

    role: PartyRole
    account_id: str

    @property
    def party_id(self) -> str:
        """What it is known by."""
        return f"{self.role.value}:{self.account_id}"


class PartyLabel(Record):
    """A label, as it concerns one party."""

    party: Party
    counterpart: bytes
    """Who was on the other side of the payment."""
    at_micros: int
    """When that was ordered."""
    before: Label | None
    after: Label


class Counted(Record):
    """What is counted of one party's labels."""

    offset: int = -1
    """Where in its partition the last counted label was."""
    sequence: int = 0
    """Its number among the labels of this party."""
    missed_count: int = 0
    """Labels that were never seen, as the gaps in their numbers tell."""
    newest_micros: int = -(2**63)
    """Event time of the newest labelled payment."""
    label_days: LabelDays = label_days.NONE
    fan: Fan = fan.NONE


def party_label(event: PaymentLabelled | DebtorPaymentLabelled) -> PartyLabel:
    """Whom a label is told for: who was paid, or who paid."""
    role, account_id, counterpart_id = PartyRole.CREDITOR, event.creditor_account_id, event.debtor_account_id
    if isinstance(event, DebtorPaymentLabelled):
        role, account_id, counterpart_id = PartyRole.DEBTOR, counterpart_id, account_id
    return PartyLabel(
        party=Party(role=role, account_id=account_id),
        counterpart=fan.counterpart_of(counterpart_id),
        at_micros=micros_of(event.transacted_at),
        before=event.previous_label,
        after=event.label,
    )


def count(known: Counted, label: PartyLabel, *, offset: int, sequence: int) -> Counted:
    """The counts with one more label; as they were if it is in them already."""
    if offset <= known.offset or sequence <= known.sequence:
        return known
    newest_micros = max(known.newest_micros, label.at_micros)
    day = label_days.day_of(label.at_micros)
    days = label_days.relabel(known.label_days, day=day, before=label.before, after=label.after)
    others = known.fan
    # What is not counted as a fraud has no counterpart either.
    if days is not known.label_days:
        others = fan.relabel(
            others,
            day=day,
            counterpart=label.counterpart,
            before=label.before,
            after=label.after,
            after_day=_window_begins_after(newest_micros),
        )
    return Counted(
        offset=offset,
        sequence=sequence,
        missed_count=known.missed_count + sequence - known.sequence - 1,
        newest_micros=newest_micros,
        label_days=days,
        fan=others,
    )


def snapshot(known: Counted, party: Party, *, generation: int) -> PartyRiskUpdated:
    """All that is counted, as an absolute statement that replaces every earlier one."""
    after_day = _window_begins_after(known.newest_micros)
    counts = label_days.count(known.label_days, after_day=after_day, until_day=after_day + WINDOW_DAYS)
    counterparts = fan.count(known.fan, after_day=after_day)
    return PartyRiskUpdated(
        party_id=party.party_id,
        role=party.role,
        account_id=party.account_id,
        labelled_count=counts.labelled,
        fraud_count=counts.fraud,
        counterpart_count=counterparts.counterparts,
        is_counterpart_count_exact=counterparts.is_exact,
        window_days=WINDOW_DAYS,
        version=version(generation, known.sequence),
        as_of=_EPOCH + timedelta(microseconds=known.newest_micros),
    )


def version(generation: int, sequence: int) -> int:
    """A snapshot's version: it grows with every label, and with every recount."""
    return (generation << SEQUENCE_BITS) + sequence


def sequence_of(version: int) -> int:
    """How many labels of its party a snapshot had seen."""
    return version & ((1 << SEQUENCE_BITS) - 1)


def pack(known: Counted) -> bytes:
    """The counts as the bytes that the worker's table stores."""
    days = label_days.pack(known.label_days)
    header = _HEADER.pack(known.offset, known.sequence, known.missed_count, known.newest_micros, len(days))
    return b"".join((header, days, fan.pack(known.fan)))


def unpack(packed: bytes | None) -> Counted:
    """The counts in stored bytes; nothing counted in none."""
    if not packed:
        return Counted()
    offset, sequence, missed_count, newest_micros, length = _HEADER.unpack_from(packed)
    start = _HEADER.size
    return Counted(
        offset=offset,
        sequence=sequence,
        missed_count=missed_count,
        newest_micros=newest_micros,
        label_days=label_days.unpack(packed[start : start + length]),
        fan=fan.unpack(packed, start + length),
    )


def _window_begins_after(newest_micros: int) -> int:
    return label_days.day_of(newest_micros) - WINDOW_DAYS
