"""What people and programs ask about the ledger: read-only SQL, and the shapes of the answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch, transaction
from libs.common.money import format_amount
from services.accounts.domain.ledger import Account, AccountKind, AccountStatus

DIFFERENCES_SHOWN_MAX = 100
MEASURED_MAX = 100_000
"""Open holds that Prometheus is told of: beyond them nobody needs to know how many more there are."""

_ACCOUNT = "account_id, customer_id, kind, currency, status, posted_minor, held_minor"


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A transaction whose queries all see the same moment, so that a balance and its entries fit each other."""
    with transaction(engine) as tx:
        execute(tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield tx


def find_customer(engine: Engine, customer_id: str) -> dict[str, Any] | None:
    with _snapshot(engine) as tx:
        rows = fetch(
            tx, "SELECT customer_id, kind, status, tier, personal FROM customers WHERE customer_id = %s", (customer_id,)
        )
        accounts = fetch(
            tx, f"SELECT {_ACCOUNT} FROM accounts WHERE customer_id = %s ORDER BY account_id", (customer_id,)
        )
    if not rows:
        return None
    ((id_, kind, status, tier, personal),) = rows
    return {
        "customer_id": id_,
        "kind": kind,
        "status": status,
        "tier": tier,
        **{field: personal.get(field) for field in ("name", "country", "birth_date", "address")},
        "accounts": [_row_view(account) for account in accounts],
    }


def find_account(engine: Engine, account_id: str) -> dict[str, Any] | None:
    with transaction(engine) as tx:
        rows = fetch(tx, f"SELECT {_ACCOUNT} FROM accounts WHERE account_id = %s", (account_id,))
    return _row_view(rows[0]) if rows else None


def list_accounts(engine: Engine, *, customer_id: str | None, after: str | None, limit: int) -> dict[str, Any]:
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT {_ACCOUNT} FROM accounts
                 WHERE (%s::uuid IS NULL OR customer_id = %s) AND (%s::uuid IS NULL OR account_id > %s)
                 ORDER BY account_id LIMIT %s""",
            (customer_id, customer_id, after, after, limit + 1),
        )
    page = [_row_view(row) for row in rows[:limit]]
    return {"accounts": page, "next_cursor": page[-1]["account_id"] if len(rows) > limit else None}


def statement(engine: Engine, account_id: str, *, after: int, limit: int) -> dict[str, Any] | None:
    with _snapshot(engine) as tx:
        accounts = fetch(tx, f"SELECT {_ACCOUNT} FROM accounts WHERE account_id = %s", (account_id,))
        rows = fetch(
            tx,
            """SELECT e.number, e.transfer_id, t.kind, t.payment_id, t.reference, e.amount_minor, e.balance_minor,
                      e.effective_at, e.recorded_at
                 FROM entries e JOIN transfers t USING (transfer_id)
                WHERE e.account_id = %s AND e.number > %s ORDER BY e.number LIMIT %s""",
            (account_id, after, limit + 1),
        )
    if not accounts:
        return None
    account = _row_view(accounts[0])
    entries = [_entry_view(row, account["currency"]) for row in rows[:limit]]
    return {**account, "entries": entries, "next_after": entries[-1]["number"] if len(rows) > limit else None}


def check_books(engine: Engine, *, seconds_max: float = 30) -> dict[str, Any]:
    """Recompute every balance from the entries and holds, and name what differs. Reads all there is; raises Outage
    when that takes too long."""
    with _snapshot(engine) as tx:
        execute(tx, f"SET LOCAL statement_timeout = {int(seconds_max * 1_000)}")
        sums = fetch(
            tx,
            """SELECT a.currency, count(*), coalesce(sum(e.amount_minor), 0)::bigint
                 FROM entries e JOIN accounts a USING (account_id) GROUP BY a.currency ORDER BY 1""",
        )
        wrong_balances = fetch(
            tx,
            """SELECT a.account_id, a.posted_minor, coalesce(sum(e.amount_minor), 0)::bigint
                 FROM accounts a LEFT JOIN entries e USING (account_id)
                GROUP BY a.account_id HAVING a.posted_minor <> coalesce(sum(e.amount_minor), 0)
                    OR a.entry_count <> count(e.account_id) LIMIT %s""",
            (DIFFERENCES_SHOWN_MAX,),
        )
        wrong_holds = fetch(
            tx,
            """SELECT a.account_id, a.held_minor, coalesce(sum(h.amount_minor), 0)::bigint
                 FROM accounts a LEFT JOIN holds h ON h.debtor_account_id = a.account_id AND h.status = 'held'
                GROUP BY a.account_id HAVING a.held_minor <> coalesce(sum(h.amount_minor), 0) LIMIT %s""",
            (DIFFERENCES_SHOWN_MAX,),
        )
        ((open_holds,),) = fetch(tx, "SELECT count(*) FROM holds WHERE status = 'held'")
    imbalances = {currency: total for currency, _, total in sums if total}
    return {
        "is_balanced": not (imbalances or wrong_balances or wrong_holds),
        "entries_by_currency": {currency: count for currency, count, _ in sums},
        "imbalance_minor_by_currency": imbalances,
        "balances_differing_from_entries": [_difference(row) for row in wrong_balances],
        "balances_differing_from_holds": [_difference(row) for row in wrong_holds],
        "open_holds": open_holds,
    }


def measure_holds(tx: Connection) -> int:
    """Payments whose money is set aside, as far as it is worth counting."""
    ((count,),) = fetch(
        tx,
        "SELECT count(*) FROM (SELECT 1 FROM holds WHERE expires_at IS NOT NULL LIMIT %s) AS open_holds",
        (MEASURED_MAX,),
    )
    return int(count)


def measure_imbalances(tx: Connection) -> dict[str, float]:
    """What the balances of all accounts add up to, by currency: zero, since every transfer takes what it gives."""
    rows = fetch(tx, "SELECT currency, sum(posted_minor)::bigint FROM accounts GROUP BY currency")
    return {currency: float(total) for currency, total in rows}


def find_wrong_accounts(tx: Connection, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
    """Of a page of accounts, those that do not stand where their entries end or hold what their holds add up to; and
    where to go on, None at the end."""
    rows = fetch(
        tx,
        """WITH page AS (
             SELECT account_id, posted_minor, held_minor, entry_count FROM accounts
              WHERE %s::uuid IS NULL OR account_id > %s ORDER BY account_id LIMIT %s
           ), held AS (
             SELECT debtor_account_id, sum(amount_minor) AS held_minor FROM holds
              WHERE expires_at IS NOT NULL GROUP BY debtor_account_id
           )
           SELECT p.account_id,
                  (p.posted_minor, p.entry_count, p.held_minor) IS DISTINCT FROM
                  (coalesce(newest.balance_minor, 0), coalesce(newest.number, 0), coalesce(held.held_minor, 0))
             FROM page p
             LEFT JOIN LATERAL (
               SELECT number, balance_minor FROM entries e WHERE e.account_id = p.account_id
                ORDER BY number DESC LIMIT 1
             ) newest ON true
             LEFT JOIN held ON held.debtor_account_id = p.account_id
            ORDER BY p.account_id""",
        (after, after, limit),
    )
    return [account_id for account_id, is_wrong in rows if is_wrong], rows[-1][0] if len(rows) == limit else None


def account_view(account: Account) -> dict[str, Any]:
    """An account as everyone sees it."""
    return {
        "account_id": account.account_id,
        "customer_id": account.customer_id,
        "kind": account.kind.value,
        "currency": account.currency,
        "status": account.status.value,
        "posted": format_amount(account.posted_minor, account.currency),
        "held": format_amount(account.held_minor, account.currency),
        "available": format_amount(account.available_minor, account.currency),
    }


def _row_view(row: Any) -> dict[str, Any]:
    account_id, customer_id, kind, currency, status, posted_minor, held_minor = row
    return account_view(
        Account(
            account_id=account_id,
            customer_id=customer_id,
            kind=AccountKind(kind),
            currency=currency,
            status=AccountStatus(status),
            posted_minor=posted_minor,
            held_minor=held_minor,
        )
    )


def _entry_view(row: Any, currency: str) -> dict[str, Any]:
    number, transfer_id, kind, payment_id, reference, amount, balance, effective_at, recorded_at = row
    return {
        "number": number,
        "transfer_id": transfer_id,
        "kind": kind,
        "payment_id": payment_id,
        "reference": reference,
        "amount": format_amount(amount, currency),
        "balance": format_amount(balance, currency),
        "effective_at": effective_at,
        "recorded_at": recorded_at,
    }


def _difference(row: Any) -> dict[str, Any]:
    account_id, kept, computed = row
    return {"account_id": account_id, "kept_minor": kept, "computed_minor": computed}
