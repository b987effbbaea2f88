"""`python -m chaos [FAULT …] --seed N`: do harm to everything under load, and see that all of it still holds."""

import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chaos import full_disk
from chaos.faults import FAULTS
from chaos.installation import Installation
from chaos.scene import Fault, Scene
from chaos.shop import Shop
from libs.common.record import Record
from stack.part import StackError
from stack.progress import steps
from stack.settings import REPOSITORY

FOLDER = REPOSITORY / ".weir" / "chaos"
PORT_BASE = 21_000
console = Console(highlight=False)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)


class Outcome(Record):
    """What became of one fault."""

    scene: Scene
    fault: Fault
    seconds: float
    broken: str
    """What did not hold; empty where all of it did."""


@app.command()
def chaos(
    names: Annotated[list[str] | None, typer.Argument(metavar="[FAULT]…", help="by default all; see --list")] = None,
    seed: Annotated[int | None, typer.Option(help="of who is harmed, and in which order; by default by chance")] = None,
    show: Annotated[bool, typer.Option("--list", help="show which faults there are")] = False,
) -> None:
    """Do harm, one fault after another, and after each compare everything with everything."""
    if show:
        _show_faults()
        return
    unknown = set(names or ()) - FAULTS.keys()
    if unknown:
        raise typer.BadParameter(f"no such fault: {', '.join(sorted(unknown))}; there are: {', '.join(FAULTS)}")
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    console.print(f"seed {seed}; the same again: python -m chaos {' '.join([*(names or ()), f'--seed {seed}'])}\n")
    # Also who is asked to end leaves nothing running, and nothing mounted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcomes = _run(schedule(names or list(FAULTS), seed), seed)
    except StackError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(2) from None
    _report(outcomes)
    if any(outcome.broken for outcome in outcomes):
        raise typer.Exit(1)


def schedule(names: Sequence[str], seed: int) -> list[Fault]:
    """The faults, in an order that the seed alone decides."""
    return random.Random(seed).sample([FAULTS[name] for name in names], len(names))


def _run(faults: Sequence[Fault], seed: int) -> list[Outcome]:
    installation = Installation(FOLDER, PORT_BASE)
    volume = full_disk.folder(installation)
    _remove(installation, volume)
    with ExitStack() as ending:
        ending.callback(full_disk.unmount, volume)
        ending.callback(_stop, installation)
        if FAULTS["disk_full"] in faults:
            full_disk.mount(volume)
        with steps(console) as say:
            say("the suite")
            installation.up()
            say("customers, accounts, money")
            shop = Shop(installation)
            shop.open()
        outcomes = _inflict_all(faults, installation, shop, seed)
    if not any(outcome.broken for outcome in outcomes):
        _remove(installation, volume)
    return outcomes


def _remove(installation: Installation, volume: Path) -> None:
    installation.down()
    full_disk.unmount(volume)
    shutil.rmtree(FOLDER, ignore_errors=True)


def _stop(installation: Installation) -> None:
    with console.status("stopping"):
        installation.stack.down()


def _inflict_all(faults: Sequence[Fault], installation: Installation, shop: Shop, seed: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for fault in faults:
        scene = Scene(installation, shop, seed=seed, fault=fault.name)
        with console.status(f"{fault.name}: {fault.meaning}"):
            outcomes.append(_inflict(fault, scene))
        console.print(_line(outcomes[-1]))
        if outcomes[-1].broken:
            # What comes after would be measured against what is broken already.
            console.print(f"[red]{outcomes[-1].broken}[/red]\nlogs and data are kept in {_short(FOLDER)}")
            break
    return outcomes


def _inflict(fault: Fault, scene: Scene) -> Outcome:
    began, broken = time.monotonic(), ""
    try:
        with scene.under_way():
            fault.inflict(scene)
        scene.require_well()
    except Exception as error:
        # Whatever it was, the faults before it are still to be reported.
        place = [frame.name for frame in traceback.extract_tb(error.__traceback__) if "chaos" in frame.filename]
        broken = f"{type(error).__name__}: {error} (in {' → '.join(place)})"
    return Outcome(fault=fault, scene=scene, seconds=time.monotonic() - began, broken=broken)


def _report(outcomes: Sequence[Outcome]) -> None:
    table = Table(title="recovery, in seconds after the harm had ended", title_justify="left")
    for title in ("fault", "times", "ready (worst)", "settling (worst)", "all in all", "holds"):
        table.add_column(title, justify="left" if title in ("fault", "holds") else "right")
    for outcome in outcomes:
        recoveries = outcome.scene.recoveries
        table.add_row(
            outcome.fault.name,
            str(len(recoveries)),
            f"{max((recovery.until_ready for recovery in recoveries), default=0):.1f}",
            f"{max((recovery.until_settling for recovery in recoveries), default=0):.1f}",
            f"{outcome.seconds:.0f}",
            "[red]no[/red]" if outcome.broken else "[green]yes[/green]",
        )
    console.print("", table)
    if not any(outcome.broken for outcome in outcomes):
        console.print(
            "After each: every payment accepted has one end, no event is lost, none is applied twice, every request "
            "sent again gets the answer it got, what was captured, withdrawn, given back and moved is what was "
            "acknowledged, the books balance, and every hash of the journal and of the audit log is right."
        )


def _line(outcome: Outcome) -> str:
    mark = "[red]✗[/red]" if outcome.broken else "[green]✓[/green]"
    done = ", ".join(
        f"{what} ({recovery.until_settling:.1f} s)"
        for what, recovery in zip(outcome.scene.done, outcome.scene.recoveries, strict=False)
    )
    return f"{mark} {outcome.fault.name}: {done}"


def _show_faults() -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for fault in FAULTS.values():
        table.add_row(f"[bold]{fault.name}[/bold]", fault.meaning)
    console.print(table)


def _short(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    sys.exit(app())
