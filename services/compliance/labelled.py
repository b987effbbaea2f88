"""How well pairs of names are told apart: measured on pairs that people have labelled, as `compare` scores them.

    .venv/bin/python -m services.compliance.labelled FILE

The threshold was chosen on the one half of the pairs, and the other is reported apart. Pairs with the same candidate,
however it is written, are in the same half: the sources of the labels repeat each other.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from libs.common.record import Record
from services.compliance.files.compare import COLUMNS, likeness_of
from services.compliance.files.rows import find_columns, read_table
from services.compliance.matching.scoring import PAIR_SCORE

PAIRS_FILE = "labelled_name_pairs.csv"
LABELS = {"true": True, "false": False}
SURE = "STRONG"
LABEL_COLUMNS = {**COLUMNS, "label": ("expected_match",), "quality": ("quality",), "source": ("source",)}


class Scored(Record):
    """A labelled pair, and what it scored."""

    source: str
    is_match: bool
    is_sure: bool
    is_chosen_on: bool
    """Whether the threshold was chosen with it."""
    score: float

    @property
    def is_right(self) -> bool:
        return (self.score >= PAIR_SCORE) is self.is_match


class Quality(Record):
    """How well some pairs were told apart, at the one threshold."""

    pairs: int
    precision: float
    recall: float
    f1: float


def score_pairs(path: Path) -> list[Scored]:
    """Score every pair of a file that has a label. Raises FileFault."""
    table = read_table(path)
    places = find_columns(path, table, LABEL_COLUMNS, required=["query_name", "candidate_name", "label"])
    found = []
    for number, row in enumerate(table.rows, start=2):
        cells = {meaning: row[place] for meaning, place in places.items()}
        is_match = LABELS.get(cells["label"])
        if is_match is not None:
            found.append(
                Scored(
                    source=cells.get("source", "").partition("(")[0],
                    is_match=is_match,
                    is_sure=cells.get("quality") == SURE,
                    is_chosen_on=_is_chosen_on(cells["candidate_name"]),
                    score=likeness_of(cells, f"{path} row {number}").score,
                )
            )
    return found


def _is_chosen_on(candidate: str) -> bool:
    letters = " ".join(sorted(letter for letter in candidate.lower() if letter.isalnum()))
    return sha256(letters.encode()).digest()[0] % 2 == 0


def quality(pairs: Sequence[Scored]) -> Quality:
    """Precision, recall and their harmonic mean. Takes a pair of each label at least."""
    taken = sum(pair.score >= PAIR_SCORE for pair in pairs)
    right = sum(pair.score >= PAIR_SCORE for pair in pairs if pair.is_match)
    matches = sum(pair.is_match for pair in pairs)
    return Quality(
        pairs=len(pairs),
        precision=right / taken if taken else 0.0,
        recall=right / matches,
        f1=2 * right / (taken + matches),
    )


def area_under_curve(pairs: Sequence[Scored]) -> float | None:
    """How often a match scores higher than what is none; None where there are only matches, or none."""
    yes = [pair.score for pair in pairs if pair.is_match]
    no = [pair.score for pair in pairs if not pair.is_match]
    if not yes or not no:
        return None
    return sum((one > other) + (one == other) / 2 for one in yes for other in no) / (len(yes) * len(no))


def report(pairs: Sequence[Scored]) -> Iterable[str]:
    """The figures, a line each."""
    parts = {
        "all": pairs,
        "the half that the threshold was chosen on": [pair for pair in pairs if pair.is_chosen_on],
        "the other half": [pair for pair in pairs if not pair.is_chosen_on],
    }
    for name, part in parts.items():
        found = quality(part)
        yield (
            f"{name}: F1 {found.f1:.4f} at {PAIR_SCORE} (precision {found.precision:.4f}, recall {found.recall:.4f}) "
            f"of {found.pairs} pairs"
        )
    sure = [pair for pair in pairs if pair.is_sure]
    yield f"sure cases right: {sum(pair.is_right for pair in sure)} of {len(sure)}"
    groups: dict[str, list[Scored]] = defaultdict(list)
    for pair in pairs:
        groups[pair.source].append(pair)
    for source, group in groups.items():
        area = area_under_curve(group)
        told = "matches only" if area is None else f"AUC {area:.3f}"
        yield f"  {source}: {told}, {sum(pair.is_right for pair in group)} of {len(group)} right"


if __name__ == "__main__":
    print("\n".join(report(score_pairs(Path(sys.argv[1])))))
