"""Cases that are alike, at the desk: proposed by one person and confirmed by another, all at once."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form, Header, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.fields import NO_CARD_NUMBER, Body, Id
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance import queries
from services.compliance.desk import guard, render, views
from services.compliance.desk.acts import CaseActs, Verb
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.alike import ALIKE_MAX, SeenCase
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.case import NOTE_LENGTH_MAX, Case, CaseStatus
from services.compliance.domain.meanings import choices
from services.compliance.domain.people import Permission

VERBS = {Verb.PROPOSE: Permission.WORK_CASES, Verb.CONFIRM: Permission.CONFIRM}


class SeenBody(Body):
    case_id: Id
    version: int


class AlikeBody(Body):
    """Which cases, each in the version that was seen."""

    cases: Annotated[list[SeenBody], Field(min_length=1, max_length=ALIKE_MAX)]
    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER] = ""
    decision: CaseDecision | None = None


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """/desk/alike and /desk/api/alike."""
    pages = APIRouter(prefix=f"{guard.PATH}/alike", route_class=guard.PageRoute, include_in_schema=False)
    programs = guard.programs(f"{guard.PATH}/api/alike")
    for verb, permission in VERBS.items():
        _add_page_act(pages, runtime, verb, guard.allow(sessions, permission))
        _add_program_act(programs, runtime, verb, guard.allow(sessions, permission))

    @pages.get("/{case_id}")
    def show(
        case_id: Id, person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CASES)
    ) -> Response:
        """The cases that are like this one."""
        return _page(runtime, case_id, person)

    return [pages, programs]


def _add_program_act(router: APIRouter, runtime: Runtime, verb: Verb, allowed: Any) -> None:
    @router.post(f"/{verb}")
    async def act(
        request: Request,
        body: AlikeBody,
        person: DeskSession = allowed,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Do the same with several cases that are alike: with all of them, or with none."""
        guard.require_csrf_token(person, x_csrf_token)
        answer = await CaseActs(runtime).carry_out_alike(
            verb,
            [SeenCase(case_id=seen.case_id, version=seen.version) for seen in body.cases],
            note=body.note,
            decision=body.decision,
            by=person,
            key=idempotency_key or ids.new(),
            trace=request.state.trace,
        )
        return respond(answer)


def _add_page_act(router: APIRouter, runtime: Runtime, verb: Verb, allowed: Any) -> None:
    @router.post(f"/{{case_id}}/{verb}")
    async def act(
        request: Request,
        case_id: Id,
        person: DeskSession = allowed,
        csrf_token: Annotated[str, Form()] = "",
        request_id: Annotated[str, Form(max_length=100)] = "",
        cases: Annotated[list[str] | None, Form(max_length=ALIKE_MAX)] = None,
        note: Annotated[str, Form()] = "",
        decision: Annotated[CaseDecision | None, Form()] = None,
    ) -> Response:
        """Do the same with the cases that were ticked."""
        guard.require_csrf_token(person, csrf_token)
        try:
            answer = await CaseActs(runtime).carry_out_alike(
                verb,
                [_seen(ticked) for ticked in cases or ()],
                note=note,
                decision=decision,
                by=person,
                key=request_id or ids.new(),
                trace=request.state.trace,
            )
        except Problem as problem:
            status, fault = problem.status, str(problem.detail)
        else:
            if answer.status == HTTPStatus.OK:
                return RedirectResponse(f"{guard.PATH}/cases/{case_id}?done={verb}", HTTPStatus.SEE_OTHER)
            status, fault = HTTPStatus(answer.status), msgspec.json.decode(answer.body)["detail"]
        return await run_in_threadpool(_page, runtime, case_id, person, status=status, fault=fault, note=note)


def _seen(ticked: str) -> SeenCase:
    """A case and its version, as a form has them. Raises Problem for anything else."""
    case_id, _, version = ticked.partition(" ")
    if not ids.is_id(case_id) or not version.isdecimal() or len(version) > 9:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "cases_invalid", "tick cases of the list", field="cases")
    return SeenCase(case_id=case_id, version=int(version))


def _page(
    runtime: Runtime,
    case_id: str,
    person: DeskSession,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    fault: str | None = None,
    note: str = "",
) -> Response:
    case = queries.find_case(runtime.engine, case_id)
    if case is None:
        raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "There is no such case.")
    alike, now = queries.list_alike(runtime.engine, case), datetime.now(UTC)
    return render.page(
        "alike.html",
        status=status,
        person=person,
        case_id=case_id,
        to_propose=[views.alike_row(other, now) for other in alike if _may_be_proposed(other, person)],
        to_confirm=[views.alike_row(other, now) for other in alike if _may_be_confirmed(other, person)],
        choices=[choice for choice in choices(case) if case.may_end_in(choice.decision)],
        note_length_max=NOTE_LENGTH_MAX,
        request_id=ids.new(),
        fault=fault,
        note=note,
    )


def _may_be_proposed(case: Case, person: DeskSession) -> bool:
    return case.status is CaseStatus.OPEN or (case.status is CaseStatus.TAKEN and case.taken_by == person.username)


def _may_be_confirmed(case: Case, person: DeskSession) -> bool:
    return case.proposal is not None and case.proposal.proposed_by != person.username
