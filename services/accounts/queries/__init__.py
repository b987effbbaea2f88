"""What people and programs ask about the ledger: read-only SQL, and the shapes of the answers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch, transaction
from libs.common.money import format_amount
from libs.common.vault import Vault
from schemas.accounts.events import CustomerPersonalData
from services.accounts.domain.chart import CHART, AccountKind
from services.accounts.domain.ledger import Account, Hold
from services.accounts.store import HOLD_COLUMNS, TRANSFER_COLUMNS, decode_personal, hold_of, transfer_of

# An account of the house stands where its lanes together stand.
_ACCOUNT = """
SELECT a.account_id, a.customer_id, a.kind, a.currency, a.status, a.metadata, a.floor_minor, a.ceiling_minor,
       total.lanes, total.posted_minor, total.held_minor
  FROM accounts a CROSS JOIN LATERAL (
    SELECT count(*) AS lanes, sum(l.posted_minor)::bigint AS posted_minor, sum(l.held_minor)::bigint AS held_minor
      FROM accounts l WHERE l.account_id = a.account_id
  ) AS total
 WHERE a.lane = 0"""


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A transaction whose queries all see the same moment, so that a balance and its entries fit each other."""
    with transaction(engine) as tx:
        execute(tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield tx


def wait_for_writers(engine: Engine, account_id: str) -> None:
    """Wait for the batches that are moving money on an account: what they record has its time already."""
    with transaction(engine) as tx:
        execute(tx, "SELECT 1 FROM accounts WHERE account_id = %s ORDER BY lane FOR SHARE", (account_id,))


def find_customer(engine: Engine, vault: Vault, customer_id: str, *, tenant_id: str | None) -> dict[str, Any] | None:
    """A tenant's customer with its accounts; nameless if its personal data were erased. Raises Outage."""
    with snapshot(engine) as tx:
        rows = fetch(
            tx,
            """SELECT customer_id, kind, status, tier, personal::text FROM customers
                WHERE customer_id = %s AND (%s::text IS NULL OR client_id IS NULL OR client_id = %s)""",
            (customer_id, tenant_id, tenant_id),
        )
        accounts = fetch(tx, f"{_ACCOUNT} AND a.customer_id = %s ORDER BY a.account_id", (customer_id,))
    if not rows:
        return None
    ((id_, kind, status, tier, stored),) = rows
    personal = vault.unseal(CustomerPersonalData, {id_: decode_personal(stored)})[id_]
    return {
        "customer_id": id_,
        "kind": kind,
        "status": status,
        "tier": tier,
        **{field: getattr(personal, field, None) or None for field in ("name", "country", "birth_date", "address")},
        "accounts": [_row_view(account) for account in accounts],
    }


def find_owner(engine: Engine, account_id: str) -> tuple[str | None] | None:
    """The client whose customer an account belongs to, the house if there is none; None if there is no such account."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT client_id FROM accounts WHERE account_id = %s AND lane = 0", (account_id,))
    return rows[0] if rows else None


def find_account(engine: Engine, account_id: str) -> dict[str, Any] | None:
    with transaction(engine) as tx:
        return account_in(tx, account_id)


def account_in(tx: Connection, account_id: str) -> dict[str, Any] | None:
    """The same within a transaction, for what is to fit it."""
    rows = fetch(tx, f"{_ACCOUNT} AND a.account_id = %s", (account_id,))
    return _row_view(rows[0]) if rows else None


def list_accounts(
    engine: Engine,
    *,
    tenant_id: str | None,
    customer_id: str | None,
    kind: AccountKind | None,
    after: str | None,
    limit: int,
) -> dict[str, Any]:
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""{_ACCOUNT} AND (%s::uuid IS NULL OR a.customer_id = %s) AND (%s::text IS NULL OR a.kind = %s)
                 AND (%s::text IS NULL OR a.client_id IS NULL OR a.client_id = %s)
                 AND (%s::uuid IS NULL OR a.account_id > %s) ORDER BY a.account_id LIMIT %s""",
            (customer_id, customer_id, kind, kind, tenant_id, tenant_id, after, after, limit + 1),
        )
    page = [_row_view(row) for row in rows[:limit]]
    return {"accounts": page, "next_cursor": page[-1]["account_id"] if len(rows) > limit else None}


def balance_at(
    engine: Engine, account_id: str, at: datetime | None, *, by_effective_time: bool
) -> dict[str, Any] | None:
    """What was posted at an instant, now if none is given: what was recorded until then, or what counts until then as
    far as is known now."""
    wait_for_writers(engine, account_id)
    with snapshot(engine) as tx:
        account = account_in(tx, account_id)
        if account is None:
            return None
        at = at or _now_in_books(tx, account_id)
        posted_minor = _recorded_until(tx, account_id, at)
        if by_effective_time:
            posted_minor += _dated_otherwise(tx, account_id, at)
    return {
        "account_id": account_id,
        "currency": account["currency"],
        "at": at,
        "by": "effective" if by_effective_time else "recorded",
        "posted": format_amount(posted_minor, account["currency"]),
    }


def _now_in_books(tx: Connection, account_id: str) -> datetime:
    """Now, or when the newest entry was recorded if a clock had been ahead."""
    ((now,),) = fetch(
        tx, "SELECT greatest(clock_timestamp(), max(recorded_at)) FROM accounts WHERE account_id = %s", (account_id,)
    )
    return cast(datetime, now)


