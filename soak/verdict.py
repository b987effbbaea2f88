"""Whether what was measured again and again stayed flat: by slopes between pairs of samples, and how sure they are.

The Theil–Sen estimator: the median of the slopes between all pairs of samples, which a few outliers (a restart, a pause
of a shared machine) don't move. Its lower bound of confidence is Sen's (1968), from the variance of Kendall's S. Pairs
lie within one life of a process, for a new process begins anew.

A series grows if we are sure, to CONFIDENCE, that it grows faster than its bound allows.
"""

from collections.abc import Sequence
from itertools import combinations
from math import sqrt
from statistics import NormalDist, median

from libs.common.record import Record

CONFIDENCE = 0.95
"""That what is called growing does grow."""
SAMPLES_MIN = 8
"""Of one series after its warm-up: with fewer nothing can be said."""


class Sample(Record):
    """A value at a time, in the life of one process (or of what never restarts: always the same life)."""

    at_seconds: float
    value: float
    life: str = ""


class Bound(Record):
    """How much a series may grow and still be flat."""

    per_hour: float
    """In the unit of the series."""
    floor: float
    """Over the whole time measured: what comes and goes, and what caches take once."""
    share: float = 0.0
    """Of the series' own median, over the whole time measured, where that is more than the floor."""

    def allowed(self, hours: float, middle: float) -> float:
        """Growth over so many hours that is still flat."""
        return self.per_hour * hours + max(self.floor, self.share * abs(middle))


class Trend(Record):
    """What became of a series."""

    middle: float
    """Its median."""
    per_hour: float
    """The most likely slope."""
    at_least_per_hour: float
    """The slope that it is above with CONFIDENCE."""
    allowed_per_hour: float
    samples: int

    @property
    def is_flat(self) -> bool:
        return self.at_least_per_hour <= self.allowed_per_hour


def trend(samples: Sequence[Sample], bound: Bound, *, warm_up_seconds: float) -> Trend | None:
    """How a series went, each life's warm-up left out; None where too little was measured to say anything."""
    warm = _warm(samples, warm_up_seconds)
    if len(warm) < SAMPLES_MIN:
        return None
    middle = median(sample.value for sample in warm)
    slopes = sorted(slope for life in _lives(warm) for slope in _slopes(life))
    if not slopes:
        return None
    # Of the longest life: what matters is what one process gains until it is restarted.
    hours = max(life[-1].at_seconds - life[0].at_seconds for life in _lives(warm)) / 3600
    return Trend(
        middle=middle,
        per_hour=median(slopes),
        at_least_per_hour=slopes[_lowest_rank(warm, len(slopes))],
        allowed_per_hour=bound.allowed(hours, middle) / hours,
        samples=len(warm),
    )


def _warm(samples: Sequence[Sample], warm_up_seconds: float) -> list[Sample]:
    born: dict[str, float] = {}
    for sample in samples:
        born[sample.life] = min(born.get(sample.life, sample.at_seconds), sample.at_seconds)
    return [sample for sample in samples if sample.at_seconds >= born[sample.life] + warm_up_seconds]


def _lives(samples: Sequence[Sample]) -> list[list[Sample]]:
    lives: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.at_seconds):
        lives.setdefault(sample.life, []).append(sample)
    return list(lives.values())


def _slopes(life: Sequence[Sample]) -> list[float]:
    """Between all pairs, an hour."""
    return [
        (later.value - earlier.value) / (later.at_seconds - earlier.at_seconds) * 3600
        for earlier, later in combinations(life, 2)
        if later.at_seconds > earlier.at_seconds
    ]


def _lowest_rank(samples: Sequence[Sample], count: int) -> int:
    """The place, in the order of all slopes, of the one that the true slope is above with CONFIDENCE."""
    sizes = [len(life) for life in _lives(samples)]
    deviation = sqrt(sum(size * (size - 1) * (2 * size + 5) / 18 for size in sizes))
    return max(0, min(count - 1, int((count - NormalDist().inv_cdf(CONFIDENCE) * deviation) / 2)))
