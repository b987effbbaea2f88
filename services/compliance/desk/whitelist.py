"""Pairs of party and listed entry at the desk: ruled out from the hit itself, by two people, seen, and ended."""

import csv
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from http import HTTPStatus
from io import StringIO
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.database import transaction
from libs.common.fields import NO_CARD_NUMBER, Body, Id
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX, Answer
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import list_changes, whitelist_import, whitelist_queries
from services.compliance.desk import guard, render
from services.compliance.desk.case_page import CasePages
from services.compliance.desk.lists import ChangeVerb, decide_change, name_of
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.desk.submitting import Submission, attempted, submit
from services.compliance.domain.acts import DeskCommand
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.case import NOTE_LENGTH_MAX
from services.compliance.domain.people import Permission
from services.compliance.domain.rule_change import OF_WHITELIST, ChangeStatus
from services.compliance.domain.whitelist import Pair, end_of
from services.compliance.domain.whitelisting import ConfirmPair, EndPair, KeepPair, PairRefusal, ProposePair
from services.compliance.domain.work import Work
from services.compliance.files.whitelist import BYTES_MAX, COLUMNS, WhitelistFault, table_of
from services.compliance.store import audit, rule_changes
from services.compliance.whitelist_import import WhitelistFile
from services.compliance.whitelist_queries import PairQueue

PATH = f"{guard.PATH}/whitelist"
IMPORT_PATHS = (f"{PATH}/imports", f"{guard.PATH}/api/whitelist/imports")
"""Where files of pairs are sent to: here a body may be larger than elsewhere."""
BODY_BYTES_MAX = BYTES_MAX + 64 * 1024

Note = Annotated[str, Form(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER]
CsrfToken = Annotated[str | None, Header()]
IdempotencyKey = Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)]


class PairVerb(StrEnum):
    """What can be done with a pair that was proposed."""

    CONFIRM = "confirm"
    END = "end"
    KEEP = "keep"


_STATUS = {
    PairRefusal.CASE_UNKNOWN: HTTPStatus.NOT_FOUND,
    PairRefusal.PAIR_UNKNOWN: HTTPStatus.NOT_FOUND,
    PairRefusal.NOTE_MISSING: HTTPStatus.UNPROCESSABLE_ENTITY,
    PairRefusal.END_OUT_OF_RANGE: HTTPStatus.UNPROCESSABLE_ENTITY,
}
_DONE = {
    PairVerb.CONFIRM: "What was proposed holds now.",
    PairVerb.END: "The pair was turned down, or its end waits for another person.",
    PairVerb.KEEP: "The pair goes on.",
}


class ProposalBody(Body):
    """A hit of a case that is somebody else, and until the end of which day that may hold."""

    case_id: Id
    pair_id: Id
    version: int
    until: date
    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER]


class PairBody(Body):
    """The version of the pair that was seen, and for its end a reason."""

    version: int
    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER] = ""


