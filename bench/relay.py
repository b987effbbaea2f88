"""The outbox relay: how many events a second one shard publishes, and how soon after a commit."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection

from bench.figures import Figures, percentile
from libs.common import database, ids, kafka, migrations, outbox
from libs.common.metrics import Metrics, OutboxMetrics
from libs.common.outbox import OutboxRow
from libs.common.relay import Relay, Row
from libs.common.settings import Settings
from libs.common.writes import writing
from tests.parts import Parts

TOPIC = "bench.relay.v1"
BACKLOG = 100_000
COMMITS_PER_SECOND = 500
SECONDS = 10
WARM_UP_SECONDS = 2
BODY_BYTES = 300


def throughput(parts: Parts) -> Figures:
    """Publish a backlog of 100,000 events with real headers from one shard."""
    with _relay(parts) as (settings, relay):
        engine = database.create(settings.database)
        for start in range(0, BACKLOG, 10_000):
            with database.transaction(engine) as tx:
                _append(tx, [_row(start + n) for n in range(10_000)])
                tx.commit()
        started, cpu = time.perf_counter(), time.process_time()
        sent = 0
        while sent < BACKLOG:
            sent += relay.run_once()
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
        engine.dispose()
    return {
        "relay_events_per_second": BACKLOG / elapsed,
        "relay_cpu_microseconds_per_event": cpu / BACKLOG * 1e6,
    }


def latency(parts: Parts) -> Figures:
    """Commit 500 times a second, an event each, and see how long each takes to be acknowledged."""
    with _relay(parts) as (settings, relay):
        committed: dict[int, float] = {}
        acknowledged: dict[int, float] = {}
        delete = relay._delete

        def note(session: psycopg.Connection[object], rows: list[Row]) -> None:
            now = time.perf_counter()
            acknowledged.update((row.id, now) for row in rows)
            delete(session, rows)

        relay._delete = note  # type: ignore[method-assign, assignment]
        stop = threading.Event()
        thread = threading.Thread(target=relay.run, args=(stop,))
        thread.start()
        engine = database.create(settings.database)
        started = time.perf_counter()
        for n in range(COMMITS_PER_SECOND * (SECONDS + WARM_UP_SECONDS)):
            if n == COMMITS_PER_SECOND * WARM_UP_SECONDS:
                committed.clear()
            due = started + n / COMMITS_PER_SECOND
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            with database.transaction(engine) as tx:
                _append(tx, [_row(n)])
                ((id_,),) = database.fetch(tx, "SELECT currval('outbox_id_seq')")
                tx.commit()
            committed[id_] = time.perf_counter()
            relay._wake.set()
        while not committed.keys() <= acknowledged.keys():
            time.sleep(0.01)
        stop.set()
        thread.join()
        engine.dispose()
    waits = sorted(acknowledged[id_] - at for id_, at in committed.items())
    return {
        "relay_commit_to_ack_p50_ms": percentile(waits, 50) * 1000,
        "relay_commit_to_ack_p99_ms": percentile(waits, 99) * 1000,
    }


@contextmanager
def _relay(parts: Parts) -> Iterator[tuple[Settings, Relay]]:
    parts.create_topics([TOPIC])
    with parts.database("bench") as url:
        settings = Settings(
            database_url=url,
            **dict(parts.messaging),
            outbox_shards=1,
        )
        engine = database.create(settings.database)
        migrations.upgrade(engine, None)
        engine.dispose()
        relay = Relay(
            settings.database_dsn,
            kafka.producer_config(settings),
            OutboxMetrics(Metrics(), shards=1),
            settings,
            threading.Event(),
        )
        yield settings, relay
        relay.close()


def _append(tx: Connection, rows: list[OutboxRow]) -> None:
    with writing(tx) as writes:
        outbox.append(writes, rows, shards=1)


def _row(n: int) -> OutboxRow:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": ids.new(),
        "ce_type": "weir.bench.Something",
        "ce_source": "/weir/bench",
        "ce_time": "2026-01-01T00:00:00.000000+00:00",
        "ce_subject": ids.new(),
        "ce_sequence": "1",
        "ce_correlationid": ids.new(),
        "ce_causationid": ids.new(),
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "content-type": "application/avro",
    }
    return OutboxRow(topic=TOPIC, key=f"k{n % 1000}", value=b"x" * BODY_BYTES, headers=headers)
