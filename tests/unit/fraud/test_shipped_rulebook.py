"""The rulebook that is shipped: every rule on both sides of its limits, with payments and pasts as they really are."""

from typing import Any, NamedTuple

import pytest

from libs.common.record import replace
from schemas.fraud.events import Label
from schemas.payments.events import Channel, EncryptedPersonalData, PaymentOrder
from services.fraud import rulebooks
from services.fraud.domain.judging import CATALOGUE, Judge
from services.fraud.domain.rulebook import judging
from services.fraud.domain.rulebook.rulebook import compile_rulebook
from tests.unit.fraud.past import (
    ANN,
    CLEO,
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    SHOP,
    START,
    Paid,
    account,
    moment_of,
    order,
    risk_of,
)

SHIPPED = rulebooks.shipped()
JUDGE = Judge(SHIPPED)
CARD: dict[str, Any] = {"channel": Channel.CARD}
NIGHT = START.replace(hour=5, minute=59)
PROGRAMS = (Channel.API, Channel.FILE, Channel.UNKNOWN)


class Case(NamedTuple):
    """A payment, what was before it, and what is known besides."""

    ordered: PaymentOrder
    past: list[Paid]
    more: dict[str, Any]


def case(amount_minor: int = 1_00, past: list[Paid] | None = None, *, more: Any = None, **fields: Any) -> Case:
    return Case(order(amount_minor, **fields), past or [], more or {})


def habits(count: int = 5, average_minor: int = 100_00, highest_minor: int | None = None, **fields: Any) -> list[Paid]:
    """As many payments a while ago, with this average; the largest is of twice that, unless it is said."""
    amounts = [average_minor] * (count - 2)
    highest = 2 * average_minor if highest_minor is None else highest_minor
    amounts += [highest, 2 * average_minor - highest] if count > 1 else [average_minor]
    return [
        Paid(**{"at": START - 10 * DAY - number * HOUR, "amount_minor": amount, **fields})
        for number, amount in enumerate(amounts)
    ]


def each_minute(count: int, amount_minor: int = 1, **fields: Any) -> list[Paid]:
    return [Paid(**{"at": START - n * MINUTE, "amount_minor": amount_minor, **fields}) for n in range(1, count + 1)]


def payees(count: int) -> list[Paid]:
    """As many different ones today."""
    return [Paid(at=START - n * HOUR, creditor=account(n)) for n in range(1, count + 1)]


def payers(count: int, **fields: Any) -> list[Paid]:
    """As many different ones today."""
    return [Paid(**{"at": START - n * HOUR, "debtor": account(n), **fields}) for n in range(1, count + 1)]


def labelled_week(frauds: int, genuine: int, amount_minor: int = 10_00, **fields: Any) -> list[Paid]:
    """Payments of ten days ago, with their labels."""
    labels = [Label.FRAUD] * frauds + [Label.GENUINE] * genuine
    return [
        Paid(**{"at": START - 10 * DAY - n * MINUTE, "amount_minor": amount_minor, "label": label, **fields})
        for n, label in enumerate(labels)
    ]


def risk(frauds: int, labelled: int, age: Any = DAY, payers: int = 1) -> dict[str, Any]:
    return {"creditor_risk": risk_of(labelled, frauds, payers, as_of=START - age)}


ORIGIN: dict[str, Any] = {"device_id": "phone", "ip_country": "DE"}
OTHER: dict[str, Any] = {"debtor": account(7)}
"""Paid by somebody else: the payee's past, not the payer's."""

