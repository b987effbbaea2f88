"""Reports to the authorities at the desk: officers write, approve and hand them in; auditors see them; nobody else may.

/desk/filings                   those under way by their deadline, and those to be looked at again
/desk/filings/new?case_id=…     a draft, filled in with what the case knows
/desk/filings/{id}              what it says, what was done, and what can be done
/desk/filings/{id}/file         the XML for the e-filing system
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from libs.common import ids
from libs.common.fields import NO_CARD_NUMBER, Id
from libs.common.idempotency import KEY_LENGTH_MAX
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import filing_queries, property_queries, queries
from services.compliance.desk import guard, render
from services.compliance.desk.filing_acts import DOCUMENT_NUMBER_LENGTH_MAX, Filings, FilingVerb, VerbBody, command_of
from services.compliance.desk.filing_forms import (
    CASH_CODES,
    PLACES_MAX,
    persons_of,
    places,
    read_ctr,
    read_day,
    read_sar,
    shown,
    suspicion_words,
)
from services.compliance.desk.property_reports import annual_year
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.business_days import day_of
from services.compliance.domain.case import NOTE_LENGTH_MAX
from services.compliance.domain.filings import (
    DraftFiling,
    FilingCommand,
    ReviseFiling,
)
from services.compliance.domain.people import Permission
from services.compliance.filing_queries import FilingQueue
from services.compliance.filings.ctr import CtrReport
from services.compliance.filings.deadlines import continuing_sar_due_on
from services.compliance.filings.drafts import continue_sar, draft_ctr, draft_sar
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.filing import UNDER_WAY, Filing, FilingKind, FilingStatus
from services.compliance.filings.property import totals
from services.compliance.filings.sar import SarReport

PATH = f"{guard.PATH}/filings"

_DONE = {
    "draft": "The draft is kept. Another officer has to approve it.",
    "revise": "What you have written is kept. Another officer has to approve it.",
    FilingVerb.APPROVE: "Approved. It can be handed in now.",
    FilingVerb.FILED: "It is on record as filed.",
    FilingVerb.REVIEW: "What was found is on record. It need not be looked at again.",
    FilingVerb.WITHDRAW: "Nothing is reported. The reason is on record.",
}


def routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    """/desk/filings."""
    router = APIRouter(prefix=PATH, route_class=guard.PageRoute, include_in_schema=False)
    filings = Filings(runtime)
    sees_all = guard.allow(sessions, Permission.SEE_FILINGS, ObjectKind.FILINGS)
    sees = guard.allow(sessions, Permission.SEE_FILINGS, ObjectKind.FILING)
    writes = guard.allow(sessions, Permission.FILE, ObjectKind.FILING)
    # What the form begins with is a case's.
    shows_case = guard.allow(sessions, Permission.FILE, ObjectKind.CASE)
    files = guard.allow(sessions, Permission.FILE)

    @router.get("")
    def show_filings(
        person: DeskSession = sees_all,
        queue: Annotated[FilingQueue, Query()] = FilingQueue.OPEN,
        after: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Reports under way, or to be looked at again, or ended."""
        page = filing_queries.list_filings(runtime.engine, queue, after=after)
        today = day_of(datetime.now(UTC))
        year = annual_year(today)
        return render.page(
            "filings.html",
            person=person,
            queue=queue,
            filings=page.filings,
            next_cursor=page.next_cursor,
            today=today,
            rejected=property_queries.list_rejected(runtime.engine) if queue is FilingQueue.OPEN else [],
            annual_year=year if property_queries.is_annual_missing(runtime.engine, year) else None,
        )

    @router.get("/new")
    def show_new(
        case_id: Annotated[Id, Query()],
        kind: Annotated[FilingKind, Query()] = FilingKind.SAR,
        continues: Annotated[Id | None, Query()] = None,
        person: DeskSession = shows_case,
    ) -> Response:
        """A draft that is not kept yet, with what the case knows, and what the report said that it continues."""
        case = queries.find_case(runtime.engine, case_id)
        if case is None:
            raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "There is no such case.")
        before = _continued(filings.find(continues), case_id) if continues is not None else None
        since = before.sar.ended_on if before is not None and before.sar is not None else None
        known = filing_queries.find_known(runtime.engine, case, day_of(datetime.now(UTC)), since=since)
        report: SarReport | CtrReport
        if before is not None:
            report = continue_sar(known, before)
        else:
            report = draft_sar(known) if _form_kind(kind) is FilingKind.SAR else draft_ctr(known)
        values = {**shown(report, known.today if continues else known.detected_on), "continues": continues or ""}
        return _form_page(person, _kind_of(report), case_id, None, values)

    @router.post("/new")
    async def draft(request: Request, person: DeskSession = files) -> Response:
        """Keep a draft."""
        form = await _form_of(request, person)
        kind, case_id = _form_kind(form.get("kind", "")), form.get("case_id", "")
        before = None
        if (continues := form.get("continues", "")) and kind is FilingKind.SAR:
            before = _continued(await run_in_threadpool(filings.find, continues), case_id)

        def command(report: dict[str, Any], detected_on: date) -> FilingCommand:
            filing_id = ids.named("compliance", "filing", form.get("request_id", ""))
            return DraftFiling(
                filing_id=filing_id,
                **person.signature,
                version=0,
                case_id=case_id,
                detected_on=detected_on,
                **report,
            )

        return await _write(filings, request, person, form, kind, case_id, None, command, before)

    @router.get("/{filing_id}")
    def show_filing(
        filing_id: Id, person: DeskSession = sees, done: Annotated[str, Query(max_length=20)] = ""
    ) -> Response:
        """What a report says, and what can be done."""
        return _filing_page(runtime, filings, filing_id, person, notice=_DONE.get(done, ""))

    @router.get("/{filing_id}/edit")
    def show_edit(filing_id: Id, person: DeskSession = writes) -> Response:
        """A report, to be written anew."""
        filing = filings.find(filing_id)
        _require_written_here(filing)
        report = filing.sar or filing.ctr
        assert report is not None
        values = shown(report, filing.detected_on)
        return _form_page(person, filing.kind, filing.case_id, filing, values)

    @router.post("/{filing_id}/edit")
    async def revise(request: Request, filing_id: Id, person: DeskSession = files) -> Response:
        """Keep what was written."""
        form = await _form_of(request, person)
        filing = await run_in_threadpool(filings.find, filing_id)
        _require_written_here(filing)
        version = form.get("version", "")

        def command(report: dict[str, Any], _: date) -> FilingCommand:
            return ReviseFiling(
                filing_id=filing_id,
                **person.signature,
                version=int(version) if version.isdecimal() else 0,
                **report,
            )

        return await _write(filings, request, person, form, filing.kind, filing.case_id, filing, command)

    @router.get("/{filing_id}/file")
    def get_file(filing_id: Id, person: DeskSession = sees) -> Response:
        """The file for the e-filing system."""
        filing = filings.find(filing_id)
        return Response(
            filings.file(filing),
            media_type=filing.media_type,
            headers={"Content-Disposition": f'attachment; filename="{filing.file_name}"'},
        )

    for verb in FilingVerb:
        _add_verb(router, runtime, filings, verb, files)
    return router


