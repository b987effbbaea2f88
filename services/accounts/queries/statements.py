"""Statements: an account's entries over a period, with what was there before and after. Read-only SQL."""

import csv
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.chain import NO_HASH
from libs.common.database import fetch
from libs.common.money import format_amount
from libs.common.record import Record
from services.accounts import queries

ENTRIES_MAX = 10_000
"""In a statement given out as one document; a longer period is asked for in parts."""

CSV_COLUMNS = (
    "number",
    "recorded_at",
    "effective_at",
    "kind",
    "transfer_id",
    "counterparty_account_id",
    "payment_id",
    "reference",
    "amount",
    "balance",
    "currency",
    "hash",
)


class TooLong(Exception):
    """A period has more entries than a document may hold."""


class Line(Record):
    """An entry, as a statement shows it."""

    number: int
    transfer_id: str
    kind: str
    payment_id: str | None
    counterparty_account_id: str
    reference: str | None
    amount_minor: int
    balance_minor: int
    effective_at: datetime
    recorded_at: datetime
    hash: bytes


class Period(Record):
    """Which entries of a lane a statement is about: those recorded from one instant until before another."""

    lane: int = 0
    start: datetime | None = None
    end: datetime | None = None


class Statement(Record):
    """What was recorded on an account over a period."""

    account: dict[str, Any]
    """As `queries.account_in` has it."""
    period: Period
    opening_minor: int
    closing_minor: int
    closing_hash: bytes
    """Of the last entry of the period: of all that the lane said until then."""
    entry_count: int
    """In the whole period."""
    lines: tuple[Line, ...]
    """All of them, or a page."""
    next_after: int | None
    """The number of the last line, if there are more."""


def statement(engine: Engine, account_id: str, period: Period, *, after: int = 0, limit: int) -> Statement | None:
    """A page of an account's entries over a period, in order; None if there is no such account or lane."""
    queries.wait_for_writers(engine, account_id)
    with queries.snapshot(engine) as tx:
        account = queries.account_in(tx, account_id)
        if account is None or not 0 <= period.lane < account["lanes"]:
            return None
        first, last = _numbers(tx, account_id, period)
        rows = fetch(
            tx,
            """SELECT e.number, e.transfer_id, t.kind, t.payment_id,
                      CASE WHEN t.debit_account_id = e.account_id THEN t.credit_account_id ELSE t.debit_account_id END,
                      t.reference, e.amount_minor, e.balance_minor, e.effective_at, e.recorded_at, e.hash
                 FROM entries e JOIN transfers t USING (transfer_id)
                WHERE e.account_id = %s AND e.lane = %s AND e.number BETWEEN %s AND %s ORDER BY e.number LIMIT %s""",
            (account_id, period.lane, max(first, after + 1), last, limit),
        )
        opening_minor, _ = _after(tx, account_id, period.lane, first - 1)
        closing_minor, closing_hash = _after(tx, account_id, period.lane, last)
    lines = tuple(Line(**dict(zip(Line.__struct_fields__, row, strict=True))) for row in rows)
    return Statement(
        account=account,
        period=period,
        opening_minor=opening_minor,
        closing_minor=closing_minor,
        closing_hash=closing_hash,
        entry_count=last - first + 1,
        lines=lines,
        next_after=lines[-1].number if lines and lines[-1].number < last else None,
    )


def whole_statement(engine: Engine, account_id: str, period: Period) -> Statement | None:
    """The same with all its entries. Raises TooLong."""
    found = statement(engine, account_id, period, limit=ENTRIES_MAX)
    if found is not None and found.next_after is not None:
        raise TooLong(f"the period has {found.entry_count} entries, a document at most {ENTRIES_MAX}")
    return found


def statement_view(found: Statement) -> dict[str, Any]:
    """A statement as JSON."""
    currency = found.account["currency"]
    return {
        **found.account,
        "lane": found.period.lane,
        "from": found.period.start,
        "before": found.period.end,
        "opening": format_amount(found.opening_minor, currency),
        "closing": format_amount(found.closing_minor, currency),
        "closing_hash": found.closing_hash.hex(),
        "entry_count": found.entry_count,
        "entries": [_line_view(line, currency) for line in found.lines],
        "next_after": found.next_after,
    }


def statement_csv(found: Statement) -> str:
    """A statement as CSV (RFC 4180): a header, then a row for each entry."""
    currency = found.account["currency"]
    text = StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for line in found.lines:
        view = _line_view(line, currency)
        view |= {"currency": currency, "reference": _no_formula(line.reference or "")}
        view |= {name: view[name].isoformat() for name in ("recorded_at", "effective_at")}
        writer.writerow(view)
    return text.getvalue()


def _no_formula(text: str) -> str:
    # What begins like this a spreadsheet takes for a formula, and references come from anybody.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _line_view(line: Line, currency: str) -> dict[str, Any]:
    return {
        "number": line.number,
        "transfer_id": line.transfer_id,
        "kind": line.kind,
        "payment_id": line.payment_id,
        "counterparty_account_id": line.counterparty_account_id,
        "reference": line.reference,
        "amount": format_amount(line.amount_minor, currency),
        "balance": format_amount(line.balance_minor, currency),
        "effective_at": line.effective_at,
        "recorded_at": line.recorded_at,
        "hash": line.hash.hex(),
    }


def _numbers(tx: Connection, account_id: str, period: Period) -> Sequence[int]:
    """The numbers of the first and the last entry of a period."""
    ((first, last),) = fetch(
        tx,
        """SELECT CASE WHEN %s::timestamptz IS NULL THEN 0 ELSE entries_before(account_id, lane, %s) END + 1,
                  CASE WHEN %s::timestamptz IS NULL THEN entry_count ELSE entries_before(account_id, lane, %s) END
             FROM accounts WHERE account_id = %s AND lane = %s""",
        (period.start, period.start, period.end, period.end, account_id, period.lane),
    )
    return int(first), max(int(last), int(first) - 1)


def _after(tx: Connection, account_id: str, lane: int, number: int) -> tuple[int, bytes]:
    """The balance and the hash of an entry: what stood after it."""
    rows = fetch(
        tx,
        "SELECT balance_minor, hash FROM entries WHERE account_id = %s AND lane = %s AND number = %s",
        (account_id, lane, number),
    )
    return rows[0] if rows else (0, NO_HASH)
