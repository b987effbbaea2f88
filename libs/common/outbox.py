"""The outbox: events waiting, in the database of the service that caused them, to be published.

A row is written in the transaction that changed the state it tells of, and last: the lock on the
aggregate is taken first, so for one aggregate a lower id is always committed before a higher one
exists, and reading by id is reading in order (docs/decisions/0002-outbox.md).
"""

import zlib
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
)

from libs.common.database import TABLES, copy, execute, fetch
from libs.common.record import Record

OUTBOX = Table(
    "outbox",
    TABLES,
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

OUTBOX_PARKED = Table(
    "outbox_parked",
    TABLES,
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("error", Text, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("release_requested_at", DateTime(timezone=True)),
)

RECORD_BYTES_MAX = 950_000
"""Of key, value and headers together: below the producer's and the broker's `message.max.bytes`, with what they add."""


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


def shard_of(key: str, shards: int) -> int:
    """The shard a key's events wait in: always the same one, so that one relay sends them in order."""
    return zlib.crc32(key.encode()) % shards


def require_size(row: OutboxRow) -> None:
    """Raises ValueTooLarge for what Kafka would refuse for ever."""
    size = size_of(row)
    if size > RECORD_BYTES_MAX:
        raise ValueTooLarge(f"{size} bytes for {row.topic}, {RECORD_BYTES_MAX} at most")


def size_of(row: OutboxRow) -> int:
    """The bytes of a record: at least as many as Kafka will count, but for some per header."""
    text_length = len(row.key) + sum(map(len, row.headers)) + sum(map(len, row.headers.values()))
    return len(row.value or b"") + _UTF8_BYTES_MAX * text_length


def write(tx: Connection, rows: Sequence[OutboxRow], *, shards: int) -> None:
    """Append events, in order. Must be the transaction's last statement before its commit."""
    if rows:
        copy(
            tx,
            "COPY outbox (shard, topic, key, value, headers) FROM STDIN (FORMAT BINARY)",
            ("int2", "text", "text", "bytea", "text"),
            (
                (shard_of(row.key, shards), row.topic, row.key, row.value, _encode_headers(row.headers).decode())
                for row in rows
            ),
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
