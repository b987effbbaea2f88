"""Whether the books add up: everything worked out again from transfers and entries, at once or some at each look."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.database import execute, fetch
from services.accounts.queries import snapshot

DIFFERENCES_SHOWN_MAX = 100
MEASURED_MAX = 100_000
"""Open holds that Prometheus is told of: beyond them nobody needs to know how many more there are."""

_LEFT = "amount_minor + fee_minor - h.posted_minor - posted_fee_minor"
"""What of a hold is still set aside, as `Hold.left_minor` has it."""

_OF_HOLD = "coalesce(t.hold_id, t.payment_id)"
"""The hold that a transfer is of: a payment's hold has the payment's id."""
_MOVED = ", ".join(
    f"coalesce(sum(t.amount_minor) FILTER (WHERE t.kind IN ({kinds})), 0)::bigint AS {name}"
    for name, kinds in (
        ("posted", "'payment', 'capture'"),
        ("posted_fee", "'fee'"),
        ("refunded", "'refund'"),
        ("blocked", "'blocking'"),
    )
)
"""What the transfers of a hold have moved, by what for."""
_BLOCKED = "CASE WHEN h.status = 'blocked' THEN h.amount_minor + h.fee_minor ELSE 0 END"

_FIGURES_OF_HOLDS = {
    what: (f"coalesce({kept}, 0)", f"coalesce({computed}, 0)")
    for what, kept, computed in (
        ("posted", "h.posted_minor", "moved.posted"),
        ("posted_fee", "h.posted_fee_minor", "moved.posted_fee"),
        ("refunded", "h.refunded_minor", "moved.refunded"),
        ("refunds", "given.refunds", "moved.refunded"),
        ("blocked", _BLOCKED, "moved.blocked"),
    )
}
"""What is compared: as it is kept, and as it was moved."""


def check_books(engine: Engine, *, seconds_max: float = 30) -> dict[str, Any]:
    """Recompute every balance from the entries and holds, and every hold and refund from the transfers, and name what
    differs. Reads all there is; raises Outage when that takes too long."""
    with snapshot(engine) as tx:
        execute(tx, f"SET LOCAL statement_timeout = {int(seconds_max * 1_000)}")
        sums = fetch(
            tx,
            """SELECT a.currency, count(*), coalesce(sum(e.amount_minor), 0)::bigint
                 FROM entries e JOIN accounts a USING (account_id, lane) GROUP BY a.currency ORDER BY 1""",
        )
        wrong_balances = fetch(
            tx,
            """SELECT a.account_id, a.posted_minor, coalesce(sum(e.amount_minor), 0)::bigint
                 FROM accounts a LEFT JOIN entries e USING (account_id, lane)
                GROUP BY a.account_id, a.lane HAVING a.posted_minor <> coalesce(sum(e.amount_minor), 0)
                    OR a.entry_count <> count(e.account_id) LIMIT %s""",
            (DIFFERENCES_SHOWN_MAX,),
        )
        wrong_held = fetch(
            tx,
            f"""SELECT a.account_id, a.held_minor, coalesce(sum({_LEFT}), 0)::bigint
                 FROM accounts a LEFT JOIN holds h ON h.debtor_account_id = a.account_id AND h.status = 'held'
                GROUP BY a.account_id, a.lane HAVING a.held_minor <> coalesce(sum({_LEFT}), 0) LIMIT %s""",
            (DIFFERENCES_SHOWN_MAX,),
        )
        wrong_holds = _holds_differing_from_transfers(tx)
        ((open_holds,),) = fetch(tx, "SELECT count(*) FROM holds WHERE status = 'held'")
    imbalances = {currency: total for currency, _, total in sums if total}
    return {
        "is_balanced": not (imbalances or wrong_balances or wrong_held or wrong_holds),
        "entries_by_currency": {currency: count for currency, count, _ in sums},
        "imbalance_minor_by_currency": imbalances,
        "balances_differing_from_entries": [_difference(row) for row in wrong_balances],
        "balances_differing_from_holds": [_difference(row) for row in wrong_held],
        "holds_differing_from_transfers": wrong_holds,
        "open_holds": open_holds,
    }


def _holds_differing_from_transfers(tx: Connection) -> list[dict[str, Any]]:
    """Where a hold, or the refunds of its payment, say something else than its transfers; also of a hold that is not
    there."""
    # By the row first: figure by figure only those that differ are looked at.
    kept, computed = (", ".join(column) for column in zip(*_FIGURES_OF_HOLDS.values(), strict=True))
    values = ", ".join(f"('{what}', {kept}, {computed})" for what, (kept, computed) in _FIGURES_OF_HOLDS.items())
    rows = fetch(
        tx,
        f"""SELECT hold_id, figure.what, figure.kept_minor, figure.computed_minor
             FROM holds h
             FULL JOIN (SELECT {_OF_HOLD} AS hold_id, {_MOVED} FROM transfers t WHERE {_OF_HOLD} IS NOT NULL
                         GROUP BY 1) AS moved USING (hold_id)
             FULL JOIN (SELECT payment_id AS hold_id, sum(amount_minor)::bigint AS refunds FROM refunds
                         WHERE status = 'posted' GROUP BY 1) AS given USING (hold_id)
            CROSS JOIN LATERAL (VALUES {values}) AS figure (what, kept_minor, computed_minor)
            WHERE ({kept}) <> ({computed}) AND figure.kept_minor <> figure.computed_minor
            ORDER BY hold_id, figure.what LIMIT %s""",
        (DIFFERENCES_SHOWN_MAX,),
    )
    return [
        {"hold_id": hold_id, "what": what, "kept_minor": kept, "computed_minor": computed}
        for hold_id, what, kept, computed in rows
    ]


def _difference(row: Any) -> dict[str, Any]:
    account_id, kept, computed = row
    return {"account_id": account_id, "kept_minor": kept, "computed_minor": computed}


# What a worker looks at, some at a time


def measure_holds(tx: Connection) -> int:
    """Holds whose money is set aside, as far as it is worth counting."""
    ((count,),) = fetch(
        tx,
        "SELECT count(*) FROM (SELECT 1 FROM holds WHERE expires_at IS NOT NULL LIMIT %s) AS open_holds",
        (MEASURED_MAX,),
    )
    return int(count)


def measure_balances(tx: Connection) -> Mapping[str, int]:
    """What the balances of all accounts add up to, by currency: zero, since every transfer takes what it gives."""
    rows = fetch(tx, "SELECT currency, sum(posted_minor)::bigint FROM accounts GROUP BY currency")
    return dict(rows)


def find_wrong_accounts(tx: Connection, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
    """Of a page of accounts, those that do not stand where their entries end or hold what their holds add up to; and
    where to go on, None at the end."""
    rows = fetch(
        tx,
        f"""WITH page AS (
             SELECT account_id FROM accounts
              WHERE lane = 0 AND (%s::uuid IS NULL OR account_id > %s) ORDER BY account_id LIMIT %s
           ), held AS (
             SELECT h.debtor_account_id, sum({_LEFT}) AS held_minor
               FROM page JOIN holds h ON h.debtor_account_id = page.account_id
              WHERE h.expires_at IS NOT NULL GROUP BY h.debtor_account_id
           )
           SELECT a.account_id,
                  bool_or((a.posted_minor, a.entry_count, a.entry_hash, a.held_minor) IS DISTINCT FROM
                          (coalesce(newest.balance_minor, 0), coalesce(newest.number, 0), coalesce(newest.hash, ''),
                           coalesce(held.held_minor, 0)))
             FROM page JOIN accounts a USING (account_id)
             LEFT JOIN LATERAL (
               SELECT number, balance_minor, hash FROM entries e
                WHERE e.account_id = a.account_id AND e.lane = a.lane ORDER BY number DESC LIMIT 1
             ) newest ON true
             LEFT JOIN held ON held.debtor_account_id = a.account_id
            GROUP BY a.account_id ORDER BY a.account_id""",
        (after, after, limit),
    )
    return [account_id for account_id, is_wrong in rows if is_wrong], rows[-1][0] if len(rows) == limit else None


def find_wrong_holds(tx: Connection, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
    """Of a page of holds, those that say something else than their transfers; and where to go on, None at the end."""
    rows = fetch(
        tx,
        f"""SELECT h.hold_id, (h.posted_minor, h.posted_fee_minor, h.refunded_minor, {_BLOCKED})
                   <> (moved.posted, moved.posted_fee, moved.refunded, moved.blocked)
             FROM (SELECT * FROM holds WHERE %s::uuid IS NULL OR hold_id > %s ORDER BY hold_id LIMIT %s) AS h
            CROSS JOIN LATERAL (SELECT {_MOVED} FROM transfers t WHERE {_OF_HOLD} = h.hold_id) AS moved
            ORDER BY h.hold_id""",
        (after, after, limit),
    )
    return [hold_id for hold_id, is_wrong in rows if is_wrong], rows[-1][0] if len(rows) == limit else None
