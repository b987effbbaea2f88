"""The desk's pages: the queue, a case, blocked property."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.fields import NO_CARD_NUMBER, Id
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance import property_queries, queries, search_queries
from services.compliance.desk import acts, customers, guard, render, views
from services.compliance.desk.acts import Asked, CaseActs, Verb
from services.compliance.desk.case_page import CasePages
from services.compliance.desk.export import ExportFormat
from services.compliance.desk.filters import filter_address, filtered
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.business_days import day_of, is_business_day
from services.compliance.domain.people import Permission, Role
from services.compliance.domain.searching import QUERY_LENGTH_MAX
from services.compliance.queries import PAGE_LENGTH, CaseFilter

_DONE = {
    Verb.TAKE: "The case is yours.",
    Verb.TAKE_OVER: "The case is yours now.",
    Verb.RELEASE: "The case is back in the queue.",
    Verb.PROPOSE: "Your proposal waits for another person to confirm it.",
    Verb.CONFIRM: "The decision stands.",
    Verb.RETURN: "The case went back to the person who proposed.",
    Verb.ASSIGN: "The case waits for that person now.",
    Verb.NOTE: "The note is on record.",
    Verb.ADD_TASK: "The task is on the list.",
    Verb.FINISH_TASK: "The task is done.",
    Verb.LINK_PAYMENT: "The payment is linked.",
    Verb.UNLINK_PAYMENT: "The payment is no longer linked.",
    Verb.SNOOZE: "The case comes back by itself.",
    Verb.ESCALATE: "The case was passed up.",
    Verb.REOPEN: "The case is open again.",
}


def routes(runtime: Runtime, sessions: DeskSessions, case_pages: CasePages) -> APIRouter:
    """Every page but the sign-in."""
    router = APIRouter(prefix=guard.PATH, route_class=guard.PageRoute, include_in_schema=False)
    engine = runtime.engine

    @router.get("")
    def show_queue(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CASES),
        wanted: CaseFilter = filtered(),
        after: Annotated[str | None, Query(max_length=100)] = None,
        nothing: bool = False,
    ) -> Response:
        """The cases that wait, or those that have ended."""
        now = datetime.now(UTC)
        page = queries.list_cases(engine, wanted, now, cursor=queries.parse_cursor(after) if after else None)
        return render.page(
            "queue.html",
            person=person,
            wanted=wanted,
            address=filter_address(wanted),
            reasons=views.REASONS,
            counts=queries.count_cases(engine),
            open_counts=queries.count_open(engine, person.username, now),
            rows=[views.case_row(case, now) for case in page.cases],
            next_cursor=page.next_cursor,
            is_first=after is None,
            notice="No case waits for anybody." if nothing else None,
        )

    @router.get("/search")
    def search(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.SEARCH),
        q: Annotated[str, Query(max_length=QUERY_LENGTH_MAX), NO_CARD_NUMBER] = "",
    ) -> Response:
        """Cases, customers and payments, by a name or an id."""
        now, found = datetime.now(UTC), search_queries.search(engine, q)
        return render.page(
            "search.html",
            person=person,
            query=q,
            rows=[views.case_row(case, now) for case in found.cases],
            customers=[(customer, *customers.STATUSES[customer.status]) for customer in found.customers],
            payments=found.payments,
            found_max=search_queries.FOUND_MAX,
        )

    @router.post("/next")
    async def next_case(
        request: Request,
        person: DeskSession = guard.allow(sessions, Permission.WORK_CASES),
        csrf_token: Annotated[str, Form()] = "",
        request_id: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        """Lead to the most urgent case that nobody has, which is this person's now."""
        guard.require_csrf_token(person, csrf_token)
        given = await CaseActs(runtime).next_case(by=person, key=request_id or ids.new(), trace=request.state.trace)
        if given.status != HTTPStatus.OK:
            return RedirectResponse(f"{guard.PATH}?nothing=true", HTTPStatus.SEE_OTHER)
        case_id = msgspec.json.decode(given.body)["case_id"]
        return RedirectResponse(f"{guard.PATH}/cases/{case_id}?done={Verb.TAKE}", HTTPStatus.SEE_OTHER)

    @router.get("/cases/{case_id}")
    def show_case(
        case_id: Id,
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CASE),
        done: Annotated[Verb | None, Query()] = None,
    ) -> Response:
        """Everything about one case, and what can be done with it."""
        return case_pages.show(case_id, person, notice=_DONE[done] if done else None)

    @router.get("/cases/{case_id}/export")
    def export_case(
        case_id: Id,
        person: DeskSession = guard.allow(sessions, Permission.EXPORT, ObjectKind.EXPORT),
        format_: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.HTML,
    ) -> Response:
        """A case as one file, for an examiner."""
        return case_pages.export(case_id, person, format_)

    @router.get("/blocked")
    def show_blocked(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.BLOCKED_PROPERTY),
        after: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Property of listed parties, by the day its report is due."""
        rows = property_queries.list_blocked_property(
            engine, cursor=queries.parse_day_cursor(after) if after else None, limit=PAGE_LENGTH
        )
        shown = rows[:PAGE_LENGTH]
        # Whether something was reported is for officers and auditors alone to know.
        sees_reports = person.may(Permission.SEE_FILINGS)
        today = day_of(datetime.now(UTC))
        return render.page(
            "blocked.html",
            person=person,
            reports=property_queries.reports_on(engine, [row.payment_id for row in shown]) if sees_reports else None,
            rows=[(row, views.listed_parties(row.screened), _days_left(row.report_due_on, today)) for row in shown],
            next_cursor=f"{shown[-1].report_due_on}_{shown[-1].payment_id}" if len(rows) > PAGE_LENGTH else None,
        )

    for verb, permission in acts.PERMISSIONS.items():
        _add_act(router, runtime, case_pages, verb, guard.allow(sessions, permission))

    @router.get("/static/{name}", dependencies=[Depends(guard.Everybody())])
    def get_static(name: str) -> Response:
        """A style sheet or script of the desk's own."""
        found = render.static_file(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "not_found", "There is no such file.")
        return found

    return router


