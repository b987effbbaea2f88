"""`weir erase` and `weir keys`: what operators do about personal data."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from libs.common import cli
from libs.common.erasing import Erasure
from libs.common.operating import Actor, AsJson, Reason, answer, tell
from operate import erasing


def add(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command("erase")(erase)
    keys = typer.Typer(help="The keys that personal data are sealed under.", no_args_is_help=True)
    app.add_typer(keys, name="keys")
    keys.command("list")(list_keys)
    keys.command("rotate")(rotate)
    keys.command("rewrap")(rewrap)


def erase(
    customer: Annotated[UUID, typer.Option(help="whom")],
    reason: Reason,
    actor: Actor,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="say what there is and what forbids it; change nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a customer for good: destroy the keys, and blank what services keep readable.

    Refused as long as the law has anything kept about the customer. A process that has used a key lately may still do
    so for WEIR_KEYS_CACHE_SECONDS; backups of the key store have the key until they are gone.
    """
    now = datetime.now(UTC)
    planned = erasing.plan(str(customer), now)
    rows = [{"service": name, "what": why} for name, found in planned.obstacles.items() for why in found]
    if is_dry:
        whom = planned.whom
        known = {"accounts": len(whom.account_ids), "payments": len(whom.payment_ids)}
        tell([*({"service": name, "what": f"{count} {name}"} for name, count in known.items()), *rows], as_json=as_json)
    elif rows:
        tell(rows, as_json=as_json)
    else:
        erased = erasing.erase(Erasure(whom=planned.whom, actor=actor, reason=reason, at=now))
        done = [("keys", "destroyed", erased.keys)]
        done += [
            (name, f"blanked in {table}", n) for name, tables in erased.rows.items() for table, n in tables.items()
        ]
        tell(({"where": where, "what": what, "count": count} for where, what, count in done), as_json=as_json)
    if rows:
        cli.fail("not erased: the law, or what is under way, forbids it")


def list_keys(as_json: AsJson = False) -> None:
    """How many keys each master key wraps."""
    counts = erasing.key_store().count_by_master()
    tell(({"master_key": name or "destroyed", "keys": count} for name, count in counts.items()), as_json=as_json)


def rotate(
    customer: Annotated[UUID, typer.Option(help="whose")], reason: Reason, actor: Actor, as_json: AsJson = False
) -> None:
    """Seal what is to come of a customer under a new key. What was sealed stays readable by the old one."""
    version = erasing.key_store().rotate(str(customer), actor=actor, reason=reason)
    answer(f"version {version}", {"customer_id": str(customer), "version": version}, as_json=as_json)


def rewrap(reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
    """Wrap every key under the first of WEIR_MASTER_KEYS. Afterwards the others may be forgotten."""
    store, total = erasing.key_store(), 0
    while count := store.rewrap(actor=actor, reason=reason):
        total += count
    answer(f"{total} keys wrapped anew", {"keys": total}, as_json=as_json)
