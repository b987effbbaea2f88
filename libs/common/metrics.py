"""What Prometheus sees of messaging, HTTP and the database: every label from a closed list, ages before counts."""

import time
from collections import Counter as Counts
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from libs.common import tracing
from libs.common.inbox import Outcome
from libs.common.message import Trace
from libs.common.record import Record

FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)

Values = tuple[str, ...] | str
"""What a label may be: a closed list of values, or in words the bounded set they are taken from."""

# A series more for each, that tells when a process began: `process_start_time_seconds` does.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Description(Record):
    """A metric, as docs/metrics.md lists it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: Mapping[str, Values]
    is_looked_up: bool = False
    """Whether a query tells it: then every worker of a service tells the same."""


class Metrics(CollectorRegistry):
    """The metrics of one process, and what each of them means.

    A label whose values are a closed list shows every one of them from the beginning, at zero: what appears with its
    first event has not grown, as far as `increase` can see.
    """

    def __init__(self) -> None:
        super().__init__()
        self.descriptions: dict[str, Description] = {}

    def counter(self, name: str, meaning: str, **labels: Values) -> Counter:
        self.describe(Description(name=name, kind="counter", meaning=meaning, labels=labels))
        counter = Counter(name, meaning, labelnames=tuple(labels), registry=self)
        for values in _closed(labels):
            counter.labels(*values)
        return counter

    def gauge(self, name: str, meaning: str, **labels: Values) -> Gauge:
        self.describe(Description(name=name, kind="gauge", meaning=meaning, labels=labels))
        gauge = Gauge(name, meaning, labelnames=tuple(labels), registry=self)
        for values in _closed(labels):
            gauge.labels(*values)
        return gauge

    def histogram(self, name: str, meaning: str, *, buckets: Sequence[float], **labels: Values) -> Histogram:
        self.describe(Description(name=name, kind="histogram", meaning=meaning, labels=labels))
        histogram = Histogram(name, meaning, labelnames=tuple(labels), buckets=buckets, registry=self)
        for values in _closed(labels):
            histogram.labels(*values)
        return histogram

    def watch(self, collector: Collector, *descriptions: Description) -> None:
        """Add what is asked for its numbers whenever Prometheus looks."""
        for description in descriptions:
            self.describe(description)
        self.register(collector)

    def describe(self, description: Description) -> None:
        self.descriptions[description.name] = description


def _closed(labels: Mapping[str, Values]) -> Iterator[tuple[str, ...]]:
    """Every combination of values, unless one of the labels has no closed list of them."""
    lists = [values for values in labels.values() if isinstance(values, tuple)]
    return product(*lists) if labels and len(lists) == len(labels) else iter(())


def exemplar(trace: Trace | None) -> dict[str, str] | None:
    """What leads from a histogram's bucket to a trace that fell into it, if one is recorded."""
    if trace is None or not tracing.is_recorded(trace):
        return None
    # Not as it came: a stranger's header may hold anything, and an exemplar that is too long raises.
    return {"trace_id": tracing.trace_id_of(trace)}


class OutboxMetrics:
    """The outbox and its relay."""

    def __init__(self, metrics: Metrics, *, shards: int) -> None:
        self.oldest_age = metrics.gauge(
            "outbox_oldest_age_seconds", "Age of the oldest event not yet published of the shards led here"
        )
        self.oldest_at: float | None = None
        """When the oldest event was written, in seconds since 1970: its age grows also while the relay is held up."""
        self.oldest_age.set_function(lambda: 0.0 if self.oldest_at is None else max(0.0, time.time() - self.oldest_at))
        self.backlog = metrics.gauge("outbox_backlog_rows", "Events not yet published of the shards led here")
        self.published = metrics.counter("outbox_published_total", "Events the broker has acknowledged")
        self.latency = metrics.histogram(
            "outbox_publish_latency_seconds",
            "From the transaction that caused an event to the broker's acknowledgement, the first of each batch",
            buckets=FAST_SECONDS,
        )
        self.parked = metrics.gauge("outbox_parked_rows", "Events Kafka would not take, and what waits for them")
        self.dead = metrics.counter("outbox_dead_total", "Events parked because Kafka would not take them")
        self.leader = metrics.gauge(
            "outbox_leader", "1 where this process publishes the shard", shard=tuple(map(str, range(shards)))
        )
        self.restarts = metrics.counter("outbox_producer_restarts_total", "Producers given up after a failed delivery")