FIRES_AND_DOES_NOT: list[tuple[str, Case, Case]] = [
    ("amount_over_limit", case(220_01, **CARD), case(220_00, **CARD)),
    ("amount_over_limit", case(15_000_01), case(15_000_00)),
    ("amount_over_limit", case(220_01, **CARD), case(220_01)),
    # Limits are in euros, whatever the currency, by a rough rate.
    ("amount_over_limit", case(400_00, currency="EUR", **CARD), case(40_000, currency="JPY", **CARD)),
    # Three times a card payer's average, eight times another's; with habits, and an amount worth it.
    ("amount_far_above_average", case(300_00, habits(), **CARD), case(299_99, habits(), **CARD)),
    ("amount_far_above_average", case(1_600_00, habits(5, 200_00)), case(1_599_99, habits(5, 200_00))),
    ("amount_far_above_average", case(300_00, habits(5), **CARD), case(300_00, habits(4), **CARD)),
    ("amount_far_above_average", case(50_00, habits(5, 1_00), **CARD), case(49_99, habits(5, 1_00), **CARD)),
    ("amount_far_above_average", case(1_000_00, habits()), case(999_99, habits())),
    (
        "amount_far_above_average",
        case(300_00, habits(), **CARD),
        case(300_00, habits(is_blocked=True), **CARD),
    ),
    ("amount_above_maximum", case(300_00, habits(), **CARD), case(299_99, habits(), **CARD)),
    ("amount_above_maximum", case(1_500_00, habits(5, 500_00)), case(1_499_99, habits(5, 500_00))),
    ("amount_above_maximum", case(300_00, habits(5), **CARD), case(300_00, habits(4), **CARD)),
    ("unusual_at_night", case(200_00, habits(), at=NIGHT, **CARD), case(200_00, habits(), at=NIGHT + MINUTE, **CARD)),
    ("unusual_at_night", case(200_00, habits(), at=NIGHT, **CARD), case(199_99, habits(), at=NIGHT, **CARD)),
    ("many_payments_in_hour", case(past=each_minute(10)), case(past=each_minute(9))),
    ("many_payments_in_hour", case(past=each_minute(10, is_blocked=True)), case(past=each_minute(10, **OTHER))),
    *[
        ("many_payments_in_hour", case(past=each_minute(10)), case(past=each_minute(10), channel=channel))
        for channel in PROGRAMS
    ],
    ("many_payments_in_day", case(past=each_minute(30)), case(past=each_minute(29))),
    ("many_payments_in_day", case(past=each_minute(30)), case(past=each_minute(30), channel=Channel.FILE)),
    ("large_sum_in_day", case(1, each_minute(2, 10_000_00)), case(1, each_minute(2, 9_999_99))),
    # One large payment is no sum: that is for other rules.
    ("large_sum_in_day", case(1, each_minute(1, 20_000_00)), case(20_000_01)),
    ("large_sum_in_day", case(1, each_minute(2, 10_000_00)), case(1, each_minute(2, 10_000_00), channel=Channel.API)),
    (
        "large_sum_in_week",
        case(1, [Paid(at=START - 6 * DAY, amount_minor=50_000_00)]),
        case(1, [Paid(at=START - 6 * DAY, amount_minor=49_999_99)]),
    ),
    ("large_sum_in_week", case(1, [Paid(at=START - 6 * DAY, amount_minor=50_000_00)]), case(50_000_01)),
    (
        "large_sum_in_week",
        case(1, [Paid(at=START - 6 * DAY, amount_minor=50_000_00)]),
        case(1, [Paid(at=START - 7 * DAY, amount_minor=50_000_00)]),
    ),
    ("same_amount_again", case(5_00, each_minute(2, 5_00)), case(5_00, each_minute(1, 5_00))),
    ("same_amount_again", case(5_00, each_minute(2, 5_00)), case(5_00, each_minute(2, 5_01))),
    ("same_amount_again", case(5_00, each_minute(2, 5_00)), case(5_00, each_minute(2, 5_00, creditor=CLEO))),
    ("same_amount_again", case(5_00, each_minute(2, 5_00)), case(5_00, each_minute(2, 5_00), channel=Channel.API)),
    ("fan_out", case(past=payees(7)), case(past=payees(6))),
    # Shopping by card, and files.
    ("fan_out", case(past=payees(7)), case(past=payees(7), **CARD)),
    ("fan_out", case(past=payees(7)), case(past=payees(7), channel=Channel.FILE)),
    ("new_creditor_large_sum", case(5_000_00, habits(), creditor=CLEO), case(4_999_99, habits(), creditor=CLEO)),
    ("new_creditor_large_sum", case(5_000_00, habits(), creditor=CLEO), case(5_000_00, habits(), creditor=SHOP)),
    ("new_creditor_large_sum", case(5_000_00, habits(5), creditor=CLEO), case(5_000_00, habits(4), creditor=CLEO)),
    (
        "sleeper_wakes",
        case(5_000_00, [Paid(at=START - 25 * DAY)]),
        case(5_000_00, [Paid(at=START - 25 * DAY + MICROSECOND)]),
    ),
    ("sleeper_wakes", case(5_000_00, [Paid(at=START - 25 * DAY)]), case(4_999_99, [Paid(at=START - 25 * DAY)])),
    # An account that was never seen does not sleep.
    ("sleeper_wakes", case(5_000_00, [Paid(at=START - 25 * DAY)]), case(5_000_00)),
    ("debtor_labelled_fraud", case(22_00, labelled_week(1, 0)), case(21_99, labelled_week(1, 0))),
    ("debtor_labelled_fraud", case(22_00, labelled_week(1, 8)), case(22_00, labelled_week(0, 9))),
    ("debtor_labelled_fraud", case(1, labelled_week(1, 0, is_blocked=True)), case(1, labelled_week(1, 0))),
    (
        "debtor_labelled_fraud",
        case(22_00, labelled_week(1, 0, at=START - 7 * DAY)),
        case(22_00, labelled_week(1, 0, at=START - 7 * DAY + MICROSECOND)),
    ),
    ("fan_in", case(past=payers(9)), case(past=payers(8))),
    (
        "fan_in",
        case(past=payers(9) + habits(10, debtor=account(9))),
        case(past=payers(9) + habits(11, debtor=account(9))),
    ),
    ("creditor_labelled_fraud", case(past=labelled_week(2, 4, **OTHER)), case(past=labelled_week(2, 5, **OTHER))),
    ("creditor_labelled_fraud", case(past=labelled_week(2, 0, **OTHER)), case(past=labelled_week(1, 0, **OTHER))),
    ("creditor_risk_snapshot", case(more=risk(3, 10)), case(more=risk(3, 11))),
    ("creditor_risk_snapshot", case(more=risk(3, 3)), case(more=risk(2, 2))),
    ("creditor_risk_snapshot", case(more=risk(3, 3)), case()),
    ("creditor_risk_snapshot", case(more=risk(3, 3, 30 * DAY)), case(more=risk(3, 3, 30 * DAY + MICROSECOND))),
    ("mule_fan_in", case(more=risk(3, 90, payers=3)), case(more=risk(3, 3, payers=2))),
    ("mule_fan_in", case(more=risk(3, 3, payers=3)), case(more=risk(3, 3, payers=3), **CARD)),
    ("mule_fan_in", case(more=risk(3, 3, payers=3)), case(more={"debtor_risk": risk_of(3, 3, 3)})),
    (
        "new_device",
        case(100_00, habits(device="phone"), device_id="laptop", **CARD),
        case(100_00, habits(device="phone"), device_id="phone", **CARD),
    ),
    (
        "new_device",
        case(50_00, habits(5, 20_00), device_id="laptop", **CARD),
        case(49_99, habits(5, 20_00), device_id="laptop", **CARD),
    ),
    ("new_device", case(100_00, habits(), device_id="laptop", **CARD), case(100_00, habits(), **CARD)),
    (
        "shared_device",
        case(past=payers(3, device="phone"), device_id="phone"),
        case(past=payers(2, device="phone"), device_id="phone"),
    ),
    ("shared_device", case(past=payers(3, device="phone"), device_id="phone"), case(past=payers(3, device="phone"))),
    ("ip_country_differs", case(ip_country="BR"), case(ip_country="DE")),
    ("ip_country_differs", case(ip_country="BR"), case(ip_country="BR", country=None)),
    ("ip_country_differs", case(ip_country="BR"), case(ip_country=None)),
    ("cash_below_threshold", case(8_000_00, is_cash=True), case(7_999_99, is_cash=True)),
    ("cash_below_threshold", case(9_999_99, is_cash=True), case(10_000_00, is_cash=True)),
    ("cash_below_threshold", case(9_000_00, is_cash=True), case(9_000_00, is_cash=False)),
    # This one and two before it, in cash or not.
    (
        "cash_structured",
        case(8_000_00, each_minute(2, 9_999_99), is_cash=True),
        case(8_000_00, each_minute(1, 9_999_99), is_cash=True),
    ),
    (
        "cash_structured",
        case(9_999_99, each_minute(2, 8_000_00), is_cash=True),
        case(10_000_00, each_minute(3, 8_000_00), is_cash=True),
    ),
    (
        "cash_structured",
        case(8_000_00, each_minute(2, 8_000_00), is_cash=True),
        case(8_000_00, each_minute(2, 8_000_00)),
    ),
    (
        "cash_structured",
        case(8_000_00, each_minute(2, 8_000_00, is_blocked=True), is_cash=True),
        case(8_000_00, each_minute(2, 7_999_99), is_cash=True),
    ),
    ("ordered_in_future", case(more={"now": START - DAY - MICROSECOND}), case(more={"now": START - DAY})),
    (
        "history_incomplete",
        case(past=[Paid(at=START - 37 * DAY + MICROSECOND), Paid(at=START + 7 * DAY + MICROSECOND)]),
        case(past=[Paid(at=START - 37 * DAY), Paid(at=START + 7 * DAY)]),
    ),
    # Whoever orders at a counter or by a program has no device to tell of.
    ("origin_unknown", case(channel=Channel.WEB), case()),
    ("origin_unknown", case(channel=Channel.MOBILE, ip_country="DE"), case(channel=Channel.MOBILE, **ORIGIN)),
    ("origin_unknown", case(channel=Channel.WEB, device_id="phone"), case(channel=Channel.API)),
    ("payer_unknown", case(country=None, ip_country="BR"), case(country=None)),
]  # fmt: skip


