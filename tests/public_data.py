"""Public data that tests and benchmarks are held against where it is: lists and labelled pairs, schemas of e-filing.

`WEIR_DATA` names the folder; without it, `shared/data` beside the repository. In it:

    sanctions/   lists of the UN and OFAC, clean customers, labelled pairs of names: `make bench`
    fincen/      the XSDs of FinCEN's e-filing system: every report that a unit test writes is validated
"""

import os
from pathlib import Path

from stack.settings import REPOSITORY

BESIDE = Path("../shared/data")
"""From the repository."""


def folder(subject: str) -> Path | None:
    """Where the data on a subject are, if they are there. Raises FileNotFoundError where `WEIR_DATA` names nothing."""
    given = os.environ.get("WEIR_DATA")
    root = Path(given) if given else (REPOSITORY / BESIDE).resolve()
    if given and not root.is_dir():
        raise FileNotFoundError(f"WEIR_DATA: there is no folder {given}")
    found = root / subject
    return found if found.is_dir() else None
