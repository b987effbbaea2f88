"""Names that one person goes by (other_names.txt): Ted for Theodore, Yusuf for Joseph, Pak for Park. Pure."""

from collections import defaultdict
from functools import cache
from pathlib import Path

from services.compliance.matching.folding import fold


def groups_of(folded: str) -> frozenset[int]:
    """The groups of names that a folded word belongs to; two words that share one may mean the same person."""
    return _groups().get(folded, _NONE)


_NONE: frozenset[int] = frozenset()


@cache
def _lines() -> tuple[frozenset[str], ...]:
    text = (Path(__file__).parent / "other_names.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(frozenset(map(fold, line.split())) for line in lines)


@cache
def _groups() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for number, line in enumerate(_lines()):
        for word in line:
            found[word].add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}
