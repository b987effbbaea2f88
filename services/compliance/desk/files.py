"""Files of cases: added by those who work on them, and handed out to be saved, never to be shown or run."""

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from libs.common import ids
from libs.common.fields import Id
from libs.common.http import respond
from libs.common.idempotency import KEY_LENGTH_MAX, Answer
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import queries
from services.compliance.desk import guard, render
from services.compliance.desk.acts import CaseActs
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import ObjectKind
from services.compliance.domain.evidence import FILE_BYTES_MAX, FILES_MAX
from services.compliance.domain.people import Permission

PATHS = (f"{guard.PATH}/files", f"{guard.PATH}/api/files")
"""Where files are sent to: here a body may be larger than elsewhere."""
BODY_BYTES_MAX = FILE_BYTES_MAX + 64 * 1024

Number = Annotated[int, Form(ge=0, le=2**31 - 1)]


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """/desk/files and /desk/api/files."""
    pages = APIRouter(prefix=guard.PATH, route_class=guard.PageRoute, include_in_schema=False)
    programs = guard.programs(f"{guard.PATH}/api")
    works = guard.allow(sessions, Permission.WORK_CASES)
    sees = guard.allow(sessions, Permission.SEE_CASES, ObjectKind.FILE)

    async def add(person: DeskSession, request: Request, file: UploadFile, key: str, **of: Any) -> Answer:
        content = await file.read(FILE_BYTES_MAX + 1)
        return await CaseActs(runtime).add_file(
            of["case_id"], file.filename or "", content, version=of["version"], note=of["note"], by=person, key=key,
            trace=request.state.trace,
        )  # fmt: skip

    @pages.post("/files")
    async def add_by_form(
        request: Request,
        case_id: Annotated[Id, Form()],
        file: Annotated[UploadFile, File()],
        version: Number = 0,
        note: Annotated[str, Form()] = "",
        csrf_token: Annotated[str, Form()] = "",
        request_id: Annotated[str, Form(max_length=100)] = "",
        person: DeskSession = works,
    ) -> Response:
        """Add a file to a case."""
        guard.require_csrf_token(person, csrf_token)
        answer = await add(person, request, file, request_id or ids.new(), case_id=case_id, version=version, note=note)
        if answer.status == HTTPStatus.OK:
            return RedirectResponse(f"{guard.PATH}/cases/{case_id}", HTTPStatus.SEE_OTHER)
        detail = msgspec.json.decode(answer.body)["detail"]
        return render.error_page(HTTPStatus(answer.status), f"The file was not added: {detail}.")

    @programs.post("/files")
    async def add_by_program(
        request: Request,
        case_id: Annotated[Id, Form()],
        file: Annotated[UploadFile, File()],
        version: Number = 0,
        note: Annotated[str, Form()] = "",
        person: DeskSession = works,
        x_csrf_token: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LENGTH_MAX)] = None,
    ) -> Response:
        """Add a file to a case: PDF, PNG, JPEG, text or CSV, as multipart/form-data."""
        guard.require_csrf_token(person, x_csrf_token)
        key = idempotency_key or ids.new()
        return respond(await add(person, request, file, key, case_id=case_id, version=version, note=note))

    def get_file(case_id: Id, number: int, person: DeskSession = sees) -> Response:
        """A file of a case, to be saved."""
        return _handed_out(runtime, case_id, number)

    pages.add_api_route("/cases/{case_id}/files/{number}", get_file, methods=["GET"])
    programs.add_api_route("/cases/{case_id}/files/{number}", get_file, methods=["GET"], response_class=Response)
    return [pages, programs]


def _handed_out(runtime: Runtime, case_id: str, number: int) -> Response:
    case = queries.find_case(runtime.engine, case_id)
    file = next((found for found in case.files if found.number == number), None) if case else None
    content = queries.find_file(runtime.engine, case_id, number) if file and 0 < number <= FILES_MAX else None
    if file is None or content is None:
        raise Problem(HTTPStatus.NOT_FOUND, "file_unknown", "There is no such file.", field="number")
    return Response(
        content,
        media_type=file.media_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Sha256": file.sha256,
        },
    )
