"""How alike two names are, word by word, with care and with reasons. Pure.

Words are paired, each with at most one (or with two that were written as one), the best and
weightiest pairs first. What finds no partner counts against the name (see `scoring.py`).
"""

from collections.abc import Sequence
from enum import StrEnum

from libs.common.record import Record
from services.compliance.matching.index import IndexedName, NameIndex, Word
from services.compliance.matching.scoring import CONFLICT, MISSING, MISSING_AMONG_COMMON
from services.compliance.matching.similarity import similarity, spelling_of
from services.compliance.matching.words import WordKind

INITIAL = 0.80
"""An initial against a word that begins with it."""
JOINED = 0.96
"""Two words against the one they make."""
JOINED_MIN = 0.9
"""How alike they must be to be taken for it."""
JOINED_LENGTH_MIN = 5
"""Shorter words are made by too many pairs."""
SLIP = 0.95
"""Pairs less alike than this differ by more than spelling."""
SLIPS = 2.0
"""How much more each slip counts when there are several among few words: one is human, two are another name."""
ONE_WORD_MAX = 0.80
"""What names can reach at most that have one word in common, and others that they don't: John Smith, John."""

_TELLING = frozenset((WordKind.NAME, WordKind.COMMON))


class Pairing(StrEnum):
    """How a word of one name relates to one of the other."""

    SAME = "same"
    SIMILAR = "similar"
    INITIAL = "initial"
    JOINED = "joined"


class Pair(Record):
    """A word of the name, and the listed word it stands for."""

    asked: str
    listed: str
    pairing: Pairing
    likeness: float
    weight: float
    kind: WordKind
    is_rare: bool

    @property
    def is_telling(self) -> bool:
        """Whether it says something about who it is, as particles, titles and legal forms don't."""
        return self.kind in _TELLING


class Comparison(Record):
    """Two names, word by word."""

    score: float
    pairs: tuple[Pair, ...]
    left_asked: tuple[str, ...]
    """Words of weight that the listed name doesn't have."""
    left_listed: tuple[str, ...]
    """Words of weight that only the listed name has."""

    @property
    def is_full(self) -> bool:
        """Whether every word of weight on either side has found its partner."""
        return not self.left_asked and not self.left_listed


def compare(index: NameIndex, asked: Sequence[Word], name: IndexedName) -> Comparison:
    """How alike a name is to a listed one."""
    listed = name.words
    free_asked, free_listed = list(range(len(asked))), list(range(len(listed)))
    pairs = _pair_words(index, asked, listed, free_asked, free_listed)
    if free_asked and free_listed:
        pairs += _pair_one_with_two(asked, listed, free_asked, free_listed, is_asked_one=True)
        pairs += _pair_one_with_two(listed, asked, free_listed, free_asked, is_asked_one=False)
        pairs += _pair_initials(asked, listed, free_asked, free_listed)
    left_asked, left_listed = [asked[n] for n in free_asked], [listed[n] for n in free_listed]
    return Comparison(
        score=_score(pairs, left_asked, left_listed),
        pairs=tuple(pairs),
        left_asked=tuple(word.text for word in left_asked if word.kind in _TELLING),
        left_listed=tuple(word.text for word in left_listed if word.kind in _TELLING),
    )


def _score(pairs: Sequence[Pair], left_asked: Sequence[Word], left_listed: Sequence[Word]) -> float:
    # The formula of `scoring.score`, written out: numpy would cost more than the sum.
    paired = lost = asked = listed = 0.0
    slips = telling = 0
    is_rare = False
    for pair in pairs:
        paired += pair.weight
        lost += pair.weight * (1 - pair.likeness)
        slips += pair.likeness < SLIP
        telling += pair.is_telling
        is_rare |= pair.is_rare
    if slips > 1:
        lost *= max(1.0, SLIPS * slips / len(pairs))
    for word in left_asked:
        asked += word.weight
    for word in left_listed:
        listed += word.weight
    missing = MISSING if is_rare else MISSING_AMONG_COMMON
    total = paired + CONFLICT * 2 * min(asked, listed) + missing * abs(asked - listed)
    score = (paired - lost) / total if total else 0.0
    if telling <= 1 and _is_more_said(pairs, left_asked, left_listed):
        return min(score, ONE_WORD_MAX)
    return score


