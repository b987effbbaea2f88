"""What payments does, in the order of a payment's life. It alone knows the whole journey."""

from collections.abc import Sequence
from functools import partial

from libs.common import vault
from libs.common.batch import Handlers
from libs.common.sweep import Prune
from schemas.accounts.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    RefundPosted,
    RefundRefused,
)
from schemas.compliance.events import CaseResolved, CaseTaken, ComplianceScreened
from schemas.fraud.events import FraudAssessed
from schemas.payments.events import (
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentAuthorised,
    PaymentBlocked,
    PaymentBlockRequested,
    PaymentCancelled,
    PaymentDataSupplied,
    PaymentInitiated,
    PaymentRefusalExplained,
    PaymentRejected,
    PaymentReleaseRequested,
    PaymentResumed,
    PaymentSettled,
    PaymentSuspended,
    RefundAnswerOverdue,
    RefundRejected,
    RefundRequested,
    RefundSettled,
)
from services.payments import store
from services.payments.domain import answers, captures, intake, party_data, refunds
from services.payments.settings import PaymentsSettings


def pruning(settings: PaymentsSettings) -> Sequence[Prune]:
    """What is kept for a time only."""
    return (partial(store.forget_refused_lines, settings.refused_lines_days),)


def handlers(settings: PaymentsSettings) -> Handlers:
    """The table of contents: each command and event, and what is decided on it."""
    return Handlers(
        service="payments",
        load=partial(
            store.load_payments,
            policy=settings.policy,
            fees=settings.fee_schedule,
            default_quotas=settings.default_quotas,
            vault=vault.of(settings),
        ),
        save=store.save_payments,
        wanted_keys=store.wanted_keys,
        decisions={
            # Which accounts there are
            AccountOpened: answers.learn_account,
            AccountFrozen: answers.learn_status,
            AccountThawed: answers.learn_status,
            AccountClosed: answers.learn_status,
            # A payment comes in, alone or as a line of a file
            intake.OpenBatch: intake.open_batch,
            intake.InitiatePayment: intake.initiate,
            intake.RefuseLine: intake.refuse_line,
            intake.CompleteBatch: intake.complete_batch,
            intake.CancelPayment: intake.cancel,
            captures.CapturePayment: captures.capture,
            party_data.SupplyData: party_data.supply,
            # The three answers
            FraudAssessed: answers.record_assessment,
            ComplianceScreened: answers.record_screening,
            FundsHeld: answers.record_hold,
            FundsDeclined: answers.record_decline,
            # What people decide
            CaseTaken: answers.record_case_taken,
            CaseResolved: answers.record_resolution,
            # What became of the money
            FundsPosted: answers.settle,
            FundsBlocked: answers.record_block,
            FundsPostRefused: answers.record_post_refusal,
            FundsReleased: answers.record_release,
            # Money of a settled payment is given back
            refunds.RequestRefund: refunds.request,
            RefundPosted: refunds.settle,
            RefundRefused: refunds.reject,
            # What time decides
            answers.DeadlinePassed: answers.stop_waiting,
            refunds.RefundDeadlinePassed: refunds.ask_again,
        },
        writes=(
            PaymentInitiated,
            PaymentDataSupplied,
            PaymentAnswerOverdue,
            PaymentAuthorised,
            PaymentApproved,
            PaymentBlockRequested,
            PaymentReleaseRequested,
            PaymentSettled,
            PaymentRejected,
            PaymentCancelled,
            PaymentBlocked,
            PaymentSuspended,
            PaymentResumed,
            PaymentRefusalExplained,
            RefundRequested,
            RefundAnswerOverdue,
            RefundSettled,
            RefundRejected,
        ),
    )
