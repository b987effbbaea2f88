"""What else is known of two bearers of a name: births, countries, what they are, which numbers they have. Pure.

The name decides whether they are alike; all this raises or lowers it by points, and says so in words.
"""

from collections.abc import Iterator, Sequence

from libs.common.record import Record
from services.compliance.lists.birth import BirthEvidence, compare_births
from services.compliance.lists.listed import ListedParty, NameStrength, PartyKind
from services.compliance.matching.compare import Comparison, Pair, Pairing, compare
from services.compliance.matching.index import IndexedName, NameIndex, Word
from services.compliance.matching.subject import Subject

BIRTH_POINTS = {
    BirthEvidence.UNKNOWN: 0.0,
    BirthEvidence.SAME_DAY: 0.05,
    BirthEvidence.COMPATIBLE: 0.02,
    BirthEvidence.SWAPPED: 0.03,
    BirthEvidence.NEAR: 0.0,
    BirthEvidence.DIFFERENT: -0.12,
}
COUNTRY_POINTS = 0.01
OTHER_BIRTH_OF_COMMON_NAME_POINTS = -0.20
"""Of two John Smiths born thirty years apart, the one is not the other."""
OTHER_KIND_POINTS = -0.20
"""For a person against a company or a ship. Not for an organisation's whole name: who orders a payment can say of any
payee that it was born."""
OTHER_KIND_OF_RARE_NAME_POINTS = -0.10
"""For the whole name with two rare words: whoever wrote down what the party is may have erred."""
RARE_WORDS_MIN = 2
SAME_IDENTIFIER_SCORE = 0.95
"""What two reach at least that have an official number in common, whatever their names."""
SAME_NAME = 0.975
"""What names reach that differ in spelling only."""


class Evidence(Record):
    """A party and a listed name, compared in every respect."""

    score: float
    comparison: Comparison
    birth: BirthEvidence
    is_same_country: bool
    is_same_identifier: bool
    is_other_kind: bool
    """A person against a company or a ship, as far as is known."""


def weigh(index: NameIndex, subject: Subject, words: Sequence[Word], name: IndexedName) -> Evidence:
    """How much speaks for it that a party is the bearer of a listed name. `words` are those of the party's name."""
    comparison = compare(index, words, name)
    party = index.parties[name.party_number].party
    birth = compare_births(subject.born, party.births)
    is_same_country = subject.country is not None and subject.country in party.countries
    is_same_identifier = subject.identifier is not None and subject.identifier in party.identifiers
    score = _score(comparison, subject, party, birth, is_same_country)
    return Evidence(
        score=max(score, SAME_IDENTIFIER_SCORE) if is_same_identifier else score,
        comparison=comparison,
        birth=birth,
        is_same_country=is_same_country,
        is_same_identifier=is_same_identifier,
        is_other_kind=_are_other_kinds(subject, party),
    )


def _score(
    comparison: Comparison, subject: Subject, party: ListedParty, birth: BirthEvidence, is_same_country: bool
) -> float:
    points = BIRTH_POINTS[birth] + (COUNTRY_POINTS if is_same_country else 0.0)
    if birth is BirthEvidence.DIFFERENT and not any(pair.is_rare for pair in comparison.pairs):
        points = OTHER_BIRTH_OF_COMMON_NAME_POINTS
    if _are_other_kinds(subject, party) and not is_organisations_name(comparison, party):
        points += OTHER_KIND_OF_RARE_NAME_POINTS if _is_rare_name(comparison) else OTHER_KIND_POINTS
    # Evidence never makes a name the same that isn't.
    return max(0.0, min(comparison.score + points, 1.0 if comparison.score == 1.0 else 0.99))


def _is_rare_name(comparison: Comparison) -> bool:
    rare = sum(pair.is_rare for pair in comparison.pairs)
    return comparison.is_full and comparison.score >= SAME_NAME and rare >= RARE_WORDS_MIN


def _are_other_kinds(subject: Subject, party: ListedParty) -> bool:
    kind = subject.kind or (PartyKind.PERSON if subject.born is not None else party.kind)
    return (kind is PartyKind.PERSON) != (party.kind is PartyKind.PERSON)


def is_organisations_name(comparison: Comparison, party: ListedParty) -> bool:
    """Whether it is the whole name of an organisation, but for its spelling."""
    return party.kind is PartyKind.ORGANISATION and comparison.is_full and comparison.score >= SAME_NAME


# In words


def reasons(evidence: Evidence, subject: Subject, party: ListedParty, strength: NameStrength) -> tuple[str, ...]:
    """What is alike and what is not, a sentence for each part of the score."""
    return (*_of_name(evidence.comparison, strength), *_of_bearer(evidence, subject, party))


def _of_name(comparison: Comparison, strength: NameStrength) -> Iterator[str]:
    if comparison.score == 1.0:
        yield "the same name"
    elif comparison.pairs:
        yield f"name alike: {_pairs_in_words(comparison.pairs)}"
    else:
        yield "no word in common"
    if comparison.is_reordered:
        yield "the words in another order"
    if comparison.left_asked:
        yield f"only in the name asked about: {', '.join(comparison.left_asked)}"
    if comparison.left_listed:
        yield f"only in the listed name: {', '.join(comparison.left_listed)}"
    if comparison.pairs and not any(pair.is_rare for pair in comparison.pairs):
        yield "no rare word in common"
    if strength is NameStrength.WEAK:
        yield "the list itself calls this name weak"


def _of_bearer(evidence: Evidence, subject: Subject, party: ListedParty) -> Iterator[str]:
    if evidence.is_same_identifier:
        yield f"the same official number: {subject.identifier}"
    if evidence.birth is not BirthEvidence.UNKNOWN:
        listed = ", ".join(map(str, party.births))
        yield f"date of birth {_BIRTH_WORDS[evidence.birth]}: {subject.birth_date}, listed {listed}"
    if evidence.is_same_country:
        yield f"the same country: {subject.country}"
    elif subject.country and party.countries:
        yield f"another country: {subject.country}, listed {', '.join(party.countries)}"
    if subject.kind is not None and evidence.is_other_kind:
        yield f"another kind: {subject.kind}, listed as {party.kind}"
    if party.owners:
        shares = ", ".join(f"{holding.owner} {holding.percent:g} %" for holding in party.owners)
        yield f"owned by listed parties: {shares}"


_BIRTH_WORDS = {
    BirthEvidence.SAME_DAY: "the same",
    BirthEvidence.COMPATIBLE: "fits",
    BirthEvidence.SWAPPED: "the same with day and month exchanged",
    BirthEvidence.NEAR: "near",
    BirthEvidence.DIFFERENT: "different",
}


def _pairs_in_words(pairs: Sequence[Pair]) -> str:
    return ", ".join(
        pair.asked if pair.pairing is Pairing.SAME else f"{pair.asked} ~ {pair.listed} ({pair.likeness:.2f})"
        for pair in pairs
        if pair.is_telling or pair.pairing is Pairing.INITIAL
    )
