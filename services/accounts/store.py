"""The ledger's tables, and the only SQL that touches them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.database import copy, execute, fetch
from libs.common.message import Message, Trace
from schemas.accounts.events import CustomerKind, CustomerPersonalData, DeclineReason, PostRefusal
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentBlockRequested, PaymentInitiated
from services.accounts.domain.customers import Close, Freeze, Fund, OpenAccount, Thaw
from services.accounts.domain.funds import ExpireHold
from services.accounts.domain.ledger import (
    Account,
    AccountKind,
    AccountStatus,
    Customer,
    CustomerStatus,
    Entry,
    Hold,
    HoldStatus,
    Ledger,
    Transfer,
    internal_accounts,
)

_ABOUT_CUSTOMERS = (CustomerVerified, CustomerRefused, CustomerRestricted, OpenAccount)
_ABOUT_ACCOUNTS = (Fund, Freeze, Thaw, Close)
_WITH_ORDERS = (PaymentInitiated, PaymentAnswerOverdue)
_WITH_INTERNAL_ACCOUNTS = (Fund, PaymentBlockRequested)

_CUSTOMER = "customer_id, kind, personal::text, status, tier, wanted_currencies, sequence"
_ACCOUNT = """account_id, customer_id, kind, currency, status, floor_minor, debit_max_minor,
              posted_minor, held_minor, entry_count, sequence"""
_HOLD = """payment_id, debtor_account_id, creditor_account_id, amount_minor, currency, status, decline_reason,
           post_refusal, expires_at, transfer_id, sequence"""


def load_ledger(tx: Connection, messages: Sequence[Message], *, hold_lifetime: timedelta) -> Ledger:
    """Lock and read all that a batch can touch. Order of locks: customers, holds, accounts; each by id."""
    bodies = [message.body for message in messages]
    customer_ids = {body.customer_id for body in bodies if isinstance(body, _ABOUT_CUSTOMERS)}
    customer_ids |= _owners(tx, {body.account_id for body in bodies if isinstance(body, Thaw)})
    loaded_customers = _lock_customers(tx, customer_ids)
    holds = _lock_holds(tx, {body.payment_id for body in bodies if hasattr(body, "payment_id")})
    account_ids = {body.account_id for body in bodies if isinstance(body, _ABOUT_ACCOUNTS)}
    for body in bodies:
        if isinstance(body, _WITH_ORDERS):
            account_ids |= {body.order.debtor_account_id, body.order.creditor_account_id}
    for hold in holds.values():
        account_ids |= {hold.debtor_account_id} | ({hold.creditor_account_id} if hold.creditor_account_id else set())
    account_ids |= _ensure_internal_accounts(tx, _currencies_of_the_house(bodies))
    return Ledger(
        customers=loaded_customers,
        accounts=_lock_accounts(tx, account_ids, customer_ids),
        holds=holds,
        hold_lifetime=hold_lifetime,
    )


def save_ledger(tx: Connection, ledger: Ledger) -> None:
    """Write back in bulk what changed."""
    _insert_customers(tx, ledger.customers.inserted)
    _update_customers(tx, ledger.customers.updated)
    _insert_accounts(tx, ledger.accounts.inserted)
    _update_accounts(tx, ledger.accounts.updated)
    _insert_holds(tx, ledger.holds.inserted)
    _update_holds(tx, ledger.holds.updated)
    _insert_transfers(tx, ledger.transfers)
    _insert_entries(tx, ledger.entries)


def find_expired_holds(tx: Connection, now: datetime, at_most: int) -> list[Message]:
    """The holds whose time has run out."""
    rows = fetch(
        tx,
        "SELECT payment_id, expires_at FROM holds WHERE expires_at <= %s ORDER BY expires_at LIMIT %s",
        (now, at_most),
    )
    return [
        Message(
            message_id=ids.derive(payment_id, "accounts", "expiry", expires_at.isoformat()),
            body=ExpireHold(payment_id=payment_id),
            received_at=now,
            trace=Trace(correlation_id=payment_id, traceparent=""),
        )
        for payment_id, expires_at in rows
    ]


def _currencies_of_the_house(bodies: Sequence[Any]) -> set[str]:
    """The currencies of messages that may move money from or to an account of the house."""
    overdue = [body for body in bodies if isinstance(body, PaymentAnswerOverdue) and Answer.BLOCKING in body.awaited]
    return {body.currency for body in bodies if isinstance(body, _WITH_INTERNAL_ACCOUNTS)} | {
        body.order.currency for body in overdue
    }


def _owners(tx: Connection, account_ids: set[str]) -> set[str]:
    if not account_ids:
        return set()
    rows = fetch(
        tx,
        "SELECT customer_id FROM accounts WHERE account_id = ANY(%b::uuid[]) AND customer_id IS NOT NULL",
        (list(account_ids),),
    )
    return {customer_id for (customer_id,) in rows}


def _lock_customers(tx: Connection, customer_ids: set[str]) -> dict[str, Customer]:
    if not customer_ids:
        return {}
    rows = fetch(
        tx,
        f"SELECT {_CUSTOMER} FROM customers WHERE customer_id = ANY(%b::uuid[]) ORDER BY customer_id FOR NO KEY UPDATE",
        (list(customer_ids),),
    )
    return {row[0]: _customer(row) for row in rows}


def _lock_accounts(tx: Connection, account_ids: set[str], customer_ids: set[str]) -> dict[str, Account]:
    if not account_ids and not customer_ids:
        return {}
    rows = fetch(
        tx,
        f"""SELECT {_ACCOUNT} FROM accounts WHERE account_id = ANY(%b::uuid[])
             {"OR customer_id = ANY(%b::uuid[])" if customer_ids else ""} ORDER BY account_id FOR NO KEY UPDATE""",
        (list(account_ids), *([list(customer_ids)] if customer_ids else [])),
    )
    return {row[0]: _account(row) for row in rows}


def _lock_holds(tx: Connection, payment_ids: set[str]) -> dict[str, Hold]:
    if not payment_ids:
        return {}
    rows = fetch(
        tx,
        f"SELECT {_HOLD} FROM holds WHERE payment_id = ANY(%b::uuid[]) ORDER BY payment_id FOR NO KEY UPDATE",
        (list(payment_ids),),
    )
    return {row[0]: _hold(row) for row in rows}


def _ensure_internal_accounts(tx: Connection, currencies: set[str]) -> set[str]:
    accounts = [account for currency in sorted(currencies) for account in internal_accounts(currency)]
    for account in sorted(accounts, key=lambda account: account.account_id):
        execute(
            tx,
            f"""INSERT INTO accounts ({_ACCOUNT})
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
            _account_row(account),
        )
    return {account.account_id for account in accounts}


