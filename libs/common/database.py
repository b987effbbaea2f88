"""Postgres: the engine, and the two ways of moving many rows at once.

SQLAlchemy owns the pool, the tables, and every query whose cost doesn't matter. Rows of a batch go
through psycopg on the same connection and in the same transaction: COPY to insert, arrays unnested
to update. Arrays travel in binary (`%b` with a cast such as `%b::uuid[]`): as text, a column of long
texts costs sixty times as much (measured in docs/decisions/0004-bulk-rows.md).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

_UUID_BYTES = 16


def create(url: str, *, pool_size: int = 8, application_name: str = "weir") -> Engine:
    """An engine whose connections give up rather than wait for ever, and read uuids as text."""
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,
        connect_args={
            "application_name": application_name,
            **LIVENESS,
            "options": f"{LIVENESS_OPTIONS} -c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}"
            f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT} -c timezone=UTC",
        },
    )
    event.listen(engine, "connect", _keep_uuids_as_text)
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


def copy(tx: Connection, statement: str, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows by `COPY … FROM STDIN (FORMAT BINARY)`; `types` are the columns' Postgres types."""
    with _unfit_values(), _driver(tx).cursor() as cursor, cursor.copy(statement.encode()) as stream:
        stream.set_types(types)
        for row in rows:
            stream.write_row(row)


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


class _BinaryUuidDumper(Dumper):
    format = Format.BINARY
    oid = postgres.types["uuid"].oid

    def dump(self, obj: str) -> bytes:
        value = bytes.fromhex(obj.replace("-", ""))
        if len(value) != _UUID_BYTES:
            raise ValueError(f"not a UUID: {obj!r}")
        return value


def _keep_uuids_as_text(connection: psycopg.Connection[Any], _: object) -> None:
    connection.adapters.register_loader("uuid", TextLoader)
    connection.adapters.register_loader("uuid", _BinaryUuidLoader)
    # Without a class: only where a COPY says that the column is a uuid.
    connection.adapters.register_dumper(None, _BinaryUuidDumper)
