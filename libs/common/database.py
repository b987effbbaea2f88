"""Postgres: the engine, transactions, and statements whose parameters are whole columns.

SQLAlchemy owns the pool and the transaction. Statements go through psycopg on the same connection.
What concerns many rows travels as arrays in binary (`array`), to be unnested where they arrive: as
text, a column of long texts costs sixty times as much (measured in docs/decisions/0004-bulk-rows.md).
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import postgres
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.errors import QueryCanceled
from psycopg.pq import Format
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from libs.common.errors import Outage, TooSlow, is_poison

LOCK_TIMEOUT = "10s"
STATEMENT_TIMEOUT = "30s"
IDLE_TIMEOUT = "60s"

GONE_SECONDS_MAX = 25
"""How long a machine at the other end may be silent before its connection is given up, by either end."""
LIVENESS: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Keepalives are not sent while something sent waits to be acknowledged: that has a limit of its own.
    "tcp_user_timeout": GONE_SECONDS_MAX * 1000,
}
"""What libpq is told, so that a database that has vanished without a word is noticed."""
LIVENESS_OPTIONS = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""The same for Postgres: a client that has vanished must not keep its locks, which leaders of the relay hold."""


def create(url: str, *, pool_size: int = 8, application_name: str = "weir") -> Engine:
    """An engine whose connections give up rather than wait for ever, and read uuids as text."""
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        # The connection used last knows our statements, and its process is still in the caches.
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={
            "application_name": application_name,
            **LIVENESS,
            "options": f"{LIVENESS_OPTIONS} -c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}"
            f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT} -c timezone=UTC",
        },
    )
    event.listen(engine, "connect", _adapt)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that is rolled back unless its owner commits it.

    Raises Outage when the database can't be reached or fails for a reason that is not a message's
    fault (TooSlow when a statement ran into its limit), and lets errors of SQLSTATE classes 22 and 23
    through as they are.
    """
    try:
        with engine.connect() as tx:
            # SQLAlchemy commits only what it knows to have begun, and it doesn't see what goes past it to the driver.
            tx.begin()
            yield tx
    except (psycopg.Error, SQLAlchemyError) as error:
        if is_poison(error):
            _withhold_values(error)
            raise
        # Its neighbours in the pool have most likely died with it: none of them is tried again.
        engine.dispose(close=False)
        kind = TooSlow if isinstance(_of_driver(error), QueryCanceled) else Outage
        raise kind(f"the database: {type(error).__name__}: {error}") from error


def execute(tx: Connection, statement: str, parameters: Sequence[Any] = ()) -> int:
    """Run one statement with `%s` parameters; return how many rows it touched."""
    with _unfit_values():
        return _driver(tx).execute(statement.encode(), parameters or None).rowcount


def fetch(tx: Connection, statement: str, parameters: Sequence[Any] = (), *, binary: bool = False) -> list[Any]:
    """The rows of one query with `%s` parameters. Binary pays where there are large bytea columns."""
    with _unfit_values():
        return _driver(tx).execute(statement.encode(), parameters or None, binary=binary).fetchall()


class Array(bytes):
    """An array as Postgres has it in binary. The statement says of what: `%b::uuid[]`."""


def array(type_: str, values: Iterable[Any]) -> Array:
    """A column's values, for a parameter; None is NULL. `type_` is one of `ARRAY_TYPES`.

    Raises psycopg.DataError for a value that does not fit the type, as Postgres would.
    """
    pack = _PACK[type_]
    with _unfit_values():
        parts = [_NULL if value is None else pack(value) for value in values]
    # Dimensions, whether there may be nulls, the elements' type; the length of the one dimension, where it begins.
    head = struct.pack(">iiIii", 1, 1, postgres.types[type_].oid, len(parts), 1)
    return Array(head + b"".join(parts))


@contextmanager
def _unfit_values() -> Iterator[None]:
    """A value that can't be made into its column's type: what Postgres would call class 22, had it come so far."""
    try:
        yield
    except (ValueError, OverflowError, struct.error) as error:
        raise psycopg.DataError(f"a value does not fit its column: {error}") from error


def _of_driver(error: psycopg.Error | SQLAlchemyError) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _withhold_values(error: Exception) -> None:
    """Leave of Postgres' message what is wrong, and not the row: it goes to logs, where nobody's name belongs."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        error.args = (error.diag.message_primary,)


def _driver(tx: Connection) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = tx.connection.driver_connection  # type: ignore[assignment]
    return connection


class _BinaryUuidLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        text = bytes(data).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj


def _adapt(connection: psycopg.Connection[Any], _: object) -> None:
    connection.adapters.register_loader("uuid", TextLoader)
    connection.adapters.register_loader("uuid", _BinaryUuidLoader)
    connection.adapters.register_dumper(Array, _ArrayDumper)


# Each value with its length before it, as elements of an array have it.


def _pack_bytes(value: bytes) -> bytes:
    return _pack_length(len(value)) + value


def _pack_text(value: str) -> bytes:
    return _pack_bytes(value.encode())


def _pack_uuid(value: str) -> bytes:
    packed = bytes.fromhex(value.replace("-", ""))
    if len(packed) != _UUID_BYTES:
        raise ValueError(f"not a UUID: {value!r}")
    return _UUID_LENGTH + packed


def _pack_instant(value: datetime) -> bytes:
    since = value - _EPOCH
    return _pack_bigint(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


_UUID_BYTES = 16
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Where Postgres counts its microseconds from."""

_pack_length = struct.Struct(">i").pack
_pack_bigint = struct.Struct(">iq").pack
_pack_integer = struct.Struct(">ii").pack
_pack_smallint = struct.Struct(">ih").pack
_pack_boolean = struct.Struct(">i?").pack
_pack_double = struct.Struct(">id").pack

_UUID_LENGTH = _pack_length(_UUID_BYTES)
_NULL = _pack_length(-1)

_PACK: Mapping[str, Callable[[Any], bytes]] = {
    "bigint": lambda value: _pack_bigint(8, value),
    "boolean": lambda value: _pack_boolean(1, value),
    "bytea": _pack_bytes,
    "double precision": lambda value: _pack_double(8, value),
    "integer": lambda value: _pack_integer(4, value),
    "smallint": lambda value: _pack_smallint(2, value),
    "text": _pack_text,
    "timestamptz": _pack_instant,
    "uuid": _pack_uuid,
}

ARRAY_TYPES = frozenset(_PACK)
