"""Which parts of two names, as they are written, have found their partners: what an analyst's eye looks for. Pure.

What is compared are words in Latin letters; what is shown is the name as somebody wrote it. A part of it is marked if
what is read from it, by itself or with its neighbours ("Abd al-Rahman"), are words that have found partners.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from services.compliance.lists.listed import ListedName, ListedParty, PartyKind
from services.compliance.matching.compare import JOINED_WORDS_MAX, Pair, Pairing, compare
from services.compliance.matching.index import NameIndex
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.text import NAME_LENGTH_MAX, words_of

_PARTS = re.compile(r"[^\s,;/()-]+")


class How(StrEnum):
    """How a part relates to the other name."""

    NOT = "not"
    SAME = "same"
    NEAR = "near"
    """Alike, an initial, or written in another number of words."""


Part = tuple[str, How]
Parts = tuple[Part, ...]
"""Put together they are the whole name."""


def marked_names(name: str, listed_name: str) -> tuple[Parts, Parts]:
    """Two names, with what they have in common. It is the same whichever list the second one stands on."""
    pairs = _pairs(name, listed_name)
    return (
        _marked(name, _found((pair.asked, pair) for pair in pairs)),
        _marked(listed_name, _found((pair.listed, pair) for pair in pairs)),
    )


def _pairs(name: str, listed_name: str) -> tuple[Pair, ...]:
    party = ListedParty(entity_id="", kind=PartyKind.PERSON, names=(ListedName(name=listed_name),))
    index = NameIndex([SourcedParty(list_name="", import_id=0, party=party)], version=0)
    words = index.words(name)
    return compare(index, words, index.names[0]).pairs if words and index.names else ()


def _found(words: Iterable[tuple[str, Pair]]) -> dict[str, How]:
    return {
        word: How.SAME if pair.pairing is Pairing.SAME else How.NEAR for text, pair in words for word in text.split()
    }


def _marked(name: str, found: Mapping[str, How]) -> Parts:
    parts: list[Part] = []
    matches = list(_PARTS.finditer(name[:NAME_LENGTH_MAX]))
    end = number = 0
    while number < len(matches):
        run = _run(name, matches[number : number + JOINED_WORDS_MAX], found)
        if run is None:
            number += 1
            continue
        length, how = run
        start, stop = matches[number].start(), matches[number + length - 1].end()
        parts += [(name[end:start], How.NOT), (name[start:stop], how)]
        end, number = stop, number + length
    parts.append((name[end:], How.NOT))
    return tuple(part for part in parts if part[0])


def _run(name: str, matches: list[re.Match[str]], found: Mapping[str, How]) -> tuple[int, How] | None:
    """How many parts from here on are read as words that have partners; alone, if any of its words has one."""
    own = words_of(matches[0][0])
    alone = [how for word in own if (how := found.get(word))]
    if alone:
        return 1, How.NEAR if How.NEAR in alone else How.SAME
    if not own:
        return None
    for length in range(len(matches), 1, -1):
        words = words_of(name[matches[0].start() : matches[length - 1].end()])
        if len(words) == 1 and (how := found.get(words[0])):
            return length, how
    return None
