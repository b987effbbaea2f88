"""`make test`: style and types, then the four tiers, each on its own clock; a skipped test is a failure.

Two lanes run side by side, since tests on real parts wait half of their time and are on parts of their
own: a tier that is in both is shared out so that both take about as long. What the second lane prints is kept
and shown as its own block, so that neither talks into the other.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.parts import TEST_FOLDER, TEST_PORT_BASE

_DESK = "tests/integration/compliance"
"""A third of its tier: pages in a browser."""
_PYTEST = ("pytest", "-q", "-p", "tests.strict", "--durations=20", "--durations-min=5")
"""What takes longest is told, for whoever would have the whole take less."""
FIRST: Mapping[str, tuple[str, ...]] = {
    "format": ("ruff", "format", "--check", "--quiet", "."),
    "style": ("ruff", "check", "--quiet", "."),
    "types": ("mypy", "--no-error-summary", "."),
    "unit": (*_PYTEST, "tests/unit"),
    "simulation": (*_PYTEST, "tests/simulation"),
    "integration": (*_PYTEST, "tests/integration", f"--ignore={_DESK}"),
}
SECOND: Mapping[str, tuple[str, ...]] = {
    "e2e": (*_PYTEST, "tests/e2e"),
    "integration, compliance": (*_PYTEST, _DESK),
}
SECOND_PARTS = {
    "WEIR_TEST_FOLDER": str(TEST_FOLDER.with_name(f"{TEST_FOLDER.name}-beside")),
    "WEIR_TEST_PORT_BASE": str(TEST_PORT_BASE - 2_000),
}
"""Where the second lane has its own."""


class Result(NamedTuple):
    """How one step ended."""

    name: str
    passed: bool
    seconds: float


def main() -> int:
    """Run everything, whatever fails on the way, and return 0 only if nothing did."""
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as beside, tempfile.TemporaryFile() as kept:
        second = beside.submit(_run_lane, SECOND, kept, SECOND_PARTS)
        results = _run_lane(FIRST, None, {})
        print("\n── waiting for the tests beside", flush=True)
        results += second.result()
        kept.seek(0)
        print(kept.read().decode(errors="replace"), flush=True)
    _report(results, time.monotonic() - started)
    return 0 if all(result.passed for result in results) else 1


def _run_lane(steps: Mapping[str, tuple[str, ...]], output: IO[bytes] | None, parts: Mapping[str, str]) -> list[Result]:
    """One step after another, to the terminal or into a file."""
    return [_run(name, [sys.executable, "-m", *command], output, parts) for name, command in steps.items()]


def _run(name: str, command: list[str], output: IO[bytes] | None, parts: Mapping[str, str]) -> Result:
    heading = f"\n── {name}\n"
    if output is None:
        print(heading, end="", flush=True)
    else:
        output.write(heading.encode())
        output.flush()
    started = time.monotonic()
    errors = subprocess.STDOUT if output else None
    done = subprocess.run(command, stdout=output, stderr=errors, env={**os.environ, **parts})
    return Result(name, done.returncode == 0, time.monotonic() - started)


def _report(results: list[Result], seconds: float) -> None:
    table = Table(title="make test", title_justify="left")
    table.add_column("tier")
    table.add_column("result")
    table.add_column("seconds", justify="right")
    for result in results:
        table.add_row(
            result.name, "[green]passed[/green]" if result.passed else "[red]failed[/red]", f"{result.seconds:.0f}"
        )
    table.add_row("all, side by side", "", f"{seconds:.0f}")
    Console(highlight=False).print("", table)


if __name__ == "__main__":
    sys.exit(main())
