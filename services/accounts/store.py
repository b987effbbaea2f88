"""The ledger's tables, and the only SQL that touches them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, cast

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.database import array, fetch
from libs.common.message import Message, Trace
from libs.common.parking import find_parked
from libs.common.personal_data import KeysWanted
from libs.common.record import replace
from libs.common.vault import Vault
from libs.common.writes import Row, Table, Writes, lock_rows, writing
from schemas.accounts.events import (
    CustomerKind,
    CustomerPersonalData,
    DeclineReason,
    EncryptedPersonalData,
    PostRefusal,
    RefundRefusal,
)
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from schemas.payments.events import (
    Answer,
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentBlockRequested,
    PaymentInitiated,
    RefundAnswerOverdue,
    RefundRequested,
)
from services.accounts.domain.chart import AccountKind, house_account_id, house_accounts
from services.accounts.domain.customers import (
    Close,
    CloseCustomer,
    Freeze,
    OpenAccount,
    RegisterCustomer,
    SetBounds,
    Thaw,
)
from services.accounts.domain.holds import ExpireHold, PlaceHold, PostHold, PostHolds, VoidHold
from services.accounts.domain.journal import Entry, Transfer, TransferKind
from services.accounts.domain.ledger import (
    Account,
    AccountStatus,
    Customer,
    CustomerStatus,
    Hold,
    HoldKind,
    HoldStatus,
    Ledger,
    Refund,
    RefundStatus,
    house_account,
)
from services.accounts.domain.limits import LimitTable
from services.accounts.domain.transfers import Book, Convert, Fund, Reverse, reversal_id

decode_personal = msgspec.json.Decoder(CustomerPersonalData | EncryptedPersonalData).decode

LANES = 4
"""Of every account of the house: so many batches at once may move money on one without waiting for each other."""

_ABOUT_CUSTOMERS = (CustomerVerified, CustomerRefused, CustomerRestricted, OpenAccount, CloseCustomer)
_ABOUT_HOLDS = (PostHold, VoidHold, ExpireHold)
_ABOUT_REFUNDS = (RefundRequested, RefundAnswerOverdue)

_CUSTOMERS = Table(
    "customers",
    key={"customer_id": "uuid"},
    fixed={"client_id": "text", "kind": "text", "personal": "json", "wanted_currencies": "text[]"},
    changing={"status": "text", "tier": "smallint", "closed_at": "timestamptz", "sequence": "bigint"},
)
_BALANCE_COLUMNS = {
    "posted_minor": "bigint",
    "held_minor": "bigint",
    "entry_count": "bigint",
    "entry_hash": "bytea",
    "recorded_at": "timestamptz",
    "spent_on": "date",
    "spent_day_minor": "bigint",
    "spent_month_minor": "bigint",
}
_TERM_COLUMNS = {
    "status": "text",
    "is_blocked": "boolean",
    "tier": "smallint",
    "floor_minor": "bigint",
    "ceiling_minor": "bigint",
    "sequence": "bigint",
}
_ACCOUNT_KEY = {"account_id": "uuid", "lane": "smallint"}
_ACCOUNTS = Table(
    "accounts",
    key=_ACCOUNT_KEY,
    fixed={"customer_id": "uuid", "client_id": "text", "kind": "text", "currency": "text", "metadata": "json"},
    changing=_TERM_COLUMNS | _BALANCE_COLUMNS,
)
_NEW_ACCOUNTS = Table("accounts", fixed=_ACCOUNTS.columns, on_conflict="DO NOTHING")
_BALANCES = Table("accounts", key=_ACCOUNT_KEY, changing=_BALANCE_COLUMNS)
"""What changes when money moves, and nothing else."""
_HOLDS = Table(
    "holds",
    key={"hold_id": "uuid"},
    fixed={
        "kind": "text",
        "debtor_account_id": "uuid",
        "creditor_account_id": "uuid",
        "amount_minor": "bigint",
        "fee_minor": "bigint",
        "currency": "text",
        "held_on": "date",
        "decline_reason": "text",
    },
    changing={
        "status": "text",
        "posted_minor": "bigint",
        "posted_fee_minor": "bigint",
        "refunded_minor": "bigint",
        "post_refusal": "text",
        "expires_at": "timestamptz",
        "transfer_id": "uuid",
        "sequence": "bigint",
    },
)
_REFUNDS = Table(
    "refunds",
    key={"refund_id": "uuid"},
    fixed={"payment_id": "uuid", "amount_minor": "bigint", "status": "text", "refusal": "text", "transfer_id": "uuid"},
    changing={"sequence": "bigint"},
)
_TRANSFERS = Table(
    "transfers",
    key={"transfer_id": "uuid"},
    fixed={
        "kind": "text",
        "link_id": "uuid",
        "link_number": "smallint",
        "payment_id": "uuid",
        "hold_id": "uuid",
        "reversed_transfer_id": "uuid",
        "debit_account_id": "uuid",
        "credit_account_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "reference": "text",
        "metadata": "json",
        "effective_at": "timestamptz",
        "recorded_at": "timestamptz",
    },
)
_ENTRIES = Table(
    "entries",
    key={"account_id": "uuid", "lane": "smallint", "number": "bigint"},
    fixed={
        "transfer_id": "uuid",
        "amount_minor": "bigint",
        "balance_minor": "bigint",
        "effective_at": "timestamptz",
        "recorded_at": "timestamptz",
        "hash": "bytea",
    },
)

HOLD_COLUMNS, TRANSFER_COLUMNS, ENTRY_COLUMNS = _HOLDS.select, _TRANSFERS.select, _ENTRIES.select


def load_ledger(
    tx: Connection, messages: Sequence[Message], *, hold_lifetime: timedelta, limits: LimitTable, vault: Vault
) -> Ledger:
    """Lock and read all that a batch can touch.

    Order of locks: customers, refunds, holds, customers' accounts, each by id; then a lane of each account of the
    house, by id too, whichever is free.
    """
    bodies = _by_kind(message.body for message in messages)
    customer_ids = {body.customer_id for body in _of(bodies, _ABOUT_CUSTOMERS)}
    customer_ids |= _owners(tx, {body.account_id for body in _of(bodies, (Thaw,))})
    customers = _lock_customers(tx, customer_ids)
    refunds = _lock_refunds(tx, {body.refund_id for body in _of(bodies, _ABOUT_REFUNDS)})
    hold_ids = {body.payment_id for kind, found in bodies.items() if hasattr(kind, "payment_id") for body in found}
    hold_ids |= {body.hold_id for body in _of(bodies, _ABOUT_HOLDS)}
    hold_ids |= {each.hold_id for body in _of(bodies, (PostHolds,)) for each in body.postings}
    holds = _lock_holds(tx, hold_ids)
    reversed_ids = {body.transfer_id for body in _of(bodies, (Reverse,))}
    transfers = _find_linked(tx, reversed_ids)
    account_ids = {account_id for message in messages for account_id in named_accounts(message.body)}
    for hold in holds.values():
        account_ids |= {hold.debtor_account_id} | ({hold.creditor_account_id} if hold.creditor_account_id else set())
    for transfer in transfers.values():
        account_ids |= {transfer.debit_account_id, transfer.credit_account_id}
    house_ids = account_ids & house_accounts().keys()
    accounts = _lock_accounts(tx, account_ids - house_ids, customer_ids)
    refused, opening = _of(bodies, (CustomerRefused,)), _of(bodies, (OpenAccount, RegisterCustomer))
    house_ids |= blocked_funds_of(accounts.values(), refused, customers, opening)
    accounts |= _lock_lanes(tx, house_ids)
    # Who takes the same back at the same time is waited for by now: its accounts are locked.
    transfers |= _find_transfers(tx, "transfer_id", set(map(reversal_id, reversed_ids)))
    expiring = {body.hold_id for body in _of(bodies, (ExpireHold,))}
    return Ledger(
        customers=customers,
        accounts=accounts,
        holds=holds,
        refunds=refunds,
        transfers=transfers,
        hold_lifetime=hold_lifetime,
        limits=limits,
        parked_account_ids=find_parked(tx, {hold.debtor_account_id for id_, hold in holds.items() if id_ in expiring}),
        recorded_at=read_clock(tx),
        keys=vault.keys(owners=wanted_keys(tx, messages).owners),
    )


def wanted_keys(_: Connection, messages: Sequence[Message]) -> KeysWanted:
    """The keys to seal what new customers say of themselves with."""
    return KeysWanted(
        owners=frozenset(message.body.customer_id for message in messages if isinstance(message.body, RegisterCustomer))
    )


def _by_kind(bodies: Iterable[Any]) -> Mapping[type, list[Any]]:
    # A batch has few kinds of message, and what is asked of each is asked of many.
    found = defaultdict[type, list[Any]](list)
    for body in bodies:
        found[type(body)].append(body)
    return found


def _of(bodies: Mapping[type, list[Any]], kinds: Iterable[type]) -> Iterator[Any]:
    return chain.from_iterable(bodies.get(kind, ()) for kind in kinds)


def read_clock(tx: Connection) -> datetime:
    """The time at which all is locked: whoever reads the books later finds what this batch records, or waits for it."""
    ((now,),) = fetch(tx, "SELECT clock_timestamp()")
    return cast(datetime, now)


def save_ledger(writes: Writes, ledger: Ledger) -> None:
    """Say what is to be written of what changed."""
    writes.save(_CUSTOMERS, ledger.customers, _customer_row)
    _save_accounts(writes, ledger)
    writes.save(_HOLDS, ledger.holds, _hold_row)
    writes.save(_REFUNDS, ledger.refunds, _refund_row)
    writes.insert(_TRANSFERS, map(_transfer_row, ledger.transfers.inserted))
    writes.insert(_ENTRIES, map(msgspec.structs.astuple, ledger.entries))


def _save_accounts(writes: Writes, ledger: Ledger) -> None:
    """Most accounts that change only have money moved: writing no more than that saves a third of the columns."""
    opened, changed, moved = list[Row](), list[Row](), list[Row]()
    for before, account in ledger.accounts.changes:
        if before is not None and _terms(before) == _terms(account):
            moved.append((account.account_id, account.lane, *_balance_row(account)))
        else:
            (opened if before is None else changed).append(_account_row(account))
    writes.insert(_ACCOUNTS, opened)
    writes.update(_ACCOUNTS, changed)
    writes.update(_BALANCES, moved)


def find_expired_holds(tx: Connection, now: datetime, at_most: int) -> list[Message]:
    """The holds whose time has run out, but for those about whose money a message waits to be applied."""
    rows = fetch(
        tx,
        """SELECT hold_id, expires_at FROM holds h
            WHERE expires_at <= %s AND NOT EXISTS (SELECT FROM parked_keys WHERE key = h.debtor_account_id::text)
            ORDER BY expires_at LIMIT %s""",
        (now, at_most),
    )
    return [
        Message(
            message_id=ids.derive(hold_id, "accounts", "expiry", expires_at.isoformat()),
            body=ExpireHold(hold_id=hold_id),
            received_at=now,
            trace=Trace(correlation_id=hold_id, traceparent=""),
        )
        for hold_id, expires_at in rows
    ]


def named_accounts(body: Any) -> Iterator[str]:
    """The accounts that a message may move money on, besides those of its hold or of the transfer it takes back."""
    match body:
        # First what comes by the thousand.
        case Book():
            for booking in body.bookings:
                yield from (booking.debit_account_id, booking.credit_account_id)
        case PaymentApproved():
            if body.fee_minor:
                yield house_account_id(AccountKind.FEES, body.currency)
        case PaymentInitiated():
            yield from (body.order.debtor_account_id, body.order.creditor_account_id)
        case Fund():
            yield from (house_account_id(AccountKind.EXTERNAL, body.currency), body.account_id)
        case PaymentBlockRequested():
            yield house_account_id(AccountKind.BLOCKED_FUNDS, body.currency)
        case PaymentAnswerOverdue():
            yield from (body.order.debtor_account_id, body.order.creditor_account_id)
            if Answer.BLOCKING in body.awaited:
                yield house_account_id(AccountKind.BLOCKED_FUNDS, body.order.currency)
            if Answer.POSTING in body.awaited and body.order.fee_minor:
                yield house_account_id(AccountKind.FEES, body.order.currency)
        case Convert():
            yield from (body.debit_account_id, body.credit_account_id)
            for currency in (body.currency, body.credited_currency):
                yield house_account_id(AccountKind.LIQUIDITY, currency)
        case PlaceHold():
            yield from (body.debit_account_id, body.credit_account_id)
        case Freeze() | Thaw() | Close() | SetBounds():
            yield body.account_id


def blocked_funds_of(
    accounts: Iterable[Account],
    refused: Iterable[CustomerRefused],
    customers: Mapping[str, Customer],
    opening: Iterable[OpenAccount | RegisterCustomer],
) -> set[str]:
    """Where the property of customers goes that is blocked, or will be by this batch: those who are refused as listed,
    also on accounts that this very batch opens.
    """
    listed_ids = {body.customer_id for body in refused if body.is_listed}
    currencies = {account.currency for account in accounts if account.is_blocked or account.customer_id in listed_ids}
    if listed_ids:
        currencies.update(*(customers[id_].wanted_currencies for id_ in listed_ids & customers.keys()))
        for body in opening:
            if body.customer_id in listed_ids:
                currencies.update((body.currency,) if isinstance(body, OpenAccount) else body.currencies)
    return {house_account_id(AccountKind.BLOCKED_FUNDS, currency) for currency in currencies}


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
    columns = "customer_id, client_id, kind, personal::text, wanted_currencies, status, tier, closed_at, sequence"
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


def _lock_lanes(tx: Connection, account_ids: set[str]) -> dict[str, Account]:
    """A lane of each account, one after the other: who waits here has locked nothing of a later account, so no two wait
    for each other."""
    return {id_: _lock_lane(tx, id_) or _lock_new_lane(tx, id_) for id_ in sorted(account_ids)}


def _lock_lane(tx: Connection, account_id: str) -> Account | None:
    """A lane that nobody has locked, or else the first, when it is free; None if the account is still to be opened."""
    rows = fetch(tx, _FREE_LANE, (account_id,)) or fetch(tx, _FIRST_LANE, (account_id,))
    return _account(rows[0]) if rows else None


_FREE_LANE = f"""
SELECT {_ACCOUNTS.select} FROM accounts WHERE account_id = %s ORDER BY lane LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"""
_FIRST_LANE = f"SELECT {_ACCOUNTS.select} FROM accounts WHERE account_id = %s AND lane = 0 FOR NO KEY UPDATE"


def _lock_new_lane(tx: Connection, account_id: str) -> Account:
    """Accounts of the house are opened when they are first needed; others may be doing the same."""
    known = house_accounts()[account_id]
    lanes = [house_account(account_id, known.kind, known.currency, lane) for lane in range(LANES)]
    with writing(tx) as writes:
        writes.insert(_NEW_ACCOUNTS, map(_account_row, lanes))
    account = _lock_lane(tx, account_id)
    assert account is not None
    return account


def _lock_holds(tx: Connection, hold_ids: set[str]) -> dict[str, Hold]:
    rows = lock_rows(tx, _HOLDS, hold_ids)
    return {row[0]: hold_of(row) for row in rows}


def _lock_refunds(tx: Connection, refund_ids: set[str]) -> dict[str, Refund]:
    rows = lock_rows(tx, _REFUNDS, refund_ids)
    return {row[0]: _refund(row) for row in rows}


def _find_linked(tx: Connection, transfer_ids: set[str]) -> dict[str, Transfer]:
    """Transfers, and those linked to them. They never change, so nothing is locked."""
    # Two questions, each with an index of its own: as one, they would be answered by reading the whole journal.
    named = _find_transfers(tx, "transfer_id", transfer_ids)
    link_ids = {transfer.link_id for transfer in named.values() if transfer.link_id is not None}
    return named | _find_transfers(tx, "link_id", link_ids)


def _find_transfers(tx: Connection, column: str, wanted: set[str]) -> dict[str, Transfer]:
    if not wanted:
        return {}
    query = f"SELECT {_TRANSFERS.select} FROM transfers WHERE {column} = ANY(%b::uuid[])"
    return {row[0]: transfer_of(row) for row in fetch(tx, query, (array("uuid", wanted),))}


# By their words: asking the class costs several times a look-up, and thousands are asked about in a batch.
_ACCOUNT_KINDS = {kind.value: kind for kind in AccountKind}
_ACCOUNT_STATUSES = {status.value: status for status in AccountStatus}
_HOLD_KINDS = {kind.value: kind for kind in HoldKind}
_HOLD_STATUSES = {status.value: status for status in HoldStatus}


def _customer(row: Any) -> Customer:
    customer_id, client_id, kind, personal, wanted_currencies, status, tier, closed_at, sequence = row
    return Customer(
        customer_id=customer_id,
        client_id=client_id,
        kind=CustomerKind(kind),
        personal=decode_personal(personal),
        status=CustomerStatus(status),
        tier=tier,
        wanted_currencies=tuple(wanted_currencies),
        closed_at=closed_at,
        sequence=sequence,
    )


def _account(row: Any) -> Account:
    account_id, lane, customer_id, client_id, kind, currency, metadata, *terms_and_balance = row
    status, is_blocked, tier, floor, ceiling, sequence, *balance = terms_and_balance
    posted, held, entry_count, entry_hash, recorded_at, spent_on, spent_day, spent_month = balance
    return Account(
        account_id=account_id,
        lane=lane,
        customer_id=customer_id,
        client_id=client_id,
        kind=_ACCOUNT_KINDS[kind],
        currency=currency,
        metadata=metadata,
        status=_ACCOUNT_STATUSES[status],
        is_blocked=is_blocked,
        tier=tier,
        floor_minor=floor,
        ceiling_minor=ceiling,
        posted_minor=posted,
        held_minor=held,
        entry_count=entry_count,
        entry_hash=entry_hash,
        recorded_at=recorded_at,
        spent_on=spent_on,
        spent_day_minor=spent_day,
        spent_month_minor=spent_month,
        sequence=sequence,
    )


def hold_of(row: Any) -> Hold:
    """A hold from a row of all its columns."""
    hold_id, kind, debtor, creditor, amount, fee, currency, held_on, decline_reason, status, *rest = row
    posted, posted_fee, refunded, post_refusal, expires_at, transfer_id, sequence = rest
    return Hold(
        hold_id=hold_id,
        kind=_HOLD_KINDS[kind],
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        amount_minor=amount,
        fee_minor=fee,
        currency=currency,
        held_on=held_on,
        status=_HOLD_STATUSES[status],
        posted_minor=posted,
        posted_fee_minor=posted_fee,
        refunded_minor=refunded,
        decline_reason=DeclineReason(decline_reason) if decline_reason else None,
        post_refusal=PostRefusal(post_refusal) if post_refusal else None,
        expires_at=expires_at,
        transfer_id=transfer_id,
        sequence=sequence,
    )


def _refund(row: Any) -> Refund:
    refund_id, payment_id, amount, status, refusal, transfer_id, sequence = row
    return Refund(
        refund_id=refund_id,
        payment_id=payment_id,
        amount_minor=amount,
        status=RefundStatus(status),
        refusal=RefundRefusal(refusal) if refusal else None,
        transfer_id=transfer_id,
        sequence=sequence,
    )


def entry_of(row: Any) -> Entry:
    """An entry as it was recorded, from a row of all its columns."""
    return Entry(**dict(zip(_ENTRIES.columns, row, strict=True)))


def transfer_of(row: Any) -> Transfer:
    """A transfer as it was recorded, from a row of all its columns."""
    transfer = Transfer(**dict(zip(_TRANSFERS.columns, row, strict=True)))
    return replace(transfer, kind=TransferKind(transfer.kind))


def _customer_row(customer: Customer) -> tuple[Any, ...]:
    return (
        customer.customer_id,
        customer.client_id,
        customer.kind,
        msgspec.json.encode(customer.personal).decode(),
        # As Postgres writes an array: codes of currencies need no quotes.
        f"{{{','.join(customer.wanted_currencies)}}}",
        customer.status,
        customer.tier,
        customer.closed_at,
        customer.sequence,
    )


def _terms(account: Account) -> tuple[Any, ...]:
    return (
        account.status,
        account.is_blocked,
        account.tier,
        account.floor_minor,
        account.ceiling_minor,
        account.sequence,
    )


def _account_row(account: Account) -> tuple[Any, ...]:
    return (
        account.account_id,
        account.lane,
        account.customer_id,
        account.client_id,
        account.kind,
        account.currency,
        _json(account.metadata),
        *_terms(account),
        *_balance_row(account),
    )


def _balance_row(account: Account) -> tuple[Any, ...]:
    return (
        account.posted_minor,
        account.held_minor,
        account.entry_count,
        account.entry_hash,
        account.recorded_at,
        account.spent_on and account.spent_on.isoformat(),
        account.spent_day_minor,
        account.spent_month_minor,
    )


def _json(metadata: Mapping[str, str] | None) -> str | None:
    return None if metadata is None else msgspec.json.encode(metadata, order="deterministic").decode()


def _hold_row(hold: Hold) -> tuple[Any, ...]:
    return (
        hold.hold_id,
        hold.kind,
        hold.debtor_account_id,
        hold.creditor_account_id,
        hold.amount_minor,
        hold.fee_minor,
        hold.currency,
        hold.held_on and hold.held_on.isoformat(),
        hold.decline_reason,
        hold.status,
        hold.posted_minor,
        hold.posted_fee_minor,
        hold.refunded_minor,
        hold.post_refusal,
        hold.expires_at,
        hold.transfer_id,
        hold.sequence,
    )


def _refund_row(refund: Refund) -> tuple[Any, ...]:
    return (
        refund.refund_id,
        refund.payment_id,
        refund.amount_minor,
        refund.status,
        refund.refusal,
        refund.transfer_id,
        refund.sequence,
    )


def _transfer_row(transfer: Transfer) -> tuple[Any, ...]:
    return (
        transfer.transfer_id,
        transfer.kind,
        transfer.link_id,
        transfer.link_number,
        transfer.payment_id,
        transfer.hold_id,
        transfer.reversed_transfer_id,
        transfer.debit_account_id,
        transfer.credit_account_id,
        transfer.amount_minor,
        transfer.currency,
        transfer.reference,
        _json(transfer.metadata),
        transfer.effective_at,
        transfer.recorded_at,
    )
