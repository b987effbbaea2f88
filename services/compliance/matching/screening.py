"""A party against all lists: clear, for a person to review, or to be blocked; and why. Pure.

The name decides whether there is a hit. Dates of birth and countries raise or lower it, and alone
make a hit strong enough to block: a name is borne by many.

    review   a name as good as the list's threshold (REVIEW_SCORE, if it has none of its own), all evidence
             counted; or the same official number, whatever the name
    block    nearly the whole name, and the same day of birth; or one rare word in it, and a fitting
             date of birth or the same country; or the exact name with two rare words and nothing against it;
             or a name good enough for a review and the same official number

How the figures were found, and what they cost in misses and false alarms, is in README.md.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from libs.common.record import Record, replace
from schemas.compliance.events import ScreeningOutcome, UnscreenableReason
from services.compliance.lists.birth import BirthEvidence
from services.compliance.lists.listed import ListedParty, NameStrength
from services.compliance.matching.compare import Pairing
from services.compliance.matching.evidence import Evidence, is_organisations_name, reasons, weigh
from services.compliance.matching.index import CANDIDATES_MAX, IndexedName, NameIndex, Word
from services.compliance.matching.scoring import Thresholds
from services.compliance.matching.subject import Subject
from services.compliance.matching.text import is_read_whole
from services.compliance.matching.words import WordKind

MATCHER_VERSION = 5
"""Raised with every change that could change an answer: what is remembered from before then no longer counts, and
every customer, and every payment that waits for people, is looked at again."""

WEAK_NAME_SCORE = 0.93
"""What a name must reach that the list itself is not sure of."""
WHOLE_NAME = 0.98
"""What organisations' names reach that have the same legal form, or none, as well."""
RARE_WORDS_TO_BLOCK = 2
HITS_MAX = CANDIDATES_MAX
"""The hits of a party that are kept and shown, the strongest first: all there can be, for who decides must see all."""


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

    @property
    def published_explanation(self) -> str:
        """The same without the words and numbers of whoever was compared, for topics, which keep everything."""
        return "; ".join(reason.partition(":")[0] for reason in self.reasons)


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
    numbers = _candidates(index, subject, words, at_most=CANDIDATES_MAX * (1 + len(ruled_out)))
    judged = (_judge(index, subject, words, index.names[number]) for number in numbers)
    hits = _strongest(hit for hit in judged if hit and (hit.reference not in ruled_out or _blocks(hit)))
    if not hits:
        # What has not been read can't be cleared: a listed name may stand behind three hundred letters.
        return CLEAR if words and is_read_whole(subject.name, words=len(words)) else UNREADABLE
    return _verdict(hits) if words else replace(_verdict(hits), unscreenable=UNREADABLE.unscreenable)


class SharedNumber(Record):
    """A party and an entry have an official number in common."""

    reference: str
    identifier: str


def screen_numbers(
    index: NameIndex, subject: Subject, identifiers: Iterable[str], *, ruled_out: Collection[SharedNumber] = ()
) -> tuple[Hit, ...]:
    """The entries that have an official number of a party's, the strongest first: whatever it is called.

    As in `screen`, nothing rules out what must block.
    """
    found = [(identifier, place) for identifier in identifiers for place in index.with_identifier(identifier)]
    if not found:
        return ()
    words, hits = index.words(subject.name), []
    for identifier, place in found:
        hit = _judge(index, replace(subject, identifier=identifier), words, index.names[place])
        if hit is not None and (_blocks(hit) or _shared(hit, identifier) not in ruled_out):
            hits.append(hit)
    return _strongest(hits)


def numbers_shared(hits: Iterable[Hit], identifiers: Collection[str]) -> tuple[SharedNumber, ...]:
    """Which of a party's official numbers the entries that it resembles have as well."""
    return tuple(_shared(hit, one) for hit in hits for one in identifiers if one in hit.listed.identifiers)


def joined(verdict: Verdict, by_number: Sequence[Hit]) -> Verdict:
    """What is said of a party's name, and of its numbers: an entry that has both is hit by both, which says the most,
    and no number makes room for names.
    """
    if not by_number:
        return verdict
    named = {hit.reference for hit in by_number}
    others = [hit for hit in verdict.hits if hit.reference not in named][: max(HITS_MAX - len(by_number), 0)]
    return replace(_verdict(_strongest([*by_number, *others])), unscreenable=verdict.unscreenable)


