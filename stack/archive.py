"""Every database as it was at any moment: a copy of all of Postgres, and its log since then, replayed up to it.

    copy_all ──► archive/copies/TIME ┐
    Postgres ──► archive/log/SEGMENT ┴─► a second server replays up to the moment ─► dump of one database ─► restore

The server that replays runs beside the one in use, which goes on meanwhile: only the last step, `backups.restore`,
stops the service (docs/operations.md).
"""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from stack import backups, postgres, signature
from stack.part import StackError
from stack.settings import StackSettings
from stack.waiting import wait_until

COPIES_MAX = 2
"""Of all of Postgres; with the oldest of them goes the log that only it needs."""
ARCHIVED_SECONDS_MAX = 60
REPLAY_SECONDS_MAX = 3_600
STOP_SECONDS_MAX = 60
_NAME = "%Y%m%dT%H%M%S.%fZ"
_FIRST_SEGMENT = re.compile(r"^START WAL LOCATION: \S+ \(file (\w+)\)$", re.MULTILINE)
_START = re.compile(r"^START WAL LOCATION: (\S+) ", re.MULTILINE)
_MANIFEST = "backup_manifest"
"""In a copy: every file of it with its hash."""
_ALL = "all"
_SOCKET_PORT = 5432
"""Part of a socket's name, and no port of this machine."""


def copy_all(settings: StackSettings) -> Path:
    """Copy all of Postgres while it is in use, and keep its log from now on; return where the copy is.

    From its end on, every moment can be brought back. Copies older than the newest two are removed, with the log that
    only they need. Raises StackError.
    """
    archive = postgres.archive_folder(settings)
    postgres.begin_archive(settings)
    draft = archive / "copies" / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    options = (f"--pgdata={draft}", "--checkpoint=fast", "--manifest-checksums=SHA256")
    backups.run(settings, "pg_basebackup", *options, user=postgres.server_user(), cwd=archive)
    copy = archive / "copies" / datetime.now(UTC).strftime(_NAME)
    signature.sign(settings, draft / _MANIFEST, holds=_ALL, backup=copy)
    draft.rename(copy)
    postgres.tell_copied(settings)
    _forget(settings, archive)
    return copy


def extract(
    settings: StackSettings,
    service: str,
    file: Path,
    *,
    at: datetime | None,
    archive: Path | None = None,
    unsigned: bool = False,
) -> None:
    """Write what a service's database held at a moment into a file that `backups.restore` reads.

    `archive` is that of a server that was lost; without a moment all that it has is replayed. By default it is that of
    the server that runs, whose log is made complete first. A copy that is not signed is taken only if that is said.
    Raises StackError where the moment can't be had.
    """
    copy = _copy_before(archive or postgres.archive_folder(settings), at)
    if archive is None:
        _complete_log(settings, at)
    target = {"recovery_target_time": at.isoformat()} if at else {}
    with _replayed(settings, copy, target, unsigned=unsigned) as folder:
        dropped_at = _dropped_at(settings, copy, folder, service)
        if dropped_at is None:
            _dump(settings, service, file, folder)
            return
    # A replay up to a moment ends at the first commit after it: if that is a DROP DATABASE, its files are gone by then.
    target = {"recovery_target_lsn": dropped_at, "recovery_target_inclusive": "off"}
    with _replayed(settings, copy, target, unsigned=unsigned) as folder:
        _dump(settings, service, file, folder)


def _dump(settings: StackSettings, service: str, file: Path, folder: Path) -> None:
    """Dump a database whose files are whole.

    A drop begins by marking it as one that nobody may enter any more, at once and for all to see: a commit of somebody
    else's right after that ends the replay while the files are still there.
    """
    with psycopg.connect(_dsn(folder)) as connection:
        connection.execute("UPDATE pg_database SET datconnlimit = -1 WHERE datname = %s", (service,))
    backups.dump(settings, service, file, host=str(folder), port=_SOCKET_PORT)


def _copy_before(archive: Path, at: datetime | None) -> Path:
    copies = _copies(archive)
    if not copies:
        raise StackError(f"There is no copy of Postgres in {archive}; one is made by: python -m stack backup")
    fitting = [copy for copy in copies if at is None or _time_of(copy) <= at]
    if not fitting:
        raise StackError(f"The oldest moment that can be brought back is {_time_of(copies[0]).isoformat()}.")
    return fitting[-1]


def _copies(archive: Path) -> list[Path]:
    """What was copied whole, the oldest first."""
    return sorted(path for path in (archive / "copies").glob("*Z") if path.is_dir())


def _time_of(copy: Path) -> datetime:
    return datetime.strptime(copy.name, _NAME).replace(tzinfo=UTC)


def _forget(settings: StackSettings, archive: Path) -> None:
    copies = _copies(archive)
    for old in copies[:-COPIES_MAX]:
        shutil.rmtree(old)
        signature.place_of(old).unlink(missing_ok=True)
    label = (copies[-COPIES_MAX:][0] / "backup_label").read_text()
    first = _FIRST_SEGMENT.search(label)
    if first is None:
        raise StackError(f"Postgres has not said which log its copy needs: {label}")
    backups.run(settings, "pg_archivecleanup", postgres.log_folder(archive), first[1])


