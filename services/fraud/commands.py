"""What operators and data scientists may ask of fraud besides what every service offers."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict

from libs.common.operating import AsJson, answer
from libs.common.service import Runtime
from schemas.fraud.events import VersionKind
from services.fraud import reconciliation
from services.fraud.domain.history import LABEL_DELAY_DAYS
from services.fraud.queries import versions

# The libraries of Faust and of the laboratory take seconds to import: only the commands that need them do.

InputFile = Annotated[Path, typer.Option("--input", help=".parquet or .csv; docs/fraud-files.md names the columns")]
OutputFile = Annotated[Path, typer.Option(help="a .parquet or .csv file: TRANSACTION_ID, SCORE")]
OutputFolder = Annotated[Path, typer.Option(help="the folder for scores, metrics and the report")]
Rules = Annotated[
    str | None, typer.Option(help="a rulebook: a file, or the name or version of a kept one; else the shipped one")
]
Model = Annotated[
    str | None, typer.Option(help="a file that `train` wrote, or the name or version of a kept one; else rules alone")
]
LabelDelay = Annotated[int, typer.Option(min=0, max=30, help="days between a payment and its label")]
WarmUp = Annotated[int, typer.Option(min=0, help="days whose payments only become the past of later ones")]
TrainUntil = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the last day that may be learned from")
]


def extend(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    """Add them to the command line."""

    def kept(kind: VersionKind, name: str) -> bytes | None:
        return versions.find_content(runtime().engine, kind, name)

    @commands.command()
    def features() -> None:
        """Run the features worker: count labels and publish snapshots of payers' and payees' risk until stopped."""
        from services.fraud.features import process

        process.run(runtime())

    @commands.command("reconcile-snapshots")
    def reconcile_snapshots(as_json: AsJson = False) -> None:
        """Compare the features worker's snapshots with SQL over the stored labels; fails if any is wrong."""
        found = runtime().unit.administer(reconciliation.reconcile)
        for comparison in found.wrong:
            typer.echo(comparison, err=True)
        told = {"equal": found.equal, "behind": len(found.behind), "wrong": [asdict(one) for one in found.wrong]}
        words = f"{found.equal} equal, {len(found.behind)} behind, {len(found.wrong)} wrong"
        answer(words, told, as_json=as_json)
        if found.wrong:
            raise typer.Exit(1)

    @commands.command()
    def score(
        input_path: InputFile,
        output: OutputFile,
        train_until: TrainUntil = None,
        label_delay_days: LabelDelay = LABEL_DELAY_DAYS,
        rules: Rules = None,
    ) -> None:
        """Score every transaction of a file, from 0 to 1, by models that learned only from labels that had come."""
        from services.fraud.laboratory import commands as laboratory

        laboratory.score(input_path, output, train_until, label_delay_days, rules, kept)

    @commands.command("export")
    def export_stored(output: Annotated[Path, typer.Option(help="a .parquet or .csv file that `train` reads")]) -> None:
        """Write all that was judged, with the labels that have come, as a file of transactions."""
        from services.fraud.laboratory import commands as laboratory

        laboratory.export(runtime().engine, output)

    @commands.command()
    def train(
        input_path: InputFile,
        output: Annotated[Path, typer.Option(help="where the model goes")],
        name: Annotated[str, typer.Option(help="what it is called")],
        train_until: TrainUntil = None,
        label_delay_days: LabelDelay = LABEL_DELAY_DAYS,
        rules: Rules = None,
    ) -> None:
        """Train a model on a file, with the parameters that do best on weeks it has not seen."""
        from services.fraud.laboratory import commands as laboratory

        laboratory.train(input_path, output, name, train_until, label_delay_days, rules, kept)

    @commands.command()
    def backtest(
        input_path: InputFile,
        output: OutputFolder,
        rules: Rules = None,
        model: Model = None,
        warm_up_days: WarmUp = 30,
        label_delay_days: LabelDelay = LABEL_DELAY_DAYS,
    ) -> None:
        """Replay a file through the live decisions, and report how well each rule and the model did."""
        from services.fraud.laboratory import commands as laboratory

        laboratory.backtest(input_path, output, rules, model, warm_up_days, label_delay_days, kept)
