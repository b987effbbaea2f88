"""Importing a list: read a file whole, check it, and switch to it at once, or leave everything as it was."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from libs.common.record import Record
from services.compliance.defaults.countries import read_listings
from services.compliance.domain.audit import AuditVerb, ObjectKind, Signature
from services.compliance.domain.business_days import day_of
from services.compliance.list_changes import COUNTRIES, propose_countries, propose_import
from services.compliance.lists.listed import ListedParty, ListFault
from services.compliance.lists.ofac import ADD_FILE, ALT_FILE, SDN_FILE, parse_ofac
from services.compliance.lists.own import COLUMNS as OWN_COLUMNS
from services.compliance.lists.own import parse_own
from services.compliance.lists.ownership import COLUMNS as OWNERSHIP_COLUMNS
from services.compliance.lists.ownership import parse_ownership
from services.compliance.lists.un import parse_un
from services.compliance.matching.scoring import USUAL, Thresholds
from services.compliance.monitoring.countries import Listing
from services.compliance.standards import current_countries
from services.compliance.store import audit, lists, standards
from services.compliance.store.lists import ListImport
from services.compliance.store.standards import CountryImport

LIST_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")

_UN_DATE = re.compile(rb'dateGenerated="([0-9]{4}-[0-9]{2}-[0-9]{2})')
_HEAD_BYTES = 4_096


class ListFormat(StrEnum):
    """The formats that can be imported."""

    UN = "un"
    OFAC = "ofac"
    CSV = "csv"
    OWNERSHIP = "ownership"
    """Who owns what: companies that count as listed while listed parties hold half of them."""


class ListFile(Record):
    """A list as it was found on disk, parsed."""

    format: ListFormat
    source: str
    content_hash: str
    dated_on: str | None
    parties: tuple[ListedParty, ...]


class Imported(Record):
    """What an import came to."""

    import_id: int | None
    """None if the live version has the same content, and was not to be read anew: then nothing was done."""
    list_name: str
    parties: int
    names: int
    thresholds: Thresholds
    change_id: str | None = None
    """If it waits for a second person."""

    @property
    def is_new(self) -> bool:
        """Whether anything was done."""
        return self.import_id is not None or self.change_id is not None

    def __str__(self) -> str:
        if self.change_id is not None:
            became = "stays as it is until another person confirms this at the desk"
        else:
            became = "has not changed" if self.import_id is None else f"is live as version {self.import_id}"
        return f"{self.list_name} {became}: {self.parties} entries, {self.names} names, {_in_words(self.thresholds)}"


def read_list(path: Path, list_format: ListFormat | None, *, bytes_max: int) -> ListFile:
    """Read and parse a list. Raises ListFault, naming the place, and OSError."""
    list_format = list_format or recognise(path)
    return parse_list(_read(path, list_format, bytes_max=bytes_max), list_format, source=path.name)


def parse_list(files: Mapping[str, bytes], list_format: ListFormat | None = None, *, source: str = "") -> ListFile:
    """A list from its files, by their names: one, or OFAC's up to three. Raises ListFault, naming the place."""
    list_format = list_format or recognise_files(files)
    content = b"".join(files.values())
    dated = _UN_DATE.search(content[:_HEAD_BYTES]) if list_format is ListFormat.UN else None
    return ListFile(
        format=list_format,
        source=source or ", ".join(files),
        content_hash=hashlib.sha256(content).hexdigest(),
        dated_on=dated[1].decode() if dated else None,
        parties=_parse(list_format, files),
    )


