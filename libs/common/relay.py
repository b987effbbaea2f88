"""The relay: publishes what waits in the outbox, in order, at least once, one leader per shard.

    lead ─► read by id from a safe lower bound ─► produce ─► all acknowledged? ─► delete

Reading from the start would get slower with every dead row that an old transaction keeps from being
vacuumed; reading from the last id seen would lose events that commit late. The safe lower bound
(`LowerBound`) costs neither (docs/decisions/0002-outbox.md).
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from threading import Event as Flag
from typing import Any, NamedTuple

import msgspec
import psycopg
from confluent_kafka import KafkaError

from libs.common import envelope, tracing
from libs.common.database import LIVENESS, LIVENESS_OPTIONS
from libs.common.errors import Outage
from libs.common.fault_points import reach
from libs.common.message import Trace
from libs.common.metrics import OutboxMetrics, exemplar
from libs.common.sender import NEVER_TAKEN, TOPIC_REFUSED, Sender
from libs.common.settings import Settings
from libs.common.tracing import Tracer

BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 5.0
PROBE_SECONDS = 0.1
"""Between two looks at who is inserting: how soon the lower bound follows."""
LEAD_SECONDS = 1.0
"""Between two attempts to become the leader of shards that others lead."""
IDLE_LEADER_TIMEOUT = "60s"
"""A leader that asks nothing for so long stands still, or waits for a broker: its shards go to one that may do better.

Should it wake up, all it has sent by then was sent by its successor too, from the same first row: readers, who drop
what they know, see no other order.
"""
MEASURE_SECONDS = 1.0
BACKLOG_COUNTED_MAX = 25_000
"""Rows of one shard."""
LOCK_CLASS = 0x77656972
"""The first half of the advisory locks' keys ("weir"); the second is the shard."""

ID_MAX = 2**63 - 1

Order = tuple[str, str]
"""Topic and key: rows that agree in both must keep their order."""

log = logging.getLogger(__name__)
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode


class Row(NamedTuple):
    """An outbox row, as read."""

    shard: int
    id: int
    topic: str
    key: str
    value: bytes | None
    headers: str
    created_at: datetime

    @property
    def order(self) -> Order:
        return self.topic, self.key


class LowerBound:
    """For each shard, the id up to which no unpublished row is left or can still appear.

    An inserter holds RowExclusiveLock on the outbox from before it draws its id until it ends. So:
    read the highest id drawn, then who holds that lock; once none of those is left, every id up to
    there is settled: visible to whoever reads now, or never to come. What a reader then finds and
    publishes in order from the bound, it may leave behind.
    """

    def __init__(self) -> None:
        self.shards: dict[int, int] = {}
        self._settled = 0
        self._highest = 0
        self._inserters: set[str] = set()

    def start(self, shard: int) -> None:
        """Trust nothing: read this shard from its first row."""
        self.shards[shard] = 0

    def probe(self, highest: int, inserters: set[str]) -> None:
        """Take note of the highest id drawn and, read after it, of who was inserting."""
        self._inserters &= inserters
        if not self._inserters:
            self._settled = self._highest
            self._highest, self._inserters = highest, set(inserters)

    def left_behind(self, shard: int, id_: int) -> None:
        """All rows up to `id_` that a reading after the last probe found are published and deleted."""
        self.shards[shard] = max(self.shards[shard], min(self._settled, id_))


