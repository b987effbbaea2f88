"""The outbox: events waiting, in the database of the service that caused them, to be published.

A row is written in the transaction that changed the state it tells of, by its last statement: the
lock on the aggregate is taken before, so for one aggregate a lower id is always committed before a
higher one exists, and reading by id is reading in order (docs/decisions/0002-outbox.md).
"""

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.record import Record
from libs.common.writes import Table, Writes

RECORD_BYTES_MAX = 950_000
"""Of key, value and headers together: below the producer's and the broker's `message.max.bytes`, with what they add."""

BACKLOG_COUNTED_MAX = 100_000


class OutboxRow(Record):
    """A record as Kafka will have it: the relay ships it as it is."""

    topic: str
    key: str
    value: bytes | None
    headers: Mapping[str, str]


class ValueTooLarge(ValueError):
    """An event is larger, with its key and headers, than a Kafka record may be."""


_UTF8_BYTES_MAX = 4
"""Of one character: counting them all as that long is much faster than encoding them, and long ones are rare."""

_encode_headers = msgspec.json.Encoder().encode

_OUTBOX = Table(
    "outbox", fixed={"shard": "smallint", "topic": "text", "key": "text", "value": "bytea", "headers": "text"}
)


def shard_of(key: str, shards: int) -> int:
    """The shard a key's events wait in: always the same one, so that one relay sends them in order."""
    return zlib.crc32(key.encode()) % shards


class ShardsChanged(Exception):
    """The settings name another number of shards than the one this outbox was made with."""


def fix_shards(tx: Connection, shards: int) -> None:
    """Make this the number of shards, for good. Raises ShardsChanged when it is another already."""
    execute(tx, "INSERT INTO outbox_shards (shards) VALUES (%s) ON CONFLICT DO NOTHING", (shards,))
    require_shards(tx, shards)


def require_shards(tx: Connection, shards: int) -> None:
    """Raises ShardsChanged: with another number, events of one key would wait in two shards and overtake each other."""
    ((fixed,),) = fetch(tx, "SELECT coalesce(max(shards), %s) FROM outbox_shards", (shards,))
    if fixed != shards:
        raise ShardsChanged(f"this outbox has {fixed} shards for good; WEIR_OUTBOX_SHARDS says {shards}")


def require_size(row: OutboxRow) -> None:
    """Raises ValueTooLarge for what Kafka would refuse for ever."""
    size = size_of(row)
    if size > RECORD_BYTES_MAX:
        raise ValueTooLarge(f"{size} bytes for {row.topic}, {RECORD_BYTES_MAX} at most")


def size_of(row: OutboxRow) -> int:
    """The bytes of a record: at least as many as Kafka will count, but for some per header."""
    text = "".join((row.key, *row.headers, *row.headers.values()))
    return len(row.value or b"") + _UTF8_BYTES_MAX * len(text)


def append(writes: Writes, rows: Iterable[OutboxRow], *, shards: int) -> None:
    """Append events, in order. They must be written by the transaction's last statement before its commit."""
    writes.insert(
        _OUTBOX,
        (
            (shard_of(row.key, shards), row.topic, row.key, row.value, _encode_headers(row.headers).decode())
            for row in rows
        ),
    )


def measure(tx: Connection) -> list[tuple[int, int, datetime]]:
    """Shard, how many events wait in it, and since when the first does; counted up to BACKLOG_COUNTED_MAX over all."""
    return fetch(
        tx,
        """SELECT shard, count(*), min(created_at) FROM (
             SELECT shard, created_at FROM outbox ORDER BY shard, id LIMIT %s
           ) AS waiting GROUP BY shard ORDER BY shard""",
        (BACKLOG_COUNTED_MAX,),
    )


def list_parked(tx: Connection) -> list[tuple[str, str, int, str]]:
    """Topic, key, how many events, and why, of what Kafka would not take."""
    return fetch(
        tx,
        """SELECT topic, key, count(*), (array_agg(error ORDER BY id))[1] FROM outbox_parked
            GROUP BY topic, key ORDER BY min(parked_at)""",
    )


def request_release(tx: Connection, topic: str, key: str) -> int:
    """Ask the relay to send parked events again, in order and before what follows them; how many there are."""
    return execute(
        tx,
        "UPDATE outbox_parked SET release_requested_at = now() WHERE topic = %s AND key = %s",
        (topic, key),
    )
