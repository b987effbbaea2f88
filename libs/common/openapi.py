"""What a service's OpenAPI page says beyond what FastAPI finds out by itself: keys, problems, and how both look."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from pydantic import ConfigDict

from libs.common.fields import View
from libs.common.idempotency import KEY_LENGTH_MAX
from libs.common.scopes import Scopes

API_KEY = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="A client's key, as `python -m services.… clients add` prints it.",
)
METRICS_TOKEN = HTTPBearer(
    auto_error=False,
    scheme_name="Metrics token",
    description="What WEIR_METRICS_TOKEN says, and no client's key.",
)

INTRODUCTION = """

**Who may ask.** Every request needs one of a client's API keys: `Authorization: Bearer weir_…`. What a key may do are
its scopes: each request names those it needs. `read` stands for every `…:read`, `write` for every `…:write`; `staff`
sees what clients must not. What a client has ordered is there for its own keys, and for staff; to all others it doesn't
exist (404).

**How fast.** A client has so many requests a second, and so many at once: `RateLimit-Policy` and `RateLimit` of every
answer say how many (`q` at once, `r` left, `t` seconds until there is room). Beyond them comes 429 with `Retry-After`.
A line of a file counts as a request.

**Same request, same answer.** Every POST that changes something needs an `Idempotency-Key`. The same key and body
get the stored answer for 30 days at least; the same key with another body is refused (422), and one whose first
request still runs is told to wait (409). A 5xx is never stored: repeat the request with its key.

**Problems** are `application/problem+json` (RFC 9457), with a `reason` from a closed list and the `field` that is to
blame.
"""


_EXAMPLE: dict[str, Any] = {
    "type": "urn:weir:problem:invalid",
    "title": "Unprocessable Entity",
    "status": 422,
    "reason": "invalid",
    "detail": "amount: must be greater than zero",
    "field": "amount",
    "errors": [{"field": "amount", "reason": "not_positive", "detail": "must be greater than zero"}],
}


class FaultView(View):
    """One of several things that are wrong with a request."""

    field: str
    reason: str
    detail: str


class ProblemView(View):
    """Why a request was not served."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    type: str
    """`urn:weir:problem:` and the reason."""
    title: str
    status: int
    reason: str
    detail: str
    field: str | None = None
    errors: list[FaultView] | None = None


_MEANINGS = {
    HTTPStatus.BAD_REQUEST: "Not JSON, or without a usable Idempotency-Key.",
    HTTPStatus.UNAUTHORIZED: "No valid API key; at the desk, not signed in; for metrics, not their token.",
    HTTPStatus.FORBIDDEN: "The key lacks the scope that this needs; at the desk, the role or the CSRF token.",
    HTTPStatus.NOT_FOUND: "There is none with this id, or none that this client may see.",
    HTTPStatus.CONFLICT: "It can't be done as things stand; or the first request with this key still runs.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than may be.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "A type of file that is not read here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something in it makes no sense; `field` says where.",
    HTTPStatus.TOO_MANY_REQUESTS: "Faster, or more, than this client may: come again after `Retry-After`.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too busy, or something this needs is away: come again after `Retry-After`.",
}

Responses = dict[int | str, dict[str, Any]]

_READING = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def reading(*statuses: HTTPStatus) -> Responses:
    """The problems of a route that changes nothing: those that any has, and these."""
    return problems(*_READING, *statuses)


def changing(*statuses: HTTPStatus) -> Responses:
    """The problems of a route that changes something: those that any has, and these."""
    return problems(
        *_READING, HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, *statuses
    )


def answering(status: HTTPStatus, model: type[View], meaning: str = "") -> Responses:
    """What a route answers that makes its response itself."""
    return {status.value: {"model": model, "description": meaning or status.phrase}}


def problems(*statuses: HTTPStatus) -> Responses:
    """The problems of a route that asks for no API key."""
    return {status.value: {"model": ProblemView, "description": _MEANINGS[status]} for status in sorted(set(statuses))}


def describe(app: FastAPI, scopes: Scopes) -> None:
    """Have the application's OpenAPI document name answers by their models, problems by their own media type, and keys
    as required, and each request the scopes it needs.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            for path, operations in app.openapi_schema["paths"].items():
                for method, operation in operations.items():
                    _name_scopes(operation, scopes.get(f"{method.upper()} {path}", ()))
                    _name_problems(operation["responses"])
                    _name_answers(operation["responses"])
                    _require_keys(operation.get("parameters", []))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _name_scopes(operation: dict[str, Any], needed: Sequence[str]) -> None:
    if needed:
        words = " and ".join(f"`{scope}`" for scope in needed)
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope {words}."
        operation["security"] = [{API_KEY.scheme_name: [str(scope) for scope in needed]}]


def _require_keys(parameters: Sequence[dict[str, Any]]) -> None:
    # Taken as optional only so that who is asking is looked at first.
    for parameter in parameters:
        if parameter["name"] == "idempotency-key":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "maxLength": KEY_LENGTH_MAX}


def _name_answers(responses: Mapping[str, Any]) -> None:
    # A route that returns a dict is described as returning any, beside the model that says what is in it.
    for response in responses.values():
        for content in response.get("content", {}).values():
            if model := content.get("schema", {}).get("$ref"):
                content["schema"] = {"$ref": model}


def _name_problems(responses: Mapping[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        for media_type in ("application/json", "text/plain"):
            if status.startswith(("4", "5")) and media_type in content:
                content["application/problem+json"] = content.pop(media_type)
