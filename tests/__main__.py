"""`make test`: style and types, then the four tiers, each on its own clock; a skipped test is a failure."""

import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

TIERS = ("unit", "simulation", "integration", "e2e")
CHECKS = {
    "format": ("ruff", "format", "--check", "--quiet", "."),
    "style": ("ruff", "check", "--quiet", "."),
    "types": ("mypy", "--no-error-summary", "."),
}


def main() -> int:
    """Run everything, whatever fails on the way, and return 0 only if nothing did."""
    results: list[tuple[str, bool, float]] = []
    for name, command in CHECKS.items():
        results.append(_run(name, [sys.executable, "-m", *command]))
    for tier in TIERS:
        results.append(_run(tier, [sys.executable, "-m", "pytest", "-q", "-p", "tests.strict", f"tests/{tier}"]))
    _report(results)
    return 0 if all(passed for _, passed, _ in results) else 1


def _run(name: str, command: list[str]) -> tuple[str, bool, float]:
    print(f"\n── {name}", flush=True)
    started = time.monotonic()
    passed = subprocess.run(command).returncode == 0
    return name, passed, time.monotonic() - started


def _report(results: list[tuple[str, bool, float]]) -> None:
    table = Table(title="make test", title_justify="left")
    table.add_column("tier")
    table.add_column("result")
    table.add_column("seconds", justify="right")
    for name, passed, seconds in results:
        table.add_row(name, "[green]passed[/green]" if passed else "[red]failed[/red]", f"{seconds:.0f}")
    table.add_row("all", "", f"{sum(seconds for _, _, seconds in results):.0f}")
    Console(highlight=False).print("", table)


if __name__ == "__main__":
    sys.exit(main())
