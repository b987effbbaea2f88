"""A file of pairs for the whitelist, as CSV: read, held against the lists and what is in force, and written. Pure.

    list,entity_id,name,birth_date,country,kind,identifier,until,reason

One row a pair. `list` and `entity_id` name the entry, as the hit on a case's page does. The others say all that is
known of the party, for the pair holds for exactly that: `name`; `birth_date`, ISO 8601 (of a company, when it was
registered); `country`, two letters; `kind`: person, organisation, vessel or aircraft, where the service knows it;
`identifier`, an official number. `until` is the last day on which the pair holds, within a year; `reason` says how the
two are told apart. What is unknown stays empty; the whole date of birth or the official number must be there: of a
name alone, everybody who bears it would be ruled out.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from libs.common.card_numbers import has_card_number
from libs.common.countries import is_country
from libs.common.record import Record
from schemas.compliance.events import ScreeningOutcome
from services.compliance.domain.case import NOTE_LENGTH_MAX
from services.compliance.domain.whitelist import (
    PAIR_DAYS_MAX,
    Pair,
    PairState,
    end_of,
    entry_of,
    is_distinct,
    pair_id_of,
    party_of,
)
from services.compliance.lists.birth import parse_birth
from services.compliance.lists.identifiers import identifier_of
from services.compliance.lists.listed import NAME_LENGTH_MAX, PartyKind
from services.compliance.matching.screening import Hit
from services.compliance.matching.subject import Subject

COLUMNS = ("list", "entity_id", "name", "birth_date", "country", "kind", "identifier", "until", "reason")
REQUIRED = frozenset({"list", "entity_id", "name", "until", "reason"})
ROWS_MAX = 10_000
BYTES_MAX = 8 * 1024 * 1024
FAULTS_SHOWN = 20

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""But for tabs and ends of lines."""
_CARD_NUMBER = "must not hold a card number: none is ever kept"


class WhitelistFault(Exception):
    """A file is not the whitelist it should be. The message names each fault's line and field, the first ones."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))


class Row(Record):
    """A line of the file: a party, an entry that it is not, until when that may hold, and why."""

    line: int
    reference: str
    subject: Subject
    until: datetime
    reason: str

    @property
    def pair_id(self) -> str:
        return pair_id_of(self.subject, self.reference)


class NewPair(Record, omit_defaults=True):
    """What a file would have in force that is not."""

    reference: str
    subject: Subject
    listed_name: str
    entry: str
    until: datetime
    reason: str
    version: int = 0
    """Of the pair as it was when the file was held against it; 0 for none."""

    @property
    def pair_id(self) -> str:
        return pair_id_of(self.subject, self.reference)


# Reading


def read_whitelist(content: bytes, at: datetime) -> tuple[Row, ...]:
    """The rows of a file. Raises WhitelistFault, naming line and field."""
    if len(content) > BYTES_MAX:
        raise WhitelistFault([f"the whole file: more than {BYTES_MAX} bytes"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise WhitelistFault([f"line {line}: not UTF-8"]) from error
    faults = Faults()
    found: dict[str, Row] = {}
    for line, fields in _lines(text):
        row = _row(line, fields, at, faults)
        if row is None:
            continue
        first = found.setdefault(row.pair_id, row)
        if first is not row:
            faults.add(line, "entity_id", f"the same party and entry as in line {first.line}")
    faults.raise_any()
    if not found:
        raise WhitelistFault(["the whole file: no pair at all"])
    return tuple(found.values())


class Faults:
    """What is wrong with a file, told together: the first ones, each with its line and field."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, line: int, field: str, fault: str) -> None:
        """Take note of one. Raises WhitelistFault when there are as many as are shown."""
        self._found.append(f"line {line}, {field}: {fault}")
        if len(self._found) == FAULTS_SHOWN:
            raise WhitelistFault([*self._found, "and perhaps more"])

    def raise_any(self) -> None:
        if self._found:
            raise WhitelistFault(self._found)


