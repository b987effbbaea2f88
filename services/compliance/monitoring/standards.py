"""What movements are held against: the parameters of all scenarios, and the lists of countries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.parameters import BEGINNING, Scenario, Version


class Standards:
    """What is in force, and from when on."""

    def __init__(self, versions: Iterable[Version], countries: CountryLists) -> None:
        self.countries = countries
        self._versions: dict[Scenario, list[Version]] = defaultdict(list)
        # Of two from the same moment on, the one that was set last counts; the newest comes first.
        for version in sorted(versions, key=lambda one: (one.effective_from, one.set_at, one.version), reverse=True):
            self._versions[version.scenario].append(version)
        self._settled_from = max((found[0].effective_from for found in self._versions.values()), default=BEGINNING)
        self._newest = {scenario: found[0] for scenario, found in self._versions.items() if found[0].parameters.is_on}

    def all_in_force(self, at: datetime) -> Mapping[Scenario, Version]:
        """The version of every scenario that is on."""
        if at >= self._settled_from:
            return self._newest
        found = {scenario: self.in_force(scenario, at) for scenario in self._versions}
        return {scenario: version for scenario, version in found.items() if version is not None}

    def in_force(self, scenario: Scenario, at: datetime) -> Version | None:
        """The version that a movement at this moment is held against; None if there was none yet, or it is off."""
        for version in self._versions.get(scenario, ()):
            if version.effective_from <= at:
                return version if version.parameters.is_on else None
        return None

    def to_come(self, scenario: Scenario, at: datetime) -> list[Version]:
        """What is in force at a moment, and what will be later, the newest first; also what is off."""
        found: list[Version] = []
        for version in self._versions.get(scenario, ()):
            found.append(version)
            if version.effective_from <= at:
                break
        return found
