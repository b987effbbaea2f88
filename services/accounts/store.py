"""The ledger's tables, and the only SQL that touches them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.database import array, fetch
from libs.common.message import Message, Trace
from libs.common.writes import Table, Writes, lock_rows, writing
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

_CUSTOMERS = Table(
    "customers",
    key={"customer_id": "uuid"},
    fixed={"kind": "text", "personal": "json", "wanted_currencies": "text[]"},
    changing={"status": "text", "tier": "smallint", "sequence": "bigint"},
)
_ACCOUNTS = Table(
    "accounts",
    key={"account_id": "uuid"},
    fixed={"customer_id": "uuid", "kind": "text", "currency": "text", "floor_minor": "bigint"},
    changing={
        "status": "text",
        "debit_max_minor": "bigint",
        "posted_minor": "bigint",
        "held_minor": "bigint",
        "entry_count": "bigint",
        "sequence": "bigint",
    },
)
_INTERNAL_ACCOUNTS = Table("accounts", fixed=_ACCOUNTS.columns, on_conflict="DO NOTHING")
_HOLDS = Table(
    "holds",
    key={"payment_id": "uuid"},
    fixed={
        "debtor_account_id": "uuid",
        "creditor_account_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "decline_reason": "text",
    },
    changing={
        "status": "text",
        "post_refusal": "text",
        "expires_at": "timestamptz",
        "transfer_id": "uuid",
        "sequence": "bigint",
    },
)
_TRANSFERS = Table(
    "transfers",
    key={"transfer_id": "uuid"},
    fixed={
        "kind": "text",
        "payment_id": "uuid",
        "debit_account_id": "uuid",
        "credit_account_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "reference": "text",
        "effective_at": "timestamptz",
        "recorded_at": "timestamptz",
    },
)
_ENTRIES = Table(
    "entries",
    key={"account_id": "uuid", "number": "bigint"},
    fixed={
        "transfer_id": "uuid",
        "amount_minor": "bigint",
        "balance_minor": "bigint",
        "effective_at": "timestamptz",
        "recorded_at": "timestamptz",
    },
)


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


def save_ledger(writes: Writes, ledger: Ledger) -> None:
    """Say what is to be written of what changed."""
    writes.save(_CUSTOMERS, ledger.customers, _customer_row)
    writes.save(_ACCOUNTS, ledger.accounts, _account_row)
    writes.save(_HOLDS, ledger.holds, _hold_row)
    writes.insert(_TRANSFERS, map(_transfer_row, ledger.transfers))
    writes.insert(_ENTRIES, map(msgspec.structs.astuple, ledger.entries))


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
        (array("uuid", account_ids),),
    )
    return {customer_id for (customer_id,) in rows}


def _lock_customers(tx: Connection, customer_ids: set[str]) -> dict[str, Customer]:
    columns = "customer_id, kind, personal::text, wanted_currencies, status, tier, sequence"
    rows = lock_rows(tx, _CUSTOMERS, customer_ids, columns)
    return {row[0]: _customer(row) for row in rows}


def _lock_accounts(tx: Connection, account_ids: set[str], customer_ids: set[str]) -> dict[str, Account]:
    if not account_ids and not customer_ids:
        return {}
    rows = fetch(
        tx,
        f"""SELECT {_ACCOUNTS.select} FROM accounts WHERE account_id = ANY(%b::uuid[])
             {"OR customer_id = ANY(%b::uuid[])" if customer_ids else ""} ORDER BY account_id FOR NO KEY UPDATE""",
        (array("uuid", account_ids), *([array("uuid", customer_ids)] if customer_ids else [])),
    )
    return {row[0]: _account(row) for row in rows}


def _lock_holds(tx: Connection, payment_ids: set[str]) -> dict[str, Hold]:
    rows = lock_rows(tx, _HOLDS, payment_ids)
    return {row[0]: _hold(row) for row in rows}


def _ensure_internal_accounts(tx: Connection, currencies: set[str]) -> set[str]:
    accounts = [account for currency in currencies for account in internal_accounts(currency)]
    with writing(tx) as writes:
        writes.insert(_INTERNAL_ACCOUNTS, sorted(map(_account_row, accounts)))
    return {account.account_id for account in accounts}


def _customer(row: Any) -> Customer:
    customer_id, kind, personal, wanted_currencies, status, tier, sequence = row
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
    account_id, customer_id, kind, currency, floor, status, debit_max, posted, held, entry_count, sequence = row
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
    payment_id, debtor, creditor, amount, currency, decline_reason, status, post_refusal, *rest = row
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


def _customer_row(customer: Customer) -> tuple[Any, ...]:
    return (
        customer.customer_id,
        customer.kind.value,
        msgspec.json.encode(customer.personal).decode(),
        # As Postgres writes an array: codes of currencies need no quotes.
        f"{{{','.join(customer.wanted_currencies)}}}",
        customer.status.value,
        customer.tier,
        customer.sequence,
    )


def _account_row(account: Account) -> tuple[Any, ...]:
    return (
        account.account_id,
        account.customer_id,
        account.kind.value,
        account.currency,
        account.floor_minor,
        account.status.value,
        account.debit_max_minor,
        account.posted_minor,
        account.held_minor,
        account.entry_count,
        account.sequence,
    )


def _hold_row(hold: Hold) -> tuple[Any, ...]:
    return (
        hold.payment_id,
        hold.debtor_account_id,
        hold.creditor_account_id,
        hold.amount_minor,
        hold.currency,
        hold.decline_reason and hold.decline_reason.value,
        hold.status.value,
        hold.post_refusal and hold.post_refusal.value,
        hold.expires_at,
        hold.transfer_id,
        hold.sequence,
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
