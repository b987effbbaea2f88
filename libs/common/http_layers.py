"""What every request passes on its way in and out: its id and trace, the limit of its body, counting and timing."""

import logging
import time
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common import ids, tracing
from libs.common.card_numbers import without_card_numbers
from libs.common.metrics import HttpMetrics, exemplar
from libs.common.problems import Problem, too_large
from libs.common.tracing import Tracer

REQUEST_ID = "x-request-id"

log = logging.getLogger(__name__)


class Context:
    """Gives each request its id and its trace, and hands them back."""

    def __init__(self, app: ASGIApp, tracer: Tracer | None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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


class BodyLimit:
    """Refuses bodies larger than a route takes, without reading them to their end."""

    def __init__(self, app: ASGIApp, bytes_max: int, large_bodies: Mapping[str, int]) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._large_bodies = large_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bytes_max = self._large_bodies.get(scope["path"], self._bytes_max)
        declared = next((int(v) for name, v in scope["headers"] if name == b"content-length" and v.isdigit()), 0)
        if declared > bytes_max:
            await too_large(bytes_max).response(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > bytes_max:
                raise too_large(bytes_max)
            return message

        await self._app(scope, receive_counted, send)


class Observer:
    """Counts and times requests by route, and turns what nobody caught into a problem."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
