"""Every rule, on both sides of its threshold: what it just says nothing about, and what it just fires on."""

from typing import Any

import pytest

from schemas.payments.events import Channel
from services.fraud.domain.entities import CreditorRisk
from services.fraud.domain.label_days import LabelCount
from services.fraud.domain.limits import Limits
from services.fraud.domain.rule_set import RULES, RuleName, judge, meaning_of, rule_set
from tests.unit.fraud.past import facts

CARD = {"channel": Channel.CARD}
HABITS = {"earlier_count": 5, "average_minor": 100_00, "highest_minor": 200_00}
PROGRAM = {"is_by_program": True}
LIMITS = Limits()


def risk(fraud: int, labelled: int) -> CreditorRisk:
    return CreditorRisk(version=1, labelled_count=labelled, fraud_count=fraud, window_days=30, as_of_micros=0)


def labels(fraud: int, labelled: int) -> LabelCount:
    return LabelCount(labelled=labelled, fraud=fraud)


def debtor(**fields: Any) -> dict[str, Any]:
    return {"debtor": fields}


def creditor(**fields: Any) -> dict[str, Any]:
    return {"creditor": fields}


FIRES_AND_DOES_NOT = [
    (RuleName.AMOUNT_OVER_LIMIT, 220_01, CARD, 220_00, CARD),
    (RuleName.AMOUNT_OVER_LIMIT, 15_000_01, {}, 15_000_00, {}),
    # Three times a card payer's average, eight times another's; with habits, and an amount worth it.
    (RuleName.AMOUNT_FAR_ABOVE_AVERAGE, 300_00, {**debtor(**HABITS), **CARD}, 299_99, {**debtor(**HABITS), **CARD}),
    (
        RuleName.AMOUNT_FAR_ABOVE_AVERAGE,
        1_600_00,
        debtor(**{**HABITS, "average_minor": 200_00}),
        1_599_99,
        debtor(**{**HABITS, "average_minor": 200_00}),
    ),
    (
        RuleName.AMOUNT_FAR_ABOVE_AVERAGE,
        300_00,
        {**debtor(**HABITS), **CARD},
        300_00,
        {**debtor(**{**HABITS, "earlier_count": 4}), **CARD},
    ),
    (
        RuleName.AMOUNT_FAR_ABOVE_AVERAGE,
        50_00,
        {**debtor(**{**HABITS, "average_minor": 1_00}), **CARD},
        49_99,
        {**debtor(**{**HABITS, "average_minor": 1_00}), **CARD},
    ),
    (RuleName.AMOUNT_FAR_ABOVE_AVERAGE, 1_000_00, debtor(**HABITS), 999_99, debtor(**HABITS)),
    (RuleName.AMOUNT_ABOVE_MAXIMUM, 300_00, {**debtor(**HABITS), **CARD}, 299_99, {**debtor(**HABITS), **CARD}),
    (
        RuleName.UNUSUAL_AT_NIGHT,
        200_00,
        {**debtor(**HABITS), **CARD, "hour": 5},
        200_00,
        {**debtor(**HABITS), **CARD, "hour": 6},
    ),
    (
        RuleName.UNUSUAL_AT_NIGHT,
        200_00,
        {**debtor(**HABITS), **CARD, "hour": 0},
        199_99,
        {**debtor(**HABITS), **CARD, "hour": 0},
    ),
    (RuleName.MANY_PAYMENTS_IN_HOUR, 1, debtor(count_1h=11), 1, debtor(count_1h=10)),
    (RuleName.MANY_PAYMENTS_IN_HOUR, 1, debtor(count_1h=11), 1, {**debtor(count_1h=11), **PROGRAM}),
    (RuleName.MANY_PAYMENTS_IN_DAY, 1, debtor(count_1d=31), 1, debtor(count_1d=30)),
    (RuleName.MANY_PAYMENTS_IN_DAY, 1, debtor(count_1d=31), 1, {**debtor(count_1d=31), **PROGRAM}),
    (RuleName.LARGE_SUM_IN_DAY, 1, debtor(sum_1d_minor=20_000_01), 1, debtor(sum_1d_minor=20_000_00)),
    # One large payment is no sum: that is for other rules.
    (RuleName.LARGE_SUM_IN_DAY, 1, debtor(sum_1d_minor=20_000_01), 20_000_01, debtor(sum_1d_minor=20_000_01)),
    (RuleName.LARGE_SUM_IN_DAY, 1, debtor(sum_1d_minor=20_000_01), 1, {**debtor(sum_1d_minor=20_000_01), **PROGRAM}),
    (RuleName.LARGE_SUM_IN_WEEK, 1, debtor(sum_7d_minor=50_000_01), 1, debtor(sum_7d_minor=50_000_00)),
    (RuleName.SAME_AMOUNT_AGAIN, 1, debtor(same_amount_count=2), 1, debtor(same_amount_count=1)),
    (RuleName.SAME_AMOUNT_AGAIN, 1, debtor(same_amount_count=2), 1, {**debtor(same_amount_count=2), **PROGRAM}),
    (RuleName.FAN_OUT, 1, debtor(creditors_1d=8), 1, debtor(creditors_1d=7)),
    (RuleName.FAN_OUT, 1, debtor(creditors_1d=8), 1, {**debtor(creditors_1d=8), **CARD}),
    (RuleName.FAN_OUT, 1, debtor(creditors_1d=8), 1, {**debtor(creditors_1d=8), **PROGRAM}),
    (
        RuleName.NEW_CREDITOR_LARGE_SUM,
        5_000_00,
        debtor(pays_creditor_first_time=True),
        4_999_99,
        debtor(pays_creditor_first_time=True),
    ),
    (
        RuleName.NEW_CREDITOR_LARGE_SUM,
        5_000_00,
        debtor(pays_creditor_first_time=True),
        5_000_00,
        debtor(pays_creditor_first_time=False),
    ),
    (RuleName.SLEEPER_WAKES, 5_000_00, debtor(idle_days=25), 5_000_00, debtor(idle_days=24)),
    (RuleName.SLEEPER_WAKES, 5_000_00, debtor(idle_days=25), 4_999_99, debtor(idle_days=25)),
    # An account that was never seen does not sleep.
    (RuleName.SLEEPER_WAKES, 5_000_00, debtor(idle_days=25), 5_000_00, debtor(idle_days=None)),
    (
        RuleName.DEBTOR_LABELLED_FRAUD,
        220_00,
        debtor(labels=labels(1, 1), average_minor=100_00),
        219_99,
        debtor(labels=labels(1, 1), average_minor=100_00),
    ),
    (
        RuleName.DEBTOR_LABELLED_FRAUD,
        220_00,
        debtor(labels=labels(1, 9), average_minor=100_00),
        220_00,
        debtor(labels=labels(0, 9), average_minor=100_00),
    ),
    (RuleName.FAN_IN, 1, creditor(debtors_1d=10, earlier_count=10), 1, creditor(debtors_1d=9, earlier_count=10)),
    (RuleName.FAN_IN, 1, creditor(debtors_1d=10, earlier_count=10), 1, creditor(debtors_1d=10, earlier_count=11)),
    (RuleName.CREDITOR_LABELLED_FRAUD, 1, creditor(labels=labels(2, 6)), 1, creditor(labels=labels(2, 7))),
    (RuleName.CREDITOR_LABELLED_FRAUD, 1, creditor(labels=labels(2, 2)), 1, creditor(labels=labels(1, 1))),
    (RuleName.CREDITOR_RISK_SNAPSHOT, 1, creditor(risk=risk(3, 10)), 1, creditor(risk=risk(3, 11))),
    (RuleName.CREDITOR_RISK_SNAPSHOT, 1, creditor(risk=risk(3, 3)), 1, creditor(risk=risk(2, 2))),
    (RuleName.CREDITOR_RISK_SNAPSHOT, 1, creditor(risk=risk(3, 3)), 1, creditor(risk=None)),
    (
        RuleName.NEW_DEVICE,
        100_00,
        {**debtor(**HABITS), **CARD, "device": {"is_new_to_debtor": True}},
        100_00,
        {**debtor(**HABITS), **CARD, "device": {"is_new_to_debtor": False}},
    ),
    (
        RuleName.NEW_DEVICE,
        50_00,
        {**debtor(**HABITS), **CARD, "device": {"is_new_to_debtor": True}},
        49_99,
        {**debtor(**HABITS), **CARD, "device": {"is_new_to_debtor": True}},
    ),
    (RuleName.SHARED_DEVICE, 1, {"device": {"debtors_7d": 4}}, 1, {"device": {"debtors_7d": 3}}),
    (RuleName.SHARED_DEVICE, 1, {"device": {"debtors_7d": 4}}, 1, {"device": None}),
    (
        RuleName.IP_COUNTRY_DIFFERS,
        1,
        {"ip_country": "BR", "debtor_country": "DE"},
        1,
        {"ip_country": "DE", "debtor_country": "DE"},
    ),
    (
        RuleName.IP_COUNTRY_DIFFERS,
        1,
        {"ip_country": "BR", "debtor_country": "DE"},
        1,
        {"ip_country": "BR", "debtor_country": None},
    ),
    (
        RuleName.IP_COUNTRY_DIFFERS,
        1,
        {"ip_country": "BR", "debtor_country": "DE"},
        1,
        {"ip_country": None, "debtor_country": "DE"},
    ),
    (RuleName.CASH_BELOW_THRESHOLD, 8_000_00, {"is_cash": True}, 7_999_99, {"is_cash": True}),
    (RuleName.CASH_BELOW_THRESHOLD, 9_999_99, {"is_cash": True}, 10_000_00, {"is_cash": True}),
    (RuleName.CASH_BELOW_THRESHOLD, 9_000_00, {"is_cash": True}, 9_000_00, {"is_cash": False}),
    (RuleName.CASH_STRUCTURED, 8_000_00, debtor(below_threshold_count=3), 8_000_00, debtor(below_threshold_count=2)),
    (RuleName.CASH_STRUCTURED, 9_999_99, debtor(below_threshold_count=3), 10_000_00, debtor(below_threshold_count=3)),
    (RuleName.ORDERED_IN_FUTURE, 1, {"is_from_future": True}, 1, {"is_from_future": False}),
    (RuleName.HISTORY_INCOMPLETE, 1, {"is_late": True}, 1, {"is_late": False}),
]


