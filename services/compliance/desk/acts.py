"""What people do with cases, carried out in the one shape like every other command."""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

import msgspec

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.edge import Edge
from libs.common.http import Problem, answer_json, answer_problem
from libs.common.idempotency import Answer, RequestKey
from libs.common.message import Message, Trace
from schemas.compliance.events import CaseDecision
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
from services.compliance.domain.case import NOTE_LENGTH_MAX
from services.compliance.domain.people import Permission
from services.compliance.domain.work import Work


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

_Make = Callable[[str, str, int, str, CaseDecision | None], CaseCommand]


def _proposal(case_id: str, actor: str, version: int, note: str, decision: CaseDecision | None) -> CaseCommand:
    if decision not in DECISIONS:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "decision_missing", "choose approve, reject or block", field="decision"
        )
    return ProposeDecision(case_id=case_id, actor=actor, version=version, note=note, decision=decision)


_COMMANDS: dict[Verb, _Make] = {
    Verb.TAKE: lambda case_id, actor, version, note, _: TakeCase(case_id=case_id, actor=actor, version=version),
    Verb.TAKE_OVER: lambda case_id, actor, version, note, _: TakeOverCase(
        case_id=case_id, actor=actor, version=version, note=note
    ),
    Verb.RELEASE: lambda case_id, actor, version, note, _: ReleaseCase(
        case_id=case_id, actor=actor, version=version, note=note
    ),
    Verb.PROPOSE: _proposal,
    Verb.CONFIRM: lambda case_id, actor, version, note, _: ConfirmDecision(
        case_id=case_id, actor=actor, version=version, note=note
    ),
    Verb.RETURN: lambda case_id, actor, version, note, _: ReturnCase(
        case_id=case_id, actor=actor, version=version, note=note
    ),
}


async def carry_out(
    edge: Edge,
    verb: Verb,
    *,
    case_id: str,
    actor: str,
    version: int,
    note: str,
    decision: CaseDecision | None,
    key: str,
    trace: Trace,
) -> Answer:
    """Do it, or be told why not. The same request with the same key is done once. Raises Problem, and as the edge."""
    if len(note) > NOTE_LENGTH_MAX:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "note_too_long", f"at most {NOTE_LENGTH_MAX} characters", field="note"
        )
    if not all(map(_may_be_written, note)):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "control_characters", "must not contain control characters", field="note"
        )
    command = _COMMANDS[verb](case_id, actor, version, note.strip(), decision)
    message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=trace)

    def answer(work: Work, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is not None:
            return answer_problem(_problem(refusal))
        case = work.cases[case_id]
        return answer_json(HTTPStatus.OK, {"case_id": case_id, "status": case.status.value, "version": case.version})

    request_key = RequestKey(client_id=f"desk/{actor}", route=f"cases/{case_id}/{verb}", key=key)
    return await edge.submit(request_key, msgspec.json.encode(command), [message], answer)


def _may_be_written(character: str) -> bool:
    # What turns text around may be pasted into a note; pages show it as what it is.
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS.get(RefusalReason(refusal.reason), HTTPStatus.CONFLICT)
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)
