"""Where looking back at payments has come to, and whom it comes to next."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.message import Command
from libs.common.sweep import DUE_MAX
from libs.common.writes import Table, lock_rows
from services.compliance.domain.looking_back import LOOKING_BACK_ID, GoOn, LookBack
from services.compliance.domain.work import LookingBack, Mark

PAGE_MAX = DUE_MAX - 1
"""Payments that are looked at with one mark: both are carried out in one batch, and the next follows at once."""

LONGEST_HOLD = timedelta(days=30)
"""So long a payment that has not settled may yet: several times what payments gives people to decide."""

MARKS = Table(
    "looking_back",
    key={"looking_back_id": "uuid"},
    changing={
        "matcher_version": "integer",
        "catalogue_version": "bigint",
        "after_at": "timestamptz",
        "after_id": "uuid",
        "is_done": "boolean",
    },
)


def lock_mark(tx: Connection, bodies: Sequence[Any]) -> dict[str, LookingBack]:
    """How far it has come, if the batch goes on with it."""
    if not any(isinstance(body, GoOn) for body in bodies):
        return {}
    return {row[0]: _looking_back(row) for row in lock_rows(tx, MARKS, {LOOKING_BACK_ID})}


def find_due(
    tx: Connection, versions: tuple[int, int], at_most: int
) -> Iterator[tuple[Command, str, Sequence[object]]]:
    """What is to be looked at, and that the mark moves on behind it: whom, and what makes it another than before."""
    count = 0
    for payment_id in _find_marked(tx, at_most):
        count += 1
        yield LookBack(payment_id=payment_id), payment_id, ("look again", *versions)
    at_most -= count
    if at_most < 2:
        return
    before = _find(tx)
    mark = None if before is None or before.versions < versions else before.mark
    if before is not None and (before.versions > versions or (before.versions == versions and before.is_done)):
        return
    length = min(at_most - 1, PAGE_MAX)
    page = _find_page(tx, versions, mark, length)
    for payment_id, _ in page:
        yield LookBack(payment_id=payment_id), payment_id, ("look back", *versions)
    seen = tuple(payment_id for payment_id, _ in page)
    last = Mark(at=page[-1][1], payment_id=seen[-1]) if page else mark
    after = LookingBack(
        matcher_version=versions[0], catalogue_version=versions[1], mark=last, is_done=len(page) < length
    )
    yield (
        GoOn(before=before, after=after, payment_ids=seen),
        LOOKING_BACK_ID,
        ("go on", *versions, seen[-1] if seen else ""),
    )


def forget_orders(look_back_for: timedelta, tx: Connection, at_most: int) -> int:
    """Forget orders that are looked back at no more, by when they settled. What was answered stays."""
    # Where nobody looks back any more nothing is waited for.
    held_for = max(look_back_for, LONGEST_HOLD) if look_back_for else look_back_for
    return execute(
        tx,
        """UPDATE screenings SET ordered = NULL, is_to_look_at = false WHERE payment_id IN (
             SELECT payment_id FROM screenings WHERE ordered IS NOT NULL AND screened_at < now() - %s
                AND coalesce(settled_at < now() - %s, screened_at < now() - %s)
              ORDER BY screened_at, payment_id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)""",
        (look_back_for, look_back_for, held_for, at_most),
    )


def mark_row(one: LookingBack) -> tuple[Any, ...]:
    """A row of MARKS."""
    at, payment_id = (one.mark.at, one.mark.payment_id) if one.mark is not None else (None, None)
    return LOOKING_BACK_ID, one.matcher_version, one.catalogue_version, at, payment_id, one.is_done


def _find(tx: Connection) -> LookingBack | None:
    rows = fetch(tx, f"SELECT {MARKS.select} FROM looking_back WHERE looking_back_id = %s", (LOOKING_BACK_ID,))
    return _looking_back(rows[0]) if rows else None


def _find_marked(tx: Connection, at_most: int) -> list[str]:
    rows = fetch(
        tx, "SELECT payment_id FROM screenings WHERE is_to_look_at ORDER BY payment_id LIMIT %s", (max(at_most, 0),)
    )
    return [payment_id for (payment_id,) in rows]


def _find_page(
    tx: Connection, versions: tuple[int, int], after: Mark | None, at_most: int
) -> list[tuple[str, datetime]]:
    """Payments whose orders are kept, and that were answered with older versions, settled or not.

    Those that have not are looked at for their lock's sake: whoever is just noting that one has settled is waited for,
    and whoever notes it later sees that it was answered with older versions than there are.
    """
    beyond = "AND (screened_at, payment_id) > (%s, %s)" if after is not None else ""
    rows = fetch(
        tx,
        f"""SELECT payment_id, screened_at FROM screenings
             WHERE ordered IS NOT NULL AND (matcher_version, catalogue_version) < (%s, %s) {beyond}
             ORDER BY screened_at, payment_id LIMIT %s""",
        (*versions, *((after.at, after.payment_id) if after is not None else ()), at_most),
    )
    return [(payment_id, at) for payment_id, at in rows]


def _looking_back(row: Sequence[Any]) -> LookingBack:
    _, matcher_version, catalogue_version, at, payment_id, is_done = row
    return LookingBack(
        matcher_version=matcher_version,
        catalogue_version=catalogue_version,
        mark=None if at is None else Mark(at=at, payment_id=payment_id),
        is_done=is_done,
    )
