"""Screening: names a second against 25,000 listed ones, void where recall is too low; and how pairs are told apart."""

from pathlib import Path

from bench.figures import Figures
from services.compliance.evaluation import screenings_per_second
from services.compliance.labelled import PAIRS_FILE, quality, score_pairs
from tests import public_data
from tests.parts import Parts


def names(_: Parts) -> Figures:
    """On real lists, customers and labelled pairs where they are (tests/public_data.py), else on invented ones."""
    folder = public_data.folder("sanctions")
    found = screenings_per_second(folder)
    return {
        "screenings_per_second": found.speed.per_second,
        "screening_p99_ms": found.speed.p99_ms,
        "screening_recall": found.recall,
        **{f"screening_recall_{recall.treatment.value}": recall.share for recall in found.recalls},
        "screening_false_alarms_by_name": max(alarms.rate_by_name for alarms in found.false_alarms),
        "screening_false_alarms_with_birth": max(alarms.rate_with_birth for alarms in found.false_alarms),
        "screening_listed_names": found.listed_names,
        **_pairs(folder),
    }


def _pairs(folder: Path | None) -> Figures:
    if folder is None or not (folder / PAIRS_FILE).exists():
        return {}
    pairs = score_pairs(folder / PAIRS_FILE)
    return {
        "pairs_f1": quality(pairs).f1,
        "pairs_f1_of_the_half_chosen_on": quality([pair for pair in pairs if pair.is_chosen_on]).f1,
        "pairs_f1_of_the_other_half": quality([pair for pair in pairs if not pair.is_chosen_on]).f1,
        "pairs_sure_cases_wrong": sum(pair.is_sure and not pair.is_right for pair in pairs),
    }