def _add_verb(router: APIRouter, runtime: Runtime, filings: Filings, verb: FilingVerb, allowed: Any) -> None:
    @router.post(f"/{{filing_id}}/{verb}")
    async def act(
        request: Request,
        filing_id: Id,
        person: DeskSession = allowed,
        csrf_token: Annotated[str, Form()] = "",
        version: Annotated[int, Form()] = 0,
        request_id: Annotated[str, Form(max_length=KEY_LENGTH_MAX)] = "",
        note: Annotated[str, Form(max_length=NOTE_LENGTH_MAX), NO_CARD_NUMBER] = "",
        document_number: Annotated[str, Form(max_length=DOCUMENT_NUMBER_LENGTH_MAX), NO_CARD_NUMBER] = "",
        filed_on: Annotated[str, Form(max_length=10)] = "",
    ) -> Response:
        """Do something with a report; what is refused is told on its page."""
        guard.require_csrf_token(person, csrf_token)
        try:
            day = date.fromisoformat(filed_on) if filed_on else None
            body = VerbBody(version=version, note=note, document_number=document_number, filed_on=day)
            command = command_of(verb, filing_id, person, body)
        except ValueError:
            fault = "the day it was filed on is no date"
        except Problem as problem:
            fault = problem.detail
        else:
            answer = await filings.submit(request, command, request_id or ids.new(), person)
            if answer.status == HTTPStatus.OK:
                return RedirectResponse(f"{PATH}/{filing_id}?done={verb}", HTTPStatus.SEE_OTHER)
            fault = msgspec.json.decode(answer.body)["detail"]
        return await run_in_threadpool(
            _filing_page, runtime, filings, filing_id, person, status=HTTPStatus.CONFLICT, fault=fault
        )


def _form_kind(kind: str) -> FilingKind:
    """A form that is written on these pages. Raises Problem for another."""
    if kind not in (FilingKind.SAR, FilingKind.CTR):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_value", "There is no such form.", field="kind")
    return FilingKind(kind)


