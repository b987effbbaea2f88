"""A feature is defined once: its values are the same whether decided live in batches, replayed, or learnt from."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fraud.events import DebtorPaymentLabelled, FraudOutcome, Label, PaymentLabelled
from schemas.payments.events import Channel, PaymentInitiated
from services.fraud import rulebooks
from services.fraud.domain import party_risk
from services.fraud.domain.features import CATALOGUE, FEATURES, Value
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Assessment, Panel
from services.fraud.domain.labelling import LabelPayment
from services.fraud.domain.party_risk import Counted, Party
from services.fraud.domain.rulebook.fields import Kind
from services.fraud.laboratory import scoring
from services.fraud.laboratory.replay import KnownPayment, Replay
from tests.unit.fraud import cards
from tests.unit.fraud.past import ANN, CLEO, DAY, HOUR, MINUTE, NO_RULES, SHOP, START, Desk, order, payment_id

LABEL_DELAY = 7 * DAY
NUMERIC = [name for name, field in CATALOGUE.items() if field.kind in (Kind.NUMBER, Kind.FLAG)]
JUDGE = Judge(rulebooks.shipped(), also=FEATURES)
"""Keeps the value of every feature there is."""


def live(known: Sequence[KnownPayment], sizes: Sequence[int], *, judge: Judge = JUDGE) -> dict[str, Assessment]:
    """By the service's own handlers, in batches of these sizes, its labels and snapshots coming on the way."""
    desk, batch = Desk(judge), list[KnownPayment]()
    waiting: list[KnownPayment] = []
    risks: dict[Party, Counted] = {}
    rest = iter(_forever(sizes))
    size = next(rest)
    for payment in known:
        at = payment.order.instructed_at
        due = list(_until(waiting, at))
        if due:
            _assess(desk, batch)
        desk.now = max(desk.now, at)
        for one in due:
            _label(desk, one, risks)
        batch.append(payment)
        if payment.label is not None:
            waiting.append(payment)
        if len(batch) >= size:
            _assess(desk, batch)
            size = next(rest)
    _assess(desk, batch)
    return desk.assessments


def _forever(sizes: Sequence[int]) -> Iterator[int]:
    while True:
        yield from sizes


def _until(waiting: list[KnownPayment], at: object) -> Iterator[KnownPayment]:
    while waiting and waiting[0].order.instructed_at + LABEL_DELAY <= at:  # type: ignore[operator]
        yield waiting.pop(0)


def _assess(desk: Desk, batch: list[KnownPayment]) -> None:
    if batch:
        desk.hears(*(PaymentInitiated(payment_id=one.payment_id, order=one.order, initiated_at=START) for one in batch))
        batch.clear()


def _label(desk: Desk, payment: KnownPayment, risks: dict[Party, Counted]) -> None:
    assert payment.label is not None
    events = desk.hears(LabelPayment(payment_id=payment.payment_id, label=payment.label))
    for event, place in zip(events, desk.numbers, strict=True):
        assert isinstance(event, PaymentLabelled | DebtorPaymentLabelled)
        told = party_risk.party_label(event)
        party = told.party
        risks[party] = party_risk.count(risks.get(party, Counted()), told, offset=place, sequence=place)
        desk.hears(party_risk.snapshot(risks[party], party, generation=1))


def replayed(known: Sequence[KnownPayment]) -> dict[str, Assessment]:
    run = Replay(Panel(live=JUDGE), label_delay=LABEL_DELAY)
    return {payment.payment_id: assessment for payment, assessment in run.run(known)}


def require_same(one: dict[str, Assessment], other: dict[str, Assessment]) -> None:
    """Every stored value, and what was made of them."""
    assert one.keys() == other.keys()
    for id_, assessment in one.items():
        again = other[id_]
        for name, value, value_again in zip(JUDGE.fields, assessment.values, again.values, strict=True):
            assert is_same(value, value_again), (id_, name, value, value_again)
        assert (assessment.outcome, assessment.score, assessment.findings) == (
            again.outcome,
            again.score,
            again.findings,
        )


def is_same(one: Value, other: Value) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-9
    return one == other and (one is None) == (other is None)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Sequence[KnownPayment]:
    columns = cards.rows(400, days=70, seed=5, is_mixed=True)
    return list(cards.file_of(columns, tmp_path_factory.mktemp("town")).payments())


@pytest.mark.parametrize("sizes", [[1], [7, 1, 30], [1_000]], ids=str)
def test_live_batches_and_a_replay_give_every_payment_the_same_values(
    town: Sequence[KnownPayment], sizes: list[int]
) -> None:
    once = replayed(town)
    require_same(live(town, sizes), once)
    outcomes = {assessment.outcome for assessment in once.values()}
    assert outcomes == {FraudOutcome.ALLOW, FraudOutcome.REVIEW, FraudOutcome.BLOCK}
    frauds = JUDGE.fields.index("creditor_frauds_30d")
    assert any(assessment.values[frauds] for assessment in once.values()), "some labels count"