def _customer(row: Any) -> Customer:
    customer_id, kind, personal, status, tier, wanted_currencies, sequence = row
    return Customer(
        customer_id=customer_id,
        kind=CustomerKind(kind),
        personal=msgspec.json.decode(personal, type=CustomerPersonalData),
        status=CustomerStatus(status),
        tier=tier,
        wanted_currencies=tuple(wanted_currencies),
        sequence=sequence,
    )


def _account(row: Any) -> Account:
    (account_id, customer_id, kind, currency, status, floor, debit_max, posted, held, entry_count, sequence) = row
    return Account(
        account_id=account_id,
        customer_id=customer_id,
        kind=AccountKind(kind),
        currency=currency,
        status=AccountStatus(status),
        floor_minor=floor,
        debit_max_minor=debit_max,
        posted_minor=posted,
        held_minor=held,
        entry_count=entry_count,
        sequence=sequence,
    )


def _hold(row: Any) -> Hold:
    payment_id, debtor, creditor, amount, currency, status, decline_reason, post_refusal, *rest = row
    expires_at, transfer_id, sequence = rest
    return Hold(
        payment_id=payment_id,
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        amount_minor=amount,
        currency=currency,
        status=HoldStatus(status),
        decline_reason=DeclineReason(decline_reason) if decline_reason else None,
        post_refusal=PostRefusal(post_refusal) if post_refusal else None,
        expires_at=expires_at,
        transfer_id=transfer_id,
        sequence=sequence,
    )


def _account_row(account: Account) -> tuple[Any, ...]:
    return (
        account.account_id,
        account.customer_id,
        account.kind.value,
        account.currency,
        account.status.value,
        account.floor_minor,
        account.debit_max_minor,
        account.posted_minor,
        account.held_minor,
        account.entry_count,
        account.sequence,
    )


def _insert_customers(tx: Connection, customers: Sequence[Customer]) -> None:
    if customers:
        copy(
            tx,
            """COPY customers (customer_id, kind, personal, status, tier, wanted_currencies, sequence)
               FROM STDIN (FORMAT BINARY)""",
            ("uuid", "text", "text", "text", "int2", "text[]", "int8"),
            (
                (
                    c.customer_id,
                    c.kind.value,
                    msgspec.json.encode(c.personal).decode(),
                    c.status.value,
                    c.tier,
                    list(c.wanted_currencies),
                    c.sequence,
                )
                for c in customers
            ),
        )


