"""Verifying the journal: every hash computed anew, and the first entry that does not fit named."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import fetch
from libs.common.record import Record, replace
from services.accounts import queries
from services.accounts.domain.journal import Entry, Fault, Transfer, first_fault
from services.accounts.store import ENTRY_COLUMNS, TRANSFER_COLUMNS, entry_of, transfer_of

PAGE_LENGTH = 10_000
LANES_READ_MAX = 1_000
"""At a look, however few entries they have."""

Lane = tuple[str, int]
"""An account, and which of its lanes."""
FIRST_LANE: Lane = ("00000000-0000-0000-0000-000000000000", 0)


class Verified(Record):
    """How much was looked at, and what was found."""

    entry_count: int
    faults: tuple[Fault, ...]
    """At most one for each lane: what comes after it proves nothing."""


def verify_account(engine: Engine, account_id: str, *, entries_max: int) -> Verified | None:
    """Verify every lane of an account; None if there is no such account, or it has more entries than that."""
    with queries.snapshot(engine) as tx:
        lanes = _lanes(tx, account_id)
        if not lanes or sum(count for _, count, _ in lanes) > entries_max:
            return None
        return _verified(tx, account_id, lanes)


def verify_journal(engine: Engine) -> Iterator[Verified]:
    """Verify every account, one after the other, each as it stands when its turn comes."""
    after: str | None = None
    while True:
        with queries.snapshot(engine) as tx:
            found = fetch(
                tx,
                """SELECT account_id FROM accounts WHERE lane = 0 AND (%s::uuid IS NULL OR account_id > %s)
                    ORDER BY account_id LIMIT 1""",
                (after, after),
            )
            if not found:
                return
            ((after,),) = found
            verified = _verified(tx, after, _lanes(tx, after))
        yield verified


def _lanes(tx: Connection, account_id: str) -> list[Any]:
    return fetch(
        tx,
        "SELECT lane, entry_count, entry_hash FROM accounts WHERE account_id = %s ORDER BY lane",
        (account_id,),
        binary=True,
    )


def _verified(tx: Connection, account_id: str, lanes: list[Any]) -> Verified:
    faults = [
        first_fault(account_id, lane, _lines(tx, account_id, lane), entry_count=count, entry_hash=newest)
        for lane, count, newest in lanes
    ]
    return Verified(
        entry_count=sum(count for _, count, _ in lanes), faults=tuple(fault for fault in faults if fault is not None)
    )


def _lines(tx: Connection, account_id: str, lane: int) -> Iterator[tuple[Entry, Transfer | None]]:
    after = 0
    while True:
        rows = fetch(
            tx,
            f"""SELECT {_columns("e", ENTRY_COLUMNS)}, {_columns("t", TRANSFER_COLUMNS)}
                 FROM entries e LEFT JOIN transfers t USING (transfer_id)
                WHERE e.account_id = %s AND e.lane = %s AND e.number > %s ORDER BY e.number LIMIT %s""",
            (account_id, lane, after, PAGE_LENGTH),
            binary=True,
        )
        for row in rows:
            entry, transfer = _line(row)
            yield entry, transfer
            after = entry.number
        if len(rows) < PAGE_LENGTH:
            return


def _line(row: Any) -> tuple[Entry, Transfer | None]:
    transfer = row[_ENTRY_LENGTH:]
    return entry_of(row[:_ENTRY_LENGTH]), None if transfer[0] is None else transfer_of(transfer)


_ENTRY_LENGTH = len(Entry.__struct_fields__)


def _columns(table: str, names: str) -> str:
    return ", ".join(f"{table}.{name}" for name in names.split(", "))


def verified_view(verified: Verified) -> dict[str, Any]:
    """What was found, as JSON."""
    return {
        "is_intact": not verified.faults,
        "entries": verified.entry_count,
        "faults": [msgspec.structs.asdict(fault) for fault in verified.faults],
    }


class LaneRead(Record):
    """A lane as it stands, and some of its entries."""

    place: Lane
    currency: str
    posted_minor: int
    entry_count: int
    entry_hash: bytes
    lines: tuple[tuple[Entry, Transfer | None], ...]
    is_last: bool = True
    """Whether there are no later ones."""


def find_some_lane(tx: Connection) -> Lane:
    """Anywhere, to begin a round at: where workers live shorter than a round takes, one that always began at the same
    place would never come to the end."""
    rows = fetch(
        tx,
        """SELECT account_id, lane FROM accounts ORDER BY account_id, lane
           OFFSET (SELECT floor(random() * count(*))::bigint FROM accounts) LIMIT 1""",
    )
    return rows[0] if rows else FIRST_LANE


def read_lanes(tx: Connection, place: Lane, number: int, entries_max: int) -> tuple[list[LaneRead], bool]:
    """The journal behind an entry of a lane, with what each lane said of itself at that very moment; and whether that
    is all of it. At most so many entries and LANES_READ_MAX lanes."""
    rows = fetch(
        tx,
        f"""WITH lanes AS MATERIALIZED (
             SELECT account_id, lane, currency, posted_minor, entry_count, entry_hash FROM accounts
              WHERE (account_id, lane) >= (%s::uuid, %s::smallint) ORDER BY account_id, lane LIMIT %s
           ), page AS MATERIALIZED (
             SELECT {ENTRY_COLUMNS} FROM entries
              WHERE (account_id, lane, number) > (%s::uuid, %s::smallint, %s::bigint) AND (account_id, lane) <=
                    (SELECT account_id, lane FROM lanes ORDER BY account_id DESC, lane DESC LIMIT 1)
              ORDER BY account_id, lane, number LIMIT %s
           )
           SELECT l.*, {_columns("e", ENTRY_COLUMNS)}, {_columns("t", TRANSFER_COLUMNS)}
             FROM lanes l LEFT JOIN page e USING (account_id, lane) LEFT JOIN transfers t USING (transfer_id)
            ORDER BY l.account_id, l.lane, e.number""",
        (*place, LANES_READ_MAX, *place, number, entries_max),
        binary=True,
    )
    lanes = [_lane_read(of_lane, list(found)) for of_lane, found in groupby(rows, key=lambda row: row[:_LANE_LENGTH])]
    if sum(len(lane.lines) for lane in lanes) < entries_max:
        return lanes, len(lanes) < LANES_READ_MAX
    while not lanes[-1].lines:
        lanes.pop()
    return [*lanes[:-1], replace(lanes[-1], is_last=False)], False


def _lane_read(of_lane: Any, rows: list[Any]) -> LaneRead:
    account_id, lane, currency, posted_minor, entry_count, entry_hash = of_lane
    lines = (row[_LANE_LENGTH:] for row in rows)
    return LaneRead(
        place=(account_id, lane),
        currency=currency,
        posted_minor=posted_minor,
        entry_count=entry_count,
        entry_hash=entry_hash,
        lines=tuple(_line(line) for line in lines if line[0] is not None),
    )


_LANE_LENGTH = 6
