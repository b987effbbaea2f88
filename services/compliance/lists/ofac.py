"""The list of Specially Designated Nationals of the US Treasury, as its three CSV files. Pure.

`sdn.csv` holds the entries, `alt.csv` their other names, `add.csv` their addresses. None has a
header; "-0-" stands for nothing. Everything else, dates of birth and weak names among them, is
prose in the remarks, in fixed phrases.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from libs.common.record import Record
from services.compliance.lists.birth import BirthSpan, circa, parse_birth
from services.compliance.lists.countries import country_codes
from services.compliance.lists.identifiers import identifiers_of
from services.compliance.lists.listed import (
    ListedName,
    ListedParty,
    ListFault,
    NameStrength,
    PartyKind,
    require_names,
    require_parties,
)

SDN_FILE, ALT_FILE, ADD_FILE = "sdn.csv", "alt.csv", "add.csv"
SDN_COLUMNS, ALT_COLUMNS, ADD_COLUMNS = 12, 5, 6

_NOTHING = "-0-"
_KINDS = {
    "individual": PartyKind.PERSON,
    "": PartyKind.ORGANISATION,
    "vessel": PartyKind.VESSEL,
    "aircraft": PartyKind.AIRCRAFT,
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
_WEAK_NAME = re.compile(r"[afn]\.k\.a\. '((?:[^';]|'(?=\w))+)'")
_BORN = re.compile(
    r"\bDOB (circa )?(?:(\d{1,2}) )?(?:([A-Z][a-z]{2}) )?(\d{4})(?: to (?:\d{1,2} )?(?:[A-Z][a-z]{2} )?(\d{4}))?"
)
_COUNTRY = re.compile(r"\b(?:nationality|citizen) ([A-Z][^;.]+)")
_IDENTIFIERS = re.compile(
    r"(?<!Phone )(?<!Gazette )\b(?:Passport|IMO|MMSI|Number|Document #|NIT #|RUC #|ID|No\.) ([A-Z0-9][^;(,]*)"
)
_BIRTH_PLACE = re.compile(r"\bPOB ([^;.]+)")


class Row(Record):
    """A row of a file, and where it stands."""

    place: str
    cells: tuple[str, ...]


def parse_ofac(files: Mapping[str, bytes]) -> tuple[ListedParty, ...]:
    """The parties of the list, from its three files by name. Raises ListFault, naming file, line and field."""
    for name in (SDN_FILE, ALT_FILE, ADD_FILE):
        if name not in files:
            raise ListFault(name, "the file is missing; the list consists of sdn.csv, alt.csv and add.csv")
    entries = list(_rows(SDN_FILE, files[SDN_FILE], SDN_COLUMNS))
    known = {entry.cells[0] for entry in entries}
    names = _by_entry(_rows(ALT_FILE, files[ALT_FILE], ALT_COLUMNS), known)
    addresses = _by_entry(_rows(ADD_FILE, files[ADD_FILE], ADD_COLUMNS), known)
    parties = (_party(entry, names[entry.cells[0]], addresses[entry.cells[0]]) for entry in entries)
    return require_parties(parties, SDN_FILE)


def _rows(file: str, content: bytes, columns: int) -> Iterator[Row]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    reader = csv.reader(text.rstrip("\x1a\r\n").splitlines(keepends=True), strict=True)
    try:
        for cells in reader:
            place = f"{file} line {reader.line_num}"
            if len(cells) != columns:
                raise ListFault(place, f"{len(cells)} fields where there should be {columns}; is the file cut short?")
            if not cells[0].strip().isdigit():
                raise ListFault(f"{place}, field 1", f"an entry's number is expected, not {cells[0][:40]!r}")
            yield Row(place=place, cells=tuple(_meaning(cell) for cell in cells))
    except csv.Error as error:
        raise ListFault(f"{file} line {reader.line_num}", f"not CSV, or cut short: {error}") from error


def _meaning(cell: str) -> str:
    stripped = " ".join(cell.split())
    return "" if stripped in (_NOTHING, "-0") else stripped


def _by_entry(rows: Iterator[Row], known: set[str]) -> Mapping[str, Sequence[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.cells[0] not in known:
            raise ListFault(f"{row.place}, field 1", f"{SDN_FILE} has no entry {row.cells[0]}; is it cut short?")
        grouped[row.cells[0]].append(row)
    return grouped


def _party(entry: Row, names: Sequence[Row], addresses: Sequence[Row]) -> ListedParty:
    entity_id, name, kind, programme, title, *_, remarks = entry.cells
    if kind not in _KINDS:
        raise ListFault(f"{entry.place}, field 3", f"unknown type {kind!r}")
    return ListedParty(
        entity_id=entity_id,
        kind=_KINDS[kind],
        names=require_names(_names(name, names, remarks), f"{entry.place}, field 2"),
        births=tuple(dict.fromkeys(_births(remarks))),
        countries=country_codes(_countries(entry, addresses, remarks)),
        identifiers=identifiers_of(_IDENTIFIERS.findall(remarks)),
        programme=f"OFAC {programme.replace('] [', ' ')}",
        remarks="; ".join(filter(None, (title, remarks)))[:1_000],
    )


def _names(name: str, aliases: Sequence[Row], remarks: str) -> Iterator[ListedName]:
    yield ListedName(name=name)
    yield from (ListedName(name=alias.cells[3], strength=NameStrength.STRONG) for alias in aliases)
    yield from (ListedName(name=weak, strength=NameStrength.WEAK) for weak in _WEAK_NAME.findall(remarks))


def _births(remarks: str) -> Iterator[BirthSpan]:
    for is_guess, day, month, year, last_year in _BORN.findall(remarks):
        if last_year:
            born = parse_birth(f"{year}/{last_year}")
        elif is_guess:
            born = circa(int(year))
        elif month in _MONTHS:
            born = parse_birth(f"{year}-{_MONTHS[month]:02}" + (f"-{int(day):02}" if day else ""))
        else:
            born = parse_birth(year)
        if born is not None:
            yield born


def _countries(entry: Row, addresses: Sequence[Row], remarks: str) -> Iterator[str]:
    yield from _COUNTRY.findall(remarks)
    yield from (place.rpartition(",")[2].strip() for place in _BIRTH_PLACE.findall(remarks))
    yield from (address.cells[4] for address in addresses)
    yield entry.cells[9]
