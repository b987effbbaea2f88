"""A party against all lists: clear, for a person to review, or to be blocked; and why. Pure.

The name decides whether there is a hit. Dates of birth and countries raise or lower it, and alone
make a hit strong enough to block: a name is borne by many.

    review   a name as good as REVIEW_SCORE, all evidence counted
    block    nearly the whole name, and the same day of birth; or one rare word in it, and a fitting
             date of birth or the same country; or the exact name with two rare words and nothing against it

How the figures were found, and what they cost in misses and false alarms, is in README.md.
"""

from collections.abc import Collection, Sequence

from libs.common.record import Record, replace
from schemas.compliance.events import ScreeningOutcome, UnscreenableReason
from services.compliance.lists.birth import BirthEvidence, BirthSpan, compare_births, parse_birth
from services.compliance.lists.listed import ListedParty, NameStrength, PartyKind
from services.compliance.matching.compare import Comparison, Pair, Pairing, compare
from services.compliance.matching.index import CANDIDATES_MAX, IndexedName, NameIndex, SourcedParty, Word
from services.compliance.matching.words import WordKind

MATCHER_VERSION = 2
"""Raised with every change that could change an answer: what is remembered from before then no longer counts, and
every customer, and every payment that waits for people, is looked at again."""

REVIEW_SCORE = 0.84
WEAK_NAME_SCORE = 0.93
"""What a name must reach that the list itself is not sure of."""
BLOCK_NAME_SCORE = 0.95
"""What the name alone must reach before other evidence may block."""
SAME_NAME = 0.97
"""What names reach that differ in spelling only."""
RARE_WORDS_TO_BLOCK = 2
HITS_MAX = CANDIDATES_MAX
"""The hits of a party that are kept and shown, the strongest first: all there can be, for who decides must see all."""

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
NOT_A_PERSON_POINTS = -0.20
"""For what is born, but listed as a company or a ship. Not for an organisation's whole name: who orders a payment can
say of any payee that it was born."""


class Subject(Record, omit_defaults=True):
    """A party to be screened, as far as it is known."""

    name: str
    birth_date: str | None = None
    country: str | None = None

    @property
    def born(self) -> BirthSpan | None:
        """The date of birth, if it is one."""
        return parse_birth(self.birth_date) if self.birth_date else None


class Hit(Record, omit_defaults=True):
    """A listed party that a subject resembles, with a copy of its entry as it was at that moment."""

    list_name: str
    import_id: int
    listed_name: str
    score: float
    outcome: ScreeningOutcome
    reasons: tuple[str, ...]
    listed: ListedParty

    @property
    def entity_id(self) -> str:
        return self.listed.entity_id

    @property
    def reference(self) -> str:
        """What names the entry among all lists."""
        return f"{self.list_name}/{self.entity_id}"

    @property
    def explanation(self) -> str:
        return "; ".join(self.reasons)


class Verdict(Record, omit_defaults=True):
    """What screening says about one party."""

    outcome: ScreeningOutcome
    hits: tuple[Hit, ...] = ()
    unscreenable: UnscreenableReason | None = None


CLEAR = Verdict(outcome=ScreeningOutcome.CLEAR)
UNREADABLE = Verdict(outcome=ScreeningOutcome.REVIEW, unscreenable=UnscreenableReason.NAME_UNREADABLE)
ENCRYPTED = Verdict(outcome=ScreeningOutcome.REVIEW, unscreenable=UnscreenableReason.ENCRYPTED)

_SEVERITY = {ScreeningOutcome.CLEAR: 0, ScreeningOutcome.REVIEW: 1, ScreeningOutcome.BLOCK: 2}


def worst(outcomes: Sequence[ScreeningOutcome]) -> ScreeningOutcome:
    """The most severe of some outcomes; clear if there is none."""
    return max(outcomes, key=_SEVERITY.__getitem__, default=ScreeningOutcome.CLEAR)


def says_the_same(verdict: Verdict, known: Verdict) -> bool:
    """Whether the same entries are hit in the same way: a new version of a list alone is no news."""

    def said(verdict: Verdict) -> Verdict:
        return replace(verdict, hits=tuple(replace(hit, import_id=0) for hit in verdict.hits))

    return said(verdict) == said(known)


def screen(index: NameIndex, subject: Subject, *, ruled_out: Collection[str] = ()) -> Verdict:
    """Compare a party with every listed name.

    Entries that people have ruled out (by their references) make room for others, and are no hits again unless
    they must block: nobody was asked about that.
    """
    words = index.words(subject.name)
    if not words:
        return UNREADABLE
    born = subject.born
    found: dict[int, Hit] = {}
    for number in index.candidates(words, at_most=CANDIDATES_MAX * (1 + len(ruled_out))):
        name = index.names[number]
        hit = _judge(index, subject, born, words, name)
        if hit is None or (hit.reference in ruled_out and hit.outcome is not ScreeningOutcome.BLOCK):
            continue
        known = found.get(name.party_number)
        if known is None or _strength(hit) > _strength(known):
            found[name.party_number] = hit
    if not found:
        return CLEAR
    hits = sorted(found.values(), key=_strength, reverse=True)[:HITS_MAX]
    return Verdict(outcome=worst([hit.outcome for hit in hits]), hits=tuple(hits))


