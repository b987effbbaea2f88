"""Having a service decide on events: at once and in one batch, or by way of their topics."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer
from sqlalchemy import Connection

from libs.common import ids, inbox, tracing
from libs.common.batch import Decided
from libs.common.codec import Codec
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.kafka import client_config
from libs.common.message import Message
from libs.common.outbox import OutboxRow
from libs.common.service import Runtime
from libs.common.writes import Writes


def decide(runtime: Runtime, *bodies: Any, at: datetime | None = None) -> list[Decided]:
    """Have bodies decided in one batch, as if they had come from their topics. Fails when one can't be applied."""
    messages = [
        Message(message_id=ids.new(), body=body, received_at=at or datetime.now(UTC), trace=tracing.begin())
        for body in bodies
    ]
    return runtime.unit.run(messages, _Inbox(runtime.service.name))


class Announcer:
    """Publishes events as the services they belong to do."""

    def __init__(self, runtime: Runtime, *kinds: type[Event]) -> None:
        for kind in kinds:
            runtime.registry.register(kind.contract)
        self._codec = Codec(runtime.registry, kinds)
        self._producer = Producer({**client_config(runtime.settings), "linger.ms": 5,
                                   "partitioner": "murmur2_random"})  # fmt: skip

    def announce(self, *events: Event) -> None:
        for event in events:
            contract = event.contract
            headers: Any = {"ce_id": ids.new(), "ce_source": f"/weir/{contract.topic.service}"}
            self._producer.produce(
                contract.topic.name, self._codec.encode(event), contract.key_of(event), headers=list(headers.items())
            )
        self._producer.flush(10)


class _Inbox:
    """Takes each message once, as the consumer does, without any offsets to move."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer

    def claim(self, tx: Connection, messages: Sequence[Message]) -> list[Message]:
        fresh = inbox.claim(tx, self._consumer, [message.message_id for message in messages], [])
        return [message for message in messages if message.message_id in fresh]

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Sequence[OutboxRow]:
        for result in decided:
            if result.outcome is not Outcome.APPLIED:
                raise AssertionError("a message could not be applied") from result.error
        return ()
