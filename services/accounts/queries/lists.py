"""Lists of what the ledger has, a page at a time, each in an order that stays. Read-only SQL.

A page looks at so many rows at most, however many others are in between: it may be short, or empty, and have a next.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.database import fetch, transaction
from services.accounts.domain.chart import AccountKind
from services.accounts.domain.ledger import HoldKind, HoldStatus
from services.accounts.domain.limits import LimitTable
from services.accounts.queries import (
    ACCOUNT_COLUMNS,
    ALL_LANES,
    TRANSFER_AND_ITS_REVERSAL,
    hold_view,
    row_view,
    transfer_view,
)
from services.accounts.store import HOLD_COLUMNS, hold_of

LOOKED_AT_MAX = 10_000
"""Rows that a page looks at for those that were asked for."""

_VISIBLE = """EXISTS (
  SELECT FROM accounts a WHERE a.account_id IN (debit_account_id, credit_account_id) AND a.lane = 0
     AND a.kind = 'customer' AND (a.client_id IS NULL OR a.client_id = %s))"""
"""Whether a client may see a transfer, as `routes.answers.is_visible` has it."""
_OF_ACCOUNT = "%s IN (debit_account_id, credit_account_id)"

_ENTERED = "(SELECT e.account_id, e.lane, e.number, t.* FROM entries e JOIN transfers t USING (transfer_id)) AS entered"

Conditions = dict[str, Sequence[Any]]
"""What is asked of rows, as SQL, with its parameters."""


class NoSuchPlace(Exception):
    """A list is to go on after something that isn't in it."""


def list_accounts(
    engine: Engine,
    limits: LimitTable,
    *,
    tenant_id: str | None,
    customer_id: str | None,
    kind: AccountKind | None,
    after: str | None,
    limit: int,
) -> dict[str, Any]:
    """Accounts by id."""
    conditions: Conditions = {"lane = 0": ()} | _given({"customer_id = %s": customer_id, "account_id > %s": after})
    with transaction(engine) as tx:
        rows, cursor = _page(
            tx,
            ACCOUNT_COLUMNS,
            looked_at=f"SELECT * FROM accounts WHERE {_all_of(conditions)}",
            joined=ALL_LANES,
            order="account_id",
            parameters=_parameters(conditions),
            wanted=_given({"kind = %s": kind, "(client_id IS NULL OR client_id = %s)": tenant_id}),
            limit=limit,
        )
    return {"accounts": [row_view(row, limits) for row in rows], "next_cursor": cursor}


def list_holds(
    engine: Engine, *, account_id: str, status: HoldStatus | None, with_payments: bool, after: str | None, limit: int
) -> dict[str, Any]:
    """Holds of an account by id: those asked for, and of payments those that are still held."""
    conditions = _given({"debtor_account_id = %s": account_id, "hold_id > %s": after})
    is_held = status is HoldStatus.HELD
    if is_held:
        # In the words of the index of what is held, which is small.
        conditions["expires_at IS NOT NULL"] = ()
    if not (is_held and with_payments):
        conditions[f"kind = '{HoldKind.REQUEST}'"] = ()
    with transaction(engine) as tx:
        rows, cursor = _page(
            tx,
            HOLD_COLUMNS,
            looked_at=f"SELECT {HOLD_COLUMNS} FROM holds WHERE {_all_of(conditions)}",
            order="hold_id",
            parameters=_parameters(conditions),
            wanted={} if is_held else _given({"status = %s": status}),
            limit=limit,
        )
    return {"holds": [hold_view(hold_of(row)) for row in rows], "next_cursor": cursor}


def list_transfers(
    engine: Engine,
    *,
    tenant_id: str | None,
    account_id: str | None,
    reference: str | None,
    link_id: str | None,
    after: str | None,
    limit: int,
) -> dict[str, Any]:
    """Transfers that were linked in their order; or those of an account as they stand in its books; or else those with
    a reference by id, which are anybody's. Raises NoSuchPlace.

    Whether the account is the tenant's is for who asks to know.
    """
    wanted: Conditions = {}
    with transaction(engine) as tx:
        if link_id is not None:
            source, order, conditions = "transfers", "link_number", _given({"link_id = %s": link_id})
            wanted = _given({_VISIBLE: tenant_id} if account_id is None else {_OF_ACCOUNT: account_id})
            wanted |= _given({"reference = %s": reference})
        elif account_id is not None:
            source, order, conditions = _ENTERED, "lane, number", _given({"account_id = %s": account_id})
            named = _given({"reference = %s": reference})
            if named and _is_common(tx, reference):
                wanted = named
            else:
                conditions |= named
        else:
            source, order, conditions = "transfers", "transfer_id", _given({"reference = %s": reference})
        if after is not None:
            conditions |= _beyond(tx, source, conditions, order, after)
        rows, cursor = _page(
            tx,
            TRANSFER_AND_ITS_REVERSAL,
            looked_at=f"SELECT * FROM {source} WHERE {_all_of(conditions)}",
            order=order,
            parameters=_parameters(conditions),
            wanted=wanted,
            limit=limit,
        )
    return {"transfers": [transfer_view(row) for row in rows], "next_cursor": cursor}


def _page(
    tx: Connection,
    columns: str,
    *,
    looked_at: str,
    joined: str = "",
    order: str,
    parameters: Sequence[Any],
    wanted: Conditions,
    limit: int,
) -> tuple[list[Any], str | None]:
    """The wanted ones of the rows looked at, and the id to go on after; it is the first of their columns."""
    most = LOOKED_AT_MAX if wanted else limit + 1
    rows = fetch(
        tx,
        f"""SELECT {columns}, is_wanted, place FROM (
              SELECT l.*, ({_all_of(wanted)}) AS is_wanted, row_number() OVER (ORDER BY {order}) AS place
                FROM ({looked_at} ORDER BY {order} LIMIT {most}) AS l
            ) AS t {joined} WHERE is_wanted OR place = {most} ORDER BY {order} LIMIT %s""",
        (*_parameters(wanted), *parameters, limit + 1),
    )
    shown = rows[:limit]
    goes_on = len(rows) > limit or bool(shown and shown[-1][-1] == most)
    return [row[:-2] for row in shown if row[-2]], shown[-1][0] if goes_on else None


def _is_common(tx: Connection, reference: str | None) -> bool:
    """Whether so many transfers have a reference that an account's are found sooner than those."""
    ((count,),) = fetch(
        tx,
        "SELECT count(*) FROM (SELECT FROM transfers WHERE reference = %s LIMIT %s) AS referenced",
        (reference, LOOKED_AT_MAX),
    )
    return bool(count == LOOKED_AT_MAX)


def _beyond(tx: Connection, source: str, conditions: Conditions, order: str, transfer_id: str) -> Conditions:
    """What comes after a transfer in a list. Raises NoSuchPlace."""
    rows = fetch(
        tx,
        f"SELECT {order} FROM {source} WHERE {_all_of(conditions)} AND transfer_id = %s",
        (*_parameters(conditions), transfer_id),
    )
    if not rows:
        raise NoSuchPlace("must be the `next_cursor` of a page of the same list")
    (place,) = rows
    return {f"({order}) > ({', '.join(['%s'] * len(place))})": place}


def _given(conditions: Mapping[str, Any]) -> Conditions:
    """The conditions for which there is a value."""
    return {condition: (value,) for condition, value in conditions.items() if value is not None}


def _all_of(conditions: Conditions) -> str:
    return " AND ".join(conditions) or "true"


def _parameters(conditions: Conditions) -> list[Any]:
    return [parameter for parameters in conditions.values() for parameter in parameters]
