"""What movements are held against: the parameters of all scenarios, and the lists of countries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from schemas.accounts.events import CustomerKind
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.parameters import BEGINNING, Scenario, Version
from services.compliance.monitoring.scenarios import JUDGES, Judge, is_asked, watches


class Standards:
    """What is in force, and from when on."""

    def __init__(self, versions: Iterable[Version], countries: CountryLists) -> None:
        self.countries = countries
        self._versions: dict[Scenario, list[Version]] = defaultdict(list)
        # Of two from the same moment on, the one that was set last counts; the newest comes first.
        for version in sorted(versions, key=lambda one: (one.effective_from, one.set_at, one.version), reverse=True):
            self._versions[version.scenario].append(version)
        self._settled_from = max((found[0].effective_from for found in self._versions.values()), default=BEGINNING)
        """From then on nothing changes any more, and the same are asked about all of a kind."""
        self._newest_judges: dict[tuple[CustomerKind | None, bool, bool], Sequence[tuple[Judge, Version]]] = {}

    def with_others(self, versions: Iterable[Version]) -> "Standards":
        """These, with the given parameters of some scenarios in place of all that these scenarios ever had."""
        others = tuple(versions)
        replaced = {version.scenario for version in others}
        kept = (one for scenario, found in self._versions.items() if scenario not in replaced for one in found)
        return Standards((*kept, *others), self.countries)

    def judges(
        self, at: datetime, kind: CustomerKind | None, *, is_out: bool, is_cash: bool
    ) -> Sequence[tuple[Judge, Version]]:
        """Those who are asked about a movement of such a customer, each with the version it goes by."""
        if at < self._settled_from:
            return self._judges(self._all_in_force(at), kind, is_out=is_out, is_cash=is_cash)
        key = kind, is_out, is_cash
        found = self._newest_judges.get(key)
        if found is None:
            newest = self._all_in_force(at)
            found = self._newest_judges[key] = self._judges(newest, kind, is_out=is_out, is_cash=is_cash)
        return found

    def _judges(
        self, versions: Mapping[Scenario, Version], kind: CustomerKind | None, *, is_out: bool, is_cash: bool
    ) -> Sequence[tuple[Judge, Version]]:
        return [
            (judge, versions[scenario])
            for scenario, (asked, judge) in JUDGES.items()
            if scenario in versions
            and is_asked(asked, is_out=is_out, is_cash=is_cash)
            and watches(versions[scenario].parameters, kind)
        ]

    def _all_in_force(self, at: datetime) -> Mapping[Scenario, Version]:
        """The version of every scenario that is on."""
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