def _update_customers(tx: Connection, customers: Sequence[Customer]) -> None:
    if customers:
        execute(
            tx,
            """UPDATE customers c SET status = v.status, tier = v.tier, sequence = v.sequence
                 FROM unnest(%b::uuid[], %b::text[], %b::smallint[], %b::bigint[])
                      AS v (customer_id, status, tier, sequence)
                WHERE c.customer_id = v.customer_id""",
            (
                [c.customer_id for c in customers],
                [c.status.value for c in customers],
                [c.tier for c in customers],
                [c.sequence for c in customers],
            ),
        )


def _insert_accounts(tx: Connection, accounts: Sequence[Account]) -> None:
    if accounts:
        copy(
            tx,
            f"COPY accounts ({_ACCOUNT}) FROM STDIN (FORMAT BINARY)",
            ("uuid", "uuid", "text", "text", "text", "int8", "int8", "int8", "int8", "int8", "int8"),
            map(_account_row, accounts),
        )


def _update_accounts(tx: Connection, accounts: Sequence[Account]) -> None:
    if accounts:
        execute(
            tx,
            """UPDATE accounts a SET status = v.status, debit_max_minor = v.debit_max_minor,
                      posted_minor = v.posted_minor, held_minor = v.held_minor, entry_count = v.entry_count,
                      sequence = v.sequence
                 FROM unnest(%b::uuid[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
                             %b::bigint[])
                      AS v (account_id, status, debit_max_minor, posted_minor, held_minor, entry_count, sequence)
                WHERE a.account_id = v.account_id""",
            (
                [a.account_id for a in accounts],
                [a.status.value for a in accounts],
                [a.debit_max_minor for a in accounts],
                [a.posted_minor for a in accounts],
                [a.held_minor for a in accounts],
                [a.entry_count for a in accounts],
                [a.sequence for a in accounts],
            ),
        )


def _insert_holds(tx: Connection, holds: Sequence[Hold]) -> None:
    if holds:
        copy(
            tx,
            f"COPY holds ({_HOLD}) FROM STDIN (FORMAT BINARY)",
            ("uuid", "uuid", "uuid", "int8", "text", "text", "text", "text", "timestamptz", "uuid", "int8"),
            (
                (
                    h.payment_id,
                    h.debtor_account_id,
                    h.creditor_account_id,
                    h.amount_minor,
                    h.currency,
                    h.status.value,
                    h.decline_reason and h.decline_reason.value,
                    h.post_refusal and h.post_refusal.value,
                    h.expires_at,
                    h.transfer_id,
                    h.sequence,
                )
                for h in holds
            ),
        )


def _update_holds(tx: Connection, holds: Sequence[Hold]) -> None:
    if holds:
        execute(
            tx,
            """UPDATE holds h SET status = v.status, post_refusal = v.post_refusal, expires_at = v.expires_at,
                      transfer_id = v.transfer_id, sequence = v.sequence
                 FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::timestamptz[], %b::uuid[], %b::bigint[])
                      AS v (payment_id, status, post_refusal, expires_at, transfer_id, sequence)
                WHERE h.payment_id = v.payment_id""",
            (
                [h.payment_id for h in holds],
                [h.status.value for h in holds],
                [h.post_refusal and h.post_refusal.value for h in holds],
                [h.expires_at for h in holds],
                [h.transfer_id for h in holds],
                [h.sequence for h in holds],
            ),
        )


def _insert_transfers(tx: Connection, transfers: Iterable[Transfer]) -> None:
    if rows := [_transfer_row(transfer) for transfer in transfers]:
        copy(
            tx,
            """COPY transfers (transfer_id, kind, payment_id, debit_account_id, credit_account_id, amount_minor,
                               currency, reference, effective_at, recorded_at) FROM STDIN (FORMAT BINARY)""",
            ("uuid", "text", "uuid", "uuid", "uuid", "int8", "text", "text", "timestamptz", "timestamptz"),
            rows,
        )


def _transfer_row(transfer: Transfer) -> tuple[Any, ...]:
    return (
        transfer.transfer_id,
        transfer.kind.value,
        transfer.payment_id,
        transfer.debit_account_id,
        transfer.credit_account_id,
        transfer.amount_minor,
        transfer.currency,
        transfer.reference,
        transfer.effective_at,
        transfer.recorded_at,
    )


def _insert_entries(tx: Connection, entries: Iterable[Entry]) -> None:
    if rows := [msgspec.structs.astuple(entry) for entry in entries]:
        copy(
            tx,
            """COPY entries (account_id, number, transfer_id, amount_minor, balance_minor, effective_at, recorded_at)
               FROM STDIN (FORMAT BINARY)""",
            ("uuid", "int8", "uuid", "int8", "int8", "timestamptz", "timestamptz"),
            rows,
        )
