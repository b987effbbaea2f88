"""What operators may ask about clients and their keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from libs.common import clients, scopes
from libs.common.api_keys import new_key
from libs.common.clients import FIRST_KEY
from libs.common.interventions import By, recorded
from libs.common.operating import Actor, AsJson, Reason, Wired, fail, read_secret, tell
from libs.common.rate_limit import Rate
from libs.common.scopes import Scopes

Name = Annotated[str, typer.Option(help="what the key is for, as its owner calls it")]
Days = Annotated[int | None, typer.Option("--expires-in-days", min=1, help="after which it no longer works")]


def add_clients(commands: typer.Typer, runtime: Wired, asked: Scopes) -> None:
    """Add them to a service's command line, given which scopes its API asks for."""
    group = typer.Typer(help="Who may call the API.", no_args_is_help=True)
    commands.add_typer(group, name="clients")

    @group.command()
    def add(
        client_id: str,
        granted: Annotated[list[str], typer.Argument(metavar="SCOPES")],
        actor: Actor,
        reason: Reason = "",
        name: Name = FIRST_KEY,
        days: Days = None,
        is_given: Annotated[
            bool, typer.Option("--key-stdin", help="a key of your own, read from standard input, instead of a new one")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Let a client in, or give it one more key. Prints the key, unless it was told; only a hash of it is kept."""
        _require_known(asked, granted)
        key, ends_at = read_secret() if is_given else new_key(), _in_days(days)
        add = recorded(
            lambda tx: clients.register(tx, client_id, key, granted, name=name, expires_at=ends_at),
            "clients add",
            By(actor=actor, reason=reason),
            client_id=client_id,
            name=name,
            scopes=granted,
            expires_at=ends_at,
        )
        if not runtime().unit.administer(add):
            fail(f"{client_id!r} has a key {name!r} already: give this one another --name, or rotate that one")
        if as_json or not is_given:
            _show(client_id, name, key, ends_at, as_json=as_json)

    @group.command("list")
    def list_keys(
        client_id: Annotated[str | None, typer.Argument(help="one client's; else everybody's")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Every key: whose, for what, since when and until when, and the day it was last used."""
        keys = runtime().unit.administer(lambda tx: clients.list_keys(tx, client_id))
        rows = ({name: getattr(key, name) for name in key.__struct_fields__} for key in keys)
        tell(({**row, "scopes": " ".join(row["scopes"])} for row in rows), as_json=as_json)

    @group.command()
    def rotate(
        client_id: str,
        actor: Actor,
        reason: Reason = "",
        name: Name = FIRST_KEY,
        overlap: Annotated[
            float, typer.Option("--overlap-hours", min=0, help="how long those before still work")
        ] = 24.0,
        days: Days = None,
        as_json: AsJson = False,
    ) -> None:
        """Print a new key in place of all of a name, with their scopes; those before work on for a while."""
        ends_at = _in_days(days)
        rotate = recorded(
            lambda tx: clients.rotate(tx, client_id, name, overlap=timedelta(hours=overlap), expires_at=ends_at),
            "clients rotate",
            By(actor=actor, reason=reason),
            client_id=client_id,
            name=name,
            overlap_hours=overlap,
            expires_at=ends_at,
        )
        key = runtime().unit.administer(rotate)
        if key is None:
            fail(f"{client_id!r} has no key {name!r} that works")
        _show(client_id, name, key, ends_at, as_json=as_json)

    @group.command()
    def revoke(
        client_id: str,
        actor: Actor,
        reason: Reason = "",
        name: Annotated[str | None, typer.Option(help="its keys of this name; else the client with all it has")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Let a client in no more, within ten seconds."""
        by = By(actor=actor, reason=reason)
        revoke = recorded(
            lambda tx: clients.revoke(tx, client_id, name), "clients revoke", by, client_id=client_id, name=name
        )
        if not runtime().unit.administer(revoke):
            fail(f"{client_id!r} has no key{f' {name!r}' if name else ''} that works")
        if as_json:
            tell([{"client_id": client_id, "name": name, "revoked": True}], as_json=True)

    @group.command()
    def limit(
        client_id: str,
        actor: Actor,
        reason: Reason = "",
        rate: Annotated[float | None, typer.Option(min=0.001, help="requests a second that it may keep up")] = None,
        burst: Annotated[int | None, typer.Option(min=1, help="as many at once; else a second's")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Say how fast a client may ask; without --rate as fast as WEIR_CLIENT_REQUESTS_PER_SECOND says of all."""
        own = None if rate is None else Rate(per_second=rate, burst=burst or max(1, round(rate)))
        told: dict[str, Any] = {"client_id": client_id, "requests_per_second": rate, "burst": own and own.burst}
        by = By(actor=actor, reason=reason)
        limit = recorded(lambda tx: clients.set_rate(tx, client_id, own), "clients limit", by, **told)
        if not runtime().unit.administer(limit):
            fail(f"there is no client {client_id!r}")
        tell([told], as_json=as_json)


def _require_known(asked: Scopes, granted: list[str]) -> None:
    known = scopes.known(asked)
    for scope in granted:
        if scope not in known:
            raise typer.BadParameter(f"{scope!r} is not one of {', '.join(known)}")


def _in_days(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _show(client_id: str, name: str, key: str, ends_at: datetime | None, *, as_json: bool) -> None:
    if as_json:
        tell([{"client_id": client_id, "name": name, "key": key, "expires_at": ends_at}], as_json=True)
    else:
        typer.echo(key)
