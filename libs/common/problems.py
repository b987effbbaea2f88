"""What can go wrong with a request, as its sender is told: problems of RFC 9457 (application/problem+json).

Each has a `reason` from a closed list and, where a field of the request is to blame, its name.
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from libs.common import edge
from libs.common.card_numbers import without_card_numbers
from libs.common.errors import Outage
from libs.common.fields import reason_of
from libs.common.text import printable

RETRY_AFTER_SECONDS = 2

log = logging.getLogger(__name__)


class Problem(HTTPException):
    """A request that can't be served, with the reason for whoever sent it."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        detail: str,
        *,
        field: str | None = None,
        errors: Sequence[Mapping[str, str | int]] = (),
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.status = status
        self.reason = reason
        self.field = field
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds

    @property
    def body(self) -> bytes:
        members: dict[str, Any] = {
            "type": f"urn:weir:problem:{self.reason}",
            "title": self.status.phrase,
            "status": self.status.value,
            "reason": self.reason,
            "detail": self.detail,
        }
        if self.field is not None:
            members["field"] = self.field
        if self.errors:
            members["errors"] = list(self.errors)
        return msgspec.json.encode(members)

    @property
    def response(self) -> Response:
        retry_after = {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
        headers = {**(self.headers or {}), **retry_after}
        return Response(self.body, self.status, headers, media_type="application/problem+json")


def unauthenticated(detail: str) -> Problem:
    """Nobody knows who asks."""
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def too_large(bytes_max: int) -> Problem:
    """A body that no route here takes."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"a request here has at most {bytes_max} bytes",
        field="body",
    )


def add_to(app: FastAPI) -> None:
    """Have an application answer with a problem whatever is raised in it."""

    async def on_problem(_: Request, problem: Exception) -> Response:
        assert isinstance(problem, Problem)
        return problem.response

    async def on_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(error).response

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, ValueError | RecursionError):
            return _malformed(str(error.__cause__)).response
        status = HTTPStatus(error.status_code)
        reason = status.phrase.lower().replace(" ", "_")
        return Problem(status, reason, str(error.detail), headers=error.headers).response

    async def on_unavailable(_: Request, error: Exception) -> Response:
        log.warning("a request could not be served", extra={"error": str(error)})
        return _unavailable("something this needs is away; the same request with the same key can be repeated").response

    async def on_disconnect(_: Request, __: Exception) -> Response:
        # Nobody reads this any more; it is for the metrics, where it is no failure of ours.
        return Problem(HTTPStatus.BAD_REQUEST, "disconnected", "the request broke off").response

    async def on_busy(_: Request, __: Exception) -> Response:
        return _unavailable("too many requests are waiting").response

    async def on_key_reused(_: Request, __: Exception) -> Response:
        return Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request",
            field="Idempotency-Key",
        ).response

    async def on_key_in_use(_: Request, __: Exception) -> Response:
        return Problem(
            HTTPStatus.CONFLICT,
            "request_in_progress",
            "the first request with this Idempotency-Key is still running",
            field="Idempotency-Key",
            retry_after_seconds=1,
        ).response

    async def on_failed(_: Request, __: Exception) -> Response:
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "nothing was changed").response

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Outage, on_unavailable)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(edge.Busy, on_busy)
    app.add_exception_handler(edge.KeyReused, on_key_reused)
    app.add_exception_handler(edge.KeyInUse, on_key_in_use)
    app.add_exception_handler(edge.Failed, on_failed)


def _unavailable(detail: str) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def _malformed(why: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "malformed_json", f"not JSON in UTF-8: {printable(why)}", field="body")


def _invalid(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        return _malformed(str(faults[0].get("ctx", {}).get("error", "")))
    errors = [
        {"field": _place(fault["loc"]), "reason": reason_of(fault["type"]), "detail": printable(fault["msg"])}
        for fault in faults
    ]
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        f"{errors[0]['field']}: {errors[0]['detail']}",
        field=errors[0]["field"],
        errors=errors,
    )


def _place(location: Sequence[str | int]) -> str:
    """A place as the caller sees it: without the part of the request it is in."""
    # A field may be called as its sender likes, where none is expected.
    return without_card_numbers(printable(".".join(str(part) for part in location[1:]) or str(location[0])))
