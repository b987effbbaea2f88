"""A party held against a listed entry, side by side, with what both have in common marked."""

from collections.abc import Iterable, Sequence

from libs.common.record import Record
from services.compliance.desk.country_words import country_in_words
from services.compliance.lists.birth import BirthEvidence, compare_births
from services.compliance.lists.identifiers import identifier_of
from services.compliance.lists.listed import ListedParty
from services.compliance.matching.marking import How, Part, Parts, marked_names
from services.compliance.matching.screening import Hit
from services.compliance.matching.subject import Subject

_BIRTHS = {
    BirthEvidence.SAME_DAY: How.SAME,
    BirthEvidence.COMPATIBLE: How.SAME,
    BirthEvidence.SWAPPED: How.NEAR,
    BirthEvidence.NEAR: How.NEAR,
}


class Side(Record):
    """One thing that is known, of the party and of the entry."""

    label: str
    own: Parts
    listed: Parts

    @property
    def own_text(self) -> str:
        return "".join(text for text, _ in self.own) or "not known"

    @property
    def listed_text(self) -> str:
        return "".join(text for text, _ in self.listed) or "not known"


def sides(hit: Hit, subject: Subject | None, numbers: Sequence[str] = ()) -> tuple[Side, ...]:
    """What is known of either; `numbers` are the party's own official numbers, as they were told."""
    listed = hit.listed
    own_name, listed_name = marked_names(subject.name, hit.listed_name) if subject else ((), _unmarked(hit.listed_name))
    found = (
        Side(label="Name", own=own_name, listed=listed_name),
        _born(subject, listed),
        _countries(subject, listed),
        Side(label="Kind", own=_unmarked(subject.kind if subject else None), listed=_unmarked(listed.kind.value)),
        _numbers(numbers, listed),
    )
    return tuple(side for side in found if side.own or side.listed)


def _born(subject: Subject | None, listed: ListedParty) -> Side:
    how = _BIRTHS.get(compare_births(subject.born, listed.births), How.NOT) if subject else How.NOT
    own = subject.birth_date if subject else None
    return Side(label="Born", own=((own, how),) if own else (), listed=_several(map(str, listed.births), how))


def _countries(subject: Subject | None, listed: ListedParty) -> Side:
    own = subject.country if subject else None
    is_same = own in listed.countries
    return Side(
        label="Country",
        own=((country_in_words(own), How.SAME if is_same else How.NOT),) if own else (),
        listed=_joined((country_in_words(one), How.SAME if one == own else How.NOT) for one in listed.countries),
    )


def _numbers(numbers: Sequence[str], listed: ListedParty) -> Side:
    shared = {identifier_of(number) for number in numbers} & set(listed.identifiers)
    return Side(
        label="Numbers",
        own=_joined((one, How.SAME if identifier_of(one) in shared else How.NOT) for one in numbers),
        listed=_joined((one, How.SAME if one in shared else How.NOT) for one in listed.identifiers),
    )


def _unmarked(text: str | None) -> Parts:
    return ((text, How.NOT),) if text else ()


def _several(texts: Iterable[str], how: How) -> Parts:
    return _joined((text, how) for text in texts)


def _joined(parts: Iterable[Part]) -> Parts:
    found: list[Part] = []
    for part in parts:
        found += [(", ", How.NOT), part] if found else [part]
    return tuple(found)