def _is_more_said(pairs: Sequence[Pair], left_asked: Sequence[Word], left_listed: Sequence[Word]) -> bool:
    """Whether either name has a word that the other has not, or only by its first letter."""
    return any(word.kind is WordKind.NAME for word in (*left_asked, *left_listed)) or any(
        pair.pairing is Pairing.INITIAL and pair.asked != pair.listed for pair in pairs
    )


def _pair_words(
    index: NameIndex, asked: Sequence[Word], listed: Sequence[Word], free_asked: list[int], free_listed: list[int]
) -> list[Pair]:
    found = []
    for a, word in enumerate(asked):
        alike = index.alike(word.text)
        for b, other in enumerate(listed):
            likeness = alike.get(other.text)
            if likeness:
                # The same word first, then by what is won.
                found.append((likeness == 1.0, min(word.weight, other.weight) * likeness, likeness, -a, -b))
    found.sort(reverse=True)
    pairs = []
    for _, _, likeness, a, b in found:
        if -a in free_asked and -b in free_listed:
            free_asked.remove(-a)
            free_listed.remove(-b)
            pairs.append(_pair(asked[-a], listed[-b], likeness))
    return pairs


def _pair(asked: Word, listed: Word, likeness: float) -> Pair:
    return Pair(
        asked=asked.text,
        listed=listed.text,
        pairing=Pairing.SAME if likeness == 1.0 else Pairing.SIMILAR,
        likeness=likeness,
        weight=min(asked.weight, listed.weight),
        kind=listed.kind,
        is_rare=asked.is_rare and listed.is_rare,
    )


def _pair_one_with_two(
    ones: Sequence[Word], twos: Sequence[Word], free_ones: list[int], free_twos: list[int], *, is_asked_one: bool
) -> list[Pair]:
    """Pair words with two that stand side by side in the other name and make them: "alqaida", "al qaida"."""
    pairs = []
    for a in list(free_ones):
        for b in range(len(twos) - 1):
            if not _may_be_joined(ones[a], twos, b, free_twos):
                continue
            likeness = similarity(spelling_of(twos[b].text + twos[b + 1].text), spelling_of(ones[a].text))
            if likeness >= JOINED_MIN:
                free_ones.remove(a)
                free_twos[:] = [number for number in free_twos if number not in (b, b + 1)]
                pairs.append(_joined_pair(ones[a], twos[b], twos[b + 1], likeness, is_asked_one=is_asked_one))
                break
    return pairs


def _may_be_joined(one: Word, twos: Sequence[Word], b: int, free_twos: Sequence[int]) -> bool:
    # A particle may have found a partner already: it is short, and everywhere.
    is_free = all(number in free_twos or twos[number].kind not in _TELLING for number in (b, b + 1))
    has_length = (
        len(one.text) >= JOINED_LENGTH_MIN and abs(len(twos[b].text) + len(twos[b + 1].text) - len(one.text)) <= 2
    )
    return is_free and has_length and (b in free_twos or b + 1 in free_twos)


def _joined_pair(one: Word, first: Word, second: Word, likeness: float, *, is_asked_one: bool) -> Pair:
    both = f"{first.text} {second.text}"
    return Pair(
        asked=one.text if is_asked_one else both,
        listed=both if is_asked_one else one.text,
        pairing=Pairing.JOINED,
        likeness=min(JOINED, likeness),
        weight=min(one.weight, first.weight + second.weight),
        kind=WordKind.NAME,
        is_rare=one.is_rare and (first.is_rare or second.is_rare),
    )


def _pair_initials(
    asked: Sequence[Word], listed: Sequence[Word], free_asked: list[int], free_listed: list[int]
) -> list[Pair]:
    """Pair initials with words that begin with them: such a word is then neither found nor missing."""
    pairs = []
    for a in list(free_asked):
        for b in list(free_listed):
            one, other = asked[a], listed[b]
            if WordKind.INITIAL in (one.kind, other.kind) and one.text[0] == other.text[0]:
                free_asked.remove(a)
                free_listed.remove(b)
                pairs.append(
                    Pair(
                        asked=one.text,
                        listed=other.text,
                        pairing=Pairing.INITIAL,
                        likeness=INITIAL,
                        weight=min(one.weight, other.weight) * 2,
                        kind=WordKind.INITIAL,
                        is_rare=False,
                    )
                )
                break
    return pairs