def _kind_of(report: SarReport | CtrReport) -> FilingKind:
    return FilingKind.SAR if isinstance(report, SarReport) else FilingKind.CTR


def _continued(filing: Filing, case_id: str) -> Filing:
    """A report that another may continue. Raises Problem for one that none can."""
    if filing.sar is None or filing.status is not FilingStatus.FILED or filing.case_id != case_id:
        raise Problem(HTTPStatus.CONFLICT, "wrong_status", "Only a suspicious activity report that was filed goes on.")
    _require_written_here(filing)
    return filing


def _require_written_here(filing: Filing) -> None:
    """Raises Problem for a report that this form can't show whole: what is not shown would be lost."""
    if filing.ofac is not None:
        raise Problem(HTTPStatus.NOT_FOUND, "filing_unknown", "It is written on the page of reports on property.")
    people = len(persons_of(filing.sar or filing.ctr))
    if people > PLACES_MAX:
        detail = f"It names {people} people, and the form has room for {PLACES_MAX}: write it anew by a program."
        raise Problem(HTTPStatus.CONFLICT, "too_many_people", detail)


async def _form_of(request: Request, person: DeskSession) -> dict[str, str]:
    """The fields of a form; of several with one name, joined by commas. Raises Problem."""
    sent = await request.form(max_fields=500)
    guard.require_csrf_token(person, str(sent.get("csrf_token", "")))
    return {name: ",".join(str(value) for value in sent.getlist(name)) for name in sent}


async def _write(
    filings: Filings,
    request: Request,
    person: DeskSession,
    form: dict[str, str],
    kind: FilingKind,
    case_id: str,
    filing: Filing | None,
    command: Callable[[dict[str, Any], date], FilingCommand],
    before: Filing | None = None,
) -> Response:
    """Have a form's report kept; what is wrong with it is told above the form, with what was written kept.

    `before`: the one that it continues, whose people are known by more than the form has fields for.
    """
    written = filing or before
    try:
        people = persons_of(written.sar or written.ctr) if written is not None else ()
        report = {kind.value: (read_sar if kind is FilingKind.SAR else read_ctr)(form, people)}
        detected_on = read_day(form, "detected_on" if kind is FilingKind.SAR else "transacted_on")
    except FilingFault as fault:
        detail = str(fault)
    else:
        made = command(report, detected_on)
        answer = await filings.submit(request, made, form.get("request_id", "") or ids.new(), person)
        if answer.status == HTTPStatus.OK:
            done = "draft" if filing is None else "revise"
            return RedirectResponse(f"{PATH}/{made.filing_id}?done={done}", HTTPStatus.SEE_OTHER)
        detail = msgspec.json.decode(answer.body)["detail"]
    return await run_in_threadpool(
        _form_page, person, kind, case_id, filing, form, status=HTTPStatus.UNPROCESSABLE_ENTITY, fault=detail
    )


def _form_page(
    person: DeskSession,
    kind: FilingKind,
    case_id: str,
    filing: Filing | None,
    values: Mapping[str, str],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    fault: str = "",
) -> Response:
    people = sum(1 for number in range(PLACES_MAX) if any(_written_of(values, number)))
    return render.page(
        "filing_form.html",
        status=status,
        person=person,
        kind=kind,
        case_id=case_id,
        filing=filing,
        values=values,
        places=range(places(people)),
        chosen=set(values.get("suspicions", "").split(",")),
        suspicions=suspicion_words(),
        cash_codes=CASH_CODES,
        request_id=ids.new(),
        fault=fault,
    )


def _written_of(values: Mapping[str, str], number: int) -> Iterator[str]:
    """What stands in the fields about a person."""
    return (value for name, value in values.items() if name.startswith(f"subjects.{number}."))


def _filing_page(
    runtime: Runtime,
    filings: Filings,
    filing_id: str,
    person: DeskSession,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    notice: str = "",
    fault: str = "",
) -> Response:
    filing, missing = filings.find(filing_id), ""
    try:
        filings.file(filing)
    except Problem as problem:
        missing = problem.detail
    return render.page(
        "filing.html",
        status=status,
        person=person,
        filing=filing,
        acts=filing_queries.list_filing_acts(runtime.engine, filing_id),
        has_case=queries.find_case(runtime.engine, filing.case_id) is not None,
        totals=totals(filing.ofac.items) if filing.ofac else {},
        suspicions=suspicion_words(),
        is_under_way=filing.status in UNDER_WAY,
        continuing_due_on=continuing_sar_due_on(filing.filed_on) if filing.filed_on else None,
        today=day_of(datetime.now(UTC)),
        request_id=ids.new(),
        missing=missing,
        notice=notice,
        fault=fault,
    )
