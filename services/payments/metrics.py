"""What Prometheus sees of payments: how many are open, for how long, and how they end."""

from collections.abc import Callable, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy import Connection

from libs.common.figures import Figure, Look, Value
from services.payments import queries
from services.payments.domain.payment import ENDS, Payments, PaymentState
from services.payments.settings import PaymentsSettings

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3_600.0, 86_400.0, 432_000.0)

_OPEN = (
    Figure(
        name="payments_open",
        meaning="Payments that have not ended, by their state; counted up to 20,000",
        label="state",
    ),
    Figure(
        name="payments_past_deadline",
        meaning="Payments and refunds that are in a state for longer than it may take: someone must look",
    ),
    Figure(
        name="payments_oldest_open_age_seconds",
        meaning="Age of the oldest payment that has not ended, by its state",
        label="state",
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


def observer(registry: CollectorRegistry) -> Callable[[Payments], None]:
    """What this process has committed."""
    ended = Counter(
        "payments_ended_total",
        "Payments this process has seen to their end, by end and public reason",
        labelnames=["end", "reason"],
        registry=registry,
    )
    seconds = Histogram(
        "payments_journey_seconds",
        "From a payment's order to its end, by end",
        labelnames=["end"],
        buckets=_SECONDS,
        registry=registry,
    )

    def observe(payments: Payments) -> None:
        for before, payment in payments.payments.changes:
            if payment.ended_at is not None and (before is None or not before.has_ended):
                ended.labels(payment.state, payment.public_reason or "none").inc()
                seconds.labels(payment.state).observe((payment.ended_at - payment.initiated_at).total_seconds())

    return observe
