"""Reads topics whole, as any consumer of them could, whatever else lies on them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaRecord
from confluent_kafka.admin._listoffsets import ListOffsetsResultInfo, OffsetSpec

from libs.common import envelope, ids
from libs.common.errors import Outage
from libs.common.kafka import Admin, client_config
from libs.common.receiver import place_id, source_of, text_of
from libs.common.settings import MessagingSettings

_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_OLDEST: OffsetSpec = OffsetSpec.for_timestamp(0)
"""The same place as the earliest, told with its time; Kafka says -1 of a partition that holds nothing."""
BATCH = 1_000
ASK_SECONDS_MAX = 10
POLL_SECONDS = 1.0
WAIT_SECONDS_MAX = 30
"""For a record, while there are more to come."""


class Recorded(NamedTuple):
    """An event as it lies on its topic, or what else lies there: that has the id of its place, and no type."""

    topic: str
    partition: int
    offset: int
    event_id: str
    event_type: str
    """The record's own name, without its namespace."""
    subject: str
    caused_at: datetime
    """As the event tells; when it came to its topic, if it doesn't."""
    value: bytes
    """Empty where it was read without."""
    correlation_id: str

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"

    @property
    def place_id(self) -> str:
        """What services know it by that can't read it."""
        return place_id(self.topic, self.partition, self.offset)


def read(
    settings: MessagingSettings, names: Collection[str], *, since: datetime | None = None, with_values: bool = True
) -> Iterator[Recorded]:
    """Everything that topics hold at this moment, or what was published since, each event as often as it was sent.

    Without its value, an event takes as much memory as its headers do: for who keeps all of them.
    Raises Outage while no broker answers, or one doesn't hand it over.
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
        heard_at = monotonic()
        while ends:
            # consume() for many alone would wait in vain for a last batch to be full.
            records = [*consumer.consume(1, POLL_SECONDS), *consumer.consume(BATCH, 0)]
            for record in records:
                if record.error():
                    continue
                heard_at = monotonic()
                recorded = _recorded(record, with_value=with_values)
                yield recorded
                place = recorded.topic, recorded.partition
                if recorded.offset + 1 >= ends.get(place, 0):
                    ends.pop(place, None)
            if monotonic() > heard_at + WAIT_SECONDS_MAX:
                raise Outage(f"the broker: {len(ends)} partitions did not come to their ends")
    except KafkaException as error:
        raise Outage(f"the broker: {error.args[0].str()}") from error
    finally:
        consumer.close()


def held_since(settings: MessagingSettings, names: Collection[str]) -> Mapping[str, datetime]:
    """Of the topics that have forgotten something: from when on each still holds everything. Raises Outage."""
    admin, now = Admin(settings), datetime.now(UTC)
    places = _places(admin, names)
    first, oldest = (_offsets(admin, places, spec) for spec in (_EARLIEST, _OLDEST))
    since: dict[str, datetime] = {}
    for place, found in oldest.items():
        if first[place].offset > 0:
            at = now if found.offset < 0 else datetime.fromtimestamp(found.timestamp / 1000, UTC)
            since[place[0]] = max(at, since.get(place[0], at))
    return since


Place = tuple[str, int]
Bounds = dict[Place, int]


def _bounds(settings: MessagingSettings, names: Collection[str], since: datetime | None) -> tuple[Bounds, Bounds]:
    """Where each partition begins, or went on since a time, and where those end that hold anything from there on."""
    admin = Admin(settings)
    places = _places(admin, names)
    wanted = _EARLIEST if since is None else OffsetSpec.for_timestamp(int(since.timestamp() * 1000))
    first, last = (_offsets(admin, places, spec) for spec in (wanted, _LATEST))
    starts = {place: found.offset for place, found in first.items()}
    # Of a partition that has nothing so new, Kafka says -1.
    return starts, {place: end.offset for place, end in last.items() if 0 <= starts[place] < end.offset}


def _places(admin: Admin, names: Collection[str]) -> list[TopicPartition]:
    try:
        known = admin.list_topics(timeout=ASK_SECONDS_MAX).topics
    except KafkaException as error:
        raise admin.outage(error) from error
    return [TopicPartition(name, partition) for name in names if name in known for partition in known[name].partitions]


def _offsets(admin: Admin, places: list[TopicPartition], spec: OffsetSpec) -> dict[Place, ListOffsetsResultInfo]:
    if not places:
        return {}
    try:
        asked = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=ASK_SECONDS_MAX)
        return {(place.topic, place.partition): future.result() for place, future in asked.items()}
    except KafkaException as error:
        raise admin.outage(error) from error


def _recorded(record: KafkaRecord, *, with_value: bool) -> Recorded:
    source = source_of(record)
    headers = text_of(source.headers)
    event_id = headers.get(envelope.ID, "")
    is_event = ids.is_id(event_id)
    published_at = datetime.fromtimestamp(max(0, record.timestamp()[1]) / 1000, UTC)
    return Recorded(
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        event_id=event_id if is_event else place_id(source.topic, source.partition, source.offset),
        event_type=headers.get(envelope.TYPE, "").rpartition(".")[2] if is_event else "",
        subject=headers.get(envelope.SUBJECT, ""),
        caused_at=envelope.read_time(headers.get(envelope.TIME, "")) or published_at,
        value=(source.value or b"") if with_value else b"",
        correlation_id=headers.get(envelope.CORRELATION_ID, ""),
    )
