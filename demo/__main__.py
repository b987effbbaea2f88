"""`python -m demo`: the suite's main job on real parts, from nothing to a summary. Exit 0 only if all of it holds."""

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from demo import client, summary
from demo.analysts import Analysts
from demo.card_file import CardFile
from demo.card_table import WrongFile
from demo.desk import seed_users
from demo.generated import Generated
from demo.run import Demo, Unended, Watch
from demo.stock import take_stock
from demo.story import Story
from stack.part import StackError
from stack.settings import StackSettings
from stack.stack import Stack

PAYMENTS = 3_000
REVIEW_SECONDS = 15
"""In a demo with simulated analysts a review is given up after so long, for one run is to see everything."""
FEES = '[{"currency": "EUR", "fixed": "0.05", "percentage": "0.4", "maximum": "1.50"}]'
"""What payers owe on top in a demo."""

WIDTH = 110
"""Of the output where it goes to no terminal."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def main(
    input_file: Annotated[Path | None, typer.Option("--input", help="parquet or CSV of card transactions")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="how many of them (or of the generated payments)")] = None,
    from_date: Annotated[
        datetime | None, typer.Option("--from", help="skip what is older", formats=["%Y-%m-%d"])
    ] = None,
    analyst: Annotated[bool, typer.Option(help="simulated analysts decide what is held up")] = True,
    keep: Annotated[bool, typer.Option(help="leave everything running")] = False,
    seed: int = 1,
) -> None:
    """Stream payments through Weir, and account for every one of them."""
    began = time.monotonic()
    try:
        story = _story(input_file, rows, from_date, seed)
        stack = Stack(StackSettings(), overrides=_overrides(simulates_analysts=analyst))
        _start(stack, began)
        try:
            is_well = _run(stack, story, simulates_analysts=analyst, began=began)
            if keep:
                summary.addresses(console, stack.settings)
        finally:
            if not keep:
                with console.status("stopping"):
                    stack.down()
    except (StackError, WrongFile, Unended) as error:
        console.print(f"[red]{escape(str(error))}[/red]")
        sys.exit(2)
    sys.exit(0 if is_well else 1)


def _story(path: Path | None, rows: int | None, from_date: datetime | None, seed: int) -> Story:
    if path is None:
        return Generated(payments=rows or PAYMENTS, seed=seed)
    return CardFile(path, rows=rows, from_date=from_date.date() if from_date else None, seed=seed)


def _overrides(*, simulates_analysts: bool) -> dict[str, dict[str, str]]:
    reviews = {"WEIR_REVIEW_SECONDS": str(REVIEW_SECONDS)} if simulates_analysts else {}
    return {"payments": {"WEIR_FEES": FEES, **reviews}}


def _start(stack: Stack, began: float) -> None:
    with console.status("starting") as status:

        def say(what: str) -> None:
            console.print(f"{time.monotonic() - began:5.0f} s  {what}", style="dim")
            status.update(what)

        stack.up(say)
        say("API key of the demo, passwords of two analysts")
        client.register_client(stack.settings)
        seed_users(stack.settings)


def _run(stack: Stack, story: Story, *, simulates_analysts: bool, began: float) -> bool:
    settings = stack.settings
    console.print(f"[bold]Weir[/bold] · {story.title}")
    columns = (
        SpinnerColumn(), TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        demo = Demo(settings, story, settings.secrets.get("api-key/demo"), _Bars(progress))
        result = demo.run(Analysts(settings) if simulates_analysts else None, began=began)
    with console.status("comparing topics, inboxes and databases"):
        taken = take_stock(settings, result, may_wait=not simulates_analysts)
    summary.show(console, taken, seconds=time.monotonic() - began)
    return taken.is_well


class _Bars(Watch):
    """A bar for each stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._total = 0

    def stage(self, what: str, total: int) -> None:
        if self._task is not None:
            self._finish()
        self._task = self._progress.add_task(what, total=total)
        self._total = total

    def tick(self, done: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=min(done, self._total))

    def _finish(self) -> None:
        assert self._task is not None
        self._progress.update(self._task, completed=self._total)


if __name__ == "__main__":
    typer.run(main)
