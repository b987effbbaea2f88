"""The inbox: which messages a consumer has taken, and how far it has read. Exactly once, by Postgres.

Both facts are written in the transaction that applies the messages. A message is taken if its id
was not there before; the offsets move only if nobody else has moved them (the epoch fences a
consumer that has lost its partitions and doesn't know it yet).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from libs.common import ids
from libs.common.database import array, execute, fetch
from libs.common.record import Record
from libs.common.writes import Table, Writes

TopicPartition = tuple[str, int]


class Outcome(StrEnum):
    """What became of a message."""

    APPLIED = "applied"
    DEAD = "dead"
    PARKED = "parked"


class Progress(Record):
    """How a batch moves one partition: from where it must stand now, to where it then stands."""

    topic: str
    partition: int
    epoch: int
    previous_offset: int
    next_offset: int


class Rewind(Record):
    """A partition that was read again from further back: somebody asked for it, or the database knew no better."""

    topic: str
    partition: int
    from_offset: int
    to_offset: int
    actor: str
    """Empty where nobody asked for it."""
    rewound_at: datetime


class FencedError(Exception):
    """Another consumer has moved these partitions: they are not ours any more, or we don't know where we stand."""

    def __init__(self, partitions: Sequence[TopicPartition]) -> None:
        super().__init__(f"no longer ours: {', '.join(f'{topic}/{number}' for topic, number in partitions)}")
        self.partitions = partitions


_INBOX = Table("inbox", key={"consumer": "text", "event_id": "uuid"}, changing={"outcome": "text"})

_CLAIM = """
WITH moved AS (
  UPDATE consumer_offsets o SET next_offset = v.next_offset
    FROM unnest(%b::text[], %b::integer[], %b::bigint[], %b::bigint[], %b::bigint[])
         AS v (topic, partition, epoch, previous_offset, next_offset)
   WHERE o.consumer = %s AND o.topic = v.topic AND o.partition = v.partition
     AND o.epoch = v.epoch AND o.next_offset = v.previous_offset
  RETURNING o.topic, o.partition
), claimed AS (
  INSERT INTO inbox (consumer, event_id) SELECT %s, unnest(%b::uuid[])
  ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT (SELECT array_agg(topic || ' ' || partition) FROM moved), (SELECT array_agg(event_id::text) FROM claimed)
"""


def claim(tx: Connection, consumer: str, event_ids: Sequence[str], progress: Sequence[Progress]) -> set[str]:
    """Move the offsets and take the messages: the ids that nobody had taken before.

    Raises FencedError when a partition is not where this batch began.
    """
    ((moved, claimed),) = fetch(
        tx,
        _CLAIM,
        (
            array("text", [p.topic for p in progress]),
            array("integer", [p.partition for p in progress]),
            array("bigint", [p.epoch for p in progress]),
            array("bigint", [p.previous_offset for p in progress]),
            array("bigint", [p.next_offset for p in progress]),
            consumer,
            consumer,
            array("uuid", event_ids),
        ),
    )
    if len(moved or ()) != len(progress):
        raise FencedError([(p.topic, p.partition) for p in progress if f"{p.topic} {p.partition}" not in (moved or ())])
    return set(claimed or ())


def set_outcomes(writes: Writes, consumer: str, outcomes: Mapping[str, Outcome]) -> None:
    """Record what became of messages that were not simply applied."""
    writes.update(_INBOX, ((consumer, event_id, outcome.value) for event_id, outcome in outcomes.items()))


