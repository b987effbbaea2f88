"""How much a word tells about who bears it: the rarer, the more. Pure.

A word's frequency is taken from the lists themselves, where Arabic, Spanish and Russian names and
the words of companies are counted well, and from a table of the world's most common names, which
hardly occur on lists and are therefore no less common among customers.
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.compliance.matching.folding import blur, fold
from services.compliance.matching.words import (
    WORTH_OF_COMMON_WORD,
    WORTH_OF_LEGAL_FORM,
    WORTH_OF_PARTICLE,
    WORTH_OF_TITLE,
    WordKind,
)

PARTIES_MIN = 20_000
"""Frequencies are taken as of a list of this size at least: in a short list no word would seem rare."""
COMMON_NAME_FREQUENCY = 1 / 150
"""What the table's names are taken to occur with."""
WEIGHT_MIN = 0.25
"""What the most common of names is still worth."""
RARE = 0.75
"""From this rarity on a word counts as rare: borne by at most one in some 1,700."""

_WORTH: Mapping[WordKind, float] = {
    WordKind.NAME: 1.0,
    WordKind.COMMON: WORTH_OF_COMMON_WORD,
    WordKind.INITIAL: WORTH_OF_PARTICLE,
    WordKind.LEGAL_FORM: WORTH_OF_LEGAL_FORM,
    WordKind.TITLE: WORTH_OF_TITLE,
    WordKind.PARTICLE: WORTH_OF_PARTICLE,
}


def rarity(key: str, *, parties_with_word: int, parties: int) -> float:
    """How rare a word is that is blurred to this key: from 0 (all have it) to 1 (at most one in PARTIES_MIN)."""
    total = max(parties, PARTIES_MIN)
    frequency = max(parties_with_word / total, COMMON_NAME_FREQUENCY if key in common_names() else 0.0, 1 / total)
    return -math.log(frequency) / math.log(total)


def is_rare(rarity_of_word: float) -> bool:
    return rarity_of_word >= RARE


def weight(kind: WordKind, rarity_of_word: float) -> float:
    """What a word counts in a comparison."""
    return _WORTH[kind] * (WEIGHT_MIN + (1 - WEIGHT_MIN) * rarity_of_word)


@cache
def common_names() -> frozenset[str]:
    """The world's most common given and family names, folded and blurred."""
    return frozenset(blur(fold(word)) for word in common_name_spellings())


@cache
def common_name_spellings() -> tuple[str, ...]:
    text = (Path(__file__).parent / "common_names.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(dict.fromkeys(word for line in lines for word in line.split()))
