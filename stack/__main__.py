"""`python -m stack fetch|up|down|status|restart|backup|restore|logs|env`: everything of Weir on this machine."""

import os
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from stack import archive, backups, live, postgres
from stack.part import StackError
from stack.progress import steps
from stack.services import FEATURES, environment
from stack.settings import REPOSITORY, SERVICES, StackSettings
from stack.stack import NATIVE, Stack

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
console = Console(highlight=False)

Service = Annotated[str, typer.Argument(help=", ".join(SERVICES))]

MOMENTS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"]

_COLOURS = {"ready": "green", "starting": "yellow", "stopping": "yellow", "failing": "red", "stopped": "red"}
_WAYS = {"native": "as processes of this machine", "docker": "in Docker"}


@app.command()
def fetch() -> None:
    """Bring the real parts that run as processes of this machine, once. `up` does so too, where it needs them."""
    with steps(console) as say:
        Stack(_settings()).fetch(say)


@app.command()
def up() -> None:
    """Start the real parts and the services, and say where they are."""
    stack = Stack(_settings())
    with steps(console) as say:
        stack.up(say)
    show(stack)


@app.command()
def down(clean: Annotated[bool, typer.Option("--clean", help="remove all data as well")] = False) -> None:
    """Stop everything. Data is kept, unless --clean."""
    stack = Stack(_settings())
    with console.status("stopping"):
        stack.down(forget=clean)
    console.print("everything is stopped" + (", and its data removed" if clean else "; its data is kept"))


@app.command()
def status(once: Annotated[bool, typer.Option("--once", help="once, and no more")] = False) -> None:
    """Show what runs, its golden signals and the alerts that fire; on a terminal anew until Ctrl-C."""
    stack = Stack(_settings())
    if once or not console.is_terminal or not stack.is_up:
        show(stack)
        if stack.is_up:
            console.print(live.view(stack.settings))
        return
    live.watch(console, lambda: everything(stack))


@app.command()
def restart(name: str) -> None:
    """Restart one part or service, and wait until it can be used."""
    stack = _running()
    with steps(console) as say:
        say(f"{name}, anew")
        stack.way.restart(name)


@app.command()
def env(service: Service) -> None:
    """Print what a service's own commands need to know: eval "$(python -m stack env payments)"."""
    for name, value in environment(_settings(), _known(service)).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command()
def backup(
    service: Annotated[str | None, typer.Argument(help=", ".join(SERVICES))] = None,
    file: Annotated[Path | None, typer.Argument()] = None,
) -> None:
    """Save a service's database into a file, while it is in use; with neither, all of Postgres and its log.

    Neither holds the master key, without which nothing that is sealed can be read: keep secrets.json elsewhere too.
    """
    stack = _running()
    with steps(console) as say:
        if service is None:
            _require_native(stack)
            say("all of Postgres, and its log from now on")
            copy = archive.copy_all(stack.settings)
            say(f"a copy in {copy}")
        elif file is None:
            raise StackError("Name the file as well: python -m stack backup SERVICE FILE")
        else:
            say(f"{service}'s database, into {file}")
            backups.back_up(stack.settings, _known(service), file)


