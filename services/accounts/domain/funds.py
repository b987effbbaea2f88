"""A payment's money: held, then posted, blocked or released. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
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
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import Hold, HoldStatus, Ledger
from services.accounts.domain.property import block_available
from services.accounts.domain.refusals import Obstacle, obstacle_between, obstacle_of_status


def hold(ledger: Ledger, event: PaymentInitiated, at: datetime) -> Sequence[Event]:
    """Set the money aside, or say why not."""
    return _hold(ledger, event.payment_id, event.order, at)


def post(ledger: Ledger, event: PaymentApproved, at: datetime) -> Sequence[Event]:
    """Move the held money to the creditor, or say why it stays held. What was held beyond it is given back."""
    return _post(
        ledger, event.payment_id, event.debtor_account_id, event.amount_minor, event.fee_minor, event.approved_at, at
    )


def block(ledger: Ledger, event: PaymentBlockRequested, at: datetime) -> Sequence[Event]:
    """Move the held money to blocked funds: by law, whatever the state of the accounts."""
    return _block(ledger, event.payment_id, event.debtor_account_id, at)


def release(
    ledger: Ledger, event: PaymentRejected | PaymentCancelled | PaymentReleaseRequested, at: datetime
) -> Sequence[Event]:
    """Give back what is held for a payment that has ended."""
    return _release(ledger, _remembered(ledger, event.payment_id, event.debtor_account_id), at)


def expire(ledger: Ledger, known: Hold, at: datetime) -> Sequence[Event]:
    """The backstop: give back what payments has forgotten."""
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
            events.append(_refused(event.payment_id, debtor_account_id, known.post_refusal, event.approved_at, at))
        else:
            amount_minor = _given(event.approved_amount_minor, event.order.amount_minor)
            fee_minor = _given(event.approved_fee_minor, event.order.fee_minor)
            approved_at = event.approved_at
            events += _post(ledger, event.payment_id, debtor_account_id, amount_minor, fee_minor, approved_at, at)
    if Answer.BLOCKING in event.awaited:
        events += _block(ledger, event.payment_id, debtor_account_id, at)
    return events


def _hold(ledger: Ledger, payment_id: str, order: PaymentOrder, at: datetime) -> Sequence[Event]:
    known = ledger.holds.get(payment_id)
    if known is not None:
        return [_told(known, at)]
    held_minor = order.amount_minor + order.fee_minor
    debtor = ledger.customers_account(order.debtor_account_id)
    obstacle = obstacle_between(
        debtor,
        ledger.customers_account(order.creditor_account_id),
        paid_minor=held_minor,
        received_minor=order.amount_minor,
        currency=order.currency,
        on=at.date(),
        limits=ledger.limits_of(debtor),
    )
    held_on = ledger.hold(order.debtor_account_id, held_minor, at) if obstacle is None else None
    held = Hold(
        hold_id=payment_id,
        debtor_account_id=order.debtor_account_id,
        creditor_account_id=order.creditor_account_id,
        amount_minor=order.amount_minor,
        fee_minor=order.fee_minor,
        currency=order.currency,
        held_on=held_on,
        status=HoldStatus.HELD if obstacle is None else HoldStatus.DECLINED,
        decline_reason=None if obstacle is None else DeclineReason(obstacle),
        expires_at=at + ledger.hold_lifetime if obstacle is None else None,
    )
    ledger.holds.put(payment_id, held)
    return [_told(held, at)]


def _post(
    ledger: Ledger,
    payment_id: str,
    debtor_account_id: str,
    amount_minor: int,
    fee_minor: int,
    approved_at: datetime | None,
    at: datetime,
) -> Sequence[Event]:
    known = ledger.holds.get(payment_id)
    if known is not None and known.status is HoldStatus.POSTED:
        return [_told(known, at)]
    if known is None or known.status is not HoldStatus.HELD or known.creditor_account_id is None:
        _remembered(ledger, payment_id, debtor_account_id)
        return [_refused(payment_id, debtor_account_id, PostRefusal.NOTHING_HELD, approved_at, at)]
    if not (0 < amount_minor <= known.amount_minor and 0 <= fee_minor <= known.fee_minor):
        raise ValueError(f"payment {payment_id} is to move what is not held for it: {amount_minor} and {fee_minor}")
    debtor, creditor = ledger.accounts[known.debtor_account_id], ledger.accounts[known.creditor_account_id]
    obstacle = obstacle_of_status(debtor, creditor)
    if obstacle is None and not creditor.can_receive(amount_minor):
        obstacle = Obstacle.CEILING_EXCEEDED
    if obstacle is not None:
        reason = PostRefusal(obstacle)
        ledger.holds.put(payment_id, replace(known, post_refusal=reason))
        return [_refused(payment_id, debtor_account_id, reason, approved_at, at)]
    return [_told(_move(ledger, known, amount_minor, fee_minor, at), at)]


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _block(ledger: Ledger, payment_id: str, debtor_account_id: str, at: datetime) -> Sequence[Event]:
    known = ledger.holds.get(payment_id)
    if known is not None and known.status in (HoldStatus.BLOCKED, HoldStatus.POSTED):
        # If it has been posted before, whoever asks has not heard of that yet.
        return [_told(known, at)]
    if known is None or known.status is not HoldStatus.HELD:
        _remembered(ledger, payment_id, debtor_account_id)
        return [_refused(payment_id, debtor_account_id, PostRefusal.NOTHING_HELD, None, at)]
    transfer = ledger.transfer(
        ids.derive(payment_id, "accounts", HoldStatus.BLOCKED),
        TransferKind.BLOCKING,
        payment_id=payment_id,
        debit_account_id=known.debtor_account_id,
        credit_account_id=house_account_id(AccountKind.BLOCKED_FUNDS, known.currency),
        amount_minor=known.left_minor,
        held_minor=known.left_minor,
        at=at,
    )
    moved = replace(
        known, status=HoldStatus.BLOCKED, transfer_id=transfer.transfer_id, expires_at=None, post_refusal=None
    )
    ledger.holds.put(payment_id, moved)
    return [_told(moved, at)]


def _move(ledger: Ledger, held: Hold, amount_minor: int, fee_minor: int, at: datetime) -> Hold:
    """Move held money to the creditor, the fee to the house, and the rest back, for good."""
    assert held.creditor_account_id is not None
    transfer_id = ids.derive(held.hold_id, "accounts", HoldStatus.POSTED)
    link_id = transfer_id if fee_minor else None
    ledger.transfer(
        transfer_id,
        TransferKind.PAYMENT,
        link_id=link_id,
        payment_id=held.hold_id,
        debit_account_id=held.debtor_account_id,
        credit_account_id=held.creditor_account_id,
        amount_minor=amount_minor,
        held_minor=amount_minor,
        at=at,
    )
    if fee_minor:
        ledger.transfer(
            ids.derive(held.hold_id, "accounts", TransferKind.FEE),
            TransferKind.FEE,
            link_id=link_id,
            link_number=1,
            payment_id=held.hold_id,
            debit_account_id=held.debtor_account_id,
            credit_account_id=house_account_id(AccountKind.FEES, held.currency),
            amount_minor=fee_minor,
            held_minor=fee_minor,
            at=at,
        )
    moved = replace(held, posted_minor=amount_minor, posted_fee_minor=fee_minor)
    if moved.left_minor:
        ledger.give_back(moved)
    moved = replace(moved, status=HoldStatus.POSTED, transfer_id=transfer_id, expires_at=None, post_refusal=None)
    ledger.holds.put(held.hold_id, moved)
    return moved


def _release(ledger: Ledger, known: Hold, at: datetime) -> Sequence[Event]:
    if known.status is not HoldStatus.HELD:
        return []
    ledger.give_back(known)
    ledger.holds.put(known.hold_id, replace(known, status=HoldStatus.RELEASED, expires_at=None))
    return [
        FundsReleased(
            payment_id=known.hold_id,
            debtor_account_id=known.debtor_account_id,
            amount_minor=known.left_minor,
            currency=known.currency,
            released_at=at,
        ),
        *block_available(ledger, known.debtor_account_id, at, payment_id=known.hold_id),
    ]


def _remembered(ledger: Ledger, payment_id: str, debtor_account_id: str) -> Hold:
    """What is known of a payment's money; if nothing, then that it is too late to hold any.

    The question about it could not be answered here and may be replayed after what followed it.
    """
    known = ledger.holds.get(payment_id)
    if known is None:
        known = Hold(hold_id=payment_id, debtor_account_id=debtor_account_id, status=HoldStatus.RELEASED)
        ledger.holds.put(payment_id, known)
    return known


def _refused(
    payment_id: str, debtor_account_id: str, reason: PostRefusal, approved_at: datetime | None, at: datetime
) -> Event:
    """It names the approval that is refused: payments may have approved the payment anew by the time it hears that."""
    return FundsPostRefused(
        payment_id=payment_id,
        debtor_account_id=debtor_account_id,
        reason=reason,
        approved_at=approved_at,
        refused_at=at,
    )


def _told(known: Hold, at: datetime) -> Event:
    """The event that tells what became of a payment's money."""
    payment_id, debtor_account_id, currency = known.hold_id, known.debtor_account_id, known.currency
    match known.status:
        case HoldStatus.HELD:
            assert known.expires_at is not None
            return FundsHeld(
                payment_id=payment_id,
                debtor_account_id=debtor_account_id,
                amount_minor=known.amount_minor,
                fee_minor=known.fee_minor,
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
                amount_minor=known.posted_minor,
                fee_minor=known.posted_fee_minor,
                currency=currency,
                transfer_id=known.transfer_id,
                posted_at=at,
            )
        case HoldStatus.BLOCKED:
            assert known.transfer_id is not None
            return FundsBlocked(
                payment_id=payment_id,
                debtor_account_id=debtor_account_id,
                blocked_account_id=house_account_id(AccountKind.BLOCKED_FUNDS, currency),
                amount_minor=known.amount_minor + known.fee_minor,
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
