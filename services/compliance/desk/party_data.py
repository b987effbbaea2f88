"""What the travel rule asks to be known about a payment's parties: shown with its case, and supplied there."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import AfterValidator, ValidationError
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.fields import Body, Country, Id, PartialDate, text
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX, Answer
from libs.common.message import Trace
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.payments.events import PartyKind
from services.compliance import queries
from services.compliance.desk import forms, guard
from services.compliance.desk.case_page import CasePages
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.desk.submitting import Submission, submit
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.people import Permission
from services.compliance.domain.travel import SupplyPartyData
from services.compliance.domain.work import Work
from services.compliance.travel.record import Details

FIELDS_MAX = 30
SIDES = ("debtor", "creditor")


def _a_known_kind(kind: PartyKind) -> PartyKind:
    if kind is PartyKind.UNKNOWN:
        raise PydanticCustomError("unknown_kind", "must be person or company")
    return kind


class PartyDetails(Body):
    """What was found out about a party."""

    country: Country | None = None
    birth_date: PartialDate | None = None
    address: Annotated[str, text(500)] | None = None
    kind: Annotated[PartyKind, AfterValidator(_a_known_kind)] | None = None
    account_number: Annotated[str, text(100)] | None = None
    birth_place: Annotated[str, text(70)] | None = None
    document_number: Annotated[str, text(35)] | None = None
    customer_number: Annotated[str, text(50)] | None = None
    wallet_ownership: Annotated[str, text(500)] | None = None
    """How the party has shown that the wallet is its own."""

    @property
    def details(self) -> Details:
        return Details(**dict(self))


class SuppliedBody(Body):
    """What was found out about the parties of a payment."""

    version: int = 0
    """The version of the case that was seen."""
    debtor: PartyDetails = PartyDetails()
    creditor: PartyDetails = PartyDetails()


def routes(runtime: Runtime, sessions: DeskSessions, case_pages: CasePages) -> list[APIRouter]:
    """Supplying, as a form and as JSON."""
    pages = APIRouter(prefix=guard.PATH, route_class=guard.PageRoute, include_in_schema=False)
    programs = guard.programs(f"{guard.PATH}/api")
    works = guard.allow(sessions, Permission.WORK_CASES)

    @pages.post("/cases/{case_id}/party-data")
    async def supply_by_form(request: Request, case_id: Id, person: DeskSession = works) -> Response:
        """Supply what is missing; what is refused is told on the case's page."""
        given = await forms.read(request, person, fields_max=FIELDS_MAX)
        try:
            body = SuppliedBody.model_validate(_nested(given))
        except ValidationError as error:
            detail = forms.first_fault(error)
            return await run_in_threadpool(
                case_pages.show, case_id, person, status=HTTPStatus.UNPROCESSABLE_ENTITY, fault=detail
            )
        key = forms.key_of(given)
        answer = await _supply(runtime, case_id, body, person, key, request.state.trace)
        if answer.status == HTTPStatus.OK:
            return RedirectResponse(f"{guard.PATH}/cases/{case_id}", HTTPStatus.SEE_OTHER)
        told = msgspec.json.decode(answer.body)
        detail = f"{told['field']}: {told['detail']}" if told.get("field") else told["detail"]
        return await run_in_threadpool(case_pages.show, case_id, person, status=HTTPStatus(answer.status), fault=detail)

    @programs.post("/cases/{case_id}/party-data")
    async def supply_by_program(
        request: Request,
        case_id: Id,
        body: SuppliedBody,
        person: DeskSession = works,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Supply what the travel rule asks to be known about the parties of a payment that waits for it."""
        guard.require_csrf_token(person, x_csrf_token)
        key = idempotency_key or ids.new()
        return respond(await _supply(runtime, case_id, body, person, key, request.state.trace))

    return [pages, programs]


async def _supply(
    runtime: Runtime, case_id: str, body: SuppliedBody, by: DeskSession, key: str, trace: Trace
) -> Answer:
    case = await run_in_threadpool(queries.find_case, runtime.engine, case_id)
    if case is None or case.payment_id is None:
        raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "there is no such case of a payment", field="case_id")
    command = SupplyPartyData(
        **by.signature,
        case_id=case_id,
        version=body.version,
        payment_id=case.payment_id,
        debtor=body.debtor.details,
        creditor=body.creditor.details,
    )

    def done(work: Work) -> dict[str, str | int]:
        now = work.cases[case_id]
        still = work.screenings[command.payment_id].missing
        return {"case_id": case_id, "version": now.version, "missing": ", ".join(still)}

    submission = Submission(
        route=f"cases/{case_id}/party-data",
        command=command,
        body=msgspec.json.encode(command),
        done=done,
        problem=_problem,
        kind=ObjectKind.CASE,
        object_id=case_id,
        asked="party-data: ",
    )
    return await submit(runtime, submission, by=by, key=key, trace=trace)


def _problem(refusal: Refusal) -> Problem:
    return Problem(HTTPStatus.CONFLICT, refusal.reason, refusal.detail, field=refusal.field)


def _nested(given: dict[str, str]) -> dict[str, Any]:
    """Fields such as `debtor.address` in the shape of the JSON body; empty ones are not told."""
    found: dict[str, Any] = {"version": given.get("version", "0"), "debtor": {}, "creditor": {}}
    for name, value in given.items():
        side, dot, field = name.partition(".")
        if dot and side in SIDES and value.strip():
            found[side][field] = value
    return found
