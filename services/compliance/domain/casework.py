"""What people do with cases besides deciding them: share them out, write down, put off, pass up, look again. Pure.

Like `acts`: every function refuses first, and acts last. None of this decides anything about a payment or a customer
but `reopen`, which takes back what two people have decided about a customer until two have decided anew.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from services.compliance.domain import customers
from services.compliance.domain.acts import (
    CaseCommand,
    DeskCommand,
    RefusalReason,
    act,
    hand_to,
    open_case,
    own_case,
    refused,
)
from services.compliance.domain.case import SYSTEM, ActKind, Case, CaseStatus, LinkedPayment, Task
from services.compliance.domain.cases import opened
from services.compliance.domain.people import Role, is_up_to, rank_of
from services.compliance.domain.work import CustomerStatus, Handed, Work

SNOOZE_MAX = timedelta(days=30)
LINKED_MAX = 50


class NextCase(DeskCommand):
    """Any case that waits for somebody like this person, the most urgent one."""

    request_id: str
    """By which the answer finds the case that was given."""


class AssignCase(CaseCommand):
    """Have another person work on it."""

    assignee: str
    note: str


class AddNote(CaseCommand):
    note: str


class AddTask(CaseCommand):
    """Something to be done; the note says what."""

    note: str


class FinishTask(CaseCommand):
    task: int


class LinkPayment(CaseCommand):
    """Keep another payment with a case."""

    payment_id: str
    note: str


class UnlinkPayment(CaseCommand):
    """Say that a linked payment does not belong there."""

    payment_id: str
    note: str


class SnoozeCase(CaseCommand):
    """Put it off: it is in nobody's way until then."""

    until: datetime
    note: str


class EscalateCase(CaseCommand):
    """Pass it up: from now on it waits for somebody of that role, or a higher one."""

    to: Role
    note: str


class ReopenCase(CaseCommand):
    """Have an ended case looked at once more."""

    note: str


class WakeCase(Command):
    """The time that a case was put off for is over."""

    case_id: str


def hand_out(work: Work, command: NextCase, at: datetime) -> Sequence[Event] | Refusal:
    """Give somebody the most urgent case that nobody has. It is taken then, for all others of the batch too."""
    for case_id in work.offered:
        case = work.cases[case_id]
        if case.status is CaseStatus.OPEN and is_up_to(command.role, case.escalated_to):
            work.handed.append(Handed(request_id=command.request_id, case_id=case_id))
            return hand_to(work, case, ActKind.TAKEN, command, at, to=command.actor)
    return refused(RefusalReason.NOTHING_WAITS)


def assign(work: Work, command: AssignCase, at: datetime) -> Sequence[Event] | Refusal:
    """A supervisor says who works on a case on which nothing is proposed yet."""
    case = open_case(work, command)
    if isinstance(case, Refusal):
        return case
    if case.taken_by == command.assignee:
        return refused(RefusalReason.ALREADY_TAKEN, f"{command.assignee} has taken the case already")
    if case.status is CaseStatus.PROPOSED:
        return refused(RefusalReason.ALREADY_PROPOSED)
    role = work.workers.get(command.assignee)
    if role is None or not is_up_to(role, case.escalated_to):
        return refused(RefusalReason.ASSIGNEE_UNFIT)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    note = f"to {command.assignee}\n{command.note}"
    return hand_to(work, case, ActKind.ASSIGNED, command, at, to=command.assignee, note=note)


def add_note(work: Work, command: AddNote, at: datetime) -> Sequence[Event] | Refusal:
    """Anybody who works on cases writes down what others should know. Nobody confirms without having seen it."""
    case = open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    act(work, case, ActKind.NOTED, command, at, note=command.note.strip())
    return []


def add_task(work: Work, command: AddTask, at: datetime) -> Sequence[Event] | Refusal:
    """Write down what is to be done about a case."""
    case = open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    task = Task(number=len(case.tasks) + 1, title=command.note.strip(), added_by=command.actor)
    act(work, replace(case, tasks=(*case.tasks, task)), ActKind.TASK_ADDED, command, at, note=task.title)
    return []


def finish_task(work: Work, command: FinishTask, at: datetime) -> Sequence[Event] | Refusal:
    """Say that something is done."""
    case = open_case(work, command)
    if isinstance(case, Refusal):
        return case
    found = next((task for task in case.tasks if task.number == command.task and task.done_at is None), None)
    if found is None:
        return refused(RefusalReason.TASK_UNKNOWN)
    done = replace(found, done_by=command.actor, done_at=at)
    tasks = tuple(done if task.number == command.task else task for task in case.tasks)
    act(work, replace(case, tasks=tasks), ActKind.TASK_DONE, command, at, note=found.title)
    return []


