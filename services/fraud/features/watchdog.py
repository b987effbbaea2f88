"""Notices when the features worker gets nowhere, from outside of it, and ends the process.

Faust can lose its fetcher, or hang in a rebalance, without a word. So a thread that depends on nothing
of it compares what is counted to what the broker holds; if there are labels left and nothing moves,
the process ends, and whoever supervises it starts it anew.
"""

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from threading import Event as Flag

from libs.common.errors import Outage
from libs.common.record import Record
from services.fraud.features.log import Continuity, LabelLog, Place
from services.fraud.features.metrics import FeaturesMetrics

LOOK_SECONDS = 2.0
START_FACTOR = 5
"""A start reads the whole table back: it may take so many times as long as a stall."""
EXIT_STALLED = 70
"""The exit status of a process that gave itself up (EX_SOFTWARE)."""

log = logging.getLogger(__name__)


class Pulse:
    """What the worker shows of itself. Written by its loop, read by other threads."""

    def __init__(self) -> None:
        self.is_running = False
        """It has partitions, and its table is read back."""
        self.places: frozenset[Place] = frozenset()
        """Of the labels' topics, the partitions that are its own."""
        self.is_waiting = False
        """Something it needs is away."""
        self.has_started = False
        self.ticked_at = time.monotonic()
        """When its loop last ran."""

    @property
    def is_ready(self) -> bool:
        return self.is_running and not self.is_waiting

    def tick(self, *, is_running: bool, places: Iterable[Place]) -> None:
        """Show that the loop runs."""
        self.ticked_at = time.monotonic()
        self.places = frozenset(places)
        self.is_running = is_running
        self.has_started = self.has_started or is_running


class Progress(Record):
    """How far the worker has come."""

    dealt_with: int
    """The sum of the offsets it has reached."""
    lag: int
    """Labels in its partitions that it has not dealt with."""


class Watchdog:
    """Compares what there is to count with what is counted."""

    def __init__(
        self,
        pulse: Pulse,
        progress: Callable[[], Progress],
        metrics: FeaturesMetrics,
        *,
        stall_seconds: float,
        give_up: Callable[[], None],
    ) -> None:
        self._pulse = pulse
        self._progress = progress
        self._metrics = metrics
        self._stall_seconds = stall_seconds
        self._give_up = give_up
        self._dealt_with = -1
        self._moved_at = time.monotonic()

    def run(self, stop: Flag) -> None:
        """Look on until `stop` is set, or there is nothing left to be hoped for."""
        while not stop.wait(min(LOOK_SECONDS, self._stall_seconds / 4)):
            self.look()
            if self.stalled_seconds > self._patience:
                log.error("the features worker gets nowhere", extra={"seconds": round(self.stalled_seconds, 1)})
                self._give_up()
                return

    def look(self) -> None:
        """Take note of how far the worker is. A broker that is away is nothing to give up for."""
        try:
            progress = self._progress()
        except Outage as outage:
            log.warning("the broker can't be asked how far there is to go", extra={"error": str(outage)})
            self._moved_at = time.monotonic()
            return
        self._metrics.lag_records.set(progress.lag)
        if progress.lag == 0 or progress.dealt_with != self._dealt_with or self._pulse.is_waiting:
            self._dealt_with, self._moved_at = progress.dealt_with, time.monotonic()

    @property
    def stalled_seconds(self) -> float:
        """Since the worker last moved, or had nothing to do; or since its loop last ran, if that is longer."""
        return time.monotonic() - min(self._moved_at, self._pulse.ticked_at)

    @property
    def _patience(self) -> float:
        return self._stall_seconds if self._pulse.has_started else self._stall_seconds * START_FACTOR


def measure(pulse: Pulse, continuity: Continuity, log: LabelLog) -> Callable[[], Progress]:
    """A function that compares what this worker has dealt with to what its partitions hold. It raises Outage."""

    def progress() -> Progress:
        done = continuity.next_offsets
        ends = log.end_offsets(pulse.places)
        starts = {place: done[place] if place in done else log.first_offset(place) for place in ends}
        return Progress(
            dealt_with=sum(starts.values()), lag=sum(max(0, end - starts[place]) for place, end in ends.items())
        )

    return progress


def watch(watchdog: Watchdog, stop: Flag) -> threading.Thread:
    """Run a watchdog on a thread of its own."""
    thread = threading.Thread(target=watchdog.run, args=(stop,), name="watchdog", daemon=True)
    thread.start()
    return thread


def end_process() -> None:
    """End this process at once, as a crash would: what was not finished is not committed, and comes again."""
    faulthandler.dump_traceback()
    os._exit(EXIT_STALLED)
