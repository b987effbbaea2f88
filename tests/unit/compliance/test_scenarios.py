"""What each scenario finds, and what it must not: a table for each, with what lies just beside its limits."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from schemas.accounts.events import CustomerKind
from services.compliance.monitoring.parameters import Scenario
from tests.unit.compliance.money import (
    ANN,
    DAY,
    HOUR,
    START,
    Move,
    found,
    gets,
    pays,
    person,
    scenarios,
    standards,
)

SECOND = timedelta(seconds=1)
NOW = timedelta(0)
PAYERS = ("p1", "p2", "p3", "p4", "p5", "p6")


def is_found(scenario: Scenario, moves: Sequence[Move]) -> bool:
    return scenario in scenarios(found(moves))


def cash(dollars: float, after: timedelta = NOW) -> Move:
    return gets(dollars, after, is_cash=True)


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([cash(10_000.01)], True),
        ([cash(10_000)], False),
        ([cash(6_000), cash(4_000, HOUR)], False),
        ([cash(6_000), cash(4_000.01, HOUR)], True),
        # In and out are not added up.
        ([cash(6_000), pays(6_000, HOUR, is_cash=True)], False),
        ([pays(6_000, NOW, is_cash=True), pays(6_000, HOUR, is_cash=True)], True),
        # Only cash is.
        ([gets(50_000, NOW)], False),
        # Two business days.
        ([cash(6_000), cash(6_000, DAY)], False),
        # Friday is one day, Saturday to Monday another: what a weekend brings is counted with the Monday.
        ([cash(6_000, 2 * DAY), cash(6_000, 3 * DAY)], False),
        ([cash(6_000, 3 * DAY), cash(6_000, 5 * DAY)], True),
        ([cash(4_000, 3 * DAY), cash(4_000, 4 * DAY), cash(4_000, 5 * DAY)], True),
        ([cash(6_000, 5 * DAY), cash(6_000, 6 * DAY)], False),
        # Just before and just after midnight, where reports are due.
        ([cash(6_000, 14 * HOUR - SECOND), cash(6_000, 14 * HOUR)], False),
        ([cash(6_000, 13 * HOUR), cash(6_000, 14 * HOUR - SECOND)], True),
        # In whatever order they come.
        ([cash(100, 3 * DAY), cash(6_000, HOUR), cash(6_000, NOW)], True),
    ],
)
def test_cash_over_ten_thousand_dollars_of_one_business_day_is_to_be_reported(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.CASH_REPORT, moves) is is_one


def test_a_business_day_is_told_once_for_each_direction_and_names_all_its_cash() -> None:
    findings = found([cash(6_000), cash(6_000, HOUR), cash(6_000, 2 * HOUR), pays(11_000, 3 * HOUR, is_cash=True)])
    reports = [finding for finding in findings if finding.scenario is Scenario.CASH_REPORT]
    assert [report.values["direction"] for report in reports] == ["in", "out"]
    assert reports[0].values == {"total_cents": 1_200_000, "business_day": "2026-01-07", "direction": "in"}
    assert len(reports[0].payment_ids) == 2


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([cash(9_000), cash(9_000, DAY), cash(9_000, 2 * DAY)], True),
        ([cash(8_000), cash(9_999.99, DAY), cash(9_000, 2 * DAY)], True),
        ([cash(9_000), cash(9_000, DAY)], False),
        ([cash(7_999.99), cash(9_000, DAY), cash(9_000, 2 * DAY)], False),
        ([cash(10_000), cash(9_000, DAY), cash(9_000, 2 * DAY)], False),
        ([cash(9_000), cash(9_000, DAY), cash(9_000, 5 * DAY - SECOND)], True),
        ([cash(9_000), cash(9_000, DAY), cash(9_000, 5 * DAY)], False),
        ([gets(9_000, NOW), gets(9_000, DAY), gets(9_000, 2 * DAY)], False),
        ([pays(9_000, n * DAY, is_cash=True) for n in range(3)], False),
        # The second comes last.
        ([cash(9_000), cash(9_000, 2 * DAY), cash(9_000, DAY)], True),
        # The one that comes late makes a window whole that ends later, and not with it.
        ([cash(9_000, 2 * DAY), cash(9_000, 4 * DAY), cash(9_000, NOW)], True),
        ([cash(9_000, 2 * DAY), cash(9_000, 5 * DAY), cash(9_000, NOW)], False),
    ],
)
def test_cash_paid_in_just_below_the_limit_again_and_again(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.STRUCTURING, moves) is is_one


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([gets(6_000, NOW), pays(5_400, DAY)], True),
        ([gets(6_000, NOW), pays(5_399.99, DAY)], False),
        ([gets(6_000, NOW), pays(3_000, DAY), pays(2_400, 2 * DAY, to="dora")], True),
        ([gets(5_000, NOW), pays(5_000, DAY)], True),
        ([gets(4_999.99, NOW), pays(4_999.99, DAY)], False),
        ([gets(6_000, NOW), pays(6_000, 3 * DAY - SECOND)], True),
        ([gets(6_000, NOW), pays(6_000, 3 * DAY)], False),
        # What went out before anything came in is not what came in.
        ([pays(6_000, NOW), gets(6_000, HOUR)], False),
        ([gets(6_000, DAY), pays(100, 2 * DAY), pays(6_000, NOW)], False),
        # What came in comes late.
        ([pays(6_000, HOUR), gets(6_000, NOW)], True),
    ],
)
def test_what_comes_in_and_is_soon_gone_again(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.RAPID_MOVEMENT, moves) is is_one


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([gets(500, n * HOUR, of=PAYERS[n]) for n in range(5)], True),
        ([gets(500, n * HOUR, of=PAYERS[n]) for n in range(4)], False),
        ([gets(500, n * HOUR, of=PAYERS[n % 4]) for n in range(8)], False),
        ([gets(399.99, n * HOUR, of=PAYERS[n]) for n in range(5)], False),
        ([gets(500, n * (6 * HOUR - SECOND), of=PAYERS[n]) for n in range(5)], True),
        ([gets(500, n * 6 * HOUR, of=PAYERS[n]) for n in range(5)], False),
        ([pays(500, n * HOUR, to=PAYERS[n]) for n in range(5)], False),
        # Out of order.
        ([gets(500, n * HOUR, of=PAYERS[n]) for n in (4, 0, 3, 1, 2)], True),
    ],
)
def test_many_payers_in_a_day(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.FAN_IN, moves) is is_one


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([pays(500, n * HOUR, to=PAYERS[n]) for n in range(5)], True),
        ([pays(500, n * HOUR, to=PAYERS[n]) for n in range(4)], False),
        ([pays(500, n * HOUR, to=PAYERS[n % 4]) for n in range(8)], False),
        ([pays(500, n * 6 * HOUR, to=PAYERS[n]) for n in range(5)], False),
        ([gets(500, n * HOUR, of=PAYERS[n]) for n in range(5)], False),
    ],
)
def test_many_payees_in_a_day(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.FAN_OUT, moves) is is_one


def test_of_a_company_many_payers_are_no_more_than_business() -> None:
    moves = [gets(500, n * HOUR, of=PAYERS[n]) for n in range(5)]
    assert Scenario.FAN_IN in scenarios(found(moves, known=[person(kind=CustomerKind.PERSON)]))
    assert Scenario.FAN_IN not in scenarios(found(moves, known=[person(kind=CustomerKind.COMPANY)]))


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([pays(10, NOW), pays(5_000, 90 * DAY)], True),
        ([pays(10, NOW), gets(5_000, 90 * DAY)], True),
        ([pays(10, NOW), pays(4_999.99, 90 * DAY)], False),
        ([pays(10, NOW), pays(5_000, 90 * DAY - SECOND)], False),
        ([pays(10, NOW), pays(10, 45 * DAY), pays(5_000, 91 * DAY)], False),
        # It wakes with something small, to try.
        ([pays(10, NOW), pays(1, 100 * DAY), pays(4_999, 100 * DAY + 72 * HOUR)], True),
        ([pays(10, NOW), pays(1, 100 * DAY), pays(5_000, 100 * DAY + 72 * HOUR + SECOND)], False),
        # A new customer has rested from nothing.
        ([pays(50_000, NOW)], False),
        # The one between comes late: the rest that is left is long enough, or is not.
        ([pays(10, NOW), pays(1, 100 * DAY), pays(1, 99 * DAY), pays(5_000, 101 * DAY)], True),
        ([pays(10, NOW), pays(1, 100 * DAY), pays(1, 50 * DAY), pays(5_000, 101 * DAY)], False),
    ],
)
def test_a_large_sum_after_months_without_any_movement(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.DORMANCY, moves) is is_one


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([gets(1_000, NOW), pays(1_000, HOUR), gets(700, 2 * HOUR), pays(700, 3 * HOUR)], True),
        ([gets(1_000, NOW), pays(900, HOUR), gets(700, 2 * HOUR), pays(630, 3 * HOUR)], True),
        ([gets(1_000, NOW), pays(889.99, HOUR), gets(700, 2 * HOUR), pays(700, 3 * HOUR)], False),
        ([gets(1_000, NOW), pays(1_010, HOUR), gets(700, 2 * HOUR), pays(700, 3 * HOUR)], True),
        ([gets(1_000, NOW), pays(1_010.01, HOUR), gets(700, 2 * HOUR), pays(700, 3 * HOUR)], False),
        ([gets(1_000, NOW), pays(1_000, HOUR)], False),
        ([gets(499.99, NOW), pays(499.99, HOUR), gets(700, 2 * HOUR), pays(700, 3 * HOUR)], False),
        # Money given back to the one it came from is a refund.
        ([gets(1_000, NOW), pays(1_000, HOUR, to="bob"), gets(700, 2 * HOUR), pays(700, 3 * HOUR)], False),
        ([gets(1_000, NOW), pays(1_000, HOUR), gets(700, 25 * HOUR), pays(700, 26 * HOUR)], False),
        # One amount that came in is mirrored once.
        ([gets(1_000, NOW), pays(1_000, HOUR), pays(1_000, 2 * HOUR)], False),
    ],
)
def test_amounts_that_are_passed_on_as_they_came(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.MIRRORED_AMOUNTS, moves) is is_one


def usual(count: int = 5, most: float = 4_000) -> list[Move]:
    return [pays(most if n == 0 else 100, n * DAY) for n in range(count)]


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([*usual(), pays(6_000, 10 * DAY)], True),
        ([*usual(), pays(5_999.99, 10 * DAY)], False),
        ([*usual(4), pays(6_000, 10 * DAY)], False),
        ([*usual(most=3_000), pays(4_999, 10 * DAY)], False),
        ([*usual(), gets(60_000, 10 * DAY)], False),
        # Half a year ago is not lately.
        ([pays(50_000, NOW), *(pays(100, (95 + n) * DAY) for n in range(5)), pays(5_000, 101 * DAY)], True),
        ([pays(50_000, 20 * DAY), *(pays(100, (95 + n) * DAY) for n in range(5)), pays(5_000, 101 * DAY)], False),
    ],
)
def test_far_more_than_ever_before(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.OWN_MAXIMUM, moves) is is_one


@pytest.mark.parametrize(
    ("country", "move", "is_one"),
    [
        ("KP", pays(0.01, NOW), True),
        ("KP", gets(0.01, NOW, of="carl"), True),
        ("DE", pays(90_000, NOW), False),
        (None, pays(90_000, NOW), False),
        ("DZ", pays(3_000, NOW), True),
        ("DZ", pays(2_999.99, NOW), False),
        # Until the day it was taken off the list, the time zone's own.
        ("DZ", pays(3_000, 2 * DAY + 14 * HOUR - SECOND), True),
        ("DZ", pays(3_000, 2 * DAY + 14 * HOUR), False),
    ],
)
def test_money_from_and_to_countries_on_a_list(country: str | None, move: Move, is_one: bool) -> None:
    findings = found([move], known=[person("carl", country=country)])
    assert (Scenario.HIGH_RISK_COUNTRY in scenarios(findings)) is is_one


def test_who_lives_in_such_a_country_is_not_told_of_for_every_payment() -> None:
    assert not found([pays(100, NOW)], known=[person(ANN, country="KP")])


@pytest.mark.parametrize(
    ("moves", "is_one"),
    [
        ([pays(1_000 * (n + 1), n * DAY) for n in range(5)], True),
        ([pays(1_000 * (n + 1), n * DAY) for n in range(4)], False),
        ([pays(1_000 * (n + 1) + 0.5, n * DAY) for n in range(5)], False),
        ([pays(1_100, n * DAY) for n in range(5)], False),
        ([pays(1_000, n * DAY) if n % 2 else gets(1_000, n * DAY) for n in range(5)], True),
        ([pays(1_000, n * 2 * DAY) for n in range(5)], False),
    ],
)
def test_many_round_amounts(moves: list[Move], is_one: bool) -> None:
    assert is_found(Scenario.ROUND_AMOUNTS, moves) is is_one


@pytest.mark.parametrize(
    ("registered_after", "moves", "is_one"),
    [
        (NOW, [gets(5_000, DAY), pays(4_000, 20 * DAY)], True),
        (NOW, [gets(5_000, DAY), pays(3_999.99, 20 * DAY)], False),
        (NOW, [gets(4_999.99, DAY), pays(4_999, 20 * DAY)], False),
        (NOW, [gets(5_000, DAY), pays(5_000, 30 * DAY)], True),
        (NOW, [gets(5_000, DAY), pays(5_000, 30 * DAY + SECOND)], False),
        (-40 * DAY, [gets(5_000, DAY), pays(5_000, 2 * DAY)], False),
        (None, [gets(5_000, DAY), pays(5_000, 2 * DAY)], False),
    ],
)
def test_through_a_new_customer_money_only_passes(
    registered_after: timedelta | None, moves: list[Move], is_one: bool
) -> None:
    since = None if registered_after is None else START + registered_after
    findings = found(moves, known=[person(registered_at=since)])
    assert (Scenario.NEW_ACCOUNT in scenarios(findings)) is is_one


def test_every_scenario_but_cycles_has_its_table_here() -> None:
    told = {
        Scenario.CASH_REPORT, Scenario.STRUCTURING, Scenario.RAPID_MOVEMENT, Scenario.FAN_IN, Scenario.FAN_OUT,
        Scenario.DORMANCY, Scenario.MIRRORED_AMOUNTS, Scenario.OWN_MAXIMUM, Scenario.HIGH_RISK_COUNTRY,
        Scenario.ROUND_AMOUNTS, Scenario.NEW_ACCOUNT,
    }  # fmt: skip
    assert told == set(Scenario) - {Scenario.CYCLE}


def test_the_same_is_not_told_again_within_the_quiet_time() -> None:
    moves = [gets(500, n * HOUR, of=f"p{n}") for n in range(40)]
    fans = [finding for finding in found(moves) if finding.scenario is Scenario.FAN_IN]
    assert [finding.at_micros for finding in fans] == [
        found(moves[:5])[-1].at_micros,
        found(moves[:29])[-1].at_micros,
    ]


def test_a_finding_names_what_it_rests_on() -> None:
    (finding,) = found([gets(6_000, NOW), pays(5_500, DAY)])
    assert finding.reason == "$6,000 came in and $5,500 went out again within 72 hours"
    assert finding.values == {"inflow_cents": 600_000, "outflow_cents": 550_000}
    assert len(finding.payment_ids) == 2


def test_what_is_off_finds_nothing_and_other_parameters_find_something_else() -> None:
    moves = [gets(6_000, NOW), pays(5_400, DAY)]
    assert not found(moves, held_against=standards(Scenario.RAPID_MOVEMENT, is_on=False))
    assert not found(moves, held_against=standards(Scenario.RAPID_MOVEMENT, share_percent=91))
    assert found(moves, held_against=standards(Scenario.RAPID_MOVEMENT, share_percent=90))
