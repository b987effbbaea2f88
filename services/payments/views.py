"""What the API of payments answers, for its OpenAPI page. `queries` writes it; a test holds the two together."""

from datetime import datetime

from libs.common.fields import View
from schemas.payments.events import InternalReason, PublicReason
from services.payments.domain.payment import Capture
from services.payments.domain.refund import RefundState


class StepView(View):
    """A line of a payment's timeline."""

    at: datetime
    what: str
    detail: str | None


class RefundView(View):
    """Money of a settled payment on its way back, or back; the reason why not, if it was rejected."""

    refund_id: str
    payment_id: str
    state: RefundState
    reason: PublicReason | None
    amount: str
    currency: str
    transfer_id: str | None
    requested_at: datetime
    ended_at: datetime | None


class RefundList(View):
    """The refunds of a payment, the oldest first."""

    refunds: list[RefundView]


class PaymentView(View):
    """A payment as its client sees it: before its end `processing`, whatever happens to it, or `authorised` while its
    client may capture it. The fee is what the payer owes on top; what was captured is less where its client said so."""

    payment_id: str
    state: str
    reason: PublicReason | None
    amount: str
    fee: str
    currency: str
    debtor_account_id: str
    creditor_account_id: str
    capture: Capture
    capture_by: datetime | None
    captured_amount: str | None
    captured_fee: str | None
    batch_id: str | None
    line_number: int | None
    transfer_id: str | None
    initiated_at: datetime
    ended_at: datetime | None
    missing: list[str]
    refunds: list[RefundView]
    timeline: list[StepView]


class FindingView(View):
    """Something that fraud or compliance found."""

    source: str
    score: float
    reason: str


class EvidenceView(View):
    """What the others have answered so far."""

    fraud_outcome: str | None
    fraud_score: float | None
    fraud_findings: list[FindingView]
    compliance_outcome: str | None
    compliance_hits: list[FindingView]
    compliance_missing: list[str]
    funds_outcome: str | None


class StaffPaymentView(PaymentView):
    """A payment as staff sees it: its true state, the internal reasons and the evidence."""

    client_id: str
    internal_reason: InternalReason | None
    suspension_reasons: list[InternalReason]
    evidence: EvidenceView
    deadline_at: datetime | None


class PaymentPage(View):
    """Some payments, and the cursor of the next page if there is one."""

    payments: list[StaffPaymentView | PaymentView]
    next_cursor: str | None


class RefusedLineView(View):
    """Why a line of a file did not become a payment. Lines count from 1, the header and blank ones apart."""

    line: int
    reason: str
    field: str | None
    detail: str


class UploadView(View):
    """What became of the lines of a file that has come in. At most a thousand refusals are shown."""

    batch_id: str
    lines: int
    accepted: int
    refused: int
    refusals: list[RefusedLineView]


class BatchView(UploadView):
    """A file: how far it has come in, and what became of its payments."""

    is_complete: bool
    states: dict[str, int]
    opened_at: datetime
    completed_at: datetime | None
