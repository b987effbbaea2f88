"""The HTTP factory: every service's API is made here, so that all of them fail, answer and count alike.

Problems are RFC 9457 (application/problem+json) with a `reason` from a closed list and, where a
field of the request is to blame, its name. `/health` says that the process lives, `/ready` that it
can work, `/metrics` what it has done: to whoever has the token for that, and to no client, for there are reasons in it
that nobody outside may learn of.
"""

import hmac
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPMethod, HTTPStatus
from typing import Annotated, Any

import msgspec
import structlog
from cachetools import TTLCache
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials
from fastapi_offline import FastAPIOffline
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from libs.common import edge, ids, openapi, tracing
from libs.common.card_numbers import has_card_number, without_card_numbers
from libs.common.clients import Client, Clients
from libs.common.errors import Outage
from libs.common.fields import CARD_NUMBER_FAULT, reason_of
from libs.common.figures import READINESS, Readiness
from libs.common.idempotency import KEY_LENGTH_MAX, Answer, RequestKey
from libs.common.key_lookup import KeyLookup, TooManyUnknownKeys
from libs.common.message import Trace
from libs.common.metrics import HttpMetrics, Metrics, exemplar
from libs.common.rate_limit import Limit, Rate, RateLimiter
from libs.common.scopes import Scopes
from libs.common.text import printable
from libs.common.tracing import Tracer

RETRY_AFTER_SECONDS = 2
REQUEST_ID = "x-request-id"
_TOLD_MAX, _TOLD_SECONDS = 1_000, 60.0
"""Of how many clients the log says that they ask too fast, and how often of each."""

UNKNOWN_CLIENT = "unknown"
"""As whom the log names those whose key nobody knows."""

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


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a request, and the journey it begins or continues."""

    client: Client
    trace: Trace
    limiter: RateLimiter

    def take(self, requests: int) -> Limit:
        """Count what a request holds besides itself towards its client's rate."""
        return self.limiter.take(self.client.client_id, self.client.rate, requests)


def create(
    *,
    title: str,
    description: str,
    clients: Clients,
    scopes: Scopes,
    rate: Rate,
    metrics: Metrics,
    is_ready: Callable[[], Mapping[str, bool]],
    body_bytes_max: int,
    metrics_token: SecretStr | None = None,
    large_bodies: Mapping[str, int] | None = None,
    tracer: Tracer | None = None,
) -> FastAPI:
    """An application without routes of its own but those of operations.

    Who reads metrics shows `metrics_token`; without one nobody does. `large_bodies` names the paths that take files,
    with their limit in bytes.
    """
    app = FastAPIOffline(title=title, description=description + openapi.INTRODUCTION, version="1")
    app.state.keys = KeyLookup(clients)
    app.state.scopes = scopes
    app.state.limiter = RateLimiter(rate)
    app.state.limited = metrics.counter(
        "http_rate_limited_total",
        "Requests refused because their client asks faster than it may, or with a key not yet seen while too many come"
        " with keys that nobody knows",
    )
    app.state.told = TTLCache[str, None](_TOLD_MAX, _TOLD_SECONDS)
    openapi.describe(app, scopes)
    _add_operations(app, metrics, metrics_token, is_ready)
    metrics.watch(Readiness(is_ready), READINESS)
    _add_problems(app)
    app.add_middleware(_BodyLimit, bytes_max=body_bytes_max, large_bodies=large_bodies or {})
    app.add_middleware(_Observer, metrics=HttpMetrics(metrics))
    app.add_middleware(_Context, tracer=tracer)
    return app


# Who calls


def routes_of(app: FastAPI) -> Iterator[str]:
    """Every route of an application's API, as `GET /v1/payments`: what a table of scopes must name."""
    for route in iter_route_contexts(app.routes):
        if route.path is not None and route.path.startswith("/v1"):
            yield from (f"{method} {route.path}" for method in sorted(route.methods or ()))


