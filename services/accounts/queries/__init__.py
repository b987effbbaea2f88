"""What people and programs ask about the ledger: read-only SQL, and the shapes of the answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch, transaction
from libs.common.money import format_amount
from libs.common.vault import Vault
from schemas.accounts.events import CustomerPersonalData
from services.accounts.domain.chart import CHART, AccountKind
from services.accounts.domain.ledger import Account, AccountStatus, Hold
from services.accounts.domain.limits import Limits, LimitTable
from services.accounts.store import HOLD_COLUMNS, TRANSFER_COLUMNS, decode_personal, hold_of, transfer_of

ACCOUNT_COLUMNS = """
       t.account_id, t.customer_id, t.kind, t.currency, t.status, t.metadata, t.floor_minor, t.ceiling_minor,
       t.tier, t.spent_on, t.spent_day_minor, t.spent_month_minor, total.lanes, total.posted_minor, total.held_minor"""
"""Of the first lane of an account, `t`, with the total of all."""
ALL_LANES = """CROSS JOIN LATERAL (
    SELECT count(*) AS lanes, sum(l.posted_minor)::bigint AS posted_minor, sum(l.held_minor)::bigint AS held_minor
      FROM accounts l WHERE l.account_id = t.account_id
  ) AS total"""
"""An account of the house stands where its lanes together stand."""
_ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM accounts t {ALL_LANES} WHERE t.lane = 0"

TRANSFER_AND_ITS_REVERSAL = f"""{TRANSFER_COLUMNS},
       (SELECT r.transfer_id FROM transfers r WHERE r.reversed_transfer_id = t.transfer_id) AS reversed_by"""
"""Of `t`, whatever it is selected from."""


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


def find_customer(
    engine: Engine, vault: Vault, customer_id: str, *, tenant_id: str | None, limits: LimitTable
) -> dict[str, Any] | None:
    """A tenant's customer with its accounts; nameless if its personal data were erased. Raises Outage."""
    with snapshot(engine) as tx:
        rows = fetch(
            tx,
            """SELECT customer_id, kind, status, tier, personal::text FROM customers
                WHERE customer_id = %s AND (%s::text IS NULL OR client_id IS NULL OR client_id = %s)""",
            (customer_id, tenant_id, tenant_id),
        )
        accounts = fetch(tx, f"{_ACCOUNT} AND t.customer_id = %s ORDER BY t.account_id", (customer_id,))
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
        "accounts": [row_view(account, limits) for account in accounts],
    }


