"""The chart of what a customer's money did in 90 days: what came in above the line, what went out below it."""

from datetime import datetime

from libs.common.record import Record
from services.compliance.desk.render import day as in_words
from services.compliance.desk.render import dollars
from services.compliance.monitoring.history import DAYS_MAX, History, day_number
from services.compliance.monitoring.movements import date_of_day, micros_of

WIDTH, HEIGHT = 900, 190
_LEFT, _RIGHT, _MIDDLE, _BAR_MAX = 8, 8, 88, 72
_STEP = (WIDTH - _LEFT - _RIGHT) / DAYS_MAX


class Bar(Record):
    """A day on which money moved."""

    x: float
    y_in: float
    height_in: float
    height_out: float
    day: str
    came: str
    went: str


class Tick(Record):
    """The first day of a month."""

    x: float
    month: str


class Activity(Record):
    """A chart, in pixels, and the same in words."""

    role: str
    name: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    came: str
    went: str
    highest: str
    """The most that came in, or went out, in a day."""
    is_empty: bool


def activity(role: str, name: str, history: History, now: datetime) -> Activity:
    """A customer's chart, up to today."""
    today = day_number(micros_of(now))
    first = today - DAYS_MAX + 1
    place = history.between_days(first, today)
    days = list(zip(history.days[place], history.in_cents[place], history.out_cents[place], strict=True))
    highest = max((max(came, went) for _, came, went in days), default=0)
    return Activity(
        role=role,
        name=name,
        bars=tuple(_bar(number, first, came, went, highest) for number, came, went in days),
        ticks=tuple(_ticks(first, today)),
        came=dollars(sum(came for _, came, _ in days)),
        went=dollars(sum(went for _, _, went in days)),
        highest=dollars(highest),
        is_empty=not days,
    )


def _bar(number: int, first: int, came: int, went: int, highest: int) -> Bar:
    height_in, height_out = (_height(cents, highest) for cents in (came, went))
    return Bar(
        x=round(_LEFT + (number - first) * _STEP, 1),
        y_in=_MIDDLE - height_in,
        height_in=height_in,
        height_out=height_out,
        day=in_words(date_of_day(number)),
        came=dollars(came),
        went=dollars(went),
    )


def _height(cents: int, highest: int) -> float:
    """Of a bar; what is little beside the rest can still be seen."""
    return max(round(cents / highest * _BAR_MAX, 1), 2.0) if cents else 0.0


def _ticks(first: int, today: int) -> list[Tick]:
    found = ((number, date_of_day(number)) for number in range(first, today + 1))
    return [
        Tick(x=round(_LEFT + (number - first) * _STEP, 1), month=on.strftime("%b"))
        for number, on in found
        if on.day == 1
    ]
