"""The HTTP factory: every service's API is made here, so that all of them fail, answer and count alike.

`/health` says that the process lives, `/ready` that it can work, `/metrics` what it has done: to whoever has the token
for that, and to no client, for there are reasons in it that nobody outside may learn of.
"""

import hmac
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from cachetools import TTLCache
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials
from fastapi_offline import FastAPIOffline
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr

from libs.common import openapi, problems
from libs.common.card_numbers import has_card_number
from libs.common.clients import Client, Clients
from libs.common.fields import CARD_NUMBER_FAULT
from libs.common.figures import READINESS, Readiness
from libs.common.http_layers import BodyLimit, Context, Observer
from libs.common.idempotency import KEY_LENGTH_MAX, Answer, RequestKey
from libs.common.key_lookup import KeyLookup, TooManyUnknownKeys
from libs.common.message import Trace
from libs.common.metrics import HttpMetrics, Metrics
from libs.common.problems import Problem, unauthenticated
from libs.common.rate_limit import Limit, Rate, RateLimiter
from libs.common.scopes import Scopes
from libs.common.tracing import Tracer

_TOLD_MAX, _TOLD_SECONDS = 1_000, 60.0
"""Of how many clients the log says that they ask too fast, and how often of each."""

UNKNOWN_CLIENT = "unknown"
"""As whom the log names those whose key nobody knows."""

log = logging.getLogger(__name__)


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
    problems.add_to(app)
    app.add_middleware(BodyLimit, bytes_max=body_bytes_max, large_bodies=large_bodies or {})
    app.add_middleware(Observer, metrics=HttpMetrics(metrics))
    app.add_middleware(Context, tracer=tracer)
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
        raise unauthenticated("send a valid API key: Authorization: Bearer …")
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
        raise unauthenticated("nobody may read metrics here: WEIR_METRICS_TOKEN is not set")
    if shown is None or not hmac.compare_digest(shown.credentials.encode(), token.get_secret_value().encode()):
        raise unauthenticated("send what WEIR_METRICS_TOKEN says: Authorization: Bearer …; an API key is not it")
