"""How a payment comes in, and how its client may withdraw it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.money import format_amount
from libs.common.record import replace
from libs.common.tenants import may_touch
from schemas.payments.events import (
    Channel,
    EncryptedPersonalData,
    Institution,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
)
from services.payments.domain import journey, quotas
from services.payments.domain.deadlines import enter, look_soon
from services.payments.domain.fees import fee_of
from services.payments.domain.payment import Batch, Capture, Payment, Payments, PaymentState, RefusedLine
from services.payments.domain.refusals import RefusalReason, find_own


class InitiatePayment(Command):
    payment_id: str
    client_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    channel: Channel = Channel.API
    is_cash: bool = False
    device_id: str | None = None
    ip_country: str | None = None
    purpose: str | None = None
    instructed_at: datetime | None = None
    capture: Capture = Capture.AUTOMATIC
    personal: PaymentPersonalData
    debtor_institution: Institution | None = None
    creditor_institution: Institution | None = None
    batch_id: str | None = None
    line_number: int | None = None
    tenant_id: str | None = None
    """From whose accounts it must be paid; None: from anyone's, for staff."""


class RefuseLine(Command):
    """A line of a batch that can't even be read as an order."""

    batch_id: str
    line_number: int
    reason: str
    field: str | None
    detail: str


class OpenBatch(Command):
    batch_id: str
    client_id: str


class CompleteBatch(Command):
    batch_id: str
    line_count: int


class CancelPayment(Command):
    payment_id: str
    client_id: str | None
    """Whose payment it must be; None: anyone's, for staff."""


def initiate(payments: Payments, command: InitiatePayment, at: datetime) -> Sequence[Event] | Refusal:
    """Take a payment on, and ask the three questions about it; or keep a line of a file with why that can't be."""
    if command.batch_id is not None and not _count_line(payments, command.batch_id):
        return refusal(RefusalReason.BATCH_COMPLETE, "batch_id")
    why_not = _why_not(payments, command) or quotas.spend(
        payments, command.client_id, command.amount_minor, command.currency, at
    )
    if why_not is None:
        return _take_on(payments, command, at)
    if command.batch_id is None or command.line_number is None:
        return why_not
    payments.refused_lines.append(
        RefusedLine(
            batch_id=command.batch_id,
            line_number=command.line_number,
            reason=why_not.reason,
            field=why_not.field,
            detail=why_not.detail,
        )
    )
    return []


def refuse_line(payments: Payments, command: RefuseLine, at: datetime) -> Sequence[Event] | Refusal:
    """Keep what was wrong with a line, for whoever sent the file."""
    if not _count_line(payments, command.batch_id):
        return refusal(RefusalReason.BATCH_COMPLETE, "batch_id")
    payments.refused_lines.append(
        RefusedLine(
            batch_id=command.batch_id,
            line_number=command.line_number,
            reason=command.reason,
            field=command.field,
            detail=command.detail,
        )
    )
    return []


def open_batch(payments: Payments, command: OpenBatch, at: datetime) -> Sequence[Event]:
    """A file begins to come in."""
    payments.batches.put(command.batch_id, Batch(batch_id=command.batch_id, client_id=command.client_id, opened_at=at))
    return []


def complete_batch(payments: Payments, command: CompleteBatch, at: datetime) -> Sequence[Event] | Refusal:
    """The file has come in to its end: the same end as far as any file has come in as this batch."""
    batch = payments.batches[command.batch_id]
    if batch.completed_at is not None:
        return refusal(RefusalReason.BATCH_COMPLETE, "batch_id")
    if batch.line_count != command.line_count:
        return refusal(RefusalReason.BATCH_DIFFERS, "batch_id")
    payments.batches.put(command.batch_id, replace(batch, completed_at=at))
    return []


