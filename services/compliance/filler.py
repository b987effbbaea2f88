"""Invented names in numbers, for measuring without real lists. Pure: the same names every time."""

import random
from collections.abc import Iterator

from services.compliance.lists.listed import ListedName, ListedParty, PartyKind
from services.compliance.matching.rarity import common_name_spellings
from services.compliance.matching.subject import Subject

PARTIES = 18_000
CUSTOMERS = 8_000

_SEED = 7
_ONSETS = [
    "b",
    "br",
    "ch",
    "d",
    "dj",
    "f",
    "g",
    "gh",
    "h",
    "j",
    "k",
    "kh",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "sh",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "y",
    "z",
    "zh",
]
_VOWELS = ["a", "a", "a", "e", "e", "i", "i", "o", "u", "ai", "ou"]
_CODAS = ["n", "r", "l", "m", "s", "d", "k", "v", "ev", "in", "ov", "an", "id", "if", "ash", ""]
_TRADES = [
    "Trading",
    "Shipping",
    "Logistics",
    "Industries",
    "Engineering",
    "Energy",
    "Petroleum",
    "Bank",
    "Airlines",
    "Holding",
]
_FORMS = ("LLC", "Ltd", "Co.", "GmbH", "S.A.", "OOO", "FZE")


def filler_parties(count: int = PARTIES) -> Iterator[ListedParty]:
    """Parties to hide a short list among: two thirds persons with invented names, the rest companies."""
    rng = random.Random(_SEED)
    families = [_word(rng, rng.choice((2, 3))) for _ in range(9_000)]
    for number in range(count):
        is_person = rng.random() < 0.66
        name = _person(rng, families) if is_person else _company(rng)
        yield ListedParty(
            entity_id=f"filler-{number}",
            kind=PartyKind.PERSON if is_person else PartyKind.ORGANISATION,
            names=(ListedName(name=name),),
        )


def filler_customers(count: int = CUSTOMERS) -> Iterator[Subject]:
    """Customers with names as the world has them: common given names, common and invented family names."""
    rng = random.Random(_SEED + 1)
    common = common_name_spellings()
    for _ in range(count):
        family = rng.choice(common) if rng.random() < 0.4 else _word(rng, 3)
        yield Subject(name=f"{rng.choice(common)} {family}".title(), birth_date=f"{rng.randrange(1940, 2005)}-06-15")


def _person(rng: random.Random, families: list[str]) -> str:
    common = common_name_spellings()
    given = [rng.choice(common) if rng.random() < 0.5 else _word(rng, 2) for _ in range(rng.choice((1, 2, 2)))]
    return f"{rng.choice(families).upper()}, {' '.join(given).title()}"


def _company(rng: random.Random) -> str:
    return f"{_word(rng, 3)} {_word(rng, 2)} {rng.choice(_TRADES)} {rng.choice(_FORMS)}".upper()


def _word(rng: random.Random, syllables: int) -> str:
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables)) + rng.choice(_CODAS)
