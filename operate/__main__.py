"""`bin/weir`: health of everything, a payment's timeline, reconciliation, and every service's own commands."""

import sys
import time
from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from pydantic import ValidationError
from typer._click.exceptions import ClickException

from docs import catalogue
from libs.common import cli, logs
from libs.common.errors import Outage
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
    as_json: AsJson = False,
) -> None:
    """Compare all services with each other and with what lies on the topics; fail if anything was lost or came twice.

    Reads every topic whole, and where anything differs once more: only what differs both times, the very same payment
    or event, is reported. What is on its way between services differs for seconds; what a person is waited for, longer.
    """
    findings = _compared(may_wait)
    if not all(finding.holds for finding in findings):
        time.sleep(UNDER_WAY_SECONDS)
        findings = nothing_lost.still(findings, _compared(may_wait))
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
        installation.runtime_of("payments").codec, installation.messaging(), installation.database_urls()
    )
    tell((msgspec.structs.asdict(one) for one in found), as_json=as_json)


def _compared(may_wait: bool) -> list[nothing_lost.Finding]:
    recorded = list(topics.read(installation.messaging(), list(catalogue.topics()), with_values=False))
    return nothing_lost.compare(recorded, installation.database_urls(), may_wait=may_wait)


personal_data.add(app)
for _name in SERVICES:
    _runtime = partial(installation.runtime_of, _name)
    app.add_typer(cli.app(installation.service_of(_name), installation.extend_of(_name), _runtime), name=_name)


def main() -> None:
    """Carry out a command. What an operator can mend is told in one line on stderr, with exit status 1."""
    try:
        status = typer.main.get_command(app).main(prog_name="weir", standalone_mode=False)
    except ClickException as error:
        status = _give_up(error.format_message())
    except ValidationError as error:
        status = _give_up(cli.setting_faults(error))
    except (Outage, StackError, NoKeyStore, OSError, TimeoutError) as error:
        status = _give_up(str(error))
    sys.exit(status if isinstance(status, int) else 0)


def _give_up(why: str) -> int:
    print(f"weir: {why.strip().splitlines()[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
