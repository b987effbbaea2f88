"""How alike two words are, from 0 (different words) to 1 (the same). Pure.

    1.00  the same word             smith, smith
    0.97  the same sounds           john, jon · youssef, yusef
    0.95  written without vowels    hsyn, hussein (Arabic and Hebrew script leave them out)
    0.93  other vowels              khalid, khaled
    0.88  other names of one person theodore, ted · yusuf, joseph
    0.9…  one slip in a long word   zarqawi, zarkavvi
    0.8…  two slips, or one in a short word
    0.00  anything further apart

The figures come from measuring recall and false positives on whole lists (see README.md); what
matters is that a word counts fully, partly, or not at all, and that a short word forgives less.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from libs.common.record import Record
from services.compliance.matching.folding import blur, fold, skeleton
from services.compliance.matching.other_names import groups_of

SAME_SOUNDS = 0.97
OTHER_VOWELS = 0.93
VOWELS_MISSING = 0.95
OTHER_NAME = 0.88
SHORT_BY_LENGTH = (0.0, 0.0, 0.70, 0.75, 0.84)
"""The most that words of so many letters can reach that neither are nor sound the same: Jun and Jon, Bo and Pa."""
KNOWN = 0.92
"""What is left of the likeness of a word that is a name of its own: Chan is hardly Chen with a slip."""
SIMILARITY_MIN = 0.66
"""Below this, two words are different words."""

_SLIPS_MAX = 3
_LIKENESS_BY_SLIPS = ((3, 0.5), (5, 1.3), (9, 2.1))
"""For one, two, three slips: from which length on they are forgiven, and what they cost in a word of length 1."""
_COST_IN_FOUR_LETTERS = 0.6
_BLURRED_COST = (1 - OTHER_VOWELS) / 2


class Spelling(Record):
    """A word with the shorter forms it is compared in."""

    text: str
    folded: str
    blurred: str
    bones: str
    groups: frozenset[int]


@lru_cache(maxsize=262_144)
def spelling_of(text: str) -> Spelling:
    """A word's forms."""
    folded = fold(text)
    return Spelling(text=text, folded=folded, blurred=blur(folded), bones=skeleton(folded), groups=groups_of(folded))


def similarity(one: Spelling, other: Spelling) -> float:
    """How alike two words are: 0, or at least SIMILARITY_MIN."""
    return similarities(one, [other])[0]


def similarities(one: Spelling, others: Sequence[Spelling], *, is_known: bool = False) -> list[float]:
    """How alike a word is to each of others.

    `is_known` says that the word is one of names itself, and so hardly a slip.
    """
    # A slip in the middle of "ch" or "kh" is one slip as written, and several as folded.
    slips = zip(
        _slips(one.text, [other.text for other in others]),
        _slips(one.folded, [other.folded for other in others]),
        _slips(one.blurred, [other.blurred for other in others]),
        strict=True,
    )
    return [_likeness(one, other, *counts, is_known) for other, counts in zip(others, slips, strict=True)]


def _slips(one: str, others: Sequence[str]) -> list[int]:
    """Letters replaced, left out, added, or exchanged with their neighbours; more than _SLIPS_MAX are not counted."""
    return cdist([one], others, scorer=OSA.distance, score_cutoff=_SLIPS_MAX, dtype=np.uint8)[0].tolist()  # type: ignore[no-any-return]


def _likeness(one: Spelling, other: Spelling, written: int, folded: int, blurred: int, is_known: bool) -> float:
    likeness = _likeness_of_letters(one, other, written, folded, blurred, is_known)
    return OTHER_NAME if likeness < OTHER_NAME and not one.groups.isdisjoint(other.groups) else likeness


def _likeness_of_letters(
    one: Spelling, other: Spelling, written: int, folded: int, blurred: int, is_known: bool
) -> float:
    if written == 0:
        return 1.0
    if one.text.isdigit() or other.text.isdigit():
        # "Hormuz 12" is another ship than "Hormuz 13".
        return 0.0
    if folded == 0:
        return SAME_SOUNDS
    if one.bones and one.bones == other.bones and _differ_in_missing_vowels(one, other):
        return VOWELS_MISSING
    length = max(len(one.folded), len(other.folded))
    if blurred == 0:
        likeness = OTHER_VOWELS
    else:
        likeness = max(
            _after_slips(written, max(len(one.text), len(other.text))),
            _after_slips(folded, length),
            _after_slips(blurred, length) - _BLURRED_COST,
        )
    if length < len(SHORT_BY_LENGTH):
        likeness = min(likeness, SHORT_BY_LENGTH[length])
    if is_known and likeness < OTHER_VOWELS:
        likeness *= KNOWN
    return likeness if likeness >= SIMILARITY_MIN else 0.0


def _after_slips(slips: int, length: int) -> float:
    if slips > _SLIPS_MAX:
        return 0.0
    length_min, cost = _LIKENESS_BY_SLIPS[slips - 1]
    if length < length_min:
        return 0.0
    return 1 - (_COST_IN_FOUR_LETTERS if length <= 4 else cost) / length


def _differ_in_missing_vowels(one: Spelling, other: Spelling) -> bool:
    """Whether one of them has no short vowel after its first letter, and the other only more vowels.

    An "a" may be the long one, which is written; then the word ends as the other does.
    """
    shorter, longer = sorted((one, other), key=lambda spelling: len(spelling.blurred))
    if not _SHORT_VOWELS.isdisjoint(shorter.text[1:]):
        return False
    if len(shorter.blurred) == len(longer.blurred) or (
        "a" in shorter.text[1:] and shorter.blurred[-1] != longer.blurred[-1]
    ):
        return False
    letters = iter(longer.blurred)
    return all(letter in letters for letter in shorter.blurred)


_SHORT_VOWELS = frozenset("eo")
