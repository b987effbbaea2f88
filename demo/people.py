"""Names for people and merchants of the demo: made from a seed, none of them anyone's."""

from pathlib import Path
from random import Random

COUNTRIES = ("DE", "FR", "NL", "AT", "BE", "IT")


def _words(kind: str) -> tuple[str, ...]:
    lines = (Path(__file__).parent / "names.txt").read_text().splitlines()
    return tuple(word for line in lines if line.startswith(f"{kind}:") for word in line.partition(":")[2].split())


GIVEN_NAMES, FAMILY_NAMES, TRADES, TOWNS = map(_words, ("given", "family", "trade", "town"))


def person(chance: Random) -> str:
    return f"{chance.choice(GIVEN_NAMES)} {chance.choice(FAMILY_NAMES)}"


def merchant(chance: Random) -> str:
    return f"{chance.choice(TOWNS)} {chance.choice(TRADES)} {chance.randint(1, 999)}"


def birth_date(chance: Random) -> str:
    return f"{chance.randint(1945, 2004)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