class ConsumerMetrics:
    """A service's consumer and its inbox."""

    def __init__(self, metrics: Metrics, *, topics: Sequence[str]) -> None:
        self.batch_seconds = metrics.histogram(
            "consumer_batch_seconds", "One batch, from claim to commit", buckets=FAST_SECONDS
        )
        self.batch_records = metrics.histogram("consumer_batch_records", "Messages of one batch", buckets=_SIZES)
        self.records = metrics.counter(
            "consumer_records_total",
            "Messages by what became of them",
            result=(*(outcome.value for outcome in Outcome), "duplicate"),
        )
        self.dead_letters = metrics.counter("dead_letters_total", "Messages that could not be applied")
        self.rebalances = metrics.counter("consumer_rebalances_total", "Partitions given or taken away")
        self.partitions = metrics.gauge("consumer_partitions", "Partitions that are this process's to read")
        self.turned_at = metrics.gauge(
            "consumer_turn_timestamp_seconds",
            "When its loop last came round, in seconds since 1970: it does, several times a second, also when idle",
        )
        self.outages = metrics.counter("consumer_outages_total", "Times a batch had to wait for something away")
        self.kafka_errors = metrics.counter("consumer_kafka_errors_total", "Errors the Kafka client reported")
        self.lag_records = metrics.gauge("consumer_lag_records", "Records not yet read", topic=tuple(topics))
        self.lag_seconds = metrics.gauge(
            "consumer_lag_seconds", "Age of the newest record read, while there are more", topic=tuple(topics)
        )
        self.end_to_end = metrics.histogram(
            "event_end_to_end_seconds",
            "From the cause of an event to its being applied here, the last of each batch",
            buckets=FAST_SECONDS,
        )

    @contextmanager
    def batch(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.batch_seconds.observe(time.perf_counter() - started)

    def observe(
        self,
        outcomes: Sequence[str],
        *,
        taken_count: int,
        duplicate_count: int,
        caused_at: datetime | None,
        trace: Trace,
    ) -> None:
        """Count what became of a batch. `caused_at` is when its newest message was caused, if that is known."""
        counts = Counts(outcomes)
        counts["parked"] += taken_count - duplicate_count - len(outcomes)
        counts["duplicate"] = duplicate_count
        for result, count in counts.items():
            self.records.labels(result).inc(count)
        self.batch_records.observe(taken_count)
        self.dead_letters.inc(counts["dead"])
        if caused_at is not None:
            self.end_to_end.observe((datetime.now(UTC) - caused_at).total_seconds(), exemplar(trace))


class HttpMetrics:
    """Requests and their answers."""

    def __init__(self, metrics: Metrics) -> None:
        self.requests = metrics.counter(
            "http_requests_total",
            "Requests answered",
            method="the methods of HTTP, or `other`",
            route="the paths of the service's API, without what stands for their parameters, or `unknown`",
            status="the status codes of HTTP, or 0 where the connection broke before an answer",
        )
        self.seconds = metrics.histogram(
            "http_request_seconds", "Time to answer", buckets=FAST_SECONDS, route="as of `http_requests_total`"
        )


class EdgeMetrics:
    """The queue of requests that are carried out in batches."""

    def __init__(self, metrics: Metrics) -> None:
        self.waiting = metrics.gauge("edge_requests_waiting", "Requests that wait for their batch")
        self.batch_seconds = metrics.histogram(
            "edge_batch_seconds", "One batch of requests, from claim to commit", buckets=FAST_SECONDS
        )
        self.batch_requests = metrics.histogram("edge_batch_requests", "Requests of one batch", buckets=_SIZES)


class KeyMetrics:
    """What is asked of the key store, which nobody asks for keys that are at hand."""

    def __init__(self, metrics: Metrics) -> None:
        self.seconds = metrics.histogram(
            "key_store_seconds",
            "One question to the key store, by whether it was answered",
            buckets=FAST_SECONDS,
            result=("answered", "failed"),
        )

    def count(self, seconds: float, is_answered: bool) -> None:
        self.seconds.labels("answered" if is_answered else "failed").observe(seconds)


class SweepMetrics:
    """What time alone makes due."""

    def __init__(self, metrics: Metrics) -> None:
        self.turned_at = metrics.gauge(
            "sweep_turn_timestamp_seconds", "When the sweep last came round, in seconds since 1970: every second or two"
        )
        self.decisions = metrics.counter(
            "sweep_decisions_total", "What was due, by what became of it", result=("applied", "failed")
        )


def watch_pool(metrics: Metrics, engine: Engine) -> None:
    """Show how many of a process's connections to its database are in use."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    in_use = metrics.gauge("database_connections_in_use", "Connections to the database that work, of this process")
    in_use.set_function(lambda: float(pool.checkedout()))
    most = metrics.gauge("database_connections_max", "As many as this process may have")
    most.set(pool.size())
