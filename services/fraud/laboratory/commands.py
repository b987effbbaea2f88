"""What is done in the laboratory: read a file, replay it, write what was found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine
from typer._click.exceptions import ClickException

from schemas.fraud.events import VersionKind
from services.fraud import rulebooks
from services.fraud.domain import model
from services.fraud.domain.history import MICROS_PER_DAY
from services.fraud.domain.judging import CATALOGUE, Judge
from services.fraud.domain.model import Model, ModelFault
from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.fields import LISTS_SUFFIX
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.laboratory import backtest as backtesting
from services.fraud.laboratory import report, scoring, training, transactions
from services.fraud.laboratory.backtest import Results
from services.fraud.laboratory.training import TrainingFault
from services.fraud.laboratory.transactions import FileFault, Transactions
from services.fraud.queries import stored

Kept = Callable[[VersionKind, str], bytes | None]
"""Finds a rulebook or a model that fraud keeps, by its name or version; asked where no file is called so."""


def score(
    input_path: Path,
    output: Path,
    train_until: datetime | None,
    label_delay_days: int,
    rules: str | None,
    kept: Kept,
) -> None:
    """Write a score for every transaction of a file."""
    with _faults_told():
        transactions.require_writable(output)
        given = _read(input_path)
        replayed = _replay(given, _rulebook(rules, kept), label_delay_days)
        until = _end_of(train_until) if train_until else int(given.micros.max()) + 1
        with _progress("training", 100) as told:
            found = scoring.score(replayed, until_micros=until, told=lambda share: told(int(100 * share)))
        scores = np.empty(len(given))
        scores[given.order] = found
        transactions.write(output, pa.table({"TRANSACTION_ID": given.ids, "SCORE": scores}))
    typer.echo(f"{len(given):,} transactions scored")


def train(
    input_path: Path,
    output: Path,
    name: str,
    train_until: datetime | None,
    label_delay_days: int,
    rules: str | None,
    kept: Kept,
) -> None:
    """Write a model that was trained on a file."""
    with _faults_told():
        _require_folder(output)
        given = _read(input_path)
        known = _replay(given, _rulebook(rules, kept), label_delay_days).known
        # Of what is younger than their delay most labels have not come, and what has none counts as genuine.
        labelled_until = int(known.micros[-1]) + 1 - label_delay_days * MICROS_PER_DAY
        until = _end_of(train_until) if train_until else labelled_until
        artifact = training.train(known.between(int(known.micros[0]), until), name=name)
    packed = model.pack(artifact)
    output.write_bytes(packed)
    for metric, value in artifact.card.metrics.items():
        typer.echo(f"{metric}: {value:.4f}")
    typer.echo(f"model {Model(packed).version}: {output}")


def backtest(
    input_path: Path,
    output: Path,
    rules: str | None,
    model_name: str | None,
    warm_up_days: int,
    label_delay_days: int,
    kept: Kept,
) -> None:
    """Write what rules and a model would have made of a file: scores, metrics, and a page to read."""
    with _faults_told():
        trees = None if model_name is None else Model(_found(VersionKind.MODEL, model_name, kept))
        judge = Judge(_rulebook(rules, kept), trees)
        given = _read(input_path)
        output.mkdir(parents=True, exist_ok=True)
        with _progress("replaying", len(given)) as told:
            results = backtesting.backtest(
                given, judge, label_delay_days=label_delay_days, warm_up_days=warm_up_days, told=told
            )
        _write_results(output, given, judge, results, input_path.name)
    for metric, value in results.metrics.items():
        typer.echo(f"{metric}: {value:.4f}")
    typer.echo(f"report: {output / 'report.html'}")


def export(engine: Engine, output: Path) -> None:
    """Write what a running fraud has judged, with the labels that have come, as a file that the others read."""
    with _faults_told():
        transactions.require_writable(output)
        pages = [pa.table([list(column) for column in zip(*page, strict=True)], names=stored.COLUMNS)
                 for page in stored.pages(engine)]  # fmt: skip
        if not pages:
            raise FileFault("nothing has been judged yet")
        table = pa.concat_tables(pages, promote_options="permissive")
        transactions.write(output, table)
    typer.echo(f"{len(table):,} transactions exported")


def _write_results(output: Path, given: Transactions, judge: Judge, results: Results, source: str) -> None:
    scores, outcomes = np.empty(len(given)), np.empty(len(given), dtype=object)
    scores[given.order], outcomes[given.order] = results.scores, [outcome.value for outcome in results.decided]
    table = pa.table({"TRANSACTION_ID": given.ids, "SCORE": scores, "OUTCOME": outcomes})
    transactions.write(output / "scores.parquet", table)
    figures = {"metrics": results.metrics, "rules": results.rules, "scenarios": results.scenarios}
    (output / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    counted = given.order[-results.payments :]
    page = report.render(results, judge, source=source, truth=given.labels[counted] == 1, micros=given.micros[counted])
    (output / "report.html").write_text(page)


def _read(path: Path) -> Transactions:
    given = transactions.read(path)
    for remark in given.remarks:
        typer.echo(remark, err=True)
    return given


def _replay(given: Transactions, rulebook: Rulebook, label_delay_days: int) -> scoring.Replayed:
    with _progress("replaying", len(given)) as told:
        return scoring.replay(given, rulebook, label_delay_days=label_delay_days, told=told)


def _rulebook(name: str | None, kept: Kept) -> Rulebook:
    if name is None:
        return rulebooks.shipped()
    try:
        # Byte for byte, for its version is of these.
        text = _found(VersionKind.RULEBOOK, name, kept).decode()
    except UnicodeDecodeError as error:
        raise FileFault(f"{name} is no text in UTF-8: {error}") from error
    try:
        found = compile_rulebook(text, CATALOGUE)
    except RulebookFaulty as faulty:
        for fault in faulty.faults:
            typer.echo(f"{name}:{fault.line}:{fault.column}: {fault.message}", err=True)
        raise FileFault(f"{name} is no rulebook without faults") from faulty
    if any(field.endswith(LISTS_SUFFIX) for field in found.fields):
        typer.echo("nobody is on any list here: rules that ask for lists don't fire", err=True)
    return found


def _found(kind: VersionKind, name: str, kept: Kept) -> bytes:
    """What a file holds or, where there is none of that name, what fraud keeps."""
    if Path(name).is_file():
        return Path(name).read_bytes()
    typer.echo(f"there is no file {name}: looking among what fraud keeps", err=True)
    content = kept(kind, name)
    if content is None:
        raise FileFault(f"there is neither a file {name} nor a {kind.value} of that name or version")
    return content


def _require_folder(output: Path) -> None:
    if not output.parent.is_dir() or output.is_dir():
        raise FileFault(f"{output} can't be written: {output.parent} must be a folder, and {output.name} none")


def _end_of(day: datetime) -> int:
    """The first microsecond after a day, UTC."""
    return int((day.replace(tzinfo=UTC) + timedelta(days=1)).timestamp()) * 1_000_000


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
        progress.update(task, completed=total)


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except (FileFault, TrainingFault, ModelFault, backtesting.BacktestFault) as fault:
        # Told in one line, as all that an operator can mend is.
        raise ClickException(str(fault)) from fault
