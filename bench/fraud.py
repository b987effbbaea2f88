"""Fraud: decisions a second by fifty rules over windows and a model, each with its history updated in the same
transaction; and payments a second through a replay.
"""

import time
from datetime import UTC, datetime, timedelta

import numpy as np

from bench import batches, orders
from bench.figures import Figures, percentile
from libs.common import ids
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.fraud.events import Label, VersionKind, VersionState
from schemas.payments.events import PaymentInitiated
from services.fraud import bringing, rulebooks
from services.fraud.__main__ import SERVICE
from services.fraud.domain.drift import Reference
from services.fraud.domain.judging import CATALOGUE, Judge
from services.fraud.domain.knowledge import Panel
from services.fraud.domain.model import Artifact, Card, pack
from services.fraud.domain.rulebook.rulebook import compile_rulebook
from services.fraud.domain.versions import MoveVersion
from services.fraud.laboratory import training
from services.fraud.laboratory.replay import KnownPayment, Replay
from services.fraud.laboratory.training import Known
from tests.parts import Parts

PAYERS = 2_000
DECISIONS = 10_000
PAST = 10_000
BATCH = 500
SMALL_BATCH = 20
"""What comes in 40 ms at 500 payments a second, half of what a second must hold."""
RULES = 50
REPLAYED = 60_000
REPLAYED_PAYERS = 500
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def decisions(parts: Parts) -> Figures:
    """Decide on 10,000 payments after as many others, 500 at a time; then on few at a time, for the time of one.

    Once by the shipped rules, once by fifty rules and a model as large as those that are trained.
    """
    figures: dict[str, float] = {}
    for name, is_full in (("", True), ("_by_shipped_rules", False)):
        with parts.runtime(SERVICE) as runtime:
            if is_full:
                _release(runtime)
            payers = [ids.new() for _ in range(PAYERS)]
            payees = [ids.new() for _ in range(orders.MERCHANTS)]
            events = orders.initiated(PAST + DECISIONS + 2_000, payers=payers, payees=payees, seed=1)
            batches.apply(runtime, events[:PAST], batch_size=BATCH)
            seconds = batches.apply(runtime, events[PAST : PAST + DECISIONS], batch_size=BATCH)
            waits = sorted(batches.apply(runtime, events[PAST + DECISIONS :], batch_size=SMALL_BATCH))
        figures[f"fraud_decisions_per_second{name}"] = DECISIONS / sum(seconds)
        figures[f"fraud_decision_p99_ms{name}"] = percentile(waits, 99) * 1000
    return figures


def replay() -> Figures:
    """Replay sixty days of five hundred payers, two payments a day each, with the features that models learn from."""
    payers = [ids.new() for _ in range(REPLAYED_PAYERS)]
    payees = [ids.new() for _ in range(orders.MERCHANTS)]
    events = orders.initiated(REPLAYED, payers=payers, payees=payees, seed=1)
    payments = [_known(event, number) for number, event in enumerate(events)]
    run = Replay(Panel(live=Judge(rulebooks.shipped(), also=training.FIELDS)), label_delay=timedelta(days=7))
    began = time.perf_counter()
    assert sum(1 for _ in run.run(payments)) == REPLAYED
    return {"fraud_replayed_per_second": REPLAYED / (time.perf_counter() - began)}


def _known(event: PaymentInitiated, number: int) -> KnownPayment:
    at = SINCE + number * timedelta(days=1) / (2 * REPLAYED_PAYERS)
    return KnownPayment(payment_id=event.payment_id, order=replace(event.order, instructed_at=at), label=Label.GENUINE)


def _release(runtime: Runtime) -> None:
    book = compile_rulebook(_fifty_rules(), CATALOGUE)
    assert len(book.rules) == RULES
    brought = [
        (VersionKind.RULEBOOK, bringing.add_rulebook(book, name="fifty", by="bench")),
        (VersionKind.MODEL, bringing.add_model(pack(_model()), by="bench")),
    ]
    for kind, command in brought:
        release = MoveVersion(
            kind=kind, version=command.version, state=VersionState.LIVE, by="bench", reason="to be measured"
        )
        batches.ask(runtime, [command], batch_size=1)
        batches.ask(runtime, [release], batch_size=1)


def _fifty_rules() -> str:
    """The shipped rules, and others over more windows, which seldom fire."""
    more = RULES - len(rulebooks.shipped().rules)
    rules = [
        f'rule more_{number} "Many, and much, within a week." '
        f"when debtor_attempts_7d > {40 + number} and creditor_payers_7d > {20 + number} "
        f"and amount > {100 * number} and debtor_amount_to_average_7d > {2 + number} "
        f'score 0.1 because "{{debtor_attempts_7d}} within a week"'
        for number in range(more)
    ]
    return "\n".join([rulebooks.TEXT, *rules])


def _model() -> Artifact:
    """Trees as many and as deep as validation has chosen, grown on chance: what they say is of no interest."""
    chance = np.random.default_rng(1)
    rows = chance.random((20_000, len(training.FIELDS)))
    is_fraud = (rows[:, 0] + rows[:, 5] * chance.random(20_000) > 1.5).astype(np.int8)
    known = Known(
        fields=training.FIELDS, rows=rows, micros=np.arange(20_000), is_fraud=is_fraud, cards=np.arange(20_000)
    )
    card = Card(
        name="bench",
        trained_from="2026-01-01",
        trained_until="2026-01-31",
        payments=20_000,
        frauds=int(is_fraud.sum()),
        label_delay_days=7,
        parameters=training.PARAMETERS,
        metrics={},
        importances={},
        references={field: Reference(edges=(0.5,), shares=(0.5, 0.5, 0.0)) for field in training.FIELDS},
    )
    trees = training.fit(known).model_to_string()
    # An intercept that no payment gets over: rules that go by the score are asked, and don't fire.
    return Artifact(fields=training.FIELDS, slope=1.0, intercept=-12.0, card=card, trees=trees)
