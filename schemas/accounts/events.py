"""What accounts publishes: customers, their accounts, and what became of a payment's money."""

from datetime import datetime
from enum import StrEnum

from libs.common.events import UNION_TAG, Event, Topic, event
from libs.common.personal_data import Encrypted
from libs.common.record import Record

CUSTOMER = Topic(
    name="accounts.customer.v1",
    key="the customer",
    meaning="Customers, from their registration on.",
)
ACCOUNT = Topic(
    name="accounts.account.v1",
    key="the customer the account belongs to",
    meaning="Accounts: opened, frozen, thawed, given bounds, closed.",
)
FUNDS = Topic(
    name="accounts.funds.v1",
    key="the account that pays",
    meaning="What became of the money of a payment: held, declined, posted, blocked, released.",
)
TRANSFER = Topic(
    name="accounts.transfer.v1",
    key="the first customer's account that has a part in them",
    meaning="Transfers that no payment asked for: fundings, bookings, captures, conversions, reversals.",
)
HOLD = Topic(
    name="accounts.hold.v1",
    key="the account that pays",
    meaning="Holds that no payment asked for: placed, ended.",
)
REFUND = Topic(
    name="accounts.refund.v1",
    key="the account that had paid",
    meaning="What became of the money of a refund: posted, or not.",
)


class CustomerKind(StrEnum):
    UNKNOWN = "unknown"
    PERSON = "person"
    COMPANY = "company"


class DeclineReason(StrEnum):
    """Why no money was held, in order of precedence."""

    UNKNOWN = "unknown"
    PAYMENT_ENDED = "payment_ended"
    DEBTOR_ACCOUNT_UNKNOWN = "debtor_account_unknown"
    CREDITOR_ACCOUNT_UNKNOWN = "creditor_account_unknown"
    DEBTOR_ACCOUNT_CLOSED = "debtor_account_closed"
    DEBTOR_ACCOUNT_FROZEN = "debtor_account_frozen"
    CREDITOR_ACCOUNT_CLOSED = "creditor_account_closed"
    CREDITOR_ACCOUNT_FROZEN = "creditor_account_frozen"
    CURRENCY_NOT_HELD = "currency_not_held"
    LIMIT_EXCEEDED = "limit_exceeded"
    DAILY_LIMIT_EXCEEDED = "daily_limit_exceeded"
    MONTHLY_LIMIT_EXCEEDED = "monthly_limit_exceeded"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CEILING_EXCEEDED = "ceiling_exceeded"


class PostRefusal(StrEnum):
    """Why money that was held could not be moved, in order of precedence."""

    UNKNOWN = "unknown"
    NOTHING_HELD = "nothing_held"
    DEBTOR_ACCOUNT_CLOSED = "debtor_account_closed"
    DEBTOR_ACCOUNT_FROZEN = "debtor_account_frozen"
    CREDITOR_ACCOUNT_CLOSED = "creditor_account_closed"
    CREDITOR_ACCOUNT_FROZEN = "creditor_account_frozen"
    CEILING_EXCEEDED = "ceiling_exceeded"


class RefundRefusal(StrEnum):
    """Why a refund was not carried out, in order of precedence. The creditor is the one who gives back."""

    UNKNOWN = "unknown"
    PAYMENT_NOT_POSTED = "payment_not_posted"
    AMOUNT_EXCEEDS_POSTED = "amount_exceeds_posted"
    CREDITOR_ACCOUNT_CLOSED = "creditor_account_closed"
    CREDITOR_ACCOUNT_FROZEN = "creditor_account_frozen"
    DEBTOR_ACCOUNT_CLOSED = "debtor_account_closed"
    DEBTOR_ACCOUNT_FROZEN = "debtor_account_frozen"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CEILING_EXCEEDED = "ceiling_exceeded"


class PostedTransferKind(StrEnum):
    """What a transfer that no payment asked for is for."""

    UNKNOWN = "unknown"
    FUNDING = "funding"
    BOOKING = "booking"
    CAPTURE = "capture"
    CONVERSION = "conversion"
    REVERSAL = "reversal"


class HoldEnd(StrEnum):
    UNKNOWN = "unknown"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


class CustomerPersonalData(Record, tag_field=UNION_TAG, tag="weir.accounts.CustomerPersonalData"):
    name: str
    country: str | None = None
    birth_date: str | None = None
    address: str | None = None


class EncryptedPersonalData(Encrypted, tag_field=UNION_TAG, tag="weir.accounts.EncryptedPersonalData"):
    """See libs/common/personal_data.py."""


