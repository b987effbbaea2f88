"""Fraud: decisions a second with all its rules and windows, each with its history updated in the same transaction."""

from bench import batches, orders
from bench.figures import Figures, percentile
from libs.common import ids
from services.fraud.__main__ import SERVICE
from tests.parts import Parts

PAYERS = 2_000
DECISIONS = 10_000
PAST = 10_000
BATCH = 500
SMALL_BATCH = 20


def decisions(parts: Parts) -> Figures:
    """Decide on 10,000 payments after as many others, 500 at a time; then on few at a time, for the time of one."""
    with parts.runtime(SERVICE) as runtime:
        payers = [ids.new() for _ in range(PAYERS)]
        payees = [ids.new() for _ in range(orders.MERCHANTS)]
        events = orders.initiated(PAST + DECISIONS + 2_000, payers=payers, payees=payees, seed=1)
        batches.apply(runtime, events[:PAST], batch_size=BATCH)
        seconds = batches.apply(runtime, events[PAST : PAST + DECISIONS], batch_size=BATCH)
        waits = sorted(batches.apply(runtime, events[PAST + DECISIONS :], batch_size=SMALL_BATCH))
    return {
        "fraud_decisions_per_second": DECISIONS / sum(seconds),
        "fraud_decision_p99_ms": percentile(waits, 99) * 1000,
    }
