"""What operators see while a file is worked off: how far it is, what was passed over, and what is wrong with it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer._click.exceptions import ClickException

from libs.common.database import transaction
from libs.common.service import Runtime
from services.compliance.catalogue import live_entries
from services.compliance.files.compare import compare_file
from services.compliance.files.rows import FileFault
from services.compliance.files.screen import screen_file
from services.compliance.importing import ListFormat, read_list
from services.compliance.lists.listed import ListFault
from services.compliance.matching.scoring import PAIR_SCORE, Thresholds
from services.compliance.matching.sourced import SourcedParty

LIST_BYTES_MAX = 1024 * 1024 * 1024

Told = Callable[[int, int], None]


def screen(names: Path, output: Path, sources: Sequence[SourcedParty], *, hits_max: int, processes: int) -> None:
    """Write what screening says about every party of a file."""
    with _faults_told(), _progress("screening") as told:
        done = screen_file(names, output, sources, hits_max=hits_max, processes=processes, told=told)
    for remark in done.remarks:
        typer.echo(remark, err=True)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in done.outcomes.items())
    typer.echo(f"{done.parties:,} screened: {outcomes}")


def compare(pairs: Path, output: Path) -> None:
    """Write how alike the names of every pair of a file are."""
    with _faults_told(), _progress("comparing") as told:
        count = compare_file(pairs, output, told)
    typer.echo(f"{count:,} pairs compared; from {PAIR_SCORE} on two are taken for one")


def read_lists(paths: Iterable[tuple[Path, ListFormat | None]], thresholds: Thresholds) -> list[SourcedParty]:
    """The parties of lists as they are on disk. What has no format is recognised."""
    found = []
    with _faults_told():
        for number, (path, list_format) in enumerate(paths, start=1):
            if not path.exists():
                raise FileFault(f"there is no list {path}")
            try:
                file = read_list(path, list_format, bytes_max=LIST_BYTES_MAX)
            except ListFault as fault:
                raise FileFault(f"{path}: {fault}") from fault
            found += [
                SourcedParty(list_name=path.stem, import_id=number, party=party, thresholds=thresholds)
                for party in file.parties
            ]
    return found


def imported(runtime: Runtime) -> tuple[SourcedParty, ...]:
    """The parties of the lists that are live in the service."""
    with transaction(runtime.engine) as tx:
        return live_entries(tx).parties


@contextmanager
def _progress(what: str) -> Iterator[Told]:
    columns = TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except FileFault as fault:
        # Told in one line, as all that an operator can mend is.
        raise ClickException(str(fault)) from fault
