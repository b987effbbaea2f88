"""What a batch writes: whole, in order, and back again as it was, whatever the types."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import Engine

from libs.common import database
from libs.common.database import ARRAY_TYPES, array, execute, fetch, transaction
from libs.common.record import Record
from libs.common.state import Aggregates
from libs.common.writes import Table, Writes, writing
from tests.parts import Parts

ID = "0192f0c1-7b5e-7c3a-8f00-0123456789ab"

VALUES: dict[str, list[Any]] = {
    "bigint": [0, -1, 2**63 - 1, -(2**63), None],
    "boolean": [True, False, None],
    "bytea": [b"", b"\x00\xff", None],
    "double precision": [0.1, -1e300, None],
    "integer": [2**31 - 1, -(2**31), None],
    "smallint": [2**15 - 1, -(2**15), None],
    "text": ["", "Zoë 'quoted', {braced} \\ 漢", None],
    "timestamptz": [
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=-7))),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        None,
    ],
    "uuid": [ID, ID.replace("0", "f"), None],
}

THINGS = Table("things", key={"name": "text"}, fixed={"tags": "text[]"}, changing={"count": "bigint"})
LOG = Table("log", fixed={"line": "text"})
ONCE = Table(
    "once",
    key={"name": "text"},
    changing={"sum": "bigint"},
    on_conflict="(name) DO UPDATE SET sum = old.sum + excluded.sum",
)


class Thing(Record):
    name: str
    count: int


def thing_row(thing: Thing) -> tuple[Any, ...]:
    return thing.name, "{new}", thing.count


@pytest.fixture(scope="module")
def engine(parts: Parts) -> Iterator[Engine]:
    with parts.database("writes") as url:
        engine = database.create(url)
        yield engine
        engine.dispose()


@pytest.fixture(autouse=True)
def tables(engine: Engine) -> None:
    with transaction(engine) as tx:
        execute(tx, "DROP TABLE IF EXISTS things, log, once")
        execute(tx, "CREATE TABLE things (name text PRIMARY KEY, tags text[] NOT NULL, count bigint NOT NULL)")
        execute(tx, "CREATE TABLE log (number bigint GENERATED ALWAYS AS IDENTITY, line text)")
        execute(tx, "CREATE TABLE once (name text PRIMARY KEY, sum bigint NOT NULL)")
        tx.commit()


def test_every_type_that_travels_is_tried_here() -> None:
    assert VALUES.keys() == ARRAY_TYPES


@pytest.mark.parametrize("type_", sorted(VALUES))
def test_values_come_back_as_they_went(engine: Engine, type_: str) -> None:
    with transaction(engine) as tx:
        assert fetch(tx, f"SELECT unnest(%b::{type_}[])", (array(type_, VALUES[type_]),)) == [
            (value,) for value in VALUES[type_]
        ]
        assert fetch(tx, f"SELECT unnest(%b::{type_}[])", (array(type_, []),)) == []


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """Python takes its two halves for equal, alone among all values."""
    first = datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    both = [first, first.replace(fold=1)]
    assert array("timestamptz", both) == array("timestamptz", [time.astimezone(UTC) for time in both])


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("smallint", 2**15),
        ("integer", 2**31),
        ("bigint", 2**63),
        ("uuid", "0192"),
        ("uuid", "x" * 36),
        ("text", "\ud800"),
    ],
)
def test_a_value_that_does_not_fit_is_told_before_anything_is_sent(type_: str, value: Any) -> None:
    with pytest.raises(psycopg.DataError, match="does not fit its column"):
        array(type_, [value])


def test_inserts_and_updates_of_many_tables_go_together(engine: Engine) -> None:
    with transaction(engine) as tx:
        with writing(tx) as writes:
            writes.insert(THINGS, [("a", "{x,y}", 1), ("b", "{}", 2)])
        things = Aggregates({"a": Thing(name="a", count=1), "b": Thing(name="b", count=2)})
        things.put("b", Thing(name="b", count=20))
        things.put("c", Thing(name="c", count=30))
        things.keep()
        with writing(tx) as writes:
            writes.save(THINGS, things, thing_row)
            writes.insert(LOG, ((str(number),) for number in range(500)))
            writes.insert(ONCE, [("x", 1)])
            writes.add("DELETE FROM things WHERE name = %s", ("a",))
        with writing(tx) as writes:
            writes.insert(ONCE, [("x", 2), ("y", 3)])
        assert fetch(tx, f"SELECT {THINGS.select} FROM things ORDER BY name") == [("b", [], 20), ("c", ["new"], 30)]
        assert [line for (line,) in fetch(tx, "SELECT line FROM log ORDER BY number")] == [str(n) for n in range(500)]
        assert fetch(tx, "SELECT name, sum FROM once ORDER BY name") == [("x", 3), ("y", 3)]


def test_nothing_to_write_asks_nothing_of_the_database() -> None:
    writes = Writes()
    writes.insert(THINGS, [])
    writes.update(THINGS, [])
    writes.execute(None)  # type: ignore[arg-type]


def test_what_fails_inside_is_not_written(engine: Engine) -> None:
    with transaction(engine) as tx:
        with pytest.raises(RuntimeError), writing(tx) as writes:
            writes.insert(LOG, [("lost",)])
            raise RuntimeError
        assert fetch(tx, "SELECT count(*) FROM log") == [(0,)]
