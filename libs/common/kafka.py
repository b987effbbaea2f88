"""How Weir talks to Kafka: the settings of its clients, and the topics it makes."""

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from libs.common.dead_letters import topic_of as dead_letter_topic_of
from libs.common.errors import Outage
from libs.common.settings import MessagingSettings, Settings

_TIMEOUT_SECONDS = 15

log = logging.getLogger("librdkafka")


def client_config(settings: MessagingSettings) -> dict[str, Any]:
    """What every client of Kafka's is told: where brokers are, and how each side proves to the other who it is."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        "logger": log,
    }
    if settings.kafka_ca is not None:
        config["ssl.ca.location"] = str(settings.kafka_ca)
    if settings.kafka_password is not None:
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_user
        config["sasl.password"] = settings.kafka_password.get_secret_value()
    return config


class Admin(AdminClient):
    """Asks brokers, and says nothing of its own accord. To be kept in a variable: it dies once nothing refers to it."""

    def __init__(self, settings: MessagingSettings) -> None:
        self._refusal = ""
        config: dict[str, Any] = {**client_config(settings), "log_level": 0, "error_cb": self._on_error}
        super().__init__(config)

    def outage(self, error: KafkaException) -> Outage:
        """What to raise for a failure: with the reason, where a broker and this client would not trust each other.

        A question that waits for such a broker only learns that its time is up.
        """
        self.poll(0)
        return Outage(f"the broker: {self._refusal or error.args[0].str()}")

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
            self._refusal = error.str()


def producer_config(settings: Settings) -> dict[str, Any]:
    """A producer that keeps order and loses nothing, however long the broker is away."""
    return {
        **client_config(settings),
        "client.id": "weir-relay",
        "acks": "all",
        "enable.idempotence": True,
        "message.timeout.ms": 0,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": settings.producer_linger_ms,
        "queue.buffering.max.messages": 100_000,
        "topic.metadata.propagation.max.ms": 1_000,
        "reconnect.backoff.max.ms": 2_000,
    }


def consumer_config(settings: Settings, group: str) -> dict[str, Any]:
    """A consumer that commits nothing by itself and stops rather than skip."""
    config: dict[str, Any] = {
        **client_config(settings),
        "client.id": f"weir-{group}",
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        # By topic, so that each worker has its share of the busy one: cooperative-sticky counts partitions alone, and
        # gave a second worker the idle topics. What one payer causes in several topics goes to one worker, besides.
        "partition.assignment.strategy": "range",
        "session.timeout.ms": settings.consumer_session_timeout_ms,
        "heartbeat.interval.ms": settings.consumer_session_timeout_ms // 4,
        "max.poll.interval.ms": 300_000,
        "queued.max.messages.kbytes": 32_768,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 10_000,
    }
    if settings.consumer_instance_id:
        config["group.instance.id"] = f"{group}-{settings.consumer_instance_id}"
    return config


def log_bounds(
    settings: MessagingSettings, places: Collection[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, int]]:
    """The first offset that each partition still holds, and the one that comes next. Raises Outage."""
    admin = Admin(settings)
    asked = [TopicPartition(*place) for place in places]
    try:
        first, end = (
            {
                (place.topic, place.partition): future.result().offset
                for place, future in admin.list_offsets(
                    dict.fromkeys(asked, spec), request_timeout=_TIMEOUT_SECONDS
                ).items()
            }
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        )
    except KafkaException as error:
        raise admin.outage(error) from error
    return {place: (first[place], end[place]) for place in places}


def retention(admin: Admin, names: Iterable[str]) -> timedelta | None:
    """How long the topic keeps what it is told that keeps it longest, as brokers say; None: for ever.

    A topic keeps to what it was made with, whatever a setting says since. Raises Outage where one can't be asked.
    """
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in sorted(set(names))]
    try:
        found = [
            int(future.result()["retention.ms"].value)
            for future in admin.describe_configs(asked, request_timeout=_TIMEOUT_SECONDS).values()
        ]
    except KafkaException as error:
        raise admin.outage(error) from error
    return timedelta(milliseconds=max(found)) if found and min(found) >= 0 else None


def create_topics(settings: Settings, service: str, names: Iterable[str]) -> None:
    """Make a service's topics, those of its dead letters included. Repeatable; changes none that is there.

    Raises Outage while no broker answers.
    """
    admin = Admin(settings)
    config = {"retention.ms": str(settings.retention_ms), "compression.type": "producer"}
    topics = [
        NewTopic(
            name, num_partitions=settings.partitions, replication_factor=settings.replication_factor, config=config
        )
        for name in sorted({*names, dead_letter_topic_of(service)})
    ]
    made = admin.create_topics(topics, operation_timeout=_TIMEOUT_SECONDS, request_timeout=_TIMEOUT_SECONDS)
    for name, future in made.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Outage(f"topic {name} could not be made: {admin.outage(error)}") from error
