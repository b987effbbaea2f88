"""How alike two names are, word by word, with care and with reasons. Pure.

Words are paired, each with at most one (or with two that were written as one), the best and
weightiest pairs first. What finds no partner counts against the name (see `scoring.py`).
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from libs.common.record import Record
from services.compliance.matching.index import IndexedName, NameIndex, Word
from services.compliance.matching.scoring import CONFLICT, MISSING, MISSING_AMONG_SYLLABLES
from services.compliance.matching.similarity import OTHER_NAME, similarity, spelling_of
from services.compliance.matching.words import WordKind

INITIAL = 0.80
"""An initial against a word that begins with it, or several written together against as many words: PLA, JC."""
OTHER_INITIAL_WEIGHT = 0.45
"""What an initial weighs that the other name contradicts: William G. Frost is not William W. Frost."""
JOINED = 0.96
"""Words against the one they make."""
JOINED_WORDS_MAX = 4
JOINED_MIN = 0.9
"""How alike they must be to be taken for it."""
JOINED_LENGTH_MIN = 5
"""Shorter words are made by too many."""
INITIALS_LENGTH_MIN = 3
"""Shorter words are taken for the initials of several others only if they have no vowel: JC, but not Al."""
SYLLABLE_LENGTH_MAX = 6
SLIP = 0.95
"""Pairs less alike than this differ by more than spelling."""
SLIPS = 2.0
"""How much more each slip counts when there are several among few words: one is human, two are another name."""
ONE_WORD_MAX = 0.80
"""What names can reach at most that have one word in common, and others that they don't: John Smith, John."""

_TELLING = frozenset((WordKind.NAME, WordKind.COMMON))
_BEGIN_NAMES = frozenset((WordKind.NAME, WordKind.INITIAL))


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

    is_reordered: bool
    """Whether words of weight that both have stand in another order."""

    @property
    def is_full(self) -> bool:
        """Whether every word of weight on either side has found its partner."""
        return not self.left_asked and not self.left_listed


def compare(index: NameIndex, asked: Sequence[Word], name: IndexedName) -> Comparison:
    """How alike a name is to a listed one."""
    listed = name.words
    free_asked, free_listed = list(range(len(asked))), list(range(len(listed)))
    are_syllables = _are_syllables(asked)
    pairs = _pair_words(index, asked, listed, free_asked, free_listed, are_syllables=are_syllables)
    if free_asked and free_listed:
        pairs += _pair_one_with_several(asked, listed, free_asked, free_listed, is_asked_one=True)
        pairs += _pair_one_with_several(listed, asked, free_listed, free_asked, is_asked_one=False)
        pairs += _pair_initials(asked, listed, free_asked, free_listed)
        pairs += _pair_initials_together(asked, listed, free_asked, free_listed, is_asked_one=True)
        pairs += _pair_initials_together(listed, asked, free_listed, free_asked, is_asked_one=False)
    left_asked, left_listed = [asked[n] for n in free_asked], [listed[n] for n in free_listed]
    return Comparison(
        score=_score(pairs, left_asked, left_listed, are_syllables=are_syllables),
        pairs=tuple(pairs),
        left_asked=tuple(word.text for word in left_asked if word.kind in _TELLING),
        left_listed=tuple(word.text for word in left_listed if word.kind in _TELLING),
        is_reordered=_is_reordered(pairs, asked, listed),
    )


def _is_reordered(pairs: Sequence[Pair], asked: Sequence[Word], listed: Sequence[Word]) -> bool:
    places = {word.text: place for place, word in enumerate(listed)}
    found = {pair.asked: places[pair.listed] for pair in pairs if pair.is_telling and pair.listed in places}
    order = [found[word.text] for word in asked if word.text in found]
    return order != sorted(order)


def _score(
    pairs: Sequence[Pair], left_asked: Sequence[Word], left_listed: Sequence[Word], *, are_syllables: bool
) -> float:
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
        asked += _weight_left(word, left_listed)
    for word in left_listed:
        listed += _weight_left(word, left_asked)
    missing = MISSING_AMONG_SYLLABLES if are_syllables and not is_rare else MISSING
    total = paired + CONFLICT * 2 * min(asked, listed) + missing * abs(asked - listed)
    score = (paired - lost) / total if total else 0.0
    if telling <= 1 and _is_more_said(pairs, left_asked, left_listed):
        return min(score, ONE_WORD_MAX)
    return score


def _weight_left(word: Word, others: Sequence[Word]) -> float:
    if word.kind is WordKind.INITIAL and any(other.kind in _BEGIN_NAMES for other in others):
        return OTHER_INITIAL_WEIGHT
    return word.weight


def _is_more_said(pairs: Sequence[Pair], left_asked: Sequence[Word], left_listed: Sequence[Word]) -> bool:
    """Whether either name has a word that the other has not, or only by its first letter."""
    return any(word.kind is WordKind.NAME for word in (*left_asked, *left_listed)) or any(
        pair.pairing is Pairing.INITIAL and pair.asked != pair.listed for pair in pairs
    )


