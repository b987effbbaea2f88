"""All listed names, arranged so that the few that resemble a given one are found without looking at the others. Pure.

    word ─► the listed words like it (one slip, other vowels, no vowels)
         ─► the names that have one of these, with how alike it is        kept per word
    name ─► the sum over its words, weighed by rarity ─► the best few     one addition per word

So the cost of a search is that of its words, not of the list; and what `compare.py` then judges with
care is a handful.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from libs.common.record import Record, replace
from services.compliance.lists.listed import ListedName
from services.compliance.matching.owned import listed_or_owned
from services.compliance.matching.rarity import is_rare, rarity, weight
from services.compliance.matching.scoring import CANDIDATE_SCORE_MIN, PAIRED_MIN, score
from services.compliance.matching.similarity import similarities, spelling_of
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.text import kind_of, words_of
from services.compliance.matching.words import WordKind

CANDIDATES_MAX = 40
"""How many names are judged with care at most."""
FORM_LENGTH_MIN = 3
"""What must be left of a word: shorter remains are shared by too many."""
KEPT_WORDS_MAX = 50_000
"""Words whose hits are kept; then they are forgotten and found anew."""
SLIP_MIN = 0.9
"""An unlisted word so like a listed one may be that word with a slip: then it is as rare as that, no rarer."""

Ids = NDArray[np.int32]
Shares = NDArray[np.float32]


class Word(Record):
    """A word of a name, ready to be compared."""

    text: str
    kind: WordKind
    weight: float
    is_rare: bool
    is_listed: bool = True
    """Whether it is a word of a listed name."""


class IndexedName(Record):
    """A listed name, ready to be compared."""

    listed: ListedName
    party_number: int
    words: tuple[Word, ...]


class NameIndex:
    """The names of all lists of one version. Never changes; what it keeps of searches only saves time."""

    def __init__(self, parties: Iterable[SourcedParty], *, version: int) -> None:
        self.version = version
        self.parties = listed_or_owned(tuple(parties))
        worded = [
            (listed, number, words)
            for number, source in enumerate(self.parties)
            for listed in source.party.names
            if (words := words_of(listed.name)) or source.party.identifiers
        ]
        self._occurrences = _count_parties((number, words) for _, number, words in worded)
        self._listed_words = {
            text: self._word(text, self._rarity(text)) for text in {text for _, _, words in worded for text in words}
        }
        self.names = tuple(
            IndexedName(listed=listed, party_number=number, words=tuple(self._listed_words[text] for text in words))
            for listed, number, words in worded
        )
        self._alike: dict[str, dict[str, float]] = {}
        self._found: dict[str, tuple[Ids, Shares]] = {}

    def words(self, name: str) -> tuple[Word, ...]:
        """The words of a name, with what they weigh among the listed ones."""
        return tuple(self._listed_words.get(text) or self._unlisted(text) for text in words_of(name))

    def alike(self, text: str) -> dict[str, float]:
        """The listed words like this one, and how alike they are."""
        alike = self._alike.get(text)
        if alike is None:
            if len(self._alike) >= KEPT_WORDS_MAX:
                self._alike.clear()
                self._found.clear()
            known = sorted(self._neighbours(text))
            spellings = [spelling_of(word) for word in known]
            likenesses = similarities(spelling_of(text), spellings, is_known=text in self._listed_words)
            alike = {word: likeness for word, likeness in zip(known, likenesses, strict=True) if likeness}
            self._alike[text] = alike
        return alike

    def candidates(self, words: Sequence[Word], *, at_most: int = CANDIDATES_MAX) -> list[int]:
        """The numbers of the names that may be alike, the most alike first."""
        parts = [self._names_with(word.text) for word in words if word.kind is not WordKind.INITIAL]
        parts += [self._names_with_joined(one.text + other.text) for one, other in pairwise(words)]
        ids = np.concatenate([ids for ids, _ in parts]) if parts else _NO_IDS
        if not len(ids):
            return []
        shared = np.bincount(ids, np.concatenate([shares for _, shares in parts]), minlength=len(self.names))
        asked = _worth(words)
        numbers = np.flatnonzero(shared >= PAIRED_MIN * asked)
        listed = self._totals[numbers]
        paired = np.minimum(shared[numbers], np.minimum(asked, listed))
        scores = score(paired, paired, asked - paired, listed - paired)
        likely = np.flatnonzero(scores >= CANDIDATE_SCORE_MIN)
        order = np.argsort(-scores[likely], kind="stable")[:at_most]
        return [int(number) for number in numbers[likely[order]]]

    def with_identifier(self, identifier: str) -> list[int]:
        """The numbers of the names of parties with an official number."""
        return self._by_identifier.get(identifier, [])

    def warm_up(self) -> None:
        """Arrange everything now, rather than with the first search."""
        self.candidates(self.words("warm up"))

    # Words

    def _word(self, text: str, rarity_of_word: float) -> Word:
        kind = kind_of(text)
        return Word(
            text=text,
            kind=kind,
            weight=weight(kind, rarity_of_word),
            is_rare=kind is WordKind.NAME and is_rare(rarity_of_word),
        )

    def _rarity(self, text: str) -> float:
        key = _key(text)
        return rarity(key, parties_with_word=self._occurrences.get(key, 0), parties=len(self.parties))

    def _unlisted(self, text: str) -> Word:
        word = replace(self._word(text, self._rarity(text)), is_listed=False)
        like = max(self.alike(text).items(), key=lambda item: item[1], default=("", 0.0))
        if like[1] < SLIP_MIN:
            return word
        listed = self._listed_words[like[0]]
        return replace(word, weight=min(word.weight, listed.weight), is_rare=word.is_rare and listed.is_rare)

    def _neighbours(self, text: str) -> set[str]:
        found: set[str] = set()
        for form in _forms(text):
            found.update(self._by_form.get(form, ()))
        spelling = spelling_of(text)
        found.update(self._by_skeleton.get(spelling.bones, ()))
        for group in spelling.groups:
            found.update(self._by_group.get(group, ()))
        return found

    @cached_property
    def _by_form(self) -> dict[str, list[str]]:
        """Listed words by what is left of them without one letter: two words one slip apart meet there."""
        found: dict[str, list[str]] = defaultdict(list)
        for text in self._listed_words:
            for form in _forms(text):
                found[form].append(text)
        return dict(found)

    @cached_property
    def _by_skeleton(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for text in self._listed_words:
            if bones := spelling_of(text).bones:
                found[bones].append(text)
        return dict(found)

    @cached_property
    def _by_group(self) -> dict[int, list[str]]:
        """Listed words by the names they may stand for: Ted and Theodore meet there."""
        found: dict[int, list[str]] = defaultdict(list)
        for text in self._listed_words:
            for group in spelling_of(text).groups:
                found[group].append(text)
        return dict(found)

    # Names

    @cached_property
    def _by_identifier(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self.names):
            for identifier in self.parties[name.party_number].party.identifiers:
                found[identifier].append(number)
        return dict(found)

    @cached_property
    def _totals(self) -> NDArray[np.float64]:
        return np.array([_worth(name.words) for name in self.names], dtype=np.float64)

    @cached_property
    def _postings(self) -> dict[str, Ids]:
        """The names that have a word."""
        return _grouped((word.text, number) for number, name in enumerate(self.names) for word in name.words)

    @cached_property
    def _joined(self) -> dict[str, Ids]:
        """The names that have two words which someone might write as one: "Al Qaida", "Abu Bakr"."""
        return _grouped(
            (_key(one.text + other.text), number)
            for number, name in enumerate(self.names)
            for one, other in pairwise(name.words)
        )

    def _names_with(self, text: str) -> tuple[Ids, Shares]:
        """The names that have a word like this one, or two that make it, and what the best of them is worth."""
        found = self._found.get(text)
        if found is None:
            found = self._found[text] = self._look_up(text)
        return found

    def _look_up(self, text: str) -> tuple[Ids, Shares]:
        parts = [
            (self._postings[known], likeness * self._listed_words[known].weight)
            for known, likeness in self.alike(text).items()
        ]
        joined = self._joined.get(_key(text))
        if joined is not None:
            parts.append((joined, 1.0))
        if not parts:
            return _NO_IDS, _NO_SHARES
        every = np.concatenate([ids for ids, _ in parts])
        worths = np.concatenate([np.full(len(ids), worth, dtype=np.float32) for ids, worth in parts])
        ids, places = np.unique(every, return_inverse=True)
        best = np.zeros(len(ids), dtype=np.float32)
        np.maximum.at(best, places, worths)
        return ids, best

    def _names_with_joined(self, text: str) -> tuple[Ids, Shares]:
        """The names that have these two words written as one."""
        ids = self._postings.get(text)
        if ids is None:
            return _NO_IDS, _NO_SHARES
        return ids, np.full(len(ids), self._listed_words[text].weight, dtype=np.float32)


_NO_IDS: Ids = np.empty(0, dtype=np.int32)
_NO_SHARES: Shares = np.empty(0, dtype=np.float32)


def _worth(words: Iterable[Word]) -> float:
    """What the words of a name weigh together; initials count only where names are compared with care."""
    return sum(word.weight for word in words if word.kind is not WordKind.INITIAL)


def _key(text: str) -> str:
    return spelling_of(text).blurred


def _count_parties(names: Iterable[tuple[int, tuple[str, ...]]]) -> dict[str, int]:
    """How many parties have a word: one with thirty aliases counts once."""
    parties: dict[str, set[int]] = defaultdict(set)
    for number, words in names:
        for word in words:
            parties[_key(word)].add(number)
    return {key: len(numbers) for key, numbers in parties.items()}


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, Ids]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for text, number in pairs:
        if not numbers[text] or numbers[text][-1] != number:
            numbers[text].append(number)
    return {text: np.array(found, dtype=np.int32) for text, found in numbers.items()}


def _forms(text: str) -> set[str]:
    """A word as written and as folded, whole and with each letter left out."""
    return {form for word in {text, _key(text)} for form in (word, *_with_one_left_out(word))}


def _with_one_left_out(word: str) -> Iterator[str]:
    for position in range(len(word)) if len(word) > FORM_LENGTH_MIN else ():
        yield word[:position] + word[position + 1 :]
