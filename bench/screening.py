"""Screening: names a second against 25,000 listed ones; void, and so an error, where recall is too low."""

import os
from pathlib import Path

from bench.figures import Figures
from services.compliance.evaluation import screenings_per_second
from tests.parts import Parts


def names(_: Parts) -> Figures:
    """With `WEIR_LISTS=FOLDER` on real lists; else on the fictional one among invented names."""
    folder = os.environ.get("WEIR_LISTS")
    found = screenings_per_second(Path(folder) if folder else None)
    return {
        "screenings_per_second": found.speed.per_second,
        "screening_p99_ms": found.speed.p99_ms,
        "screening_recall": found.recall,
        "screening_listed_names": found.listed_names,
    }
