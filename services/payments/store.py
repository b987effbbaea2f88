"""The tables of payments, and the only SQL that writes them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import copy, execute, fetch
from libs.common.message import Message, Trace
from schemas.accounts.events import AccountClosed, AccountFrozen, AccountThawed
from services.payments.domain.answers import DeadlinePassed, deadline_message_id
from services.payments.domain.intake import CompleteBatch, InitiatePayment, RefuseLine
from services.payments.domain.payment import Batch, KnownAccount, Payment, Payments, Policy, RefusedLine

_ABOUT_ACCOUNTS = (AccountFrozen, AccountThawed, AccountClosed)
_OF_BATCHES = (InitiatePayment, RefuseLine, CompleteBatch)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payment).decode


def load_payments(tx: Connection, messages: Sequence[Message], *, policy: Policy) -> Payments:
    """Lock and read what a batch of work names. Order of locks: payments, accounts, files; each by id."""
    bodies = [message.body for message in messages]
    orders = [body for body in bodies if isinstance(body, InitiatePayment)]
    payment_ids = {body.payment_id for body in bodies if getattr(body, "payment_id", None)}
    account_ids = {order.debtor_account_id for order in orders} | {order.creditor_account_id for order in orders}
    changed_ids = {body.account_id for body in bodies if isinstance(body, _ABOUT_ACCOUNTS)}
    batch_ids = {body.batch_id for body in bodies if isinstance(body, _OF_BATCHES) and body.batch_id}
    return Payments(
        payments=_lock_payments(tx, payment_ids - {order.payment_id for order in orders}),
        accounts=_find_accounts(tx, account_ids) | _find_accounts(tx, changed_ids, lock="FOR NO KEY UPDATE"),
        batches=_lock_batches(tx, batch_ids),
        policy=policy,
    )


def save_payments(tx: Connection, payments: Payments) -> None:
    """Write back in bulk what changed."""
    _insert_payments(tx, payments.payments.inserted)
    _update_payments(tx, payments.payments.updated)
    _save_accounts(tx, [*payments.accounts.inserted, *payments.accounts.updated])
    _insert_refused_lines(tx, payments.refused_lines)
    _insert_batches(tx, payments.batches.inserted)
    _update_batches(tx, payments.batches.updated)


def find_due_payments(tx: Connection, now: datetime, at_most: int) -> list[Message]:
    """The payments that have waited too long."""
    rows = fetch(
        tx,
        "SELECT payment_id, check_at FROM payments WHERE check_at <= %s ORDER BY check_at LIMIT %s",
        (now, at_most),
    )
    return [
        Message(
            message_id=deadline_message_id(payment_id, check_at),
            body=DeadlinePassed(payment_id=payment_id, check_at=check_at),
            received_at=now,
            trace=Trace(correlation_id=payment_id, traceparent=""),
        )
        for payment_id, check_at in rows
    ]


def _lock_payments(tx: Connection, payment_ids: set[str]) -> dict[str, Payment]:
    if not payment_ids:
        return {}
    rows = fetch(
        tx,
        """SELECT payment_id, body FROM payments WHERE payment_id = ANY(%b::uuid[])
            ORDER BY payment_id FOR NO KEY UPDATE""",
        (list(payment_ids),),
    )
    return {payment_id: _decode(body) for payment_id, body in rows}


def _find_accounts(tx: Connection, account_ids: set[str], *, lock: str = "") -> dict[str, KnownAccount]:
    if not account_ids:
        return {}
    rows = fetch(
        tx,
        f"""SELECT account_id, customer_id, currency, is_usable FROM known_accounts
             WHERE account_id = ANY(%b::uuid[]) ORDER BY account_id {lock}""",
        (list(account_ids),),
    )
    return {
        account_id: KnownAccount(account_id=account_id, customer_id=customer_id, currency=currency, is_usable=is_usable)
        for account_id, customer_id, currency, is_usable in rows
    }


def _lock_batches(tx: Connection, batch_ids: set[str]) -> dict[str, Batch]:
    if not batch_ids:
        return {}
    rows = fetch(
        tx,
        """SELECT batch_id, client_id, opened_at, line_count, completed_at FROM batches
            WHERE batch_id = ANY(%b::uuid[]) ORDER BY batch_id FOR NO KEY UPDATE""",
        (list(batch_ids),),
    )
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


def _insert_payments(tx: Connection, payments: Sequence[Payment]) -> None:
    if payments:
        copy(
            tx,
            """COPY payments (payment_id, client_id, batch_id, state, debtor_account_id, amount_minor, currency,
                              initiated_at, check_at, body) FROM STDIN (FORMAT BINARY)""",
            ("uuid", "text", "uuid", "text", "uuid", "int8", "text", "timestamptz", "timestamptz", "text"),
            map(_payment_row, payments),
        )


def _payment_row(payment: Payment) -> tuple[Any, ...]:
    return (
        payment.payment_id,
        payment.order.client_id,
        payment.batch_id,
        payment.state.value,
        payment.order.debtor_account_id,
        payment.order.amount_minor,
        payment.order.currency,
        payment.initiated_at,
        payment.check_at,
        _encode(payment).decode(),
    )


def _update_payments(tx: Connection, payments: Sequence[Payment]) -> None:
    if payments:
        execute(
            tx,
            """UPDATE payments p SET state = v.state, check_at = v.check_at, body = v.body
                 FROM unnest(%b::uuid[], %b::text[], %b::timestamptz[], %b::text[])
                      AS v (payment_id, state, check_at, body)
                WHERE p.payment_id = v.payment_id""",
            (
                [p.payment_id for p in payments],
                [p.state.value for p in payments],
                [p.check_at for p in payments],
                [_encode(p).decode() for p in payments],
            ),
        )


def _save_accounts(tx: Connection, accounts: Sequence[KnownAccount]) -> None:
    if accounts:
        accounts = sorted(accounts, key=lambda account: account.account_id)
        execute(
            tx,
            """INSERT INTO known_accounts (account_id, customer_id, currency, is_usable)
               SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::boolean[])
               ON CONFLICT (account_id) DO UPDATE SET is_usable = excluded.is_usable""",
            (
                [a.account_id for a in accounts],
                [a.customer_id for a in accounts],
                [a.currency for a in accounts],
                [a.is_usable for a in accounts],
            ),
        )


def _insert_refused_lines(tx: Connection, lines: Iterable[RefusedLine]) -> None:
    if rows := [msgspec.structs.astuple(line) for line in lines]:
        copy(
            tx,
            "COPY refused_lines (batch_id, line_number, reason, field, detail) FROM STDIN (FORMAT BINARY)",
            ("uuid", "int4", "text", "text", "text"),
            rows,
        )


def _insert_batches(tx: Connection, batches: Sequence[Batch]) -> None:
    if batches:
        copy(
            tx,
            "COPY batches (batch_id, client_id, opened_at, line_count, completed_at) FROM STDIN (FORMAT BINARY)",
            ("uuid", "text", "timestamptz", "int4", "timestamptz"),
            map(msgspec.structs.astuple, batches),
        )


def _update_batches(tx: Connection, batches: Sequence[Batch]) -> None:
    for batch in batches:
        execute(
            tx,
            "UPDATE batches SET line_count = %s, completed_at = %s WHERE batch_id = %s",
            (batch.line_count, batch.completed_at, batch.batch_id),
        )
