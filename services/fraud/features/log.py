"""The labels' logs, read past Faust: what it left out, and how far there is to go.

Faust leaves out a record now and then when it starts: what it had fetched while it read its table back
it drops, and where nothing is committed yet it doesn't go back (one of 100 starts under load lost 1 to
10 of 1,100 labels; the README has more). Offsets have no gaps on these topics, so a gap in what Faust
hands over tells of it, and the missing records are read here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from libs.common.errors import Outage
from libs.common.kafka import client_config
from libs.common.message import Source
from libs.common.receiver import source_of
from libs.common.settings import MessagingSettings

ASK_SECONDS_MAX = 5.0
READ_SECONDS_MAX = 10.0
READ_MAX = 500

Place = tuple[str, int]
"""A topic and one of its partitions."""


class LabelLog:
    """Reads ranges of partitions. A member of no group: it only asks how far one has committed."""

    def __init__(self, settings: MessagingSettings, *, group: str) -> None:
        self._kafka = Consumer(
            {
                **client_config(settings),
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )

    def first_offset(self, place: Place) -> int:
        """Where the group begins to read a partition: where it has committed, or at the start. Raises Outage."""
        asked = TopicPartition(*place)
        try:
            (committed,) = self._kafka.committed([asked], timeout=ASK_SECONDS_MAX)
            start, _ = self._kafka.get_watermark_offsets(asked, timeout=ASK_SECONDS_MAX)
        except KafkaException as error:
            raise Outage(f"the broker: {error}") from error
        return max(committed.offset, start)

    def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offsets that the next records of partitions will have. Raises Outage."""
        try:
            return {
                place: self._kafka.get_watermark_offsets(TopicPartition(*place), timeout=ASK_SECONDS_MAX)[1]
                for place in places
            }
        except KafkaException as error:
            raise Outage(f"the broker: {error}") from error

    def read(self, place: Place, start: int, end: int) -> list[Source]:
        """The records of [start, end), at most READ_MAX of them. `end` must exist. Raises Outage."""
        self._kafka.assign([TopicPartition(*place, start)])
        found: list[Source] = []
        try:
            while len(found) < READ_MAX:
                source = _source(self._kafka.poll(READ_SECONDS_MAX))
                if source.offset < end:
                    found.append(source)
                if source.offset >= end - 1:
                    break
        finally:
            self._kafka.unassign()
        return found


class Continuity:
    """Which offset comes next in each partition, and what was left out before one that has come."""

    def __init__(self, log: LabelLog) -> None:
        self._log = log
        self._next: dict[Place, int] = {}

    def is_next(self, source: Source) -> bool:
        """Whether nothing was left out before a record, as far as is known without asking."""
        return source.offset <= self._next.get(_place(source), -1)

    def missing_before(self, source: Source) -> Sequence[Source]:
        """The records between the last one dealt with and this one; the first of them if there are many."""
        place = _place(source)
        expected = self._next.get(place)
        if expected is None:
            expected = self._next[place] = self._log.first_offset(place)
        return self._log.read(place, expected, source.offset) if expected < source.offset else ()

    def dealt_with(self, source: Source) -> None:
        """Take note that nothing up to this record is left to do."""
        place = _place(source)
        self._next[place] = max(self._next.get(place, 0), source.offset + 1)

    def forget(self, places: Iterable[Place]) -> None:
        """Partitions were taken away: another worker goes on with them."""
        for place in places:
            self._next.pop(place, None)

    @property
    def next_offsets(self) -> Mapping[Place, int]:
        """The offset after the last record dealt with, of each partition that had one."""
        return dict(self._next)


def _place(source: Source) -> Place:
    return source.topic, source.partition


def _source(record: Any) -> Source:
    if record is None:
        raise Outage("the broker does not answer")
    if record.error() is not None:
        raise Outage(f"the broker: {record.error().str()}")
    return source_of(record)
