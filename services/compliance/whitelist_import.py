"""A file of pairs for the whitelist: read whole, held against the lists, and proposed as one change, or not at all."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection

from libs.common.record import Record
from libs.common.service import Runtime
from services.compliance import list_changes
from services.compliance.catalogue import live_catalogue
from services.compliance.domain.audit import Signature
from services.compliance.files.whitelist import (
    BYTES_MAX,
    Listed,
    NewPair,
    WhitelistFault,
    new_pairs,
    read_whitelist,
)
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import screen
from services.compliance.settings import ComplianceSettings
from services.compliance.store import lists, whitelist

_REMEMBERED = 1_000
"""Parties of a file that may come with several entries."""


class WhitelistFile(Record):
    """A file as it was found."""

    source: str
    content: bytes


class Checked(Record):
    """A file held against the lists, and against what is in force."""

    file: WhitelistFile
    rows: int
    pairs: tuple[NewPair, ...]
    """What is not in force as it says."""


class WhitelistProposed(Record):
    """What a file came to."""

    pairs: int
    """Of the file."""
    proposed: int
    """Those that are not in force as it says."""
    change_id: str | None
    """None if all of them are."""
    is_new: bool
    """Whether the same did not wait already."""

    def __str__(self) -> str:
        if self.change_id is None:
            return f"all {self.pairs:,} pairs are in force already: nothing is to be done"
        waits = "waits for another person at the desk" if self.is_new else "waits already for another person"
        return f"{self.proposed:,} of {self.pairs:,} pairs are new or changed: change {self.change_id} {waits}"


def find_file(path: Path) -> WhitelistFile:
    """A file of pairs on disk. Raises WhitelistFault where it is too large, and OSError."""
    with path.open("rb") as file:
        content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise WhitelistFault([f"{path.name}: more than {BYTES_MAX} bytes"])
    return WhitelistFile(source=path.name, content=content)


def check(runtime: Runtime, file: WhitelistFile) -> Checked:
    """Read a file, and hold it against the lists as they are now. Raises WhitelistFault, naming lines and fields.

    In no transaction: thousands of parties take seconds to be searched for.
    """
    assert isinstance(runtime.settings, ComplianceSettings)
    live, at = live_catalogue(runtime.settings), datetime.now(UTC)
    rows = read_whitelist(file.content, at)
    index = runtime.unit.administer(lambda tx: live.current(tx).index)
    known = runtime.unit.administer(lambda tx: whitelist.find(tx, [row.pair_id for row in rows]))
    return Checked(file=file, rows=len(rows), pairs=tuple(new_pairs(rows, known, _listed(index), at)))


def propose(tx: Connection, checked: Checked, *, reason: str, by: Signature) -> WhitelistProposed:
    """Propose what of a file is not in force: another person at the desk confirms all of it, or none."""
    if not checked.pairs:
        return WhitelistProposed(pairs=checked.rows, proposed=0, change_id=None, is_new=False)
    lists.lock_catalogue(tx)
    sha256 = hashlib.sha256(checked.file.content).hexdigest()
    said = f"{len(checked.pairs)} of the {checked.rows} pairs in {checked.file.source}, SHA-256 {sha256}"
    change, is_new = list_changes.propose_pairs(tx, checked.pairs, said, reason=reason, by=by)
    return WhitelistProposed(pairs=checked.rows, proposed=len(checked.pairs), change_id=change.change_id, is_new=is_new)


def _listed(index: NameIndex) -> Listed:
    references = frozenset(f"{source.list_name}/{source.party.entity_id}" for source in index.parties)
    return Listed(references=references, hits=lru_cache(_REMEMBERED)(lambda subject: screen(index, subject).hits))
