"""The tables of payments, and the only SQL that writes them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.database import array, execute, fetch
from libs.common.message import Message, Trace
from libs.common.personal_data import NO_KEYS, KeysWanted, key_ids_of
from libs.common.vault import Vault
from libs.common.writes import Table, Writes, lock_rows
from schemas.accounts.events import AccountClosed, AccountFrozen, AccountThawed, RefundPosted, RefundRefused
from schemas.payments.events import PaymentOrder
from services.payments.domain.answers import DeadlinePassed, deadline_message_id
from services.payments.domain.fees import FeeSchedule
from services.payments.domain.intake import CompleteBatch, InitiatePayment, RefuseLine
from services.payments.domain.party_data import SupplyData
from services.payments.domain.payment import Batch, KnownAccount, Payment, Payments, Policy
from services.payments.domain.quota import DefaultQuotas, Quota, quota_id
from services.payments.domain.refund import Refund
from services.payments.domain.refunds import RefundDeadlinePassed

_ABOUT_ACCOUNTS = (AccountFrozen, AccountThawed, AccountClosed)
_ABOUT_REFUNDS = (RefundPosted, RefundRefused, RefundDeadlinePassed)
_OF_BATCHES = (InitiatePayment, RefuseLine, CompleteBatch)

_PAYMENTS = Table(
    "payments",
    key={"payment_id": "uuid"},
    fixed={
        "client_id": "text",
        "batch_id": "uuid",
        "debtor_account_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "initiated_at": "timestamptz",
    },
    changing={"state": "text", "check_at": "timestamptz", "body": "text"},
)
REFUNDS = Table(
    "refunds",
    key={"refund_id": "uuid"},
    fixed={"payment_id": "uuid", "amount_minor": "bigint", "requested_at": "timestamptz"},
    changing={
        "state": "text",
        "reason": "text",
        "transfer_id": "uuid",
        "ended_at": "timestamptz",
        "deadline_step": "integer",
        "check_at": "timestamptz",
        "sequence": "integer",
    },
)
_KNOWN_ACCOUNTS = Table(
    "known_accounts",
    key={"account_id": "uuid"},
    fixed={"customer_id": "uuid", "currency": "text", "client_id": "text"},
    changing={"may_pay": "boolean", "may_receive": "boolean"},
    on_conflict="(account_id) DO UPDATE SET may_pay = excluded.may_pay, may_receive = excluded.may_receive",
)
_REFUSED_LINES = Table(
    "refused_lines",
    key={"batch_id": "uuid", "line_number": "integer"},
    fixed={"reason": "text", "field": "text", "detail": "text"},
)
_BATCHES = Table(
    "batches",
    key={"batch_id": "uuid"},
    fixed={"client_id": "text", "opened_at": "timestamptz"},
    changing={"line_count": "integer", "completed_at": "timestamptz"},
)

_QUOTAS = Table(
    "quotas",
    key={"client_id": "text", "measure": "text"},
    changing={"used_on": "date", "used": "bigint"},
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payment).decode


def load_payments(
    tx: Connection,
    messages: Sequence[Message],
    *,
    policy: Policy,
    fees: FeeSchedule,
    default_quotas: DefaultQuotas,
    vault: Vault,
) -> Payments:
    """Lock and read what a batch of work names. Order of locks: payments, refunds, accounts, files,
    quotas; each by id."""
    bodies = [message.body for message in messages]
    orders = [body for body in bodies if isinstance(body, InitiatePayment)]
    payment_ids = {body.payment_id for body in bodies if getattr(body, "payment_id", None)}
    refund_ids = {body.refund_id for body in bodies if isinstance(body, _ABOUT_REFUNDS)}
    changed_ids = {body.account_id for body in bodies if isinstance(body, _ABOUT_ACCOUNTS)}
    batch_ids = {body.batch_id for body in bodies if isinstance(body, _OF_BATCHES) and body.batch_id}
    payments = _lock_payments(tx, payment_ids - {order.payment_id for order in orders})
    refunds = _lock_refunds(tx, refund_ids)
    named = _find_accounts(tx, _accounts_named(bodies))
    completed = [
        payments[body.payment_id] for body in bodies if isinstance(body, SupplyData) and body.payment_id in payments
    ]
    wanted = _keys_of(named, [payment.order for payment in completed])
    return Payments(
        payments=payments,
        refunds=refunds,
        accounts=named | _find_accounts(tx, changed_ids, lock="FOR NO KEY UPDATE"),
        batches=_lock_batches(tx, batch_ids),
        quotas=_lock_quotas(tx, {order.client_id for order in orders}),
        policy=policy,
        fees=fees,
        default_quotas=default_quotas,
        keys=vault.keys(owners=wanted.owners, key_ids=wanted.key_ids),
    )


def save_payments(writes: Writes, payments: Payments) -> None:
    """Say what is to be written of what changed."""
    accounts = [*payments.accounts.inserted, *payments.accounts.updated]
    writes.save(_PAYMENTS, payments.payments, _payment_row)
    writes.save(REFUNDS, payments.refunds, msgspec.structs.astuple)
    # In the order of their ids, for others may be adding the same.
    writes.insert(_KNOWN_ACCOUNTS, sorted(map(_known_account_row, accounts)))
    writes.insert(_REFUSED_LINES, map(msgspec.structs.astuple, payments.refused_lines))
    writes.save(_BATCHES, payments.batches, msgspec.structs.astuple)
    writes.save(_QUOTAS, payments.quotas, _quota_row)


def refund_of(row: Sequence[Any]) -> Refund:
    """The refund that a row of the whole table says."""
    return msgspec.convert(dict(zip(REFUNDS.columns, row, strict=True)), Refund)


def find_due(tx: Connection, now: datetime, at_most: int) -> list[Message]:
    """The payments and refunds that have waited too long, the longest overdue first."""
    rows = fetch(
        tx,
        """(SELECT payment_id, NULL::uuid, check_at FROM payments WHERE check_at <= %s ORDER BY check_at LIMIT %s)
           UNION ALL
           (SELECT payment_id, refund_id, check_at FROM refunds WHERE check_at <= %s ORDER BY check_at LIMIT %s)
           ORDER BY check_at LIMIT %s""",
        (now, at_most, now, at_most, at_most),
    )
    return [_due(payment_id, refund_id, check_at, now) for payment_id, refund_id, check_at in rows]


def forget_refused_lines(days: int, tx: Connection, at_most: int) -> int:
    """Delete why lines of old files were refused: the files are on record, and how many of their lines came in."""
    return execute(
        tx,
        """DELETE FROM refused_lines WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM refused_lines WHERE batch_id < %s::uuid ORDER BY batch_id LIMIT %s))""",
        (ids.first_of(time.time() - days * 86_400), at_most),
    )


def _due(payment_id: str, refund_id: str | None, check_at: datetime, now: datetime) -> Message:
    body: DeadlinePassed | RefundDeadlinePassed
    if refund_id is None:
        body = DeadlinePassed(payment_id=payment_id, check_at=check_at)
    else:
        body = RefundDeadlinePassed(refund_id=refund_id, payment_id=payment_id, check_at=check_at)
    return Message(
        message_id=deadline_message_id(refund_id or payment_id, check_at),
        body=body,
        received_at=now,
        trace=Trace(correlation_id=payment_id, traceparent=""),
    )


def _lock_payments(tx: Connection, payment_ids: set[str]) -> dict[str, Payment]:
    rows = lock_rows(tx, _PAYMENTS, payment_ids, "payment_id, body")
    return {payment_id: _decode(body) for payment_id, body in rows}


def _lock_refunds(tx: Connection, refund_ids: set[str]) -> dict[str, Refund]:
    rows = lock_rows(tx, REFUNDS, refund_ids)
    return {refund.refund_id: refund for refund in map(refund_of, rows)}


def _find_accounts(tx: Connection, account_ids: set[str], *, lock: str = "") -> dict[str, KnownAccount]:
    if not account_ids:
        return {}
    rows = fetch(
        tx,
        f"""SELECT {_KNOWN_ACCOUNTS.select} FROM known_accounts
             WHERE account_id = ANY(%b::uuid[]) ORDER BY account_id {lock}""",
        (array("uuid", account_ids),),
    )
    return {row[0]: KnownAccount(**dict(zip(_KNOWN_ACCOUNTS.columns, row, strict=True))) for row in rows}


def wanted_keys(tx: Connection, messages: Sequence[Message]) -> KeysWanted:
    """The keys to seal new orders with, and to open and seal again those about whose parties more is told.

    Read without locks: whose an account is never changes, nor do the parties of an order.
    """
    bodies = [message.body for message in messages]
    account_ids = _accounts_named(bodies)
    supplied = {body.payment_id for body in bodies if isinstance(body, SupplyData)}
    if not account_ids and not supplied:
        return NO_KEYS
    orders = []
    if supplied:
        bodies_of = "SELECT body FROM payments WHERE payment_id = ANY(%b::uuid[])"
        orders = [_decode(body).order for (body,) in fetch(tx, bodies_of, (array("uuid", supplied),))]
    return _keys_of(_find_accounts(tx, account_ids), orders)


def _accounts_named(bodies: Iterable[Any]) -> set[str]:
    orders = [body for body in bodies if isinstance(body, InitiatePayment)]
    return {order.debtor_account_id for order in orders} | {order.creditor_account_id for order in orders}


def _keys_of(accounts: Mapping[str, KnownAccount], orders: Sequence[PaymentOrder]) -> KeysWanted:
    """The keys to seal new orders between these accounts with, and to open and seal again what is told about others."""
    owners = {account.customer_id for account in accounts.values()}
    for order in orders:
        owners |= {order.debtor_customer_id, order.creditor_customer_id}
    return KeysWanted(owners=frozenset(owners), key_ids=key_ids_of(order.personal for order in orders))


def _lock_batches(tx: Connection, batch_ids: set[str]) -> dict[str, Batch]:
    rows = lock_rows(tx, _BATCHES, batch_ids)
    return {
        batch_id: Batch(
            batch_id=batch_id,
            client_id=client_id,
            opened_at=opened_at,
            line_count=line_count,
            completed_at=completed_at,
        )
        for batch_id, client_id, opened_at, line_count, completed_at in rows
    }


def _lock_quotas(tx: Connection, client_ids: set[str]) -> dict[str, Quota]:
    """What has a limit, of clients that order. Two batches that begin to count the same can't both be stored: the later
    one is run again, and finds what the earlier counted."""
    if not client_ids:
        return {}
    rows = fetch(
        tx,
        """SELECT client_id, measure, used_on, used, most FROM quotas
            WHERE client_id = ANY(%b::text[]) ORDER BY client_id, measure FOR NO KEY UPDATE""",
        (array("text", client_ids),),
    )
    return {
        quota_id(client_id, measure): Quota(client_id=client_id, measure=measure, used_on=used_on, used=used, most=most)
        for client_id, measure, used_on, used, most in rows
    }


def _quota_row(quota: Quota) -> tuple[Any, ...]:
    return quota.client_id, quota.measure, quota.used_on.isoformat(), quota.used


def _payment_row(payment: Payment) -> tuple[Any, ...]:
    return (
        payment.payment_id,
        payment.order.client_id,
        payment.batch_id,
        payment.order.debtor_account_id,
        payment.order.amount_minor,
        payment.order.currency,
        payment.initiated_at,
        payment.state.value,
        payment.check_at,
        _encode(payment).decode(),
    )


def _known_account_row(account: KnownAccount) -> tuple[Any, ...]:
    return msgspec.structs.astuple(account)


def set_quota(tx: Connection, client_id: str, measure: str, most: int | None) -> None:
    """Say what a client may order in a day by a measure; None: as much as any. What it has ordered today counts."""
    execute(
        tx,
        """INSERT INTO quotas (client_id, measure, used_on, used, most)
           VALUES (%s, %s, (now() AT TIME ZONE 'UTC')::date, 0, %s)
           ON CONFLICT (client_id, measure) DO UPDATE SET most = excluded.most""",
        (client_id, measure, most),
    )
