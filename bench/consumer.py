"""The consumer: events applied a second, each in the inbox, with state, an event of its own, and offsets."""

import random
import threading
import time

from confluent_kafka import Producer

from bench.figures import Figures
from libs.common import ids
from libs.common.codec import Codec
from libs.common.database import fetch, transaction
from libs.common.kafka import client_config
from libs.common.service import Runtime
from tests.parts import Parts
from tests.tally.events import INCREMENT, CounterIncremented
from tests.tally.service import service

EVENTS = 100_000
COUNTERS = 1_000


def throughput(parts: Parts) -> Figures:
    """Apply a backlog of 100,000 events about 1,000 aggregates, spread over 24 partitions.

    Counted from the first batch on: joining its group takes a consumer up to three seconds, whatever there is to do.
    """
    with parts.runtime(service()) as runtime:
        runtime.registry.register(CounterIncremented.contract)
        _publish(parts, Codec(runtime.registry, [CounterIncremented]))
        stop = threading.Event()
        thread = threading.Thread(target=runtime.consumer.run, args=(stop,))
        thread.start()
        first = _wait_for(runtime, 1)
        began, cpu = time.perf_counter(), time.process_time()
        last = _wait_for(runtime, EVENTS)
        elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
        stop.set()
        thread.join()
    return {
        "consumer_events_per_second": (last - first) / elapsed,
        "consumer_cpu_microseconds_per_event": cpu / (last - first) * 1e6,
    }


def _wait_for(runtime: Runtime, count: int) -> int:
    """How many have been applied, once there are so many."""
    applied = 0
    while applied < count:
        time.sleep(0.05)
        with transaction(runtime.engine) as tx:
            ((applied,),) = fetch(tx, "SELECT coalesce(sum(total), 0)::bigint FROM counters")
    return applied


def _publish(parts: Parts, codec: Codec) -> None:
    producer = Producer({**client_config(parts.settings.messaging()), "linger.ms": 50, "compression.type": "lz4"})
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
