"""`python -m soak --minutes 30`: money moves for a long time, processes come and go; does everything stay as it is?"""

import random
import shutil
import signal
import sys
import threading
import time
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console

from chaos.installation import Installation
from chaos.shop import Shop
from demo.analysts import Analysts
from soak import ageing, costs, report
from soak.load import Fleet, Load, highest_rate
from soak.measuring import Measured, look
from soak.report import Findings
from stack.part import StackError
from stack.progress import steps
from stack.settings import REPOSITORY

FOLDER = REPOSITORY / ".weir" / "soak"
PORT_BASE = 22_000
SAMPLES = 180
"""In a run, unless that is oftener than SAMPLE_SECONDS_MIN."""
SAMPLE_SECONDS_MIN = 2.0
WARM_UP_SHARE = 0.1
"""Of the run, and of each process's life."""
ROUNDS = 2
"""How often each role of each service is restarted; in a run so short that there is no time for it, less often."""
RESTART_SECONDS_MIN = 15.0
RETENTION_MS = 24 * 3_600_000
TRACED = 0.01
PERSONS = 3_000
"""So many that each pays some dozens of times. The demo's few hundred would hundreds of times each, as nobody does, and
what a payment costs would grow as their histories fill up."""
REVIEW_SECONDS = 60
"""What waits for people is told again after half of it, so long as it waits: the few seconds of `chaos` would have
more told again than is ordered."""
ANALYSTS_LOOK_SECONDS = 2.0
"""Between two looks at a queue that is empty: that of `demo` is in more of a hurry than people are."""

console = Console(highlight=False)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.5)] = 30,
    rate: Annotated[float | None, typer.Option(min=1, help="payments a second; by default half of the maximum")] = None,
    seed: Annotated[int | None, typer.Option(help="of the order of restarts; by default by chance")] = None,
) -> None:
    """Load, restarts and a sample every few seconds; then a verdict on what should be flat, and the books."""
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    # Also who is asked to end leaves nothing running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        findings = _run(minutes, rate, seed)
    except StackError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(2) from None
    text = report.page(findings)
    (FOLDER / "report.md").write_text(text)
    typer.echo(text)
    console.print(f"\nkept in {(FOLDER / 'report.md').relative_to(REPOSITORY)}")
    raise typer.Exit(0 if findings.holds else 1)


def _run(minutes: float, rate: float | None, seed: int) -> Findings:
    overrides = {
        "WEIR_RETENTION_MS": str(RETENTION_MS),
        "WEIR_TRACE_SHARE": str(TRACED),
        "WEIR_REVIEW_SECONDS": str(REVIEW_SECONDS),
    }
    installation = Installation(FOLDER, PORT_BASE, overrides=overrides)
    installation.down()
    shutil.rmtree(FOLDER, ignore_errors=True)
    with ExitStack() as ending:
        ending.callback(installation.stack.down)
        fleet = Fleet(installation, seed)
        with steps(console) as say:
            say("the suite")
            installation.up()
            say("customers, accounts, money")
            shop = Shop(installation, persons=PERSONS)
            shop.open()
            ageing.put(installation)
            say("each role in a process of its own")
            ending.enter_context(fleet.running())
            if rate is None:
                say("the highest rate")
                rate = highest_rate(installation, shop) / 2
            say(f"{minutes:g} minutes at {rate:.0f} payments a second")
            load, measured = Load(shop, rate), Measured()
            before = costs.read(installation, fleet.cpu_seconds())
            analysts = Analysts(installation.settings, look_seconds=ANALYSTS_LOOK_SECONDS)
            with analysts.at_work():
                broken = _go_on(installation, fleet, load, measured, minutes * 60)
            say("everything compared with everything")
            broken = broken or _at_rest(installation)
            # Not before: what is still under way has not cost all that it will.
            after = costs.read(installation, fleet.cpu_seconds())
            broken = broken or _compared(installation, shop)
        trends, too_short = report.trends(measured, warm_up_seconds=minutes * 60 * WARM_UP_SHARE)
        cost = costs.costs(before, after, max(load.sent, 1))
        costs.save(cost, FOLDER / "costs.json")
        return Findings(
            cost=cost,
            seed=seed, minutes=minutes, rate=rate, sent=load.sent, decided=analysts.decided.total(),
            restarts=fleet.restarts, trends=trends,
            too_short=too_short, broken=broken, left_over=ageing.left_over(installation),
            sizes={name: (first, measured.last_sizes[name]) for name, first in measured.first_sizes.items()},
        )  # fmt: skip


def _go_on(installation: Installation, fleet: Fleet, load: Load, measured: Measured, seconds: float) -> str:
    """Pay, restart and look until the time is over; return what broke meanwhile."""
    every = max(SAMPLE_SECONDS_MIN, seconds / SAMPLES)
    between = max(RESTART_SECONDS_MIN, seconds / (len(fleet.processes) * ROUNDS))
    over = threading.Event()
    failures: list[str] = []
    restarting = threading.Thread(target=_restart, args=(fleet, between, over, failures))
    began = time.monotonic()
    try:
        with load.going():
            restarting.start()
            while time.monotonic() < began + seconds and not failures:
                over.wait(every)
                look(measured, installation, fleet.processes, at=time.time())
            over.set()
            restarting.join()
    except Exception as error:
        # Whatever it was, what was measured before it is still to be told.
        failures.append(f"{type(error).__name__}: {error}")
    finally:
        over.set()
    return "; ".join(failures)


def _restart(fleet: Fleet, between: float, over: threading.Event, failures: list[str]) -> None:
    while not over.wait(between):
        try:
            fleet.restart_next()
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
            return


def _at_rest(installation: Installation) -> str:
    """What does not hold once all has come to rest; empty where all of it does."""
    try:
        installation.come_to_rest()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _compared(installation: Installation, shop: Shop) -> str:
    """What was not done once, or does not balance; empty where all is well."""
    try:
        shop.require_once()
        installation.require_sound_ledger()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(app())
