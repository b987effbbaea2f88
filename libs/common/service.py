"""A service and its process: one wiring, shared by production, tests and tools.

Roles: `api` answers requests, `worker` applies what others published (and what time makes due),
`relay` publishes; any of them may share a process. `migrate` prepares database, topics and schemas,
and ends.
"""

import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from threading import Event as Flag
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI
from prometheus_client import GCCollector, ProcessCollector
from sqlalchemy import Connection, Engine

from libs.common import (
    database,
    dead_letters,
    http,
    idempotency,
    inbox,
    interventions,
    kafka,
    logs,
    outbox,
    scopes,
    tracing,
    vault,
)
from libs.common.batch import Handlers, Observe, UnitOfWork
from libs.common.clients import Clients
from libs.common.codec import Codec
from libs.common.consumer import Consumer, topics_of
from libs.common.edge import Edge
from libs.common.erasing import Eraser
from libs.common.errors import Outage
from libs.common.figures import ARCHIVE, PARKED_KEYS, Figures, Look, database_look
from libs.common.metrics import (
    ConsumerMetrics,
    EdgeMetrics,
    KeyMetrics,
    Metrics,
    OutboxMetrics,
    SweepMetrics,
    watch_pool,
)
from libs.common.receiver import Receiver
from libs.common.record import Record
from libs.common.registry import Registry
from libs.common.relay import Relay
from libs.common.replay import Replay
from libs.common.rights import MESSAGING, NOTHING, RETENTION_SUFFIX, Rights, give, take
from libs.common.scopes import Scopes
from libs.common.settings import Settings
from libs.common.sweep import FindDue, Prune, Sweep
from libs.common.tracing import Tracer
from libs.common.vault import Vault

SHUTDOWN_SECONDS_MAX = 20
INBOX_MARGIN = timedelta(days=30)
"""How much longer than topics the inbox keeps: a log is cut by whole segments, which are a week old before they end."""
KEPT_MAX = timedelta(days=36_500)
"""A topic that keeps longer keeps everything."""
RECORD_DAYS = 400
"""How long it stays on record what became of dead letters, what was read again, and what operators did."""
START_RETRY_SECONDS = 1.0
SWITCH_SECONDS = 0.001
"""How soon one thread of a process lets another run: a relay must not wait while a batch is decided."""
COLLECTED_AFTER = (50_000, 10, 10)
"""New objects until the youngest are gone through, such rounds until the next generation is, those until the last."""

log = logging.getLogger(__name__)


class Role(StrEnum):
    """What a process may be asked to do."""

    API = "api"
    WORKER = "worker"
    RELAY = "relay"
    MIGRATE = "migrate"


class Service(Record):
    """What makes one service different from another."""

    name: str
    title: str
    description: str
    folder: Path
    settings: type[Settings]
    handlers: Callable[[Any], Handlers]
    routes: Callable[["Runtime"], Sequence[APIRouter]]
    rights: Rights
    """What the role that it runs as may do with its own tables; with messaging's it is the same for every service."""
    retention_rights: Rights = NOTHING
    """What the role may do that deletes records when the law's time for them is over."""
    scopes: Scopes
    """What a key needs for each route of the API: for every path under /v1."""
    find_due: FindDue | None = None
    prunes: Callable[[Any], Sequence[Prune]] = lambda _: ()
    """What this service keeps for a time only, given its settings, besides answers to requests."""
    looks: Callable[[Any], Sequence[Look]] = lambda _: ()
    """What Prometheus is to see of this service's tables, given its settings."""
    observer: Callable[[Metrics], Observe] = lambda _: lambda *_: None
    """Counts what batches lead to, once each is committed."""
    loops: Callable[["Runtime"], Mapping[str, Callable[[Flag], None]]] = lambda _: {}
    """What workers of this service run besides the consumer and the sweep, each until it is told to stop."""
    large_bodies: Callable[[Any], Mapping[str, int]] = lambda _: {}
    """The paths that take files, with their limits in bytes."""
    eraser: Eraser | None = None
    """Its part in erasing a customer; None if it knows nobody but by their ids."""


