"""What operators of fraud may ask for besides what every service offers: the features worker, and two checks."""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from libs.common import ids
from libs.common.money import AmountFault, parse_amount
from libs.common.service import Runtime
from schemas.fraud.events import Label
from schemas.payments.events import Channel, Party, PaymentOrder, PaymentPersonalData
from services.fraud import reconciliation
from services.fraud.backtest import Backtest, KnownPayment
from services.fraud.domain.rule_set import rule_set

_COLUMNS = {"instructed_at", "debtor", "creditor", "amount", "currency", "channel", "is_fraud"}


def extend(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    """Add them to the command line."""

    @commands.command()
    def features() -> None:
        """Run the features worker: count labels and publish snapshots of risk until stopped."""
        # Faust takes a second to import, and only this role needs it.
        from services.fraud.features import process

        process.run(runtime())

    @commands.command("reconcile-snapshots")
    def reconcile_snapshots() -> None:
        """Compare the features worker's snapshots with SQL over the stored labels; fails if any is wrong."""
        found = runtime().unit.administer(reconciliation.reconcile)
        for comparison in found.wrong:
            typer.echo(json.dumps({"wrong": str(comparison)}))
        typer.echo(f"{found.equal} equal, {len(found.behind)} behind, {len(found.wrong)} wrong")
        if found.wrong:
            raise typer.Exit(1)

    @commands.command("backtest")
    def run_backtest(
        path: Path,
        warm_up_days: Annotated[int, typer.Option(help="whose payments only become the past of later ones")] = 30,
        label_delay_days: Annotated[int, typer.Option(help="between a payment and its label")] = 7,
    ) -> None:
        """Replay payments of a CSV file, in order of time, and tell how well each rule did."""
        test = Backtest(rule_set(), label_delay=timedelta(days=label_delay_days))
        until: datetime | None = None
        zero_count = 0
        for payment in _read(path):
            if payment is None:
                zero_count += 1
                continue
            at = payment.order.instructed_at
            until = until or at + timedelta(days=warm_up_days)
            test.run([payment], is_counted=at >= until)
        for score in test.scores:
            typer.echo(f"{score.counted:28} {score.payments:9}  {score.precision:6.3f}  {score.recall:6.3f}")
        if zero_count:
            typer.echo(f"left out, for their amount is zero: {zero_count}")


def _read(path: Path) -> Iterator[KnownPayment | None]:
    """Rows with instructed_at, debtor, creditor, amount, currency, channel, device (may be empty) and is_fraud.

    None for an amount of zero, as cards have them: payments would have refused it, so it never came to an assessment.
    """
    with path.open(newline="") as file:
        table = csv.DictReader(file)
        if missing := _COLUMNS - set(table.fieldnames or ()):
            raise typer.BadParameter(f"{path} has no column {', '.join(sorted(missing))}")
        for number, row in enumerate(table):
            try:
                yield _payment(number, row)
            except ValueError as error:
                raise typer.BadParameter(f"{path}, row {number + 1}: {error}") from error


def _payment(number: int, row: dict[str, str]) -> KnownPayment | None:
    amount_minor = parse_amount(row["amount"], row["currency"])
    if amount_minor is AmountFault.NOT_POSITIVE and Decimal(row["amount"]) == 0:
        return None
    if not isinstance(amount_minor, int):
        raise ValueError(f"{row['amount']} {row['currency']} is {amount_minor.value}")
    order = PaymentOrder(
        client_id="backtest",
        debtor_account_id=ids.named("backtest", "debtor", row["debtor"]),
        creditor_account_id=ids.named("backtest", "creditor", row["creditor"]),
        debtor_customer_id=ids.named("backtest", "debtor", row["debtor"]),
        creditor_customer_id=ids.named("backtest", "creditor", row["creditor"]),
        amount_minor=amount_minor,
        currency=row["currency"],
        channel=Channel(row["channel"]),
        device_id=row.get("device") or None,
        instructed_at=datetime.fromisoformat(row["instructed_at"]),
        personal=PaymentPersonalData(debtor=Party(name=row["debtor"]), creditor=Party(name=row["creditor"])),
    )
    is_fraud = row["is_fraud"] in ("1", "true")
    return KnownPayment(
        payment_id=ids.named("backtest", "payment", str(number)),
        order=order,
        label=Label.FRAUD if is_fraud else Label.GENUINE,
    )
