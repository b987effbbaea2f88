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
from services.compliance.domain.people import Role, is_up_to
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
    DATA_MISSING = "data_missing"
    ESCALATED = "escalated"
    NOT_HIGHER = "not_higher"
    ASSIGNEE_UNFIT = "assignee_unfit"
    SNOOZE_OUT_OF_RANGE = "snooze_out_of_range"
    TASK_UNKNOWN = "task_unknown"
    FILE_UNFIT = "file_unfit"
    PAYMENT_UNFIT = "payment_unfit"
    LINK_UNKNOWN = "link_unknown"
    NOT_ALIKE = "not_alike"
    NOT_ENDED = "not_ended"
    CUSTOMER_CLOSED = "customer_closed"
    NOTHING_WAITS = "nothing_waits"
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
    RefusalReason.DATA_MISSING: "the law asks for data about the parties that are not there",
    RefusalReason.ESCALATED: "the case was passed up, to people of a higher role",
    RefusalReason.NOT_HIGHER: "a case is passed up to a higher role only",
    RefusalReason.ASSIGNEE_UNFIT: "there is nobody of that name who works on cases passed up so far",
    RefusalReason.SNOOZE_OUT_OF_RANGE: "a case comes back after now, before it is decided by itself, within 30 days",
    RefusalReason.TASK_UNKNOWN: "there is no such task that is not done",
    RefusalReason.NOT_ENDED: "the case has not ended",
    RefusalReason.CUSTOMER_CLOSED: "the customer is served no more",
    RefusalReason.FILE_UNFIT: "a file is a PDF, PNG, JPEG, text or CSV, as its name says, 5 MB at most; 50 in a case",
    RefusalReason.PAYMENT_UNFIT: "a payment is linked once, must be screened here and not the case's own; 50 in a case",
    RefusalReason.LINK_UNKNOWN: "no such payment is linked",
    RefusalReason.NOT_ALIKE: "the cases don't have the same reasons, with the same hits, scenarios or signs of fraud",
    RefusalReason.NOTHING_WAITS: "no case waits for anybody",
    RefusalReason.STALE: "the case has changed since you looked at it",
}


class DeskCommand(Command):
    """Something a person wants."""

    actor: str
    role: Role


class CaseCommand(DeskCommand):
    """Something a person wants to do with a case."""

    case_id: str
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
    case = open_case(work, command)
    if isinstance(case, Refusal):
        return case
    if case.taken_by is not None:
        return refused(RefusalReason.ALREADY_TAKEN, f"{case.taken_by} has taken the case already")
    if not is_up_to(command.role, case.escalated_to):
        return refused(RefusalReason.ESCALATED)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    return hand_to(work, case, ActKind.TAKEN, command, at, to=command.actor)


def take_over(work: Work, command: TakeOverCase, at: datetime) -> Sequence[Event] | Refusal:
    """Another person goes on with a case on which nothing is proposed yet."""
    case = open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if case.taken_by == command.actor:
        return refused(RefusalReason.ALREADY_TAKEN, "you have taken the case already")
    if case.taken_by is None:
        return refused(RefusalReason.NOT_TAKEN, "nobody has taken the case")
    if case.status is CaseStatus.PROPOSED:
        return refused(RefusalReason.ALREADY_PROPOSED)
    if not is_up_to(command.role, case.escalated_to):
        return refused(RefusalReason.ESCALATED)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    return hand_to(work, case, ActKind.TAKEN_OVER, command, at, to=command.actor, note=command.note)


def release(work: Work, command: ReleaseCase, at: datetime) -> Sequence[Event] | Refusal:
    """Put a case back, for someone else to take."""
    case = own_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    released = replace(case, status=CaseStatus.OPEN, taken_by=None, snoozed_until=None)
    act(work, released, ActKind.RELEASED, command, at, note=command.note)
    return []


def propose(work: Work, command: ProposeDecision, at: datetime) -> Sequence[Event] | Refusal:
    """The person who has taken a case says what should be done, and why."""
    case = own_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if not case.may_end_in(command.decision):
        return refused(why_not(case))
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    proposal = Proposal(decision=command.decision, proposed_by=command.actor, note=command.note.strip(), proposed_at=at)
    proposed = replace(case, status=CaseStatus.PROPOSED, proposal=proposal, snoozed_until=None)
    act(work, proposed, ActKind.PROPOSED, command, at, decision=command.decision, note=proposal.note)
    return []


