"""What movements are held against, held in memory, and read anew when somebody has changed it."""

import threading
from functools import lru_cache

from sqlalchemy import Connection

from services.compliance.defaults import shipped_listings, shipped_versions
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.standards import Standards
from services.compliance.settings import ComplianceSettings
from services.compliance.store import standards
from services.compliance.store.standards import Stamp


class LiveStandards:
    """Holds the current ones for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Stamp, Standards] | None = None

    def current(self, tx: Connection) -> Standards:
        """What is in force and will be. Costs one look at whether it has changed."""
        stamp, held = standards.find_stamp(tx), self._held
        if held is not None and held[0] == stamp:
            return held[1]
        found = _load(tx)
        with self._lock:
            self._held = stamp, found
        return found


@lru_cache
def live_standards(_: ComplianceSettings) -> LiveStandards:
    """The one of a process with these settings."""
    return LiveStandards()


def current_countries(tx: Connection) -> CountryLists:
    """The lists of countries: those imported last, or those that ship."""
    return standards.load_countries(tx) or CountryLists(shipped_listings())


def _load(tx: Connection) -> Standards:
    return Standards((*shipped_versions(), *standards.load_versions(tx)), current_countries(tx))
