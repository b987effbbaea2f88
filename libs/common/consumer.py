"""The consumer: reads topics in batches and has each applied once, whatever happens meanwhile.

    poll ─► take (decode) ─► UnitOfWork.run(…, InboxClaim) ─► remember where each partition stands

One thread owns the Kafka client. Offsets live in the service's database and move in the same
transaction as the effects; the broker's are a hint for tools. An outage pauses everything and the
same batch is tried again; only poison goes to the dead letters (docs/architecture.md, promise 4).
"""

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

import psycopg
from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Message as KafkaRecord
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from libs.common import dead_letters, envelope, inbox, parking, tracing
from libs.common.batch import Decided, Handlers, UnitOfWork, Unreadable
from libs.common.codec import Codec
from libs.common.errors import Outage, TooSlow, is_poison
from libs.common.inbox import FencedError, Outcome, Progress
from libs.common.message import Message
from libs.common.metrics import ConsumerMetrics
from libs.common.outbox import OutboxRow
from libs.common.receiver import Receiver, source_of
from libs.common.record import Record, replace
from libs.common.writes import Writes

POLL_SECONDS = 0.2
PROBE_SECONDS = 1.0
"""How long a broker that was away may take to say that it is back."""
BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 5.0
REST_SECONDS_MAX = 0.1
"""After a batch that was not full."""
TELL_SECONDS = 5.0
"""Between two looks at how far we are and how much is left, for tools and for Prometheus."""
SMALL_SECONDS = 300.0
"""How long batches stay small after the database was too slow for a larger one: finding out costs its time-out."""
RECLAIM_SECONDS = 15.0
"""How long a partition that someone moved is left alone: longer than it takes to hear that it is no longer ours."""

log = logging.getLogger(__name__)


class Position(Record):
    """Where a partition stands: stored in the database, and read so far."""

    progress: Progress
    read_offset: int


class Taken(Record):
    """A record from a topic, in the order of its arrival; without a message if it is of no interest here."""

    topic: str
    partition: int
    offset: int
    message: Message | None


class InboxClaim:
    """Takes messages by their ids, moves the offsets, and keeps what could not be applied."""

    def __init__(self, handlers: Handlers, progress: Sequence[Progress]) -> None:
        self._handlers = handlers
        self._progress = progress
        self._parked: list[Message] = []
        self.duplicate_count = 0

    def claim(self, tx: Connection, messages: Sequence[Message]) -> list[Message]:
        by_id = {message.message_id: message for message in reversed(messages)}
        claimed = inbox.claim(tx, self._handlers.service, list(by_id), self._progress)
        fresh = [by_id[id_] for id_ in dict.fromkeys(m.message_id for m in messages) if id_ in claimed]
        self._parked = []
        self.duplicate_count = len(messages) - len(fresh)
        if self._handlers.parks_keys and fresh:
            keys = parking.parked_among(tx, fresh)
            self._parked = [message for message in fresh if message.key in keys]
            fresh = [message for message in fresh if message.key not in keys]
        return fresh

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        dead = [result for result in decided if result.outcome is Outcome.DEAD]
        waiting = [result.message for result in decided if result.outcome is Outcome.PARKED]
        outcomes = {result.message.message_id: Outcome.DEAD for result in dead}
        outcomes |= {message.message_id: Outcome.PARKED for message in (*self._parked, *waiting)}
        inbox.set_outcomes(writes, self._handlers.service, outcomes)
        parking.park_keys(writes, dead)
        parking.park_messages(writes, [*self._parked, *waiting])
        return dead_letters.bury(writes, self._handlers.service, dead)