async def _client(
    request: Request, authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(openapi.API_KEY)]
) -> Client:
    client: Client | None = None
    if authorization is not None and (key := authorization.credentials):
        try:
            client = await request.app.state.keys.find(key)
        except TooManyUnknownKeys as error:
            _tell_once(request.app, UNKNOWN_CLIENT, str(error))
            raise _rate_limited(str(error), error.wait_seconds) from error
    if client is None:
        raise _unauthenticated("send a valid API key: Authorization: Bearer …")
    limit = request.app.state.limiter.take(client.client_id, client.rate)
    request.state.headers = limit.headers
    if not limit.is_passed:
        _tell_once(request.app, client.client_id, "a client asks faster than it may")
        raise too_fast(limit)
    return client


def _tell_once(app: FastAPI, client_id: str, what: str) -> None:
    """Count a refusal, and have the log tell of it once a minute for each client."""
    app.state.limited.inc()
    told: TTLCache[str, None] = app.state.told
    if client_id not in told:
        told[client_id] = None
        log.warning(what, extra={"client_id": client_id})


def _unauthenticated(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def too_fast(limit: Limit) -> Problem:
    """A client asks faster than it may."""
    said = f"at most {limit.rate.per_second:g} requests a second, and {limit.rate.burst} at once"
    return _rate_limited(said, limit.wait_seconds)


def _rate_limited(detail: str, wait_seconds: float) -> Problem:
    seconds = max(1, math.ceil(wait_seconds))
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", detail, retry_after_seconds=seconds)


async def _caller(request: Request, client: Annotated[Client, Depends(_client)]) -> Caller:
    needed = request.app.state.scopes[f"{request.method} {request.scope['route'].path}"]
    if not client.may(needed):
        words = " and ".join(repr(str(scope)) for scope in needed)
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", f"this needs the scope {words}")
    return Caller(client=client, trace=request.state.trace, limiter=request.app.state.limiter)


Who = Annotated[Caller, Depends(_caller)]
"""Who asks: a client whose key has the scopes that the service's table names for the route."""


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(description="Required. Unique per request; repeat it to repeat the request.", examples=["order-4711"]),
    ] = None,
) -> str:
    if not idempotency_key:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "idempotency_key_missing",
            "every POST that changes something needs the header Idempotency-Key",
            field="Idempotency-Key",
        )
    if has_card_number(idempotency_key):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "card_number",
            CARD_NUMBER_FAULT,
            field="Idempotency-Key",
        )
    if len(idempotency_key) > KEY_LENGTH_MAX or not idempotency_key.isprintable():
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "idempotency_key_invalid",
            f"at most {KEY_LENGTH_MAX} printable characters",
            field="Idempotency-Key",
        )
    return idempotency_key


IdempotencyKey = Annotated[str, Depends(_idempotency_key)]


def respond(answer: Answer) -> Response:
    """An answer of the edge as a response."""
    media_type = "application/json" if answer.status < HTTPStatus.BAD_REQUEST else "application/problem+json"
    return Response(answer.body, answer.status, dict(answer.headers), media_type=media_type)


def answer_json(status: HTTPStatus, body: Any) -> Answer:
    """An answer of the edge from anything msgspec can write."""
    return Answer(status=status.value, body=msgspec.json.encode(body))


def answer_problem(problem: Problem) -> Answer:
    """A refusal as an answer that is stored and given again."""
    return Answer(status=problem.status.value, body=problem.body)


def answer_for_now(problem: Problem) -> Answer:
    """A refusal that says nothing of the same request another time: nothing is stored of it."""
    response = problem.response
    headers = tuple((name, value) for name, value in response.headers.items() if not name.startswith("content-"))
    return Answer(status=problem.status.value, body=problem.body, headers=headers, is_kept=False)


def request_key(client: Caller, route: str, key: str) -> RequestKey:
    return RequestKey(client_id=client.client.client_id, route=route, key=key)


# What can go wrong


def _add_problems(app: FastAPI) -> None:
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


# Operations


