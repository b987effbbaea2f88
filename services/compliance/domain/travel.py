"""What the travel rule asks to be known about a payment's parties, told after its order. Pure.

    client ─► PaymentDataSupplied ─┐
    desk   ─► SupplyPartyData ─────┼─► what is missing now? ─► ComplianceScreened, which payments goes by
    message that came in ──────────┘

What was told once stands: who tells otherwise is refused, with the field.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.compliance.events import PartyRole
from schemas.payments.events import EncryptedPersonalData, PaymentDataSupplied
from services.compliance.domain import acts, looking_back, screenings
from services.compliance.domain.acts import CaseCommand
from services.compliance.domain.audit import AuditVerb, ObjectKind, Signature
from services.compliance.domain.case import ActKind
from services.compliance.domain.work import Work
from services.compliance.travel.record import (
    SIDES,
    TOLD_MAX,
    Details,
    Telling,
    TravelRecord,
    contradicted,
    merged,
    told_fields,
)


class TravelRefusal(StrEnum):
    """Why what is told is not taken, in order of precedence."""

    PAYMENT_UNKNOWN = "payment_unknown"
    ENCRYPTED = "encrypted"
    TOLD_TOO_OFTEN = "told_too_often"
    NOTHING_TOLD = "nothing_told"
    ALREADY_KNOWN = "already_known"


_IN_WORDS = {
    TravelRefusal.PAYMENT_UNKNOWN: "the travel rule asks nothing about such a payment",
    TravelRefusal.ENCRYPTED: "the parties of this payment are encrypted",
    TravelRefusal.TOLD_TOO_OFTEN: f"at most {TOLD_MAX} times somebody may tell something about one payment",
    TravelRefusal.NOTHING_TOLD: "it tells nothing that is not known",
    TravelRefusal.ALREADY_KNOWN: "it is known otherwise already",
}


class TellDetails(Command):
    """What somebody tells about the parties of a payment, perhaps in a message that came in."""

    payment_id: str
    by: str
    role: str
    """As what: CLIENT or OPERATOR."""
    debtor: Details
    creditor: Details
    message: str | None = None


class SupplyPartyData(CaseCommand):
    """The same, told by a person at the desk on the payment's case."""

    payment_id: str
    debtor: Details
    creditor: Details


def take_supplied(work: Work, event: PaymentDataSupplied, at: datetime) -> Sequence[Event]:
    """Its client has told payments more: what does the law still ask for?"""
    record = work.travel.get(event.payment_id)
    if record is None:
        return []
    return _answer(work, replace(record, order=event.order), at)


def tell(work: Work, command: TellDetails, at: datetime) -> Sequence[Event] | Refusal:
    """A program tells what it knows, or what a message told."""
    record = _told(work, command, command.by, at)
    if isinstance(record, Refusal):
        return record
    told = Signature(actor=command.by, role=command.role).happening(
        at, AuditVerb.DETAILS_TOLD, ObjectKind.PAYMENT, command.payment_id, ", ".join(record.tellings[-1].fields)
    )
    work.audit.append(told)
    return _answer(work, replace(record, message=command.message or record.message), at)


def supply(work: Work, command: SupplyPartyData, at: datetime) -> Sequence[Event] | Refusal:
    """A person at the desk tells what was found out. The case may be nobody's, so that the payment goes on by itself
    when nothing is missing any more; somebody else's it may not be.
    """
    case = acts.open_case(work, command)
    if isinstance(case, Refusal):
        return case
    if case.taken_by not in (None, command.actor):
        return acts.refused(acts.RefusalReason.ALREADY_TAKEN, f"{case.taken_by} has taken the case already")
    if case.payment_id != command.payment_id:
        return _refused(TravelRefusal.PAYMENT_UNKNOWN)
    record = _told(work, command, command.actor, at)
    if isinstance(record, Refusal):
        return record
    if command.version != case.version:
        return acts.refused(acts.RefusalReason.STALE)
    acts.act(work, case, ActKind.DATA_SUPPLIED, command, at, note=", ".join(record.tellings[-1].fields))
    return _answer(work, record, at)


def _told(work: Work, command: TellDetails | SupplyPartyData, by: str, at: datetime) -> TravelRecord | Refusal:
    """The record with what is told, or why it isn't taken."""
    record = work.travel.get(command.payment_id)
    if record is None:
        return _refused(TravelRefusal.PAYMENT_UNKNOWN)
    if isinstance(record.order.personal, EncryptedPersonalData):
        return _refused(TravelRefusal.ENCRYPTED)
    if len(record.tellings) >= TOLD_MAX:
        return _refused(TravelRefusal.TOLD_TOO_OFTEN)
    told = {PartyRole.DEBTOR: command.debtor, PartyRole.CREDITOR: command.creditor}
    fields = tuple(f"{side.value}.{name}" for side in SIDES for name in told_fields(told[side]))
    if not fields:
        return _refused(TravelRefusal.NOTHING_TOLD)
    for side in SIDES:
        known = contradicted(record, side, told[side])
        if known is not None:
            return _refused(TravelRefusal.ALREADY_KNOWN, f"{side.value}.{known}")
    return replace(
        record,
        debtor=merged(record.debtor, command.debtor),
        creditor=merged(record.creditor, command.creditor),
        tellings=(*record.tellings, Telling(by=by, at=at, fields=fields)),
    )


def _answer(work: Work, record: TravelRecord, at: datetime) -> Sequence[Event]:
    work.travel.put(record.payment_id, record)
    known = work.screenings.get(record.payment_id)
    if known is not None and known.settled_at is not None:
        # Payments can do nothing any more: what is found now is for people.
        looking_back.find(work, known, record.order, at)
        return []
    return screenings.look_again(work, record.payment_id, record.order, at)


def _refused(reason: TravelRefusal, field: str | None = None) -> Refusal:
    return Refusal(reason=reason, detail=_IN_WORDS[reason], field=field)
