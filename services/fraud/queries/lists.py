"""Who is on which list."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from libs.common.database import fetch, transaction
from services.fraud.domain.knowledge import ListEntry
from services.fraud.store.lists import LIST_ENTRIES, entry_of


def list_entries(
    engine: Engine, *, list_name: str | None, entity_id: str | None, after: str | None, limit: int, now: datetime
) -> dict[str, Any]:
    """A page of entries by their ids, also of those that are over."""
    filters = {"list_name = %s": list_name, "entity_id = %s": entity_id, "entry_id > %s": after}
    given = {condition: value for condition, value in filters.items() if value is not None}
    where = " AND ".join(given) or "true"
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT {LIST_ENTRIES.select} FROM list_entries WHERE {where} ORDER BY entry_id LIMIT %s",
            (*given.values(), limit + 1),
        )
    page = [entry_view(entry_of(*row), now) for row in rows[:limit]]
    return {"entries": page, "next_cursor": page[-1]["entry_id"] if len(rows) > limit else None}


def entry_view(entry: ListEntry, now: datetime) -> dict[str, Any]:
    """An entry, and whether it counts now."""
    return {
        "entry_id": entry.entry_id,
        "list": entry.list_name,
        "kind": entry.kind.value,
        "entity_id": entry.entity_id,
        "reason": entry.reason,
        "added_by": entry.added_by,
        "added_at": entry.added_at,
        "until": entry.until,
        "is_current": entry.holds(now),
    }