@pytest.mark.parametrize("seed", range(3))
def test_payments_that_come_late_are_the_same_live_and_replayed(town: Sequence[KnownPayment], seed: int) -> None:
    chance, late = Random(seed), list(town)
    for _ in range(80):
        place = chance.randrange(len(late))
        payment = late.pop(place)
        late.insert(min(place + chance.randrange(40), len(late)), payment)
    require_same(live(late, [5, 2]), replayed(late))


def test_a_training_set_holds_the_values_that_live_decisions_were_made_by(tmp_path: Path) -> None:
    columns = cards.rows(300, days=60, seed=8, is_mixed=True)
    chance = Random(3)
    shuffled = list(range(300))
    chance.shuffle(shuffled)
    given_file = cards.file_of({name: [column[n] for n in shuffled] for name, column in columns.items()}, tmp_path)
    known = scoring.replay(given_file, rulebooks.shipped(), fields=NUMERIC).known
    decided = live(list(given_file.payments()), [9])
    assert known.fields == tuple(NUMERIC)
    for row, payment in zip(known.rows, given_file.payments(), strict=True):
        values = dict(zip(JUDGE.fields, decided[payment.payment_id].values, strict=True))
        expected = [np.nan if values[name] is None else float(values[name]) for name in NUMERIC]  # type: ignore[arg-type]
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-9)
    times = [payment.order.instructed_at for payment in given_file.payments()]
    assert times == sorted(times)
    truth = [payment.label is Label.FRAUD for payment in given_file.payments()]
    assert known.is_fraud.tolist() == truth
    payers = [payment.order.debtor_account_id for payment in given_file.payments()]
    assert len({*zip(payers, known.cards.tolist(), strict=True)}) == len({*payers})


SNAPSHOTS = {name for name in FEATURES if "_snapshot_" in name}


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_come_early_in_any_order_or_are_corrected_in_time_give_the_same_values(
    town: Sequence[KnownPayment], seed: int
) -> None:
    """Labels count a week after their payment; what comes before that is the same as what comes just then."""
    judge = Judge(NO_RULES, also=FEATURES.keys() - SNAPSHOTS)
    chance, desk = Random(seed), Desk(judge)
    steps: list[tuple[float, int, KnownPayment, Label | None]] = []
    for number, payment in enumerate(town):
        at = payment.order.instructed_at.timestamp()
        steps.append((at, number, payment, None))
        if payment.label is not None:
            other = Label.FRAUD if payment.label is Label.GENUINE else Label.GENUINE
            first, second = sorted(chance.uniform(1, LABEL_DELAY.total_seconds() - 1) for _ in range(2))
            if chance.random() < 0.3:
                steps.append((at + first, -1, payment, other))
            steps.append((at + second, -1, payment, payment.label))
    for at, _, payment, label in sorted(steps, key=lambda step: step[:2]):
        desk.now = START + timedelta(seconds=at - START.timestamp())
        if label is None:
            _assess(desk, [payment])
        else:
            desk.hears(LabelPayment(payment_id=payment.payment_id, label=label))
    run = Replay(Panel(live=judge), label_delay=LABEL_DELAY)
    for payment, assessment in run.run(town):
        assert desk.assessments[payment.payment_id].values == assessment.values


# Few payments, in every constellation

STEPS = (timedelta(0), 30 * MINUTE / 60, 20 * MINUTE, 9 * HOUR, 3 * DAY, 20 * DAY)
drawn = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from([ANN, SHOP, CLEO]),
        st.sampled_from([SHOP, CLEO]),
        st.sampled_from([1_00, 230_00, 9_000_00, 20_000_00]),
        st.sampled_from([Channel.CARD, Channel.WEB, Channel.API]),
        st.sampled_from([None, "phone", "laptop"]),
        st.sampled_from([None, Label.FRAUD, Label.GENUINE]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(drawn, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_a_replay_decides_as_the_live_path_did_in_the_same_order(
    given_payments: list[tuple[timedelta, str, str, int, Channel, str | None, Label | None, bool]], sizes: list[int]
) -> None:
    at, known = START, []
    for number, (step, debtor, creditor, amount, channel, device, label, is_cash) in enumerate(given_payments):
        at += step
        ordered = order(
            amount, debtor=debtor, creditor=creditor, at=at, channel=channel, device_id=device, is_cash=is_cash
        )
        known.append(KnownPayment(payment_id=payment_id(number), order=ordered, label=label))
    require_same(live(known, sizes), replayed(known))
