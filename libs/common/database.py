"""Postgres: the engine, transactions, and statements whose parameters are whole columns.

SQLAlchemy owns the pool and the transaction. Statements go through psycopg on the same connection.
What concerns many rows travels as arrays in binary (`array`), to be unnested where they arrive: as
text, a column of long texts costs sixty times as much (measured in docs/decisions/0004-bulk-rows.md).
"""

import array as numbers
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import psycopg
from psycopg import postgres
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.errors import QueryCanceled
from psycopg.pq import Format
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from libs.common import ids
from libs.common.errors import Outage, TooSlow, is_poison
from libs.common.record import Record

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


def create(url: URL | str, *, pool_size: int = 8, application_name: str = "weir") -> Engine:
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
        if _is_lost(error):
            # Its neighbours in the pool have most likely died with it: none of them is tried again.
            engine.dispose(close=False)
        kind = TooSlow if isinstance(_of_driver(error), QueryCanceled) else Outage
        raise kind(f"the database: {type(error).__name__}: {error}") from error


_LOST = ("08", "57P", "25P03", "25P04")
"""What SQLSTATEs begin with after which there is no connection any more."""


def _is_lost(error: psycopg.Error | SQLAlchemyError) -> bool:
    """Whether it was the connection that failed, and not what was asked of it: a pool that is given up for each
    statement that is refused leaves its connections open, until the server has none left."""
    if not isinstance(driver := _of_driver(error), psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return driver.sqlstate is None or driver.sqlstate.startswith(_LOST)


def execute(tx: Connection, statement: str, parameters: Sequence[Any] = ()) -> int:
    """Run one statement with `%s` parameters; return how many rows it touched."""
    try:
        return _driver(tx).execute(statement.encode(), parameters or None).rowcount
    except _UNFIT as error:
        raise _does_not_fit(error) from error


def fetch(tx: Connection, statement: str, parameters: Sequence[Any] = (), *, binary: bool = False) -> list[Any]:
    """The rows of one query with `%s` parameters. Binary pays where there are large bytea columns."""
    try:
        return _driver(tx).execute(statement.encode(), parameters or None, binary=binary).fetchall()
    except _UNFIT as error:
        raise _does_not_fit(error) from error


def measure_bytes(tx: Connection) -> int:
    """What this database takes on its disk."""
    ((size,),) = fetch(tx, "SELECT pg_database_size(current_database())")
    return int(size)


def measure_oldest_transaction(tx: Connection) -> float:
    """For how many seconds the oldest transaction has been open here, ours apart, also one prepared and forgotten.

    Of other roles only if ours may read all statistics; ours are seen always.
    """
    ((seconds,),) = fetch(
        tx,
        """SELECT coalesce(extract(epoch FROM clock_timestamp() - min(began_at)), 0)::float8 FROM (
             SELECT xact_start AS began_at FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
              UNION ALL
             SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()
           ) AS open""",
    )
    return max(0.0, float(seconds))


COPIED_AT = "weir.copied_at"
"""A setting of the database `postgres`, which nobody acts upon: when the whole server was copied last."""


def measure_archive(tx: Connection) -> tuple[float, float] | None:
    """The age of the newest copy of the whole server, and for how long archiving its log has failed, both in seconds.

    Zero where it does not fail. None where no copy was made by `python -m stack backup`: then something else saves
    this server, or nothing.
    """
    rows = fetch(
        tx,
        """SELECT extract(epoch FROM clock_timestamp() - split_part(setting, '=', 2)::timestamptz)::float8,
                  CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity')
                       THEN extract(epoch FROM clock_timestamp() - coalesce(last_archived_time, stats_reset))::float8
                       ELSE 0 END
             FROM pg_stat_archiver
            CROSS JOIN pg_db_role_setting s
             JOIN pg_database d ON d.oid = s.setdatabase
            CROSS JOIN unnest(s.setconfig) AS setting
            WHERE d.datname = 'postgres' AND s.setrole = 0 AND split_part(setting, '=', 1) = %s""",
        (COPIED_AT,),
    )
    return next(((max(0.0, float(age)), max(0.0, float(failing))) for age, failing in rows), None)


class Array(Record):
    """An array as Postgres has it in binary. The statement says of what: `%b::uuid[]`."""

    packed: bytes


def array(type_: str, values: Iterable[Any]) -> Array:
    """A column's values, for a parameter; None is NULL. `type_` is one of `ARRAY_TYPES`.

    Raises psycopg.DataError for a value that does not fit the type, as Postgres would.
    """
    column, pack = list(values), _PACK[type_]
    # Dimensions, whether there may be nulls, the elements' type; the length of the one dimension, where it begins.
    head = _pack_head(1, 1, _OIDS[type_], len(column), 1)
    try:
        return Array(packed=b"".join((head, *(_with_nulls(pack, column) if None in column else pack(column)))))
    except (*_UNFIT, TypeError) as error:
        raise _does_not_fit(error) from error


_UNFIT = (ValueError, OverflowError)


def _does_not_fit(error: Exception) -> psycopg.DataError:
    """A value that can't be made into its column's type: what Postgres would call class 22, had it come so far."""
    return psycopg.DataError(f"a value does not fit its column: {error}")


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
        return obj.packed


def _adapt(connection: psycopg.Connection[Any], _: object) -> None:
    connection.adapters.register_loader("uuid", TextLoader)
    connection.adapters.register_loader("uuid", _BinaryUuidLoader)
    connection.adapters.register_dumper(Array, _ArrayDumper)


# A column at a time, each value with its length before it as elements of an array have it. Nothing here runs Python for
# each value where it can be helped: by the value, packing took a tenth of a ledger's time.


_Pack = Callable[[Sequence[Any]], Iterable[bytes]]


def _with_nulls(pack: _Pack, column: Sequence[Any]) -> Iterable[bytes]:
    if column.count(None) == len(column):
        return (_NULL * len(column),)
    return _between_nulls(b"".join(pack([value for value in column if value is not None])), column)


def _between_nulls(packed: bytes, column: Sequence[Any]) -> Iterator[bytes]:
    place = 0
    for value in column:
        if value is None:
            yield _NULL
        else:
            (length,) = _unpack_length(packed, place)
            yield packed[place : (place := place + _LENGTH_BYTES + length)]


def _pack_bytes(column: Sequence[bytes]) -> Iterable[bytes]:
    return chain.from_iterable(zip(map(_pack_length, map(len, column)), column, strict=True))


def _pack_texts(column: Sequence[str]) -> Iterable[bytes]:
    return _pack_bytes([value.encode() for value in column])


def _pack_uuids(column: Sequence[str]) -> Iterable[bytes]:
    text, count = "".join(column), len(column)
    is_spelled = set(map(len, column)) <= {_UUID_CHARACTERS} and all(
        text[place::_UUID_CHARACTERS] == "-" * count for place in _UUID_HYPHENS
    )
    try:
        packed = bytes.fromhex((_UUID_LENGTH + _UUID_LENGTH.join(column)).replace("-", "")) if column else b""
    except ValueError:
        is_spelled = False
    # It reads digits with blanks between them as if these were not there.
    if not is_spelled or len(packed) != _UUID_PACKED_BYTES * count:
        raise ValueError(f"not a UUID: {next((value for value in column if not ids.is_id(value)), '')!r}")
    return (packed,)


def _pack_instants(column: Sequence[datetime]) -> Iterable[bytes]:
    # Most of a batch's instants are one object: when it was received. Equal ones may differ, by their fold.
    object_ids = list(map(id, column))
    objects = dict(zip(object_ids, column, strict=True))
    micros = {id_: (value - _EPOCH) // _MICROSECOND for id_, value in objects.items()}
    return _pack_bigints(list(map(micros.__getitem__, object_ids)))


def _packing(code: str) -> _Pack:
    """A function that packs numbers of the kind that `array.array` knows by this letter."""

    def pack(column: Sequence[Any]) -> Iterable[bytes]:
        packed = numbers.array(code, column)
        if sys.byteorder == "little":
            packed.byteswap()
        return (_with_lengths(packed.tobytes(), packed.itemsize),)

    return pack


def _with_lengths(values: bytes, size: int) -> bytes:
    """Values of one size, side by side, each with its length before it: copied byte by byte of all of them at once."""
    packed = bytearray((_pack_length(size) + bytes(size)) * (len(values) // size))
    for place in range(size):
        packed[_LENGTH_BYTES + place :: _LENGTH_BYTES + size] = values[place::size]
    return bytes(packed)


def _pack_booleans(column: Sequence[bool]) -> Iterable[bytes]:
    return (_with_lengths(bytes(map(bool, column)), 1),)


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Where Postgres counts its microseconds from."""
_MICROSECOND = timedelta(microseconds=1)

_UUID_CHARACTERS = 36
_UUID_HYPHENS = (8, 13, 18, 23)
_UUID_LENGTH = "00000010"
"""In hexadecimal, as it stands before the digits of each."""
_UUID_PACKED_BYTES = 4 + 16

_pack_head = struct.Struct(">iiIii").pack
_LENGTH_BYTES = 4
_pack_length = struct.Struct(">i").pack
_unpack_length = struct.Struct(">i").unpack_from
_pack_bigints = _packing("q")

_NULL = _pack_length(-1)

_PACK: Mapping[str, _Pack] = {
    "bigint": _pack_bigints,
    "boolean": _pack_booleans,
    "bytea": _pack_bytes,
    "double precision": _packing("d"),
    "integer": _packing("i"),
    "smallint": _packing("h"),
    "text": _pack_texts,
    "timestamptz": _pack_instants,
    "uuid": _pack_uuids,
}
_OIDS = {type_: postgres.types[type_].oid for type_ in _PACK}

ARRAY_TYPES = frozenset(_PACK)
