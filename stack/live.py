"""The golden signals of every service and the alerts that fire, on a terminal."""

import math
import time
from collections.abc import Callable, Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stack import signals
from stack.settings import SERVICES, StackSettings
from stack.signals import PAGE, SIGNALS, TICKET, Alert, PrometheusAway, Signal

LOOK_SECONDS = 2.0
ALERTS_SHOWN_MAX = 12
_COLOURS = {PAGE: "red", TICKET: "yellow"}


def watch(console: Console, view: Callable[[], RenderableType]) -> None:
    """Show a view, anew every two seconds, until Ctrl-C."""
    with Live(view(), console=console, screen=True, auto_refresh=False) as screen:
        try:
            while True:
                screen.update(view(), refresh=True)
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            return


def view(settings: StackSettings) -> RenderableType:
    """The signals by service, and the alerts."""
    try:
        return Group(_signals(signals.measure(settings)), Text(), _alerts(signals.firing(settings)))
    except PrometheusAway as away:
        return Text(f"Prometheus does not answer, so there is nothing to tell: {away}", style="red")


def _signals(measured: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("service")
    for signal in SIGNALS:
        table.add_column(signal.title, justify="right")
    for service in SERVICES:
        table.add_row(service, *(_cell(signal, measured[signal.title].get(service)) for signal in SIGNALS))
    return table


def _cell(signal: Signal, value: float | None) -> Text:
    if value is None or math.isnan(value):
        return Text("–", style="dim")
    is_worrying = signal.worrying is not None and value >= signal.worrying
    return Text(in_words(value, signal.unit), style="bold red" if is_worrying else "")


def in_words(value: float, unit: str) -> str:
    """A number as a person reads it: 12.5/s, 0.3 %, 45 ms, 2.1 s, 7 min."""
    if unit == "reqps":
        return f"{value:.1f}/s"
    if unit == "percentunit":
        return f"{value:.1%}".replace("%", " %")
    if unit != "s":
        return f"{value:,.0f}".replace(",", " ")
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min"


def _alerts(found: list[Alert]) -> RenderableType:
    if not found:
        return Text("no alert fires", style="green")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("alert", "", "what to do"):
        # What is to be looked for stands whole, however narrow the terminal.
        table.add_column(title, overflow="fold")
    for alert in found[:ALERTS_SHOWN_MAX]:
        # As text: what stands in brackets is no style of ours.
        table.add_row(Text(alert.name, _COLOURS.get(alert.severity, "")), Text(alert.summary), Text(alert.runbook))
    if len(found) > ALERTS_SHOWN_MAX:
        table.add_row(f"and {len(found) - ALERTS_SHOWN_MAX} more", "", "")
    return table
