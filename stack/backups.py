"""One service's database, saved into a file and brought back from it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from stack import postgres
from stack.part import StackError
from stack.services import FEATURES
from stack.settings import StackSettings


def programs_of(service: str) -> Sequence[str]:
    """What has a service's database open, and is to be stopped before another is put in its place."""
    return (service, FEATURES) if service == "fraud" else (service,)


def back_up(settings: StackSettings, service: str, file: Path) -> None:
    """Write what a database holds at this moment into a file, while it is in use. Raises StackError."""
    _run(settings, "pg_dump", "--format=custom", f"--file={file}", f"--dbname={service}")


def restore(settings: StackSettings, service: str, file: Path) -> None:
    """Replace a database by what a file holds. The service must have been stopped. Raises StackError.

    The file is read into a database of another name first: one that is damaged leaves the database as it was.
    """
    draft = f"{service}_restored"
    with psycopg.connect(postgres.admin_dsn(settings), autocommit=True) as connection:
        _drop(connection, draft)
        postgres.create_database(connection, draft, owner=service)
        try:
            _run(
                settings, "pg_restore", "--no-owner", f"--role={service}", "--exit-on-error", f"--dbname={draft}", file
            )
        except StackError:
            _drop(connection, draft)
            raise
        _drop(connection, service)
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(service))
        )


def _drop(connection: psycopg.Connection, name: str) -> None:
    # Whoever still has it open is a service that was not stopped: its transaction could not be kept anyway.
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(settings: StackSettings, program: str, *arguments: str | Path) -> None:
    environment = {
        **os.environ,
        "PGHOST": settings.host,
        "PGPORT": str(settings.postgres_port),
        "PGUSER": "postgres",
        "PGPASSWORD": settings.secrets.get("postgres/postgres"),
    }
    command = [str(postgres.binaries(settings) / program), *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(f"{program}: {(result.stderr or result.stdout).strip()[-2000:]}")