def take_over(tx: Connection, consumer: str, starts: Mapping[TopicPartition, int]) -> dict[TopicPartition, Progress]:
    """Become the owner of partitions: raise their epoch, which fences whoever had them, and see where they stand.

    `starts` holds the offset to begin at where nothing is stored yet.
    """
    rows = fetch(
        tx,
        """INSERT INTO consumer_offsets AS o (consumer, topic, partition, next_offset, epoch)
           SELECT %s, v.topic, v.partition, v.next_offset, 1
             FROM unnest(%b::text[], %b::integer[], %b::bigint[]) AS v (topic, partition, next_offset)
            ORDER BY v.topic, v.partition
           ON CONFLICT (consumer, topic, partition) DO UPDATE SET epoch = o.epoch + 1
           RETURNING topic, partition, epoch, next_offset""",
        (
            consumer,
            array("text", [topic for topic, _ in starts]),
            array("integer", [partition for _, partition in starts]),
            array("bigint", starts.values()),
        ),
    )
    return _by_partition(rows)


def load_progress(tx: Connection, consumer: str) -> dict[TopicPartition, Progress]:
    """Where every partition stands that this consumer ever read."""
    rows = fetch(
        tx, "SELECT topic, partition, epoch, next_offset FROM consumer_offsets WHERE consumer = %s", (consumer,)
    )
    return _by_partition(rows)


def rewind(tx: Connection, consumer: str, place: TopicPartition, offset: int, *, actor: str) -> bool:
    """Have a partition read again from an offset, by whoever owns it; False if it never came so far.

    The epoch fences its reader, who finds out within seconds and takes the partition over again from here.
    """
    rows = fetch(
        tx,
        """UPDATE consumer_offsets o SET next_offset = %s, epoch = o.epoch + 1
             FROM (SELECT next_offset FROM consumer_offsets
                    WHERE consumer = %s AND topic = %s AND partition = %s FOR UPDATE) AS before
            WHERE o.consumer = %s AND o.topic = %s AND o.partition = %s AND o.next_offset >= %s
           RETURNING before.next_offset""",
        (offset, consumer, *place, consumer, *place, offset),
    )
    for (stood_at,) in rows:
        record_rewind(tx, consumer, place, stood_at, offset, actor=actor)
    return bool(rows)


def record_rewind(
    tx: Connection, consumer: str, place: TopicPartition, from_offset: int, to_offset: int, *, actor: str = ""
) -> None:
    """Keep on record that a partition is read again; without an actor, that it was found so."""
    execute(
        tx,
        """INSERT INTO rewinds (consumer, topic, partition, from_offset, to_offset, actor)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        (consumer, *place, from_offset, to_offset, actor),
    )


def list_rewinds(tx: Connection, consumer: str, limit: int) -> list[Rewind]:
    """What was read again, the newest first."""
    rows = fetch(
        tx,
        """SELECT topic, partition, from_offset, to_offset, actor, rewound_at FROM rewinds WHERE consumer = %s
            ORDER BY rewind_id DESC LIMIT %s""",
        (consumer, limit),
        binary=True,
    )
    return [Rewind(**dict(zip(Rewind.__struct_fields__, row, strict=True))) for row in rows]


def prune(tx: Connection, consumer: str, *, before: datetime, rows_max: int) -> int:
    """Forget messages that were applied before a moment which no topic's log reaches back to; return how many.

    What was taken before it has an id of before it as well. What has such an id and was taken later, at the end of a
    long journey, is passed over.
    """
    ((count,),) = fetch(
        tx,
        "SELECT forget_received(%s, %s::uuid, %s, %s)",
        (consumer, ids.first_of(before.timestamp()), before, rows_max),
    )
    return int(count)


def prune_rewinds(tx: Connection, *, days: int, rows_max: int) -> int:
    """Forget the oldest rewinds past their time; return how many."""
    return execute(
        tx,
        """DELETE FROM rewinds WHERE rewind_id IN (
             SELECT rewind_id FROM rewinds WHERE rewound_at < now() - make_interval(days => %s)
              ORDER BY rewind_id LIMIT %s)""",
        (days, rows_max),
    )


def _by_partition(rows: Sequence[tuple[str, int, int, int]]) -> dict[TopicPartition, Progress]:
    return {
        (topic, partition): Progress(
            topic=topic, partition=partition, epoch=epoch, previous_offset=offset, next_offset=offset
        )
        for topic, partition, epoch, offset in rows
    }
