"""When someone was born, as exactly as is known: a day, a month, a year, or a span of years. Pure."""

import re
from enum import StrEnum

from libs.common.record import Record

CIRCA_YEARS = 2
"""How far "about 1960" reaches to either side."""
YEAR_MIN, YEAR_MAX = 1800, 2100

_PARTIAL = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


class BirthSpan(Record, omit_defaults=True):
    """A date of birth, known to the day, the month, the year, or only as a span of years."""

    year_from: int
    year_to: int
    month: int | None = None
    day: int | None = None

    @property
    def is_exact(self) -> bool:
        return self.day is not None

    def __str__(self) -> str:
        if self.year_from != self.year_to:
            return f"{self.year_from}–{self.year_to}"
        parts = [f"{self.year_from:04}", *(f"{part:02}" for part in (self.month, self.day) if part is not None)]
        return "-".join(parts)


class BirthEvidence(StrEnum):
    """What two dates of birth say about two bearers of a name."""

    UNKNOWN = "unknown"
    SAME_DAY = "same_day"
    COMPATIBLE = "compatible"
    """The same as far as the less exact of the two goes."""
    SWAPPED = "swapped"
    """Day and month changed places, as happens between Europe and America."""
    NEAR = "near"
    """A year apart, or another day of the same year: lists and people err by as much."""
    DIFFERENT = "different"


def parse_birth(text: str) -> BirthSpan | None:
    """A date as ISO 8601 writes it, whole or in part ("1962", "1962-03", "1962-03-05"), or a span "1960/1964"."""
    first, slash, last = text.strip().partition("/")
    if slash:
        start, end = parse_birth(first), parse_birth(last)
        if start is None or end is None or start.year_from > end.year_to:
            return None
        return BirthSpan(year_from=start.year_from, year_to=end.year_to)
    match = _PARTIAL.fullmatch(first)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None
    if not YEAR_MIN <= year <= YEAR_MAX or not 1 <= (month or 1) <= 12 or not 1 <= (day or 1) <= 31:
        return None
    return BirthSpan(year_from=year, year_to=year, month=month, day=day)


def circa(year: int) -> BirthSpan:
    """A span around a year that is only guessed."""
    return BirthSpan(year_from=year - CIRCA_YEARS, year_to=year + CIRCA_YEARS)


def compare_births(born: BirthSpan | None, listed: tuple[BirthSpan, ...]) -> BirthEvidence:
    """The best that a date of birth finds among those a list gives."""
    if born is None or not listed:
        return BirthEvidence.UNKNOWN
    found = {_compare(born, other) for other in listed}
    return next(evidence for evidence in _BEST_FIRST if evidence in found)


_BEST_FIRST = (
    BirthEvidence.SAME_DAY,
    BirthEvidence.COMPATIBLE,
    BirthEvidence.SWAPPED,
    BirthEvidence.NEAR,
    BirthEvidence.DIFFERENT,
)


def _compare(born: BirthSpan, listed: BirthSpan) -> BirthEvidence:
    years_apart = max(listed.year_from - born.year_to, born.year_from - listed.year_to, 0)
    if years_apart > 1:
        return BirthEvidence.DIFFERENT
    if years_apart == 1:
        return BirthEvidence.NEAR
    if listed.year_from != listed.year_to or born.month is None or listed.month is None:
        return BirthEvidence.COMPATIBLE
    if born.day is None or listed.day is None:
        return BirthEvidence.COMPATIBLE if born.month == listed.month else BirthEvidence.NEAR
    if (born.month, born.day) == (listed.month, listed.day):
        return BirthEvidence.SAME_DAY
    if (born.month, born.day) == (listed.day, listed.month):
        return BirthEvidence.SWAPPED
    return BirthEvidence.NEAR