def _shared(hit: Hit, identifier: str) -> SharedNumber:
    return SharedNumber(reference=hit.reference, identifier=identifier)


def _verdict(hits: tuple[Hit, ...]) -> Verdict:
    return Verdict(outcome=worst([hit.outcome for hit in hits]), hits=hits)


def _strongest(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Of each entry the strongest hit, the first of those that are as strong; and the strongest entries first."""
    found: dict[tuple[int, str], Hit] = {}
    for hit in hits:
        entry = hit.import_id, hit.reference
        known = found.get(entry)
        if known is None or _strength(hit) > _strength(known):
            found[entry] = hit
    return tuple(sorted(found.values(), key=_strength, reverse=True)[:HITS_MAX])


def _blocks(hit: Hit) -> bool:
    return hit.outcome is ScreeningOutcome.BLOCK


def _candidates(index: NameIndex, subject: Subject, words: Sequence[Word], *, at_most: int) -> Iterator[int]:
    found = index.candidates(words, at_most=at_most)
    yield from found
    if subject.identifier is not None:
        yield from (number for number in index.with_identifier(subject.identifier) if number not in found)


def _strength(hit: Hit) -> tuple[int, float]:
    return _SEVERITY[hit.outcome], hit.score


def _judge(index: NameIndex, subject: Subject, words: Sequence[Word], name: IndexedName) -> Hit | None:
    source = index.parties[name.party_number]
    evidence = weigh(index, subject, words, name)
    if evidence.score < _score_needed(name, source.party, source.thresholds, evidence):
        return None
    is_blocked = _may_block(name, source.party, source.thresholds, evidence)
    return Hit(
        list_name=source.list_name,
        import_id=source.import_id,
        listed_name=name.listed.name,
        score=round(evidence.score, 3),
        outcome=ScreeningOutcome.BLOCK if is_blocked else ScreeningOutcome.REVIEW,
        reasons=reasons(evidence, subject, source.party, name.listed.strength),
        listed=source.party,
    )


def _score_needed(name: IndexedName, party: ListedParty, thresholds: Thresholds, evidence: Evidence) -> float:
    """What a score must be for a hit: more for names that are weak, and no score is enough for one common word."""
    if evidence.is_same_identifier:
        return 0.0
    is_weak, is_supported = name.listed.strength is NameStrength.WEAK, evidence.birth is BirthEvidence.SAME_DAY
    telling = [pair for pair in evidence.comparison.pairs if pair.is_telling]
    names = [pair for pair in telling if pair.kind is WordKind.NAME]
    if (len(telling) < 2 or not names) and not is_supported:
        is_rare = any(pair.is_rare for pair in telling)
        # "Al-Qaida" is common on lists, and nowhere else; "General Trading" is common everywhere.
        is_whole = evidence.comparison.score >= WHOLE_NAME and is_organisations_name(evidence.comparison, party)
        if is_weak or not telling or not (is_rare or is_whole):
            return _NEVER
    return max(WEAK_NAME_SCORE, thresholds.review) if is_weak and not is_supported else thresholds.review


_NEVER = 2.0


def _may_block(name: IndexedName, party: ListedParty, thresholds: Thresholds, evidence: Evidence) -> bool:
    comparison, birth = evidence.comparison, evidence.birth
    if name.listed.strength is NameStrength.WEAK or birth in (BirthEvidence.DIFFERENT, BirthEvidence.NEAR):
        return False
    if evidence.is_other_kind and not is_organisations_name(comparison, party):
        return False
    if evidence.is_same_identifier and comparison.score >= thresholds.review:
        return True
    if not comparison.is_full or comparison.score < thresholds.block:
        return False
    rare = sum(pair.is_rare for pair in comparison.pairs)
    telling = sum(pair.is_telling for pair in comparison.pairs)
    if telling == 1 and not rare:
        return False
    if birth is BirthEvidence.SAME_DAY:
        return True
    if rare and (evidence.is_same_country or birth in (BirthEvidence.COMPATIBLE, BirthEvidence.SWAPPED)):
        return True
    is_exact = all(pair.pairing is Pairing.SAME for pair in comparison.pairs)
    return is_exact and rare >= RARE_WORDS_TO_BLOCK
