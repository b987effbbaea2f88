"""Verifying the journal: every hash computed anew, and the first entry that does not fit named."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import fetch
from libs.common.record import Record
from services.accounts import queries
from services.accounts.domain.journal import Entry, Fault, Transfer, first_fault
from services.accounts.store import ENTRY_COLUMNS, TRANSFER_COLUMNS, entry_of, transfer_of

PAGE_LENGTH = 10_000


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
            entry, transfer = entry_of(row[:_ENTRY_LENGTH]), row[_ENTRY_LENGTH:]
            yield entry, None if transfer[0] is None else transfer_of(transfer)
            after = entry.number
        if len(rows) < PAGE_LENGTH:
            return


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
