"""The default rulebook fires exactly when the rules in Python do: evidence of the move, to be deleted with them."""

from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.payments.events import Channel
from services.fraud.domain.entities import CreditorRisk
from services.fraud.domain.euros import shown
from services.fraud.domain.facts import Facts
from services.fraud.domain.label_days import LabelCount
from services.fraud.domain.rule_set import RULES, judge, meaning_of, rule_set
from services.fraud.domain.rulebook import judging
from tests.unit.fraud.catalogue import compiled, values
from tests.unit.fraud.past import facts

DEFAULT = compiled((Path(__file__).parents[3] / "services" / "fraud" / "rulebooks" / "default.rules").read_text())
RULE_SET = rule_set()

# Quarters of euros: what floats hold exactly, so that both compare the same numbers.
AMOUNTS = st.one_of(
    st.sampled_from([50_00, 220_00, 1_000_00, 5_000_00, 8_000_00, 10_000_00, 15_000_00, 20_000_00, 50_000_00]),
    st.integers(1, 400_000).map(lambda quarters: 25 * quarters),
)
NEAR = st.sampled_from([-25, 0, 25])
COUNTS = st.one_of(st.integers(0, 12), st.integers(0, 40))


@st.composite
def payments(draw: st.DrawFn) -> Facts:
    """Facts that `gather` could gather, of a payment in euros."""
    amount = max(25, draw(AMOUNTS) + draw(NEAR))
    count, is_cash = draw(COUNTS), draw(st.booleans())
    # As many payments as there are differ from this one by the factors that the rules compare with.
    average = draw(
        st.one_of(AMOUNTS, st.sampled_from([1.5, 2, 2.2, 3, 8]).map(lambda factor: _quarter(amount / factor)))
    )
    highest = draw(st.one_of(AMOUNTS, st.just(_quarter(amount / 1.5))))
    labels = st.builds(_labels, COUNTS, COUNTS)
    debtor = {
        "count_1h": 1 + draw(COUNTS), "count_1d": 1 + draw(COUNTS),
        "sum_1d_minor": amount + draw(st.one_of(st.just(0), AMOUNTS)),
        "sum_7d_minor": amount + draw(st.one_of(st.just(0), AMOUNTS)),
        "creditors_1d": 1 + draw(COUNTS), "same_amount_count": draw(COUNTS),
        "below_threshold_count": draw(COUNTS) if is_cash else 0,
        "earlier_count": count, "average_minor": average if count else 0, "highest_minor": highest if count else 0,
        "idle_days": draw(st.one_of(st.none(), st.integers(0, 40))),
        "pays_creditor_first_time": draw(st.booleans()), "labels": draw(labels),
    }  # fmt: skip
    creditor = {
        "earlier_count": draw(COUNTS), "debtors_1d": 1 + draw(COUNTS), "labels": draw(labels),
        "risk": draw(st.one_of(st.none(), st.builds(_risk, labels))),
    }  # fmt: skip
    device = {"is_new_to_debtor": draw(st.booleans()), "debtors_7d": 1 + draw(COUNTS)}
    countries = st.one_of(st.none(), st.sampled_from(["DE", "FR"]))
    return facts(
        amount, debtor=debtor, creditor=creditor, device=draw(st.one_of(st.none(), st.just(device))),
        channel=draw(st.sampled_from(Channel)), is_by_program=draw(st.booleans()), is_cash=is_cash,
        hour=draw(st.integers(0, 23)), ip_country=draw(countries), debtor_country=draw(countries),
        is_late=draw(st.booleans()), is_from_future=draw(st.booleans()),
    )  # fmt: skip


def _quarter(minor: float) -> int:
    return max(25, round(minor / 25) * 25)


def _labels(fraud: int, genuine: int) -> LabelCount:
    return LabelCount(fraud=fraud, labelled=fraud + genuine)


def _risk(labels: LabelCount) -> CreditorRisk:
    return CreditorRisk(
        version=1, labelled_count=labels.labelled, fraud_count=labels.fraud, window_days=30, as_of_micros=0
    )


def as_values(known: Facts) -> dict[str, Any]:
    """The same facts as the catalogue names them."""
    debtor, creditor, device = known.debtor, known.creditor, known.device
    risk = creditor.risk
    return {
        "amount": known.amount_cents / 100,
        "ordered_amount": shown(known.amount_minor, known.currency),
        "channel": known.channel.value,
        "is_cash": known.is_cash,
        "is_by_program": known.is_by_program,
        "hour": known.hour,
        "ip_country": known.ip_country,
        "debtor_country": known.debtor_country,
        "is_late": known.is_late,
        "is_from_future": known.is_from_future,
        "debtor_attempts_1h": debtor.count_1h,
        "debtor_attempts_1d": debtor.count_1d,
        "debtor_attempted_1d": debtor.sum_1d_minor / 100,
        "debtor_attempted_7d": debtor.sum_7d_minor / 100,
        "debtor_payees_1d": debtor.creditors_1d,
        "debtor_same_amount_10m": debtor.same_amount_count + 1,
        "debtor_near_cash_threshold_5d": debtor.below_threshold_count,
        "debtor_count_30d": debtor.earlier_count,
        "debtor_average_30d": debtor.average_minor / 100 if debtor.earlier_count else None,
        "debtor_max_30d": debtor.highest_minor / 100 if debtor.earlier_count else None,
        "debtor_idle_days": debtor.idle_days,
        "creditor_is_new_to_debtor": debtor.pays_creditor_first_time,
        "debtor_frauds_7d": debtor.labels.fraud,
        "debtor_labelled_7d": debtor.labels.labelled,
        "creditor_count_before_1d_30d": creditor.earlier_count,
        "creditor_payers_1d": creditor.debtors_1d,
        "creditor_frauds_7d": creditor.labels.fraud,
        "creditor_labelled_7d": creditor.labels.labelled,
        "creditor_snapshot_frauds": risk and risk.fraud_count,
        "creditor_snapshot_labelled": risk and risk.labelled_count,
        "device_is_new_to_debtor": device and device.is_new_to_debtor,
        "device_payers_7d": device and device.debtors_7d,
    }


@settings(max_examples=400, deadline=None)
@given(payments())
def test_the_translated_rules_fire_exactly_when_those_in_python_do(known: Facts) -> None:
    # 2.2 is no sum of halves: in cents and in euros it rounds differently, where an amount is 2.2 times the average.
    assume(known.amount_minor * 10 != known.debtor.average_minor * 22)
    by_python = judge(known, RULE_SET)
    by_rulebook = judging.judge(DEFAULT, values(DEFAULT, **as_values(known)))
    assert [(one.rule, one.score) for one in by_rulebook.findings] == [
        (one.rule, one.score) for one in by_python.findings
    ]
    assert (by_rulebook.score, by_rulebook.outcome) == (by_python.score, by_python.outcome)


def test_names_meanings_and_thresholds_are_todays() -> None:
    assert {rule.name: rule.meaning for rule in DEFAULT.rules} == {
        name.value: meaning_of(rule) for name, rule in RULES.items()
    }
    limits = RULE_SET.limits
    assert (DEFAULT.thresholds.review, DEFAULT.thresholds.block) == (limits.review_score, limits.block_score)


def test_every_rule_was_among_those_compared() -> None:
    """Otherwise they'd agree on payments that no rule has anything to say about."""
    fired: set[str] = set()

    @settings(max_examples=800, deadline=None, derandomize=True)
    @given(payments())
    def collect(known: Facts) -> None:
        fired.update(one.rule for one in judge(known, RULE_SET).findings)

    collect()
    assert fired == {name.value for name in RULES}
