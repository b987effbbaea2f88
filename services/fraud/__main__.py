"""`python -m services.fraud api worker relay`, `… features`, and what else its operators may ask for."""

import gc

if __name__ == "__main__":
    # Next to nothing of what is loaded is garbage, and to look for it takes a seventh of the time.
    gc.disable()

from collections.abc import Callable
from pathlib import Path

import typer

from libs.common import cli
from libs.common.service import Runtime, Service
from services.fraud import administration, api, commands, metrics, rights
from services.fraud.handlers import handlers, pruning
from services.fraud.scopes import SCOPES
from services.fraud.settings import FraudSettings

SERVICE = Service(
    name="fraud",
    title="Weir fraud",
    description="Whether payments are suspicious, and what they turned out to be.",
    folder=Path(__file__).parent,
    settings=FraudSettings,
    handlers=handlers,
    rights=rights.RIGHTS,
    routes=api.routes,
    scopes=SCOPES,
    prunes=pruning,
    observer=metrics.observer,
    large_bodies=lambda _: api.LARGE_BODIES,
)


def extend(app: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    """Add what operators and analysts may ask for."""
    commands.extend(app, runtime)
    administration.extend(app, runtime)


if __name__ == "__main__":
    cli.main(SERVICE, extend)
