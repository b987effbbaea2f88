"""What people do with cases, carried out in the one shape like every other command."""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import msgspec

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.card_numbers import has_card_number
from libs.common.fields import CARD_NUMBER_FAULT
from libs.common.idempotency import Answer
from libs.common.message import Trace
from libs.common.problems import Problem
from libs.common.record import Record, replace
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance.desk.sessions import DeskSession
from services.compliance.desk.submitting import Submission, submit
from services.compliance.domain.acts import (
    CaseCommand,
    ConfirmDecision,
    DeskCommand,
    ProposeDecision,
    RefusalReason,
    ReleaseCase,
    ReturnCase,
    TakeCase,
    TakeOverCase,
)
from services.compliance.domain.alike import ALIKE_MAX, AlikeCommand, ConfirmAlike, ProposeAlike, SeenCase
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.case import NOTE_LENGTH_MAX, Case
from services.compliance.domain.casework import (
    AddNote,
    AddTask,
    AssignCase,
    EscalateCase,
    FinishTask,
    LinkPayment,
    NextCase,
    ReopenCase,
    SnoozeCase,
    UnlinkPayment,
)
from services.compliance.domain.evidence import AddFile
from services.compliance.domain.people import Permission, Role
from services.compliance.domain.searching import id_in
from services.compliance.domain.work import Work


class Verb(StrEnum):
    """What can be done with a case."""

    TAKE = "take"
    TAKE_OVER = "take-over"
    RELEASE = "release"
    PROPOSE = "propose"
    CONFIRM = "confirm"
    RETURN = "return"
    ASSIGN = "assign"
    NOTE = "note"
    ADD_TASK = "add-task"
    FINISH_TASK = "finish-task"
    LINK_PAYMENT = "link-payment"
    UNLINK_PAYMENT = "unlink-payment"
    SNOOZE = "snooze"
    ESCALATE = "escalate"
    REOPEN = "reopen"


PERMISSIONS = {
    Verb.TAKE: Permission.WORK_CASES,
    Verb.TAKE_OVER: Permission.WORK_CASES,
    Verb.RELEASE: Permission.WORK_CASES,
    Verb.PROPOSE: Permission.WORK_CASES,
    Verb.CONFIRM: Permission.CONFIRM,
    Verb.RETURN: Permission.CONFIRM,
    Verb.ASSIGN: Permission.ASSIGN,
    Verb.NOTE: Permission.WORK_CASES,
    Verb.ADD_TASK: Permission.WORK_CASES,
    Verb.FINISH_TASK: Permission.WORK_CASES,
    Verb.LINK_PAYMENT: Permission.WORK_CASES,
    Verb.UNLINK_PAYMENT: Permission.WORK_CASES,
    Verb.SNOOZE: Permission.WORK_CASES,
    Verb.ESCALATE: Permission.WORK_CASES,
    Verb.REOPEN: Permission.REOPEN,
}
"""What asking for each takes."""

DECISIONS = (CaseDecision.APPROVE, CaseDecision.REJECT, CaseDecision.BLOCK)
"""What can be decided."""

_STATUS = {
    RefusalReason.CASE_UNKNOWN: HTTPStatus.NOT_FOUND,
    RefusalReason.NOTE_MISSING: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.ASSIGNEE_UNFIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.FILE_UNFIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.PAYMENT_UNFIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalReason.SNOOZE_OUT_OF_RANGE: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Asked(Record):
    """What someone wants to do with a case, as far as the verb needs it."""

    version: int
    """The version of the case that was seen."""
    note: str = ""
    decision: CaseDecision | None = None
    assignee: str = ""
    until: datetime | None = None
    to: Role | None = None
    task: int = 0
    payment_id: str = ""


def _snoozed(about: dict[str, Any], asked: Asked) -> CaseCommand:
    if asked.until is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "until_missing", "say until when", field="until")
    return SnoozeCase(**about, until=asked.until, note=asked.note)


def _escalated(about: dict[str, Any], asked: Asked) -> CaseCommand:
    if asked.to is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "role_missing", "say to which role", field="to")
    return EscalateCase(**about, to=asked.to, note=asked.note)


def _linked(command: type[LinkPayment] | type[UnlinkPayment]) -> Callable[[dict[str, Any], Asked], CaseCommand]:
    def linked(about: dict[str, Any], asked: Asked) -> CaseCommand:
        payment_id = id_in(asked.payment_id)
        if payment_id is None:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "payment_id_invalid", "give a payment's whole id", field="payment_id"
            )
        return command(**about, payment_id=payment_id, note=asked.note)

    return linked


def _decision_missing() -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "decision_missing", "say what should be done", field="decision")


def _proposal(about: dict[str, Any], asked: Asked) -> CaseCommand:
    if asked.decision not in DECISIONS:
        raise _decision_missing()
    return ProposeDecision(**about, decision=asked.decision, note=asked.note)


