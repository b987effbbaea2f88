"""The fictional list that ships with the project, in the format of one's own lists."""

from functools import cache
from pathlib import Path

from services.compliance.lists.listed import ListedParty
from services.compliance.lists.own import parse_own

SHIPPED_NAME = "fictional"
SHIPPED_BY = "weir"
"""Who brings it in where there is no list."""
SHIPPED_FILE = Path(__file__).parent / "fictional.csv"


@cache
def shipped_parties() -> tuple[ListedParty, ...]:
    """Invented persons, companies, ships and aircraft: any likeness to real ones is an accident."""
    return parse_own(SHIPPED_FILE.read_bytes())
