"""`python -m bench [NAME …]`: run benchmarks on real parts and print each figure, a median of three."""

import sys
from collections.abc import Callable

from bench import consumer, relay
from bench.figures import Figures, median
from stack.settings import REPOSITORY, StackSettings
from stack.stack import Stack
from tests.parts import Parts

RUNS = 3

BENCHMARKS: dict[str, Callable[[Parts], Figures]] = {
    "relay": relay.throughput,
    "relay_latency": relay.latency,
    "consumer": consumer.throughput,
}


def main(names: list[str]) -> None:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    stack = Stack(StackSettings(folder=REPOSITORY / ".weir" / "bench", port_base=24_000))
    stack.up_parts()
    try:
        parts = Parts(stack)
        for name in names or BENCHMARKS:
            runs = [BENCHMARKS[name](parts) for _ in range(RUNS)]
            for figure in runs[0]:
                print(f"{figure}: {median([run[figure] for run in runs]):.4g}", flush=True)
    finally:
        stack.down()


if __name__ == "__main__":
    main(sys.argv[1:])