def _lines(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _require_columns(reader.fieldnames or ())
        for number, row in enumerate(reader, start=1):
            if number > ROWS_MAX:
                raise WhitelistFault([f"line {reader.line_num}: more than {ROWS_MAX} pairs"])
            if None in row or None in row.values():
                raise WhitelistFault(
                    [f"line {reader.line_num}: more or fewer fields than the header has; is the file cut short?"]
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise WhitelistFault([f"line {reader.reader.line_num}: not CSV, or cut short: {error}"]) from error


def _require_columns(columns: Sequence[str]) -> None:
    missing, unknown = REQUIRED.difference(columns), set(columns).difference(COLUMNS)
    if missing:
        raise WhitelistFault([f"line 1: the header lacks {', '.join(sorted(missing))}"])
    if unknown:
        raise WhitelistFault([f"line 1: the header has unknown fields: {', '.join(sorted(unknown))}"])
    if len(set(columns)) < len(columns):
        raise WhitelistFault(["line 1: the header has a field twice"])


def _row(line: int, fields: Mapping[str, str], at: datetime, faults: Faults) -> Row | None:
    given = {name: " ".join(fields.get(name, "").split()) for name in COLUMNS}
    reason = fields["reason"].strip()
    told = list(_faults(given, reason, at))
    for field, fault in told:
        faults.add(line, field, fault)
    if told:
        return None
    return Row(
        line=line,
        reference=f"{given['list']}/{given['entity_id']}",
        subject=_subject(given),
        until=end_of(date.fromisoformat(given["until"])),
        reason=reason,
    )


def _faults(given: Mapping[str, str], reason: str, at: datetime) -> Iterator[tuple[str, str]]:
    """The fields of a row that are wrong, each with its fault. What must not be kept is not in these words either."""
    unfit = list(_unfit(given, reason))
    if unfit:
        yield from unfit
        return
    yield from ((name, "must not be empty") for name in sorted(REQUIRED) if not given[name])
    if len(given["name"]) > NAME_LENGTH_MAX:
        yield "name", f"more than {NAME_LENGTH_MAX} characters"
    if given["birth_date"] and parse_birth(given["birth_date"]) is None:
        yield "birth_date", f"{given['birth_date']!r} is no date of birth"
    if given["country"] and not is_country(given["country"]):
        yield "country", f"{given['country']!r} is no two-letter code of a country"
    if given["kind"] and given["kind"] not in set(PartyKind):
        yield "kind", f"{given['kind']!r} is none of {', '.join(PartyKind)}"
    elif given["identifier"] and identifier_of(given["identifier"]) is None:
        yield "identifier", f"{given['identifier']!r} is too short, or has too few figures, to be one party's"
    elif not is_distinct(_subject(given)):
        yield "birth_date", "the whole date, or an official number as identifier: a name alone is many people's"
    if given["until"] and (fault := _fault_of_end(given["until"], at)):
        yield "until", fault
    if len(reason) > NOTE_LENGTH_MAX:
        yield "reason", f"more than {NOTE_LENGTH_MAX} characters"


def _unfit(given: Mapping[str, str], reason: str) -> Iterator[tuple[str, str]]:
    for name in COLUMNS:
        text = reason if name == "reason" else given[name]
        if has_card_number(text):
            yield name, _CARD_NUMBER
        elif _CONTROL.search(text):
            yield name, "must not hold control characters"


def _fault_of_end(text: str, at: datetime) -> str | None:
    try:
        until = end_of(date.fromisoformat(text))
    except ValueError:
        return f"{text!r} is no day, as 2027-01-31 is"
    if at < until <= at + timedelta(days=PAIR_DAYS_MAX):
        return None
    return f"{text} is not from today on within {PAIR_DAYS_MAX} days: then people look anew"


def _subject(given: Mapping[str, str]) -> Subject:
    return Subject(
        name=given["name"],
        birth_date=given["birth_date"] or None,
        country=given["country"] or None,
        kind=PartyKind(given["kind"]) if given["kind"] else None,
        identifier=identifier_of(given["identifier"]) if given["identifier"] else None,
    )


# Held against the lists, and what is in force


class Listed(Record):
    """What is searched, as far as a file asks: which entries there are, and whom a party resembles."""

    references: frozenset[str]
    hits: Callable[[Subject], Sequence[Hit]]


def new_pairs(rows: Sequence[Row], known: Mapping[str, Pair], listed: Listed, at: datetime) -> list[NewPair]:
    """What of a file is not in force as it says. Raises WhitelistFault, naming line and field.

    What screening blocks can't be ruled out, and what is no hit has no need of it. A pair that waits for a second
    person is that person's to decide.
    """
    faults = Faults()
    found: list[NewPair] = []
    for row in rows:
        pair = known.get(row.pair_id)
        hit = next((hit for hit in listed.hits(row.subject) if hit.reference == row.reference), None)
        if pair is not None and _says_the_same(row, pair, hit, at):
            continue
        if (fault := _fault_of_pair(row, pair, hit, listed, at)) is not None:
            faults.add(row.line, *fault)
        elif hit is not None:
            found.append(_new_pair(row, hit, pair))
    faults.raise_any()
    return found


def _says_the_same(row: Row, pair: Pair, hit: Hit | None, at: datetime) -> bool:
    """Whether a pair is in force as a row says: also where its entry is a hit no more."""
    is_current = hit is None or pair.entry == entry_of(hit)
    return pair.holds(at) and is_current and (pair.until, pair.reason) == (row.until, row.reason)


def _fault_of_pair(
    row: Row, pair: Pair | None, hit: Hit | None, listed: Listed, at: datetime
) -> tuple[str, str] | None:
    """The field, and what is wrong with it."""
    if row.reference not in listed.references:
        return "entity_id", f"no list that is searched has an entry {row.reference}"
    if hit is None:
        return "name", f"nothing to rule out: the party does not resemble {row.reference}"
    if hit.outcome is ScreeningOutcome.BLOCK:
        return "name", "what screening blocks can't be ruled out"
    if pair is not None and pair.is_waiting and pair.stands(at):
        return "entity_id", "this pair, or its end, waits for a second person at the desk: that is decided first"
    return None


def _new_pair(row: Row, hit: Hit, known: Pair | None) -> NewPair:
    return NewPair(
        reference=row.reference,
        subject=row.subject,
        listed_name=hit.listed_name,
        entry=entry_of(hit),
        until=row.until,
        reason=row.reason,
        version=known.version if known is not None else 0,
    )


def in_force(
    new: NewPair, *, proposed_by: str, proposed_at: datetime, confirmed_by: str, confirmed_at: datetime
) -> Pair:
    """The pair as two people have agreed to it."""
    return Pair(
        pair_id=new.pair_id,
        party=party_of(new.subject),
        subject=new.subject,
        reference=new.reference,
        listed_name=new.listed_name,
        entry=new.entry,
        case_id=None,
        state=PairState.IN_FORCE,
        until=new.until,
        reason=new.reason,
        proposed_by=proposed_by,
        proposed_at=proposed_at,
        confirmed_by=confirmed_by,
        confirmed_at=confirmed_at,
        version=new.version + 1,
    )


# Writing


def table_of(pairs: Iterable[Pair | NewPair]) -> Iterator[Sequence[str]]:
    """The rows of a file that says these pairs, its header first."""
    yield COLUMNS
    for pair in pairs:
        list_name, _, entity_id = pair.reference.partition("/")
        known = pair.subject
        about = (known.name, known.birth_date, known.country, known.kind, known.identifier)
        last_day = (pair.until - timedelta(microseconds=1)).date()
        yield list_name, entity_id, *(word or "" for word in about), last_day.isoformat(), pair.reason
