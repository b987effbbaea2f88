"""Changes of rules that wait for a second person, or did: locked, listed, and as rows."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch, transaction
from libs.common.writes import Table, lock_rows, writing
from services.compliance.domain.rule_change import ChangeKind, ChangeStatus, RuleChange
from services.compliance.domain.silencing import DecideChange

SHOWN_MAX = 100

CHANGES = Table(
    "rule_changes",
    key={"change_id": "uuid"},
    fixed={"kind": "text", "about": "text", "proposed_at": "timestamptz"},
    changing={"status": "text", "body": "text"},
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RuleChange).decode


def lock_changes(tx: Connection, bodies: Sequence[Any]) -> dict[str, RuleChange]:
    """Those that people decide on."""
    return lock(tx, {body.change_id for body in bodies if isinstance(body, DecideChange)})


def lock(tx: Connection, change_ids: Collection[str]) -> dict[str, RuleChange]:
    return {id_: _decode(body) for id_, body in lock_rows(tx, CHANGES, change_ids, "change_id, body")}


def save_new(tx: Connection, change: RuleChange, content: bytes | None = None) -> None:
    """Keep a change that is proposed, with what is to be imported by it."""
    with writing(tx) as writes:
        writes.insert(CHANGES, [change_row(change)])
    if content is not None:
        execute(
            tx, "INSERT INTO rule_change_contents (change_id, content) VALUES (%s, %s)", (change.change_id, content)
        )


def save_adopted(tx: Connection, change: RuleChange) -> None:
    """Keep who has made a change theirs."""
    with writing(tx) as writes:
        writes.update(CHANGES, [change_row(change)])


def save_decided(tx: Connection, change: RuleChange) -> None:
    """Keep what became of a change; what was to be imported by it is needed no more."""
    save_adopted(tx, change)
    execute(tx, "DELETE FROM rule_change_contents WHERE change_id = %s", (change.change_id,))


def find_content(tx: Connection, change_id: str) -> bytes:
    """What is to be imported by a change that waits."""
    ((content,),) = fetch(tx, "SELECT content FROM rule_change_contents WHERE change_id = %s", (change_id,))
    return bytes(content)


def list_waiting(engine: Engine, kinds: Collection[ChangeKind]) -> list[RuleChange]:
    """Changes that wait for a second person, the oldest first."""
    with transaction(engine) as tx:
        return find_waiting(tx, kinds)


def find_waiting(tx: Connection, kinds: Collection[ChangeKind]) -> list[RuleChange]:
    """The same, within a transaction."""
    rows = fetch(
        tx,
        """SELECT body FROM rule_changes WHERE status = %s AND kind = ANY(%s)
            ORDER BY proposed_at, change_id LIMIT %s""",
        (ChangeStatus.PROPOSED.value, [kind.value for kind in kinds], SHOWN_MAX),
    )
    return [_decode(body) for (body,) in rows]


def change_row(change: RuleChange) -> tuple[Any, ...]:
    """A row of CHANGES."""
    return (
        change.change_id,
        change.kind.value,
        change.about,
        change.proposed_at,
        change.status.value,
        _encode(change).decode(),
    )
