"""Business days: weekends and federal holidays don't count."""

from datetime import UTC, date, datetime

import pytest

from services.compliance.domain.business_days import after_business_days, day_of, is_business_day, report_due_on


@pytest.mark.parametrize(
    "holiday",
    [
        *(
            "2026-01-01",
            "2026-01-19",
            "2026-02-16",
            "2026-05-25",
            "2026-06-19",
            "2026-07-03",
            "2026-09-07",
            "2026-10-12",
        ),
        *("2026-11-11", "2026-11-26", "2026-12-25", "2021-12-31", "2022-12-26", "2027-07-05"),
    ],
)
def test_federal_holidays_are_no_business_days_on_the_day_they_are_kept(holiday: str) -> None:
    assert not is_business_day(date.fromisoformat(holiday))


@pytest.mark.parametrize("day", ["2026-07-04", "2026-07-05"])
def test_weekends_are_no_business_days(day: str) -> None:
    assert not is_business_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2026-03-02", "2026-03-16"),
        ("2026-12-18", "2027-01-05"),
        ("2026-01-31", "2026-02-13"),
    ],
)
def test_ten_business_days_later_is_found(day: str, due: str) -> None:
    assert after_business_days(date.fromisoformat(day), 10) == date.fromisoformat(due)


def test_a_report_is_not_overdue_before_its_day_has_ended_where_it_is_due() -> None:
    assert day_of(datetime(2026, 3, 17, 3, 30, tzinfo=UTC)).isoformat() == "2026-03-16"
    assert day_of(datetime(2026, 3, 17, 6, 0, tzinfo=UTC)).isoformat() == "2026-03-17"


def test_the_day_is_counted_where_the_office_is_and_never_too_late() -> None:
    assert report_due_on(datetime(2026, 3, 3, 3, tzinfo=UTC)) == date(2026, 3, 16)
