"""What monitoring begins with: the parameters of all scenarios, and the lists of countries, from files that ship."""

import tomllib
from functools import cache
from pathlib import Path

from services.compliance.defaults.countries import read_listings
from services.compliance.monitoring import parameters
from services.compliance.monitoring.countries import Listing
from services.compliance.monitoring.parameters import BEGINNING, ParametersFault, Scenario, Version, version_of

FOLDER = Path(__file__).parent
SHIPPED_BY = "weir"


@cache
def shipped_versions() -> tuple[Version, ...]:
    """The parameters of every scenario, in force from the beginning."""
    return read_versions(FOLDER / "scenarios.toml")


@cache
def shipped_listings() -> tuple[Listing, ...]:
    """The FATF's lists as they were last known when this was shipped."""
    return read_listings((FOLDER / "fatf.csv").read_bytes())


def read_versions(path: Path) -> tuple[Version, ...]:
    """The parameters in a file of scenarios. Raises ParametersFault."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as fault:
        raise ParametersFault(f"{path.name} can't be read: {fault}") from fault
    if unknown := sections.keys() - {scenario.value for scenario in Scenario}:
        raise ParametersFault(f"there is no scenario {', '.join(sorted(unknown))}")
    return tuple(
        version_of(
            scenario,
            parameters.read(scenario, sections[scenario.value]),
            effective_from=BEGINNING,
            set_by=SHIPPED_BY,
            reason=path.name,
            set_at=BEGINNING,
        )
        for scenario in Scenario
        if scenario.value in sections
    )