@pytest.mark.parametrize(("name", "amount", "fields", "other_amount", "other_fields"), FIRES_AND_DOES_NOT)
def test_a_rule_fires_from_its_threshold_on_and_not_before(
    name: RuleName, amount: int, fields: dict[str, Any], other_amount: int, other_fields: dict[str, Any]
) -> None:
    rule = RULES[name]
    finding = rule(facts(amount, **fields), LIMITS)
    assert finding is not None and finding.reason
    assert 0 <= finding.score < 1
    assert rule(facts(other_amount, **other_fields), LIMITS) is None


def test_every_rule_is_in_the_table() -> None:
    assert {row[0] for row in FIRES_AND_DOES_NOT} == set(RuleName) == set(RULES)


def test_a_quiet_payment_is_found_nothing_against() -> None:
    assert judge(facts(), rule_set()).findings == ()


@pytest.mark.parametrize("name", RuleName)
def test_every_rule_says_what_it_looks_for_in_a_sentence(name: RuleName) -> None:
    assert meaning_of(RULES[name]).strip().endswith(".")


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        (RuleName.AMOUNT_OVER_LIMIT, CARD, "250.00 EUR by card, where 220 EUR is much"),
        (
            RuleName.AMOUNT_ABOVE_MAXIMUM,
            {**debtor(earlier_count=5, average_minor=10_00, highest_minor=100_00), **CARD},
            "2.5 times the largest of 30 days, 100.00 EUR",
        ),
        (RuleName.FAN_IN, creditor(debtors_1d=12), "12 different payers within a day, 0 payments in the month before"),
        (RuleName.SAME_AMOUNT_AGAIN, debtor(same_amount_count=2), "250.00 EUR to the same payee 3 times in 10 min"),
    ],
)
def test_a_finding_names_the_values_it_rests_on(name: RuleName, fields: dict[str, Any], text: str) -> None:
    finding = RULES[name](facts(250_00, **fields), LIMITS)
    assert finding is not None and finding.reason == text
