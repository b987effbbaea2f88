"""Money set aside by request: placed, posted in one or several parts, voided; and every hold's own end. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from libs.common.tenants import may_touch
from schemas.accounts.events import HoldEnd, HoldEnded, HoldPlaced
from services.accounts.domain import funds
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import Hold, HoldKind, HoldStatus, Ledger
from services.accounts.domain.property import block_available
from services.accounts.domain.refusals import RefusalReason, obstacle_between, obstacle_of_status, refusal_of
from services.accounts.domain.transfers import posted

_FIELDS = {
    "debtor": "debit_account_id",
    "creditor": "credit_account_id",
    "currency": "currency",
    "amount": "amount",
}


class PlaceHold(Command):
    """Set money aside for another account."""

    hold_id: str
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    expires_at: datetime | None = None
    """When it ends by itself; None: as late as any hold does."""
    tenant_id: str | None = None
    """Whose both accounts must be; None: anyone's, for staff."""


class PostHold(Command):
    """Move what is set aside, whole or in part."""

    hold_id: str
    transfer_id: str
    amount_minor: int | None = None
    """None: all that is left."""
    currency: str | None = None
    """Of the amount."""
    is_final: bool = False
    """Whether what is left then is given back."""
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    effective_at: datetime | None = None
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class PostHolds(Command):
    """Move what several holds have set aside, all or none."""

    postings: tuple[PostHold, ...]


class VoidHold(Command):
    """Give back what is set aside."""

    hold_id: str
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class ExpireHold(Command):
    """A hold's time has run out."""

    hold_id: str


def place(ledger: Ledger, command: PlaceHold, at: datetime) -> Sequence[Event] | Refusal:
    """Set the money aside, or say why not."""
    if command.expires_at is not None and command.expires_at <= at:
        return refusal(RefusalReason.EXPIRY_NOT_AHEAD, "expires_at")
    debtor = ledger.customers_account(command.debit_account_id, command.tenant_id)
    obstacle = obstacle_between(
        debtor,
        ledger.customers_account(command.credit_account_id, command.tenant_id),
        paid_minor=command.amount_minor,
        received_minor=command.amount_minor,
        currency=command.currency,
        on=at.date(),
        limits=ledger.limits_of(debtor),
    )
    if obstacle is not None:
        return refusal_of(obstacle, **_FIELDS)
    held_on = ledger.hold(command.debit_account_id, command.amount_minor, at)
    latest = at + ledger.hold_lifetime
    expires_at = latest if command.expires_at is None else min(command.expires_at, latest)
    hold = Hold(
        hold_id=command.hold_id,
        kind=HoldKind.REQUEST,
        debtor_account_id=command.debit_account_id,
        creditor_account_id=command.credit_account_id,
        amount_minor=command.amount_minor,
        currency=command.currency,
        held_on=held_on,
        status=HoldStatus.HELD,
        expires_at=expires_at,
    )
    ledger.holds.put(command.hold_id, hold)
    return [
        HoldPlaced(
            hold_id=command.hold_id,
            debtor_account_id=command.debit_account_id,
            creditor_account_id=command.credit_account_id,
            amount_minor=command.amount_minor,
            currency=command.currency,
            expires_at=expires_at,
            placed_at=at,
        )
    ]


