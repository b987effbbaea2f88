"""A refund: money of a settled payment on its way back to the payer. Pure."""

from datetime import datetime
from enum import StrEnum

from libs.common.record import Record
from schemas.payments.events import PublicReason

REFUNDS_MAX = 100
"""Of one payment, those that settled or are under way."""
REJECTED_MAX = 100
"""Of one payment, on its client's request: all refunds are kept, and shown with it, so that there must be an end."""
REJECTED_MAX_FOR_STAFF = 1_000
"""The same where staff asks: whoever tried in vain for too long is still to get the money back."""


class RefundState(StrEnum):
    """Where a refund stands: accounts decides, and there is no other way out."""

    REQUESTED = "requested"
    SETTLED = "settled"
    REJECTED = "rejected"


class Refund(Record):
    """In the order of its columns."""

    refund_id: str
    payment_id: str
    amount_minor: int
    """Without any of the fee, which stays with the house."""
    requested_at: datetime
    state: RefundState = RefundState.REQUESTED
    reason: PublicReason | None = None
    transfer_id: str | None = None
    ended_at: datetime | None = None
    deadline_step: int = 0
    check_at: datetime | None = None
    """When accounts is asked again, until it has answered."""
    sequence: int = 0
