"""`make test`: style and types, then the four tiers, each on its own clock; a skipped test is a failure.

Lanes run side by side, since tests on real parts wait half of their time, each lane on parts of its own: a tier
that takes long is shared out so that all take about as long. What the lanes after the first print is kept and shown
as blocks of their own, so that none talks into another.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import IO, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.parts import TEST_FOLDER, TEST_PORT_BASE

_PYTEST = ("pytest", "-q", "-p", "tests.strict", "--durations=20", "--durations-min=5")
"""What takes longest is told, for whoever would have the whole take less."""
_INTEGRATION, _E2E = "tests/integration", "tests/e2e"
_COMPLIANCE = f"{_INTEGRATION}/compliance"
_PART = [f"{_INTEGRATION}/{what}" for what in ("payments", "accounts", "fraud", "test_secure.py")]
_MESSAGES = [f"{_INTEGRATION}/test_{what}.py" for what in ("outbox_relay", "consumer", "operating", "hostile_requests")]
_HARM = [f"{_E2E}/test_{what}.py" for what in ("killed", "ledger_killed", "zombie", "faults", "consuming")]
"""What is killed and cut off, and who reads the topics then."""
_LOGS = f"{_E2E}/test_logs.py"
"""Of whatever has happened to an installation."""


def _without(paths: Sequence[str]) -> Sequence[str]:
    return [f"--ignore={path}" for path in paths]


LANES: Sequence[Mapping[str, tuple[str, ...]]] = (
    {
        "format": ("ruff", "format", "--check", "--quiet", "."),
        "style": ("ruff", "check", "--quiet", "."),
        "types": ("mypy", "--no-error-summary", "."),
        "unit": (*_PYTEST, "tests/unit"),
        "simulation": (*_PYTEST, "tests/simulation"),
        "integration, a part": (*_PYTEST, *_PART),
    },
    {
        "e2e": (*_PYTEST, _E2E, *_without(_HARM)),
        "integration, messages": (*_PYTEST, *_MESSAGES),
    },
    {
        "e2e, after harm": (*_PYTEST, *_HARM, _LOGS),
        "integration, compliance": (*_PYTEST, _COMPLIANCE),
    },
    {"integration, the rest": (*_PYTEST, _INTEGRATION, *_without([*_PART, *_MESSAGES, _COMPLIANCE]))},
)
"""The steps of each lane, by name."""
_PORTS = 1_000
"""As many are a lane's."""


class Result(NamedTuple):
    """How one step ended."""

    name: str
    passed: bool
    seconds: float


def main() -> int:
    """Run everything, whatever fails on the way, and return 0 only if nothing did."""
    started = time.monotonic()
    with ExitStack() as kept, ThreadPoolExecutor(max_workers=len(LANES)) as executor:
        outputs = [None, *(kept.enter_context(tempfile.TemporaryFile()) for _ in LANES[1:])]
        lanes = executor.map(_run_lane, LANES, outputs, map(_parts, range(len(LANES))))
        results = list(next(lanes))
        print("\n── waiting for the other lanes", flush=True)
        results += [result for lane in lanes for result in lane]
        for output in filter(None, outputs):
            output.seek(0)
            print(output.read().decode(errors="replace"), flush=True)
    _report(results, time.monotonic() - started)
    return 0 if all(result.passed for result in results) else 1


def _parts(lane: int) -> Mapping[str, str]:
    """Where a lane has its own: no folder and no port is another's."""
    if not lane:
        return {}
    folder = TEST_FOLDER.with_name(f"{TEST_FOLDER.name}-{lane + 1}")
    return {"WEIR_TEST_FOLDER": str(folder), "WEIR_TEST_PORT_BASE": str(TEST_PORT_BASE - lane * _PORTS)}


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
