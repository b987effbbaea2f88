"""Companies that count as listed because listed parties own them: they are searched, the others are not. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from libs.common.record import Record, replace
from services.compliance.lists.listed import Holding, ListedParty, NameStrength
from services.compliance.lists.ownership import blocked_by_ownership, total_percent
from services.compliance.matching.folding import fold
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.text import words_of


def listed_or_owned(sources: Sequence[SourcedParty]) -> tuple[SourcedParty, ...]:
    """The parties of all lists, without companies of which listed ones own too little.

    An owner is a listed party if it has one of its names, but for weak ones, in whatever order, spelling and script;
    or its number on the list ("36", "ofac/36").
    """
    listed = [source for source in sources if not source.party.owners]
    companies = [source for source in sources if source.party.owners]
    if not companies:
        return tuple(sources)
    numbers = _keys_of_numbers(listed)

    def key_of(owner: str) -> str:
        return numbers.get(owner) or _key(owner)

    shares = {
        _key(company.party.primary_name): {key_of(holding.owner): holding.percent for holding in company.party.owners}
        for company in companies
    }
    blocked = blocked_by_ownership(shares, _keys_of_names(listed))
    owned = []
    for company in companies:
        held = blocked.get(_key(company.party.primary_name))
        if held is not None:
            owners = tuple(holding for holding in company.party.owners if key_of(holding.owner) in held)
            owned.append(replace(company, party=_with_owners(company.party, owners, held)))
    return (*listed, *owned)


class Share(Record):
    """A company, and how much of it somebody holds."""

    company: str
    percent: float


class Ownership:
    """What owners hold of companies, as the ownership files say it, however much or little it is."""

    def __init__(self, companies: Iterable[ListedParty] = ()) -> None:
        self._held: dict[str, dict[str, float]] = defaultdict(dict)
        for company in companies:
            for holding in company.owners:
                for key in (holding.owner, _key(holding.owner)):
                    self._held[key][company.primary_name] = holding.percent

    def owned_by(self, list_name: str, party: ListedParty) -> tuple[Share, ...]:
        """The companies that a listed party holds shares in, by name; the largest share first."""
        strong = (name.name for name in party.names if name.strength is not NameStrength.WEAK)
        keys = (party.entity_id, f"{list_name}/{party.entity_id}", *map(_key, strong))
        found = {company: percent for key in keys for company, percent in self._held.get(key, {}).items()}
        return tuple(
            Share(company=company, percent=percent)
            for company, percent in sorted(found.items(), key=lambda held: (-held[1], held[0]))
        )


def _with_owners(company: ListedParty, owners: Sequence[Holding], held: Mapping[str, float]) -> ListedParty:
    shares = ", ".join(f"{holding.owner} {holding.percent:g} %" for holding in owners)
    remarks = f"Listed by ownership: {shares}, {total_percent(held):g} % together"
    return replace(company, owners=tuple(owners), remarks=remarks)


def _keys_of_names(listed: Sequence[SourcedParty]) -> set[str]:
    return {
        _key(name.name) for source in listed for name in source.party.names if name.strength is not NameStrength.WEAK
    }


def _keys_of_numbers(listed: Sequence[SourcedParty]) -> dict[str, str]:
    return {
        number: _key(source.party.primary_name)
        for source in listed
        for number in (source.party.entity_id, f"{source.list_name}/{source.party.entity_id}")
    }


def _key(name: str) -> str:
    return " ".join(sorted(map(fold, words_of(name))))