def _recorded_until(tx: Connection, account_id: str, at: datetime) -> int:
    ((total,),) = fetch(
        tx,
        """SELECT coalesce(sum(e.balance_minor), 0)::bigint
             FROM accounts a JOIN entries e
               ON e.account_id = a.account_id AND e.lane = a.lane
              AND e.number = entries_before(a.account_id, a.lane, %s + interval '1 microsecond')
            WHERE a.account_id = %s""",
        (at, account_id),
    )
    return int(total)


def _dated_otherwise(tx: Connection, account_id: str, at: datetime) -> int:
    """What counts until an instant and was recorded after it, less what was recorded until it and counts later."""
    ((total,),) = fetch(
        tx,
        """SELECT coalesce(sum(CASE WHEN effective_at <= %s THEN amount_minor ELSE -amount_minor END), 0)::bigint
             FROM entries
            WHERE account_id = %s AND effective_at <> recorded_at
              AND (effective_at <= %s) <> (recorded_at <= %s)""",
        (at, account_id, at, at),
    )
    return int(total)


def find_transfer(engine: Engine, transfer_id: str) -> dict[str, Any] | None:
    with transaction(engine) as tx:
        rows = fetch(tx, f"SELECT {TRANSFER_COLUMNS} FROM transfers WHERE transfer_id = %s", (transfer_id,))
        taken_back = fetch(tx, "SELECT transfer_id FROM transfers WHERE reversed_transfer_id = %s", (transfer_id,))
    if not rows:
        return None
    transfer = transfer_of(rows[0])
    return {
        "transfer_id": transfer.transfer_id,
        "kind": transfer.kind.value,
        "link_id": transfer.link_id,
        "payment_id": transfer.payment_id,
        "hold_id": transfer.hold_id,
        "reversed_transfer_id": transfer.reversed_transfer_id,
        "reversed_by": taken_back[0][0] if taken_back else None,
        "debit_account_id": transfer.debit_account_id,
        "credit_account_id": transfer.credit_account_id,
        "amount": format_amount(transfer.amount_minor, transfer.currency),
        "currency": transfer.currency,
        "reference": transfer.reference,
        "metadata": transfer.metadata or {},
        "effective_at": transfer.effective_at,
        "recorded_at": transfer.recorded_at,
    }


def find_hold(engine: Engine, hold_id: str) -> dict[str, Any] | None:
    with transaction(engine) as tx:
        rows = fetch(tx, f"SELECT {HOLD_COLUMNS} FROM holds WHERE hold_id = %s", (hold_id,))
    return hold_view(hold_of(rows[0])) if rows else None


def trial_balance(engine: Engine) -> dict[str, Any]:
    """Every line of the chart with what its accounts add up to, by currency."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT currency, kind, count(*) FILTER (WHERE lane = 0), sum(posted_minor)
                 FROM accounts GROUP BY currency, kind""",
        )
    currencies: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, int] = {}
    for currency, kind, count, posted_minor in sorted(
        rows, key=lambda row: (row[0], CHART[AccountKind(row[1])].number)
    ):
        line = CHART[AccountKind(kind)]
        currencies.setdefault(currency, []).append(
            {
                "number": line.number,
                "kind": kind,
                "type": line.type.value,
                "name": line.name,
                "accounts": count,
                "debit": format_amount(max(0, -posted_minor), currency),
                "credit": format_amount(max(0, posted_minor), currency),
            }
        )
        totals[currency] = totals.get(currency, 0) + posted_minor
    return {
        "is_balanced": not any(totals.values()),
        "currencies": [{"currency": currency, "lines": lines} for currency, lines in currencies.items()],
    }


def account_view(account: Account) -> dict[str, Any]:
    """A customer's account as everyone sees it."""
    return _account_view(
        account.account_id,
        account.customer_id,
        account.kind,
        account.currency,
        account.status,
        account.metadata,
        account.floor_minor,
        account.ceiling_minor,
        1,
        account.posted_minor,
        account.held_minor,
    )


def hold_view(hold: Hold) -> dict[str, Any]:
    """A hold as everyone sees it."""
    return {
        "hold_id": hold.hold_id,
        "kind": hold.kind.value,
        "status": hold.status.value,
        "debit_account_id": hold.debtor_account_id,
        "credit_account_id": hold.creditor_account_id,
        "currency": hold.currency or None,
        **{
            name: format_amount(minor, hold.currency) if hold.currency else None
            for name, minor in (
                ("amount", hold.amount_minor),
                ("fee", hold.fee_minor),
                ("posted", hold.posted_minor),
                ("left", hold.left_minor),
                ("refunded", hold.refunded_minor),
            )
        },
        "expires_at": hold.expires_at,
    }


def _row_view(row: Any) -> dict[str, Any]:
    account_id, customer_id, kind, *rest = row
    return _account_view(account_id, customer_id, AccountKind(kind), *rest)


def _account_view(
    account_id: str,
    customer_id: str | None,
    kind: AccountKind,
    currency: str,
    status: str,
    metadata: Mapping[str, str] | None,
    floor_minor: int | None,
    ceiling_minor: int | None,
    lanes: int,
    posted_minor: int,
    held_minor: int,
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "customer_id": customer_id,
        "kind": kind.value,
        "number": CHART[kind].number,
        "type": CHART[kind].type.value,
        "currency": currency,
        "status": str(status),
        "posted": format_amount(posted_minor, currency),
        "held": format_amount(held_minor, currency),
        "available": format_amount(posted_minor - held_minor, currency),
        "floor": None if floor_minor is None else format_amount(floor_minor, currency),
        "ceiling": None if ceiling_minor is None else format_amount(ceiling_minor, currency),
        "lanes": lanes,
        "metadata": metadata or {},
    }
