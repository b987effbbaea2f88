"""What is looked at every few seconds: processes, databases, latency; each value with the time it was seen."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg

from chaos.installation import Another, Installation
from libs.common import ids
from libs.common.record import Record
from operate import tables
from operate.tables import Bound as Growth
from soak.verdict import Bound, Sample
from stack import postgres
from stack.services import FEATURES
from stack.settings import SERVICES

PAYMENTS_MAX = 500
"""Whose times make one sample of the latency."""
LATENCY_SECONDS = 30
"""How long ago the oldest of them was ordered: long enough for slow ones to have ended."""


class Kind(StrEnum):
    """What is measured."""

    MEMORY = "memory, MB"
    THREADS = "threads"
    HANDLES = "open files"
    CONNECTIONS = "connections"
    OUTBOX = "outbox rows"
    TRANSIENT = "rows under way"
    SIZE = "size under way, MB"
    P50 = "latency p50, ms"
    P99 = "latency p99, ms"


BOUNDS: Mapping[Kind, Bound] = {
    # An allocator gives back less than it takes; what a batch of the largest size leaves behind comes once.
    Kind.MEMORY: Bound(per_hour=24, floor=16, share=0.1),
    Kind.THREADS: Bound(per_hour=0, floor=3),
    # A connection to the broker or the database more, now and then, and a log segment.
    Kind.HANDLES: Bound(per_hour=0, floor=8, share=0.1),
    Kind.CONNECTIONS: Bound(per_hour=0, floor=4),
    Kind.OUTBOX: Bound(per_hour=0, floor=2_000),
    Kind.TRANSIENT: Bound(per_hour=0, floor=2_000),
    Kind.SIZE: Bound(per_hour=0, floor=32),
    # A shared machine is half as fast from one minute to the next.
    Kind.P50: Bound(per_hour=0, floor=100, share=0.5),
    Kind.P99: Bound(per_hour=0, floor=500, share=1.0),
}
"""What is flat. Rows of records and of jobs are apart: they grow with what moves, and are told."""


class Series(Record):
    """What was seen of one thing."""

    kind: Kind
    of: str


class TableSize(Record):
    """A table at one moment."""

    live: int
    dead: int
    table_bytes: int
    index_bytes: int


class Measured:
    """All that was seen so far."""

    def __init__(self) -> None:
        self.series: dict[tuple[Kind, str], list[Sample]] = defaultdict(list)
        self.first_sizes: dict[tuple[str, str], TableSize] = {}
        self.last_sizes: dict[tuple[str, str], TableSize] = {}

    def add(self, kind: Kind, of: str, at: float, value: float, life: str = "") -> None:
        self.series[kind, of].append(Sample(at_seconds=at, value=value, life=life))


def look(measured: Measured, installation: Installation, others: Iterable[Another], *, at: float) -> None:
    """Take one sample of everything. `at` is Unix time."""
    for other in others:
        _look_at_process(measured, f"{other.service} {other.roles[0]}", other.process.pid, at)
    _look_at_process(measured, FEATURES, installation.pid_of(FEATURES), at)
    for service in SERVICES:
        _look_at_database(measured, installation, service, at)
    latencies = installation.rows("payments", _LATENCY, (ids.first_of(at - LATENCY_SECONDS), PAYMENTS_MAX))
    ((p50, p99),) = latencies
    if p50 is not None:
        measured.add(Kind.P50, "payments", at, 1_000 * p50)
        measured.add(Kind.P99, "payments", at, 1_000 * p99)


_LATENCY = """
SELECT percentile_cont(.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(.99) WITHIN GROUP (ORDER BY seconds) FROM (
  SELECT extract(epoch FROM (body::jsonb ->> 'ended_at')::timestamptz - initiated_at)::float8 AS seconds
    FROM payments WHERE payment_id >= %s::uuid AND state = 'settled' ORDER BY payment_id LIMIT %s) AS ended"""


def _look_at_process(measured: Measured, name: str, pid: int, at: float) -> None:
    folder = Path(f"/proc/{pid}")
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        handles = len(list((folder / "fd").iterdir()))
    except FileNotFoundError:
        # It has ended since it was named; the one after it is seen with the next sample.
        return
    if "VmRSS" not in status:
        return
    measured.add(Kind.MEMORY, name, at, int(status["VmRSS"].split()[0]) / 1024, str(pid))
    measured.add(Kind.THREADS, name, at, int(status["Threads"]), str(pid))
    measured.add(Kind.HANDLES, name, at, handles, str(pid))


def _look_at_database(measured: Measured, installation: Installation, service: str, at: float) -> None:
    with psycopg.connect(postgres.admin_dsn(installation.settings, service)) as connection:
        ((connections,),) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        ((waiting,),) = connection.execute("SELECT count(*) FROM outbox").fetchall()
        sizes = {name: TableSize(**dict(zip(_SIZE_FIELDS, row, strict=True))) for name, *row in _sizes(connection)}
    measured.add(Kind.CONNECTIONS, service, at, connections)
    measured.add(Kind.OUTBOX, service, at, waiting)
    for table, growth in tables.of(service).items():
        size = sizes[table]
        measured.first_sizes.setdefault((service, table), size)
        measured.last_sizes[service, table] = size
        if growth.bound is Growth.TRANSIENT:
            measured.add(Kind.TRANSIENT, f"{service}.{table}", at, size.live)
            measured.add(Kind.SIZE, f"{service}.{table}", at, (size.table_bytes + size.index_bytes) / 2**20)


_SIZE_FIELDS = ("live", "dead", "table_bytes", "index_bytes")


def _sizes(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT relname, n_live_tup, n_dead_tup, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables"
    ).fetchall()
