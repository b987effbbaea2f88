"""What a benchmark returns, and the arithmetic they share."""

from collections.abc import Mapping, Sequence

Figures = Mapping[str, float]
"""Name to value. A name ends in its unit: per_second, _ms, _microseconds_per_event."""


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value below which so many percent of an ordered list lie. Raises IndexError for an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
