"""Business days of the United States: when a report on blocked property is due. Pure.

A report is due within 10 business days from the date the property became blocked (31 CFR
501.603(b)(1)(i)). Business days leave out weekends and the federal holidays of 5 U.S.C. 6103; one that
falls on a Saturday is kept on the Friday before, one on a Sunday on the Monday after.
"""

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

REPORT_BUSINESS_DAYS = 10

OFFSET = timedelta(hours=-5)
"""Standard time, the earlier of Washington's two: the day is never taken for a later one than it was."""
_EASTERN = timezone(OFFSET)
_MONDAY, _THURSDAY = 0, 3


def report_due_on(blocked_at: datetime) -> date:
    """The last day on which property that was blocked at this moment may be reported."""
    return after_business_days(day_of(blocked_at), REPORT_BUSINESS_DAYS)


def day_of(at: datetime) -> date:
    """The day that a moment belongs to where reports are due."""
    return at.astimezone(_EASTERN).date()


def after_business_days(day: date, count: int) -> date:
    """The day that lies so many business days later."""
    while count:
        day += timedelta(days=1)
        if is_business_day(day):
            count -= 1
    return day


def later_by_business_days(at: datetime, count: int) -> datetime:
    """The same time of day, so many business days later."""
    on = day_of(at)
    return at + (after_business_days(on, count) - on)


def business_day_of(day: date) -> date:
    """The business day that what happens on a day belongs to: that day itself, or the next one that is.

    So cash is counted that is reported by the business day (31 CFR 1010.100(d), 1010.313): what a weekend brings
    is posted, and added up, with the Monday.
    """
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def is_business_day(day: date) -> bool:
    # New Year's Day of a year may be kept in the year before.
    return day.weekday() < 5 and day not in _holidays(day.year) and day not in _holidays(day.year + 1)


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    """The days on which the federal holidays of a year are kept."""
    fixed = (date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25))
    moving = (
        _nth(year, 1, _MONDAY, 3),
        _nth(year, 2, _MONDAY, 3),
        _nth(year, 6, _MONDAY, 1) - timedelta(days=7),
        _nth(year, 9, _MONDAY, 1),
        _nth(year, 10, _MONDAY, 2),
        _nth(year, 11, _THURSDAY, 4),
    )
    return frozenset((*map(_kept_on, fixed), *moving))


def _kept_on(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))
