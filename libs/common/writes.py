"""What a batch locks and writes: rows of tables, locked in order, gathered table by table, written by one statement.

A statement costs its own price whatever it writes, and a batch of a payment or two is hardly more
than that price: one that writes five tables costs half of five that write one each, and is no
dearer for hundreds of rows (measured in docs/decisions/0004-bulk-rows.md).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection

from libs.common.database import ARRAY_TYPES, array, execute, fetch
from libs.common.record import Record
from libs.common.state import Aggregates

V = TypeVar("V", bound=Record)

Row = Sequence[Any]
"""The values of a table's columns, in their order."""


class Table:
    """A table as batches see it: its columns with their Postgres types, in the order of a row's values.

    `key` is what an update finds a row by, `changing` what it sets, `fixed` all else. `on_conflict`
    says what becomes of a row that is there already; in it the table's own row is `old`, the other
    one `excluded`. Without it that is an error, and must be for aggregates that have events: two
    batches that add the same one would otherwise publish both their first events.
    """

    def __init__(
        self,
        name: str,
        *,
        key: Mapping[str, str] | None = None,
        fixed: Mapping[str, str] | None = None,
        changing: Mapping[str, str] | None = None,
        on_conflict: str = "",
    ) -> None:
        self.name = name
        self.key, self.changing = key or {}, changing or {}
        self.columns = {**self.key, **(fixed or {}), **self.changing}
        self.on_conflict = on_conflict and f" ON CONFLICT {on_conflict}"
        self.updated = {**self.key, **self.changing}
        """The columns that an update needs."""

    @property
    def select(self) -> str:
        """The columns, for a query whose rows are to be like those written."""
        return ", ".join(self.columns)


class Writes:
    """Rows and changes on their way into the database."""

    def __init__(self) -> None:
        self._inserted: dict[Table, list[Row]] = {}
        self._updated: dict[Table, list[Row]] = {}
        self._statements: list[tuple[str, Sequence[Any]]] = []

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows to a table, in their order."""
        self._inserted.setdefault(table, []).extend(rows)

    def update(self, table: Table, rows: Iterable[Row]) -> None:
        """Set the changing columns of rows that are there."""
        self._updated.setdefault(table, []).extend(rows)

    def save(self, table: Table, aggregates: Aggregates[V], row_of: Callable[[V], Row]) -> None:
        """Insert what decisions have added, and update what they have changed."""
        self.insert(table, map(row_of, aggregates.inserted))
        self.update(table, map(row_of, aggregates.updated))

    def add(self, statement: str, parameters: Sequence[Any]) -> None:
        """Have another statement run along, which doesn't look at the rows that the others write."""
        self._statements.append((statement, parameters))

    def execute(self, tx: Connection) -> None:
        """Write it all, once.

        Postgres runs the parts in an order of its own, so what others may wait for must be locked before, or wait for
        nothing of ours; and it checks constraints when all of them are done.
        """
        parts: list[str] = []
        parameters: list[Any] = []
        for table, rows in self._updated.items():
            if rows:
                parts.append(_update_statement(table))
                parameters += _arrays(table.updated, _columns(table, rows))
        for statement, own_parameters in self._statements:
            parts.append(statement)
            parameters += own_parameters
        for table, rows in self._inserted.items():
            if rows:
                parts.append(_insert_statement(table))
                parameters += _arrays(table.columns, _columns(table, rows))
        if parts:
            execute(tx, _together(tuple(parts)), parameters)


@contextmanager
def writing(tx: Connection) -> Iterator[Writes]:
    """What is gathered inside is written at its end."""
    writes = Writes()
    yield writes
    writes.execute(tx)


def lock_rows(tx: Connection, table: Table, ids: Collection[str], columns: str = "") -> list[Any]:
    """The rows of these uuids, locked in their order; `columns` if not all, as a query names them."""
    if not ids:
        return []
    (key,) = table.key
    return fetch(
        tx,
        f"""SELECT {columns or table.select} FROM {table.name} WHERE {key} = ANY(%b::uuid[])
             ORDER BY {key} FOR NO KEY UPDATE""",
        (array("uuid", ids),),
    )


def _columns(table: Table, rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    return dict(zip(table.columns, zip(*rows, strict=True), strict=True))


def _arrays(wanted: Mapping[str, str], columns: Mapping[str, Sequence[Any]]) -> list[Any]:
    return [array(_carrier(type_), columns[name]) for name, type_ in wanted.items()]


@lru_cache(maxsize=1_000)
def _together(parts: tuple[str, ...]) -> str:
    *others, last = parts
    if not others:
        return last
    return "WITH " + ", ".join(f"w{n} AS ({part})" for n, part in enumerate(others)) + " " + last


@lru_cache(maxsize=1_000)
def _insert_statement(table: Table) -> str:
    # Rows come out of unnest, and go in, in the order of the arrays.
    return (
        f"INSERT INTO {table.name} AS old ({table.select}) SELECT {_values(table.columns)}"
        f" FROM {_unnested(table.columns)}{table.on_conflict}"
    )


@lru_cache(maxsize=1_000)
def _update_statement(table: Table) -> str:
    assignments = ", ".join(f"{name} = {_value(name, type_)}" for name, type_ in table.changing.items())
    condition = " AND ".join(f"old.{name} = {_value(name, type_)}" for name, type_ in table.key.items())
    return f"UPDATE {table.name} AS old SET {assignments} FROM {_unnested(table.updated)} WHERE {condition}"


def _unnested(columns: Mapping[str, str]) -> str:
    # Not in FROM: there each array would be written to a table of its own first, and read from that.
    values = ", ".join(f"unnest(%b::{_carrier(type_)}[]) AS {name}" for name, type_ in columns.items())
    return f"(SELECT {values}) AS v"


def _values(columns: Mapping[str, str]) -> str:
    return ", ".join(_value(name, type_) for name, type_ in columns.items())


def _value(name: str, type_: str) -> str:
    return f"v.{name}" if type_ in ARRAY_TYPES else f"v.{name}::{type_}"


def _carrier(type_: str) -> str:
    """The type a value travels as: its own, or what Postgres writes of it as text."""
    return type_ if type_ in ARRAY_TYPES else "text"