def _add_operations(
    app: FastAPI, registry: Metrics, token: SecretStr | None, is_ready: Callable[[], Mapping[str, bool]]
) -> None:
    @app.get("/health", tags=["operations"], response_class=PlainTextResponse)
    async def health() -> str:
        """The process lives."""
        return "ok\n"

    @app.get("/ready", tags=["operations"], responses={503: {"description": "A role can't work."}})
    async def ready(response: Response) -> dict[str, bool]:
        """Whether each role can work; 503 while one can't."""
        roles = dict(is_ready())
        response.status_code = HTTPStatus.OK if all(roles.values()) else HTTPStatus.SERVICE_UNAVAILABLE
        return roles

    refused = openapi.problems(HTTPStatus.UNAUTHORIZED)

    @app.get("/metrics", tags=["operations"], response_class=PlainTextResponse, responses=refused)
    async def metrics(
        authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(openapi.METRICS_TOKEN)],
        accept: Annotated[str, Header()] = "",
    ) -> Response:
        """What Prometheus reads; to whoever takes OpenMetrics, with traces that fell into the buckets."""
        _require_token(token, authorization)
        encode, media_type = choose_encoder(accept)
        return Response(encode(registry), media_type=media_type)


def _require_token(token: SecretStr | None, shown: HTTPAuthorizationCredentials | None) -> None:
    # Two problems, so that whoever sets Prometheus up learns at which end something is missing.
    if token is None:
        raise _unauthenticated("nobody may read metrics here: WEIR_METRICS_TOKEN is not set")
    if shown is None or not hmac.compare_digest(shown.credentials.encode(), token.get_secret_value().encode()):
        raise _unauthenticated("send what WEIR_METRICS_TOKEN says: Authorization: Bearer …; an API key is not it")


class _Context:
    """Gives each request its id and its trace, and hands them back."""

    def __init__(self, app: ASGIApp, tracer: Tracer | None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        request_id, sent = ids.new(), headers.get(b"traceparent")
        is_recorded = self._tracer is not None
        trace = tracing.begin(traceparent=sent, correlation_id=request_id, is_recorded=is_recorded)
        if self._tracer is not None:
            trace = self._tracer.enter(trace, is_new=trace.traceparent != sent)
        started, status = time.time_ns(), 0
        scope.setdefault("state", {})["trace"] = trace
        structlog.contextvars.bind_contextvars(correlation_id=request_id, trace_id=tracing.trace_id_of(trace))

        async def send_with_id(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = scope["state"].get("headers", ())
                added = [(REQUEST_ID.encode(), request_id.encode())]
                added += [(name.lower().encode(), value.encode()) for name, value in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.clear_contextvars()
            if self._tracer is not None:
                route, work = getattr(scope.get("route"), "path", "unknown"), tracing.since(started)
                attributes = {"http.request.method": scope["method"], "http.route": route}
                self._tracer.request(sent, trace, work, **attributes, **{"http.response.status_code": status})


class _BodyLimit:
    """Refuses bodies larger than a route takes, without reading them to their end."""

    def __init__(self, app: ASGIApp, bytes_max: int, large_bodies: Mapping[str, int]) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._large_bodies = large_bodies

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bytes_max = self._large_bodies.get(scope["path"], self._bytes_max)
        declared = next((int(v) for name, v in scope["headers"] if name == b"content-length" and v.isdigit()), 0)
        if declared > bytes_max:
            await _too_large(bytes_max).response(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > bytes_max:
                raise _too_large(bytes_max)
            return message

        await self._app(scope, receive_counted, send)


def _too_large(bytes_max: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"a request here has at most {bytes_max} bytes",
        field="body",
    )


class _Observer:
    """Counts and times requests by route, and turns what nobody caught into a problem."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_observed(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        except Exception:
            log.exception("a request failed", extra={"path": without_card_numbers(scope["path"])})
            if not status:
                failure = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the failure has been logged")
                await failure.response(scope, receive, send_observed)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "other"
            self._metrics.requests.labels(method, route, status).inc()
            seconds, trace = time.perf_counter() - started, scope.get("state", {}).get("trace")
            self._metrics.seconds.labels(route).observe(seconds, exemplar(trace))
