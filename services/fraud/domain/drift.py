"""How far what is seen now has moved from what a model was trained on: the population stability index. Pure.

PSI = Σ (a − e) · ln(a / e) over bins, a the share now, e the share in training (Siddiqi, Credit Risk Scorecards, 2006).
By custom less than 0.1 is nothing, more than 0.25 asks for a new model.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from libs.common.record import Record

_BINS = 10
_SHARE_MIN = 1e-4
"""A bin that nothing falls into counts as this, or the index would be infinite."""


class Reference(Record):
    """How a feature, or the score, was distributed in training."""

    edges: tuple[float, ...]
    """Where one bin ends, inclusive, and the next begins; the last has no end."""
    shares: tuple[float, ...]
    """Of each bin, and last of what was missing."""

    @property
    def is_sound(self) -> bool:
        """Whether these are bins in their order, each with its share."""
        numbers = (*self.edges, *self.shares)
        return (
            all(map(math.isfinite, numbers))
            and list(self.edges) == sorted(self.edges)
            and len(self.shares) == len(self.edges) + 2
        )


def reference_of(values: "np.ndarray[Any, Any]") -> Reference:
    """Up to ten bins of about as many values each; those that one value fills are one bin."""
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, np.arange(1, _BINS) / _BINS)) if len(present) else np.empty(0)
    return Reference(edges=tuple(edges.tolist()), shares=tuple(_shares(tuple(edges.tolist()), values)))


def stability(reference: Reference, values: "np.ndarray[Any, Any]") -> float:
    """The index of values against a reference: 0 where nothing has changed."""
    pairs = zip(_shares(reference.edges, values), reference.shares, strict=True)
    return sum((now - then) * math.log(now / then) for now, then in ((_floored(a), _floored(e)) for a, e in pairs))


def _shares(edges: Sequence[float], values: "np.ndarray[Any, Any]") -> list[float]:
    is_missing = np.isnan(values)
    counts = np.bincount(np.searchsorted(np.asarray(edges), values[~is_missing]), minlength=len(edges) + 1)
    return [*(counts / len(values)).tolist(), float(is_missing.mean())]


def _floored(share: float) -> float:
    return max(share, _SHARE_MIN)
