"""What operators ask of the travel rule on the command line: which rules there are, and messages out and in."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from libs.common import ids
from libs.common.cli import Actor, AsJson, By, Reason, answer, carry_out, fail, tell, tell_whole
from libs.common.fields import CARD_NUMBER_FAULT
from libs.common.service import Runtime
from services.compliance import looks
from services.compliance import travel_queries as asked_of
from services.compliance.domain.audit import OPERATOR, ObjectKind, Signature
from services.compliance.domain.business_days import day_of
from services.compliance.domain.travel import TellDetails
from services.compliance.domain.work import Policy
from services.compliance.settings import ComplianceSettings
from services.compliance.travel.ivms101 import IvmsFault, parse_message, write_message
from services.compliance.travel.messages import has_card_number, read_message
from services.compliance.travel.record import TravelRecord

MakeRuntime = Callable[[], Runtime]
PaymentId = Annotated[str, typer.Argument(help="the payment")]


def extend(commands: typer.Typer, runtime: MakeRuntime) -> None:
    """Add them to the command line."""
    group = typer.Typer(help="The travel rule: data that go with payments to and from others.", no_args_is_help=True)
    commands.add_typer(group, name="travel-rule")

    @group.command("rules")
    def list_rules(as_json: AsJson = False) -> None:
        """What is asked of which payments, and where that is written."""
        tell(map(asked_of.rule_view, _policy(runtime()).travel.rules), as_json=as_json)

    @group.command("show")
    def show(payment_id: PaymentId, actor: Actor, as_json: AsJson = False) -> None:
        """What rules ask about a payment, what is known of its parties, and what is missing."""
        found = runtime()
        record = _record(found, payment_id)
        looks.put_down(found, _operator(actor), ObjectKind.PAYMENT, payment_id)
        tell_whole(asked_of.record_view(record, _policy(found).travel), as_json=as_json)

    @group.command("check")
    def check(path: Path) -> None:
        """Read an IVMS101 message from a file, and write it as it was understood."""
        try:
            message = parse_message(path.read_bytes(), _today())
        except IvmsFault as fault:
            fail(f"{path}: {fault}")
        typer.echo(write_message(message, _today()).decode())

    @group.command("write")
    def write(payment_id: PaymentId, actor: Actor) -> None:
        """The IVMS101 message that goes with a payment."""
        found = runtime()
        try:
            message = asked_of.written_message(found.engine, _record(found, payment_id), _policy(found))
        except IvmsFault as fault:
            fail(str(fault))
        looks.put_down(found, _operator(actor), ObjectKind.PAYMENT, payment_id, "message")
        typer.echo(message.decode())

    @group.command("read")
    def read(payment_id: PaymentId, path: Path, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Take what an IVMS101 message in a file tells about the parties of a payment that comes in."""
        found, content = runtime(), path.read_bytes()
        if has_card_number(content):
            fail(f"{path}: {CARD_NUMBER_FAULT}")
        try:
            told = read_message(content, _record(found, payment_id), _today())
        except IvmsFault as fault:
            fail(f"{path}: {fault}")
        carry_out(
            found,
            TellDetails(
                payment_id=payment_id,
                by=actor,
                role=OPERATOR,
                debtor=told.debtor,
                creditor=told.creditor,
                message=content.decode(),
            ),
            "travel-rule read",
            By(actor=actor, reason=reason),
            payment_id=payment_id,
        )
        missing = asked_of.record_view(_record(found, payment_id), _policy(found).travel)["missing"]
        words = f"still missing: {', '.join(missing)}" if missing else "nothing is missing"
        answer(words, {"payment_id": payment_id, "missing": missing}, as_json=as_json)


def _operator(actor: str) -> Signature:
    return Signature(actor=actor, role=OPERATOR)


def _policy(runtime: Runtime) -> Policy:
    assert isinstance(runtime.settings, ComplianceSettings)
    return runtime.settings.policy


def _record(runtime: Runtime, payment_id: str) -> TravelRecord:
    record = asked_of.find_record(runtime.engine, payment_id) if ids.is_id(payment_id) else None
    if record is None:
        fail("the travel rule asks nothing about such a payment")
    return record


def _today() -> date:
    return day_of(datetime.now(UTC))
