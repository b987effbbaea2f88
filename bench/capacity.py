"""`python -m bench.capacity`: what so much money a week takes, by what a payment was measured to cost.

    payments a second = money a week / average ticket / seconds of a week × peak
    cores             = payments a second × CPU of a payment × slower machine / utilisation
    disk              = payments × bytes of a payment × copies × years

Docs: docs/capacity.md, whose table is written from here.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from libs.common.record import Record

COSTS = Path(__file__).with_name("costs.json")
"""As a run of `make soak` has written it."""
WEEK_SECONDS = 7 * 86_400
YEAR_WEEKS = 52
AVAILABILITY = 0.999
"""Of requests that are answered, in a month."""


class Costs(Record):
    """Of each payment, on average."""

    payments: int
    """How many they were measured over."""
    cpu_ms: Mapping[str, float]
    """Milliseconds of one core, by program."""
    database_bytes: Mapping[str, float]
    """Tables and indexes, by database."""
    topic_bytes: Mapping[str, float]
    """On one replica, compressed as the broker keeps them, by topic."""


class Demand(Record):
    """What is asked of an installation, and how carefully it is to be met."""

    weekly_volume: float = 100_000_000
    """In the currency of the ticket."""
    ticket: float = 50
    """An average payment: what people pay by card; 200 and more between accounts."""
    peak: float = 8
    """The busiest seconds over the week's mean: 2.5 for the hour of the day, 1.6 for the day, 2 for a sale."""
    utilisation: float = 0.4
    """Of the cores at the peak: beyond half, whatever comes waits."""
    database_copies: int = 3
    """The primary, a standby, and base copies with their log."""
    topic_copies: int = 3
    years: float = 5
    """What records are kept for at least (31 CFR 1010.430)."""


class Plan(Record):
    """What it takes."""

    payments_per_week: float
    mean_per_second: float
    peak_per_second: float
    cores: Mapping[str, float]
    database_gb_per_year: Mapping[str, float]
    """One copy."""
    topics_gb_per_year: float
    """One copy."""
    disk_tb: float
    """All copies, at the end of the years."""
    error_budget_minutes: float
    """A month without a single answer that would use up what AVAILABILITY leaves."""

    @property
    def cores_in_all(self) -> int:
        return math.ceil(sum(self.cores.values()))


def plan(costs: Costs, demand: Demand) -> Plan:
    """What a demand takes, by what a payment costs."""
    weekly = demand.weekly_volume / demand.ticket
    mean = weekly / WEEK_SECONDS
    peak = mean * demand.peak
    yearly = weekly * YEAR_WEEKS
    databases = {name: used * yearly / 1e9 for name, used in costs.database_bytes.items()}
    topics = sum(costs.topic_bytes.values()) * yearly / 1e9
    copied = sum(databases.values()) * demand.database_copies + topics * demand.topic_copies
    return Plan(
        payments_per_week=weekly,
        mean_per_second=mean,
        peak_per_second=peak,
        cores={name: peak * used / 1_000 / demand.utilisation for name, used in costs.cpu_ms.items()},
        database_gb_per_year=databases,
        topics_gb_per_year=topics,
        disk_tb=copied * demand.years / 1_000,
        error_budget_minutes=(1 - AVAILABILITY) * 30 * 24 * 60,
    )


def load(file: Path = COSTS) -> Costs:
    """Raises msgspec.DecodeError or OSError for what is no such file."""
    return msgspec.json.decode(file.read_bytes(), type=Costs)


def rows(found: Plan) -> Iterator[tuple[str, str]]:
    """A plan, line by line."""
    yield "payments a week", f"{found.payments_per_week:,.0f}"
    yield "payments a second, mean and peak", f"{found.mean_per_second:,.1f} and {found.peak_per_second:,.0f}"
    yield "cores at the peak", f"{found.cores_in_all}: " + _each(found.cores, "{:.2f}")
    yield "databases, GB a year, one copy", _each(found.database_gb_per_year, "{:,.0f}")
    yield "topics, GB a year, one copy", f"{found.topics_gb_per_year:,.0f}"
    yield "disk at the end, all copies, TB", f"{found.disk_tb:,.1f}"
    yield "minutes a month that 99.9 % leave", f"{found.error_budget_minutes:.0f}"


def _each(values: Mapping[str, float], form: str) -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


def main(
    volume: Annotated[float, typer.Option(min=1, help="a week")] = Demand.weekly_volume,
    ticket: Annotated[float, typer.Option(min=0.01, help="an average payment")] = Demand.ticket,
    peak: Annotated[float, typer.Option(min=1, help="busiest seconds over the mean")] = Demand.peak,
    utilisation: Annotated[float, typer.Option(min=0.01, max=1, help="of the cores at the peak")] = Demand.utilisation,
    years: Annotated[float, typer.Option(min=0, help="that records are kept")] = Demand.years,
    costs: Annotated[Path, typer.Option(help="what make soak has measured: costs.json")] = COSTS,
) -> None:
    """Say what an amount of money a week takes."""
    demand = Demand(weekly_volume=volume, ticket=ticket, peak=peak, utilisation=utilisation, years=years)
    for name, value in rows(plan(load(costs), demand)):
        typer.echo(f"{name}: {value}")


if __name__ == "__main__":
    typer.run(main)
