"""A payment's money: held, then posted, blocked or released. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.accounts.events import (
    DeclineReason,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    PostRefusal,
)
from schemas.payments.events import (
    Answer,
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentBlockRequested,
    PaymentCancelled,
    PaymentInitiated,
    PaymentOrder,
    PaymentRejected,
    PaymentReleaseRequested,
)
from services.accounts.domain.ledger import (
    AccountStatus,
    Hold,
    HoldStatus,
    Ledger,
    Transfer,
    TransferKind,
    blocked_funds_account_id,
)


class ExpireHold(Command):
    """A hold's time has run out."""

    payment_id: str


def hold(ledger: Ledger, event: PaymentInitiated, at: datetime) -> Sequence[Event]:
    """Set the money aside, or say why not."""
    return _hold(ledger, event.payment_id, event.order, at)


def post(ledger: Ledger, event: PaymentApproved, at: datetime) -> Sequence[Event]:
    """Move the held money to the creditor, or say why it stays held."""
    return _post(ledger, event.payment_id, event.debtor_account_id, at)


def block(ledger: Ledger, event: PaymentBlockRequested, at: datetime) -> Sequence[Event]:
    """Move the held money to blocked funds: by law, whatever the state of the accounts."""
    return _block(ledger, event.payment_id, event.debtor_account_id, at)


def release(
    ledger: Ledger, event: PaymentRejected | PaymentCancelled | PaymentReleaseRequested, at: datetime
) -> Sequence[Event]:
    """Give back what is held for a payment that has ended."""
    return _release(ledger, _remembered(ledger, event.payment_id, event.debtor_account_id), at)


def expire(ledger: Ledger, command: ExpireHold, at: datetime) -> Sequence[Event]:
    """The backstop: give back what payments has forgotten."""
    known = ledger.holds[command.payment_id]
    if known.expires_at is None or known.expires_at > at:
        return []
    return _release(ledger, known, at)


def answer_again(ledger: Ledger, event: PaymentAnswerOverdue, at: datetime) -> Sequence[Event]:
    """Payments has not heard from us: say again what became of the money, or see to it now."""
    debtor_account_id, events = event.order.debtor_account_id, list[Event]()
    if Answer.HOLD in event.awaited:
        events += _hold(ledger, event.payment_id, event.order, at)
    if Answer.POSTING in event.awaited:
        known = ledger.holds.get(event.payment_id)
        if known is not None and known.post_refusal is not None:
            # Asked twice, answered alike: payments may already have ended it because of the first answer.
            events.append(_refused(event.payment_id, debtor_account_id, known.post_refusal, at))
        else:
            events += _post(ledger, event.payment_id, debtor_account_id, at)
    if Answer.BLOCKING in event.awaited:
        events += _block(ledger, event.payment_id, debtor_account_id, at)
    return events


def _hold(ledger: Ledger, payment_id: str, order: PaymentOrder, at: datetime) -> Sequence[Event]:
    known = ledger.holds.get(payment_id)
    if known is not None:
        return [_told(known, at)]
    reason = _why_not_hold(ledger, order)
    if reason is None:
        debtor = ledger.accounts[order.debtor_account_id]
        ledger.accounts.put(debtor.account_id, replace(debtor, held_minor=debtor.held_minor + order.amount_minor))
    held = Hold(
        payment_id=payment_id,
        debtor_account_id=order.debtor_account_id,
        creditor_account_id=order.creditor_account_id,
        amount_minor=order.amount_minor,
        currency=order.currency,
        status=HoldStatus.HELD if reason is None else HoldStatus.DECLINED,
        decline_reason=reason,
        expires_at=at + ledger.hold_lifetime if reason is None else None,
    )
    ledger.holds.put(payment_id, held)
    return [_told(held, at)]


def _why_not_hold(ledger: Ledger, order: PaymentOrder) -> DeclineReason | None:
    debtor = ledger.customers_account(order.debtor_account_id)
    creditor = ledger.customers_account(order.creditor_account_id)
    if debtor is None:
        return DeclineReason.DEBTOR_ACCOUNT_UNKNOWN
    if creditor is None:
        return DeclineReason.CREDITOR_ACCOUNT_UNKNOWN
    if debtor.status is AccountStatus.CLOSED:
        return DeclineReason.DEBTOR_ACCOUNT_CLOSED
    if debtor.status is AccountStatus.FROZEN:
        return DeclineReason.DEBTOR_ACCOUNT_FROZEN
    if creditor.status is AccountStatus.CLOSED:
        return DeclineReason.CREDITOR_ACCOUNT_CLOSED
    if creditor.status is AccountStatus.FROZEN:
        return DeclineReason.CREDITOR_ACCOUNT_FROZEN
    if debtor.currency != order.currency or creditor.currency != order.currency:
        return DeclineReason.CURRENCY_NOT_HELD
    if debtor.debit_max_minor is not None and order.amount_minor > debtor.debit_max_minor:
        return DeclineReason.LIMIT_EXCEEDED
    if not debtor.can_pay(order.amount_minor):
        return DeclineReason.INSUFFICIENT_FUNDS
    return None


def _post(ledger: Ledger, payment_id: str, debtor_account_id: str, at: datetime) -> Sequence[Event]:
    known = ledger.holds.get(payment_id)
    if known is not None and known.status is HoldStatus.POSTED:
        return [_told(known, at)]
    if known is None or known.status is not HoldStatus.HELD or known.creditor_account_id is None:
        _remembered(ledger, payment_id, debtor_account_id)
        return [_refused(payment_id, debtor_account_id, PostRefusal.NOTHING_HELD, at)]
    reason = _why_not_post(ledger, known.debtor_account_id, known.creditor_account_id)
    if reason is not None:
        ledger.holds.put(payment_id, replace(known, post_refusal=reason))
        return [_refused(payment_id, debtor_account_id, reason, at)]
    return [_told(_move(ledger, known, known.creditor_account_id, HoldStatus.POSTED, at), at)]


