"""Which events there are, who publishes and who reads them: taken from the code, so that it can't be wrong."""

import importlib
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType

from libs.common.batch import Handlers
from libs.common.events import Event, Topic
from libs.common.record import Record

SERVICES = ("payments", "fraud", "compliance", "accounts")
FEATURES = "fraud (features)"
"""Fraud's Faust worker, which has no table of decisions."""


class Entry(Record):
    """One event type."""

    event_type: type[Event]
    publisher: str
    readers: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.event_type.__name__

    @property
    def topic(self) -> Topic:
        return self.event_type.contract.topic


@cache
def entries() -> Sequence[Entry]:
    """Every event type, by topic, in the order its publisher declares them."""
    writers = {kind: service for service in SERVICES for kind in handlers(service).writes}
    readers = {service: set(handlers(service).reads) for service in SERVICES}
    features = importlib.import_module("services.fraud.features")
    writers |= dict.fromkeys(features.WRITES, FEATURES)
    readers[FEATURES] = set(features.READS)
    found = [
        Entry(
            event_type=kind,
            publisher=writers[kind],
            readers=tuple(service for service, kinds in readers.items() if kind in kinds),
        )
        for service in SERVICES
        for kind in event_types(importlib.import_module(f"schemas.{service}.events"))
    ]
    return tuple(sorted(found, key=lambda entry: (SERVICES.index(entry.topic.service), entry.topic.name)))


def topics() -> dict[str, list[Entry]]:
    """The events of each topic."""
    by_topic: dict[str, list[Entry]] = {}
    for entry in entries():
        by_topic.setdefault(entry.topic.name, []).append(entry)
    return by_topic


def event_types(module: ModuleType) -> Iterator[type[Event]]:
    """The event types a module of mirrors declares, in its order."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Event) and "contract" in vars(value):
            yield value


def handlers(service: str) -> Handlers:
    """A service's table of contents."""
    module = importlib.import_module(f"services.{service}.handlers")
    settings = importlib.import_module(f"services.{service}.settings")
    kind = getattr(settings, f"{service.capitalize()}Settings")
    found: Handlers = module.handlers(kind(database_url="postgresql+psycopg://nobody@nowhere/nothing"))
    return found
