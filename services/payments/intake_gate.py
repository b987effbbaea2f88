"""Bounded intake: no more payments are taken on than can be worked off before their deadlines."""

import asyncio
import time
from collections.abc import Callable

import anyio.to_thread

from libs.common.edge import Busy

RECOUNT_SECONDS = 1.0
RECOUNT_SECONDS_NEAR_FULL = 0.1


class IntakeGate:
    """Counts what is under way: exactly now and then, and upwards by itself in between."""

    def __init__(self, count: Callable[[], int], in_flight_max: int) -> None:
        self._count = count
        self._max = in_flight_max
        self._in_flight = 0
        self._counted_at = -RECOUNT_SECONDS
        self._counting = asyncio.Lock()

    async def admit(self, payments: int, *, wait_seconds_max: float = 0.0) -> None:
        """Make room for so many payments. Raises Busy when there is none in time."""
        give_up_at = time.monotonic() + wait_seconds_max
        while True:
            await self._recount()
            if self._in_flight + payments <= self._max or self._in_flight == 0:
                self._in_flight += payments
                return
            if time.monotonic() >= give_up_at:
                raise Busy
            await asyncio.sleep(RECOUNT_SECONDS_NEAR_FULL)

    async def _recount(self) -> None:
        is_near_full = self._in_flight > self._max / 2
        age_max = RECOUNT_SECONDS_NEAR_FULL if is_near_full else RECOUNT_SECONDS
        if time.monotonic() - self._counted_at < age_max or self._counting.locked():
            return
        async with self._counting:
            self._in_flight = await anyio.to_thread.run_sync(self._count)
            self._counted_at = time.monotonic()