@app.command()
def restore(
    name: Annotated[str, typer.Argument(help=", ".join(postgres.DATABASES))],
    file: Annotated[Path | None, typer.Argument(help="what backup SERVICE FILE has written")] = None,
    to: Annotated[datetime | None, typer.Option(help="the moment, UTC, instead of a file", formats=MOMENTS)] = None,
    lost: Annotated[
        Path | None, typer.Option("--archive", help="of a server that was lost: all of its log, or as far as --to")
    ] = None,
    stay_stopped: Annotated[
        bool, typer.Option("--stay-stopped", help="start nothing again: there is something to do before")
    ] = False,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="also what this installation has not signed: whatever may be in it")
    ] = False,
) -> None:
    """Replace a database by what a file holds, or by what it held at a moment (docs/operations.md).

    Whoever has it open is stopped while the one takes the other's place, or until `restart NAME` with --stay-stopped.
    What a release has added since is added again.
    Of a lost server `registry` and `keys` are brought back first: nothing of the others can be read without them.
    """
    stack = _running()
    if name not in postgres.DATABASES:
        raise StackError(f"There is no database {name!r}; there are {', '.join(postgres.DATABASES)}")
    if (file is None) == (to is None and lost is None):
        raise StackError("Name what to restore: either a file, or a moment by --to or an --archive.")
    with steps(console) as say, tempfile.TemporaryDirectory() as folder:
        if file is None:
            _require_native(stack)
            # It stays on record by this name.
            file = Path(folder) / f"{name} as of {to.isoformat() if to else 'the end of the archive'}"
            say(f"{name}'s database as it was, replayed beside the one in use")
            at = to.replace(tzinfo=UTC) if to else None
            archive.extract(stack.settings, name, file, at=at, archive=lost, unsigned=unsigned)
        elif not unsigned:
            # Before anything is stopped.
            backups.require_signed(stack.settings, name, file)
        say(f"{name}'s database, from {file}")
        with stack.way.pause(*backups.programs_of(name), stay_stopped=stay_stopped):
            notes = backups.restore(stack.settings, name, file, unsigned=unsigned)
            if prepared_by := backups.prepared_by(name):
                say("what releases have added since")
                stack.way.migrate(prepared_by)
    if stay_stopped:
        notes.append(f"Stopped, until python -m stack restart NAME: {', '.join(backups.programs_of(name))}")
    for note in notes:
        console.print(f"[yellow]{escape(note)}[/yellow]", soft_wrap=True)


def _require_native(stack: Stack) -> None:
    if stack.way_name != NATIVE:
        raise StackError("Only an installation that runs without Docker keeps Postgres' log itself.")


@app.command()
def logs(name: str, follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False) -> None:
    """Show the end of a part's or service's log."""
    command = _running().way.log_command(name, follow=follow)
    os.execvp(command[0], command)


def _known(service: str) -> str:
    if service not in SERVICES:
        raise StackError(f"There is no service {service!r}; there are {', '.join(SERVICES)}")
    return service


def show(stack: Stack) -> None:
    """A line for each part and service."""
    if not stack.is_up:
        console.print("nothing is running; start it with: make up")
        return
    console.print(f"Weir runs {_WAYS[stack.way_name]}, with its data in {_short(stack.settings.folder)}\n")
    console.print(states(stack))
    console.print("\nlog of one: python -m stack logs NAME · anew: … restart NAME · end: make down")


def everything(stack: Stack) -> RenderableType:
    """What runs, and how it does; it may have been stopped since somebody began to look."""
    if not stack.is_up:
        return "nothing is running any more"
    return Group(states(stack), "", live.view(stack.settings))


def states(stack: Stack) -> Table:
    """Each part and service, how it is and where it answers."""
    settings = stack.settings
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("part", "state", "for", "where"):
        table.add_column(title, justify="right" if title == "for" else "left")
    for part in sorted(stack.way.states(), key=lambda part: _order(part.name, settings)):
        state = f"[{_COLOURS[part.state]}]{part.state}[/]"
        table.add_row(part.name, state, part.age, addresses(settings).get(part.name, ""))
    return table


def addresses(settings: StackSettings) -> dict[str, str]:
    """Where each part and service answers."""
    web = f"http://{settings.host}"
    return {
        "postgres": f"{settings.host}:{settings.postgres_port}",
        "kafka": settings.kafka_bootstrap,
        "registry": settings.registry_url,
        "prometheus": f"{web}:{settings.prometheus_port}",
        "alertmanager": f"{web}:{settings.alertmanager_port}",
        **{service: f"{web}:{settings.service_port(service)}/docs" for service in SERVICES},
        "compliance": f"{web}:{settings.service_port('compliance')}/docs · /desk",
        FEATURES: f"{web}:{settings.features_port}/ready",
    }


def _order(name: str, settings: StackSettings) -> int:
    return list(addresses(settings)).index(name)


def _settings() -> StackSettings:
    try:
        return StackSettings()
    except ValidationError as error:
        faults = (f"WEIR_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
        raise StackError("\n".join(faults)) from error


def _running() -> Stack:
    stack = Stack(_settings())
    if not stack.is_up:
        raise StackError("Nothing is running; start it with: make up")
    return stack


def _short(folder: os.PathLike[str]) -> str:
    path = os.fspath(folder)
    return os.path.relpath(path, REPOSITORY) if path.startswith(str(REPOSITORY)) else path


if __name__ == "__main__":
    try:
        app()
    except StackError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        sys.exit(1)
