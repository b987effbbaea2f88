"""Reads topics whole, as any consumer of them could."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaRecord
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from libs.common import envelope
from libs.common.kafka import Admin, client_config
from libs.common.settings import MessagingSettings

_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
BATCH = 1_000
WAIT_SECONDS_MAX = 30


class Recorded(NamedTuple):
    """An event as it lies on its topic."""

    topic: str
    event_id: str
    event_type: str
    """The record's own name, without its namespace."""
    subject: str
    caused_at: datetime
    value: bytes
    """Empty where it was read without."""
    correlation_id: str
    place: str
    """topic/partition@offset."""


def read(
    settings: MessagingSettings, names: Collection[str], *, since: datetime | None = None, with_values: bool = True
) -> Iterator[Recorded]:
    """Everything that topics hold at this moment, or what was published since, each event as often as it was sent.

    Without its value, an event takes as much memory as its headers do: for who keeps all of them.
    Raises Outage while no broker answers, and TimeoutError if one doesn't hand it over.
    """
    consumer = Consumer(
        {
            **client_config(settings),
            "group.id": "weir-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    try:
        starts, ends = _bounds(settings, names, since)
        consumer.assign([TopicPartition(*place, starts[place]) for place in ends])
        while ends:
            # consume() for many alone would wait in vain for a last batch to be full.
            first = consumer.consume(1, WAIT_SECONDS_MAX)
            if not first:
                raise TimeoutError(f"{len(ends)} partitions did not come to their ends")
            for record in (*first, *consumer.consume(BATCH, 0)):
                if record.error():
                    continue
                yield _recorded(record, with_value=with_values)
                place = str(record.topic()), int(record.partition() or 0)
                if int(record.offset() or 0) + 1 >= ends.get(place, 0):
                    ends.pop(place, None)
    finally:
        consumer.close()


Bounds = dict[tuple[str, int], int]


def _bounds(settings: MessagingSettings, names: Collection[str], since: datetime | None) -> tuple[Bounds, Bounds]:
    """Where each partition begins, or went on since a time, and where those end that hold anything from there on."""
    admin = Admin(settings)
    try:
        metadata = admin.list_topics(timeout=10).topics
    except KafkaException as error:
        raise admin.outage(error) from error
    places = [
        TopicPartition(name, partition) for name in names if name in metadata for partition in metadata[name].partitions
    ]
    wanted = _EARLIEST if since is None else OffsetSpec.for_timestamp(int(since.timestamp() * 1000))
    first, last = (_offsets(admin, places, spec) for spec in (wanted, _LATEST))
    # Of a partition that has nothing so new, Kafka says -1.
    return first, {place: end for place, end in last.items() if 0 <= first[place] < end}


def _offsets(admin: AdminClient, places: list[TopicPartition], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    asked = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=10)
    return {(place.topic, place.partition): future.result().offset for place, future in asked.items()}


def _recorded(record: KafkaRecord, *, with_value: bool) -> Recorded:
    pairs: Any = record.headers() or ()
    headers = {name: value.decode() for name, value in pairs}
    return Recorded(
        topic=str(record.topic()),
        event_id=headers[envelope.ID],
        event_type=headers[envelope.TYPE].rpartition(".")[2],
        subject=headers[envelope.SUBJECT],
        caused_at=datetime.fromisoformat(headers[envelope.TIME]),
        value=(record.value() or b"") if with_value else b"",
        correlation_id=headers.get(envelope.CORRELATION_ID, ""),
        place=f"{record.topic()}/{record.partition()}@{record.offset()}",
    )
