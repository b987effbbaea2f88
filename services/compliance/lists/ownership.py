"""OFAC's 50 % rule: what listed parties own together, half of it or more, counts as listed. Pure.

Shares of all blocked owners are added up, direct ones and those through companies that are themselves owned half or
more; they are not multiplied: half of a company that is half X's is X's. (OFAC's revised guidance of 13 August 2014;
FAQ 399, 401.)

    owner,owned,percent[,kind,countries]

is the file, one share a row. An owner is named as the lists name it, by its number there ("ofac/36" or "36"), or as a
company owned in another row.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from services.compliance.lists.countries import country_code
from services.compliance.lists.listed import (
    Holding,
    ListedName,
    ListedParty,
    ListFault,
    PartyKind,
    require_names,
    require_parties,
)

BLOCKING_PERCENT = 50.0
"""From here on, inclusive, what is owned is blocked."""
WHOLE_PERCENT = 100.0
ROUNDING_PERCENT = 0.5
"""By how much the shares in a company may exceed the whole: registers round."""
COLUMNS = ("owner", "owned", "percent")
OPTIONAL = ("kind", "countries")

Shares = Mapping[str, Mapping[str, float]]
"""Per company: its owners, and how many percent each holds."""


def blocked_by_ownership(shares: Shares, blocked: Collection[str]) -> dict[str, dict[str, float]]:
    """The companies that are blocked because of who owns them, each with the shares that block it.

    `blocked` are those blocked by themselves. Owners may own each other in circles.
    """
    found: dict[str, dict[str, float]] = {}
    while True:
        newly = {
            company: held
            for company, owners in shares.items()
            if company not in found and company not in blocked
            if (held := {owner: percent for owner, percent in owners.items() if owner in blocked or owner in found})
            and total_percent(held) >= BLOCKING_PERCENT
        }
        if not newly:
            return found
        found.update(newly)


def total_percent(held: Mapping[str, float]) -> float:
    """Shares together, without what adding up fractions leaves."""
    return round(sum(held.values()), 6)


# The file


def parse_ownership(content: bytes) -> tuple[ListedParty, ...]:
    """The companies of the file with their owners. Raises ListFault, naming line and field."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ListFault(f"line {line}", "not UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    owners: dict[str, dict[str, float]] = defaultdict(dict)
    first_rows: dict[str, Mapping[str, str]] = {}
    try:
        _require_columns(reader.fieldnames or ())
        for row in reader:
            _take(row, f"line {reader.line_num}", owners)
            first_rows.setdefault(_cell(row, "owned"), row)
    except csv.Error as error:
        raise ListFault(f"line {reader.reader.line_num}", f"not CSV, or cut short: {error}") from error
    return require_parties(_companies(owners, first_rows), "the whole file")


def _require_columns(columns: Iterable[str]) -> None:
    found = set(columns)
    if missing := set(COLUMNS) - found:
        raise ListFault("line 1", f"the header lacks {', '.join(sorted(missing))}")
    if unknown := found - {*COLUMNS, *OPTIONAL}:
        raise ListFault("line 1", f"the header has unknown fields: {', '.join(sorted(map(str, unknown)))}")


def _take(row: Mapping[str, str], place: str, owners: dict[str, dict[str, float]]) -> None:
    if None in row or None in row.values():
        raise ListFault(place, "more or fewer fields than the header has; is the file cut short?")
    owner, owned = _cell(row, "owner"), _cell(row, "owned")
    for field, value in (("owner", owner), ("owned", owned)):
        if not value:
            raise ListFault(f"{place}, {field}", "must not be empty")
    percent = _percent(_cell(row, "percent"), place)
    if owner == owned:
        raise ListFault(f"{place}, owned", f"{owned!r} can't own itself")
    if owner in owners[owned]:
        raise ListFault(f"{place}, owner", f"the share of {owner!r} in {owned!r} is there twice")
    owners[owned][owner] = percent
    if sum(owners[owned].values()) > WHOLE_PERCENT + ROUNDING_PERCENT:
        raise ListFault(f"{place}, percent", f"the shares in {owned!r} are more than {WHOLE_PERCENT:g} % together")


def _percent(text: str, place: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 < percent <= WHOLE_PERCENT:
        raise ListFault(f"{place}, percent", f"{text!r} is no number of percent above 0, up to 100")
    return percent


def _companies(
    owners: Mapping[str, Mapping[str, float]], rows: Mapping[str, Mapping[str, str]]
) -> Iterator[ListedParty]:
    for number, (company, held) in enumerate(owners.items(), start=1):
        row = rows[company]
        yield ListedParty(
            entity_id=f"owned-{number}",
            kind=_kind(_cell(row, "kind"), company),
            names=require_names([ListedName(name=company)], company),
            countries=tuple(_countries(_cell(row, "countries"), company)),
            programme="OFAC 50 % rule",
            owners=tuple(Holding(owner=owner, percent=percent) for owner, percent in held.items()),
        )


def _kind(text: str, company: str) -> PartyKind:
    if text and text not in set(PartyKind):
        raise ListFault(f"{company}, kind", f"{text!r} is none of {', '.join(PartyKind)}")
    return PartyKind(text) if text else PartyKind.ORGANISATION


def _countries(text: str, company: str) -> Iterator[str]:
    for country in filter(None, text.split("|")):
        code = country_code(country)
        if code is None:
            raise ListFault(f"{company}, countries", f"{country!r} is no country known here")
        yield code


def _cell(row: Mapping[str, str], field: str) -> str:
    return " ".join((row.get(field) or "").split())
