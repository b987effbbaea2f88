"""Reports to OFAC on property, begun and written by officers; approved, filed and kept like all reports.

/desk/property-reports/new?kind=…   a draft, filled in with what is known of a payment or a year
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.fields import NO_CARD_NUMBER, Body, Id, text
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX
from libs.common.problems import Problem
from libs.common.record import replace
from libs.common.service import Runtime
from services.compliance import property_queries
from services.compliance.desk import forms, guard, render
from services.compliance.desk.filing_acts import Filings
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.business_days import day_of
from services.compliance.domain.filings import DraftFiling, FilingCommand, ReviseFiling
from services.compliance.domain.people import Permission
from services.compliance.filings.filing import Filing
from services.compliance.filings.property import (
    TEXT_LENGTH_MAX,
    TEXTS,
    PropertyKind,
    PropertyReport,
    totals,
)
from services.compliance.property_queries import Draft

PATH = f"{guard.PATH}/property-reports"
YEAR_MIN, YEAR_MAX = 2020, 2999
FIELDS_MAX = 20

Words = Annotated[str, text(TEXT_LENGTH_MAX)]
Year = Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX)]


class WrittenBody(Body):
    """What an officer has to say about property besides what is known of it."""

    owner: Words | None = None
    authority: Words | None = None
    location: Words | None = None
    description: Words | None = None
    remarks: Annotated[str, Field(max_length=TEXT_LENGTH_MAX), NO_CARD_NUMBER] = ""


class NewReportBody(WrittenBody):
    """A report on a payment, or on a year."""

    kind: PropertyKind
    payment_id: Id | None = None
    year: Year | None = None


class RevisedReportBody(WrittenBody):
    version: int


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """Under /desk/property-reports, as pages and as JSON."""
    pages = APIRouter(prefix=PATH, route_class=guard.PageRoute, include_in_schema=False)
    programs = guard.programs(f"{guard.PATH}/api/property-reports")
    filings = Filings(runtime)
    sees_all = guard.allow(sessions, Permission.SEE_FILINGS, ObjectKind.FILINGS)
    writes = guard.allow(sessions, Permission.FILE, ObjectKind.FILING)
    files = guard.allow(sessions, Permission.FILE)

    @pages.get("/new")
    def show_new(
        kind: PropertyKind,
        payment_id: Annotated[Id | None, Query()] = None,
        year: Annotated[Year | None, Query()] = None,
        person: DeskSession = writes,
    ) -> Response:
        """A draft that is not kept yet, with what is known."""
        return _form_page(person, _draft(runtime, kind, payment_id, year), None)

    @pages.post("/new")
    async def draft(request: Request, person: DeskSession = files) -> Response:
        """Keep a draft."""
        form = await forms.read(request, person, fields_max=FIELDS_MAX)
        known = await run_in_threadpool(
            _draft, runtime, _kind(form), form.get("payment_id") or None, _whole(form.get("year", ""))
        )
        command = _drafted(known, _written(known.report, form), person, form.get("request_id", ""))
        return await _keep(filings, request, person, form, known, None, command)

    @pages.get("/{filing_id}/edit")
    def show_edit(filing_id: Id, person: DeskSession = writes) -> Response:
        """A report, to be written anew."""
        filing = filings.find(filing_id)
        return _form_page(person, _known(filing), filing)

    @pages.post("/{filing_id}/edit")
    async def revise(request: Request, filing_id: Id, person: DeskSession = files) -> Response:
        """Keep what was written."""
        form = await forms.read(request, person, fields_max=FIELDS_MAX)
        filing = await run_in_threadpool(filings.find, filing_id)
        known = _known(filing)
        command = ReviseFiling(
            filing_id=filing_id,
            **person.signature,
            version=_whole(form.get("version", "")) or 0,
            ofac=_written(known.report, form),
        )
        return await _keep(filings, request, person, form, known, filing, command)

    @programs.get("")
    def list_rejected(person: DeskSession = sees_all) -> dict[str, Any]:
        """Rejected transfers that are still to be reported, those due first."""
        return {"rejected": msgspec.to_builtins(property_queries.list_rejected(runtime.engine))}

    @programs.post("")
    async def draft_by_program(
        request: Request,
        body: NewReportBody,
        person: DeskSession = files,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Begin a report on blocked or rejected property, or on all that was held on June 30 of a year."""
        guard.require_csrf_token(person, x_csrf_token)
        key = idempotency_key or ids.new()
        known = await run_in_threadpool(_draft, runtime, body.kind, body.payment_id, body.year)
        command = _drafted(known, _written(known.report, _told(body)), person, key)
        return respond(await filings.submit(request, command, key, person))

    @programs.post("/{filing_id}/revise")
    async def revise_by_program(
        request: Request,
        filing_id: Id,
        body: RevisedReportBody,
        person: DeskSession = files,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Write it anew."""
        guard.require_csrf_token(person, x_csrf_token)
        known = _known(await run_in_threadpool(filings.find, filing_id))
        command = ReviseFiling(
            filing_id=filing_id,
            **person.signature,
            version=body.version,
            ofac=_written(known.report, _told(body)),
        )
        return respond(await filings.submit(request, command, idempotency_key or ids.new(), person))

    return [pages, programs]


def _draft(runtime: Runtime, kind: PropertyKind, payment_id: str | None, year: int | None) -> Draft:
    if kind is PropertyKind.ANNUAL:
        if year is None:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "missing", "say of which year", field="year")
        found = property_queries.draft_annual(runtime.engine, year)
    elif payment_id is None or not ids.is_id(payment_id):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "missing", "say which payment", field="payment_id")
    elif kind is PropertyKind.BLOCKED:
        found = property_queries.draft_blocked(runtime.engine, payment_id)
    else:
        found = property_queries.draft_rejected(runtime.engine, payment_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "nothing_to_report", "There is nothing of that kind to report.")
    return found


def _known(filing: Filing) -> Draft:
    if filing.ofac is None:
        raise Problem(HTTPStatus.NOT_FOUND, "filing_unknown", "There is no such filing.")
    return Draft(case_id=filing.case_id, since=filing.detected_on, report=filing.ofac)


def _written(report: PropertyReport, form: Mapping[str, str]) -> PropertyReport:
    """The report as an officer has written it. What is held on a day is what it is: of that only remarks are made."""
    remarks = form.get("remarks", "").replace("\r\n", "\n").strip()[:TEXT_LENGTH_MAX]
    if report.kind is PropertyKind.ANNUAL:
        return replace(report, remarks=remarks)
    (item,) = report.items
    told = {name: form[name].strip()[:TEXT_LENGTH_MAX] for name in TEXTS if name in form}
    return replace(report, remarks=remarks, items=(replace(item, **told),))


def _told(body: WrittenBody) -> dict[str, str]:
    found = {name: getattr(body, name) for name in (*TEXTS, "remarks")}
    return {name: value for name, value in found.items() if value is not None}


def _drafted(known: Draft, report: PropertyReport, person: DeskSession, key: str) -> DraftFiling:
    return DraftFiling(
        filing_id=ids.named("compliance", "filing", person.username, key),
        **person.signature,
        version=0,
        case_id=known.case_id,
        detected_on=known.since,
        ofac=report,
    )


async def _keep(
    filings: Filings,
    request: Request,
    person: DeskSession,
    form: Mapping[str, str],
    known: Draft,
    filing: Filing | None,
    command: FilingCommand,
) -> Response:
    answer = await filings.submit(request, command, form.get("request_id", "") or ids.new(), person)
    if answer.status == HTTPStatus.OK:
        done = "draft" if filing is None else "revise"
        return RedirectResponse(f"{guard.PATH}/filings/{command.filing_id}?done={done}", HTTPStatus.SEE_OTHER)
    detail = msgspec.json.decode(answer.body)["detail"]
    shown = replace(known, report=_written(known.report, form))
    return _form_page(person, shown, filing, status=HTTPStatus(answer.status), fault=detail)


def _kind(form: Mapping[str, str]) -> PropertyKind:
    try:
        return PropertyKind(form.get("kind", ""))
    except ValueError:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_value", "There is no such report.", field="kind"
        ) from None


def _whole(written: str) -> int | None:
    return int(written) if written.isdecimal() and len(written) < 10 else None


def _form_page(
    person: DeskSession,
    known: Draft,
    filing: Filing | None,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    fault: str = "",
) -> Response:
    return render.page(
        "property_form.html",
        status=status,
        person=person,
        known=known,
        report=known.report,
        totals=totals(known.report.items),
        filing=filing,
        request_id=ids.new(),
        today=day_of(datetime.now(UTC)),
        fault=fault,
    )


def annual_year(today: date) -> int:
    """The year whose report is due next, or overdue since: that of the last June 30."""
    return today.year if today > date(today.year, 6, 30) else today.year - 1
