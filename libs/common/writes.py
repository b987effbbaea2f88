"""What a batch writes: gathered table by table, and written by one statement.

A statement costs its own price whatever it writes, and a batch of a payment or two is hardly more
than that price: one that writes five tables costs half of five that write one each, and is no
dearer for hundreds of rows (measured in docs/decisions/0004-bulk-rows.md).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection

from libs.common.database import ARRAY_TYPES, array, execute
from libs.common.record import Record
from libs.common.state import Aggregates

V = TypeVar("V", bound=Record)

Row = Sequence[Any]
"""The values of a table's columns, in their order."""


class Table:
    """A table as batches see it: its columns with their Postgres types, in the order of a row's values.

    `key` is what an update finds a row by, `changing` what it sets, `fixed` what stays as it was
    inserted. `on_conflict` says what becomes of a row that is there already; without it that is an
    error. In it the table's own row is `old`, the other one `excluded`.
    """

    def __init__(
        self,
        name: str,
        *,
        key: Mapping[str, str],
        fixed: Mapping[str, str] | None = None,
        changing: Mapping[str, str] | None = None,
        on_conflict: str = "",
    ) -> None:
        self.name = name
        self.key = key
        self.changing = changing or {}
        self.columns = {**key, **(fixed or {}), **self.changing}
        self.on_conflict = on_conflict and f" ON CONFLICT {on_conflict}"
        self.changing_places = [n for n, column in enumerate(self.columns) if column in key or column in self.changing]

    @property
    def select(self) -> str:
        """The columns, for a query whose rows are to be like those written."""
        return ", ".join(self.columns)


class Writes:
    """Rows and changes on their way into the database."""

    def __init__(self) -> None:
        self._inserted: dict[Table, list[Row]] = {}
        self._updated: dict[Table, list[Row]] = {}
        self._statements: dict[str, Sequence[Any]] = {}

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
        self._statements[statement] = parameters

    def execute(self, tx: Connection) -> None:
        """Write it all, once.

        Postgres runs the parts in an order of its own and checks constraints when all of them are done.
        """
        parts: list[str] = []
        parameters: list[Any] = []
        for table, rows in self._updated.items():
            if rows:
                columns = list(zip(*rows, strict=True))
                parts.append(_update_statement(table))
                parameters += _arrays(table, ((n, columns[n]) for n in table.changing_places))
        for statement, own_parameters in self._statements.items():
            parts.append(statement)
            parameters += own_parameters
        for table, rows in self._inserted.items():
            if rows:
                parts.append(_insert_statement(table))
                parameters += _arrays(table, enumerate(zip(*rows, strict=True)))
        if parts:
            execute(tx, _together(tuple(parts)), parameters)


@contextmanager
def writing(tx: Connection) -> Iterator[Writes]:
    """What is gathered inside is written at its end."""
    writes = Writes()
    yield writes
    writes.execute(tx)


def _arrays(table: Table, columns: Iterable[tuple[int, Sequence[Any]]]) -> list[Any]:
    types = list(table.columns.values())
    return [array(_carrier(types[n]), values) for n, values in columns]


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
    columns = {name: type_ for name, type_ in table.columns.items() if name in table.key or name in table.changing}
    assignments = ", ".join(f"{name} = {_value(name, type_)}" for name, type_ in table.changing.items())
    condition = " AND ".join(f"old.{name} = {_value(name, type_)}" for name, type_ in table.key.items())
    return f"UPDATE {table.name} AS old SET {assignments} FROM {_unnested(columns)} WHERE {condition}"


def _unnested(columns: Mapping[str, str]) -> str:
    arrays = ", ".join(f"%b::{_carrier(type_)}[]" for type_ in columns.values())
    return f"unnest({arrays}) AS v ({', '.join(columns)})"


def _values(columns: Mapping[str, str]) -> str:
    return ", ".join(_value(name, type_) for name, type_ in columns.items())


def _value(name: str, type_: str) -> str:
    return f"v.{name}" if type_ in ARRAY_TYPES else f"v.{name}::{type_}"


def _carrier(type_: str) -> str:
    """The type a value travels as: its own, or what Postgres writes of it as text."""
    return type_ if type_ in ARRAY_TYPES else "text"
