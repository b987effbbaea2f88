"""The audit log in the database: its head locked, entries appended, and read again."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch, transaction
from libs.common.record import Record
from libs.common.writes import Table, Writes, writing
from services.compliance.domain.audit import AuditEntry, AuditFault, AuditHead, Happening, chained, first_fault

PAGE_LENGTH = 10_000

ENTRIES = Table(
    "audit_entries",
    key={"number": "bigint"},
    fixed={
        "at": "timestamptz",
        "actor": "text",
        "role": "text",
        "verb": "text",
        "object_kind": "text",
        "object_id": "text",
        "details": "text",
        "hash_before": "bytea",
        "hash": "bytea",
    },
)
HEAD = Table("audit_head", key={"is_only": "boolean"}, changing={"entry_count": "bigint", "entry_hash": "bytea"})


class Verified(Record):
    """How much was looked at, the newest hash, and what was found."""

    entry_count: int
    entry_hash: bytes
    fault: AuditFault | None


def lock_head(tx: Connection) -> AuditHead:
    """Where the log ends, ours until the transaction does. The last lock that any transaction takes."""
    return _head(tx, "FOR NO KEY UPDATE")


def put(writes: Writes, head: AuditHead, happenings: Sequence[Happening]) -> None:
    """Have what happened written after a head that is locked."""
    entries = chained(head, happenings)
    if entries:
        writes.insert(ENTRIES, map(msgspec.structs.astuple, entries))
        writes.update(HEAD, [(True, entries[-1].number, entries[-1].hash)])


def append(tx: Connection, *happenings: Happening) -> None:
    """Put down what happened, with the transaction it happens in."""
    head = lock_head(tx)
    with writing(tx) as writes:
        put(writes, head, happenings)


def verify(engine: Engine, *, entries_max: int) -> Verified | None:
    """Verify the whole log as it stands at one moment; None if it has more entries than that."""
    with transaction(engine) as tx:
        execute(tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        head = _head(tx)
        if head.entry_count > entries_max:
            return None
        fault = first_fault(_entries(tx), head)
    return Verified(entry_count=head.entry_count, entry_hash=head.entry_hash, fault=fault)


def list_entries(
    engine: Engine, *, before: int | None, actor: str | None, object_id: str | None, limit: int
) -> list[AuditEntry]:
    """Entries, the newest first, those of one person or about one thing if asked for."""
    wanted = {"number <": before, "actor =": actor, "object_id =": object_id}
    given = {condition: value for condition, value in wanted.items() if value is not None}
    conditions = "".join(f" AND {condition} %s" for condition in given)
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT {ENTRIES.select} FROM audit_entries WHERE true{conditions} ORDER BY number DESC LIMIT %s",
            (*given.values(), limit),
            binary=True,
        )
    return [_entry(row) for row in rows]


def _head(tx: Connection, lock: str = "") -> AuditHead:
    ((count, newest),) = fetch(tx, f"SELECT entry_count, entry_hash FROM audit_head {lock}", binary=True)
    return AuditHead(entry_count=count, entry_hash=newest)


def _entries(tx: Connection) -> Iterator[AuditEntry]:
    after = 0
    while True:
        rows = fetch(
            tx,
            f"SELECT {ENTRIES.select} FROM audit_entries WHERE number > %s ORDER BY number LIMIT %s",
            (after, PAGE_LENGTH),
            binary=True,
        )
        for row in rows:
            yield _entry(row)
            after = row[0]
        if len(rows) < PAGE_LENGTH:
            return


def _entry(row: Sequence[Any]) -> AuditEntry:
    return AuditEntry(**dict(zip(ENTRIES.columns, row, strict=True)))
