"""One database, saved into a file and brought back from it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql

from stack import postgres, signature
from stack.carried_over import Restoring, carry_over
from stack.part import StackError
from stack.services import FEATURES
from stack.settings import KEYS, SERVICES, StackSettings


def programs_of(database: str) -> Sequence[str]:
    """What has a database open, and is to be stopped before another is put in its place."""
    if database == KEYS:
        return (*SERVICES, FEATURES)
    return (database, FEATURES) if database == "fraud" else (database,)


def prepared_by(database: str) -> str | None:
    """Whose `migrate` adds to a database what releases have added; None: its own program does, when it begins."""
    if database == KEYS:
        return SERVICES[0]
    return database if database in SERVICES else None


def back_up(settings: StackSettings, service: str, file: Path) -> None:
    """Write what a database holds at this moment into a file, while it is in use. Raises StackError."""
    dump(settings, service, file, host=settings.host, port=settings.postgres_port)


def dump(settings: StackSettings, service: str, file: Path, *, host: str, port: int) -> None:
    """Write what a database holds, of whichever server, into a file. Raises StackError.

    Only we may read the file: it holds everything that the database does. One that was there is replaced at the end.
    Beside it lies its signature, without which `restore` does not take it.
    """
    draft = file.with_name(f"{file.name}.draft")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        where = (f"--host={host}", f"--port={port}", f"--dbname={service}")
        run(settings, "pg_dump", "--format=custom", f"--file={draft}", *where)
        signature.sign(settings, draft, holds=service, backup=file)
        draft.replace(file)
    except OSError as error:
        raise StackError(f"{file} could not be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def require_signed(settings: StackSettings, service: str, file: Path) -> None:
    """Raise StackError unless a file is what `dump` has written of this service."""
    signature.require(settings, file, holds=service, backup=file)


@contextmanager
def _taken(settings: StackSettings, service: str, file: Path, *, unsigned: bool) -> Iterator[Path]:
    """A copy of a file that nobody else can change between the moment it is verified and the moment it is read."""
    with TemporaryDirectory(dir=settings.folder) as folder:
        taken = Path(folder) / file.name
        try:
            shutil.copyfile(file, taken)
        except OSError as error:
            raise StackError(f"{file} could not be read: {error.strerror}") from error
        if not unsigned:
            signature.require(settings, taken, holds=service, backup=file)
        yield taken


def restore(settings: StackSettings, service: str, file: Path, *, unsigned: bool = False) -> list[str]:
    """Replace a database by what a file holds. The service must have been stopped. Raises StackError.

    The file is read into a database of another name first, and the one that it replaces is dropped last: whatever
    fails, there is one under the service's name. Who has been let in no more since the backup is not let in again;
    returns what an operator must know of that. A file that is not signed is taken only if that is said; whoever wrote
    it, what it does it does as the tables' owner and in this one database.
    """
    draft, replaced = f"{service}_restored", f"{service}_replaced"
    with (
        _taken(settings, service, file, unsigned=unsigned) as taken,
        psycopg.connect(postgres.admin_dsn(settings), autocommit=True) as connection,
    ):
        _drop(connection, draft)
        _create(connection, draft, service)
        try:
            owner = postgres.owner_of(service)
            run(settings, "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={draft}", taken, role=owner)
        except StackError:
            _drop(connection, draft)
            raise
        notes = carry_over(settings, service, draft, Restoring(file=file.name, is_signed=not unsigned))
        _put_in_place(connection, draft, service, replaced)
        _drop(connection, replaced)
    return notes


def _put_in_place(connection: psycopg.Connection, draft: str, service: str, replaced: str) -> None:
    _drop(connection, replaced)
    # Where it was lost altogether, there is nothing to give another name to.
    _create(connection, service, service)
    # Whoever still has it open is a service that was not stopped: its transaction could not be kept anyway.
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (service,))
    with connection.transaction():
        _rename(connection, service, replaced)
        _rename(connection, draft, service)


def _create(connection: psycopg.Connection, name: str, service: str) -> None:
    postgres.create_database(connection, name, owner=postgres.owner_of(service), users=postgres.users_of(service))


def _rename(connection: psycopg.Connection, name: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def run(
    settings: StackSettings,
    program: str,
    *arguments: str | Path,
    role: str = "postgres",
    user: str | None = None,
    cwd: Path | None = None,
) -> None:
    """Run one of Postgres' own programs, on the server that runs unless told otherwise. Raises StackError.

    `role` is who it is to the server, `user` who to this machine.
    """
    environment = {
        **os.environ,
        "PGHOST": settings.host,
        "PGPORT": str(settings.postgres_port),
        "PGUSER": role,
        "PGPASSWORD": settings.secrets.get(f"postgres/{role}"),
    }
    # In Docker there is no copy of them for another user, and none is needed.
    programs = postgres.binaries(settings) if user else postgres.programs()
    command = [str(programs / program), *map(str, arguments)]
    result = subprocess.run(command, env=environment, user=user, cwd=cwd, capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(f"{program}: {(result.stderr or result.stdout).strip()[-2000:]}")
