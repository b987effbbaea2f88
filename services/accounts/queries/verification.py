"""Verifying the journal: every hash computed anew, and the first entry that does not fit named."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import fetch
from libs.common.record import Record
from services.accounts import queries
from services.accounts.domain.journal import NO_HASH, digest_of, hash_of
from services.accounts.store import TRANSFER_COLUMNS, transfer_of

PAGE_LENGTH = 10_000


class Fault(Record):
    """The first place of a lane where the journal is not what was once written."""

    account_id: str
    lane: int
    number: int
    what: str


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
    faults = [_first_fault(tx, account_id, lane, count, newest) for lane, count, newest in lanes]
    return Verified(
        entry_count=sum(count for _, count, _ in lanes), faults=tuple(fault for fault in faults if fault is not None)
    )


def _first_fault(tx: Connection, account_id: str, lane: int, entry_count: int, entry_hash: bytes) -> Fault | None:
    number, balance_minor, hash_before = 0, 0, NO_HASH
    for entry in _entries(tx, account_id, lane):
        found_number, amount_minor, found_balance, found_hash, effective_at, recorded_at, *columns = entry
        number += 1
        fault = partial(Fault, account_id=account_id, lane=lane, number=number)
        if found_number != number:
            return fault(what="is missing")
        if columns[0] is None:
            return fault(what="has no transfer")
        transfer = transfer_of(columns)
        balance_minor += amount_minor
        hash_before = hash_of(
            hash_before,
            digest_of(transfer),
            account_id=account_id,
            lane=lane,
            number=number,
            amount_minor=amount_minor,
            balance_minor=balance_minor,
        )
        is_dated = (effective_at, recorded_at) == (transfer.effective_at, transfer.recorded_at)
        if (found_balance, found_hash) != (balance_minor, hash_before) or not is_dated:
            return fault(what="is not what was written, or its transfer is not")
    if (number, hash_before) != (entry_count, entry_hash):
        return Fault(account_id=account_id, lane=lane, number=number + 1, what="is missing at the end")
    return None


def _entries(tx: Connection, account_id: str, lane: int) -> Iterator[Any]:
    after, columns = 0, ", ".join(f"t.{name}" for name in TRANSFER_COLUMNS.split(", "))
    while True:
        rows = fetch(
            tx,
            f"""SELECT e.number, e.amount_minor, e.balance_minor, e.hash, e.effective_at, e.recorded_at, {columns}
                 FROM entries e LEFT JOIN transfers t USING (transfer_id)
                WHERE e.account_id = %s AND e.lane = %s AND e.number > %s ORDER BY e.number LIMIT %s""",
            (account_id, lane, after, PAGE_LENGTH),
            binary=True,
        )
        yield from rows
        if len(rows) < PAGE_LENGTH:
            return
        after = rows[-1][0]


def verified_view(verified: Verified) -> dict[str, Any]:
    """What was found, as JSON."""
    return {
        "is_intact": not verified.faults,
        "entries": verified.entry_count,
        "faults": [msgspec.structs.asdict(fault) for fault in verified.faults],
    }
