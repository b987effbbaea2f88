"""How often each rule fired, and how that turned out: counts that many processes add to."""

import random
from collections.abc import Iterable
from typing import Any

from libs.common.record import replace
from libs.common.writes import Table
from services.fraud.domain.knowledge import Tally

_TALLY_SLOTS = 64
"""Processes that count the same rules add to rows of their own, most likely, and so don't wait for one another."""
_SLOT = random.randrange(_TALLY_SLOTS)
TALLIES = Table(
    "tallies",
    fixed={
        "slot": "smallint",
        "rules_version": "text",
        "counted": "text",
        "payments": "bigint",
        "frauds": "bigint",
        "genuine": "bigint",
    },
    on_conflict="""(slot, rules_version, counted) DO UPDATE
        SET payments = old.payments + excluded.payments, frauds = old.frauds + excluded.frauds,
            genuine = old.genuine + excluded.genuine""",
)


def rows_of(tallies: Iterable[Tally]) -> list[tuple[Any, ...]]:
    """What is to be added, in the order of its keys, for others may be adding to the same."""
    sums: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        key = (tally.rules_version, tally.counted)
        sums[key] = _sum(sums[key], tally) if key in sums else tally
    slot = _SLOT
    return sorted((slot, *key, tally.payments, tally.frauds, tally.genuine) for key, tally in sums.items())


def _sum(one: Tally, other: Tally) -> Tally:
    return replace(
        one,
        payments=one.payments + other.payments,
        frauds=one.frauds + other.frauds,
        genuine=one.genuine + other.genuine,
    )
