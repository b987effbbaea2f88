"""The one formula for how alike two names are, given what their words weigh. Pure; takes numbers or arrays of them.

                                  alike
    score = ───────────────────────────────────────────────────
             paired + CONFLICT · 2 · left in both + MISSING · left in one only

`alike` is the paired weight times how alike the pairs are.
"""

from typing import Any

import numpy as np

from libs.common.record import Record

REVIEW_SCORE = 0.84
"""What a name must reach for a person to look at it, where 23,000 others had the chance to."""
BLOCK_NAME_SCORE = 0.95
"""What the name alone must reach before other evidence may block."""
PAIR_SCORE = 0.72
"""From here on two names that somebody has put side by side are taken for one: no others had the chance to."""

CONFLICT = 1.0
"""What words count that both names have left over, once for each side: George *Bush*, George *Habash*."""
MISSING = 0.23
"""What words count that only one of the names has: a middle name left out, a legal form added."""
MISSING_AMONG_SYLLABLES = 0.30
"""The same in names of common single syllables: Kim Song is hardly Kim Song Hun."""
CANDIDATE_SCORE_MIN = 0.66
"""What a name must reach at first sight to be looked at with care, where initials and joined words may add to it."""
PAIRED_MIN = 0.32
"""How much of the asked words' weight must be found in a name for that: the formula solved for `paired`."""


def score(alike: Any, paired: Any, left_asked: Any, left_listed: Any) -> Any:
    """From 0 (nothing in common) to 1 (the same words)."""
    both = np.minimum(left_asked, left_listed)
    one = np.abs(left_asked - left_listed)
    return alike / np.maximum(paired + CONFLICT * 2 * both + MISSING * one, 1e-9)


class Thresholds(Record, omit_defaults=True):
    """What a list asks of a name before it is a hit, and before it may block."""

    review: float = REVIEW_SCORE
    block: float = BLOCK_NAME_SCORE


USUAL = Thresholds()
