"""A service's API on a free port, with its edge at work: what a client meets, real to the socket."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import uvicorn
from pydantic import TypeAdapter

from libs.common import clients, ids, tracing
from libs.common.api_keys import new_key
from libs.common.codec import Codec
from libs.common.database import fetch, transaction
from libs.common.events import Event
from libs.common.message import Message
from libs.common.record import Record
from libs.common.scopes import Scope
from libs.common.service import Role, Runtime, server_config
from libs.common.sweep import NoClaim
from stack import postgres
from tests.in_the_clear import IN_THE_CLEAR
from tests.parts import Parts
from tests.waiting import wait_until

CLIENTS = {
    "shop": [Scope.READ, Scope.WRITE],
    "rival": [Scope.READ, Scope.WRITE],
    "reader": [Scope.READ],
    "writer": [Scope.WRITE],
    "staff": [Scope.READ, Scope.WRITE, Scope.STAFF],
}


class Api:
    """Sends requests as one client or another."""

    def __init__(self, runtime: Runtime, address: str) -> None:
        self.runtime = runtime
        self.address = address
        self.keys = {name: _let_in(runtime, name, scopes) for name, scopes in CLIENTS.items()}
        self._http = httpx.Client(base_url=address, timeout=30, verify=IN_THE_CLEAR)

    def get(self, path: str, *, by: str | None = "shop", **parameters: Any) -> httpx.Response:
        return self._http.get(path, headers=self.headers(by=by), params=parameters)

    def metrics(self) -> str:
        """What Prometheus would read."""
        token = self.runtime.settings.metrics_token
        assert token is not None
        answer = self._http.get("/metrics", headers={"Authorization": f"Bearer {token.get_secret_value()}"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        by: str | None = "shop",
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> httpx.Response:
        """Post JSON, or bytes as they are. A key is made up unless one is given, a UUID: other digits would be
        taken for a card number now and then. None sends none."""
        content = {"content": body} if isinstance(body, bytes) or hasattr(body, "__next__") else {"json": body}
        given = {**self.headers(by=by, key=key or (None if key is None else ids.new())), **(headers or {})}
        if isinstance(body, bytes):
            given.setdefault("Content-Type", "application/json")
        return self._http.post(path, headers=given, timeout=timeout, **content)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._http.request(method, path, **more)

    def headers(self, *, by: str | None = "shop", key: str | None = None) -> dict[str, str]:
        return ({"Authorization": f"Bearer {self.keys[by]}"} if by else {}) | ({"Idempotency-Key": key} if key else {})

    def close(self) -> None:
        self._http.close()


@contextmanager
def serving(
    runtime: Runtime,
    *,
    is_ready: Callable[[], Mapping[str, bool]] = lambda: {"api": True},
    is_edge_at_work: bool = True,
) -> Iterator[Api]:
    """The API for as long as the block lasts."""
    with listening(runtime, is_ready=is_ready, is_edge_at_work=is_edge_at_work) as address:
        api = Api(runtime, address)
        yield api
        api.close()


@contextmanager
def listening(
    runtime: Runtime,
    *,
    is_ready: Callable[[], Mapping[str, bool]] = lambda: {"api": True},
    is_edge_at_work: bool = True,
) -> Iterator[str]:
    """A service's HTTP application on a free port for as long as the block lasts. Yields its address."""
    settings = runtime.settings.model_copy(update={"http_port": 0})
    server = uvicorn.Server(server_config(runtime.app([Role.API], is_ready), settings))
    stop = threading.Event()
    threads = [threading.Thread(target=server.run)]
    if is_edge_at_work:
        threads.append(threading.Thread(target=runtime.edge.run, args=(stop,)))
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"{'https' if settings.http_certificate else 'http'}://{settings.http_host}:{port}"
    finally:
        server.should_exit = True
        stop.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


@contextmanager
def running(*works: Any) -> Iterator[threading.Event]:
    """Run loops that take a stop flag on threads for as long as the block lasts; fail if one fails. Yields the flag."""
    stop = threading.Event()
    failures: list[Exception] = []

    def guard(work: Any) -> None:
        try:
            work(stop)
        except Exception as error:
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=guard, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        if failures:
            # Rather than that something was waited for in vain, which is all that is seen from outside.
            raise failures[0]


@contextmanager
def database_away(parts: Parts, runtime: Runtime) -> Iterator[None]:
    """A service's database lets nobody in for as long as the block lasts, and throws out who is."""
    name = runtime.engine.url.database
    with psycopg.connect(postgres.admin_dsn(parts.settings), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def tell(runtime: Runtime, *bodies: Record) -> None:
    """Have a service decide on events, as its consumer would. Raises AssertionError if one would be a dead letter."""
    for result in runtime.unit.run([message_of(body) for body in bodies], NoClaim()):
        assert result.error is None, result.error


def message_of(body: Record) -> Message:
    """An event or a command that has just come in."""
    return Message(message_id=ids.new(), body=body, received_at=datetime.now(UTC), trace=tracing.begin())


def told(runtime: Runtime) -> list[Event]:
    """What a service has to say and no relay has published yet."""
    codec = Codec(runtime.registry, runtime.handlers.writes)
    events = []
    for (value,) in rows(runtime, "SELECT value FROM outbox ORDER BY id"):
        reader = codec.reader_of(value)
        assert reader is not None
        events.append(reader.decode(value))
    return events


def require(model: Any, answer: httpx.Response) -> None:
    """Raises ValidationError if an answer lacks anything the API's page promises, or has what it does not tell of."""
    TypeAdapter(model).validate_json(answer.content, extra="forbid")


def problem(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, reason and field of a problem, once it is sure that it is one."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["reason"], body.get("field")


def counts(runtime: Runtime, *tables: str) -> dict[str, int]:
    """How many rows some tables have."""
    with transaction(runtime.engine) as tx:
        return {table: fetch(tx, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def rows(runtime: Runtime, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query, parameters)


def _let_in(runtime: Runtime, name: str, scopes: Sequence[Scope]) -> str:
    key = new_key()
    # Each of them one more: what another part of a test was let in with goes on working.
    assert runtime.unit.administer(lambda tx: clients.register(tx, name, key, scopes, name=key[-8:]))
    return key
