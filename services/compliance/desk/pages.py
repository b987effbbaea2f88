"""The desk's pages: the queue, a case, blocked property."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.fields import Id
from libs.common.http import Problem
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance import monitoring_queries, property_queries, queries, travel_queries
from services.compliance.desk import acts, guard, render, travel_views, views
from services.compliance.desk.acts import Asked, CaseActs, Verb
from services.compliance.desk.filters import filter_address, filtered
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.business_days import day_of, is_business_day
from services.compliance.domain.case import NOTE_LENGTH_MAX, Case
from services.compliance.domain.people import Permission, Role, rank_of
from services.compliance.domain.searching import QUERY_LENGTH_MAX
from services.compliance.domain.work import Policy
from services.compliance.queries import PAGE_LENGTH, CaseFilter
from services.compliance.settings import ComplianceSettings

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
    Verb.SNOOZE: "The case comes back by itself.",
    Verb.ESCALATE: "The case was passed up.",
    Verb.REOPEN: "The case is open again.",
}


def routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
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
        q: Annotated[str, Query(max_length=QUERY_LENGTH_MAX)] = "",
    ) -> Response:
        """Cases by a name or an id."""
        now = datetime.now(UTC)
        rows = [views.case_row(case, now) for case in queries.search_cases(engine, q)]
        return render.page("search.html", person=person, query=q, rows=rows, found_max=queries.FOUND_MAX)

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
        return case_page(runtime, case_id, person, notice=_DONE[done] if done else None)

    @router.get("/blocked")
    def show_blocked(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.BLOCKED_PROPERTY),
        after: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Property of listed parties, by the day its report is due."""
        rows = queries.list_blocked_property(
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
        _add_act(router, runtime, verb, guard.allow(sessions, permission))

    @router.get("/static/{name}", dependencies=[Depends(guard.Everybody())])
    def get_static(name: str) -> Response:
        """A style sheet or script of the desk's own."""
        found = render.static_file(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "not_found", "There is no such file.")
        return found

    return router


def _add_act(router: APIRouter, runtime: Runtime, verb: Verb, allowed: Any) -> None:
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
            case_page, runtime, case_id, person, status=status, fault=detail, note=note, decision=decision, verb=verb
        )


def case_page(
    runtime: Runtime,
    case_id: str,
    person: DeskSession,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    notice: str | None = None,
    fault: str | None = None,
    note: str = "",
    decision: CaseDecision | None = None,
    verb: Verb | None = None,
) -> Response:
    """Everything about one case, with what was just done or refused. Raises Problem if there is none."""
    case = queries.find_case(runtime.engine, case_id)
    if case is None:
        raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "There is no such case.")
    screening = queries.find_screening(runtime.engine, case.payment_id) if case.payment_id else None
    view = views.case_view(
        case,
        queries.list_acts(runtime.engine, case_id),
        screening,
        monitoring_queries.list_case_alerts(runtime.engine, case),
        datetime.now(UTC),
    )
    record = travel_queries.find_record(runtime.engine, case.payment_id) if case.payment_id else None
    return render.page(
        "case.html",
        travel=travel_views.travel_view(record, _policy(runtime).travel) if record else None,
        status=status,
        person=person,
        case=view,
        customers=_customers(case),
        case_payment_id=case.payment_id,
        decisions=acts.DECISIONS,
        meanings=views.meanings(case),
        note_length_max=NOTE_LENGTH_MAX,
        alike_count=len(queries.list_alike(runtime.engine, case)) - 1,
        workers=queries.list_workers(runtime.engine) if person.may(Permission.ASSIGN) else [],
        higher=[role for role in (Role.SUPERVISOR, Role.OFFICER) if rank_of(role) > rank_of(person.role)],
        request_id=ids.new(),
        notice=notice,
        fault=fault,
        written={"note": note, "decision": decision, "verb": verb},
    )


def _customers(case: Case) -> list[tuple[str, str]]:
    """Those whom a case is about who have a page."""
    if case.customer_id is not None:
        return [("Customer", case.customer_id)]
    assert case.payment is not None
    order = case.payment.order
    own = [("Payer", order.debtor_customer_id, order.debtor_institution)]
    own += [("Payee", order.creditor_customer_id, order.creditor_institution)]
    return [(role, customer_id) for role, customer_id, held in own if held is None and ids.is_id(customer_id)]


def _policy(runtime: Runtime) -> Policy:
    assert isinstance(runtime.settings, ComplianceSettings)
    return runtime.settings.policy


def _days_left(due: date, today: date) -> int:
    """Business days from today to the day a report is due; below zero when it is late."""
    if due < today:
        return -(today - due).days
    return sum(is_business_day(date.fromordinal(day)) for day in range(today.toordinal() + 1, due.toordinal() + 1))
