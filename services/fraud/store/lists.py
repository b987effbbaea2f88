"""Who is on which list: read by every batch whose rules ask, locked by those that change it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.writes import Table
from services.fraud.domain.entities import EntityKind
from services.fraud.domain.knowledge import EntityKey, ListEntry

LIST_ENTRIES = Table(
    "list_entries",
    key={"entry_id": "text"},
    fixed={"kind": "entity_kind", "entity_id": "uuid", "list_name": "text"},
    changing={
        "reason": "text",
        "added_by": "text",
        "added_at": "timestamptz",
        "until": "timestamptz",
        "sequence": "bigint",
    },
)


def find_of(tx: Connection, keys: Sequence[EntityKey]) -> dict[EntityKey, list[ListEntry]]:
    """The entries of entities, also those that are over."""
    found: dict[EntityKey, list[ListEntry]] = defaultdict(list)
    if not keys:
        return found
    rows = fetch(
        tx,
        f"""SELECT {LIST_ENTRIES.select} FROM unnest(%b::text[]::entity_kind[], %b::uuid[]) AS k (kind, entity_id)
              JOIN list_entries USING (kind, entity_id)""",
        (array("text", [kind.value for kind, _ in keys]), array("uuid", [entity_id for _, entity_id in keys])),
    )
    for row in rows:
        entry = entry_of(*row)
        found[entry.kind, entry.entity_id].append(entry)
    return found


def lock(tx: Connection, entry_ids: Collection[str]) -> dict[str, ListEntry]:
    """Those of these entries that are known, locked in their order."""
    if not entry_ids:
        return {}
    rows = fetch(
        tx,
        f"""SELECT {LIST_ENTRIES.select} FROM list_entries WHERE entry_id = ANY(%b::text[])
             ORDER BY entry_id FOR NO KEY UPDATE""",
        (array("text", entry_ids),),
    )
    return {row[0]: entry_of(*row) for row in rows}


def row_of(entry: ListEntry) -> tuple[Any, ...]:
    return (
        entry.entry_id,
        entry.kind.value,
        entry.entity_id,
        entry.list_name,
        entry.reason,
        entry.added_by,
        entry.added_at,
        entry.until,
        entry.sequence,
    )


def entry_of(
    entry_id: str,
    kind: str,
    entity_id: str,
    list_name: str,
    reason: str,
    added_by: str,
    added_at: datetime,
    until: datetime | None,
    sequence: int,
) -> ListEntry:
    """A row of LIST_ENTRIES as what it means."""
    return ListEntry(
        entry_id=entry_id,
        kind=EntityKind(kind),
        entity_id=entity_id,
        list_name=list_name,
        reason=reason,
        added_by=added_by,
        added_at=added_at,
        until=until,
        sequence=sequence,
    )
