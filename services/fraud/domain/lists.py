"""Lists that people keep: of accounts and devices to block, to allow, to watch. Rules ask who is on which. Pure."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.fraud.events import ListEntryAdded, ListEntryRemoved
from services.fraud.domain.entities import EntityKind
from services.fraud.domain.knowledge import Knowledge, ListEntry


class RefusalReason(StrEnum):
    """Why an entry is not added or removed."""

    ALREADY_OVER = "already_over"
    ENTRY_UNKNOWN = "entry_unknown"


class AddListEntry(Command):
    """Someone puts an account or a device on a list, for a reason, for good or until a time."""

    kind: EntityKind
    entity_id: str
    list_name: str
    by: str
    reason: str
    until: datetime | None = None


class RemoveListEntry(Command):
    """Someone takes it off again."""

    kind: EntityKind
    entity_id: str
    list_name: str
    by: str
    reason: str


def add_entry(knowledge: Knowledge, command: AddListEntry, at: datetime) -> Sequence[Event] | Refusal:
    """Put someone on a list; who is on it already is on it by the new reason, until the new end."""
    if command.until is not None and command.until <= at:
        return refusal(RefusalReason.ALREADY_OVER, "until")
    entry = ListEntry(
        entry_id=entry_id(command.list_name, command.kind, command.entity_id),
        kind=command.kind,
        entity_id=command.entity_id,
        list_name=command.list_name,
        reason=command.reason,
        added_by=command.by,
        added_at=at,
        until=command.until,
        sequence=_sequence(knowledge, command),
    )
    knowledge.list_entries.put(entry.entry_id, entry)
    return [
        ListEntryAdded(
            entry_id=entry.entry_id,
            entity_kind=entry.kind.value,
            entity_id=entry.entity_id,
            list_name=entry.list_name,
            reason=entry.reason,
            added_by=entry.added_by,
            until=entry.until,
            added_at=at,
        )
    ]


def entry_id(list_name: str, kind: EntityKind, entity_id: str) -> str:
    """What an entry is known by."""
    return f"{list_name}:{kind.value}:{entity_id}"


def _sequence(knowledge: Knowledge, command: AddListEntry) -> int:
    known = knowledge.list_entries.get(entry_id(command.list_name, command.kind, command.entity_id))
    return known.sequence if known else 0


def remove_entry(knowledge: Knowledge, command: RemoveListEntry, at: datetime) -> Sequence[Event] | Refusal:
    """Take someone off a list, from now on. The entry is kept, with its end."""
    known = knowledge.list_entries.get(entry_id(command.list_name, command.kind, command.entity_id))
    if known is None or not known.holds(at):
        return refusal(RefusalReason.ENTRY_UNKNOWN, None)
    knowledge.list_entries.put(known.entry_id, replace(known, until=at))
    return [
        ListEntryRemoved(
            entry_id=known.entry_id,
            entity_kind=known.kind.value,
            entity_id=known.entity_id,
            list_name=known.list_name,
            reason=command.reason,
            removed_by=command.by,
            removed_at=at,
        )
    ]
