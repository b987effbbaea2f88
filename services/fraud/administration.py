"""What analysts may ask on the command line: rulebooks and models brought, compared and released, lists kept.

The same commands as over HTTP, in the operator's name.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from libs.common import ids
from libs.common.answers import PAGE_LENGTH_MAX
from libs.common.cli import Actor, AsJson, By, Reason, answer, carry_out, fail, tell, tell_whole
from libs.common.service import Runtime
from schemas.fraud.events import VersionKind, VersionState
from services.fraud import bringing
from services.fraud.domain.entities import EntityKind, device_entity_id
from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.lists import AddListEntry, RemoveListEntry
from services.fraud.domain.model import ModelFault
from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.domain.versions import MoveVersion
from services.fraud.queries import lists, versions

MakeRuntime = Callable[[], Runtime]
Entity = Annotated[str, typer.Argument(help="an account's id, or a device as clients name it")]
Kind = Annotated[EntityKind, typer.Argument(help="an account as payer or as payee, or a device")]


def extend(commands: typer.Typer, runtime: MakeRuntime) -> None:
    """Add them to the command line."""
    _add_rulebooks(commands, runtime)
    _add_models(commands, runtime)
    _add_lists(commands, runtime)


def _add_rulebooks(commands: typer.Typer, runtime: MakeRuntime) -> None:
    group = typer.Typer(help="Rulebooks: what payments are judged by.", no_args_is_help=True)
    commands.add_typer(group, name="rulebooks")

    @group.command()
    def check(path: Path, as_json: AsJson = False) -> None:
        """Say whether a file is a rulebook without faults; nothing is kept."""
        read = _read_rulebook(path)
        told = {"version": read.version, "rules": len(read.rules), "features": len(read.fields)}
        words = f"{path}: {len(read.rules)} rules, {len(read.fields)} features, version {read.version}"
        answer(words, told, as_json=as_json)

    @group.command()
    def add(
        path: Path,
        name: Annotated[str, typer.Option(help="what it is called")],
        actor: Actor,
        reason: Reason = "",
        as_json: AsJson = False,
    ) -> None:
        """Keep a rulebook as a draft."""
        command = bringing.add_rulebook(_read_rulebook(path), name=name, by=actor)
        told = {"version": command.version, "name": name}
        carry_out(runtime(), command, "rulebooks add", By(actor=actor, reason=reason), **told)
        answer(command.version, told, as_json=as_json)

    _add_versions(group, runtime, VersionKind.RULEBOOK)


def _add_models(commands: typer.Typer, runtime: MakeRuntime) -> None:
    group = typer.Typer(help="Models: what scores payments for the rules.", no_args_is_help=True)
    commands.add_typer(group, name="models")

    @group.command()
    def add(path: Path, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Keep a model as a draft, as `train` has written it."""
        try:
            command = bringing.add_model(path.read_bytes(), by=actor)
        except ModelFault as fault:
            fail(f"{path}: {fault}")
        told = {"version": command.version}
        carry_out(runtime(), command, "models add", By(actor=actor, reason=reason), **told)
        answer(command.version, told, as_json=as_json)

    _add_versions(group, runtime, VersionKind.MODEL)


