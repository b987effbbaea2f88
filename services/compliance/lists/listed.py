"""What a sanctions list says: its parties, their names, and what tells one bearer of a name from another. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from libs.common.record import Record
from services.compliance.lists.birth import BirthSpan

NAME_LENGTH_MAX = 500
NAMES_PER_PARTY_MAX = 500
PARTIES_MAX = 200_000
"""Ten times the largest list known: a file beyond that is not a list but an attack."""


class PartyKind(StrEnum):
    """What is listed."""

    PERSON = "person"
    ORGANISATION = "organisation"
    VESSEL = "vessel"
    AIRCRAFT = "aircraft"


class NameStrength(StrEnum):
    """How sure the list itself is of a name."""

    PRIMARY = "primary"
    STRONG = "strong"
    WEAK = "weak"
    """A nickname or a guess. It may support a hit and ask for a review, but never block."""


class ListedName(Record, omit_defaults=True):
    """A name as the list writes it."""

    name: str
    strength: NameStrength = NameStrength.PRIMARY


class Holding(Record):
    """A share in a company, and who holds it: a listed party's name or number, or a company of the same file."""

    owner: str
    percent: float


class ListedParty(Record, omit_defaults=True):
    """One entry of a list."""

    entity_id: str
    """The list's own number for it."""
    kind: PartyKind
    names: tuple[ListedName, ...]
    """Its primary name first."""
    births: tuple[BirthSpan, ...] = ()
    countries: tuple[str, ...] = ()
    """Nationality, residence or seat: ISO 3166 two-letter codes."""
    identifiers: tuple[str, ...] = ()
    """Official numbers, as `identifiers.py` compares them."""
    owners: tuple[Holding, ...] = ()
    """Who owns it. Such an entry counts as listed only if listed parties hold enough of it (see `ownership.py`)."""
    programme: str = ""
    """Under which sanctions programme it is listed."""
    remarks: str = ""

    @property
    def primary_name(self) -> str:
        return self.names[0].name


class ListFault(Exception):
    """A file is not the list it should be. The message names the place: line, and field where there is one."""

    def __init__(self, place: str, fault: str) -> None:
        super().__init__(f"{place}: {fault}")


def require_parties(parties: Iterable[ListedParty], place: str) -> tuple[ListedParty, ...]:
    """The parties of a file, if they can be a list. Raises ListFault when one of them, or their number, can't be."""
    found: dict[str, ListedParty] = {}
    for party in parties:
        if party.entity_id in found:
            raise ListFault(place, f"the entry {party.entity_id} is there twice")
        found[party.entity_id] = party
        if len(found) > PARTIES_MAX:
            raise ListFault(place, f"more than {PARTIES_MAX} entries")
    if not found:
        raise ListFault(place, "no entry at all")
    return tuple(found.values())


def require_names(names: Iterable[ListedName], place: str) -> tuple[ListedName, ...]:
    """An entry's names without repetitions. Raises ListFault when one is empty or absurdly long."""
    kept: dict[str, ListedName] = {}
    for name in names:
        kept.setdefault(name.name, name)
    distinct = tuple(kept.values())
    if "" in kept:
        raise ListFault(place, "the entry has no name")
    if any(len(name.name) > NAME_LENGTH_MAX for name in distinct):
        raise ListFault(place, f"a name has more than {NAME_LENGTH_MAX} characters")
    if len(distinct) > NAMES_PER_PARTY_MAX:
        raise ListFault(place, f"more than {NAMES_PER_PARTY_MAX} names")
    return distinct
