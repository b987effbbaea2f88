"""What Prometheus sees of payments: how many are open, for how long, and how they end."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from libs.common.batch import Decided, Observe
from libs.common.figures import Figure, Look, Value
from libs.common.message import Trace
from libs.common.metrics import Metrics, exemplar
from schemas.payments.events import InternalReason, PublicReason
from services.payments import queries
from services.payments.domain.payment import ENDS, Capture, Payment, Payments, PaymentState
from services.payments.domain.refusals import QUOTA_REASONS, RefusalReason
from services.payments.settings import PaymentsSettings

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3_600.0, 86_400.0, 432_000.0)
_OPEN_STATES = tuple(state.value for state in PaymentState if state not in ENDS)
_ENDS = tuple(state.value for state in PaymentState if state in ENDS)


class Way(StrEnum):
    """What a payment's journey may have waited for besides our services: only the first may be promised to be fast."""

    STRAIGHT = "straight"
    REVIEWED = "reviewed"
    """For people."""
    CAPTURED = "captured"
    """For its client."""


_OPEN = (
    Figure(
        name="payments_open",
        meaning="Payments that have not ended, by their state; counted up to 20,000",
        label="state",
        values=_OPEN_STATES,
    ),
    Figure(
        name="payments_past_deadline",
        meaning="Payments and refunds that are in a state for longer than it may take: someone must look",
    ),
    Figure(
        name="payments_oldest_open_age_seconds",
        meaning="Age of the oldest payment that has not ended, by its state",
        label="state",
        values=_OPEN_STATES,
    ),
)


def looks(settings: PaymentsSettings) -> Sequence[Look]:
    """What a query tells, now and then."""

    def ask(tx: Connection, now: datetime) -> Sequence[Value]:
        found = {measured.state: measured for measured in queries.measure_open(tx, now, settings.policy)}
        refunds_past_deadline = queries.count_refunds_past_deadline(tx, now, settings.policy)
        states = [state for state in PaymentState if state not in ENDS]
        return (
            {state: found[state].count if state in found else 0 for state in states},
            sum(measured.past_deadline for measured in found.values()) + refunds_past_deadline,
            {state: (now - found[state].oldest_at).total_seconds() if state in found else 0 for state in states},
        )

    return [Look(figures=_OPEN, ask=ask)]


def observer(metrics: Metrics) -> Observe:
    """What this process has committed."""
    initiated = metrics.counter("payments_initiated_total", "Payments this process has taken on")
    suspended = metrics.counter(
        "payments_suspended_total",
        "Payments this process has held up, by each of the reasons",
        reason=tuple(InternalReason),
    )
    ended = metrics.counter(
        "payments_ended_total",
        "Payments this process has seen to their end, by end and public reason",
        end=_ENDS,
        reason=("none", *PublicReason),
    )
    seconds = metrics.histogram(
        "payments_journey_seconds",
        "From a payment's order to its end, by end, and by what it may have waited for besides our services: nothing"
        " (`straight`), people, or its client",
        buckets=_SECONDS,
        end=_ENDS,
        way=tuple(Way),
    )

    over_quota = metrics.counter(
        "payments_quota_refusals_total",
        "Orders, alone or lines of files, that this process has refused for the day, by the quota that had no room",
        quota=("payments", "amount"),
    )

    def observe(payments: Payments, decided: Sequence[Decided]) -> None:
        refusals = [result.refusal.reason for result in decided if result.refusal is not None]
        for reason in (*refusals, *(line.reason for line in payments.refused_lines)):
            if reason in QUOTA_REASONS:
                over_quota.labels("payments" if reason == RefusalReason.PAYMENT_QUOTA_EXCEEDED else "amount").inc()
        at_end = []
        for before, payment in payments.payments.changes:
            if before is None:
                initiated.inc()
            if payment.ended_at is not None and (before is None or not before.has_ended):
                at_end.append(payment)
            elif payment.state is PaymentState.SUSPENDED and (before is None or before.state is not payment.state):
                for reason in payment.reasons:
                    suspended.labels(reason).inc()
        traces = _traces(decided) if at_end else {}
        for payment in at_end:
            assert payment.ended_at is not None
            took = (payment.ended_at - payment.initiated_at).total_seconds()
            ended.labels(payment.state, payment.public_reason or "none").inc()
            seconds.labels(payment.state, way_of(payment)).observe(took, exemplar(traces.get(payment.payment_id)))

    return observe


def way_of(payment: Payment) -> Way:
    """What a payment's journey may have waited for."""
    if payment.capture is Capture.MANUAL:
        return Way.CAPTURED
    return Way.STRAIGHT if payment.alarmed_at is None else Way.REVIEWED


def _traces(decided: Iterable[Decided]) -> dict[str, Trace]:
    bodies = ((getattr(result.message.body, "payment_id", None), result.message.trace) for result in decided)
    return {payment_id: trace for payment_id, trace in bodies if payment_id is not None}