def _add_act(router: APIRouter, runtime: Runtime, case_pages: CasePages, verb: Verb, allowed: Any) -> None:
    @router.post(f"/cases/{{case_id}}/{verb}")
    async def act(
        request: Request,
        case_id: Id,
        person: DeskSession = allowed,
        csrf_token: Annotated[str, Form()] = "",
        version: Annotated[int, Form()] = 0,
        request_id: Annotated[str, Form(max_length=100)] = "",
        note: Annotated[str, Form()] = "",
        decision: Annotated[CaseDecision | None, Form()] = None,
        assignee: Annotated[str, Form(max_length=40)] = "",
        until: Annotated[datetime | None, Form()] = None,
        to: Annotated[Role | None, Form()] = None,
        task: Annotated[int, Form(ge=0, le=1_000_000)] = 0,
        payment_id: Annotated[str, Form(max_length=40)] = "",
    ) -> Response:
        """Do something with a case; what is refused is told on its page, with what was written kept."""
        guard.require_csrf_token(person, csrf_token)
        try:
            answer = await CaseActs(runtime).carry_out(
                verb,
                case_id,
                Asked(
                    version=version,
                    note=note,
                    decision=decision,
                    assignee=assignee,
                    until=until and (until if until.tzinfo else until.replace(tzinfo=UTC)),
                    to=to,
                    task=task,
                    payment_id=payment_id,
                ),
                by=person,
                key=request_id or ids.new(),
                trace=request.state.trace,
            )
        except Problem as problem:
            status, detail = problem.status, problem.detail
        else:
            if answer.status == HTTPStatus.OK:
                return RedirectResponse(f"{guard.PATH}/cases/{case_id}?done={verb}", HTTPStatus.SEE_OTHER)
            status, detail = HTTPStatus(answer.status), msgspec.json.decode(answer.body)["detail"]
        return await run_in_threadpool(
            case_pages.show,
            case_id,
            person,
            status=status,
            fault=detail,
            note=note,
            decision=decision,
            verb=verb,
            payment_id=payment_id,
        )


def _days_left(due: date, today: date) -> int:
    """Business days from today to the day a report is due; below zero when it is late."""
    if due < today:
        return -(today - due).days
    return sum(is_business_day(date.fromordinal(day)) for day in range(today.toordinal() + 1, due.toordinal() + 1))
