"""What happens to names on their way to us: slips, other orders, other alphabets; for measuring recall. Pure."""

import random
import re
from collections.abc import Callable
from enum import StrEnum

from services.compliance.lists.listed import PartyKind
from services.compliance.matching.text import kind_of
from services.compliance.matching.words import WordKind


class Treatment(StrEnum):
    """How a listed name may be written by someone else."""

    NONE = "none"
    REORDERED = "reordered"
    ONE_TYPO = "one_typo"
    TYPO_AND_REORDERED = "typo_and_reordered"
    MIDDLE_MISSING = "middle_missing"
    MIDDLE_INITIAL = "middle_initial"
    OTHER_SPELLING = "other_spelling"
    DIACRITICS = "diacritics"
    CYRILLIC = "cyrillic"
    JOINED = "joined"


REQUIRED = frozenset(Treatment) - {Treatment.JOINED}
"""What recall is promised for. Joined words are measured besides."""
TYPO_LENGTH_MIN = 4
"""Slips are made in words of this length at least, where there is one: fewer letters, fewer slips."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SPELLINGS = (
    ("ou", "u"), ("oo", "u"), ("ee", "i"), ("kh", "h"), ("ph", "f"), ("mm", "m"), ("ss", "s"), ("ll", "l"), ("dd", "d"),
    ("ey", "ei"), ("ay", "ai"), ("iy", "i"), ("sky", "skii"), ("w", "v"), ("q", "k"), ("x", "ks"), ("dj", "j"),
    ("ch", "tch"), ("sh", "ch"), ("y", "i"), ("zh", "j"), ("u", "ou"), ("i", "y"), ("f", "ph"), ("k", "q"),
)  # fmt: skip
_ACCENTS = str.maketrans("aeioucnszAEIOUCNSZ", "áèîöüçñšžÁÈÎÖÜÇÑŠŽ")
_CYRILLIC_PAIRS = (
    ("ce", "се"), ("ci", "си"), ("cy", "си"), ("shch", "щ"), ("kh", "х"), ("gh", "г"),
    ("zh", "ж"), ("ch", "ч"), ("sh", "ш"), ("ts", "ц"), ("yu", "ю"), ("ya", "я"),
    ("ph", "ф"), ("th", "т"), ("ck", "к"), ("x", "кс"), ("qu", "кв"),
)  # fmt: skip
_CYRILLIC_LETTERS = str.maketrans(
    dict(zip("abcdefghijklmnopqrstuvwyz", "абкдефгхижклмнопкрстуввйз", strict=True)) | {"'": ""}
)


def treat(name: str, kind: PartyKind, treatment: Treatment, rng: random.Random) -> str | None:
    """The name as this treatment leaves it, or None where it makes no sense: a company has no middle name."""
    if treatment in _OF_PERSONS and kind is not PartyKind.PERSON:
        return None
    return _TREATMENTS[treatment](_given_name_first(name, kind), rng)


def _given_name_first(name: str, kind: PartyKind) -> str:
    family, comma, given = name.partition(",")
    return f"{given.strip()} {family.strip()}" if comma and kind is PartyKind.PERSON else name


def _unchanged(name: str, _: random.Random) -> str | None:
    return name


def _reordered(name: str, rng: random.Random) -> str | None:
    units = _units(name.split())
    if len(units) < 2:
        return None
    shift = rng.randrange(1, len(units))
    return " ".join(units[shift:] + units[:shift])


def _units(words: list[str]) -> list[str]:
    """Words with what nobody parts from them: "bin Laden", "Abd al-Rahman"."""
    units: list[str] = []
    is_bound = False
    for word in words:
        units[len(units) - 1 if is_bound else len(units) :] = [f"{units[-1]} {word}" if is_bound else word]
        is_bound = _is_bound(word)
    return units


def _one_typo(name: str, rng: random.Random) -> str | None:
    words = name.split()
    long = [n for n, word in enumerate(words) if len(word) >= TYPO_LENGTH_MIN and word.isalpha()]
    if not long:
        return None
    number = rng.choice(long)
    words[number] = _slip(words[number], rng)
    return " ".join(words)


def _slip(word: str, rng: random.Random) -> str:
    place, letter = rng.randrange(len(word)), rng.choice(_LETTERS)
    match rng.choice(("replaced", "left out", "added", "swapped")):
        case "replaced":
            return word[:place] + letter + word[place + 1 :]
        case "left out":
            return word[:place] + word[place + 1 :]
        case "added":
            return word[:place] + letter + word[place:]
        case _:
            place = min(place, len(word) - 2)
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _typo_and_reordered(name: str, rng: random.Random) -> str | None:
    other = _one_typo(name, rng)
    return None if other is None else _reordered(other, rng)


def _middle_words(words: list[str]) -> list[int]:
    """The places of words that someone might leave out: neither first nor last, titles aside, nor bound to another."""
    kinds = [kind_of(word.lower().strip(".,")) for word in words]
    first = next((n for n, kind in enumerate(kinds) if kind is WordKind.NAME), len(words))
    last = next((n for n in range(len(words) - 1, 0, -1) if kinds[n] is WordKind.NAME), 0)
    return [
        n
        for n in range(first + 1, last)
        if words[n].isalpha()
        and kind_of(words[n].lower()) is WordKind.NAME
        and not _is_bound(words[n])
        and not _is_bound(words[n - 1])
    ]


def _is_bound(word: str) -> bool:
    """Whether a word makes a name only with the next: "bin", "al", "Abdul"."""
    plain = word.lower().strip("'‘’.-")
    return kind_of(plain) in (WordKind.PARTICLE, WordKind.INITIAL) or plain.startswith("abd")


def _middle_missing(name: str, rng: random.Random) -> str | None:
    words = name.split()
    middle = _middle_words(words)
    if not middle:
        return None
    del words[rng.choice(middle)]
    return " ".join(words)


def _middle_initial(name: str, rng: random.Random) -> str | None:
    words = name.split()
    # Arabic and Chinese names have no initials.
    middle = [number for number in _middle_words(words) if words[number].isascii()]
    if not middle:
        return None
    number = rng.choice(middle)
    words[number] = f"{words[number][0]}."
    return " ".join(words)


def _other_spelling(name: str, rng: random.Random) -> str | None:
    lower = name.lower()
    possible = [(old, new) for old, new in _SPELLINGS if old in lower]
    if not possible:
        return None
    old, new = rng.choice(possible)
    return re.sub(old, new, lower, count=1)


def _diacritics(name: str, _: random.Random) -> str | None:
    other = name.translate(_ACCENTS)
    return other if other != name else None


def _cyrillic(name: str, _: random.Random) -> str | None:
    if not name.isascii() or any(character.isdigit() for character in name):
        return None
    text = name.lower()
    for latin, letter in _CYRILLIC_PAIRS:
        text = text.replace(latin, letter)
    return text.translate(_CYRILLIC_LETTERS)


def _joined(name: str, rng: random.Random) -> str | None:
    words = name.split()
    places = [n for n in range(len(words) - 1) if not any(map(_is_bound, words[n : n + 2]))]
    if len(words) < 3 or not places:
        return None
    place = rng.choice(places)
    return " ".join((*words[:place], words[place] + words[place + 1], *words[place + 2 :]))


_OF_PERSONS = frozenset(
    (
        Treatment.REORDERED,
        Treatment.TYPO_AND_REORDERED,
        Treatment.MIDDLE_MISSING,
        Treatment.MIDDLE_INITIAL,
        Treatment.CYRILLIC,
    )
)
_TREATMENTS: dict[Treatment, Callable[[str, random.Random], str | None]] = {
    Treatment.NONE: _unchanged,
    Treatment.REORDERED: _reordered,
    Treatment.ONE_TYPO: _one_typo,
    Treatment.TYPO_AND_REORDERED: _typo_and_reordered,
    Treatment.MIDDLE_MISSING: _middle_missing,
    Treatment.MIDDLE_INITIAL: _middle_initial,
    Treatment.OTHER_SPELLING: _other_spelling,
    Treatment.DIACRITICS: _diacritics,
    Treatment.CYRILLIC: _cyrillic,
    Treatment.JOINED: _joined,
}
