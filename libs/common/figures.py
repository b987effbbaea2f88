"""What Prometheus sees of a service's tables: figures that only a query can tell, asked for now and then."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Event as Flag
from types import MappingProxyType

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from libs.common import database, parking
from libs.common.batch import UnitOfWork
from libs.common.errors import Outage
from libs.common.metrics import Description, Metrics, Values
from libs.common.record import Record

LOOK_SECONDS = 5.0
STALE_SECONDS = 30.0
"""A figure older than this is shown no more: a number that has stopped to change must not pass for good news."""

Value = float | Mapping[str, float]
"""A number, or one for each value of the figure's label."""
NOTHING: Mapping[str, float] = MappingProxyType({})
"""For a figure of what is not there."""

log = logging.getLogger(__name__)


class Figure(Record):
    """Something about a service's tables. Every worker tells the same, so ask for the maximum over them."""

    name: str
    meaning: str
    label: str | None = None
    """What tells its numbers apart, if there are several."""
    values: Values = ()
    """What the label may be: a closed list, or in words what bounded set it is taken from."""

    @property
    def description(self) -> Description:
        labels = {self.label: self.values} if self.label else {}
        return Description(name=self.name, kind="gauge", meaning=self.meaning, labels=labels, is_looked_up=True)


class Look(Record):
    """One bounded query, and the figures it tells."""

    figures: tuple[Figure, ...]
    ask: Callable[[Connection, datetime], Sequence[Value]]
    """(tx, now) -> a value for each figure."""


PARKED_KEYS = Look(
    figures=(Figure(name="parked_keys", meaning="Keys whose messages wait for one that could not be applied"),),
    ask=lambda tx, _: (len(parking.list_keys(tx)),),
)


_DATABASE = (
    Figure(name="database_bytes", meaning="What this service's database takes on its disk"),
    Figure(name="database_bytes_max", meaning="What it may take, as `WEIR_DATABASE_BYTES_MAX` says"),
    Figure(
        name="database_oldest_transaction_seconds",
        meaning="Age of the oldest transaction that is open in it: no row deleted since can be removed for good",
    ),
)


def database_look(bytes_max: int) -> Look:
    """How large the database is, and whether something holds up its tidying."""

    def ask(tx: Connection, _: datetime) -> Sequence[Value]:
        return database.measure_bytes(tx), bytes_max, database.measure_oldest_transaction(tx)

    return Look(figures=_DATABASE, ask=ask)


_ARCHIVE = (
    Figure(
        name="database_copy_age_seconds",
        meaning="Age of the newest copy of the whole server; absent where `python -m stack backup` never made one",
    ),
    Figure(
        name="database_archive_failing_seconds",
        meaning="Since when no segment of the server's log could be archived, in seconds ago; 0 where it works",
    ),
)


def _ask_archive(tx: Connection, _: datetime) -> Sequence[Value]:
    return database.measure_archive(tx) or (NOTHING, NOTHING)


ARCHIVE = Look(figures=_ARCHIVE, ask=_ask_archive)


class Figures(Collector):
    """Looks at a service's tables until it is stopped, and shows Prometheus what it saw last."""

    def __init__(self, unit: UnitOfWork, looks: Sequence[Look], metrics: Metrics) -> None:
        self._unit = unit
        self._looks = looks
        self._seen: dict[Figure, Value] = {}
        self._seen_at = 0.0
        metrics.watch(self, *(figure.description for look in looks for figure in look.figures))

    def run(self, stop: Flag) -> None:
        while not stop.is_set():
            try:
                self.run_once(datetime.now(UTC))
            except Outage as outage:
                log.warning("figures are not up to date during an outage", extra={"error": str(outage)})
            stop.wait(LOOK_SECONDS)

    def run_once(self, now: datetime) -> None:
        """Take every look once. Raises Outage."""
        seen: dict[Figure, Value] = {}
        for look in self._looks:
            seen |= zip(look.figures, self._unit.administer(partial(_ask, look, now)), strict=True)
        self._seen, self._seen_at = seen, time.monotonic()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [_family(figure, {}) for look in self._looks for figure in look.figures]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if time.monotonic() - self._seen_at < STALE_SECONDS:
            for figure, value in self._seen.items():
                yield _family(figure, value)


def _ask(look: Look, now: datetime, tx: Connection) -> Sequence[Value]:
    return look.ask(tx, now)


def _family(figure: Figure, value: Value) -> GaugeMetricFamily:
    family = GaugeMetricFamily(figure.name, figure.meaning, labels=[figure.label] if figure.label else None)
    values = value.items() if isinstance(value, Mapping) else [("", value)]
    for label, number in values:
        family.add_metric([label] if figure.label else [], number)
    return family


READINESS = Description(
    name="role_ready",
    kind="gauge",
    meaning="1 where the role can work",
    labels={"role": ("api", "worker", "relay", "features")},
)


class Readiness(Collector):
    """What `/ready` says, for Prometheus: `role_ready` is 1 for each role that can work."""

    def __init__(self, is_ready: Callable[[], Mapping[str, bool]]) -> None:
        self._is_ready = is_ready

    def collect(self) -> Iterator[GaugeMetricFamily]:
        (family,) = self.describe()
        for role, is_ready in self._is_ready().items():
            family.add_metric([role], float(is_ready))
        yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily(READINESS.name, READINESS.meaning, labels=list(READINESS.labels))]
