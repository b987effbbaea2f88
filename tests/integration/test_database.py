"""Postgres: what a message is to blame for is told from what it is not, wherever it is noticed."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from libs.common import database
from libs.common.database import array, execute, fetch, transaction
from libs.common.errors import Outage, is_poison
from libs.common.writes import Table, writing
from tests.parts import Parts


@pytest.fixture(scope="module")
def engine(parts: Parts) -> Iterator[Engine]:
    with parts.database("values") as url:
        engine = database.create(url)
        with transaction(engine) as tx:
            execute(
                tx,
                """CREATE TABLE stored (words text, amount bigint, id uuid,
                                        person text CHECK (person <> 'Jane Roe'))""",
            )
            tx.commit()
        yield engine
        engine.dispose()


def written(column: str, type_: str, value: object) -> Callable[[Connection], object]:
    def write(tx: Connection) -> None:
        with writing(tx) as writes:
            writes.insert(Table("stored", key={column: type_}), [(value,)])

    return write


@pytest.mark.parametrize(
    "store",
    [
        written("words", "text", "a\x00b"),
        written("words", "text", "a\ud800b"),
        written("amount", "bigint", 2**63),
        written("id", "uuid", "no such id"),
        written("id", "uuid", "0192"),
        lambda tx: fetch(tx, "SELECT %s", ("a\x00b",)),
        lambda tx: fetch(tx, "SELECT unnest(%s::text[])", (["a\x00b"],)),
        lambda tx: fetch(tx, "SELECT unnest(%b::text[])", (array("text", ["a\x00b"]),)),
        lambda tx: fetch(tx, "SELECT unnest(%b::bigint[])", (array("bigint", [2**63]),)),
        lambda tx: fetch(tx, "SELECT unnest(%b::uuid[])", (array("uuid", ["no such id"]),)),
    ],
)
def test_a_value_that_cant_be_stored_is_poison_whoever_notices_first(
    engine: Engine, store: Callable[[Connection], object]
) -> None:
    with pytest.raises(psycopg.Error) as raised, transaction(engine) as tx:
        store(tx)
    assert is_poison(raised.value)


def test_what_is_told_of_a_broken_constraint_names_it_and_not_the_row(engine: Engine) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as raised, transaction(engine) as tx:
        execute(tx, "INSERT INTO stored (words, person) VALUES ('private', 'Jane Roe')")
    assert "stored_person_check" in str(raised.value)
    assert "private" not in str(raised.value)
    assert "Jane" not in str(raised.value)


def backend(tx: Connection) -> int:
    ((pid,),) = fetch(tx, "SELECT pg_backend_pid()")
    return int(pid)


def test_a_statement_that_is_refused_leaves_the_connection_in_use(engine: Engine) -> None:
    with transaction(engine) as tx:
        before = backend(tx)
    for _ in range(3):
        with pytest.raises(Outage), transaction(engine) as tx:
            fetch(tx, "SELECT * FROM no_such_table")
    with transaction(engine) as tx:
        assert backend(tx) == before


def test_of_connections_that_died_together_none_is_tried_again(engine: Engine) -> None:
    with transaction(engine) as one, transaction(engine) as other:
        dead = {backend(one), backend(other)}
    with psycopg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False)) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(%s)", (list(dead),))
    with pytest.raises(Outage), transaction(engine) as tx:
        backend(tx)
    with transaction(engine) as tx:
        assert backend(tx) not in dead
