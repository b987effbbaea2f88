"""Migrations on a database in use: each is its own transaction, waits for nobody long, and undoes no newer release."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from libs.common import database, migrations
from libs.common.errors import Outage
from tests.parts import Parts

MIGRATION = """
from alembic import op

revision = "{name}"
down_revision = {before!r}
branch_labels = {labels!r}
depends_on = None

def upgrade():
    op.execute("{sql}")
"""


@pytest.fixture
def engine(parts: Parts) -> Iterator[Engine]:
    with parts.database("migrations") as url:
        engine = database.create(url, application_name="migrations")
        migrations.upgrade(engine, None)
        yield engine
        engine.dispose()


def service(folder: Path, *statements: str) -> Path:
    """A service's folder, with a migration for each statement."""
    (folder / "migrations").mkdir(exist_ok=True)
    before = None
    for number, sql in enumerate(statements, 1):
        text = MIGRATION.format(name=f"town_{number}", before=before, labels=None if before else ("town",), sql=sql)
        (folder / "migrations" / f"{number}.py").write_text(text)
        before = f"town_{number}"
    return folder


def dsn(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def columns(engine: Engine) -> list[str]:
    with psycopg.connect(dsn(engine)) as connection:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'houses' ORDER BY 1"
        return [name for (name,) in connection.execute(query)]


def test_a_migration_gives_way_to_who_has_the_table_and_comes_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = service(tmp_path, "CREATE TABLE houses (number integer)")
    migrations.upgrade(engine, town)
    service(tmp_path, "CREATE TABLE houses (number integer)", "ALTER TABLE houses ADD COLUMN owner text")
    gave_way = threading.Event()
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", (0.05, 0.05))
    monkeypatch.setattr(migrations.log, "warning", lambda *_, **__: gave_way.set())
    migrating = threading.Thread(target=migrations.upgrade, args=(engine, town))
    with psycopg.connect(dsn(engine)) as reader:
        reader.execute("SELECT * FROM houses")
        migrating.start()
        assert gave_way.wait(20)
        # Nobody queues behind a migration that waits: another reader is let in.
        with psycopg.connect(dsn(engine)) as another:
            another.execute("SET statement_timeout = '5s'")
            another.execute("SELECT * FROM houses")
    migrating.join(20)
    assert columns(engine) == ["number", "owner"]


def test_a_table_that_is_never_free_is_an_outage_and_what_came_before_is_kept(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", (0, 0))
    monkeypatch.setattr(migrations, "ATTEMPTS_MAX", 2)
    town = service(tmp_path, "CREATE TABLE houses (number integer)", "ALTER TABLE clients ADD COLUMN house integer")
    with psycopg.connect(dsn(engine)) as reader:
        reader.execute("SELECT * FROM clients")
        with pytest.raises(Outage, match="lock timeout"):
            migrations.upgrade(engine, town)
    assert columns(engine) == ["number"]


def test_an_index_is_built_while_the_table_is_written(engine: Engine, tmp_path: Path) -> None:
    town = service(tmp_path, "CREATE TABLE houses (number integer)", "SELECT 1")
    index = """    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY houses_by_number ON houses (number)")
"""
    with (town / "migrations" / "2.py").open("a") as migration:
        migration.write(index)
    migrations.upgrade(engine, town)
    with psycopg.connect(dsn(engine)) as connection:
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'houses_by_number'::regclass"
        assert connection.execute(query).fetchall() == [(True,)]


def test_a_database_of_a_newer_release_is_left_as_it_is(engine: Engine, tmp_path: Path) -> None:
    """So a release can be taken back after its migrations ran: the code before it begins on what is there."""
    newer = service(tmp_path, "CREATE TABLE houses (number integer)", "ALTER TABLE houses ADD COLUMN owner text")
    migrations.upgrade(engine, newer)
    (newer / "migrations" / "2.py").unlink()
    migrations.upgrade(engine, newer)
    assert columns(engine) == ["number", "owner"]


def test_a_connection_that_migrated_is_given_back_as_it_was(engine: Engine) -> None:
    asked = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
    fresh = database.create(engine.url.render_as_string(hide_password=False), application_name="migrations")
    with engine.connect() as used, fresh.connect() as unused:
        assert used.exec_driver_sql(asked).one() == unused.exec_driver_sql(asked).one() != ("3s", "0")
    fresh.dispose()
