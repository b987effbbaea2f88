"""The verdict on a long run: it holds only if all was asked for, seen for long enough, forgotten in time, and flat."""

from typing import Any

import pytest

from bench.capacity import Costs
from operate import tables
from operate.tables import Bound as Growth
from soak import ageing, report
from soak.measuring import Kind, Measured
from soak.report import EXPECTED, Findings
from soak.verdict import Trend
from stack.settings import REPOSITORY, SERVICES

FLAT = Trend(middle=100, per_hour=0, at_least_per_hour=-1, allowed_per_hour=10, samples=150)
GROWING = Trend(middle=100, per_hour=50, at_least_per_hour=30, allowed_per_hour=10, samples=150)
HANDLES = (Kind.HANDLES, "payments relay")
LATENCY = (Kind.P99, "payments")


def findings(**found: Any) -> Findings:
    """Of a run of half an hour at 100 payments a second that held, but for what is named."""
    given: dict[str, Any] = {
        "seed": 1, "minutes": 30, "rate": 100.0, "sent": 180_000, "decided": 1_800, "restarts": 24, "too_short": [],
        "sizes": {}, "trends": dict.fromkeys(EXPECTED, FLAT), "left_over": {"payments.inbox": 0}, "broken": "",
        "cost": Costs(payments=180_000, cpu_ms={}, database_bytes={}, topic_bytes={}),
    }  # fmt: skip
    return Findings(**{**given, **found})


def test_a_run_that_was_asked_for_everything_and_stayed_as_it_was_holds() -> None:
    assert findings().holds
    assert "all of it held" in report.page(findings())


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"sent": 170_000}, "**Not kept up**: 94% of what was asked for"),
        ({"sent": 0}, "**Not kept up**"),
        ({"broken": "a payment has no end"}, "a payment has no end"),
        ({"decided": 0}, "**Nobody decided**"),
        ({"left_over": {"fraud.rewinds": 7}}, "**Not forgotten**: fraud.rewinds, 7 rows"),
        ({"trends": {HANDLES: GROWING}}, "**Grows**: open files of payments relay"),
        ({"too_short": [HANDLES]}, "**Not seen for long enough**: open files of payments relay"),
    ],
)
def test_what_makes_a_run_fail_is_told_at_its_top(found: dict[str, Any], told: str) -> None:
    failed = findings(**found)
    assert not failed.holds
    page = report.page(failed)
    assert "NOT all of it held" in page and told in page.split("## Flat or growing")[0]


@pytest.mark.parametrize(
    "found",
    [
        {"sent": 171_000},
        # Too short a run to say much, and what has no process of its own.
        {"minutes": 2, "sent": 12_000, "too_short": [HANDLES]},
        {"too_short": [LATENCY]},
    ],
)
def test_what_does_not(found: dict[str, Any]) -> None:
    assert findings(**found).holds


def test_what_was_never_seen_is_nothing_that_anything_can_be_said_of() -> None:
    trends, too_short = report.trends(Measured(), warm_up_seconds=180)
    assert trends == {} and set(too_short) == EXPECTED
    assert {of for kind, of in EXPECTED if kind is Kind.MEMORY} >= {"compliance worker", "features"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_that_a_job_bounds_is_aged_or_bounded_by_what_people_do(service: str) -> None:
    jobs = {name for name, table in tables.of(service).items() if table.bound is Growth.JOB}
    assert jobs == ageing.of(service).keys() | (jobs & ageing.BY_DEEDS.keys())


def test_the_page_names_each_of_them() -> None:
    page = (REPOSITORY / "docs" / "soak.md").read_text()
    named = {table for service in SERVICES for table in ageing.of(service)} | ageing.BY_DEEDS.keys()
    assert {table for table in named if f"`{table}`" not in page} == set()