class Runtime:
    """A service wired to its database, broker and registry. Parts are made when first used."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.stop = Flag()
        self.wake_relay = Flag()

    @cached_property
    def handlers(self) -> Handlers:
        return self.service.handlers(self.settings)

    @cached_property
    def engine(self) -> Engine:
        engine = database.create(self.settings.database, application_name=f"weir-{self.service.name}")
        watch_pool(self.metrics, engine)
        return engine

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.settings)

    @cached_property
    def codec(self) -> Codec:
        return Codec(self.registry, (*self.handlers.reads, *self.handlers.writes))

    @cached_property
    def unit(self) -> UnitOfWork:
        return UnitOfWork(
            self.engine,
            self.handlers,
            self.codec,
            shards=self.settings.outbox_shards,
            on_commit=self.wake_relay.set,
            observe=self.service.observer(self.metrics),
            tracer=self.tracer,
            open_each=self.vault.opener(self.handlers.opens),
            keys=self.vault if self.vault.store is not None else None,
        )

    @cached_property
    def vault(self) -> Vault:
        found = vault.of(self.settings)
        found.watch(KeyMetrics(self.metrics).count)
        return found

    @cached_property
    def tracer(self) -> Tracer | None:
        """None where nothing is exported: then nothing is written, and nothing costs."""
        endpoint = self.settings.otlp_endpoint
        return tracing.exporting(self.service.name, endpoint, share=self.settings.trace_share) if endpoint else None

    @cached_property
    def metrics(self) -> Metrics:
        metrics = Metrics()
        ProcessCollector(registry=metrics)
        GCCollector(registry=metrics)
        return metrics

    @cached_property
    def clients(self) -> Clients:
        return Clients(self.unit.administer)

    @cached_property
    def edge(self) -> Edge:
        return Edge(
            self.unit,
            EdgeMetrics(self.metrics),
            batch_size_max=self.settings.batch_size_max,
            request_seconds_max=self.settings.request_seconds_max,
        )

    @cached_property
    def consumer(self) -> Consumer:
        return Consumer(
            self.handlers,
            self.unit,
            self.codec,
            ConsumerMetrics(self.metrics, topics=topics_of(self.handlers)),
            config=kafka.consumer_config(self.settings, self.service.name),
            batch_size_max=self.settings.batch_size_max,
            pace_seconds=self.settings.consumer_pace_seconds,
        )

    @cached_property
    def relay(self) -> Relay:
        return Relay(
            self.settings.database_dsn,
            kafka.producer_config(self.settings),
            OutboxMetrics(self.metrics, shards=self.settings.outbox_shards),
            self.settings,
            self.wake_relay,
            self.tracer,
        )

    @cached_property
    def replay(self) -> Replay:
        return Replay(self.handlers, self.unit, Receiver(self.handlers, self.codec))

    @cached_property
    def sweep(self) -> Sweep:
        days = self.settings.idempotency_days
        prunes: list[Prune] = [
            lambda tx, most: idempotency.prune(tx, days=days, rows_max=most),
            lambda tx, most: dead_letters.prune(tx, days=RECORD_DAYS, rows_max=most),
            lambda tx, most: inbox.prune_rewinds(tx, days=RECORD_DAYS, rows_max=most),
            lambda tx, most: interventions.prune(tx, days=RECORD_DAYS, rows_max=most),
            self._prune_inbox,
            *self.service.prunes(self.settings),
        ]
        return Sweep(self.unit, self.service.find_due, prunes, SweepMetrics(self.metrics))

    @cached_property
    def _admin(self) -> kafka.Admin:
        # Kept: each one has threads and connections of its own.
        return kafka.Admin(self.settings)

    def _prune_inbox(self, tx: Connection, rows_max: int) -> int:
        """What no topic holds any more can't come again. While topics keep everything, or can't be asked, all stays."""
        try:
            kept = kafka.retention(self._admin, topics_of(self.handlers))
        except Outage as outage:
            log.warning("the inbox stays as it is", extra={"error": str(outage)})
            return 0
        if kept is None or kept > KEPT_MAX:
            return 0
        before = datetime.now(UTC) - kept - INBOX_MARGIN
        return inbox.prune(tx, self.service.name, before=before, rows_max=rows_max)

    @cached_property
    def figures(self) -> Figures:
        ours = (PARKED_KEYS, database_look(self.settings.database_bytes_max), ARCHIVE)
        return Figures(self.unit, (*ours, *self.service.looks(self.settings)), self.metrics)

    def app(self, roles: Sequence[Role], is_ready: Callable[[], Mapping[str, bool]]) -> FastAPI:
        """The HTTP application: operations always, the API when that is one of the roles.

        Raises UndeclaredRoute if the API and its table of scopes don't name the same routes.
        """
        service = self.service
        app = http.create(
            title=service.title,
            description=service.description,
            clients=self.clients,
            scopes=service.scopes,
            rate=self.settings.client_rate,
            metrics=self.metrics,
            is_ready=is_ready,
            metrics_token=self.settings.metrics_token,
            body_bytes_max=self.settings.http_body_bytes_max,
            large_bodies=service.large_bodies(self.settings),
            tracer=self.tracer,
        )
        if Role.API in roles:
            for router in service.routes(self):
                # Included, each would be gone through a second time: as long again as making it took.
                app.routes.extend(router.routes)
            scopes.require_declared(service.scopes, http.routes_of(app))
        return app

    def migrate(self, *, revokes: bool = False) -> None:
        """Bring database, roles, key store, topics and schemas to what this code expects. Repeatable.

        The release before this one may be at work meanwhile, or be taken back to, so roles keep what they may do; with
        `revokes` they keep no more than this release needs. A database of a newer release has its rights already.

        Raises Outage, IncompatibleSchema and ShardsChanged.
        """
        # Alembic is a sixth of what a process has to load before it begins, and all but this one begin without it.
        from libs.common import migrations

        if self.vault.store is not None:
            self.vault.store.prepare(self.settings.keys_role, revokes=revokes)
        is_ours = migrations.upgrade(self.engine, self.service.folder)
        if is_ours and (role := self.settings.database_role):
            self.unit.administer(lambda tx: self._give_rights(tx, role, revokes=revokes))
        self.unit.administer(lambda tx: outbox.fix_shards(tx, self.settings.outbox_shards))
        contracts = [event_type.contract for event_type in self.handlers.writes]
        kafka.create_topics(self.settings, self.service.name, {contract.topic.name for contract in contracts})
        self.registry.register_all(contracts)

    def _give_rights(self, tx: Connection, role: str, *, revokes: bool) -> None:
        said = {role: {**MESSAGING, **self.service.rights}, role + RETENTION_SUFFIX: self.service.retention_rights}
        for name, own in said.items():
            if not own:
                continue
            if revokes:
                take(tx, name)
            give(tx, name, own)


def tune_interpreter() -> None:
    """Have threads take turns, and garbage collected, as batches need it. To be called when all is loaded.

    What is loaded by then stays: going through it again and again would stop every thread for 100 ms. And a batch keeps
    tens of thousands of objects until it is committed: going through those every few hundred is in vain.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