def fired(given: Case, judge: Judge = JUDGE) -> dict[str, str]:
    """The rules that fire, each with its reason."""
    verdict = judge.judge(moment_of(given.ordered, given.past, **given.more)).verdict
    return {finding.rule: finding.reason for finding in verdict.findings}


@pytest.mark.parametrize(("rule", "firing", "other"), FIRES_AND_DOES_NOT)
def test_a_rule_fires_from_its_limit_on_and_not_before(rule: str, firing: Case, other: Case) -> None:
    assert fired(firing)[rule]
    assert rule not in fired(other)


def test_every_rule_is_in_the_table() -> None:
    by_model = {"model_sees_fraud", "model_is_sure"}
    assert {row[0] for row in FIRES_AND_DOES_NOT} | by_model == {rule.name for rule in SHIPPED.rules}


@pytest.mark.parametrize(
    ("score", "rules"),
    [(0.4999, set()), (0.5, {"model_sees_fraud"}), (0.8999, {"model_sees_fraud"}), (0.9, {"model_is_sure"})],
)
def test_what_the_model_says_counts_from_an_even_chance_on(score: float, rules: set[str]) -> None:
    values = dict.fromkeys(SHIPPED.fields) | JUDGED_QUIET | {"model_score": score}
    verdict = judging.judge(SHIPPED, [values[name] for name in SHIPPED.fields])
    assert {finding.rule for finding in verdict.findings} == rules