def _why_not_post(ledger: Ledger, debtor_account_id: str, creditor_account_id: str) -> PostRefusal | None:
    debtor, creditor = ledger.accounts[debtor_account_id], ledger.accounts[creditor_account_id]
    if debtor.status is AccountStatus.CLOSED:
        return PostRefusal.DEBTOR_ACCOUNT_CLOSED
    if debtor.status is AccountStatus.FROZEN:
        return PostRefusal.DEBTOR_ACCOUNT_FROZEN
    if creditor.status is AccountStatus.CLOSED:
        return PostRefusal.CREDITOR_ACCOUNT_CLOSED
    if creditor.status is AccountStatus.FROZEN:
        return PostRefusal.CREDITOR_ACCOUNT_FROZEN
    return None


def _block(ledger: Ledger, payment_id: str, debtor_account_id: str, at: datetime) -> Sequence[Event]:
    known = ledger.holds.get(payment_id)
    if known is not None and known.status in (HoldStatus.BLOCKED, HoldStatus.POSTED):
        # If it has been posted before, whoever asks has not heard of that yet.
        return [_told(known, at)]
    if known is None or known.status is not HoldStatus.HELD:
        _remembered(ledger, payment_id, debtor_account_id)
        return [_refused(payment_id, debtor_account_id, PostRefusal.NOTHING_HELD, at)]
    return [_told(_move(ledger, known, blocked_funds_account_id(known.currency), HoldStatus.BLOCKED, at), at)]


def _move(ledger: Ledger, held: Hold, to_account_id: str, status: HoldStatus, at: datetime) -> Hold:
    """Move the held money for good."""
    _give_back(ledger, held)
    transfer = Transfer(
        transfer_id=ids.derive(held.payment_id, "accounts", status),
        kind=TransferKind.PAYMENT if status is HoldStatus.POSTED else TransferKind.BLOCKING,
        payment_id=held.payment_id,
        debit_account_id=held.debtor_account_id,
        credit_account_id=to_account_id,
        amount_minor=held.amount_minor,
        currency=held.currency,
        effective_at=at,
        recorded_at=at,
    )
    ledger.transfer(transfer)
    moved = replace(held, status=status, transfer_id=transfer.transfer_id, expires_at=None, post_refusal=None)
    ledger.holds.put(held.payment_id, moved)
    return moved


def _release(ledger: Ledger, known: Hold, at: datetime) -> Sequence[Event]:
    if known.status is not HoldStatus.HELD:
        return []
    _give_back(ledger, known)
    ledger.holds.put(known.payment_id, replace(known, status=HoldStatus.RELEASED, expires_at=None))
    return [
        FundsReleased(
            payment_id=known.payment_id,
            debtor_account_id=known.debtor_account_id,
            amount_minor=known.amount_minor,
            currency=known.currency,
            released_at=at,
        )
    ]


def _remembered(ledger: Ledger, payment_id: str, debtor_account_id: str) -> Hold:
    """What is known of a payment's money; if nothing, then that it is too late to hold any.

    The question about it could not be answered here and may be replayed after what followed it.
    """
    known = ledger.holds.get(payment_id)
    if known is None:
        known = Hold(payment_id=payment_id, debtor_account_id=debtor_account_id, status=HoldStatus.RELEASED)
        ledger.holds.put(payment_id, known)
    return known


def _give_back(ledger: Ledger, held: Hold) -> None:
    debtor = ledger.accounts[held.debtor_account_id]
    ledger.accounts.put(debtor.account_id, replace(debtor, held_minor=debtor.held_minor - held.amount_minor))


def _refused(payment_id: str, debtor_account_id: str, reason: PostRefusal, at: datetime) -> Event:
    return FundsPostRefused(payment_id=payment_id, debtor_account_id=debtor_account_id, reason=reason, refused_at=at)


def _told(known: Hold, at: datetime) -> Event:
    """The event that tells what became of a payment's money."""
    payment_id, debtor_account_id = known.payment_id, known.debtor_account_id
    amount_minor, currency = known.amount_minor, known.currency
    match known.status:
        case HoldStatus.HELD:
            assert known.expires_at is not None
            return FundsHeld(
                payment_id=payment_id,
                debtor_account_id=debtor_account_id,
                amount_minor=amount_minor,
                currency=currency,
                held_at=at,
                expires_at=known.expires_at,
            )
        case HoldStatus.POSTED:
            assert known.creditor_account_id is not None and known.transfer_id is not None
            return FundsPosted(
                payment_id=payment_id,
                debtor_account_id=debtor_account_id,
                creditor_account_id=known.creditor_account_id,
                amount_minor=amount_minor,
                currency=currency,
                transfer_id=known.transfer_id,
                posted_at=at,
            )
        case HoldStatus.BLOCKED:
            assert known.transfer_id is not None
            return FundsBlocked(
                payment_id=payment_id,
                debtor_account_id=debtor_account_id,
                blocked_account_id=blocked_funds_account_id(currency),
                amount_minor=amount_minor,
                currency=currency,
                transfer_id=known.transfer_id,
                blocked_at=at,
            )
        case HoldStatus.DECLINED | HoldStatus.RELEASED:
            return FundsDeclined(
                payment_id=payment_id,
                debtor_account_id=debtor_account_id,
                reason=known.decline_reason or DeclineReason.PAYMENT_ENDED,
                declined_at=at,
            )
