"""Money of settled payments given back: a movement of its own, from the one who was paid. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from libs.common.record import replace
from schemas.accounts.events import RefundPosted, RefundRefusal, RefundRefused
from schemas.payments.events import RefundAnswerOverdue, RefundRequested
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import Hold, HoldKind, HoldStatus, Ledger, Refund, RefundStatus
from services.accounts.domain.refusals import Obstacle, obstacle_between

_REFUSALS = {
    Obstacle.DEBTOR_ACCOUNT_CLOSED: RefundRefusal.CREDITOR_ACCOUNT_CLOSED,
    Obstacle.DEBTOR_ACCOUNT_FROZEN: RefundRefusal.CREDITOR_ACCOUNT_FROZEN,
    Obstacle.CREDITOR_ACCOUNT_CLOSED: RefundRefusal.DEBTOR_ACCOUNT_CLOSED,
    Obstacle.CREDITOR_ACCOUNT_FROZEN: RefundRefusal.DEBTOR_ACCOUNT_FROZEN,
    Obstacle.INSUFFICIENT_FUNDS: RefundRefusal.INSUFFICIENT_FUNDS,
    Obstacle.CEILING_EXCEEDED: RefundRefusal.CEILING_EXCEEDED,
}
"""The money goes the other way: who was the creditor pays now. What a refund names its payment has named before."""


def refund(ledger: Ledger, event: RefundRequested | RefundAnswerOverdue, at: datetime) -> Sequence[Event]:
    """Move the money back, or say why not. Asked again, the answer is the same."""
    known = ledger.refunds.get(event.refund_id)
    if known is None:
        known = _carry_out(ledger, event, at)
        ledger.refunds.put(event.refund_id, known)
    return [_told(known, event, at)]


def _carry_out(ledger: Ledger, event: RefundRequested | RefundAnswerOverdue, at: datetime) -> Refund:
    outcome = Refund(
        refund_id=event.refund_id,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        status=RefundStatus.REFUSED,
    )
    paid = ledger.holds.get(event.payment_id)
    if paid is None or paid.kind is not HoldKind.PAYMENT or paid.status is not HoldStatus.POSTED:
        return replace(outcome, refusal=RefundRefusal.PAYMENT_NOT_POSTED)
    if event.amount_minor > paid.posted_minor - paid.refunded_minor:
        return replace(outcome, refusal=RefundRefusal.AMOUNT_EXCEEDS_POSTED)
    assert paid.creditor_account_id is not None
    obstacle = obstacle_between(
        ledger.accounts[paid.creditor_account_id],
        ledger.accounts[paid.debtor_account_id],
        paid_minor=event.amount_minor,
        received_minor=event.amount_minor,
        currency=paid.currency,
        on=at.date(),
    )
    if obstacle is not None:
        return replace(outcome, refusal=_REFUSALS[obstacle])
    return _move(ledger, outcome, paid, at)


def _move(ledger: Ledger, outcome: Refund, paid: Hold, at: datetime) -> Refund:
    assert paid.creditor_account_id is not None
    transfer = ledger.transfer(
        ids.derive(outcome.refund_id, "accounts", TransferKind.REFUND),
        TransferKind.REFUND,
        payment_id=paid.hold_id,
        debit_account_id=paid.creditor_account_id,
        credit_account_id=paid.debtor_account_id,
        amount_minor=outcome.amount_minor,
        at=at,
    )
    ledger.holds.put(paid.hold_id, replace(paid, refunded_minor=paid.refunded_minor + outcome.amount_minor))
    return replace(outcome, status=RefundStatus.POSTED, transfer_id=transfer.transfer_id)


def _told(known: Refund, event: RefundRequested | RefundAnswerOverdue, at: datetime) -> Event:
    if known.status is RefundStatus.POSTED:
        assert known.transfer_id is not None
        return RefundPosted(
            refund_id=event.refund_id,
            payment_id=event.payment_id,
            debtor_account_id=event.debtor_account_id,
            creditor_account_id=event.creditor_account_id,
            amount_minor=known.amount_minor,
            currency=event.currency,
            transfer_id=known.transfer_id,
            posted_at=at,
        )
    return RefundRefused(
        refund_id=event.refund_id,
        payment_id=event.payment_id,
        debtor_account_id=event.debtor_account_id,
        creditor_account_id=event.creditor_account_id,
        reason=known.refusal or RefundRefusal.UNKNOWN,
        refused_at=at,
    )