def import_list(
    tx: Connection,
    list_name: str,
    file: ListFile,
    *,
    by: Signature,
    shrink_max: float,
    review: float | None = None,
    block: float | None = None,
    is_forced: bool = False,
) -> Imported:
    """Make a file the live version of a list, with the transaction that this is part of, and put that down.

    What a name must reach is as for the live version, if it is not given; as is usual, for a list that is not live.
    Raises ListFault when the list has lost so many entries that it is more likely to be broken, unless forced; and when
    a name would block that needs no review. What is forced so, and what asks more of a name than the live version, is
    proposed, and live once another person has confirmed it.
    """
    if not LIST_NAME.fullmatch(list_name):
        raise ListFault("the name of the list", "lower-case letters, digits, - and _, at most 40")
    lists.lock_catalogue(tx)
    live = {found.list_name: found for found in lists.find_live_lists(tx)}.get(list_name)
    thresholds = _thresholds(review, block, live.thresholds if live is not None else USUAL)
    imported = ListImport(
        list_name=list_name,
        format=file.format.value,
        source=file.source,
        content_hash=file.content_hash,
        dated_on=file.dated_on,
        imported_by=by.actor,
        parties=file.parties,
        thresholds=thresholds,
    )
    if live is not None and not is_forced and (live.content_hash, live.thresholds) == (file.content_hash, thresholds):
        # Whoever fetches it every day has brought the newest all the same.
        lists.note_checked(tx, live.import_id)
        said = f"version {live.import_id} as {file.source} has it still, SHA-256 {file.content_hash}"
        _put_down(tx, by, AuditVerb.LIST_CHECKED, list_name, said)
        return _imported(imported, None)
    said = f"from {file.source}, {len(file.parties)} entries, SHA-256 {file.content_hash}, {_in_words(thresholds)}"
    if live is not None and live.thresholds != thresholds:
        said = f"{said}, was {_in_words(live.thresholds)}"
    lost = None if live is None else _lost(tx, imported, shrink_max)
    if lost is not None and not is_forced:
        raise ListFault("the whole file", f"{lost}; if that is right, force it, and have another person confirm it")
    if live is not None and (lost is not None or _asks_more(thresholds, live.thresholds)):
        change = propose_import(tx, imported, live, f"{said}; {lost}" if lost else said, by=by)
        return _imported(imported, None, change_id=change.change_id)
    # The first of its name, or since it was retired, has nothing that it could have lost.
    import_id = lists.save_import(tx, imported, is_agreed=live is None)
    said = f"version {import_id} {said}"
    _put_down(tx, by, AuditVerb.LIST_IMPORTED, list_name, f"{said}; forced" if is_forced else said)
    return _imported(imported, import_id)


def _lost(tx: Connection, new: ListImport, shrink_max: float) -> str | None:
    """What a version has lost so much of that it is more likely to be broken.

    Held against what was in force lately and no two people agreed to leave: else many small steps would come to a large
    one. Entries count by who they are: as many others make up for none.
    """
    entity_ids = {party.entity_id for party in new.parties}
    for held in lists.find_yardsticks(tx, new.list_name):
        known = lists.find_entity_ids(tx, held.import_id)
        # OFAC's other names are in a file of their own: cut short, it leaves the entries, each with one name.
        sizes = (len(known & entity_ids), len(known), "entries"), (new.name_count, held.name_count, "names")
        for found, before, what in sizes:
            if found < before * (1 - shrink_max):
                which = "the live version" if held.is_live else f"version {held.import_id}"
                return f"{found} {what} where {which} has {before}"
    return None


def _asks_more(new: Thresholds, before: Thresholds) -> bool:
    return new.review > before.review or new.block > before.block


def _thresholds(review: float | None, block: float | None, before: Thresholds) -> Thresholds:
    found = Thresholds(
        review=before.review if review is None else review, block=before.block if block is None else block
    )
    if found.review > found.block:
        raise ListFault("the scores", f"a review from {found.review} on, at most what may block: {found.block}")
    return found


def _in_words(thresholds: Thresholds) -> str:
    return f"review from {thresholds.review} on, block from {thresholds.block} on"


def _imported(of: ListImport, import_id: int | None, *, change_id: str | None = None) -> Imported:
    return Imported(
        import_id=import_id,
        list_name=of.list_name,
        parties=len(of.parties),
        names=of.name_count,
        thresholds=of.thresholds,
        change_id=change_id,
    )


def read_countries(source: str, content: bytes, *, by: Signature) -> CountryImport:
    """The lists of countries in a file. Raises ListingsFault, naming the place."""
    return CountryImport(
        source=source,
        content_hash=hashlib.sha256(content).hexdigest(),
        imported_by=by.actor,
        listings=read_listings(content),
    )


class CountriesImported(Record):
    """What an import of the lists of countries came to."""

    version: int | None
    """None if it waits for a second person."""
    listings: int
    change_id: str | None = None

    def __str__(self) -> str:
        if self.version is None:
            return "the lists of countries stay as they are until another person confirms this at the desk"
        return f"version {self.version} of the lists of countries is in force: {self.listings} times on a list"