def post(ledger: Ledger, command: PostHold, at: datetime) -> Sequence[Event] | Refusal:
    """Move the money, or say why it stays held. The last part ends the hold."""
    hold = _open_hold(ledger, command, at)
    if isinstance(hold, Refusal):
        return hold
    assert hold.creditor_account_id is not None
    debtor, creditor = ledger.accounts[hold.debtor_account_id], ledger.accounts[hold.creditor_account_id]
    if (unusable := obstacle_of_status(debtor, creditor)) is not None:
        return refusal(RefusalReason(unusable), "hold_id")
    if command.currency not in (None, hold.currency):
        return refusal(RefusalReason.CURRENCY_NOT_HELD, "currency")
    amount_minor = hold.left_minor if command.amount_minor is None else command.amount_minor
    if amount_minor > hold.left_minor:
        return refusal(RefusalReason.AMOUNT_EXCEEDS_HELD, "amount")
    if not creditor.can_receive(amount_minor):
        return refusal(RefusalReason.CEILING_EXCEEDED, "hold_id")
    transfer = ledger.transfer(
        command.transfer_id,
        TransferKind.CAPTURE,
        hold_id=hold.hold_id,
        debit_account_id=debtor.account_id,
        credit_account_id=creditor.account_id,
        amount_minor=amount_minor,
        held_minor=amount_minor,
        at=at,
        reference=command.reference,
        metadata=command.metadata,
        effective_at=command.effective_at,
    )
    hold = replace(hold, posted_minor=hold.posted_minor + amount_minor, transfer_id=transfer.transfer_id)
    ledger.holds.put(hold.hold_id, hold)
    events = [posted(ledger, [transfer], at, hold_id=hold.hold_id)]
    if command.is_final or not hold.left_minor:
        events += _end(ledger, hold, HoldEnd.POSTED, at)
    return events


def post_all(ledger: Ledger, command: PostHolds, at: datetime) -> Sequence[Event] | Refusal:
    """Move the money of several holds, in their order; if one is refused, of none of them."""
    events: list[Event] = []
    for number, posting in enumerate(command.postings):
        outcome = post(ledger, posting, at)
        if isinstance(outcome, Refusal):
            return replace(outcome, field=f"postings.{number}.{outcome.field}")
        events += outcome
    return events


def void(ledger: Ledger, command: VoidHold, at: datetime) -> Sequence[Event] | Refusal:
    """Give back what has not been posted."""
    hold = _open_hold(ledger, command, at)
    return hold if isinstance(hold, Refusal) else _end(ledger, hold, HoldEnd.VOIDED, at)


def expire(ledger: Ledger, command: ExpireHold, at: datetime) -> Sequence[Event]:
    """Time has run out: give back what has not been posted."""
    hold = ledger.holds[command.hold_id]
    if hold.expires_at is None or hold.expires_at > at:
        return []
    if hold.debtor_account_id in ledger.parked_account_ids:
        # What waits may say that the money is a listed party's: it must not be given back before that is known.
        return []
    if hold.kind is HoldKind.PAYMENT:
        return funds.expire(ledger, hold, at)
    return _end(ledger, hold, HoldEnd.EXPIRED, at)


def _open_hold(ledger: Ledger, command: PostHold | VoidHold, at: datetime) -> Hold | Refusal:
    hold = ledger.holds.get(command.hold_id)
    if hold is None or not may_touch(_owner_of(ledger, hold), command.tenant_id):
        return refusal(RefusalReason.HOLD_UNKNOWN, "hold_id")
    if hold.kind is HoldKind.PAYMENT:
        return refusal(RefusalReason.OF_A_PAYMENT, "hold_id")
    if hold.expires_at is None or hold.expires_at <= at:
        # Its time may have run out before anyone has looked.
        return refusal(RefusalReason.HOLD_ENDED, "hold_id")
    return hold


def _owner_of(ledger: Ledger, hold: Hold) -> str | None:
    """Whose money it is. Of a payment's hold the account may not be known yet, and then nothing was held."""
    account = ledger.accounts.get(hold.debtor_account_id)
    return None if account is None else account.client_id


def _end(ledger: Ledger, hold: Hold, reason: HoldEnd, at: datetime) -> list[Event]:
    ledger.give_back(hold)
    status = HoldStatus.POSTED if reason is HoldEnd.POSTED else HoldStatus.RELEASED
    ledger.holds.put(hold.hold_id, replace(hold, status=status, expires_at=None))
    return [
        HoldEnded(
            hold_id=hold.hold_id,
            debtor_account_id=hold.debtor_account_id,
            currency=hold.currency,
            posted_minor=hold.posted_minor,
            released_minor=hold.left_minor,
            reason=reason,
            ended_at=at,
        ),
        *block_available(ledger, hold.debtor_account_id, at),
    ]