class Process:
    """Runs roles until it is asked to stop, or until one of them fails."""

    def __init__(self, runtime: Runtime, roles: Sequence[Role]) -> None:
        self._runtime = runtime
        self._roles = roles
        self._is_prepared = False
        self._failures: list[str] = []
        self._server: uvicorn.Server | None = None

    def run(self) -> int:
        """Returns the exit status: 0 when asked to stop, 1 when a role failed. Raises OSError if its port is taken."""
        settings = self._runtime.settings
        app = self._runtime.app(self._roles, self._readiness)
        tune_interpreter()
        self._server = uvicorn.Server(server_config(app, settings))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        # Before anything runs: a process whose port is taken would only be in the way of the one that has it.
        listener = _listen(settings.http_host, settings.http_port)
        threads = [threading.Thread(target=self._guard, args=(name, work), name=name) for name, work in self._work()]
        for thread in threads:
            thread.start()
        # Serves until SIGTERM or SIGINT: requests under way get their answers before anything else stops.
        self._server.run(sockets=[listener])
        self._runtime.stop.set()
        self._runtime.wake_relay.set()
        for thread in threads:
            thread.join(SHUTDOWN_SECONDS_MAX)
        if self._runtime.tracer is not None:
            self._runtime.tracer.close()
        log.info("stopped", extra={"failures": self._failures})
        return 1 if self._failures else 0

    def _on_signal(self, *_: object) -> None:
        """Take a signal that comes before uvicorn listens, and the same one when uvicorn, ending, raises it again.

        Left to Python, the second would end the process before its roles have finished what they have begun.
        """
        assert self._server is not None
        self._server.should_exit = True

    def _work(self) -> list[tuple[str, Callable[[Flag], None]]]:
        runtime = self._runtime
        work: list[tuple[str, Callable[[Flag], None]]] = []
        if Role.API in self._roles:
            work.append(("edge", runtime.edge.run))
        if Role.WORKER in self._roles:
            work += [("consumer", runtime.consumer.run), ("sweep", runtime.sweep.run), ("figures", runtime.figures.run)]
            work += runtime.service.loops(runtime).items()
        if Role.RELAY in self._roles:
            work.append(("relay", runtime.relay.run))
        return work

    def _guard(self, name: str, work: Callable[[Flag], None]) -> None:
        """Run one role; if it fails, the whole process ends and is started anew."""
        try:
            self._prepare(knows_schemas=name != "relay")
            work(self._runtime.stop)
        except Exception:
            log.exception("a role failed", extra={"role": name})
            self._failures.append(name)
            assert self._server is not None
            self._server.should_exit = True

    def _prepare(self, *, knows_schemas: bool) -> None:
        """Before the first event: see that the outbox is the one we think it is, and learn our schemas' ids.

        Waits while database or registry are away. Raises ShardsChanged.
        """
        runtime = self._runtime
        while not runtime.stop.is_set():
            try:
                runtime.unit.administer(lambda tx: outbox.require_shards(tx, runtime.settings.outbox_shards))
                if knows_schemas:
                    runtime.codec.prepare(runtime.handlers.writes)
                    self._is_prepared = True
            except Outage as outage:
                log.warning("waiting to begin", extra={"error": str(outage)})
                runtime.stop.wait(START_RETRY_SECONDS)
            else:
                return

    def _readiness(self) -> dict[str, bool]:
        runtime, ready = self._runtime, {}
        if Role.API in self._roles:
            ready["api"] = self._is_prepared
        if Role.WORKER in self._roles:
            ready["worker"] = runtime.consumer.is_ready
        if Role.RELAY in self._roles:
            ready["relay"] = runtime.relay.is_ready
        return ready


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How a process answers requests: over TLS where it has a certificate."""
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        proxy_headers=settings.trusts_forwarded_headers,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
        lifespan="off",
        ssl_certfile=settings.http_certificate,
        ssl_keyfile=settings.http_key,
    )


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
    return listener


def run(service: Service, roles: Sequence[Role], *, revokes: bool = False) -> int:
    """Run a service's roles in this process, with settings from the environment. `revokes` is for `migrate`."""
    settings = service.settings()
    logs.configure(service.name, settings.log_level)
    runtime = Runtime(service, settings)
    if Role.MIGRATE in roles:
        runtime.migrate(revokes=revokes)
        return 0
    return Process(runtime, roles).run()
