"""Brings a service's database to the tables its code expects: messaging's first, then its own.

While an older release is at work on the same database: docs/migrations.md says what a migration may do then.
"""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from libs.common.errors import Outage

LOCK_SECONDS = 3
"""How long a migration waits for a lock. Whoever comes after it to the table waits as well, so it gives way."""
ATTEMPTS_MAX = 20
PAUSE_SECONDS = (1.0, 3.0)
"""Between two attempts, from and to: so long do others have the table."""
_HERE = Path(__file__).parent

log = logging.getLogger(__name__)


def upgrade(engine: Engine, service_folder: Path | None) -> bool:
    """Run every migration that has not run yet: messaging's alone where there is no service. Repeatable.

    Returns whether the database is of this release now, and not of a newer one.

    Each is a transaction of its own. A database that a newer release has prepared is left as it is. Raises Outage while
    the database is away, or a table is in use for too long.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return _upgrade(engine, service_folder)
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or attempt == ATTEMPTS_MAX:
                raise Outage(f"the database: {error}") from error
            log.warning("a migration gave way to others", extra={"attempt": attempt})
            time.sleep(random.uniform(*PAUSE_SECONDS))
    raise AssertionError("the last attempt raises or returns")


def _upgrade(engine: Engine, service_folder: Path | None) -> bool:
    with engine.connect() as connection, _waiting_briefly(connection):
        config = _config(connection, service_folder)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        newer = set(MigrationContext.configure(connection).get_current_heads()) - known
        connection.commit()
        if newer:
            log.warning("the database is of a newer release, and stays so", extra={"revisions": sorted(newer)})
            return False
        command.upgrade(config, "heads")
        connection.commit()
        return True


@contextmanager
def _waiting_briefly(connection: Connection) -> Iterator[None]:
    """Locks are waited for LOCK_SECONDS, and work that locks nobody out may take its time: an index is built for long.

    Afterwards as before, for the connection goes back to the others.
    """
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'; SET statement_timeout = 0")
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.exec_driver_sql("RESET lock_timeout; RESET statement_timeout")
        connection.commit()


def _config(connection: Connection, service_folder: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "newline")
    folders = [_HERE / "versions", *([service_folder / "migrations"] if service_folder else [])]
    config.set_main_option("version_locations", "\n".join(map(str, folders)))
    config.attributes["connection"] = connection
    return config
