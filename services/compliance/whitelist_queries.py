"""What people ask about whitelisted pairs: read-only SQL."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine

from libs.common.database import array, fetch, transaction
from libs.common.record import Record
from services.compliance.domain.whitelist import Pair, PairState
from services.compliance.queries import PAGE_LENGTH, parse_moment_cursor
from services.compliance.store.whitelist import pair_of


class PairQueue(StrEnum):
    """What of all pairs is shown."""

    PROPOSED = "proposed"
    """Those that another person is to confirm, and those whose end is."""
    IN_FORCE = "in_force"
    ENDED = "ended"
    """By a person or by its time, the latest first."""


class PairPage(Record):
    """Some pairs, and where to go on."""

    pairs: tuple[Pair, ...]
    next_cursor: str | None


_EXPORTED_AT_ONCE = 5_000
_FIRST_ID = "00000000-0000-0000-0000-000000000000"

_CONDITIONS = {
    PairQueue.PROPOSED: "is_waiting AND until > %s",
    PairQueue.IN_FORCE: "state = 'in_force' AND until > %s",
    PairQueue.ENDED: "(state = 'ended' OR until <= %s)",
}


def list_pairs(engine: Engine, queue: PairQueue, now: datetime, *, after: str | None) -> PairPage:
    """A page of pairs, the last changed first; the first page for a cursor that is none."""
    cursor = parse_moment_cursor(after) if after else None
    beyond = " AND (changed_at, pair_id) < (%s, %s)" if cursor else ""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT body, changed_at, pair_id FROM whitelist_pairs WHERE {_CONDITIONS[queue]}{beyond}
                 ORDER BY changed_at DESC, pair_id DESC LIMIT %s""",
            (now, *(cursor or ()), PAGE_LENGTH + 1),
        )
    last = rows[PAGE_LENGTH - 1] if len(rows) > PAGE_LENGTH else None
    return PairPage(
        pairs=tuple(pair_of(body) for body, _, _ in rows[:PAGE_LENGTH]),
        next_cursor=f"{last[1].isoformat()}_{last[2]}" if last else None,
    )


def all_in_force(engine: Engine, now: datetime) -> Iterator[Pair]:
    """Every pair that rules something out now, in the order of their ids."""
    after = _FIRST_ID
    while True:
        with transaction(engine) as tx:
            rows = fetch(
                tx,
                """SELECT pair_id, body FROM whitelist_pairs
                    WHERE state = 'in_force' AND until > %s AND pair_id > %s ORDER BY pair_id LIMIT %s""",
                (now, after, _EXPORTED_AT_ONCE),
            )
        yield from (pair_of(body) for _, body in rows)
        if len(rows) < _EXPORTED_AT_ONCE:
            return
        after = rows[-1][0]


def find_standing(engine: Engine, pair_ids: Iterable[str], now: datetime) -> dict[str, Pair]:
    """Those of some pairs that are proposed or in force."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            "SELECT body FROM whitelist_pairs WHERE pair_id = ANY(%b::uuid[]) AND until > %s",
            (array("uuid", pair_ids), now),
        )
    found = [pair_of(body) for (body,) in rows]
    return {pair.pair_id: pair for pair in found if pair.state is not PairState.ENDED}
