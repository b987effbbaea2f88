"""Postgres: what a message is to blame for is told from what it is not, wherever it is noticed."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from libs.common import database
from libs.common.database import copy, execute, fetch, transaction
from libs.common.errors import is_poison
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


def copied(column: str, kind: str, value: object) -> Callable[[Connection], object]:
    return lambda tx: copy(tx, f"COPY stored ({column}) FROM STDIN (FORMAT BINARY)", (kind,), [(value,)])


@pytest.mark.parametrize(
    "store",
    [
        copied("words", "text", "a\x00b"),
        copied("words", "text", "a\ud800b"),
        copied("amount", "int8", 2**63),
        copied("id", "uuid", "no such id"),
        copied("id", "uuid", "0192"),
        lambda tx: fetch(tx, "SELECT %s", ("a\x00b",)),
        lambda tx: fetch(tx, "SELECT unnest(%s::text[])", (["a\x00b"],)),
        lambda tx: fetch(tx, "SELECT unnest(%b::text[])", (["a\x00b"],)),
        lambda tx: fetch(tx, "SELECT unnest(%b::bigint[])", ([2**63],)),
        lambda tx: fetch(tx, "SELECT unnest(%b::uuid[])", (["no such id"],)),
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
