"""What money a week takes: by hand for round numbers, and nothing forgotten of what was measured."""

import pytest

from bench.capacity import Costs, Demand, load, plan
from stack.settings import SERVICES

COSTS = Costs(
    payments=1_000,
    cpu_ms={"payments": 10, "postgres": 30},
    database_bytes={"payments": 2_000, "accounts": 3_000},
    topic_bytes={"payments.payments.v1": 1_000, "accounts.funds.v1": 500},
)
DEMAND = Demand(weekly_volume=604_800_000, ticket=100, peak=5, utilisation=0.5, years=2)


def test_a_demand_of_round_numbers() -> None:
    found = plan(COSTS, DEMAND)
    assert found.payments_per_week == 6_048_000
    assert found.mean_per_second == 10
    assert found.peak_per_second == 50
    assert found.cores == {"payments": 1, "postgres": 3}
    assert found.cores_in_all == 4
    yearly = 6_048_000 * 52
    assert found.database_gb_per_year == pytest.approx({"payments": yearly * 2e-6, "accounts": yearly * 3e-6})
    assert found.topics_gb_per_year == pytest.approx(yearly * 1.5e-6)
    assert found.disk_tb == pytest.approx(yearly * (5e-9 * 3 + 1.5e-9 * 3) * 2)
    assert found.error_budget_minutes == pytest.approx(43.2)


def test_smaller_tickets_take_more_of_everything() -> None:
    small = plan(COSTS, Demand(ticket=10))
    large = plan(COSTS, Demand(ticket=100))
    assert small.disk_tb == pytest.approx(10 * large.disk_tb)
    assert small.peak_per_second == pytest.approx(10 * large.peak_per_second)


def test_what_the_page_goes_by_was_measured_of_every_part() -> None:
    measured = load()
    assert measured.payments >= 1_000
    assert measured.cpu_ms.keys() >= {*SERVICES, "postgres", "kafka"}
    assert measured.database_bytes.keys() == set(SERVICES)
    assert len(measured.topic_bytes) > len(SERVICES)
    assert all(value > 0 for value in (*measured.cpu_ms.values(), *measured.database_bytes.values()))