_COMMANDS: dict[Verb, Callable[[dict[str, Any], Asked], CaseCommand]] = {
    Verb.TAKE: lambda about, _: TakeCase(**about),
    Verb.TAKE_OVER: lambda about, asked: TakeOverCase(**about, note=asked.note),
    Verb.RELEASE: lambda about, asked: ReleaseCase(**about, note=asked.note),
    Verb.PROPOSE: _proposal,
    Verb.CONFIRM: lambda about, asked: ConfirmDecision(**about, note=asked.note),
    Verb.RETURN: lambda about, asked: ReturnCase(**about, note=asked.note),
    Verb.ASSIGN: lambda about, asked: AssignCase(**about, assignee=asked.assignee, note=asked.note),
    Verb.NOTE: lambda about, asked: AddNote(**about, note=asked.note),
    Verb.ADD_TASK: lambda about, asked: AddTask(**about, note=asked.note),
    Verb.FINISH_TASK: lambda about, asked: FinishTask(**about, task=asked.task),
    Verb.LINK_PAYMENT: _linked(LinkPayment),
    Verb.UNLINK_PAYMENT: _linked(UnlinkPayment),
    Verb.SNOOZE: _snoozed,
    Verb.ESCALATE: _escalated,
    Verb.REOPEN: lambda about, asked: ReopenCase(**about, note=asked.note),
}


class CaseActs:
    """Carries out what people want to do with cases."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def carry_out(
        self, verb: Verb, case_id: str, asked: Asked, *, by: DeskSession, key: str, trace: Trace
    ) -> Answer:
        """Do it, or be told why not. The same request with the same key is done once.

        Raises Problem, and as the edge.
        """
        asked = replace(asked, note=_note(asked.note))
        about = {**by.signature, "case_id": case_id, "version": asked.version}
        command = _COMMANDS[verb](about, asked)

        def done(work: Work) -> Case:
            return work.cases[case_id]

        route = f"cases/{case_id}/{verb}"
        return await self._submit(route, case_id, command, done, msgspec.json.encode(command), by, key, trace)

    async def next_case(self, *, by: DeskSession, key: str, trace: Trace) -> Answer:
        """Give a person the most urgent case that nobody has. The same key gives the same case."""
        request_id = ids.new()
        command = NextCase(**by.signature, request_id=request_id)

        def done(work: Work) -> Case:
            return next(work.cases[given.case_id] for given in work.handed if given.request_id == request_id)

        return await self._submit("next", "", command, done, b"", by, key, trace)

    async def add_file(
        self,
        case_id: str,
        name: str,
        content: bytes,
        *,
        version: int,
        note: str,
        by: DeskSession,
        key: str,
        trace: Trace,
    ) -> Answer:
        """Keep a file with a case. Raises as `carry_out`."""
        command = AddFile(
            case_id=case_id,
            **by.signature,
            version=version,
            name=name.replace("\\", "/").rpartition("/")[2],
            content=content,
            note=_note(note),
        )

        def done(work: Work) -> Case:
            return work.cases[case_id]

        route = f"files/{case_id}"
        return await self._submit(route, case_id, command, done, msgspec.json.encode(command), by, key, trace)

    async def carry_out_alike(
        self,
        verb: Verb,
        seen: Sequence[SeenCase],
        *,
        note: str,
        decision: CaseDecision | None,
        by: DeskSession,
        key: str,
        trace: Trace,
    ) -> Answer:
        """Propose the same for cases that are alike, or confirm it for all of them. Raises as `carry_out`."""
        if not 0 < len(seen) <= ALIKE_MAX:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "cases_missing", f"choose 1 to {ALIKE_MAX} cases", field="cases"
            )
        about: dict[str, Any] = {**by.signature, "cases": tuple(seen), "note": _note(note)}
        command: AlikeCommand
        if verb is Verb.CONFIRM:
            command = ConfirmAlike(**about)
        elif decision in DECISIONS:
            command = ProposeAlike(**about, decision=decision)
        else:
            raise _decision_missing()

        def done(work: Work) -> Case:
            return work.cases[seen[0].case_id]

        route = f"alike/{verb}"
        return await self._submit(route, seen[0].case_id, command, done, msgspec.json.encode(command), by, key, trace)

    async def _submit(
        self,
        route: str,
        object_id: str,
        command: DeskCommand,
        done: Callable[[Work], Case],
        body: bytes,
        by: DeskSession,
        key: str,
        trace: Trace,
    ) -> Answer:
        submission = Submission(
            route=route,
            command=command,
            body=body,
            done=lambda work: _told(done(work)),
            problem=_problem,
            kind=ObjectKind.CASE,
            object_id=object_id,
            asked=f"{route}: ",
        )
        return await submit(self._runtime, submission, by=by, key=key, trace=trace)


def _told(case: Case) -> dict[str, str | int]:
    return {"case_id": case.case_id, "status": case.status.value, "version": case.version}


def _note(note: str) -> str:
    """A note as it is kept. Raises Problem for one that can't be."""
    if len(note) > NOTE_LENGTH_MAX:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "note_too_long", f"at most {NOTE_LENGTH_MAX} characters", field="note"
        )
    if has_card_number(note):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "card_number", CARD_NUMBER_FAULT, field="note")
    if not all(map(_may_be_written, note)):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "control_characters", "must not contain control characters", field="note"
        )
    return note.replace("\r\n", "\n").strip()


def _may_be_written(character: str) -> bool:
    # What turns text around may be pasted into a note; pages show it as what it is.
    return character in "\n\r\t" or unicodedata.category(character) not in ("Cc", "Cs")


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS.get(RefusalReason(refusal.reason), HTTPStatus.CONFLICT)
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)
