"""The consumer: events applied a second, each in the inbox, with state, an event of its own, and offsets."""

import random
import threading
import time

from confluent_kafka import Producer

from bench.figures import Figures
from libs.common import ids
from libs.common.codec import Codec
from libs.common.database import fetch, transaction
from tests.parts import Parts
from tests.tally.events import INCREMENT, CounterIncremented
from tests.tally.service import service

EVENTS = 100_000
COUNTERS = 1_000


def throughput(parts: Parts) -> Figures:
    """Apply a backlog of 100,000 events about 1,000 aggregates, spread over 24 partitions."""
    with parts.runtime(service()) as runtime:
        runtime.registry.register(CounterIncremented.contract)
        _publish(parts, Codec(runtime.registry, [CounterIncremented]))
        stop = threading.Event()
        thread = threading.Thread(target=runtime.consumer.run, args=(stop,))
        started, cpu = time.perf_counter(), time.process_time()
        thread.start()
        applied = 0
        while applied < EVENTS:
            time.sleep(0.05)
            with transaction(runtime.engine) as tx:
                ((applied,),) = fetch(tx, "SELECT coalesce(sum(total), 0)::bigint FROM counters")
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
        stop.set()
        thread.join()
    return {
        "consumer_events_per_second": EVENTS / elapsed,
        "consumer_cpu_microseconds_per_event": cpu / EVENTS * 1e6,
    }


def _publish(parts: Parts, codec: Codec) -> None:
    producer = Producer({"bootstrap.servers": parts.kafka_bootstrap, "linger.ms": 50, "compression.type": "lz4"})
    chance = random.Random(1)
    for _ in range(EVENTS):
        counter_id = f"counter-{chance.randrange(COUNTERS)}"
        headers = {
            "ce_id": ids.new(),
            "ce_source": "/weir/meter",
            "ce_type": CounterIncremented.contract.full_name,
            "ce_time": "2026-01-01T00:00:00.000000+00:00",
            "ce_correlationid": ids.new(),
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        }
        value = codec.encode(CounterIncremented(counter_id=counter_id, by=1))
        while True:
            try:
                producer.produce(INCREMENT.name, value, counter_id, headers=list(headers.items()))
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
