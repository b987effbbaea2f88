"""The command line of a service: its roles, and what its operators may ask for."""

import getpass
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from typer._click.exceptions import ClickException

from libs.common import clients, ids, logs, outbox, tracing
from libs.common.clients import Scope
from libs.common.errors import Outage
from libs.common.message import Command, Message
from libs.common.outbox import ShardsChanged
from libs.common.registry import IncompatibleSchema
from libs.common.replay import DeadLetter, ReplayRefused, StillFails
from libs.common.service import Role, Runtime, Service, run
from libs.common.sweep import NoClaim

T = TypeVar("T")

Extend = Callable[[typer.Typer, Callable[[], Runtime]], None]
"""Adds a service's own commands, which get the runtime from the function they are handed."""

Actor = Annotated[str, typer.Option(help="who does this", default_factory=getpass.getuser)]


def main(service: Service, extend: Extend | None = None) -> None:
    """Run roles (`api worker relay`), or one of the operators' commands (`--help` lists them), and end the process.

    What an operator can mend is told in one line on stderr, with exit status 1; only a fault of ours leaves a stack.
    """
    try:
        status = _run(service, extend, sys.argv[1:])
    except ClickException as error:
        status = _give_up(service, error.format_message())
    except typer.Abort:
        status = _give_up(service, "aborted")
    except ValidationError as error:
        status = _give_up(service, "; ".join(map(_setting_fault, error.errors(include_input=False))))
    except (SettingsError, Outage, IncompatibleSchema, ShardsChanged) as error:
        status = _give_up(service, str(error))
    except OSError as error:
        status = _give_up(service, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    sys.exit(status)


def carry_out(runtime: Runtime, command: Command) -> None:
    """Have an operator's command carried out, or tell why not. It may run twice: the second finds nothing to do."""
    message = Message(message_id=ids.new(), body=command, received_at=datetime.now(UTC), trace=tracing.begin())
    (result,) = runtime.unit.run([message], NoClaim())
    if result.error is not None:
        raise result.error
    if result.refusal is not None:
        fail(result.refusal.detail)


def fail(reason: str) -> NoReturn:
    """End with what was wrong."""
    typer.echo(reason, err=True)
    raise typer.Exit(1)


def _run(service: Service, extend: Extend | None, words: Sequence[str]) -> int:
    roles = [role.value for role in Role]
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


def _give_up(service: Service, why: str) -> int:
    # What a driver says goes on for lines; the first tells what it is.
    print(f"{service.name}: {why.strip().splitlines()[0]}", file=sys.stderr)
    return 1


def _setting_fault(fault: ErrorDetails) -> str:
    name = "_".join(["WEIR", *map(str, fault["loc"])]).upper()
    return f"{name} is not set" if fault["type"] == "missing" else f"{name}: {fault['msg']}"


def app(service: Service, extend: Extend | None = None) -> typer.Typer:
    """The operators' commands of a service."""
    commands = typer.Typer(
        name=f"services.{service.name}",
        help=f"{service.title}. Roles: {', '.join(Role)} (any of them together; migrate alone).",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    @commands.callback()
    def configure() -> None:
        logs.configure(service.name, "WARNING")

    def runtime() -> Runtime:
        return Runtime(service, service.settings())

    _add_clients(commands, runtime)
    _add_dead_letters(commands, runtime)
    _add_parked_keys(commands, runtime)
    _add_outbox(commands, runtime)
    if extend is not None:
        extend(commands, runtime)
    return commands


def _add_clients(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    group = typer.Typer(help="Who may call the API.", no_args_is_help=True)
    commands.add_typer(group, name="clients")

    @group.command()
    def add(client_id: str, scopes: list[Scope], key: str | None = None) -> None:
        """Let a client in, and print its API key, of which only a hash is kept."""
        key = key or clients.new_key()
        runtime().unit.administer(lambda tx: clients.register(tx, client_id, key, scopes))
        typer.echo(key)

    @group.command()
    def revoke(client_id: str) -> None:
        """Let a client in no more."""
        if not runtime().unit.administer(lambda tx: clients.revoke(tx, client_id)):
            fail(f"there is no client {client_id!r}")


def _add_dead_letters(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    group = typer.Typer(help="Messages that could not be applied.", no_args_is_help=True)
    commands.add_typer(group, name="dead-letters")

    @group.command("list")
    def list_dead(limit: int = 50, status: str = "dead") -> None:
        """The oldest ones, a line each, as JSON."""
        for letter in runtime().replay.list_dead(limit=limit, status=status):
            typer.echo(json.dumps(_summary(letter)))

    @group.command()
    def show(event_id: str) -> None:
        """One of them whole: bytes in hexadecimal, headers, error and place."""
        letter = _or_fail(lambda: runtime().replay.find(event_id))
        source = letter.source
        headers = {name: (value or b"").decode(errors="replace") for name, value in source.headers}
        whole = {
            **_summary(letter),
            "key": (source.key or b"").decode(errors="replace"),
            "headers": headers,
            "value_hex": (source.value or b"").hex(),
            "stack": letter.stack.splitlines(),
            "settled_by": letter.settled_by,
        }
        typer.echo(json.dumps(whole, indent=2))

    @group.command()
    def replay(event_id: str, actor: Actor) -> None:
        """Apply one after all, from its stored bytes, in this service alone."""
        _or_fail(lambda: runtime().replay.apply(event_id, actor=actor))
        typer.echo("applied")

    @group.command()
    def discard(event_id: str, actor: Actor) -> None:
        """Decide that one is never to be applied. It stays on record."""
        _or_fail(lambda: runtime().replay.discard(event_id, actor=actor))
        typer.echo("discarded")


def _add_parked_keys(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    group = typer.Typer(help="Keys whose messages wait for one that could not be applied.", no_args_is_help=True)
    commands.add_typer(group, name="parked-keys")

    @group.command("list")
    def list_keys() -> None:
        """Each key, what it waits for, and how many messages wait."""
        for key, because_of, count in runtime().replay.parked_keys():
            typer.echo(json.dumps({"key": key, "because_of": because_of, "waiting": count}))

    @group.command()
    def release(key: str) -> None:
        """Work off what waits for a key, in order."""
        count = _or_fail(lambda: runtime().replay.release(key))
        typer.echo(f"{count} messages applied")


def _add_outbox(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    group = typer.Typer(help="Events that Kafka would not take.", no_args_is_help=True)
    commands.add_typer(group, name="outbox")

    @group.command()
    def parked() -> None:
        """The topics and keys whose events are parked, with the reason."""
        for topic, key, count, error in runtime().unit.administer(outbox.list_parked):
            typer.echo(json.dumps({"topic": topic, "key": key, "events": count, "error": error}))

    @group.command()
    def release(topic: str, key: str) -> None:
        """Have the relay send the events of a topic and key again, before those that follow them."""
        count = runtime().unit.administer(lambda tx: outbox.request_release(tx, topic, key))
        if not count:
            fail("nothing is parked there")
        typer.echo(f"{count} events will be sent again")


def _summary(letter: DeadLetter) -> dict[str, object]:
    source = letter.source
    return {
        "event_id": letter.event_id,
        "status": letter.status,
        "place": f"{source.topic}/{source.partition}@{source.offset}",
        "error_type": letter.error_type,
        "error": letter.error,
        "failed_at": letter.failed_at.isoformat(),
    }


def _or_fail(work: Callable[[], T]) -> T:
    try:
        return work()
    except (ReplayRefused, StillFails) as error:
        fail(f"{'still fails: ' if isinstance(error, StillFails) else ''}{error}")
