"""A list of one's own, as CSV: what an institution blocks by itself, and the format of the list shipped here. Pure.

    entity_id,kind,name,aliases,weak_aliases,birth_dates,countries,identifiers,programme,remarks

One row an entry. Several values in a cell are divided by "|". `kind` is person, organisation,
vessel or aircraft; dates of birth are ISO 8601, whole or in part, or a span of years "1960/1964";
countries are two-letter codes; identifiers are official numbers (passports, registers, IMO). Only
`entity_id`, `kind` and `name` must be filled.
"""

import csv
import io
from collections.abc import Iterator, Mapping

from services.compliance.lists.birth import BirthSpan, parse_birth
from services.compliance.lists.identifiers import identifier_of
from services.compliance.lists.listed import (
    ListedName,
    ListedParty,
    ListFault,
    NameStrength,
    PartyKind,
    require_names,
    require_parties,
)

COLUMNS = (
    "entity_id",
    "kind",
    "name",
    "aliases",
    "weak_aliases",
    "birth_dates",
    "countries",
    "identifiers",
    "programme",
    "remarks",
)
REQUIRED = frozenset({"entity_id", "kind", "name"})


def parse_own(content: bytes) -> tuple[ListedParty, ...]:
    """The parties of the list. Raises ListFault, naming line and field."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ListFault(f"line {line}", "not UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return require_parties(_parties(reader), "the whole file")


def _parties(reader: "csv.DictReader[str]") -> Iterator[ListedParty]:
    try:
        _require_columns(reader.fieldnames or ())
        for row in reader:
            place = f"line {reader.line_num}"
            if None in row or None in row.values():
                raise ListFault(place, "more or fewer fields than the header has; is the file cut short?")
            yield _party(row, place)
    except csv.Error as error:
        raise ListFault(f"line {reader.reader.line_num}", f"not CSV, or cut short: {error}") from error


def _require_columns(columns: object) -> None:
    found = set(columns)  # type: ignore[call-overload]
    missing, unknown = REQUIRED - found, found - set(COLUMNS)
    if missing:
        raise ListFault("line 1", f"the header lacks {', '.join(sorted(missing))}")
    if unknown:
        raise ListFault("line 1", f"the header has unknown fields: {', '.join(sorted(map(str, unknown)))}")


def _party(row: Mapping[str, str], place: str) -> ListedParty:
    entity_id = row["entity_id"].strip()
    if not entity_id:
        raise ListFault(f"{place}, entity_id", "must not be empty")
    kind = row["kind"].strip()
    if kind not in set(PartyKind):
        raise ListFault(f"{place}, kind", f"{kind!r} is none of {', '.join(PartyKind)}")
    return ListedParty(
        entity_id=entity_id,
        kind=PartyKind(kind),
        names=require_names(_names(row), f"{place}, name"),
        births=tuple(_birth(text, place) for text in _values(row, "birth_dates")),
        countries=tuple(_country(text, place) for text in _values(row, "countries")),
        identifiers=tuple(_identifier(text, place) for text in _values(row, "identifiers")),
        programme=row.get("programme", "").strip(),
        remarks=row.get("remarks", "").strip(),
    )


def _names(row: Mapping[str, str]) -> Iterator[ListedName]:
    yield ListedName(name=" ".join(row["name"].split()))
    yield from (ListedName(name=name, strength=NameStrength.STRONG) for name in _values(row, "aliases"))
    yield from (ListedName(name=name, strength=NameStrength.WEAK) for name in _values(row, "weak_aliases"))


def _values(row: Mapping[str, str], column: str) -> list[str]:
    return [" ".join(value.split()) for value in row.get(column, "").split("|") if value.strip()]


def _birth(text: str, place: str) -> BirthSpan:
    born = parse_birth(text)
    if born is None:
        raise ListFault(f"{place}, birth_dates", f"{text!r} is no date of birth")
    return born


def _identifier(text: str, place: str) -> str:
    identifier = identifier_of(text)
    if identifier is None:
        raise ListFault(f"{place}, identifiers", f"{text!r} is too short, or has too few figures, to be one party's")
    return identifier


def _country(text: str, place: str) -> str:
    if not (len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()):
        raise ListFault(f"{place}, countries", f"{text!r} is no two-letter code")
    return text
