"""Official numbers of persons, companies and ships: two are the same if their letters and figures are. Pure."""

import re
from collections.abc import Iterable, Iterator
from unicodedata import decimal, normalize

LENGTH_MIN, LENGTH_MAX = 6, 30
DIGITS_MIN = 4
"""Shorter ones, or ones with fewer figures, are shared by too many."""

SERIES_LENGTH_MAX = 4
"""Letters before a number that belong to it; more are a word."""

_NOT_SIGNS = re.compile(r"[^A-Z0-9]+")
_GAPS = re.compile(r"[\s./-]+")
_SAY_NUMBER = frozenset(("NO", "NR", "ID"))
_LATIN = str.maketrans("АВЕКМНОРСТУХІ" + "º№", "ABEKMHOPCTYXI" + "  ")
"""Passports have series in Cyrillic letters that look like Latin ones, and lists write those."""
_SHIP = re.compile(r"IMO(\d{7})")
_NUMBERS = re.compile(r"(?<![\w/-])(?:[A-Z]{1,4}[ -]?)?[A-Z0-9]*\d[A-Z0-9./-]*")


def identifier_of(text: str) -> str | None:
    """A number as it is compared, or None if it could be anybody's."""
    signs = _NOT_SIGNS.sub("", _plain(text))
    if match := _SHIP.fullmatch(signs):
        signs = match[1]
    enough = LENGTH_MIN <= len(signs) <= LENGTH_MAX and sum(map(str.isdigit, signs)) >= DIGITS_MIN
    return signs if enough else None


def identifiers_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The numbers that stand in texts ("Passport no. D 00004262"), each once."""
    return tuple(dict.fromkeys(_found(texts)))


def _found(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        whole = [text] if _is_number(text) else []
        for number in (*whole, *_NUMBERS.findall(text)):
            identifier = identifier_of(number)
            if identifier is not None:
                yield identifier


def _is_number(text: str) -> bool:
    """Whether a text is a number as a whole, in groups maybe ("K 7711 0042"), and not words with one in it."""
    first, *others = _GAPS.split(_plain(text).strip())
    is_series = first.isalpha() and len(first) <= SERIES_LENGTH_MAX and first not in _SAY_NUMBER
    return all(part.isalnum() and any(map(str.isdigit, part)) for part in (others if is_series else (first, *others)))


def _plain(text: str) -> str:
    """With capital Latin letters and figures, where there are others that mean them."""
    capital = normalize("NFKC", text.upper().translate(_LATIN))
    return "".join(str(decimal(sign, "")) or sign for sign in capital)
