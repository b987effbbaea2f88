"""Erasing a customer in every service, and the keys that seal personal data.

First everybody is asked what forbids it. Then the keys are destroyed, and what a service keeps readable is blanked:
whoever does it twice finds less to do.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from libs.common.erasing import Eraser, Erasure, Whom
from libs.common.keys import KeyStore
from libs.common.record import Record
from libs.common.service import Runtime
from operate import installation

T = TypeVar("T")

_ASKED = ("accounts", "payments", "compliance")
"""In this order: payments finds those of the accounts that are the customer's. Fraud knows nobody but by their ids."""


class NoKeyStore(Exception):
    """This installation has no key store: nothing is sealed, and nothing can be erased from topics."""


class Plan(Record):
    """Who would be erased, and what forbids it, by service."""

    whom: Whom
    obstacles: Mapping[str, Sequence[str]]

    @property
    def is_allowed(self) -> bool:
        return not any(self.obstacles.values())


class Erased(Record):
    """What was destroyed and blanked, by service and table."""

    keys: int
    rows: Mapping[str, Mapping[str, int]]


def key_store() -> KeyStore:
    """The installation's. Raises NoKeyStore."""
    store = installation.runtime_of(_ASKED[0]).vault.store
    if store is None:
        raise NoKeyStore("no key store is configured: see WEIR_KEYS_URL")
    return store


def plan(customer_id: str, now: datetime) -> Plan:
    """Who that is in each service, and what forbids to erase them now. Raises Outage."""
    services = _services()
    whom = Whom(customer_id=customer_id)
    for runtime, eraser in services.values():
        whom = runtime.unit.administer(_with(eraser.identify, whom))
    obstacles = {
        name: runtime.unit.administer(_with(eraser.obstacles, whom, now))
        for name, (runtime, eraser) in services.items()
    }
    return Plan(whom=whom, obstacles=obstacles)


def erase(erasure: Erasure) -> Erased:
    """Destroy the customer's keys, and blank what is readable. Repeatable. Raises Outage, NoKeyStore."""
    keys = key_store().destroy(erasure.whom.customer_id, actor=erasure.actor, reason=erasure.reason)
    rows = {
        name: runtime.unit.administer(_with(eraser.blank, erasure)) for name, (runtime, eraser) in _services().items()
    }
    return Erased(keys=keys, rows=rows)


def _with(work: Callable[..., T], *given: Any) -> Callable[[Connection], T]:
    return lambda tx: work(tx, *given)


def _services() -> dict[str, tuple[Runtime, Eraser]]:
    found: dict[str, tuple[Runtime, Eraser]] = {}
    for name in _ASKED:
        runtime = installation.runtime_of(name)
        assert runtime.service.eraser is not None
        found[name] = (runtime, runtime.service.eraser)
    return found
