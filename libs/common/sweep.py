"""The sweep: looks now and then for what time alone has made due, and runs it like any other batch."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Event as Flag
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from libs.common.batch import Decided, UnitOfWork
from libs.common.errors import Outage
from libs.common.message import Message
from libs.common.metrics import SweepMetrics
from libs.common.outbox import OutboxRow
from libs.common.writes import Writes

SWEEP_SECONDS = 1.0
PRUNE_SECONDS = 60.0
PRUNED_MAX = 10_000
DUE_MAX = 500
REST_SECONDS = 60.0
"""How long what could not be carried out is left alone, so that it doesn't stand in the way of what can."""
RESTING_MAX = 10_000

Prune = Callable[[Connection, int], int]
"""(tx, at most) -> how many rows were deleted: what has been kept long enough, and nobody asks for any more."""
FindDue = Callable[[Connection, datetime, int], Sequence[Message]]
"""(tx, now, at most) -> what is due. A decision on what is no longer due decides nothing."""

log = logging.getLogger(__name__)


class NoClaim:
    """For what may safely be decided twice, for the second time finds nothing to do."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def claim(self, tx: Connection, messages: Sequence[Message]) -> Sequence[Message]:
        return messages

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        self.failed = [result.message.message_id for result in decided if result.error is not None]
        for result in decided:
            if result.error is not None:
                log.error("a due decision failed", extra=_ids_of(result.message, result.error))
        return ()


class Sweep:
    """Carries out what has come due, and forgets what has been kept long enough."""

    def __init__(
        self, unit: UnitOfWork, find_due: FindDue | None, prunes: Sequence[Prune], metrics: SweepMetrics
    ) -> None:
        self._unit = unit
        self._metrics = metrics
        self._find_due = find_due
        self._prunes = prunes
        self._prune_at = 0.0
        self._resting: dict[str, float] = {}

    def run(self, stop: Flag) -> None:
        while not stop.is_set():
            try:
                is_busy = self.run_once() == DUE_MAX
            except Outage as outage:
                log.warning("the sweep waits for an outage to end", extra={"error": str(outage)})
                is_busy = False
            if not is_busy:
                stop.wait(SWEEP_SECONDS)

    def run_once(self) -> int:
        """Carry out what is due, and return how many things that was."""
        self._prune()
        count = self._carry_out(self._find_due) if self._find_due is not None else 0
        self._metrics.turned_at.set_to_current_time()
        return count

    def _carry_out(self, find_due: FindDue) -> int:
        now = datetime.now(UTC)
        self._resting = {id_: until for id_, until in self._resting.items() if until > time.monotonic()}
        at_most = DUE_MAX + len(self._resting)
        found = self._unit.administer(lambda tx: find_due(tx, now, at_most))
        due = [message for message in found if message.message_id not in self._resting][:DUE_MAX]
        if due:
            self._apply(due)
        return len(due)

    def _apply(self, due: Sequence[Message]) -> None:
        """Run what is due. What can't be stored is found by halving, and never fails its neighbours."""
        claim = NoClaim()
        try:
            self._unit.run(due, claim)
        except (psycopg.Error, SQLAlchemyError) as error:
            if len(due) == 1:
                log.error("a due decision could not be stored", extra=_ids_of(due[0], error))
                self._metrics.decisions.labels("failed").inc()
                self._rest([due[0].message_id])
            else:
                middle = len(due) // 2
                self._apply(due[:middle])
                self._apply(due[middle:])
        else:
            self._metrics.decisions.labels("applied").inc(len(due) - len(claim.failed))
            self._metrics.decisions.labels("failed").inc(len(claim.failed))
            self._rest(claim.failed)

    def _rest(self, message_ids: Sequence[str]) -> None:
        room = RESTING_MAX - len(self._resting)
        self._resting.update(dict.fromkeys(message_ids[:room], time.monotonic() + REST_SECONDS))

    def _prune(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        most = max((self._unit.administer(partial(_pruned, prune)) for prune in self._prunes), default=0)
        # Where more are added in a minute than one pass removes, the next pass must not wait for the next minute.
        self._prune_at = time.monotonic() + (PRUNE_SECONDS if most < PRUNED_MAX else 0)


def _pruned(prune: Prune, tx: Connection) -> int:
    return prune(tx, PRUNED_MAX)


def _ids_of(message: Message, error: Exception) -> dict[str, str]:
    # Not the error's own text, which may tell what the message says.
    return {
        "message_id": message.message_id,
        "error_type": type(error).__name__,
        "correlation_id": message.trace.correlation_id,
    }
