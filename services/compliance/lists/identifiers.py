"""Official numbers of persons, companies and ships: two are the same if their letters and figures are. Pure."""

import re
from collections.abc import Iterable, Iterator

LENGTH_MIN, LENGTH_MAX = 6, 30
DIGITS_MIN = 4
"""Shorter ones, or ones with fewer figures, are shared by too many."""

_NOT_SIGNS = re.compile(r"[^A-Z0-9]+")
_FIGURE = re.compile(r"\d")
"""Of any script."""
_SHIP = re.compile(r"IMO(\d{7})")
_NUMBERS = re.compile(r"(?<![\w/-])(?:[A-Z]{1,4}[ -]?)?[A-Z0-9]*\d[A-Z0-9./-]*")


def identifier_of(text: str) -> str | None:
    """A number as it is compared, or None if it could be anybody's."""
    signs = _NOT_SIGNS.sub("", _FIGURE.sub(lambda found: str(int(found[0])), text.upper()))
    if match := _SHIP.fullmatch(signs):
        signs = match[1]
    enough = LENGTH_MIN <= len(signs) <= LENGTH_MAX and sum(map(str.isdigit, signs)) >= DIGITS_MIN
    return signs if enough else None


def identifiers_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The numbers that stand in texts ("Passport no. D 00004262"), each once."""
    return tuple(dict.fromkeys(_found(texts)))


def _found(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for number in _NUMBERS.findall(text):
            identifier = identifier_of(number)
            if identifier is not None:
                yield identifier