def _add_versions(group: typer.Typer, runtime: MakeRuntime, kind: VersionKind) -> None:
    """What is asked of rulebooks and of models alike."""

    @group.command("list")
    def list_versions(
        limit: Annotated[int, typer.Option(min=1, max=PAGE_LENGTH_MAX)] = 50, as_json: AsJson = False
    ) -> None:
        """The newest ones."""
        page = versions.list_versions(runtime().engine, kind, after=None, limit=limit)
        tell(page["versions"], as_json=as_json)

    @group.command()
    def show(version: str, as_json: AsJson = False) -> None:
        """One of them whole."""
        find = versions.find_rulebook if kind is VersionKind.RULEBOOK else versions.find_model
        found = find(runtime().engine, version)
        if found is None:
            fail(f"there is no {kind.value} {version}")
        tell_whole(found, as_json=as_json)

    @group.command()
    def shadow(version: str, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Have one judge along, recorded and without effect."""
        by = By(actor=actor, reason=reason)
        _move(runtime(), kind, version, VersionState.SHADOW, f"{kind.value}s shadow", by, as_json=as_json)

    @group.command()
    def release(version: str, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Have one judge from now on; who judged before is retired. To roll back, release an earlier one."""
        by = By(actor=actor, reason=reason)
        _move(runtime(), kind, version, VersionState.LIVE, f"{kind.value}s release", by, as_json=as_json)

    @group.command()
    def retire(version: str, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Have one judge no more."""
        by = By(actor=actor, reason=reason)
        _move(runtime(), kind, version, VersionState.RETIRED, f"{kind.value}s retire", by, as_json=as_json)


def _add_lists(commands: typer.Typer, runtime: MakeRuntime) -> None:
    group = typer.Typer(help="Lists that rules ask: of accounts and devices.", no_args_is_help=True)
    commands.add_typer(group, name="lists")

    @group.command()
    def add(
        list_name: str,
        kind: Kind,
        entity: Entity,
        reason: Reason,
        actor: Actor,
        until: Annotated[datetime | None, typer.Option(help="for good, if not given; UTC")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Put an account or a device on a list."""
        end = until and until.replace(tzinfo=UTC)
        entity_id = _entity_id(kind, entity)
        command = AddListEntry(kind=kind, entity_id=entity_id, list_name=list_name, by=actor, reason=reason, until=end)
        told = {"list_name": list_name, "kind": kind.value, "entity_id": entity_id, "until": end}
        carry_out(runtime(), command, "lists add", By(actor=actor, reason=reason), **told)
        answer(entity_id, told, as_json=as_json)

    @group.command()
    def remove(
        list_name: str, kind: Kind, entity: Entity, reason: Reason, actor: Actor, as_json: AsJson = False
    ) -> None:
        """Take an account or a device off a list."""
        entity_id = _entity_id(kind, entity)
        command = RemoveListEntry(kind=kind, entity_id=entity_id, list_name=list_name, by=actor, reason=reason)
        told = {"list_name": list_name, "kind": kind.value, "entity_id": entity_id}
        carry_out(runtime(), command, "lists remove", By(actor=actor, reason=reason), **told)
        answer(entity_id, told, as_json=as_json)

    @group.command("list")
    def list_entries(
        list_name: Annotated[str | None, typer.Argument(help="all of them, if not given")] = None,
        after: Annotated[str | None, typer.Option(help="the last entry that was shown before")] = None,
        limit: Annotated[int, typer.Option(min=1, max=PAGE_LENGTH_MAX)] = 50,
        as_json: AsJson = False,
    ) -> None:
        """Who is or was on a list."""
        now = datetime.now(UTC)
        engine = runtime().engine
        page = lists.list_entries(engine, list_name=list_name, entity_id=None, after=after, limit=limit, now=now)
        tell(page["entries"], as_json=as_json)


def _read_rulebook(path: Path) -> Rulebook:
    try:
        return compile_rulebook(path.read_text(), CATALOGUE)
    except UnicodeDecodeError:
        fail(f"{path}: not a text in UTF-8")
    except RulebookFaulty as faulty:
        for fault in faulty.faults:
            typer.echo(f"{path}:{fault.line}:{fault.column}: {fault.message}", err=True)
    raise typer.Exit(1)


def _move(
    runtime: Runtime, kind: VersionKind, version: str, state: VersionState, name: str, by: By, *, as_json: bool
) -> None:
    fault = None if state is VersionState.RETIRED else versions.why_unfit(runtime.engine, kind, version)
    if fault is not None:
        fail(f"it can't judge any more: {fault}")
    command = MoveVersion(kind=kind, version=version, state=state, by=by.actor, reason=by.reason)
    carry_out(runtime, command, name, by, version=version)
    answer(f"{version} is {state.value}", {"version": version, "state": state.value}, as_json=as_json)


def _entity_id(kind: EntityKind, entity: str) -> str:
    if kind is EntityKind.DEVICE:
        return device_entity_id(entity)
    if not ids.is_id(entity):
        fail(f"an account's id is a UUID in lower case, and not {entity!r}")
    return entity
