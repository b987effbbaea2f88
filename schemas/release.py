"""`python -m schemas.release`: freezes today's schemas as versions that every later one is held against.

What was released stays in `released/<full name>/<version>.avsc` for good, for events written with it
are in the logs for good. A change that would break a reader of any of them is refused here, in the
tests, and once more when `migrate` registers it.
"""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from libs.common.compatibility import breaches
from libs.common.events import Contract, Event

RELEASED = Path(__file__).parent / "released"
PACKAGES = ("payments", "fraud", "compliance", "accounts")


def main() -> None:
    for contract in contracts():
        faults = faults_of(contract)
        if faults:
            sys.exit("\n".join([f"{contract.full_name} would break its readers:", *faults]))
        if needs_release(contract):
            folder = RELEASED / contract.full_name
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{len(versions(contract)) + 1}.avsc"
            path.write_text(json.dumps(contract.schema, indent=2, ensure_ascii=False) + "\n")
            print(f"released {contract.full_name} {path.stem}")


def contracts() -> Iterator[Contract]:
    """The contract of every event type there is."""
    for package in PACKAGES:
        for value in vars(importlib.import_module(f"schemas.{package}.events")).values():
            if isinstance(value, type) and issubclass(value, Event) and "contract" in vars(value):
                yield value.contract


def versions(contract: Contract) -> list[dict[str, Any]]:
    """What was released of a schema, oldest first."""
    paths = sorted((RELEASED / contract.full_name).glob("*.avsc"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def needs_release(contract: Contract) -> bool:
    """Whether today's schema is not the one released last."""
    released = versions(contract)
    return not released or released[-1] != contract.schema


def faults_of(contract: Contract) -> list[str]:
    """Why today's schema may not follow what was released; empty when it may."""
    return [
        f"  version {number}: {fault}"
        for number, version in enumerate(versions(contract), 1)
        for fault in breaches(old=version, new=contract.schema)
    ]


if __name__ == "__main__":
    main()