def _complete_log(settings: StackSettings, at: datetime | None) -> None:
    """Have the log archived up to one commit after the moment: that is what tells a replay that it is there."""
    if at is not None and at >= datetime.now(UTC):
        raise StackError(f"{at.isoformat()} is still to come.")
    with psycopg.connect(postgres.admin_dsn(settings), autocommit=True) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        ((segment,),) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()
    archived = postgres.log_folder(postgres.archive_folder(settings)) / segment
    if not wait_until(archived.exists, seconds=ARCHIVED_SECONDS_MAX):
        raise StackError(f"Postgres has not archived {segment} in {ARCHIVED_SECONDS_MAX} s; its log says why.")


@contextmanager
def _replayed(settings: StackSettings, copy: Path, target: Mapping[str, str], *, unsigned: bool) -> Iterator[Path]:
    """A server of its own that has replayed the log on a copy, as far as is said; yields the folder of its socket."""
    folder = settings.postgres_folder / "replayed"
    shutil.rmtree(folder, ignore_errors=True)
    postgres.make_folder(folder)
    try:
        _run_as_server("cp", "-a", str(copy), str(folder / "data"))
        _verify(settings, copy, folder / "data", unsigned=unsigned)
        # Only the server's own user can enter the folder of the socket; passwords may be those of another installation.
        _run_as_server("sh", "-c", f"{_OURS_ALONE} && echo local all postgres trust > hba", cwd=folder)
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                _command(settings, folder, postgres.log_folder(copy.parent.parent), target),
                user=postgres.server_user(), cwd=folder, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            _wait_replayed(server, folder)
            yield folder
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(STOP_SECONDS_MAX)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_OURS_ALONE = "rm -f data/*.signal && : > data/postgresql.auto.conf && touch data/recovery.signal"
"""What pg_verifybackup leaves out, and the server would obey: settings, with commands among them, and how to begin."""


def _verify(settings: StackSettings, copy: Path, data: Path, *, unsigned: bool) -> None:
    """Raise StackError unless what was taken from a copy is that copy, as it was signed: nobody changes it any more."""
    if not unsigned:
        signature.require(settings, data / _MANIFEST, holds=_ALL, backup=copy)
    backups.run(settings, "pg_verifybackup", "--quiet", data, user=postgres.server_user(), cwd=data)


def _command(settings: StackSettings, folder: Path, log: Path, target: Mapping[str, str]) -> list[str]:
    given = {
        # At least what the server had whose log it is.
        "max_connections": postgres.SETTINGS["max_connections"],
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "port": str(_SOCKET_PORT),
        "hba_file": str(folder / "hba"),
        "archive_mode": "off",
        "hot_standby": "off",
        "restore_command": f'cp "{log}/%f" "%p"',
        **({**target, "recovery_target_action": "promote"} if target else {}),
        # Whatever becomes of it, it is made anew.
        "fsync": "off",
    }
    program = postgres.binaries(settings) / "postgres"
    return [str(program), "-D", str(folder / "data"), *(f"-c{name}={value}" for name, value in given.items())]


def _wait_replayed(server: subprocess.Popen[bytes], folder: Path) -> None:
    dsn = _dsn(folder)
    wait_until(lambda: server.poll() is not None or postgres.answers(dsn), seconds=REPLAY_SECONDS_MAX)
    if not postgres.answers(dsn):
        log = (folder / "server.log").read_text()
        if "before configured recovery target was reached" in log:
            raise StackError("The log that was archived ends before that moment: without --to all of it is replayed.")
        raise StackError(f"The log could not be replayed:\n{log[-2_000:]}")


def _dsn(folder: Path) -> str:
    return f"host={folder} port={_SOCKET_PORT} user=postgres dbname=postgres"


def _dropped_at(settings: StackSettings, copy: Path, folder: Path, service: str) -> str | None:
    """Where in the log a database was dropped that the catalogue still knows, for the drop was not committed yet.

    None where its files are there. Raises StackError where the catalogue does not know it.
    """
    with psycopg.connect(_dsn(folder)) as connection:
        found = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (service,)).fetchone()
    if found is None:
        raise StackError(f"There was no database of {service} at that moment.")
    if (folder / "data" / "base" / str(found[0])).exists():
        return None
    start = _START.search((copy / "backup_label").read_text())
    command = [
        str(postgres.binaries(settings) / "pg_waldump"),
        "--rmgr=Database",
        f"--start={start[1] if start else ''}",
    ]
    command.append(f"--path={postgres.log_folder(copy.parent.parent)}")
    # It always ends with an error: that the log goes no further.
    said = subprocess.run(command, capture_output=True, text=True).stdout
    drops = re.findall(rf"lsn: ([0-9A-F/]+), .*DROP .*\b{found[0]}\b", said)
    if not drops:
        raise StackError(f"The files of {service}'s database are missing, and the log does not say why.")
    return str(drops[-1])


def _run_as_server(*command: str, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, user=postgres.server_user(), cwd=cwd, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise StackError(f"{command[0]}: {error.stderr.strip()}") from error