def import_countries(tx: Connection, imported: CountryImport, *, by: Signature) -> CountriesImported:
    """Make a file the lists of countries, in place of all that were, and put that down.

    If a country that is on a list today, or is to be, is not on it there, or leaves it sooner, that is proposed, and in
    force once another person has confirmed it.
    """
    lists.lock_catalogue(tx)
    current, count = current_countries(tx), len(imported.listings)
    said = f"from {imported.source}, {count} times, SHA-256 {imported.content_hash}"
    gone = lost_listings(current.listings, imported.listings, day_of(datetime.now(UTC)))
    if gone:
        lacking = ", ".join(f"{one.country} ({one.list_name.value})" for one in gone)
        change = propose_countries(tx, imported, current.version, f"{said}; off a list, or sooner: {lacking}", by=by)
        return CountriesImported(version=None, listings=count, change_id=change.change_id)
    version = standards.save_import(tx, imported)
    _put_down(tx, by, AuditVerb.COUNTRIES_IMPORTED, COUNTRIES, f"version {version} {said}")
    return CountriesImported(version=version, listings=count)


def lost_listings(before: Iterable[Listing], after: Iterable[Listing], on: date) -> list[Listing]:
    """Times on a list, of today or to come, that new lists don't cover whole."""
    new = tuple(after)

    def is_covered(old: Listing) -> bool:
        return any(
            (one.country, one.list_name) == (old.country, old.list_name)
            and one.listed_from <= max(old.listed_from, on)
            and (one.listed_until or date.max) >= (old.listed_until or date.max)
            for one in new
        )

    return [one for one in before if (one.listed_until or date.max) > on and not is_covered(one)]


def _put_down(tx: Connection, by: Signature, verb: AuditVerb, name: str, said: str) -> None:
    audit.append(tx, by.happening(datetime.now(UTC), verb, ObjectKind.LIST, name, said))


def recognise(path: Path) -> ListFormat:
    """The format of a list, by its name and its first lines. Raises ListFault and OSError."""
    if path.is_dir():
        return ListFormat.OFAC
    with path.open("rb") as file:
        return recognise_files({path.name: file.read(_HEAD_BYTES)})


def recognise_files(files: Mapping[str, bytes]) -> ListFormat:
    """The format of a list, by its files' names and first lines. Raises ListFault."""
    if SDN_FILE in files:
        return ListFormat.OFAC
    if len(files) != 1:
        raise ListFault(", ".join(files) or "the upload", f"one file, or OFAC's with {SDN_FILE} among them")
    ((name, content),) = files.items()
    head = content[:_HEAD_BYTES].decode("utf-8-sig", errors="replace").lstrip()
    if head.startswith("<"):
        return ListFormat.UN
    columns = {column.strip().strip('"') for column in head.partition("\n")[0].split(",")}
    if columns.issuperset(OWNERSHIP_COLUMNS):
        return ListFormat.OWNERSHIP
    if not columns.isdisjoint(OWN_COLUMNS):
        return ListFormat.CSV
    raise ListFault(
        f"{name} line 1",
        f"no list that is known here: neither XML, nor a folder with {SDN_FILE}, {ALT_FILE} and {ADD_FILE}, nor CSV "
        f"with a header of {', '.join(OWN_COLUMNS)} or of {', '.join(OWNERSHIP_COLUMNS)}",
    )


def _read(path: Path, list_format: ListFormat, *, bytes_max: int) -> Mapping[str, bytes]:
    if list_format is ListFormat.OFAC:
        folder = path if path.is_dir() else path.parent
        paths = [folder / name for name in (SDN_FILE, ALT_FILE, ADD_FILE) if (folder / name).exists()]
    else:
        paths = [path]
    for found in paths:
        if found.stat().st_size > bytes_max:
            raise ListFault(found.name, f"more than {bytes_max} bytes")
    return {found.name: found.read_bytes() for found in paths}


def _parse(list_format: ListFormat, files: Mapping[str, bytes]) -> tuple[ListedParty, ...]:
    if list_format is ListFormat.OFAC:
        return parse_ofac(files)
    if len(files) != 1:
        raise ListFault(", ".join(files) or "the upload", f"a list of format {list_format.value} is one file")
    (content,) = files.values()
    match list_format:
        case ListFormat.UN:
            return parse_un(content)
        case ListFormat.OWNERSHIP:
            return parse_ownership(content)
        case _:
            return parse_own(content)
