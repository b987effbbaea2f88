"""What monitoring works on, loaded and locked for a batch, and what time has made due for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from libs.common.message import Command
from libs.common.writes import Writes
from services.compliance.domain.alerting import LookForCycle, WakeAlerts
from services.compliance.domain.monitored import Monitored
from services.compliance.domain.silencing import ConfirmParameters, EndSilence, SetParameters, SilenceScenario
from services.compliance.domain.work import Screening
from services.compliance.monitoring import cycles
from services.compliance.monitoring.movements import Moved, movements_of
from services.compliance.monitoring.outsiders import NOBODY
from services.compliance.standards import LiveStandards
from services.compliance.store import monitoring, standards

CYCLE_DELAY = timedelta(minutes=5)
"""How long a movement waits to be looked at: those before it, on other partitions, are to have come by then."""

_ABOUT_ONE_CUSTOMER = (LookForCycle, WakeAlerts, SilenceScenario, EndSilence)


def load(tx: Connection, bodies: Sequence[Any], live: LiveStandards, screened: Mapping[str, Screening]) -> Monitored:
    """Lock and read what a batch may touch of monitoring; nothing if it has none of that."""
    found = customer_ids(bodies, screened)
    if not found:
        sets = any(isinstance(body, SetParameters | ConfirmParameters) for body in bodies)
        return Monitored(standards=live.current(tx) if sets else None)
    watched = monitoring.lock_watched(tx, found)
    hops = monitoring.lock_hops(tx, {body.payment_id for body in bodies if isinstance(body, LookForCycle)})
    current = live.current(tx)
    last_hops = [hop.edge for hop in hops.values() if not hop.is_looked_at]
    return Monitored(
        watched=watched,
        hops=hops,
        known=monitoring.find_known(tx, found),
        standards=current,
        chains=cycles.search(last_hops, current, monitoring.edges_into(tx)) if last_hops else None,
    )


def case_ids(monitored: Monitored) -> set[str]:
    """The cases that alerts may join."""
    return {one.case_id for one in monitored.watched.values() if one.case_id is not None}


def save(writes: Writes, monitored: Monitored) -> None:
    """Say what is to be written of what changed."""
    monitoring.save(writes, monitored)
    writes.insert(standards.VERSIONS, map(standards.version_row, monitored.versions))


def find_due(tx: Connection, now: datetime, at_most: int) -> Iterator[tuple[Command, str, Sequence[object]]]:
    """What is to be done, for whom, and what makes it something else than what was done before."""
    for payment_id, customer_id in monitoring.find_unseen_hops(tx, now - CYCLE_DELAY, at_most):
        yield LookForCycle(payment_id=payment_id, customer_id=customer_id), payment_id, ("cycle",)
        at_most -= 1
    for customer_id in monitoring.find_to_wake(tx, now, at_most):
        yield WakeAlerts(customer_id=customer_id), customer_id, ("wake", now.isoformat())


def customer_ids(bodies: Iterable[Any], screened: Mapping[str, Screening]) -> set[str]:
    """The customers whose histories a batch may touch; who only stands for somebody elsewhere is none of them."""
    found = {body.customer_id for body in bodies if isinstance(body, _ABOUT_ONE_CUSTOMER)}
    for body in bodies:
        if isinstance(body, Moved):
            known = screened.get(getattr(body, "payment_id", ""))
            movements = movements_of(body, known.outsiders if known is not None else NOBODY)
            found.update(customer_id for movement in movements for customer_id in movement.customer_ids)
    return found
