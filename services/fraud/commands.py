"""What operators of fraud may ask for besides what every service offers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from libs.common.service import Runtime
from services.fraud import reconciliation, rulebooks, scoring, training, transactions
from services.fraud.domain import model
from services.fraud.domain.history import LABEL_DELAY_DAYS
from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.training import TrainingFault
from services.fraud.transactions import FileFault, Transactions

InputFile = Annotated[
    Path, typer.Option("--input", help="a .parquet or .csv file; docs/fraud-files.md names its columns")
]
LabelDelay = Annotated[int, typer.Option(min=0, max=30, help="days between a payment and its label")]
Rules = Annotated[Path | None, typer.Option(help="a rulebook; the shipped one if not given")]


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

    @commands.command()
    def score(
        input_path: InputFile,
        output: Annotated[Path, typer.Option(help="a .parquet or .csv file: TRANSACTION_ID, SCORE")],
        train_until: Annotated[
            datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the last day that may be learned from")
        ] = None,
        label_delay_days: LabelDelay = LABEL_DELAY_DAYS,
        rules: Rules = None,
    ) -> None:
        """Score every transaction of a file, from 0 to 1, by models that learned only from labels that had come."""
        with _faults_told():
            transactions.require_writable(output)
            given = _read(input_path)
            replayed = _replay(given, _rulebook(rules), label_delay_days)
            until = _end_of(train_until) if train_until else int(given.micros.max()) + 1
            with _progress("training", 100) as told:
                found = scoring.score(replayed, until_micros=until, told=lambda share: told(int(100 * share)))
            scores = np.empty(len(given))
            scores[given.order] = found
            transactions.write(output, pa.table({"TRANSACTION_ID": given.ids, "SCORE": scores}))
        typer.echo(f"{len(given):,} transactions scored")

    @commands.command()
    def train(
        input_path: InputFile,
        output: Annotated[Path, typer.Option(help="where the model goes")],
        name: Annotated[str, typer.Option(help="what it is called")],
        train_until: Annotated[
            datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the last day that may be learned from")
        ] = None,
        rules: Rules = None,
    ) -> None:
        """Train a model on a file, with the parameters that do best on weeks it has not seen."""
        with _faults_told():
            given = _read(input_path)
            known = _replay(given, _rulebook(rules), LABEL_DELAY_DAYS).known
            until = _end_of(train_until) if train_until else int(known.micros[-1]) + 1
            artifact = training.train(known.between(int(known.micros[0]), until), name=name)
        packed = model.pack(artifact)
        output.write_bytes(packed)
        for metric, value in artifact.card.metrics.items():
            typer.echo(f"{metric}: {value:.4f}")
        typer.echo(f"model {model.Model(packed).version}: {output}")


def _read(path: Path) -> Transactions:
    given = transactions.read(path)
    for remark in given.remarks:
        typer.echo(remark, err=True)
    return given


def _replay(given: Transactions, rulebook: Rulebook, label_delay_days: int) -> scoring.Replayed:
    with _progress("replaying", len(given)) as told:
        return scoring.replay(given, rulebook, label_delay_days=label_delay_days, told=told)


def _rulebook(path: Path | None) -> Rulebook:
    if path is None:
        return rulebooks.shipped()
    found = compile_rulebook(path.read_text(), CATALOGUE)
    if isinstance(found, Rulebook):
        return found
    for fault in found:
        typer.echo(f"{path}:{fault.line}:{fault.column}: {fault.message}", err=True)
    raise typer.Exit(1)


def _end_of(day: datetime) -> int:
    """The first microsecond after a day, UTC."""
    return int((day.replace(tzinfo=UTC) + timedelta(days=1)).timestamp()) * 1_000_000


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, transient=False) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
        progress.update(task, completed=total)


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except (FileFault, TrainingFault) as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(1) from fault