class Consumer:
    """Reads what a service's handlers decide on."""

    def __init__(
        self,
        handlers: Handlers,
        unit: UnitOfWork,
        codec: Codec,
        metrics: ConsumerMetrics,
        *,
        config: dict[str, Any],
        batch_size_max: int,
        pace_seconds: float,
    ) -> None:
        self._handlers = handlers
        self._unit = unit
        self._receiver = Receiver(handlers, codec)
        self._metrics = metrics
        self._config = {**config, "error_cb": self._on_error}
        self._batch_size_max = batch_size_max
        self._pace_seconds = pace_seconds
        self._next_batch_at = 0.0
        self._topics = topics_of(handlers)
        self._positions: dict[inbox.TopicPartition, Position] = {}
        self._kafka: KafkaConsumer = None  # type: ignore[assignment]
        self._stop = Flag()
        self._is_paused = False
        self._in_hand: list[KafkaRecord] = []
        """The batch that is being applied, or will be when an outage has ended."""
        self._carried: list[KafkaRecord] = []
        """What came meanwhile."""
        self._part_size = batch_size_max
        self._small_until = 0.0
        self._reclaim_at: dict[inbox.TopicPartition, float] = {}
        self._newest: dict[str, float] = {}
        self._started_at = time.time()
        self._told_at = 0.0
        self._is_working = False
        self._is_broker_away = False

    @property
    def is_ready(self) -> bool:
        """Whether database, registry and broker let it work."""
        return self._is_working and not self._is_broker_away

    def run(self, stop: Flag) -> None:
        """Read until `stop` is set. Raises what can't be waited for: a bug, or a log we can't follow."""
        self._stop = stop
        self._kafka = KafkaConsumer(self._config)
        self._kafka.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        try:
            while not stop.is_set():
                self.run_once()
        finally:
            self._is_working = False
            self._kafka.close()

    def run_once(self) -> int:
        """Take what is there, apply it, and return how many records that was."""
        self._metrics.turned_at.set_to_current_time()
        self._metrics.partitions.set(len(self._positions))
        self._reclaim()
        if (early := self._next_batch_at - time.monotonic()) > 0:
            self._stop.wait(early)
        records = self._in_hand = self._poll()
        if records:
            began_at = time.monotonic()
            self._patiently(lambda: self._apply_in_parts(self._take_all(self._in_hand)))
            is_full = len(records) >= self._batch_size_max
            self._next_batch_at = 0.0 if is_full else rest_until(began_at, time.monotonic(), self._pace_seconds)
            self._newest.update((str(record.topic()), record.timestamp()[1] / 1000) for record in records)
        if time.monotonic() >= self._told_at + TELL_SECONDS:
            self._told_at = time.monotonic()
            self._patiently(self._look_round)
            self._patiently(self._keep_place)
            self._hint()
            self._measure()
        if self._is_broker_away:
            self._is_broker_away = not records and not self._broker_answers()
        return len(records)

    # Reading

    def _poll(self) -> list[KafkaRecord]:
        # consume() alone would wait for a full batch: an idle service must answer at once.
        carried, self._carried = self._carried, []
        first = carried or self._kafka.consume(1, POLL_SECONDS)
        rest = self._kafka.consume(self._batch_size_max - len(first), 0) if first else []
        return [record for record in (*first, *rest) if self._is_record(record)]

    def _broker_answers(self) -> bool:
        """Ask: the client tells when the last broker is gone, but not when one is back, and a topic may be silent."""
        try:
            self._kafka.list_topics(self._topics[0], timeout=PROBE_SECONDS)
        except KafkaException:
            return False
        return True

    def _is_record(self, record: KafkaRecord) -> bool:
        error = record.error()
        if error is None:
            return True
        if error.fatal() or error.code() == KafkaError._AUTO_OFFSET_RESET:
            # A log restored, made anew or cut short: going on would skip events, so we don't.
            raise KafkaException(error)
        log.warning("kafka reported an error", extra={"error": error.str()})
        return False

    def _take_all(self, records: Sequence[KafkaRecord]) -> list[Taken]:
        """Decode what is still ours and not yet applied, as far as it is of interest here."""
        received_at = datetime.now(UTC)
        taken = []
        for record in records:
            source = source_of(record)
            position = self._positions.get((source.topic, source.partition))
            if position is not None and source.offset >= position.read_offset:
                message = self._receiver.message(source, received_at)
                taken.append(
                    Taken(topic=source.topic, partition=source.partition, offset=source.offset, message=message)
                )
        return taken

    # Applying

    def _apply_in_parts(self, taken: Sequence[Taken]) -> None:
        """Apply a batch: all at once, unless the database was too slow for so many a while ago."""
        if time.monotonic() >= self._small_until:
            self._part_size = self._batch_size_max
        left = list(taken)
        while left:
            part, left = left[: self._part_size], left[self._part_size :]
            try:
                self._apply(part)
            except TooSlow:
                self._part_size = max(1, len(part) // 2)
                self._small_until = time.monotonic() + SMALL_SECONDS
                raise

    def _apply(self, taken: Sequence[Taken]) -> None:
        taken = [record for record in taken if self._is_ours(record)]
        messages = [record.message for record in taken if record.message is not None]
        if not messages:
            # Nothing to store: the offsets move with the next batch that has something.
            self._advance(taken, [])
            return
        progress = self._progress(taken)
        claim = InboxClaim(self._handlers, progress)
        try:
            with self._metrics.batch():
                decided = self._unit.run(messages, claim)
        except FencedError as error:
            self._find_out(error.partitions)
            raise Outage(str(error)) from error
        except (psycopg.Error, SQLAlchemyError) as error:
            if not is_poison(error):
                raise
            self._isolate(taken, error)
            return
        self._advance(taken, progress)
        for result in decided:
            if result.outcome is Outcome.DEAD:
                # The error's text is kept with the letter: it may tell what the message said.
                log.error("a message could not be applied", extra=_ids_of(result))
        self._metrics.observe(
            [result.outcome for result in decided],
            taken_count=len(messages),
            duplicate_count=claim.duplicate_count,
            caused_at=envelope.time_of(messages[-1]),
            trace=messages[-1].trace,
        )

    def _isolate(self, taken: Sequence[Taken], error: Exception) -> None:
        """Find the message that can't be stored by halving the batch, and bury it; the others are applied."""
        if len(taken) > 1:
            middle = len(taken) // 2
            self._apply(taken[:middle])
            self._apply(taken[middle:])
        else:
            (record,) = taken
            assert record.message is not None
            unreadable = Unreadable(reason=f"can't be stored: {error}")
            self._apply([replace(record, message=replace(record.message, body=unreadable))])

    def _is_ours(self, record: Taken) -> bool:
        position = self._positions.get((record.topic, record.partition))
        return position is not None and record.offset >= position.read_offset

    def _progress(self, taken: Sequence[Taken]) -> list[Progress]:
        return [
            replace(
                self._positions[partition].progress,
                previous_offset=self._positions[partition].progress.next_offset,
                next_offset=end,
            )
            for partition, end in sorted(_ends(taken).items())
        ]

    def _advance(self, taken: Sequence[Taken], progress: Sequence[Progress]) -> None:
        for partition, end in _ends(taken).items():
            self._positions[partition] = replace(self._positions[partition], read_offset=end)
        for moved in progress:
            partition = (moved.topic, moved.partition)
            self._positions[partition] = replace(self._positions[partition], progress=moved)

    def _find_out(self, partitions: Iterable[inbox.TopicPartition]) -> None:
        """Someone moved these: another consumer, we ourselves in a commit whose answer was lost, or a failover."""
        stored = self._unit.administer(lambda tx: inbox.load_progress(tx, self._handlers.service))
        for partition in partitions:
            position, now = self._positions.get(partition), stored.get(partition)
            if position is None:
                continue
            if now is None or now.epoch != position.progress.epoch:
                log.warning("another consumer has taken a partition over", extra={"partition": partition})
                self._drop(partition)
                self._reclaim_at[partition] = time.monotonic() + RECLAIM_SECONDS
            elif now.next_offset < position.progress.next_offset:
                # A standby that lagged has taken the database's place: what it doesn't know must be read again.
                log.error("the database has forgotten how far we were", extra={"partition": partition})
                self._record_rewind(partition, position.progress.next_offset, now.next_offset)
                self._drop(partition)
                self._reclaim_at[partition] = 0.0
            else:
                self._positions[partition] = Position(progress=now, read_offset=now.next_offset)

    def _record_rewind(self, partition: inbox.TopicPartition, from_offset: int, to_offset: int) -> None:
        service = self._handlers.service
        self._unit.administer(lambda tx: inbox.record_rewind(tx, service, partition, from_offset, to_offset))

    def _drop(self, partition: inbox.TopicPartition) -> None:
        """Stand nowhere in a partition, and forget what was read of it: whoever takes it over begins where it stands.

        That may be this process, and further back than what it had read: what lies between must come first.
        """
        self._positions.pop(partition, None)
        self._reclaim_at.pop(partition, None)
        self._in_hand = [r for r in self._in_hand if (r.topic(), r.partition()) != partition]
        self._carried = [r for r in self._carried if (r.topic(), r.partition()) != partition]

    def _look_round(self) -> None:
        """Find out what was moved under us where nothing new comes, whose claim would tell: by an operator's rewind."""
        stored = self._unit.administer(lambda tx: inbox.load_progress(tx, self._handlers.service))
        moved = [
            partition
            for partition, position in self._positions.items()
            if partition in stored and stored[partition].epoch != position.progress.epoch
        ]
        if moved:
            self._find_out(moved)

    def _keep_place(self) -> None:
        """Store how far we are where nothing was of interest: a log cut short behind us must not look like a loss."""
        behind = {p: position for p, position in self._positions.items() if _is_ahead(position)}
        if behind:
            progress = [
                replace(
                    position.progress,
                    previous_offset=position.progress.next_offset,
                    next_offset=position.read_offset,
                )
                for position in behind.values()
            ]
            try:
                self._unit.administer(lambda tx: inbox.claim(tx, self._handlers.service, [], progress))
            except FencedError as error:
                self._find_out(error.partitions)
                raise Outage(str(error)) from error
            for moved in progress:
                self._positions[moved.topic, moved.partition] = Position(progress=moved, read_offset=moved.next_offset)

    # Waiting

    def _patiently(self, work: Callable[[], None], wait: Callable[[float], object] | None = None) -> None:
        """Do the work, however long the world makes us wait. The delay is bounded, the count is not."""
        wait = wait or self._idle
        delay = BACKOFF_SECONDS_MIN
        while not self._stop.is_set():
            try:
                work()
                self._is_working = True
                return
            except Outage as outage:
                self._is_working = False
                log.warning("waiting for an outage to end", extra={"error": str(outage), "seconds": delay})
                self._metrics.outages.inc()
                wait(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, BACKOFF_SECONDS_MAX)

    def _idle(self, seconds: float) -> None:
        """Wait, but go on polling: a consumer that stops polling loses its partitions."""
        self._pause(True)
        until = time.monotonic() + seconds
        while not self._stop.is_set() and time.monotonic() < until:
            record = self._kafka.poll(min(POLL_SECONDS, max(0.0, until - time.monotonic())))
            if record is not None:
                self._carried.append(record)
        self._pause(False)

    def _pause(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        assignment = self._kafka.assignment()
        (self._kafka.pause if is_paused else self._kafka.resume)(assignment)

    # Partitions coming and going. These run inside a poll, on the same thread, never during a batch.

    def _on_assign(self, kafka: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        self._metrics.rebalances.inc()
        # Not by polling: this runs inside a poll. Taking longer than its interval costs another rebalance, no more.
        self._patiently(lambda: self._take_over(partitions), wait=self._stop.wait)
        for partition in partitions:
            position = self._positions.get((partition.topic, partition.partition))
            partition.offset = OFFSET_END if position is None else position.read_offset
        kafka.assign(partitions)
        # Said either way: to the client a partition that was paused when it went is paused still when it comes back.
        (kafka.pause if self._is_paused else kafka.resume)(partitions)

    def _take_over(self, partitions: Sequence[TopicPartition]) -> None:
        starts = {(p.topic, p.partition): self._first_offset(p) for p in partitions}
        owned = self._unit.administer(lambda tx: inbox.take_over(tx, self._handlers.service, starts))
        for partition, progress in owned.items():
            self._positions[partition] = Position(progress=progress, read_offset=progress.next_offset)

    def _reclaim(self) -> None:
        """Take over again what someone moved and the group still says is ours.

        Whoever moved it had been thrown out of the group and did not know it yet; nobody else will read it.
        """
        due = [partition for partition, at in self._reclaim_at.items() if time.monotonic() >= at]
        if due:
            assigned = {(p.topic, p.partition) for p in self._kafka.assignment()}
            ours = [TopicPartition(*partition) for partition in due if partition in assigned]
            # Not by polling: no partition may go while it is being taken.
            self._patiently(lambda: self._take_over_and_seek(ours), wait=self._stop.wait)
            for partition in due:
                self._reclaim_at.pop(partition, None)

    def _take_over_and_seek(self, partitions: Sequence[TopicPartition]) -> None:
        self._take_over(partitions)
        for partition in partitions:
            partition.offset = self._positions[partition.topic, partition.partition].read_offset
            try:
                self._kafka.seek(partition)
            except KafkaException as error:
                raise Outage(f"the broker: {error}") from error

    def _first_offset(self, partition: TopicPartition) -> int:
        try:
            low, _ = self._kafka.get_watermark_offsets(partition, timeout=5)
        except KafkaException as error:
            raise Outage(f"the broker: {error}") from error
        return int(low)

    def _on_revoke(self, kafka: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._drop((partition.topic, partition.partition))
        self._metrics.rebalances.inc()

    # Telling others

    def _hint(self) -> None:
        """Tell the broker how far we are, for lag tools. Nothing depends on it."""
        offsets = [TopicPartition(*partition, position.read_offset) for partition, position in self._positions.items()]
        try:
            self._kafka.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.debug("the hint was not taken", extra={"error": str(error)})

    def _measure(self) -> None:
        """Tell Prometheus how much is left of what is ours, by what the client last heard from the broker."""
        left = dict.fromkeys(self._topics, 0)
        for (topic, number), position in self._positions.items():
            _, high = self._kafka.get_watermark_offsets(TopicPartition(topic, number), cached=True)
            left[topic] += max(0, high - position.read_offset)
        for topic, count in left.items():
            self._metrics.lag_records.labels(topic).set(count)
            age = time.time() - self._newest.get(topic, self._started_at)
            self._metrics.lag_seconds.labels(topic).set(age if count else 0)

    def _on_error(self, error: KafkaError) -> None:
        self._metrics.kafka_errors.inc()
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._is_broker_away = True
        log.debug("kafka", extra={"error": error.str()})


def topics_of(handlers: Handlers) -> list[str]:
    """What a service's consumer reads."""
    return sorted({kind.contract.topic.name for kind in handlers.reads})


def _ids_of(result: Decided) -> dict[str, str]:
    trace = result.message.trace
    return {
        "event_id": result.message.message_id,
        "error_type": type(result.error).__name__,
        "correlation_id": trace.correlation_id,
        "trace_id": tracing.trace_id_of(trace),
    }


def _is_ahead(position: Position) -> bool:
    return position.read_offset > position.progress.next_offset


def rest_until(began_at: float, ended_at: float, pace_seconds: float) -> float:
    """When the batch after this one may begin: when its time has passed once more, and the pace in any case.

    Batch after batch of a record or two would keep every core busy with beginning and ending them. Where the cores are
    busy anyway batches take longer, and resting for longer makes them fewer and larger.
    """
    took = ended_at - began_at
    return began_at + max(pace_seconds, took + min(took, REST_SECONDS_MAX))


def _ends(taken: Iterable[Taken]) -> dict[inbox.TopicPartition, int]:
    return {(record.topic, record.partition): record.offset + 1 for record in taken}
