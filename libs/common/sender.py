"""Sends batches of records to Kafka and says whether all arrived. Never gives up on its own.

There is no delivery time-out: with one, an older record expires, a newer is acknowledged, and the
older is then sent again behind it. Without one an outage costs time and no order. After any failed
delivery the producer is thrown away with all it holds (docs/decisions/0002-outbox.md).
"""

import logging
import time
from collections.abc import Sequence
from threading import Event as Flag
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaRecord

from libs.common.errors import Outage
from libs.common.fault_points import reach
from libs.common.metrics import OutboxMetrics

FLUSH_SECONDS = 0.2
STALLED_SECONDS = 3.0
"""A broker that has acknowledged nothing for so long is away, as far as anyone who asks is concerned."""
TOPIC_REFUSED = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
"""What is said of every record of a topic."""

NEVER_TAKEN = TOPIC_REFUSED | {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.POLICY_VIOLATION,
}
"""What is said of a record that will be refused however often it is sent."""

log = logging.getLogger(__name__)
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode


class Sendable(Protocol):
    """What Kafka gets of an outbox row."""

    @property
    def topic(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> str: ...


class Sender:
    """A producer that can be thrown away."""

    def __init__(self, config: dict[str, Any], metrics: OutboxMetrics) -> None:
        self._config = {**config, "error_cb": self._on_error}
        self._metrics = metrics
        self._producer: Producer | None = None
        self._failures: list[KafkaError] = []
        self._acknowledged_at = 0.0
        self._is_waiting = False

    @property
    def is_stalled(self) -> bool:
        """Whether records have been waiting for the broker for longer than they should."""
        return self._is_waiting and time.monotonic() > self._acknowledged_at + STALLED_SECONDS

    def send(self, rows: Sequence[Sendable], stop: Flag) -> KafkaError | None:
        """Send rows in order and wait until each is acknowledged: None, or the first failure.

        Raises Outage when `stop` is set while the broker doesn't answer.
        """
        producer = self._producer = self._producer or Producer(self._config)
        self._failures = []
        self._acknowledged_at, self._is_waiting = time.monotonic(), True
        try:
            for row in rows:
                self._produce(producer, row)
            reach("relay.before_ack")
            while producer.flush(FLUSH_SECONDS):
                if stop.is_set():
                    raise Outage("asked to stop while the broker does not answer")
        except KafkaException as error:
            self._failures.append(error.args[0])
        finally:
            self._is_waiting = False
        if self._failures:
            self._metrics.restarts.inc()
            self.close()
            return self._failures[0]
        return None

    def close(self) -> None:
        """Drop the producer and all it has not sent."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _produce(self, producer: Producer, row: Sendable) -> None:
        headers: Any = _decode_headers(row.headers)
        while True:
            try:
                producer.produce(row.topic, row.value, row.key, headers=headers, on_delivery=self._on_delivery)
            except BufferError:
                producer.poll(FLUSH_SECONDS)
            else:
                return

    def _on_delivery(self, error: KafkaError | None, _: KafkaRecord) -> None:
        self._acknowledged_at = time.monotonic()
        if error is not None:
            self._failures.append(error)

    def _on_error(self, error: KafkaError) -> None:
        log.debug("kafka", extra={"error": error.str()})
