"""The lists as they are searched: an index of the live versions, held in memory, made anew when one changes."""

import hashlib
import threading
from functools import lru_cache

from sqlalchemy import Connection

from libs.common.record import Record
from services.compliance.lists.shipped import SHIPPED_BY, SHIPPED_FILE, SHIPPED_NAME, shipped_parties
from services.compliance.matching.index import NameIndex
from services.compliance.settings import ComplianceSettings
from services.compliance.store import lists
from services.compliance.store.lists import ListImport, LiveEntries


class Catalogue(Record):
    """All live lists of one version, ready to be searched."""

    label: str
    """Which version of which list, in words that outlive this database: "ofac:7 un:6"."""
    index: NameIndex

    @property
    def version(self) -> int:
        return self.index.version


class LiveCatalogue:
    """Holds the current catalogue for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Catalogue | None = None

    def current(self, tx: Connection) -> Catalogue:
        """The catalogue as it is now. Costs one look at its version unless that has changed."""
        return self.of_version(tx, lists.find_catalogue_version(tx))

    def of_version(self, tx: Connection, version: int) -> Catalogue:
        """The catalogue, given that it has this version now."""
        held = self._held
        if held is not None and held.version == version:
            return held
        with self._lock:
            held = self._held
            if held is None or held.version != version:
                held = self._held = _load(tx)
        return held

    @property
    def held(self) -> Catalogue | None:
        """What is held, without a look at whether it is still current."""
        return self._held


@lru_cache
def live_catalogue(_: ComplianceSettings) -> LiveCatalogue:
    """The one catalogue of a process with these settings."""
    return LiveCatalogue()


def live_entries(tx: Connection) -> LiveEntries:
    """What there is to be searched: the live versions of all lists, or the shipped one where there is none."""
    if not lists.find_live_lists(tx):
        _begin_with_shipped_list(tx)
    return lists.load_live_entries(tx)


def _load(tx: Connection) -> Catalogue:
    live = live_entries(tx)
    index = NameIndex(live.parties, version=live.catalogue_version)
    index.warm_up()
    versions = dict.fromkeys(f"{party.list_name}:{party.import_id}" for party in live.parties)
    return Catalogue(label=" ".join(versions), index=index)


def _begin_with_shipped_list(tx: Connection) -> None:
    """A service without any list would clear everybody: begin with the fictional one."""
    lists.lock_catalogue(tx)
    if not lists.find_live_lists(tx):
        lists.save_import(tx, shipped_import())


def shipped_import() -> ListImport:
    return ListImport(
        list_name=SHIPPED_NAME,
        format="csv",
        source=SHIPPED_FILE.name,
        content_hash=hashlib.sha256(SHIPPED_FILE.read_bytes()).hexdigest(),
        dated_on=None,
        imported_by=SHIPPED_BY,
        parties=shipped_parties(),
    )