def link_payment(work: Work, command: LinkPayment, at: datetime) -> Sequence[Event] | Refusal:
    """Anybody who works on cases links payments that have to do with one. Nothing is decided about those."""
    case = open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    linked = {other.payment_id for other in case.linked}
    is_fit = command.payment_id in work.screenings and command.payment_id not in {case.payment_id, *linked}
    if not is_fit or len(linked) >= LINKED_MAX:
        return refused(RefusalReason.PAYMENT_UNFIT)
    one = LinkedPayment(payment_id=command.payment_id, note=command.note.strip(), linked_by=command.actor, linked_at=at)
    note = f"{one.payment_id}\n{one.note}"
    act(work, replace(case, linked=(*case.linked, one)), ActKind.PAYMENT_LINKED, command, at, note=note)
    return []


def unlink_payment(work: Work, command: UnlinkPayment, at: datetime) -> Sequence[Event] | Refusal:
    """Take a payment that was linked by mistake from a case. The timeline keeps both."""
    case = open_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    left = tuple(other for other in case.linked if other.payment_id != command.payment_id)
    if len(left) == len(case.linked):
        return refused(RefusalReason.LINK_UNKNOWN)
    note = f"{command.payment_id}\n{command.note.strip()}"
    act(work, replace(case, linked=left), ActKind.PAYMENT_UNLINKED, command, at, note=note)
    return []


def snooze(work: Work, command: SnoozeCase, at: datetime) -> Sequence[Event] | Refusal:
    """The person who has a case puts it off. Its clock goes on."""
    case = own_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if not at < command.until <= _snooze_end(case, at):
        return refused(RefusalReason.SNOOZE_OUT_OF_RANGE)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    note = f"until {command.until:%Y-%m-%d %H:%M} UTC\n{command.note.strip()}"
    act(work, replace(case, snoozed_until=command.until), ActKind.SNOOZED, command, at, note=note)
    return []


def wake(work: Work, command: WakeCase, at: datetime) -> Sequence[Event]:
    """A case that was put off is back."""
    case = work.cases.get(command.case_id)
    if case is None or case.snoozed_until is None or case.snoozed_until > at:
        return []
    work.act(replace(case, snoozed_until=None), ActKind.AWAKENED, SYSTEM, at)
    return []


def escalate(work: Work, command: EscalateCase, at: datetime) -> Sequence[Event] | Refusal:
    """The person who has a case passes it up."""
    case = own_case(work, command, note=command.note)
    if isinstance(case, Refusal):
        return case
    if rank_of(command.to) <= rank_of(command.role):
        return refused(RefusalReason.NOT_HIGHER)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    passed = replace(case, status=CaseStatus.OPEN, taken_by=None, snoozed_until=None, escalated_to=command.to)
    act(work, passed, ActKind.ESCALATED, command, at, note=f"to {command.to.value}\n{command.note.strip()}")
    return []


def reopen(work: Work, command: ReopenCase, at: datetime) -> Sequence[Event] | Refusal:
    """A supervisor has an ended case looked at once more.

    A customer's is open as it was before: until two people have decided anew, nothing stands. What became of a payment
    can't be taken back: its case is looked at a second time without effect, and only what people think now is kept.
    """
    case = work.cases.get(command.case_id)
    if case is None or case.opened_at is None:
        return refused(RefusalReason.CASE_UNKNOWN)
    if not command.note.strip():
        return refused(RefusalReason.NOTE_MISSING)
    if not case.has_ended:
        return refused(RefusalReason.NOT_ENDED)
    if case.customer_id is not None and work.customers[case.customer_id].status is CustomerStatus.CLOSED:
        return refused(RefusalReason.CUSTOMER_CLOSED)
    if command.version != case.version:
        return refused(RefusalReason.STALE)
    is_payment = case.payment_id is not None
    waiting = replace(
        case,
        status=CaseStatus.OPEN,
        waiting_since=at,
        decide_by=case.decide_by if is_payment else at + work.policy.review_customers_within,
        escalated_to=None,
        is_second_look=is_payment,
        taken_by=None,
        proposal=None,
        decision=None,
        ended_at=None,
    )
    waiting = act(work, waiting, ActKind.DOUBTED, command, at, note=command.note.strip())
    if is_payment:
        return []
    return [opened(waiting, at), *customers.doubt(work, waiting, at)]


def _snooze_end(case: Case, at: datetime) -> datetime:
    """Until when a case may be put off: nobody sleeps through what time decides."""
    if case.decide_by is None or case.is_second_look:
        return at + SNOOZE_MAX
    return min(at + SNOOZE_MAX, case.decide_by)
