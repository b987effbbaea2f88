"""What compliance's tests on real parts share: events to tell it, roles to run, looks into its database."""

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
from schemas.accounts.events import CustomerKind, CustomerPersonalData, CustomerRegistered
from schemas.payments.events import (
    Channel,
    Finding,
    InternalReason,
    Party,
    PaymentEvidence,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentSuspended,
)
from services.compliance.desk import passwords
from services.compliance.domain.cases import payment_case_id
from services.compliance.settings import ROLE_ANALYST
from services.compliance.store import people

NOW = datetime.now(UTC)
PASSWORD = "correct horse battery"
LISTED = "Zubayran Fadl Al-Qandarusi"
ALIKE = "Vlastimor Stojadivich"
"""With the letters of a listed name, but for one."""


def order(
    debtor: str = "Ann Miller",
    creditor: str = "Ben Baker",
    *,
    debtor_born: str | None = None,
    creditor_born: str | None = None,
    country: str | None = None,
    reference: str | None = None,
    minor: int = 125_000,
) -> PaymentOrder:
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=ids.new(),
        creditor_account_id=ids.new(),
        debtor_customer_id=ids.new(),
        creditor_customer_id=ids.new(),
        amount_minor=minor,
        currency="EUR",
        channel=Channel.MOBILE,
        ip_country="DE",
        instructed_at=NOW,
        personal=PaymentPersonalData(
            debtor=Party(name=debtor, birth_date=debtor_born, country="DE"),
            creditor=Party(name=creditor, birth_date=creditor_born, country=country),
            reference=reference,
        ),
    )


def initiated(ordered: PaymentOrder | None = None, payment_id: str | None = None) -> PaymentInitiated:
    return PaymentInitiated(payment_id=payment_id or ids.new(), order=ordered or order(), initiated_at=NOW)


def suspended(
    of: PaymentInitiated, outcome: str = "review", *, at: datetime = NOW, findings: Sequence[Finding] = ()
) -> PaymentSuspended:
    return PaymentSuspended(
        payment_id=of.payment_id,
        order=of.order,
        reasons=(InternalReason.COMPLIANCE_REVIEW, InternalReason.FRAUD_REVIEW),
        evidence=PaymentEvidence(
            fraud_outcome="review",
            fraud_score=0.62,
            fraud_findings=tuple(findings),
            compliance_outcome=outcome,
            funds_outcome="held",
        ),
        decide_by=at + timedelta(days=5),
        suspended_at=at,
    )


def registered(name: str, *, birth_date: str | None = None, customer_id: str | None = None) -> CustomerRegistered:
    return CustomerRegistered(
        customer_id=customer_id or ids.new(),
        kind=CustomerKind.PERSON,
        personal=CustomerPersonalData(name=name, birth_date=birth_date),
        registered_at=NOW,
    )


def case_of(event: PaymentInitiated) -> str:
    return payment_case_id(event.payment_id)


class Inbox:
    """Takes each message once, as the consumer does, without any offsets to move."""

    def claim(self, tx: Any, messages: Sequence[Message]) -> list[Message]:
        fresh = inbox.claim(tx, "compliance", [message.message_id for message in messages], [])
        return [message for message in messages if message.message_id in fresh]

    def record(self, tx: Any, state: Any, decided: Sequence[Decided]) -> Sequence[OutboxRow]:
        for result in decided:
            if result.outcome is not Outcome.APPLIED:
                raise AssertionError("a message could not be applied") from result.error
        return ()


def decide(runtime: Runtime, *bodies: Any) -> list[Decided]:
    """Have bodies decided in one batch, as if they had come from their topics."""
    messages = [
        Message(message_id=ids.new(), body=body, received_at=datetime.now(UTC), trace=tracing.begin())
        for body in bodies
    ]
    return runtime.unit.run(messages, Inbox())


class Announcer:
    """Publishes events as other services do."""

    def __init__(self, runtime: Runtime, *kinds: type[Event]) -> None:
        for kind in kinds:
            runtime.registry.register(kind.contract)
        self._codec = Codec(runtime.registry, kinds)
        self._producer = Producer({"bootstrap.servers": runtime.settings.kafka_bootstrap, "linger.ms": 5,
                                   "partitioner": "murmur2_random"})  # fmt: skip

    def announce(self, *events: Event) -> None:
        for event in events:
            contract = event.contract
            headers: Any = {"ce_id": ids.new(), "ce_source": f"/weir/{contract.topic.service}"}
            self._producer.produce(
                contract.topic.name, self._codec.encode(event), contract.key_of(event), headers=list(headers.items())
            )
        self._producer.flush(10)


def rows(runtime: Runtime, query: str, *values: Any) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query, values)


def add_analysts(runtime: Runtime) -> None:
    password_hash = passwords.hash_password(PASSWORD)
    for username in ("analyst1", "analyst2"):
        runtime.unit.administer(
            lambda tx, username=username: people.save_user(tx, username, password_hash, ROLE_ANALYST)  # type: ignore[misc]
        )