def _strength(hit: Hit) -> tuple[int, float]:
    return _SEVERITY[hit.outcome], hit.score


def _judge(
    index: NameIndex, subject: Subject, born: BirthSpan | None, words: Sequence[Word], name: IndexedName
) -> Hit | None:
    comparison = compare(index, words, name)
    if comparison.score < REVIEW_SCORE - _POINTS_MAX:
        return None
    source = index.parties[name.party_number]
    birth = compare_births(born, source.party.births)
    is_same_country = subject.country is not None and subject.country in source.party.countries
    score = _with_evidence(comparison, source.party, birth, is_same_country, is_born=born is not None)
    if score < _score_needed(name, source.party, comparison, birth):
        return None
    is_blocked = _may_block(comparison, name, birth, is_same_country)
    return Hit(
        list_name=source.list_name,
        import_id=source.import_id,
        listed_name=name.listed.name,
        score=round(score, 3),
        outcome=ScreeningOutcome.BLOCK if is_blocked else ScreeningOutcome.REVIEW,
        reasons=tuple(_reasons(comparison, subject, source, name, birth, is_same_country)),
        listed=source.party,
    )


_POINTS_MAX = max(BIRTH_POINTS.values()) + COUNTRY_POINTS


def _with_evidence(
    comparison: Comparison, party: ListedParty, birth: BirthEvidence, is_same_country: bool, *, is_born: bool
) -> float:
    points = BIRTH_POINTS[birth] + (COUNTRY_POINTS if is_same_country else 0.0)
    if birth is BirthEvidence.DIFFERENT and not any(pair.is_rare for pair in comparison.pairs):
        points = OTHER_BIRTH_OF_COMMON_NAME_POINTS
    if is_born and party.kind is not PartyKind.PERSON and not _is_organisations_name(comparison, party):
        points += NOT_A_PERSON_POINTS
    # Evidence never makes a name the same that isn't.
    return min(comparison.score + points, 1.0 if comparison.score == 1.0 else 0.99)


def _is_organisations_name(comparison: Comparison, party: ListedParty) -> bool:
    return party.kind is PartyKind.ORGANISATION and comparison.is_full and comparison.score >= SAME_NAME


def _score_needed(name: IndexedName, party: ListedParty, comparison: Comparison, birth: BirthEvidence) -> float:
    """What a score must be for a hit: more for names that are weak, and no score is enough for one common word."""
    is_weak, is_supported = name.listed.strength is NameStrength.WEAK, birth is BirthEvidence.SAME_DAY
    telling = [pair for pair in comparison.pairs if pair.is_telling]
    names = [pair for pair in telling if pair.kind is WordKind.NAME]
    if (len(telling) < 2 or not names) and not is_supported:
        is_rare = any(pair.is_rare for pair in telling)
        # "Al-Qaida" is common on lists, and nowhere else; "General Trading" is common everywhere.
        if is_weak or not telling or not (is_rare or _is_organisations_name(comparison, party)):
            return _NEVER
    return WEAK_NAME_SCORE if is_weak and not is_supported else REVIEW_SCORE


_NEVER = 2.0


def _may_block(comparison: Comparison, name: IndexedName, birth: BirthEvidence, is_same_country: bool) -> bool:
    if name.listed.strength is NameStrength.WEAK or birth in (BirthEvidence.DIFFERENT, BirthEvidence.NEAR):
        return False
    if not comparison.is_full or comparison.score < BLOCK_NAME_SCORE:
        return False
    rare = sum(pair.is_rare for pair in comparison.pairs)
    telling = sum(pair.is_telling for pair in comparison.pairs)
    if telling == 1 and not rare:
        return False
    if birth is BirthEvidence.SAME_DAY:
        return True
    if rare and (is_same_country or birth in (BirthEvidence.COMPATIBLE, BirthEvidence.SWAPPED)):
        return True
    is_exact = all(pair.pairing is Pairing.SAME for pair in comparison.pairs)
    return is_exact and rare >= RARE_WORDS_TO_BLOCK


def _reasons(
    comparison: Comparison,
    subject: Subject,
    source: SourcedParty,
    name: IndexedName,
    birth: BirthEvidence,
    is_same_country: bool,
) -> list[str]:
    """What is alike and what is not, in words."""
    reasons = ["the same name" if comparison.score == 1.0 else f"name alike: {_pairs_in_words(comparison.pairs)}"]
    if comparison.left_asked:
        reasons.append(f"only in the name asked about: {', '.join(comparison.left_asked)}")
    if comparison.left_listed:
        reasons.append(f"only in the listed name: {', '.join(comparison.left_listed)}")
    if name.listed.strength is NameStrength.WEAK:
        reasons.append("the list itself calls this name weak")
    if birth is not BirthEvidence.UNKNOWN:
        listed = ", ".join(map(str, source.party.births))
        reasons.append(f"date of birth {_BIRTH_WORDS[birth]}: {subject.birth_date}, listed {listed}")
    if is_same_country:
        reasons.append(f"the same country: {subject.country}")
    elif subject.country and source.party.countries:
        reasons.append(f"another country: {subject.country}, listed {', '.join(source.party.countries)}")
    return reasons


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