def find_owner(engine: Engine, account_id: str) -> tuple[str | None] | None:
    """The client whose customer an account belongs to, the house if there is none; None if there is no such account."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT client_id FROM accounts WHERE account_id = %s AND lane = 0", (account_id,))
    return rows[0] if rows else None


def find_account(engine: Engine, account_id: str, limits: LimitTable) -> dict[str, Any] | None:
    with transaction(engine) as tx:
        rows = fetch(tx, f"{_ACCOUNT} AND t.account_id = %s", (account_id,))
    return row_view(rows[0], limits) if rows else None


def account_in(tx: Connection, account_id: str) -> dict[str, Any] | None:
    """What an account has, within a transaction, for what is to fit it."""
    rows = fetch(tx, f"{_ACCOUNT} AND t.account_id = %s", (account_id,))
    return _standing_view(*_account_of(rows[0])) if rows else None


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
        rows = fetch(
            tx, f"SELECT {TRANSFER_AND_ITS_REVERSAL} FROM transfers AS t WHERE transfer_id = %s", (transfer_id,)
        )
    return transfer_view(rows[0]) if rows else None


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


def account_view(account: Account, limits: Limits, on: date, *, lanes: int = 1) -> dict[str, Any]:
    """An account as everyone sees it, with what may still leave it on a day."""
    return {**_standing_view(account, lanes), "limits": _limits_view(account, limits, on)}


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


def transfer_view(row: Any) -> dict[str, Any]:
    """A transfer as everyone sees it, from a row of `TRANSFER_AND_ITS_REVERSAL`."""
    *columns, reversed_by = row
    transfer = transfer_of(columns)
    return {
        "transfer_id": transfer.transfer_id,
        "kind": transfer.kind.value,
        "link_id": transfer.link_id,
        "link_number": transfer.link_number,
        "payment_id": transfer.payment_id,
        "hold_id": transfer.hold_id,
        "reversed_transfer_id": transfer.reversed_transfer_id,
        "reversed_by": reversed_by,
        "debit_account_id": transfer.debit_account_id,
        "credit_account_id": transfer.credit_account_id,
        "amount": format_amount(transfer.amount_minor, transfer.currency),
        "currency": transfer.currency,
        "reference": transfer.reference,
        "metadata": transfer.metadata or {},
        "effective_at": transfer.effective_at,
        "recorded_at": transfer.recorded_at,
    }


def row_view(row: Any, limits: LimitTable) -> dict[str, Any]:
    """An account as everyone sees it now, from a row of ACCOUNT_COLUMNS."""
    account, lanes = _account_of(row)
    return account_view(account, limits.of(account.tier, account.currency), datetime.now(UTC).date(), lanes=lanes)


def _account_of(row: Any) -> tuple[Account, int]:
    """An account with the balance of all its lanes, and how many those are."""
    account_id, customer_id, kind, currency, status, metadata, floor, ceiling, tier, *spent, lanes, posted, held = row
    spent_on, spent_day, spent_month = spent
    account = Account(
        account_id=account_id,
        customer_id=customer_id,
        kind=AccountKind(kind),
        currency=currency,
        status=AccountStatus(status),
        metadata=metadata,
        floor_minor=floor,
        ceiling_minor=ceiling,
        tier=tier,
        spent_on=spent_on,
        spent_day_minor=spent_day,
        spent_month_minor=spent_month,
        posted_minor=posted,
        held_minor=held,
    )
    return account, lanes


def _standing_view(account: Account, lanes: int) -> dict[str, Any]:
    line, currency = CHART[account.kind], account.currency
    return {
        "account_id": account.account_id,
        "customer_id": account.customer_id,
        "kind": account.kind.value,
        "number": line.number,
        "type": line.type.value,
        "currency": currency,
        "status": account.status.value,
        "posted": format_amount(account.posted_minor, currency),
        "held": format_amount(account.held_minor, currency),
        "available": format_amount(account.available_minor, currency),
        "floor": _amount(account.floor_minor, currency),
        "ceiling": _amount(account.ceiling_minor, currency),
        "lanes": lanes,
        "metadata": account.metadata or {},
    }


def _limits_view(account: Account, limits: Limits, on: date) -> dict[str, Any] | None:
    if account.tier is None:
        return None
    day_minor, month_minor = account.spent(on)
    return {
        "tier": account.tier,
        "per_transaction": _amount(limits.once, account.currency),
        "daily": _allowance_view(limits.day, day_minor, account.currency),
        "monthly": _allowance_view(limits.month, month_minor, account.currency),
    }


def _allowance_view(limit_minor: int | None, spent_minor: int, currency: str) -> dict[str, Any]:
    # What was spent may be more than a limit that was lowered since, or than one that was not counted.
    remaining_minor = None if limit_minor is None else max(0, limit_minor - spent_minor)
    return {
        "limit": _amount(limit_minor, currency),
        "spent": format_amount(spent_minor, currency),
        "remaining": _amount(remaining_minor, currency),
    }


def _amount(minor: int | None, currency: str) -> str | None:
    return None if minor is None else format_amount(minor, currency)


def _difference(row: Any) -> dict[str, Any]:
    account_id, kept, computed = row
    return {"account_id": account_id, "kept_minor": kept, "computed_minor": computed}
