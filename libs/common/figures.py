"""What Prometheus sees of a service's tables: figures that only a query can tell, asked for now and then."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Event as Flag

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from libs.common import parking
from libs.common.batch import UnitOfWork
from libs.common.errors import Outage
from libs.common.record import Record

LOOK_SECONDS = 5.0

log = logging.getLogger(__name__)


class Figure(Record):
    """One number, and the query that tells it. Every worker of a service tells the same."""

    name: str
    meaning: str
    count: Callable[[Connection, datetime], float]
    """(tx, now) -> the number."""


PARKED_KEYS = Figure(
    name="parked_keys",
    meaning="Keys whose messages wait for one that could not be applied",
    count=lambda tx, _: len(parking.list_keys(tx)),
)


class Figures:
    """Asks for a service's figures until it is stopped."""

    def __init__(self, unit: UnitOfWork, figures: Sequence[Figure], registry: CollectorRegistry) -> None:
        self._unit = unit
        self._gauges = [(figure, Gauge(figure.name, figure.meaning, registry=registry)) for figure in figures]

    def run(self, stop: Flag) -> None:
        while not stop.is_set():
            try:
                self.run_once(datetime.now(UTC))
            except Outage as outage:
                log.warning("figures are not up to date during an outage", extra={"error": str(outage)})
            stop.wait(LOOK_SECONDS)

    def run_once(self, now: datetime) -> None:
        """Ask for each figure. Raises Outage."""
        for figure, gauge in self._gauges:
            gauge.set(self._unit.administer(partial(_count, figure, now)))


def _count(figure: Figure, now: datetime, tx: Connection) -> float:
    return figure.count(tx, now)


class Readiness(Collector):
    """What `/ready` says, for Prometheus: `role_ready` is 1 for each role that can work."""

    def __init__(self, is_ready: Callable[[], Mapping[str, bool]]) -> None:
        self._is_ready = is_ready

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("role_ready", "1 where the role can work", labels=["role"])
        for role, is_ready in self._is_ready().items():
            family.add_metric([role], float(is_ready))
        yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily("role_ready", "1 where the role can work", labels=["role"])]
