"""The desk as JSON: the same cases and the same acts, for programs that sign in like people."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime, Field

from libs.common import ids
from libs.common.fields import NO_CARD_NUMBER, Body, Id
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance import list_queries, monitoring_queries, queries, search_queries
from services.compliance.desk import acts, guard, views
from services.compliance.desk.acts import Asked, CaseActs, Verb
from services.compliance.desk.filters import filtered
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.case import NOTE_LENGTH_MAX, Case
from services.compliance.domain.people import Permission, Role
from services.compliance.domain.priority import due_at, priority_of
from services.compliance.domain.searching import QUERY_LENGTH_MAX
from services.compliance.domain.work import Customer
from services.compliance.queries import PAGE_LENGTH, CaseFilter

PAGE_LENGTH_MAX = 200


class ActBody(Body):
    """What someone wants to do with a case, as far as the verb needs it."""

    version: int
    """The version of the case that was seen."""
    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER] = ""
    decision: CaseDecision | None = None
    assignee: Annotated[str, Field(max_length=40)] = ""
    until: AwareDatetime | None = None
    to: Role | None = None
    task: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    payment_id: Annotated[str, Field(max_length=40)] = ""


def routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    """Everything under /desk/api."""
    router = guard.programs(f"{guard.PATH}/api")
    engine = runtime.engine

    @router.get("/session")
    def get_session(person: DeskSession = guard.allow(sessions, Permission.BE_SIGNED_IN)) -> dict[str, str]:
        """Who is signed in, and the token that every change needs in the header X-CSRF-Token."""
        return {"username": person.username, "role": person.role, "csrf_token": person.csrf_token}

    @router.get("/cases")
    def list_cases(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CASES),
        wanted: CaseFilter = filtered(),
        after: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LENGTH_MAX)] = PAGE_LENGTH,
    ) -> dict[str, Any]:
        """Cases: those that wait by their urgency, unless otherwise sorted; those that have ended the latest first."""
        cursor = queries.parse_cursor(after) if after else None
        page = queries.list_cases(engine, wanted, datetime.now(UTC), cursor=cursor, limit=limit)
        return {"cases": [_case_view(case) for case in page.cases], "next_cursor": page.next_cursor}

    @router.get("/counts")
    def count_cases(
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CASES),
    ) -> dict[str, Any]:
        """How many cases wait, and of the open ones how many are how urgent, overdue, nobody's and one's own."""
        counts = queries.count_open(engine, person.username, datetime.now(UTC))
        return {"queues": queries.count_cases(engine), "open": msgspec.to_builtins(counts)}

    @router.get("/search")
    def search(
        q: Annotated[str, Query(min_length=1, max_length=QUERY_LENGTH_MAX), NO_CARD_NUMBER],
        person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.SEARCH),
    ) -> dict[str, Any]:
        """Cases and customers by a name, however it is spelt; all that is known by the id of anything."""
        found = search_queries.search(engine, q)
        return {
            "cases": [_case_view(case) for case in found.cases],
            "customers": [_customer_view(customer) for customer in found.customers],
            "payments": msgspec.to_builtins(found.payments),
        }

    @router.post("/next")
    async def next_case(
        request: Request,
        person: DeskSession = guard.allow(sessions, Permission.WORK_CASES),
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Be given the most urgent case that nobody has: it is taken, and nobody else is given it."""
        guard.require_csrf_token(person, x_csrf_token)
        given = await CaseActs(runtime).next_case(
            by=person, key=idempotency_key or ids.new(), trace=request.state.trace
        )
        return respond(given)

    @router.get("/cases/{case_id}")
    def get_case(
        case_id: Id, person: DeskSession = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.CASE)
    ) -> dict[str, Any]:
        """Everything about one case."""
        case = queries.find_case(engine, case_id)
        if case is None:
            raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "there is no such case", field="case_id")
        screening = queries.find_screening(engine, case.payment_id) if case.payment_id else None
        view = views.case_view(
            case,
            queries.list_acts(engine, case_id),
            screening,
            monitoring_queries.find_case_alerts(engine, case),
            list_queries.find_ownership(engine),
            search_queries.find_payments(engine, [one.payment_id for one in case.linked]),
            datetime.now(UTC),
        )
        return {**_case_view(case), "page": msgspec.to_builtins(view)}

    for verb, permission in acts.PERMISSIONS.items():
        _add_act(router, runtime, verb, guard.allow(sessions, permission))
    return router


def _add_act(router: APIRouter, runtime: Runtime, verb: Verb, allowed: Any) -> None:
    @router.post(f"/cases/{{case_id}}/{verb}")
    async def act(
        request: Request,
        case_id: Id,
        body: ActBody,
        person: DeskSession = allowed,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Do something with a case. With an Idempotency-Key it is done once, however often it is sent."""
        guard.require_csrf_token(person, x_csrf_token)
        answer = await CaseActs(runtime).carry_out(
            verb,
            case_id,
            Asked(**body.model_dump()),
            by=person,
            key=idempotency_key or ids.new(),
            trace=request.state.trace,
        )
        return respond(answer)


def _customer_view(customer: Customer) -> dict[str, Any]:
    return {
        "customer_id": customer.customer_id,
        "name": customer.subject.name if customer.subject else None,
        "kind": customer.kind,
        "status": customer.status,
    }


def _case_view(case: Case) -> dict[str, Any]:
    return {
        "case_id": case.case_id,
        "payment_id": case.payment_id,
        "customer_id": case.customer_id,
        "status": case.status.value,
        "priority": priority_of(case).name,
        "due_at": due_at(case),
        "snoozed_until": case.snoozed_until,
        "escalated_to": case.escalated_to and case.escalated_to.value,
        "is_second_look": case.is_second_look,
        "tasks": msgspec.to_builtins(case.tasks),
        "version": case.version,
        "reasons": list(case.reasons),
        "is_listed_party": case.is_about_listed_party,
        "compliance_outcome": views.compliance_outcome(case),
        "fraud_outcome": case.payment.evidence.fraud_outcome if case.payment else None,
        "opened_at": case.opened_at,
        "decide_by": case.decide_by,
        "taken_by": case.taken_by,
        "proposal": msgspec.to_builtins(case.proposal) if case.proposal else None,
        "decision": case.decision and case.decision.value,
        "ended_at": case.ended_at,
    }
