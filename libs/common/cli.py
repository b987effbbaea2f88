"""The command line of a service: its roles, and what its operators may ask for."""

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from sqlalchemy import Connection
from typer._click.exceptions import ClickException

from libs.common import ids, interventions, logs, operating, tracing
from libs.common.batch import Decided
from libs.common.client_commands import add_clients
from libs.common.errors import Outage
from libs.common.interventions import By as By
from libs.common.interventions import recorded as recorded
from libs.common.message import Command, Message
from libs.common.operating import Actor as Actor
from libs.common.operating import AsJson as AsJson
from libs.common.operating import Reason as Reason
from libs.common.operating import answer as answer
from libs.common.operating import fail as fail
from libs.common.operating import read_secret as read_secret
from libs.common.operating import tell as tell
from libs.common.operating import tell_whole as tell_whole
from libs.common.outbox import OutboxRow, ShardsChanged
from libs.common.registry import IncompatibleSchema
from libs.common.service import Role, Runtime, Service, run
from libs.common.sweep import NoClaim
from libs.common.writes import Writes

Extend = Callable[[typer.Typer, Callable[[], Runtime]], None]
"""Adds a service's own commands, which get the runtime from the function they are handed."""


REVOKES = "--revoke"
"""After `migrate`: roles keep no more rights than this release needs."""


def main(service: Service, extend: Extend | None = None) -> None:
    """Run roles (`api worker relay`), or one of the operators' commands (`--help` lists them), and end the process."""
    collect_garbage()
    sys.exit(guarded(service.name, lambda: _run(service, extend, sys.argv[1:])))


def collect_garbage() -> None:
    """From now on, and not among what is loaded. Whoever begins a process may load without."""
    gc.freeze()
    gc.enable()


def guarded(name: str, work: Callable[[], int], *mendable: type[Exception]) -> int:
    """Do the work and return its exit status.

    What an operator can mend, and what else is `mendable`, is told in one line on stderr, with status 1; only a fault
    of ours leaves a stack.
    """
    told: tuple[type[Exception], ...] = (SettingsError, Outage, IncompatibleSchema, ShardsChanged, *mendable)
    try:
        return work()
    except ClickException as error:
        why = error.format_message()
    except typer.Abort:
        why = "aborted"
    except ValidationError as error:
        why = setting_faults(error)
    except told as error:
        why = str(error)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    # What a driver says goes on for lines; the first tells what it is.
    print(f"{name}: {why.strip().splitlines()[0]}", file=sys.stderr)
    return 1


def carry_out(runtime: Runtime, command: Command, name: str, by: By, /, **arguments: Any) -> None:
    """Have an operator's command carried out, and kept on record under its name; or tell why not.

    It may run twice: the second finds nothing to do.
    """
    message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=tracing.begin())
    claim = _Recorded(lambda tx: interventions.record(tx, name, by, **arguments))
    (result,) = runtime.unit.run([message], claim)
    if result.error is not None:
        raise result.error
    if result.refusal is not None:
        fail(result.refusal.detail)


class _Recorded(NoClaim):
    """Keeps on record what is carried out."""

    def __init__(self, record: Callable[[Connection], None]) -> None:
        super().__init__()
        self._record = record

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        if all(result.error is None and result.refusal is None for result in decided):
            self._record(tx)
        return super().record(tx, writes, state, decided)


def _run(service: Service, extend: Extend | None, words: Sequence[str]) -> int:
    roles = [role.value for role in Role]
    if list(words) == [Role.MIGRATE, REVOKES]:
        return run(service, [Role.MIGRATE], revokes=True)
    if words and words[0] in roles:
        if strangers := [word for word in words if word not in roles]:
            raise typer.BadParameter(f"no such role: {', '.join(strangers)} (there are {', '.join(roles)})")
        if Role.MIGRATE in words and len(set(words)) > 1:
            raise typer.BadParameter("migrate prepares and ends: run it alone, before the others")
        return run(service, [Role(word) for word in dict.fromkeys(words)])
    command = typer.main.get_command(app(service, extend))
    status = command.main(
        list(words) or ["--help"], prog_name=f"python -m services.{service.name}", standalone_mode=False
    )
    return status if isinstance(status, int) else 0


def setting_faults(error: ValidationError) -> str:
    """What is wrong with the environment, in one line, without what anything was set to."""
    return "; ".join(map(_setting_fault, error.errors(include_input=False)))


def _setting_fault(fault: ErrorDetails) -> str:
    if not fault["loc"]:
        # Of several together: its message names them.
        return fault["msg"]
    name = "_".join(["WEIR", *map(str, fault["loc"])]).upper()
    return f"{name} is not set" if fault["type"] == "missing" else f"{name}: {fault['msg']}"


def app(service: Service, extend: Extend | None = None, runtime: Callable[[], Runtime] | None = None) -> typer.Typer:
    """The operators' commands of a service; wired as the environment says, unless it is said how."""
    commands = typer.Typer(
        name=f"services.{service.name}",
        help=f"{service.title}. Roles: {', '.join(Role)} (any of them together; migrate alone).",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    @commands.callback()
    def configure() -> None:
        # Apart from what a command answers, which programs may read.
        logs.configure(service.name, "WARNING", to=sys.stderr)

    runtime = runtime or (lambda: Runtime(service, service.settings()))
    add_clients(commands, runtime, service.scopes)
    for add in operating.GROUPS:
        add(commands, runtime)
    if extend is not None:
        extend(commands, runtime)
    return commands
