"""What Prometheus sees of messaging and HTTP: every label from a closed list, ages before counts."""

import time
from collections import Counter as Counts
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class OutboxMetrics:
    """The outbox and its relay."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.oldest_age = Gauge(
            "outbox_oldest_age_seconds",
            "Age of the oldest event not yet published of the shards led here",
            registry=registry,
        )
        self.oldest_at: float | None = None
        """When the oldest event was written, in seconds since 1970: its age grows also while the relay is held up."""
        self.oldest_age.set_function(lambda: 0.0 if self.oldest_at is None else max(0.0, time.time() - self.oldest_at))
        self.backlog = Gauge(
            "outbox_backlog_rows", "Events not yet published of the shards led here", registry=registry
        )
        self.published = Counter("outbox_published_total", "Events the broker has acknowledged", registry=registry)
        self.latency = Histogram(
            "outbox_publish_latency_seconds",
            "From the transaction that caused an event to the broker's acknowledgement",
            buckets=_FAST,
            registry=registry,
        )
        self.parked = Gauge(
            "outbox_parked_rows", "Events Kafka would not take, and what waits for them", registry=registry
        )
        self.dead = Counter("outbox_dead_total", "Events parked because Kafka would not take them", registry=registry)
        self.leader = Gauge(
            "outbox_leader", "1 where this process publishes the shard", labelnames=["shard"], registry=registry
        )
        self.restarts = Counter(
            "outbox_producer_restarts_total", "Producers given up after a failed delivery", registry=registry
        )


class ConsumerMetrics:
    """A service's consumer and its inbox."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batch_seconds = Histogram(
            "consumer_batch_seconds", "One batch, from claim to commit", buckets=_FAST, registry=registry
        )
        self.records = Counter(
            "consumer_records_total", "Messages by what became of them", labelnames=["result"], registry=registry
        )
        self.dead_letters = Counter("dead_letters_total", "Messages that could not be applied", registry=registry)
        self.rebalances = Counter("consumer_rebalances_total", "Partitions given or taken away", registry=registry)
        self.outages = Counter(
            "consumer_outages_total", "Times a batch had to wait for something away", registry=registry
        )
        self.kafka_errors = Counter(
            "consumer_kafka_errors_total", "Errors the Kafka client reported", registry=registry
        )
        self.lag_records = Gauge(
            "consumer_lag_records", "Records not yet read", labelnames=["topic"], registry=registry
        )
        self.lag_seconds = Gauge(
            "consumer_lag_seconds",
            "Age of the newest record read, while there are more",
            labelnames=["topic"],
            registry=registry,
        )
        self.end_to_end = Histogram(
            "event_end_to_end_seconds",
            "From the cause of an event to its being applied here",
            buckets=_FAST,
            registry=registry,
        )

    @contextmanager
    def batch(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.batch_seconds.observe(time.perf_counter() - started)

    def observe(
        self, outcomes: Sequence[str], *, taken_count: int, duplicate_count: int, caused_at: datetime | None
    ) -> None:
        """Count what became of a batch. `caused_at` is when its newest message was caused, if that is known."""
        counts = Counts(outcomes)
        counts["parked"] += taken_count - duplicate_count - len(outcomes)
        counts["duplicate"] = duplicate_count
        for result, count in counts.items():
            self.records.labels(result).inc(count)
        self.dead_letters.inc(counts["dead"])
        if caused_at is not None:
            self.end_to_end.observe((datetime.now(UTC) - caused_at).total_seconds())
