"""Reports to the authorities, for programs of officers and auditors: what the pages do, as JSON."""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response

from libs.common import ids
from libs.common.fields import Body, Id
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import filing_queries
from services.compliance.desk import guard
from services.compliance.desk.filing_acts import Filings, FilingVerb, VerbBody, command_of
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.filings import (
    DraftFiling,
    ReviseFiling,
)
from services.compliance.domain.people import Permission
from services.compliance.filing_queries import FilingQueue
from services.compliance.filings.ctr import CtrReport
from services.compliance.filings.filing import Filing
from services.compliance.filings.sar import SarReport

CsrfToken = Annotated[str | None, Header()]
IdempotencyKey = Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)]


class DraftBody(Body):
    """A report on a case: one of the two, as filings/sar.py and filings/ctr.py describe them."""

    case_id: Id
    detected_on: date
    sar: dict[str, Any] | None = None
    ctr: dict[str, Any] | None = None


class ReviseBody(Body):
    """A report, written anew."""

    version: int
    sar: dict[str, Any] | None = None
    ctr: dict[str, Any] | None = None


def routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    """/desk/api/filings."""
    router = guard.programs(f"{guard.PATH}/api/filings")
    filings = Filings(runtime)
    sees_all = guard.allow(sessions, Permission.SEE_FILINGS, ObjectKind.FILINGS)
    sees = guard.allow(sessions, Permission.SEE_FILINGS, ObjectKind.FILING)
    files = guard.allow(sessions, Permission.FILE)

    @router.get("")
    def list_filings(
        person: DeskSession = sees_all,
        queue: Annotated[FilingQueue, Query()] = FilingQueue.OPEN,
        after: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Mapping[str, Any]:
        """Reports: those under way by their deadline, those to be looked at again, or the ended ones."""
        page = filing_queries.list_filings(runtime.engine, queue, after=after)
        return {"filings": [_view(filing) for filing in page.filings], "next_cursor": page.next_cursor}

    @router.post("")
    async def draft(
        request: Request,
        body: DraftBody,
        person: DeskSession = files,
        x_csrf_token: CsrfToken = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Begin a report on a case."""
        guard.require_csrf_token(person, x_csrf_token)
        key = idempotency_key or ids.new()
        command = DraftFiling(
            filing_id=ids.named("compliance", "filing", person.username, key),
            **person.signature,
            version=0,
            case_id=body.case_id,
            detected_on=body.detected_on,
            **_reports(body.sar, body.ctr),
        )
        return respond(await filings.submit(request, command, key, person))

    @router.get("/{filing_id}")
    def get_filing(filing_id: Id, person: DeskSession = sees) -> Mapping[str, Any]:
        """A report, and what was done with it."""
        acts = filing_queries.list_filing_acts(runtime.engine, filing_id)
        return {**_view(filings.find(filing_id)), "acts": msgspec.to_builtins(acts)}

    @router.post("/{filing_id}/revise")
    async def revise(
        request: Request,
        filing_id: Id,
        body: ReviseBody,
        person: DeskSession = files,
        x_csrf_token: CsrfToken = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Write it anew."""
        guard.require_csrf_token(person, x_csrf_token)
        command = ReviseFiling(
            filing_id=filing_id,
            **person.signature,
            version=body.version,
            **_reports(body.sar, body.ctr),
        )
        return respond(await filings.submit(request, command, idempotency_key or ids.new(), person))

    @router.post("/{filing_id}/{verb}")
    async def act(
        request: Request,
        filing_id: Id,
        verb: FilingVerb,
        body: VerbBody,
        person: DeskSession = files,
        x_csrf_token: CsrfToken = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Approve it, record that it was filed, or decide that nothing is reported."""
        guard.require_csrf_token(person, x_csrf_token)
        command = command_of(verb, filing_id, person, body)
        return respond(await filings.submit(request, command, idempotency_key or ids.new(), person))

    return router


def _reports(sar: Any, ctr: Any) -> dict[str, Any]:
    if (sar is None) is (ctr is None):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "missing", "give either a SAR or a CTR", field="sar")
    try:
        if sar is not None:
            return {"sar": msgspec.convert(sar, SarReport)}
        return {"ctr": msgspec.convert(ctr, CtrReport)}
    except msgspec.ValidationError as error:
        field = "sar" if sar is not None else "ctr"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_value", str(error), field=field) from error


def _view(filing: Filing) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(filing)
    return {**view, "kind": filing.kind.value, "status": filing.status.value, "version": filing.version}