class Pairs:
    """Carries out what people want with pairs. Raises Problem, and as the edge."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def propose(self, request: Request, asked: ProposalBody, key: str, by: DeskSession) -> Answer:
        """Have a hit ruled out, once another person agrees."""
        command = ProposePair(
            **by.signature,
            case_id=asked.case_id,
            version=asked.version,
            pair_id=asked.pair_id,
            until=end_of(asked.until),
            note=asked.note,
        )
        return await self._submit(request, "propose", asked.pair_id, command, key, by)

    async def act(
        self, request: Request, verb: PairVerb, pair_id: str, asked: PairBody, key: str, by: DeskSession
    ) -> Answer:
        """Confirm a pair or its end, end it, or keep it."""
        about: dict[str, Any] = {**by.signature, "pair_id": pair_id, "version": asked.version}
        command: DeskCommand
        match verb:
            case PairVerb.CONFIRM:
                command = ConfirmPair(**about)
            case PairVerb.KEEP:
                command = KeepPair(**about)
            case PairVerb.END:
                command = EndPair(**about, note=asked.note)
        return await self._submit(request, verb, pair_id, command, key, by)

    async def _submit(
        self, request: Request, route: str, pair_id: str, command: DeskCommand, key: str, by: DeskSession
    ) -> Answer:
        def done(work: Work) -> dict[str, str | int]:
            pair = work.pairs[pair_id]
            return {"pair_id": pair.pair_id, "state": pair.state.value, "version": pair.version}

        submission = Submission(
            route=f"whitelist/{route}",
            command=command,
            body=msgspec.json.encode(command),
            done=done,
            problem=_problem,
            kind=ObjectKind.WHITELIST,
            object_id=pair_id,
            asked=f"{route}: ",
        )
        return await submit(self._runtime, submission, by=by, key=key, trace=request.state.trace)

    async def take_in(self, form: FormData, by: DeskSession) -> str:
        """Propose the pairs of an uploaded file, all or none; return what that came to, in words."""
        parts = [part for part in form.getlist("file") if isinstance(part, UploadFile) and part.filename]
        if len(parts) != 1:
            raise _unfit("choose one file")
        file = WhitelistFile(source=name_of(parts[0]), content=await parts[0].read())
        return await run_in_threadpool(self._propose_all, file, by)

    def _propose_all(self, file: WhitelistFile, by: DeskSession) -> str:
        unit = self._runtime.unit
        try:
            checked = whitelist_import.check(self._runtime, file)
        except WhitelistFault as fault:
            # Without the faults, which name what is in the file: this is kept for ever.
            happening = by.happening(AuditVerb.REFUSED, ObjectKind.WHITELIST, "", f"import of {file.source}: unfit")
            unit.administer(lambda tx: audit.append(tx, happening))
            raise _unfit(f"nothing of the file was taken: {fault}") from fault
        done = unit.administer(lambda tx: whitelist_import.propose(tx, checked, reason="", by=by.signed))
        said = str(done)
        return f"{said[:1].upper()}{said[1:]}."

    def decide(self, verb: ChangeVerb, change_id: str, by: DeskSession) -> str:
        """Confirm a file of pairs that another has proposed, or turn it down; return what that came to, in words."""
        change = decide_change(self._runtime, verb, change_id, by, kinds=OF_WHITELIST, of=ObjectKind.WHITELIST)
        if verb is ChangeVerb.TURN_DOWN:
            return "Nothing of the file is whitelisted."
        if change.status is ChangeStatus.PROPOSED:
            return "These pairs are proposed in your name now: another person confirms them."
        return "The pairs of the file are in force."

    def proposed_file(self, change_id: str) -> Response:
        """The pairs of a file that waits for a second person, as such a file."""
        with transaction(self._runtime.engine) as tx:
            pairs = list_changes.find_proposed_pairs(tx, change_id)
        if pairs is None:
            raise Problem(HTTPStatus.NOT_FOUND, "change_unknown", "no such file of pairs waits for a second person")
        text = StringIO()
        csv.writer(text).writerows(table_of(pairs))
        named = {"Content-Disposition": f'attachment; filename="whitelist-{change_id}.csv"'}
        return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=named)


def _unfit(detail: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "whitelist_unfit", detail, field="file")


def _problem(refusal: Refusal) -> Problem:
    status = _STATUS.get(PairRefusal(refusal.reason), HTTPStatus.CONFLICT)
    return Problem(status, refusal.reason, refusal.detail, field=refusal.field)


def routes(runtime: Runtime, sessions: DeskSessions, case_pages: CasePages) -> list[APIRouter]:
    """/desk/whitelist and /desk/api/whitelist."""
    return [_pages(runtime, sessions, case_pages), _programs(runtime, sessions)]


def _pages(runtime: Runtime, sessions: DeskSessions, case_pages: CasePages) -> APIRouter:
    router = APIRouter(prefix=PATH, route_class=guard.PageRoute, include_in_schema=False)
    pairs = Pairs(runtime)

    def shown(
        person: DeskSession,
        queue: PairQueue = PairQueue.IN_FORCE,
        *,
        after: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
        notice: str = "",
        fault: str = "",
    ) -> Response:
        page = whitelist_queries.list_pairs(runtime.engine, queue, datetime.now(UTC), after=after)
        return render.page(
            "whitelist.html",
            status=status,
            person=person,
            queue=queue,
            pairs=page.pairs,
            changes=rule_changes.list_waiting(runtime.engine, OF_WHITELIST),
            next_cursor=page.next_cursor,
            request_id=ids.new(),
            note_length_max=NOTE_LENGTH_MAX,
            columns=COLUMNS,
            notice=notice,
            fault=fault,
        )

    @router.get("")
    def show(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.WHITELIST),
        queue: Annotated[PairQueue, Query()] = PairQueue.IN_FORCE,
        after: Annotated[str | None, Query(max_length=100)] = None,
        done: Annotated[PairVerb | None, Query()] = None,
    ) -> Response:
        """Pairs that are ruled out, or are to be, or were."""
        return shown(person, queue, after=after, notice=_DONE[done] if done else "")

    @router.post("")
    async def propose(
        request: Request,
        case_id: Annotated[Id, Form()],
        pair_id: Annotated[Id, Form()],
        until: Annotated[date, Form()],
        version: Annotated[int, Form()] = 0,
        note: Note = "",
        csrf_token: Annotated[str, Form()] = "",
        request_id: Annotated[str, Form(max_length=100)] = "",
        person: DeskSession = guard.allow(sessions, Permission.WORK_CASES),
    ) -> Response:
        """Propose that a hit is somebody else."""
        guard.require_csrf_token(person, csrf_token)
        asked = ProposalBody(case_id=case_id, pair_id=pair_id, version=version, until=until, note=note)
        failure = await attempted(pairs.propose(request, asked, request_id or ids.new(), person))
        if failure is None:
            return RedirectResponse(f"{guard.PATH}/cases/{case_id}", HTTPStatus.SEE_OTHER)
        return await run_in_threadpool(case_pages.show, case_id, person, status=failure.status, fault=failure.detail)

    def add(verb: PairVerb) -> None:
        @router.post(f"/{{pair_id}}/{verb}")
        async def act(
            request: Request,
            pair_id: Id,
            version: Annotated[int, Form()] = 0,
            note: Note = "",
            csrf_token: Annotated[str, Form()] = "",
            request_id: Annotated[str, Form(max_length=100)] = "",
            person: DeskSession = guard.allow(sessions, Permission.CONFIRM),
        ) -> Response:
            """Confirm a pair or its end, end it, or keep it."""
            guard.require_csrf_token(person, csrf_token)
            asked = PairBody(version=version, note=note)
            failure = await attempted(pairs.act(request, verb, pair_id, asked, request_id or ids.new(), person))
            if failure is None:
                return RedirectResponse(f"{PATH}?done={verb}", HTTPStatus.SEE_OTHER)
            queue = PairQueue.IN_FORCE if verb is PairVerb.END else PairQueue.PROPOSED
            return await run_in_threadpool(shown, person, queue, status=failure.status, fault=failure.detail)

    for verb in PairVerb:
        add(verb)

    # The form is read by hand, when it is known whose it is: nobody else has a large body taken in.
    @router.post("/imports")
    async def take_in(
        request: Request, person: DeskSession = guard.allow(sessions, Permission.CONFIRM, ObjectKind.WHITELIST)
    ) -> Response:
        """Propose the pairs of a file, and show what waits."""
        async with request.form(max_files=1, max_fields=5) as form:
            guard.require_csrf_token(person, str(form.get("csrf_token") or ""))
            try:
                notice = await pairs.take_in(form, person)
            except Problem as problem:
                return await run_in_threadpool(
                    shown, person, PairQueue.PROPOSED, status=problem.status, fault=problem.detail
                )
            return await run_in_threadpool(shown, person, PairQueue.PROPOSED, notice=notice)

    @router.get("/rule-changes/{change_id}/pairs")
    def show_proposed(
        change_id: Id, person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.WHITELIST)
    ) -> Response:
        """The pairs of a file that waits for a second person."""
        return pairs.proposed_file(change_id)

    def add_decision(verb: ChangeVerb) -> None:
        @router.post(f"/rule-changes/{{change_id}}/{verb}")
        def decide(
            change_id: Id,
            csrf_token: Annotated[str, Form()] = "",
            person: DeskSession = guard.allow(sessions, Permission.CONFIRM),
        ) -> Response:
            """Confirm a file of pairs that another has proposed, or turn it down."""
            guard.require_csrf_token(person, csrf_token)
            try:
                notice = pairs.decide(verb, change_id, person)
            except Problem as problem:
                return shown(person, PairQueue.PROPOSED, status=problem.status, fault=problem.detail)
            return shown(person, PairQueue.PROPOSED, notice=notice)

    for decision in ChangeVerb:
        add_decision(decision)
    return router


def _programs(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    router = guard.programs(f"{guard.PATH}/api/whitelist")
    pairs = Pairs(runtime)

    @router.get("")
    def list_pairs(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.WHITELIST),
        queue: Annotated[PairQueue, Query()] = PairQueue.IN_FORCE,
        after: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Mapping[str, Any]:
        """Pairs of party and entry that are ruled out, or are to be, or were; the last changed first."""
        page = whitelist_queries.list_pairs(runtime.engine, queue, datetime.now(UTC), after=after)
        return {"pairs": [_view(pair) for pair in page.pairs], "next_cursor": page.next_cursor}

    @router.post("")
    async def propose(
        request: Request,
        body: ProposalBody,
        person: DeskSession = guard.allow(sessions, Permission.WORK_CASES),
        x_csrf_token: CsrfToken = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Propose that a hit of a case is somebody else: another person has to confirm it."""
        guard.require_csrf_token(person, x_csrf_token)
        return respond(await pairs.propose(request, body, idempotency_key or ids.new(), person))

    def add(verb: PairVerb) -> None:
        @router.post(f"/{{pair_id}}/{verb}")
        async def act(
            request: Request,
            pair_id: Id,
            body: PairBody,
            person: DeskSession = guard.allow(sessions, Permission.CONFIRM),
            x_csrf_token: CsrfToken = None,
            idempotency_key: IdempotencyKey = None,
        ) -> Response:
            """Confirm a pair that another person has proposed, or its end; propose its end; or keep it."""
            guard.require_csrf_token(person, x_csrf_token)
            return respond(await pairs.act(request, verb, pair_id, body, idempotency_key or ids.new(), person))

    for verb in PairVerb:
        add(verb)

    @router.post("/imports", status_code=HTTPStatus.CREATED)
    async def take_in(
        request: Request,
        person: DeskSession = guard.allow(sessions, Permission.CONFIRM),
        x_csrf_token: CsrfToken = None,
    ) -> Mapping[str, str]:
        """Propose the pairs of a file (CSV as multipart/form-data: file), all or none: another person confirms them."""
        guard.require_csrf_token(person, x_csrf_token)
        async with request.form(max_files=1, max_fields=5) as form:
            return {"detail": await pairs.take_in(form, person)}

    @router.get("/rule-changes")
    def list_waiting(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.WHITELIST),
    ) -> Mapping[str, Any]:
        """Files of pairs that wait for a second person."""
        return {"changes": msgspec.to_builtins(rule_changes.list_waiting(runtime.engine, OF_WHITELIST))}

    @router.get("/rule-changes/{change_id}/pairs")
    def show_proposed(
        change_id: Id, person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.WHITELIST)
    ) -> Response:
        """The pairs of a file that waits for a second person, as CSV."""
        return pairs.proposed_file(change_id)

    def add_decision(verb: ChangeVerb) -> None:
        @router.post(f"/rule-changes/{{change_id}}/{verb}")
        def decide(
            change_id: Id,
            person: DeskSession = guard.allow(sessions, Permission.CONFIRM),
            x_csrf_token: CsrfToken = None,
        ) -> Mapping[str, str]:
            """Confirm a file of pairs that another person has proposed, or turn it down."""
            guard.require_csrf_token(person, x_csrf_token)
            return {"detail": pairs.decide(verb, change_id, person)}

    for decision in ChangeVerb:
        add_decision(decision)
    return router


def _view(pair: Pair) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(pair)
    return {name: value for name, value in shown.items() if name not in ("party", "entry")}
