"""What fraud's tests on real parts share: orders, and looks into the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.database import fetch, transaction
from libs.common.service import Runtime
from schemas.payments.events import (
    Answer,
    Channel,
    Party,
    PaymentAnswerOverdue,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
)

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)


def order(
    debtor: str, creditor: str, *, minor: int = 2_000, at: datetime = T0, device: str | None = None
) -> PaymentOrder:
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        debtor_customer_id=ids.new(),
        creditor_customer_id=ids.new(),
        amount_minor=minor,
        currency="EUR",
        channel=Channel.MOBILE,
        device_id=device,
        instructed_at=at,
        personal=PaymentPersonalData(debtor=Party(name="Ann", country="DE"), creditor=Party(name="Bob", country="DE")),
    )


def initiated(order: PaymentOrder, payment_id: str | None = None) -> PaymentInitiated:
    return PaymentInitiated(payment_id=payment_id or ids.new(), order=order, initiated_at=order.instructed_at)


def overdue(event: PaymentInitiated, *awaited: Answer) -> PaymentAnswerOverdue:
    at = event.initiated_at + timedelta(seconds=30)
    return PaymentAnswerOverdue(payment_id=event.payment_id, order=event.order, awaited=awaited, overdue_at=at)


def rows(runtime: Runtime, query: str, parameters: Sequence[Any] = (), *, binary: bool = False) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query, parameters, binary=binary)
