"""How fast a client may ask: a bucket that fills steadily, up to a burst, and from which every request takes.

A process keeps its own buckets, for what they protect is the process: a client that asks n of them may ask n times as
fast. What must hold over all processes (money, numbers of payments) is a quota, which the database counts.

    level(t) = min(burst, level + rate · Δt)      a request passes while the level is above zero, and takes its cost

A cost may be larger than what is there (a chunk of a file): then the bucket is in debt, and nothing passes until that
is paid off. So what is larger than a burst is let in too, and no client has more than burst + rate · t in any t, but
for what the last request took beyond what was there.
"""

import math
import time
from collections.abc import Callable

from libs.common.record import Record

_ROUNDING = 1e-6
"""Of a request: who waits just as long as it was told must find room."""


class Rate(Record):
    """How much a client may ask."""

    per_second: float
    """Requests a second that it may keep up."""
    burst: int
    """As many at once, after a pause."""


class Limit(Record):
    """What came of asking: whether there was room, and how things stand, as the RateLimit headers tell."""

    is_passed: bool
    rate: Rate
    remaining: int
    wait_seconds: float
    """Until there is room again."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """`RateLimit-Policy` and `RateLimit`, after draft-ietf-httpapi-ratelimit-headers-10."""
        window = math.ceil(self.rate.burst / self.rate.per_second)
        return (
            ("RateLimit-Policy", f'"requests";q={self.rate.burst};w={window}'),
            ("RateLimit", f'"requests";r={self.remaining};t={math.ceil(self.wait_seconds)}'),
        )


class Bucket:
    """One client's."""

    __slots__ = ("_at", "_level", "_rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._level, self._at = rate, float(rate.burst), now

    def take(self, cost: int, now: float) -> Limit:
        """Ask for room at a moment, in seconds; what is refused takes nothing."""
        rate = self._rate
        # A clock that was set back gives nothing and takes nothing.
        self._level = min(float(rate.burst), self._level + max(0.0, now - self._at) * rate.per_second)
        self._at = max(self._at, now)
        is_passed = self._level >= 1 - _ROUNDING
        if is_passed:
            self._level -= cost
        missing = max(0.0, 1 - self._level)
        return Limit(
            is_passed=is_passed,
            rate=rate,
            remaining=max(0, math.floor(self._level)),
            wait_seconds=missing / rate.per_second,
        )

    def give_back(self, cost: int) -> None:
        """Undo a taking that was not needed after all."""
        self._level = min(float(self._rate.burst), self._level + cost)

    def is_of(self, rate: Rate) -> bool:
        return self._rate == rate


class RateLimiter:
    """The buckets of a process: of clients that were let in, so there are no more than clients. For one thread."""

    def __init__(self, default: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._default = default
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def take(self, client_id: str, rate: Rate | None, cost: int = 1) -> Limit:
        """Ask for room for a client whose own rate is this, if it has one. A new rate begins with a full bucket."""
        rate, now = rate or self._default, self._clock()
        bucket = self._buckets.get(client_id)
        if bucket is None or not bucket.is_of(rate):
            bucket = self._buckets[client_id] = Bucket(rate, now)
        return bucket.take(cost, now)
