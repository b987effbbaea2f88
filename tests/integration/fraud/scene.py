"""What fraud's tests on real parts share: orders, a topic to announce them on, and looks into the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Producer

from libs.common import ids, inbox, tracing
from libs.common.batch import Decided
from libs.common.codec import Codec
from libs.common.database import fetch, transaction
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Message
from libs.common.outbox import OutboxRow
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


def message(body: Any, at: datetime = T0) -> Message:
    return Message(message_id=ids.new(), body=body, received_at=at, trace=tracing.begin())


class Inbox:
    """Takes each message once, as the consumer does, without any offsets to move."""

    def claim(self, tx: Any, messages: Sequence[Message]) -> list[Message]:
        fresh = inbox.claim(tx, "fraud", [message.message_id for message in messages], [])
        return [message for message in messages if message.message_id in fresh]

    def record(self, tx: Any, state: Any, decided: Sequence[Decided]) -> Sequence[OutboxRow]:
        for result in decided:
            if result.outcome is not Outcome.APPLIED:
                raise AssertionError("a message could not be applied") from result.error
        return ()


def decide(runtime: Runtime, *bodies: Any) -> list[Decided]:
    """Have bodies decided in one batch."""
    return runtime.unit.run([message(body) for body in bodies], Inbox())


class Announcer:
    """Publishes events as payments does."""

    def __init__(self, runtime: Runtime, *kinds: type[Event]) -> None:
        for kind in kinds:
            runtime.registry.register(kind.contract)
        self._codec = Codec(runtime.registry, kinds)
        self._producer = Producer({"bootstrap.servers": runtime.settings.kafka_bootstrap, "linger.ms": 5,
                                   "partitioner": "murmur2_random"})  # fmt: skip

    def announce(self, *events: Event) -> None:
        for event in events:
            contract = event.contract
            headers: Any = {"ce_id": ids.new(), "ce_source": "/weir/payments"}
            self._producer.produce(
                contract.topic.name, self._codec.encode(event), contract.key_of(event), headers=list(headers.items())
            )
        self._producer.flush(10)


def rows(runtime: Runtime, query: str, parameters: Sequence[Any] = (), *, binary: bool = False) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query, parameters, binary=binary)
