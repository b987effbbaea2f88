"""What people do with a case: one takes it and proposes, another confirms or hands it back. Pure.

Whoever is away does not hold a case up: another takes it over, and a proposal is confirmed or handed back by another
anyway.

Every function refuses first, in the order of RefusalReason, and acts last. The version of the case that
the person has seen comes along: what has changed since then is not decided unseen.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.compliance.events import CaseDecision, CaseResolved, CaseTaken
from services.compliance.domain import customers
from services.compliance.domain.audit import Happening, ObjectKind
from services.compliance.domain.case import ActKind, Case, CaseStatus, Proposal
from services.compliance.domain.people import Role
from services.compliance.domain.work import Work


class RefusalReason(StrEnum):
    """Why an act is refused, in order of precedence."""

    CASE_UNKNOWN = "case_unknown"
    NOTE_MISSING = "note_missing"
    NOT_OPEN = "not_open"
    ALREADY_TAKEN = "already_taken"
    NOT_TAKEN = "not_taken"
    ALREADY_PROPOSED = "already_proposed"
    NOTHING_PROPOSED = "nothing_proposed"
    OWN_PROPOSAL = "own_proposal"
    LISTED_PARTY = "listed_party"
    STALE = "stale"


_IN_WORDS = {
    RefusalReason.CASE_UNKNOWN: "there is no such case",
    RefusalReason.NOTE_MISSING: "a note must say why",
    RefusalReason.NOT_OPEN: "the case has been decided or closed",
    RefusalReason.ALREADY_TAKEN: "someone has taken the case already",
    RefusalReason.NOT_TAKEN: "only the person who has taken the case may do this",
    RefusalReason.ALREADY_PROPOSED: "a decision has been proposed already",
    RefusalReason.NOTHING_PROPOSED: "no decision is proposed",
    RefusalReason.OWN_PROPOSAL: "another person must confirm or return what you have proposed",
    RefusalReason.LISTED_PARTY: "a listed party's money may go neither on nor back",
    RefusalReason.STALE: "the case has changed since you looked at it",
}


class CaseCommand(Command):
    """Something a person wants to do with a case."""

    case_id: str
    actor: str
    role: Role
    version: int
    """The version of the case that the person has seen."""


class TakeCase(CaseCommand):
    """Work on it: from now on it waits for this person."""


class TakeOverCase(CaseCommand):
    """Work on it in the place of the person who has taken it."""

    note: str


class ReleaseCase(CaseCommand):
    """Hand it back to the queue."""

    note: str


class ProposeDecision(CaseCommand):
    decision: CaseDecision
    note: str


class ConfirmDecision(CaseCommand):
    note: str


class ReturnCase(CaseCommand):
    """Disagree with the proposal: the person who made it goes on."""

    note: str


def take(work: Work, command: TakeCase, at: datetime) -> Sequence[Event] | Refusal:
    """A person works on a case."""
    case = _open_case(work, command)
    if isinstance(case, Refusal):
        return case
    if case.taken_by is not None:
        return _refusal(RefusalReason.ALREADY_TAKEN, f"{case.taken_by} has taken the case already")
    if command.version != case.version:
        return _refusal(RefusalReason.STALE)
    taken = replace(case, status=CaseStatus.TAKEN, taken_by=command.actor)
    _act(work, taken, ActKind.TAKEN, command, at)
    return [_taken(taken, command.actor, at)]


def take_over(work: Work, command: TakeOverCase, at: datetime) -> Sequence[Event] | Refusal:
    """Another person goes on with a case on which nothing is proposed yet."""
    case = _open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if case.taken_by == command.actor:
        return _refusal(RefusalReason.ALREADY_TAKEN, "you have taken the case already")
    if case.taken_by is None:
        return _refusal(RefusalReason.NOT_TAKEN, "nobody has taken the case")
    if case.status is CaseStatus.PROPOSED:
        return _refusal(RefusalReason.ALREADY_PROPOSED)
    if command.version != case.version:
        return _refusal(RefusalReason.STALE)
    taken = replace(case, taken_by=command.actor)
    _act(work, taken, ActKind.TAKEN_OVER, command, at, note=command.note.strip(), taken_from=case.taken_by)
    return [_taken(taken, command.actor, at)]


def release(work: Work, command: ReleaseCase, at: datetime) -> Sequence[Event] | Refusal:
    """Put a case back, for someone else to take."""
    case = _open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if case.taken_by != command.actor:
        return _refusal(RefusalReason.NOT_TAKEN)
    if case.status is CaseStatus.PROPOSED:
        return _refusal(RefusalReason.ALREADY_PROPOSED)
    if command.version != case.version:
        return _refusal(RefusalReason.STALE)
    released = replace(case, status=CaseStatus.OPEN, taken_by=None)
    _act(work, released, ActKind.RELEASED, command, at, note=command.note)
    return []


def propose(work: Work, command: ProposeDecision, at: datetime) -> Sequence[Event] | Refusal:
    """The person who has taken a case says what should be done, and why."""
    case = _open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if case.taken_by != command.actor:
        return _refusal(RefusalReason.NOT_TAKEN)
    if case.status is CaseStatus.PROPOSED:
        return _refusal(RefusalReason.ALREADY_PROPOSED)
    if not case.may_end_in(command.decision):
        return _refusal(RefusalReason.LISTED_PARTY)
    if command.version != case.version:
        return _refusal(RefusalReason.STALE)
    proposal = Proposal(decision=command.decision, proposed_by=command.actor, note=command.note.strip(), proposed_at=at)
    proposed = replace(case, status=CaseStatus.PROPOSED, proposal=proposal)
    _act(work, proposed, ActKind.PROPOSED, command, at, decision=command.decision, note=proposal.note)
    return []


def confirm(work: Work, command: ConfirmDecision, at: datetime) -> Sequence[Event] | Refusal:
    """A second person agrees: the decision stands."""
    case = _open_case(work, command)
    if isinstance(case, Refusal):
        return case
    if case.proposal is None:
        return _refusal(RefusalReason.NOTHING_PROPOSED)
    if case.proposal.proposed_by == command.actor:
        return _refusal(RefusalReason.OWN_PROPOSAL)
    if not case.may_end_in(case.proposal.decision):
        return _refusal(RefusalReason.LISTED_PARTY)
    if command.version != case.version:
        return _refusal(RefusalReason.STALE)
    decision, proposed_by = case.proposal.decision, case.proposal.proposed_by
    resolved = replace(case, status=CaseStatus.RESOLVED, decision=decision, ended_at=at)
    resolved = _act(work, resolved, ActKind.CONFIRMED, command, at, decision=decision, note=command.note.strip())
    return [
        CaseResolved(
            case_id=case.case_id,
            partition_key=case.partition_key,
            payment_id=case.payment_id,
            customer_id=case.customer_id,
            decision=decision,
            concerns=case.concerns,
            proposed_by=proposed_by,
            confirmed_by=command.actor,
            evidence_at=case.told_at,
            resolved_at=at,
        ),
        *customers.resolve(work, resolved, decision, at),
    ]


def send_back(work: Work, command: ReturnCase, at: datetime) -> Sequence[Event] | Refusal:
    """A second person disagrees: the first goes on."""
    case = _open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if case.proposal is None:
        return _refusal(RefusalReason.NOTHING_PROPOSED)
    if case.proposal.proposed_by == command.actor:
        return _refusal(RefusalReason.OWN_PROPOSAL)
    if command.version != case.version:
        return _refusal(RefusalReason.STALE)
    returned = replace(case, status=CaseStatus.TAKEN, proposal=None)
    _act(work, returned, ActKind.RETURNED, command, at, note=command.note.strip())
    return []


def _open_case(work: Work, command: CaseCommand, *, note: str | None = None) -> Case | Refusal:
    """The case that people are still to decide. Where a note is asked for, it must say something."""
    case = work.cases.get(command.case_id)
    if case is None or case.opened_at is None:
        return _refusal(RefusalReason.CASE_UNKNOWN)
    if note is not None and not note.strip():
        return _refusal(RefusalReason.NOTE_MISSING)
    if case.has_ended:
        return _refusal(RefusalReason.NOT_OPEN)
    return case


def _act(
    work: Work,
    case: Case,
    kind: ActKind,
    command: CaseCommand,
    at: datetime,
    *,
    decision: CaseDecision | None = None,
    note: str = "",
    taken_from: str | None = None,
) -> Case:
    """Put a case as a person has left it, with what they did, in its timeline and in the audit log."""
    case = work.act(case, kind, command.actor, at, decision=decision, note=note, taken_from=taken_from)
    said = (f"act {case.version}", decision and decision.value, taken_from and f"from {taken_from}", note)
    work.audit.append(
        Happening(
            at=at,
            actor=command.actor,
            role=command.role.value,
            verb=kind.value,
            object_kind=ObjectKind.CASE,
            object_id=case.case_id,
            details="; ".join(part for part in said if part),
        )
    )
    return case


def _taken(case: Case, person: str, at: datetime) -> CaseTaken:
    return CaseTaken(
        case_id=case.case_id,
        partition_key=case.partition_key,
        payment_id=case.payment_id,
        customer_id=case.customer_id,
        taken_by=person,
        taken_at=at,
    )


def _refusal(reason: RefusalReason, detail: str | None = None) -> Refusal:
    field = "note" if reason is RefusalReason.NOTE_MISSING else None
    return Refusal(reason=reason, detail=detail or _IN_WORDS[reason], field=field)
