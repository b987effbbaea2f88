"""Shows a person what is being done and for how long, and afterwards what took long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from stack.part import Say


@contextmanager
def steps(console: Console) -> Iterator[Say]:
    """A spinner with a clock at the step under way; a line with its seconds for each that is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        shown = _Steps(progress)
        yield shown.begin
        shown.end()


class _Steps:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._what = ""
        self._began = 0.0

    def begin(self, what: str) -> None:
        self.end()
        self._what, self._began = what, time.monotonic()
        self._task = self._progress.add_task(what, total=None)

    def end(self) -> None:
        if self._task is None:
            return
        seconds = time.monotonic() - self._began
        self._progress.remove_task(self._task)
        self._task = None
        self._progress.console.print(f"{self._what} [dim]{seconds:.1f} s[/dim]")
