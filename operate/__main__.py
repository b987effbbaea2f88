"""`bin/weir`: health of everything, a payment's timeline, reconciliation, and every service's own commands."""

import gc

if __name__ == "__main__":
    # As a service's own begins.
    gc.disable()

import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from docs import catalogue
from libs.common import cli, logs
from libs.common.operating import AsJson, tell
from operate import forgotten, health, installation, nothing_lost, personal_data, topics
from operate.erasing import NoKeyStore
from operate.timeline import timeline
from stack.part import StackError
from stack.settings import SERVICES

UNDER_WAY_SECONDS = 10
"""Between two readings: longer than almost every journey takes."""

app = typer.Typer(
    name="weir",
    help="What operators ask of Weir: of all services at once, or of one (payments, fraud, compliance, accounts).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def configure() -> None:
    logs.configure("operate", "WARNING", to=sys.stderr)


@app.command("health")
def health_command(as_json: AsJson = False) -> None:
    """Whether broker, registry, databases and every role of every service can work; fail if one can't."""
    found = list(health.look())
    rows = ({"part": one.part, "state": "well" if one.is_well else "ill", "detail": one.detail} for one in found)
    tell(rows, as_json=as_json)
    if not all(one.is_well for one in found):
        raise typer.Exit(1)


@app.command("timeline")
def timeline_command(payment_id: UUID, as_json: AsJson = False) -> None:
    """All that happened with a payment in every service, as their topics tell."""
    found = timeline(installation.messaging(), str(payment_id))
    if not found:
        cli.fail(f"no topic tells of a payment {payment_id}")
    rows = (
        {
            "at": event.caused_at.isoformat(timespec="milliseconds"),
            "after_ms": round((event.caused_at - found[0].caused_at).total_seconds() * 1000),
            "event": event.event_type,
            "service": event.topic.partition(".")[0],
            "subject": event.subject,
            "event_id": event.event_id,
            "place": event.place,
        }
        for event in found
    )
    tell(rows, as_json=as_json)


@app.command()
def reconcile(
    may_wait: Annotated[bool, typer.Option("--may-wait", help="payments may wait for people")] = False,
    since: Annotated[
        datetime | None, typer.Option("--from", help="UTC: read topics from then on, as if they held no more")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare all services with each other and with what lies on the topics; fail if anything was lost or came twice.

    Reads every topic, whole or from a time on (an event takes 600 bytes), and where anything differs once more:
    only what differs both times, the very same payment or event, is reported. What is on its way between services
    differs for seconds; what a person is waited for, longer. What somebody has discarded is not missed. Where topics
    are read or keep things from a time on only, what began before that is looked for in databases alone, and it is
    said so.
    """
    since = since and since.replace(tzinfo=UTC)
    findings = _compared(since, may_wait)
    if not all(finding.holds for finding in findings):
        time.sleep(UNDER_WAY_SECONDS)
        findings = nothing_lost.still(findings, _compared(since, may_wait))
    tell(
        ({"holds": "yes" if one.holds else "NO", "what": one.what, "detail": one.detail} for one in findings),
        as_json=as_json,
    )
    if not all(finding.holds for finding in findings):
        raise typer.Exit(1)


@app.command("forgotten")
def forgotten_command(as_json: AsJson = False) -> None:
    """Payments and refunds that topics tell of and payments no longer knows, after its database was restored.

    Each with what became of it and of its money, and whether it may be ordered again: what has moved would move twice.
    """
    found = forgotten.find(
        installation.runtime_of("payments").codec, installation.messaging(), installation.databases()
    )
    tell((msgspec.structs.asdict(one) for one in found), as_json=as_json)


def _compared(since: datetime | None, may_wait: bool) -> list[nothing_lost.Finding]:
    messaging, names = installation.messaging(), list(catalogue.topics())
    recorded = list(topics.read(messaging, names, since=since, with_values=False))
    # Asked afterwards: what is forgotten while topics are read is not looked for either.
    held_since = topics.held_since(messaging, names)
    if since is not None:
        held_since = {name: max(held_since.get(name, since), since) for name in names}
    return nothing_lost.compare(recorded, installation.databases(), held_since=held_since, may_wait=may_wait)


personal_data.add(app)
for _name in SERVICES:
    _runtime = partial(installation.runtime_of, _name)
    app.add_typer(cli.app(installation.service_of(_name), installation.extend_of(_name), _runtime), name=_name)


def main() -> None:
    """Carry out a command. What an operator can mend is told in one line on stderr, with exit status 1."""
    cli.collect_garbage()
    sys.exit(cli.guarded("weir", _run, StackError, NoKeyStore))


def _run() -> int:
    status = typer.main.get_command(app).main(prog_name="weir", standalone_mode=False)
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    main()
