"""Parked keys: what follows a message that a ledger could not apply waits for it, in order.

A ledger must not apply a posting whose hold it could not apply. So the key is parked with the
message that failed; its later messages are stored, with their bytes, in the transaction that moves
the offsets, and are worked off in order when someone releases the key.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from libs.common.batch import Decided
from libs.common.database import array, execute, fetch
from libs.common.dead_letters import decode_headers, encode_headers
from libs.common.inbox import Outcome
from libs.common.message import Message, Source
from libs.common.record import Record
from libs.common.writes import Table, Writes

KEY_BYTES_MAX = 1_000
"""What an index takes. No service of ours has longer keys, so what has comes from elsewhere and parks nothing."""

_PARKED_KEYS = Table("parked_keys", key={"key": "text"}, fixed={"because_of": "uuid"}, on_conflict="DO NOTHING")
_PARKED_MESSAGES = Table(
    "parked_messages",
    fixed={
        "key": "text",
        "event_id": "uuid",
        "topic": "text",
        "partition": "integer",
        "record_offset": "bigint",
        "value": "bytea",
        "headers": "text",
    },
)


class Parked(Record):
    """A message that waits."""

    event_id: str
    topic: str
    partition: int
    offset: int
    because_of: str
    """The message that could not be applied."""
    parked_at: datetime


def parked_among(tx: Connection, messages: Sequence[Message]) -> set[str]:
    """Those keys of a batch that are parked now, locked against being released meanwhile."""
    rows = fetch(
        tx,
        "SELECT key FROM parked_keys WHERE key = ANY(%b::text[]) ORDER BY key FOR SHARE",
        (array("text", {message.key for message in messages}),),
    )
    return {key for (key,) in rows}


def find_parked(tx: Connection, keys: Collection[str]) -> frozenset[str]:
    """Those of some keys that are parked now. Locks nothing: who asks has locked what messages of the keys are about,
    so that none of them is applied meanwhile, and none fails."""
    if not keys:
        return frozenset()
    rows = fetch(tx, "SELECT key FROM parked_keys WHERE key = ANY(%b::text[])", (array("text", keys),))
    return frozenset(key for (key,) in rows)


def park_keys(writes: Writes, decided: Sequence[Decided]) -> None:
    """Park the keys of messages that have just failed."""
    failed = [result.message for result in decided if result.outcome is Outcome.DEAD and result.message.parks_key]
    writes.insert(_PARKED_KEYS, ((message.key, message.message_id) for message in failed))


def park_messages(writes: Writes, messages: Sequence[Message]) -> None:
    """Keep messages of parked keys, in order, byte for byte."""
    writes.insert(_PARKED_MESSAGES, map(_row, messages))


def list_keys(tx: Connection) -> list[tuple[str, str, int]]:
    """Each parked key, the message it waits for, and how many messages wait."""
    return [
        (key, because_of, count)
        for key, because_of, count in fetch(
            tx,
            """SELECT k.key, k.because_of, count(m.id) FROM parked_keys k LEFT JOIN parked_messages m USING (key)
                GROUP BY k.key ORDER BY k.parked_at""",
        )
    ]


def lock_key(tx: Connection, key: str) -> str | None:
    """Lock a parked key, so that no batch parks or applies anything of it; the message it waits for."""
    rows = fetch(tx, "SELECT because_of FROM parked_keys WHERE key = %s FOR UPDATE", (key,))
    return rows[0][0] if rows else None


def list_messages(tx: Connection, key: str, at_most: int) -> list[tuple[int, Source]]:
    """The first messages that wait for a key, with their numbers."""
    rows = fetch(
        tx,
        """SELECT id, topic, partition, record_offset, value, headers FROM parked_messages
            WHERE key = %s ORDER BY id LIMIT %s""",
        (key, at_most),
        binary=True,
    )
    return [
        (
            number,
            Source(
                topic=topic,
                partition=partition,
                offset=offset,
                key=key.encode(),
                value=value,
                headers=decode_headers(headers),
            ),
        )
        for number, topic, partition, offset, value, headers in rows
    ]


def list_parked(tx: Connection, key: str, at_most: int) -> list[Parked]:
    """The first messages that wait for a key, in order, as people see them."""
    rows = fetch(
        tx,
        """SELECT m.event_id, m.topic, m.partition, m.record_offset, k.because_of, m.parked_at
             FROM parked_messages m JOIN parked_keys k USING (key) WHERE key = %s ORDER BY m.id LIMIT %s""",
        (key, at_most),
    )
    return [Parked(**dict(zip(Parked.__struct_fields__, row, strict=True))) for row in rows]


def still_waiting(tx: Connection, numbers: Sequence[int]) -> set[int]:
    """Those of some messages that have not been worked off."""
    rows = fetch(tx, "SELECT id FROM parked_messages WHERE id = ANY(%b::bigint[])", (array("bigint", numbers),))
    return {number for (number,) in rows}


def forget_messages(tx: Connection, numbers: Sequence[int]) -> None:
    """Remove messages that wait no more."""
    execute(tx, "DELETE FROM parked_messages WHERE id = ANY(%b::bigint[])", (array("bigint", numbers),))


def wait_for(tx: Connection, key: str, because_of: str) -> None:
    """Let a parked key wait for another message."""
    execute(tx, "UPDATE parked_keys SET because_of = %s WHERE key = %s", (because_of, key))


def free_key(tx: Connection, key: str) -> None:
    """Let the messages of a key be applied again as they come."""
    execute(tx, "DELETE FROM parked_keys WHERE key = %s", (key,))


def _row(message: Message) -> tuple[Any, ...]:
    source = message.source
    assert source is not None, "only what came from a topic is parked"
    return (
        message.key,
        message.message_id,
        source.topic,
        source.partition,
        source.offset,
        source.value,
        encode_headers(source.headers),
    )