class Relay:
    """Publishes the shards of one outbox that this process leads."""

    def __init__(
        self,
        database_dsn: str,
        producer_config: dict[str, Any],
        metrics: OutboxMetrics,
        settings: Settings,
        wake: Flag,
        tracer: Tracer | None = None,
    ) -> None:
        self._dsn = database_dsn
        self._metrics = metrics
        self._settings = settings
        self._wake = wake
        self._tracer = tracer
        self._sender = Sender(producer_config, metrics)
        self._stop = Flag()
        self._session: psycopg.Connection[Any] | None = None
        self._bound = LowerBound()
        self._parked: set[Order] = set()
        self._attempts: Counter[int] = Counter()
        self._due: dict[str, float] = {}
        self._is_working = False

    @property
    def is_ready(self) -> bool:
        """Whether database and broker let it work."""
        return self._is_working and not self._sender.is_stalled

    @property
    def _limit(self) -> int:
        """Rows of one shard in one batch."""
        return max(1, self._settings.relay_batch_size_max // max(1, len(self._bound.shards)))

    def run(self, stop: Flag) -> None:
        """Publish until `stop` is set."""
        self._stop, settings = stop, self._settings
        backoff = wait = BACKOFF_SECONDS_MIN
        while not stop.is_set():
            try:
                published = self.run_once()
                if published >= self._limit:
                    wait = 0.0
                elif published:
                    # Nothing else was there. What this process commits wakes us; what others commit is looked for.
                    wait = settings.relay_poll_seconds
                else:
                    wait = min(max(wait * 2, settings.relay_poll_seconds), settings.relay_idle_poll_seconds)
                backoff, self._is_working = BACKOFF_SECONDS_MIN, True
            except (Outage, psycopg.Error) as outage:
                self._is_working = False
                log.warning("the relay waits for an outage to end", extra={"error": str(outage), "seconds": backoff})
                self.close()
                wait = backoff * random.uniform(0.5, 1.0)
                backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
            if wait:
                self._wake.wait(wait)
                self._wake.clear()
        self._is_working = False
        self.close()

    def run_once(self) -> int:
        """Publish one batch and return how many rows that was. Raises Outage or psycopg.Error."""
        session = self._session or self._open()
        if self._is_due("lead", LEAD_SECONDS):
            self._lead(session)
            self._release(session)
        if not self._bound.shards:
            self._tell_nothing()
            return 0
        if self._is_due("measure", MEASURE_SECONDS):
            self._measure(session)
        if self._is_due("probe", PROBE_SECONDS):
            self._probe(session)
        rows = self._read(session, self._limit)
        gone = self._publish(session, rows) if rows else set()
        self._leave_behind(rows, gone, self._limit)
        return len(gone)

    def close(self) -> None:
        """Give everything up: leadership, session, producer. What was not deleted will be sent again."""
        self._sender.close()
        if self._session is not None:
            self._session.close()
            self._session = None
        for shard in self._bound.shards:
            self._metrics.leader.labels(str(shard)).set(0)
        self._bound = LowerBound()
        self._parked.clear()
        self._due.clear()
        self._tell_nothing()

    def _tell_nothing(self) -> None:
        """Of shards that others lead, others tell: a figure that stayed would speak of them for ever."""
        self._metrics.backlog.set(0)
        self._metrics.parked.set(0)
        self._metrics.oldest_at = None

    # Leading

    def _open(self) -> psycopg.Connection[Any]:
        options = f"{LIVENESS_OPTIONS} -c idle_session_timeout={IDLE_LEADER_TIMEOUT}"
        self._session = psycopg.connect(
            self._dsn, autocommit=True, application_name="weir-relay", options=options, **LIVENESS
        )
        # A deletion lost in a crash is a row sent twice, which readers drop by its id: no need to wait for the disk.
        self._session.execute("SET synchronous_commit = off")
        self._session.execute("SET statement_timeout = '30s'")
        return self._session

    def _lead(self, session: psycopg.Connection[Any]) -> None:
        """Try to become the leader of the shards that this process doesn't lead yet."""
        for shard in set(range(self._settings.outbox_shards)) - set(self._bound.shards):
            ((is_leader,),) = session.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, shard)).fetchall()
            if is_leader:
                self._bound.start(shard)
                self._metrics.leader.labels(str(shard)).set(1)
                rows = session.execute("SELECT DISTINCT topic, key FROM outbox_parked WHERE shard = %s", (shard,))
                self._parked |= {(topic, key) for topic, key in rows}

    def _release(self, session: psycopg.Connection[Any]) -> None:
        """Put rows whose release was asked for back into the outbox, under their old ids: before what follows them."""
        with session.transaction():
            released = session.execute(
                """WITH asked AS (
                     DELETE FROM outbox_parked WHERE shard = ANY(%b::smallint[])
                        AND (topic, key) IN
                            (SELECT topic, key FROM outbox_parked WHERE release_requested_at IS NOT NULL)
                     RETURNING shard, id, topic, key, value, headers, created_at)
                   INSERT INTO outbox (shard, id, topic, key, value, headers, created_at) OVERRIDING SYSTEM VALUE
                   SELECT * FROM asked RETURNING shard, topic, key""",
                (list(self._bound.shards),),
            ).fetchall()
        for shard, topic, key in released:
            self._parked.discard((topic, key))
            self._bound.start(shard)

    # Reading

    def _probe(self, session: psycopg.Connection[Any]) -> None:
        # A sequence never used yet tells the number it will begin with.
        ((highest,),) = session.execute(
            "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM outbox_id_seq"
        ).fetchall()
        inserters = session.execute(
            """SELECT virtualtransaction FROM pg_locks
                WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND pid IS DISTINCT FROM pg_backend_pid()"""
        ).fetchall()
        self._bound.probe(highest, {holder for (holder,) in inserters})

    def _read(self, session: psycopg.Connection[Any], limit: int) -> list[Row]:
        rows = session.execute(
            """SELECT row.* FROM unnest(%b::smallint[], %b::bigint[]) AS bound (shard, id)
                CROSS JOIN LATERAL (
                  SELECT shard, id, topic, key, value, headers, created_at FROM outbox
                   WHERE outbox.shard = bound.shard AND outbox.id > bound.id
                   ORDER BY outbox.id LIMIT %s) AS row""",
            (list(self._bound.shards), list(self._bound.shards.values()), limit),
            binary=True,
        ).fetchall()
        return [Row(*row) for row in rows]

    def _leave_behind(self, rows: Sequence[Row], gone: set[int], limit: int) -> None:
        for shard in self._bound.shards:
            ids = [row.id for row in rows if row.shard == shard]
            held_back = [id_ for id_ in ids if id_ not in gone]
            if held_back:
                self._bound.left_behind(shard, min(held_back) - 1)
            else:
                # Fewer than asked for: nothing else was visible, however high its id.
                self._bound.left_behind(shard, ids[-1] if len(ids) == limit else ID_MAX)

    # Publishing

    def _publish(self, session: psycopg.Connection[Any], rows: Sequence[Row]) -> set[int]:
        """Send rows and delete them; return the ids of those that are gone from the outbox."""
        waiting = [row for row in rows if row.order in self._parked] if self._parked else []
        self._park(session, waiting, error="waits for an earlier row of its key")
        gone = {row.id for row in waiting}
        sendable, started = [row for row in rows if row.id not in gone], time.time_ns()
        is_suspect = any(row.id in self._attempts for row in sendable)
        if not is_suspect and self._sender.send(sendable, self._stop) is None:
            sent = sendable
        else:
            sent = self._send_one_by_one(session, sendable)
        reach("relay.after_ack")
        self._delete(session, sent)
        for row in sent if is_suspect else ():
            self._attempts.pop(row.id, None)
        if sent and self._tracer is not None:
            traceparents = (_trace_of(row).traceparent for row in sent)
            self._tracer.batch("relay", traceparents, tracing.since(started), **{"weir.events": len(sent)})
        if sent:
            self._metrics.published.inc(len(sent))
            self._metrics.latency.observe(time.time() - sent[0].created_at.timestamp(), exemplar(_trace_of(sent[0])))
        return gone | {row.id for row in sent} | {row.id for row in sendable if row.order in self._parked}

    def _send_one_by_one(self, session: psycopg.Connection[Any], rows: Sequence[Row]) -> list[Row]:
        """Find the rows that Kafka refuses. What follows one on its topic and key is held back, in order."""
        sent: list[Row] = []
        held_back: set[Order] = set()
        refused_topics: dict[str, KafkaError] = {}
        for row in rows:
            if row.order in held_back:
                continue
            error = refused_topics.get(row.topic) or self._sender.send([row], self._stop)
            if error is None:
                sent.append(row)
            elif error.code() in NEVER_TAKEN:
                held_back.add(row.order)
                self._refused(session, row, [other for other in rows if other.order == row.order], error)
                if error.code() in TOPIC_REFUSED:
                    # Asking again for every row of the topic would hold up all the others.
                    refused_topics[row.topic] = error
            else:
                self._delete(session, sent)
                raise Outage(f"the broker: {error.str()}")
        return sent

    def _refused(self, session: psycopg.Connection[Any], row: Row, followers: Sequence[Row], error: KafkaError) -> None:
        """Count a refusal; when it is clear that it is final, park the row and what follows it."""
        self._attempts[row.id] += 1
        log.error("kafka refuses an event", extra={"topic": row.topic, "outbox_id": row.id, "error": error.str()})
        if self._attempts[row.id] >= self._settings.relay_attempts_max:
            del self._attempts[row.id]
            self._parked.add(row.order)
            self._park(session, followers, error=error.str())
            self._metrics.dead.inc()

    def _park(self, session: psycopg.Connection[Any], rows: Sequence[Row], *, error: str) -> None:
        if rows:
            session.execute(
                """WITH refused AS (
                     DELETE FROM outbox WHERE shard = ANY(%b::smallint[]) AND id = ANY(%b::bigint[])
                     RETURNING shard, id, topic, key, value, headers, created_at)
                   INSERT INTO outbox_parked (shard, id, topic, key, value, headers, created_at, error)
                   SELECT *, %s FROM refused""",
                (list({row.shard for row in rows}), [row.id for row in rows], error),
            )

    def _delete(self, session: psycopg.Connection[Any], rows: Sequence[Row]) -> None:
        if rows:
            # OFFSET 0: each row by the index, whatever the planner thinks of a batch's size.
            session.execute(
                """DELETE FROM outbox WHERE ctid = ANY (ARRAY (
                     SELECT row.ctid FROM unnest(%b::smallint[], %b::bigint[]) AS sent (shard, id)
                      CROSS JOIN LATERAL (
                        SELECT ctid FROM outbox WHERE shard = sent.shard AND id = sent.id OFFSET 0) AS row))""",
                ([row.shard for row in rows], [row.id for row in rows]),
            )

    # Telling

    def _measure(self, session: psycopg.Connection[Any]) -> None:
        """What waits in the shards led here. From the bound too: dead rows before it would be gone through in vain."""
        ((backlog, oldest_at, parked),) = session.execute(
            """SELECT count(*), extract(epoch FROM min(created_at))::float8,
                      (SELECT count(*) FROM outbox_parked)
                 FROM unnest(%b::smallint[], %b::bigint[]) AS bound (shard, id)
                CROSS JOIN LATERAL (
                  SELECT created_at FROM outbox WHERE outbox.shard = bound.shard AND outbox.id > bound.id
                   ORDER BY outbox.id LIMIT %s) AS waiting""",
            (list(self._bound.shards), list(self._bound.shards.values()), BACKLOG_COUNTED_MAX),
        ).fetchall()
        self._metrics.backlog.set(backlog)
        self._metrics.oldest_at = oldest_at
        self._metrics.parked.set(parked)

    def _is_due(self, what: str, seconds: float) -> bool:
        """Whether it is time for something done now and then."""
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True


def _trace_of(row: Row) -> Trace:
    return envelope.trace_of(_decode_headers(row.headers), fallback_id="")
