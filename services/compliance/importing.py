"""Importing a list: read a file whole, check it, and switch to it at once, or leave everything as it was."""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from libs.common.record import Record
from services.compliance.lists.listed import ListedParty, ListFault
from services.compliance.lists.ofac import ADD_FILE, ALT_FILE, SDN_FILE, parse_ofac
from services.compliance.lists.own import COLUMNS as OWN_COLUMNS
from services.compliance.lists.own import parse_own
from services.compliance.lists.ownership import COLUMNS as OWNERSHIP_COLUMNS
from services.compliance.lists.ownership import parse_ownership
from services.compliance.lists.un import parse_un
from services.compliance.matching.scoring import USUAL, Thresholds
from services.compliance.store import lists
from services.compliance.store.lists import ListImport

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
    parties: int
    names: int


def read_list(path: Path, list_format: ListFormat | None, *, bytes_max: int) -> ListFile:
    """Read and parse a list. Raises ListFault, naming the place, and OSError."""
    list_format = list_format or recognise(path)
    files = _read(path, list_format, bytes_max=bytes_max)
    content = b"".join(files.values())
    dated = _UN_DATE.search(content[:_HEAD_BYTES]) if list_format is ListFormat.UN else None
    return ListFile(
        format=list_format,
        source=path.name,
        content_hash=hashlib.sha256(content).hexdigest(),
        dated_on=dated[1].decode() if dated else None,
        parties=_parse(list_format, files),
    )


def import_list(
    tx: Connection,
    list_name: str,
    file: ListFile,
    *,
    imported_by: str,
    shrink_max: float,
    thresholds: Thresholds = USUAL,
    is_forced: bool = False,
) -> Imported:
    """Make a file the live version of a list, with the transaction that this is part of.

    Raises ListFault when the list has lost so many entries that it is more likely to be broken, unless forced.
    """
    if not LIST_NAME.fullmatch(list_name):
        raise ListFault("the name of the list", "lower-case letters, digits, - and _, at most 40")
    lists.lock_catalogue(tx)
    live = {found.list_name: found for found in lists.find_live_lists(tx)}.get(list_name)
    imported = ListImport(
        list_name=list_name,
        format=file.format.value,
        source=file.source,
        content_hash=file.content_hash,
        dated_on=file.dated_on,
        imported_by=imported_by,
        parties=file.parties,
        thresholds=thresholds,
    )
    if live is not None and not is_forced and (live.content_hash, live.thresholds) == (file.content_hash, thresholds):
        return Imported(import_id=None, parties=len(file.parties), names=imported.name_count)
    if live is not None and not is_forced:
        _require_size(len(file.parties), live.party_count, "entries", shrink_max)
        # OFAC's other names are in a file of their own: cut short, it leaves the entries, each with one name.
        _require_size(imported.name_count, live.name_count, "names", shrink_max)
    import_id = lists.save_import(tx, imported)
    return Imported(import_id=import_id, parties=len(file.parties), names=imported.name_count)


def _require_size(found: int, live: int, of_what: str, shrink_max: float) -> None:
    if found < live * (1 - shrink_max):
        raise ListFault(
            "the whole file", f"{found} {of_what} where the live version has {live}; if that is right, force it"
        )


def recognise(path: Path) -> ListFormat:
    """The format of a list, by its name and its first lines. Raises ListFault and OSError."""
    if path.is_dir() or path.name == SDN_FILE:
        return ListFormat.OFAC
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace").lstrip()
    if head.startswith("<"):
        return ListFormat.UN
    columns = {column.strip().strip('"') for column in head.partition("\n")[0].split(",")}
    if columns.issuperset(OWNERSHIP_COLUMNS):
        return ListFormat.OWNERSHIP
    if not columns.isdisjoint(OWN_COLUMNS):
        return ListFormat.CSV
    raise ListFault(
        f"{path.name} line 1",
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
    (content,) = files.values()
    match list_format:
        case ListFormat.UN:
            return parse_un(content)
        case ListFormat.OWNERSHIP:
            return parse_ownership(content)
        case _:
            return parse_own(content)