@event(topic=CUSTOMER, key="customer_id", subject="customer_id")
class CustomerRegistered(Event):
    customer_id: str
    kind: CustomerKind
    personal: CustomerPersonalData | EncryptedPersonalData
    registered_at: datetime


@event(topic=CUSTOMER, key="customer_id", subject="customer_id")
class CustomerClosed(Event):
    customer_id: str
    closed_at: datetime


@event(topic=ACCOUNT, key="customer_id", subject="account_id")
class AccountOpened(Event):
    account_id: str
    customer_id: str
    currency: str
    opened_at: datetime
    client_id: str | None = None
    """The client of ours that it belongs to, through its customer; None: to the house."""


@event(topic=ACCOUNT, key="customer_id", subject="account_id")
class AccountFrozen(Event):
    account_id: str
    customer_id: str
    may_receive: bool = False
    frozen_at: datetime


@event(topic=ACCOUNT, key="customer_id", subject="account_id")
class PropertyBlocked(Event):
    account_id: str
    customer_id: str
    blocked_account_id: str
    amount_minor: int
    currency: str
    transfer_id: str
    blocked_at: datetime
    payment_id: str | None = None


@event(topic=ACCOUNT, key="customer_id", subject="account_id")
class AccountThawed(Event):
    account_id: str
    customer_id: str
    thawed_at: datetime


@event(topic=ACCOUNT, key="customer_id", subject="account_id")
class AccountBoundsSet(Event):
    account_id: str
    customer_id: str
    floor_minor: int
    ceiling_minor: int | None = None
    currency: str
    set_at: datetime


@event(topic=ACCOUNT, key="customer_id", subject="account_id")
class AccountClosed(Event):
    account_id: str
    customer_id: str
    closed_at: datetime


@event(topic=FUNDS, key="debtor_account_id", subject="payment_id")
class FundsHeld(Event):
    payment_id: str
    debtor_account_id: str
    amount_minor: int
    currency: str
    fee_minor: int = 0
    held_at: datetime
    expires_at: datetime


@event(topic=FUNDS, key="debtor_account_id", subject="payment_id")
class FundsDeclined(Event):
    payment_id: str
    debtor_account_id: str
    reason: DeclineReason
    declined_at: datetime


@event(topic=FUNDS, key="debtor_account_id", subject="payment_id")
class FundsPosted(Event):
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    fee_minor: int = 0
    transfer_id: str
    posted_at: datetime


@event(topic=FUNDS, key="debtor_account_id", subject="payment_id")
class FundsPostRefused(Event):
    payment_id: str
    debtor_account_id: str
    reason: PostRefusal
    approved_at: datetime | None = None
    refused_at: datetime


@event(topic=FUNDS, key="debtor_account_id", subject="payment_id")
class FundsBlocked(Event):
    payment_id: str
    debtor_account_id: str
    blocked_account_id: str
    amount_minor: int
    currency: str
    transfer_id: str
    blocked_at: datetime


@event(topic=FUNDS, key="debtor_account_id", subject="payment_id")
class FundsReleased(Event):
    payment_id: str
    debtor_account_id: str
    amount_minor: int
    currency: str
    released_at: datetime


@event(topic=REFUND, key="debtor_account_id", subject="refund_id")
class RefundPosted(Event):
    refund_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    transfer_id: str
    posted_at: datetime


@event(topic=REFUND, key="debtor_account_id", subject="refund_id")
class RefundRefused(Event):
    refund_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    reason: RefundRefusal
    refused_at: datetime


class PostedTransfer(Record):
    transfer_id: str
    kind: PostedTransferKind
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    debit_customer_id: str | None = None
    credit_customer_id: str | None = None
    reversed_transfer_id: str | None = None
    effective_at: datetime
    recorded_at: datetime


@event(topic=TRANSFER, key="account_id", subject="link_id")
class TransfersPosted(Event):
    link_id: str
    account_id: str
    transfers: tuple[PostedTransfer, ...]
    hold_id: str | None = None
    posted_at: datetime


@event(topic=HOLD, key="debtor_account_id", subject="hold_id")
class HoldPlaced(Event):
    hold_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    expires_at: datetime
    placed_at: datetime


@event(topic=HOLD, key="debtor_account_id", subject="hold_id")
class HoldEnded(Event):
    hold_id: str
    debtor_account_id: str
    currency: str
    posted_minor: int
    released_minor: int
    reason: HoldEnd
    ended_at: datetime