def cancel(payments: Payments, command: CancelPayment, at: datetime) -> Sequence[Event] | Refusal:
    """Withdraw a payment: at once if its money is certainly nobody's who is listed, else when that is known.

    That of one that its client has seen authorised is only taken note of, and carried out by the sweep: the answer must
    not tell whether anyone looks at the payment meanwhile.
    """
    payment = find_own(payments, command.payment_id, command.client_id)
    if isinstance(payment, Refusal):
        return payment
    if payment.has_ended:
        return refusal(RefusalReason.PAYMENT_ENDED, "payment_id")
    if payment.is_beyond_recall:
        return refusal(RefusalReason.PAYMENT_NOT_CANCELLABLE, "payment_id")
    was_authorised = payment.capture_by is not None
    if not was_authorised and journey.may_be_given_back(payment):
        return journey.cancel(payments, payment, at)
    if not payment.is_cancel_requested:
        requested = replace(payment.saw(at, "cancel requested"), is_cancel_requested=True)
        payments.put(look_soon(requested, at) if was_authorised else requested)
    return []


def _take_on(payments: Payments, command: InitiatePayment, at: datetime) -> Sequence[Event]:
    order = PaymentOrder(
        client_id=command.client_id,
        debtor_account_id=command.debtor_account_id,
        creditor_account_id=command.creditor_account_id,
        debtor_customer_id=payments.accounts[command.debtor_account_id].customer_id,
        creditor_customer_id=payments.accounts[command.creditor_account_id].customer_id,
        amount_minor=command.amount_minor,
        currency=command.currency,
        fee_minor=fee_of(payments.fees, command.amount_minor, command.currency),
        channel=command.channel,
        is_cash=command.is_cash,
        device_id=command.device_id,
        ip_country=command.ip_country,
        purpose=command.purpose,
        instructed_at=command.instructed_at or at,
        personal=_sealed(payments, command),
        debtor_institution=command.debtor_institution,
        creditor_institution=command.creditor_institution,
    )
    payment = Payment(
        payment_id=command.payment_id,
        order=order,
        batch_id=command.batch_id,
        line_number=command.line_number,
        capture=command.capture,
        entered_at=at,
        initiated_at=at,
    )
    fee = f"fee {format_amount(order.fee_minor, order.currency)}" if order.fee_minor else ""
    payments.put(enter(payment.saw(at, "initiated", fee), PaymentState.INITIATED, at, payments.policy))
    return [PaymentInitiated(payment_id=command.payment_id, order=order, batch_id=command.batch_id, initiated_at=at)]


def _sealed(payments: Payments, command: InitiatePayment) -> PaymentPersonalData | EncryptedPersonalData:
    """What was told of the parties, to be read as long as neither of the two customers is erased."""
    owners = [payments.accounts[id_].customer_id for id_ in (command.debtor_account_id, command.creditor_account_id)]
    return payments.keys.seal(EncryptedPersonalData, command.personal, owners=owners, about=command.payment_id)


def _count_line(payments: Payments, batch_id: str) -> bool:
    """Count one more line of a file; False if the file has come in to its end already."""
    batch = payments.batches[batch_id]
    if batch.completed_at is not None:
        return False
    payments.batches.put(batch_id, replace(batch, line_count=batch.line_count + 1))
    return True


def _why_not(payments: Payments, command: InitiatePayment) -> Refusal | None:
    debtor = payments.accounts.get(command.debtor_account_id)
    creditor = payments.accounts.get(command.creditor_account_id)
    if command.debtor_account_id == command.creditor_account_id:
        return refusal(RefusalReason.SAME_ACCOUNT, "creditor.account_id")
    if debtor is None or not may_touch(debtor.client_id, command.tenant_id):
        return refusal(RefusalReason.DEBTOR_ACCOUNT_UNKNOWN, "debtor.account_id")
    if creditor is None:
        return refusal(RefusalReason.CREDITOR_ACCOUNT_UNKNOWN, "creditor.account_id")
    if not debtor.may_pay:
        return refusal(RefusalReason.DEBTOR_ACCOUNT_UNAVAILABLE, "debtor.account_id")
    if not creditor.may_receive:
        return refusal(RefusalReason.CREDITOR_ACCOUNT_UNAVAILABLE, "creditor.account_id")
    if command.currency != debtor.currency or command.currency != creditor.currency:
        return refusal(RefusalReason.CURRENCY_NOT_HELD, "currency")
    return None
