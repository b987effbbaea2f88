"""Two names that somebody put side by side: how alike they are and why, by what judges the lists. Pure.

The words of the one weigh as in a list that has only the other: what is rare is taken from the table of the world's
most common names. From PAIR_SCORE on they are taken for one party.
"""

from libs.common.record import Record
from services.compliance.lists.listed import ListedParty
from services.compliance.matching.evidence import reasons, weigh
from services.compliance.matching.index import NameIndex
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.subject import Subject


class Likeness(Record):
    """How alike two parties are, from 0 to 1."""

    score: float
    reasons: tuple[str, ...]

    @property
    def explanation(self) -> str:
        return "; ".join(self.reasons)


def compare_parties(subject: Subject, other: ListedParty) -> Likeness:
    """Compare a party with another by the best of its names."""
    index = NameIndex([SourcedParty(list_name="pair", import_id=0, party=other)], version=0)
    words = index.words(subject.name)
    if not words or not index.names:
        return Likeness(score=0.0, reasons=("a name without letters or figures",))
    weighed = [(weigh(index, subject, words, name), name.listed.strength) for name in index.names]
    best, strength = max(weighed, key=lambda found: found[0].score)
    return Likeness(score=round(best.score, 4), reasons=reasons(best, subject, other, strength))