def _pair_words(
    index: NameIndex,
    asked: Sequence[Word],
    listed: Sequence[Word],
    free_asked: list[int],
    free_listed: list[int],
    *,
    are_syllables: bool,
) -> list[Pair]:
    found = []
    for a, word in enumerate(asked):
        alike = index.alike(word.text)
        if are_syllables and word.is_listed:
            # Kim Jong Su is not Kim Yong Su with a slip: both are names.
            alike = {text: likeness for text, likeness in alike.items() if likeness >= OTHER_NAME}
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


def _are_syllables(words: Sequence[Word]) -> bool:
    """Whether a name consists of single syllables, as in East Asia, where each is many people's name."""
    names = [word.text for word in words if word.kind is WordKind.NAME]
    return len(names) > 1 and all(len(name) <= SYLLABLE_LENGTH_MAX and _SYLLABLE.fullmatch(name) for name in names)


_SYLLABLE = re.compile("[^aeiouy]*[aeiouy]+[^aeiouy]*")


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


def _pair_one_with_several(
    ones: Sequence[Word], others: Sequence[Word], free_ones: list[int], free_others: list[int], *, is_asked_one: bool
) -> list[Pair]:
    """Pair words with those that stand side by side in the other name and make them: "alqaida", "al qaida"."""
    pairs = []
    for a in list(free_ones):
        found = _find_run(ones[a], others, free_others)
        if found is not None:
            run, likeness = found
            free_ones.remove(a)
            free_others[:] = [number for number in free_others if number not in run]
            pairs.append(_joined_pair(ones[a], others[run.start : run.stop], likeness, is_asked_one=is_asked_one))
    return pairs


def _find_run(one: Word, others: Sequence[Word], free: Sequence[int]) -> tuple[range, float] | None:
    """The places of the words that make this one, and how alike they are to it."""
    if len(one.text) < JOINED_LENGTH_MIN:
        return None
    for start in range(len(others) - 1):
        length, text = len(others[start].text), others[start].text
        for end in range(start + 1, min(start + JOINED_WORDS_MAX, len(others))):
            text += others[end].text
            length = len(text)
            if length > len(one.text) + 2:
                break
            run = range(start, end + 1)
            # A particle may have found a partner already: it is short, and everywhere.
            if length < len(one.text) - 2 or not _is_free(run, others, free):
                continue
            likeness = similarity(spelling_of(text), spelling_of(one.text))
            if likeness >= JOINED_MIN:
                return run, likeness
    return None


def _is_free(run: range, words: Sequence[Word], free: Sequence[int]) -> bool:
    return any(number in free for number in run) and all(
        number in free or words[number].kind not in _TELLING for number in run
    )


def _joined_pair(one: Word, others: Sequence[Word], likeness: float, *, is_asked_one: bool) -> Pair:
    several = " ".join(word.text for word in others)
    return Pair(
        asked=one.text if is_asked_one else several,
        listed=several if is_asked_one else one.text,
        pairing=Pairing.JOINED,
        likeness=min(JOINED, likeness),
        weight=min(one.weight, sum(word.weight for word in others)),
        kind=WordKind.NAME,
        is_rare=one.is_rare and any(word.is_rare for word in others),
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


def _pair_initials_together(
    ones: Sequence[Word], others: Sequence[Word], free_ones: list[int], free_others: list[int], *, is_asked_one: bool
) -> list[Pair]:
    """Pair words with those whose first letters they are: "pla", "peoples liberation army"."""
    pairs = []
    for a in list(free_ones):
        run = _run_with_initials(ones[a].text, others, free_others)
        if run is not None:
            free_ones.remove(a)
            free_others[:] = [number for number in free_others if number not in run]
            several = " ".join(others[number].text for number in run)
            pairs.append(
                Pair(
                    asked=ones[a].text if is_asked_one else several,
                    listed=several if is_asked_one else ones[a].text,
                    pairing=Pairing.INITIAL,
                    likeness=INITIAL,
                    weight=sum(others[number].weight for number in run),
                    kind=WordKind.INITIAL,
                    is_rare=False,
                )
            )
    return pairs


def _run_with_initials(text: str, others: Sequence[Word], free: Sequence[int]) -> list[int] | None:
    if len(text) < INITIALS_LENGTH_MIN and (len(text) < 2 or not _VOWELS.isdisjoint(text)):
        return None
    telling = [number for number, word in enumerate(others) if word.kind in _TELLING]
    for start in range(len(telling) - len(text) + 1):
        run = telling[start : start + len(text)]
        if all(number in free and others[number].text[0] == letter for number, letter in zip(run, text, strict=True)):
            return run
    return None


_VOWELS = frozenset("aeiouy")