JUDGED_QUIET = dict(zip(JUDGE.fields, JUDGE.judge(moment_of(order())).values, strict=True))


def test_a_quiet_payment_is_found_nothing_against() -> None:
    assert fired(case(10_00, habits())) == fired(case()) == {}


def test_what_only_encrypted_data_tells_is_not_guessed_at() -> None:
    hidden = replace(order(ip_country="BR"), personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    assert fired(Case(hidden, [], {})) == {"payer_unknown": "ordered from BR, the payer's country unknown"}


@pytest.mark.parametrize("rule", SHIPPED.rules, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_looks_for_in_a_sentence(rule: Any) -> None:
    assert rule.meaning[0].isupper() and rule.meaning.endswith(".")


@pytest.mark.parametrize(
    ("rule", "given", "reason"),
    [
        ("amount_over_limit", case(250_00, **CARD), "250.00 EUR by card, where 220 EUR is much"),
        (
            "amount_above_maximum",
            case(250_00, habits(5, 50_00), **CARD),
            "2.5 times the largest of 30 days, about 100.00 EUR",
        ),
        (
            "amount_far_above_average",
            case(400_00, habits(), **CARD),
            "4.0 times the average, about 100.00 EUR, of 5 payments in 30 days",
        ),
        ("fan_in", case(past=payers(11)), "12 different payers within a day, 0 payments in the month before"),
        ("same_amount_again", case(250_00, each_minute(2, 250_00)), "250.00 EUR to the same payee 3 times in 10 min"),
        ("large_sum_in_day", case(1, each_minute(2, 10_000_00)), "about 20,000.01 EUR within a day"),
        ("sleeper_wakes", case(5_000_00, [Paid(at=START - 26 * DAY)]), "5000.00 EUR after 26 days of silence"),
        (
            "unusual_at_night",
            case(200_00, habits(), at=NIGHT, **CARD),
            "2.0 times the average, about 100.00 EUR, at 05h UTC",
        ),
        ("debtor_labelled_fraud", case(22_00, labelled_week(1, 8)), "1 of 9 labelled payments were fraud"),
        ("ip_country_differs", case(ip_country="BR"), "ordered from BR, payer in DE"),
        ("amount_over_limit", case(100_000, currency="JPY", **CARD), "100000 JPY by card, where 220 EUR is much"),
        ("origin_unknown", case(channel=Channel.WEB), "ordered by web, neither device nor country given"),
        ("origin_unknown", case(channel=Channel.WEB, ip_country="DE"), "ordered by web, no device given"),
        ("origin_unknown", case(channel=Channel.MOBILE, device_id="a"), "ordered by mobile, no country given"),
    ],
)  # fmt: skip
def test_a_finding_names_the_values_it_rests_on(rule: str, given: Case, reason: str) -> None:
    assert fired(given)[rule] == reason


def test_another_text_is_another_version_and_the_same_text_the_same() -> None:
    """An assessment names the rules it was made with: two sets that decide differently must not share a name."""
    texts = [rulebooks.TEXT, rulebooks.TEXT.replace("then 220", "then 221"), rulebooks.TEXT + "\n"]
    books = [compile_rulebook(text, CATALOGUE) for text in texts]
    versions = [book.version for book in books]
    assert versions[0] == SHIPPED.version
    assert len(set(versions)) == 3


def test_the_shipped_rules_go_by_the_model_but_judge_without_it() -> None:
    assert "model_score" in SHIPPED.fields
    assert "model_score" not in JUDGE.fields
    assert JUDGE.judge(moment_of(order())).model_score is None


def test_who_was_never_seen_is_judged_by_amount_and_origin_alone() -> None:
    assert fired(case(250_00, ip_country="BR", debtor=ANN, **CARD)).keys() == {
        "amount_over_limit",
        "ip_country_differs",
    }
