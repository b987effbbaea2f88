"""Card numbers in free text: found, so that none is ever kept (PCI DSS 4.0, requirement 3). Pure.

A card number is 13 to 19 digits, alone or in groups with spaces, hyphens or dots between them (and whatever can't be
seen), that begin like those of an issuer that is known and that the Luhn check (ISO/IEC 7812-1, annex B) fits. One
digit in ten fits by chance, so a reference of sixteen digits is taken for a card now and then; one with another length,
an IBAN, a UUID or a digest is not.
"""

import re
import unicodedata
from collections.abc import Iterator

DIGITS_MIN, DIGITS_MAX = 13, 19

_UNSEEN = r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]*"
"""Soft hyphens, joiners, marks of direction: however many there are, nobody sees a gap."""
_GAP = rf"{_UNSEEN}(?:[\s.\-\u2010-\u2015\u2212]{_UNSEEN}){{0,3}}"
_RUN = re.compile(rf"\d(?:{_GAP}\d){{{DIGITS_MIN - 1},}}")
"""Digits with no more than gaps between them."""
_GROUP = re.compile(r"\d+")
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_OTHER_IDS = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{32,64})\b",
    re.IGNORECASE,
)
"""UUIDs and digests: what clients name their requests and orders by. One in ten thousand has digits that fit."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_ISSUERS = re.compile(
    "|".join(
        (
            r"4(?:\d{12}|\d{15}|\d{18})",  # Visa
            r"(?:5[1-5]\d{4}|222[1-9]\d{2}|22[3-9]\d{3}|2[3-6]\d{4}|27[01]\d{3}|2720\d{2})\d{10}",  # Mastercard
            r"3[47]\d{13}",  # American Express
            r"(?:36|38|39|30[0-5]\d|3095)\d{10,17}",  # Diners Club
            r"(?:6011|64[4-9]\d|65\d{2})\d{12,15}",  # Discover
            r"35(?:2[89]|[3-8]\d)\d{12,15}",  # JCB
            r"(?:62|81)\d{14,17}",  # UnionPay
            r"(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}",  # Maestro
            r"220[0-4]\d{12,15}",  # Mir
            r"(?:508\d|60\d{2}|82\d{2})\d{12}",  # RuPay
        )
    )
)
"""What card numbers begin with, and how long they are then: after the issuers' published ranges."""


def has_card_number(text: str) -> bool:
    """Whether there is a card number in a text."""
    # Few texts have so many digits: the others cost no more than this.
    return len(text) >= DIGITS_MIN and _RUN.search(text) is not None and next(_places(text), None) is not None


def without_card_numbers(text: str) -> str:
    """The text with a star for each digit of a card number in it, but for the last four."""
    for start, end in _places(text):
        digits = [place for place in range(start, end) if text[place].isdecimal()]
        hidden = set(digits[:-4])
        text = "".join("*" if place in hidden else sign for place, sign in enumerate(text))
    return text


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers begin and end: the longest that begins at each place, and none within another."""
    for run in _RUN.finditer(text):
        reached = run.start()
        for start, end in _candidates(run):
            if start >= reached and _is_card_number(text[start:end]) and not _is_in_another_id(text, start, end):
                yield start, end
                reached = end


def _candidates(run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Neighbouring groups of a run that have as many digits as a card number may have, together: the longest first."""
    groups = [(run.start() + found.start(), run.start() + found.end()) for found in _GROUP.finditer(run.group())]
    for first, (start, _) in enumerate(groups):
        count, ends = 0, list[int]()
        # No more groups than there may be digits.
        for begin, end in groups[first : first + DIGITS_MAX]:
            count += end - begin
            if count > DIGITS_MAX:
                break
            if count >= DIGITS_MIN:
                ends.append(end)
        yield from ((start, end) for end in reversed(ends))


def _is_card_number(text: str) -> bool:
    digits = "".join(str(unicodedata.decimal(sign)) for sign in text if sign.isdecimal())
    return _ISSUERS.fullmatch(digits) is not None and _fits_luhn(digits)


def _fits_luhn(digits: str) -> bool:
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def _is_in_another_id(text: str, start: int, end: int) -> bool:
    spans = [found.span() for found in _IBAN.finditer(text) if _is_iban(found.group())]
    spans += [found.span() for found in _OTHER_IDS.finditer(text)]
    return any(first <= start and end <= last for first, last in spans)


def _is_iban(text: str) -> bool:
    """Whether an IBAN's check digits are right: ISO 13616, by ISO 7064 MOD 97-10."""
    signs = text.replace(" ", "")
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1
