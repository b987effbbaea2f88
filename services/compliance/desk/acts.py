"""What people do with cases, carried out in the one shape like every other command."""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.http import Problem, answer_json, answer_problem
from libs.common.idempotency import Answer, RequestKey
from libs.common.message import Command, Message, Trace
from libs.common.record import Record, replace
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance.desk.sessions import DeskSession
from services.compliance.domain.acts import (
    CaseCommand,
    ConfirmDecision,
    ProposeDecision,
    RefusalReason,
    ReleaseCase,
    ReturnCase,
    TakeCase,
    TakeOverCase,
)
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.case import NOTE_LENGTH_MAX, Case
from services.compliance.domain.people import Permission
from services.compliance.domain.work import Work
from services.compliance.store import audit


class Verb(StrEnum):
    """What can be done with a case."""

    TAKE = "take"
    TAKE_OVER = "take-over"
    RELEASE = "release"
    PROPOSE = "propose"
    CONFIRM = "confirm"
    RETURN = "return"


PERMISSIONS = {
    Verb.TAKE: Permission.WORK_CASES,
    Verb.TAKE_OVER: Permission.WORK_CASES,
    Verb.RELEASE: Permission.WORK_CASES,
    Verb.PROPOSE: Permission.WORK_CASES,
    Verb.CONFIRM: Permission.CONFIRM,
    Verb.RETURN: Permission.CONFIRM,
}
"""What asking for each takes."""

DECISIONS = (CaseDecision.APPROVE, CaseDecision.REJECT, CaseDecision.BLOCK)
"""What can be decided."""

_STATUS = {
    RefusalReason.CASE_UNKNOWN: HTTPStatus.NOT_FOUND,
    RefusalReason.NOTE_MISSING: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Asked(Record):
    """What someone wants to do with a case, as far as the verb needs it."""

    version: int
    """The version of the case that was seen."""
    note: str = ""
    decision: CaseDecision | None = None


def _proposal(about: dict[str, Any], asked: Asked) -> CaseCommand:
    if asked.decision not in DECISIONS:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "decision_missing", "choose approve, reject or block", field="decision"
        )
    return ProposeDecision(**about, decision=asked.decision, note=asked.note)


_COMMANDS: dict[Verb, Callable[[dict[str, Any], Asked], CaseCommand]] = {
    Verb.TAKE: lambda about, _: TakeCase(**about),
    Verb.TAKE_OVER: lambda about, asked: TakeOverCase(**about, note=asked.note),
    Verb.RELEASE: lambda about, asked: ReleaseCase(**about, note=asked.note),
    Verb.PROPOSE: _proposal,
    Verb.CONFIRM: lambda about, asked: ConfirmDecision(**about, note=asked.note),
    Verb.RETURN: lambda about, asked: ReturnCase(**about, note=asked.note),
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
        about = {"case_id": case_id, "actor": by.username, "role": by.role, "version": asked.version}
        return await self._submit(f"cases/{case_id}/{verb}", case_id, _COMMANDS[verb](about, asked), by, key, trace)

    async def _submit(
        self, route: str, object_id: str, command: Command, by: DeskSession, key: str, trace: Trace
    ) -> Answer:
        message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=trace)

        def answer(work: Work, refusals: Sequence[Refusal | None]) -> Answer:
            (refusal,) = refusals
            return _done(work.cases[object_id]) if refusal is None else answer_problem(_problem(refusal))

        request_key = RequestKey(client_id=f"desk/{by.username}", route=route, key=key)
        answered = await self._runtime.edge.submit(request_key, msgspec.json.encode(command), [message], answer)
        if answered.status >= HTTPStatus.BAD_REQUEST:
            reason = msgspec.json.decode(answered.body)["reason"]
            happening = by.happening(AuditVerb.REFUSED, ObjectKind.CASE, object_id, f"{route}: {reason}")
            await run_in_threadpool(self._runtime.unit.administer, lambda tx: audit.append(tx, happening))
        return answered


def _done(case: Case) -> Answer:
    return answer_json(HTTPStatus.OK, {"case_id": case.case_id, "status": case.status.value, "version": case.version})


def _note(note: str) -> str:
    """A note as it is kept. Raises Problem for one that can't be."""
    if len(note) > NOTE_LENGTH_MAX:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "note_too_long", f"at most {NOTE_LENGTH_MAX} characters", field="note"
        )
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
