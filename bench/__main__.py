"""`python -m bench [NAME …]`: run benchmarks on real parts and print each figure, a median of three."""

import gc
import random
import sys
import time
from collections.abc import Callable
from functools import cached_property

from bench import consumer, desk, fraud, growth, ledger, monitoring, relay, screening, transfers
from bench.figures import Figures, median
from bench.suite import Suite
from libs.common.service import tune_interpreter
from stack.settings import REPOSITORY, StackSettings
from stack.stack import Stack
from tests.parts import Parts

RUNS = 3
READ_PLACES = 2_000_000


class Bench:
    """What benchmarks run on; the whole suite is brought up when the first one needs it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @cached_property
    def parts(self) -> Parts:
        return Parts(self._stack)

    @cached_property
    def suite(self) -> Suite:
        # What was measured before has left topics with more partitions than an installation on one machine has.
        self.parts.delete_topics(self.parts.topics())
        return Suite(self._stack)


BENCHMARKS: dict[str, Callable[[Bench], Figures]] = {
    "relay": lambda bench: relay.throughput(bench.parts),
    "relay_latency": lambda bench: relay.latency(bench.parts),
    "consumer": lambda bench: consumer.throughput(bench.parts),
    "fraud": lambda bench: fraud.decisions(bench.parts),
    "replay": lambda _: fraud.replay(),
    "screening": lambda bench: screening.names(bench.parts),
    "desk": lambda bench: desk.pages(bench.parts),
    "monitoring": lambda bench: monitoring.movements(bench.parts),
    "postings": lambda bench: ledger.throughput(bench.parts),
    "two_workers": lambda bench: ledger.throughput_of_two(bench.parts),
    "one_payer": lambda bench: ledger.hot_account(bench.parts),
    "transfers": lambda bench: transfers.by_the_thousand(bench.parts),
    "hot_account": lambda bench: transfers.hot_account(bench.parts),
    "single_transfers": lambda bench: transfers.one_by_one(bench.parts),
    "journeys": lambda bench: bench.suite.by_files(),
    "single_posts": lambda bench: bench.suite.by_single_posts(),
    "at_100_per_second": lambda bench: bench.suite.at_100_per_second(),
    "at_100_single_posts_per_second": lambda bench: bench.suite.at_100_single_posts_per_second(),
}
"""In this order, for those that need the parts alone should have the machine to themselves."""

LONG: dict[str, Callable[[Bench], Figures]] = {
    "ledger_growth": lambda bench: growth.ledger_growth(bench.parts),
    "transfer_growth": lambda bench: growth.transfer_growth(bench.parts),
    "journey_growth": lambda bench: growth.journey_growth(bench.parts),
}
"""Those that load ten million payments first: run by their names, and once."""


def main(names: list[str]) -> None:
    unknown = set(names) - {*BENCHMARKS, *LONG}
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join((*BENCHMARKS, *LONG))}")
    # What is measured is a suite that has run for a while, not one that has just begun.
    settings = StackSettings(folder=REPOSITORY / ".weir" / "bench", port_base=24_000, kafka_compiler="thorough")
    stack = Stack(settings)
    stack.up_parts()
    # What runs in this process is to run as in a service's.
    tune_interpreter()
    try:
        bench = Bench(stack)
        _tell_machine()
        for name in names or BENCHMARKS:
            runs = [_run(bench, name) for _ in range(1 if name in LONG else RUNS)]
            for figure in runs[0]:
                print(f"{figure}: {median([run[figure] for run in runs]):.4g}", flush=True)
    finally:
        stack.down(forget=True)


def _run(bench: Bench, name: str) -> Figures:
    figures = {**BENCHMARKS, **LONG}[name](bench)
    # Kafka's clients go with whatever refers to itself: left alone they would run beside what is measured next.
    gc.collect()
    # A shared machine may be half as fast a minute later: each figure has its own.
    return {**figures, f"{name}_machine_seconds_per_10_million_additions": _additions()}


def _tell_machine() -> None:
    """Print what tells one machine, or one hour of a shared machine, from another.

    The second figure is what decides at low rates, where whoever wakes up finds the caches full of others' things.
    """
    print(f"machine_seconds_per_10_million_additions: {_additions():.3g}", flush=True)
    print(f"machine_nanoseconds_per_read_past_the_caches: {_reads():.3g}", flush=True)


def _additions() -> float:
    began, total = time.perf_counter(), 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - began


def _reads() -> float:
    """What a read that must wait for the one before it costs, beyond one whose place is next to the last."""
    places = list(range(READ_PLACES))
    random.Random(1).shuffle(places)
    scattered, in_order = [0] * READ_PLACES, [*range(1, READ_PLACES), 0]
    for place, successor in zip(places, [*places[1:], places[0]], strict=True):
        scattered[place] = successor
    return (_walk(scattered) - _walk(in_order)) / READ_PLACES * 1e9


def _walk(successors: list[int]) -> float:
    began, place = time.perf_counter(), 0
    for _ in range(READ_PLACES):
        place = successors[place]
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1:])
