"""What a payment costs: CPU of each program, bytes in each database and on each topic. Capacity is planned by it."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from bench.capacity import Costs
from chaos.installation import Another, Installation, family
from libs.common.record import Record
from operate import tables
from operate.tables import Bound
from stack import kafka
from stack.services import FEATURES
from stack.settings import SERVICES

_TICKS = os.sysconf("SC_CLK_TCK")


class Reading(Record):
    """All that was used up to a moment."""

    cpu_seconds: Mapping[str, float]
    database_bytes: Mapping[str, int]
    topic_bytes: Mapping[str, int]


def read(installation: Installation, cpu_of_others: Mapping[str, float]) -> Reading:
    """Everything so far; `cpu_of_others` of processes that no supervisor knows."""
    supervised = {name: cpu_seconds(installation.pid_of(name)) for name in ("postgres", "kafka", FEATURES)}
    return Reading(
        cpu_seconds={**supervised, **cpu_of_others},
        database_bytes={service: _database_bytes(installation, service) for service in SERVICES},
        topic_bytes=_topic_bytes(kafka.data_folder(installation.settings)),
    )


def costs(before: Reading, after: Reading, payments: int) -> Costs:
    """What each of so many payments took between two readings."""

    def each(used: Mapping[str, float], until: Mapping[str, float]) -> dict[str, float]:
        return {name: (value - used.get(name, 0)) / payments for name, value in sorted(until.items())}

    return Costs(
        payments=payments,
        cpu_ms={name: 1_000 * seconds for name, seconds in each(before.cpu_seconds, after.cpu_seconds).items()},
        database_bytes=each(before.database_bytes, after.database_bytes),
        topic_bytes=each(before.topic_bytes, after.topic_bytes),
    )


def cpu_seconds(pid: int) -> float:
    """What a process and all that descend from it have used, those that have ended as well."""
    total = 0
    for member in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15] if member == pid else fields[11:13]))
    return total / _TICKS


def cpu_by_service(processes: Iterable[Another]) -> dict[str, float]:
    used: dict[str, float] = {}
    for process in processes:
        used[process.service] = used.get(process.service, 0) + cpu_seconds(process.process.pid)
    return used


def save(costs: Costs, file: Path) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=1))


def _database_bytes(installation: Installation, service: str) -> int:
    """Of what stays: tables of what is under way are as large as their busiest minute, whatever comes after."""
    stays = [name for name, table in tables.of(service).items() if table.bound is not Bound.TRANSIENT]
    query = "SELECT sum(pg_table_size(relid) + pg_indexes_size(relid)) FROM pg_stat_user_tables WHERE relname = ANY(%s)"
    ((size,),) = installation.rows(service, query, (stays,))
    return int(size)


def _topic_bytes(folder: Path) -> dict[str, int]:
    """By topic: what its partitions' segments hold, without indexes, which are allocated ahead."""
    sizes: dict[str, int] = {}
    for segment in folder.glob("*-*/*.log"):
        topic = segment.parent.name.rpartition("-")[0]
        with suppress(FileNotFoundError):
            sizes[topic] = sizes.get(topic, 0) + segment.stat().st_size
    return sizes