def confirm(work: Work, command: ConfirmDecision, at: datetime) -> Sequence[Event] | Refusal:
    """A second person agrees: the decision stands."""
    case = open_case(work, command)
    if isinstance(case, Refusal):
        return case
    if case.proposal is None:
        return refused(RefusalReason.NOTHING_PROPOSED)
    if case.proposal.proposed_by == command.actor:
        return refused(RefusalReason.OWN_PROPOSAL)
    if not case.may_end_in(case.proposal.decision):
        return refused(why_not(case))
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    decision, proposed_by = case.proposal.decision, case.proposal.proposed_by
    refuses = decision is CaseDecision.REJECT and not case.is_second_look
    resolved = replace(
        case,
        status=CaseStatus.RESOLVED,
        decision=decision,
        refused_at=at if refuses else case.refused_at,
        ended_at=at,
    )
    resolved = act(work, resolved, ActKind.CONFIRMED, command, at, decision=decision, note=command.note.strip())
    if case.is_second_look:
        # Nobody waits for it: what it was about has ended.
        return []
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
    case = open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if case.proposal is None:
        return refused(RefusalReason.NOTHING_PROPOSED)
    if case.proposal.proposed_by == command.actor:
        return refused(RefusalReason.OWN_PROPOSAL)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    returned = replace(case, status=CaseStatus.TAKEN, proposal=None)
    act(work, returned, ActKind.RETURNED, command, at, note=command.note.strip())
    return []


def open_case(work: Work, command: CaseCommand, *, note: str | None = None) -> Case | Refusal:
    """The case that people are still to decide. Where a note is asked for, it must say something."""
    case = work.cases.get(command.case_id)
    if case is None or case.opened_at is None:
        return refused(RefusalReason.CASE_UNKNOWN)
    if note is not None and not note.strip():
        return refused(RefusalReason.NOTE_MISSING)
    if case.has_ended:
        return refused(RefusalReason.NOT_OPEN)
    return case


def own_case(work: Work, command: CaseCommand, *, note: str) -> Case | Refusal:
    """The same, if this person has it and has proposed nothing yet."""
    case = open_case(work, command, note=note)
    if isinstance(case, Refusal):
        return case
    if case.taken_by != command.actor:
        return refused(RefusalReason.NOT_TAKEN)
    if case.status is CaseStatus.PROPOSED:
        return refused(RefusalReason.ALREADY_PROPOSED)
    return case


def why_not(case: Case) -> RefusalReason:
    """Why a case may not end in a decision."""
    return RefusalReason.LISTED_PARTY if case.is_about_listed_party else RefusalReason.DATA_MISSING


def act(
    work: Work,
    case: Case,
    kind: ActKind,
    command: DeskCommand,
    at: datetime,
    *,
    decision: CaseDecision | None = None,
    note: str = "",
    taken_from: str | None = None,
) -> Case:
    """Put a case as a person has left it, with what they did, in its timeline and in the audit log."""
    case = work.act(case, kind, command.actor, at, decision=decision, note=note, taken_from=taken_from)
    said = (f"act {case.version}", decision and decision.value, taken_from and f"from {taken_from}", note)
    put_down(work, command, at, kind.value, ObjectKind.CASE, case.case_id, said)
    return case


def put_down(
    work: Work,
    command: DeskCommand,
    at: datetime,
    verb: str,
    kind: ObjectKind,
    object_id: str,
    said: Sequence[str | None],
) -> None:
    """Put what a person did into the audit log, with as much of what was said as there is."""
    work.audit.append(
        Happening(
            at=at,
            actor=command.actor,
            role=command.role.value,
            verb=verb,
            object_kind=kind,
            object_id=object_id,
            details="; ".join(part for part in said if part),
        )
    )


def hand_to(
    work: Work, case: Case, kind: ActKind, command: DeskCommand, at: datetime, *, to: str, note: str = ""
) -> Sequence[Event]:
    """Have a case wait for one person, awake."""
    taken = replace(case, status=CaseStatus.TAKEN, taken_by=to, snoozed_until=None)
    act(work, taken, kind, command, at, note=note.strip(), taken_from=case.taken_by)
    if case.is_second_look:
        return []
    return [
        CaseTaken(
            case_id=case.case_id,
            partition_key=case.partition_key,
            payment_id=case.payment_id,
            customer_id=case.customer_id,
            taken_by=to,
            taken_at=at,
        )
    ]


def refused(reason: RefusalReason, detail: str | None = None) -> Refusal:
    field = "note" if reason is RefusalReason.NOTE_MISSING else None
    return Refusal(reason=reason, detail=detail or _IN_WORDS[reason], field=field)
