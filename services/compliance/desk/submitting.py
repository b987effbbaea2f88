"""What people want done, carried out in the one shape like every other command; what is refused is on record too."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.http import answer_json, answer_problem
from libs.common.idempotency import Answer, RequestKey
from libs.common.message import Command, Message, Trace
from libs.common.problems import Problem
from libs.common.record import Record
from libs.common.service import Runtime
from services.compliance.desk.sessions import DeskSession
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.work import Work
from services.compliance.store import audit


class Submission(Record):
    """What somebody wants done, and how it is told what became of it."""

    route: str
    command: Command
    body: bytes
    """By which the same request is known again."""
    done: Callable[[Work], dict[str, str | int]]
    """What is answered when it was done."""
    problem: Callable[[Refusal], Problem]
    """What is answered when it was refused."""
    kind: ObjectKind
    """What the log says it was about."""
    object_id: str
    asked: str
    """What the log says was asked for, where that was refused."""


async def submit(runtime: Runtime, submission: Submission, *, by: DeskSession, key: str, trace: Trace) -> Answer:
    """Do it, or be told why not. The same request with the same key is done once. Raises as the edge."""
    command = submission.command
    message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=trace)

    def answer(work: Work, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is not None:
            return answer_problem(submission.problem(refusal))
        return answer_json(HTTPStatus.OK, submission.done(work))

    request_key = RequestKey(client_id=f"desk/{by.username}", route=submission.route, key=key)
    answered = await runtime.edge.submit(request_key, submission.body, [message], answer)
    if answered.status >= HTTPStatus.BAD_REQUEST:
        details = f"{submission.asked}{msgspec.json.decode(answered.body)['reason']}"
        happening = by.happening(AuditVerb.REFUSED, submission.kind, submission.object_id, details)
        await run_in_threadpool(runtime.unit.administer, lambda tx: audit.append(tx, happening))
    return answered


class Failure(Record):
    """Why something was not done, as a page tells it."""

    status: HTTPStatus
    detail: str


async def attempted(work: Awaitable[Answer]) -> Failure | None:
    """What became of something that a page asks for; None if it was done."""
    try:
        answer = await work
    except Problem as problem:
        return Failure(status=problem.status, detail=str(problem.detail))
    if answer.status < HTTPStatus.BAD_REQUEST:
        return None
    return Failure(status=HTTPStatus(answer.status), detail=msgspec.json.decode(answer.body)["detail"])
