"""What is made of the payments of a window: counts, sums, habits, labels; of one side, over one width. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from libs.common.record import Record
from services.fraud.domain import history
from services.fraud.domain.history import LABEL_DELAY_DAYS, MICROS_PER_DAY, MICROS_PER_HOUR, Window
from services.fraud.domain.moment import Moment, Side

LABEL_DELAY_MICROS = LABEL_DELAY_DAYS * MICROS_PER_DAY

WIDTHS: Mapping[str, int] = {
    "1h": MICROS_PER_HOUR,
    "1d": MICROS_PER_DAY,
    "7d": 7 * MICROS_PER_DAY,
    "30d": history.WINDOW_DAYS_MAX * MICROS_PER_DAY,
}
"""In microseconds, by what they are called in the names of features."""


class Aggregate(StrEnum):
    """What is made of the payments of a window."""

    ATTEMPTS = "attempts"
    ATTEMPTED = "attempted"
    ATTEMPTED_AVERAGE = "attempted_average"
    AMOUNT_TO_ATTEMPTED = "amount_to_attempted"
    COUNTERPARTS = "counterparts"
    COUNT = "count"
    SUM = "sum"
    AVERAGE = "average"
    AMOUNT_TO_AVERAGE = "amount_to_average"
    MAX = "max"
    AMOUNT_TO_MAX = "amount_to_max"
    DEVIATION = "deviation"
    AMOUNT_DEVIATIONS = "amount_deviations"
    DELAYED = "delayed"
    LABELLED = "labelled"
    FRAUDS = "frauds"
    FRAUD_SHARE = "fraud_share"


class Span:
    """One side of a payment over one width before it. Each window is looked at once, whatever is made of it."""

    __slots__ = ("_delayed", "_habits", "amount_minor", "attempts", "rate", "side", "width")

    def __init__(self, moment: Moment, side: Side, width: int) -> None:
        self.amount_minor = moment.order.amount_minor
        self.rate = moment.rate
        self.side = side
        self.width = width
        self.attempts: Window = side.attempts(width)
        """Of earlier payments, like every window here."""
        self._habits: Window | None = self.attempts if side.blocked is None else None
        self._delayed: Window | None = None

    @property
    def habits(self) -> Window:
        if self._habits is None:
            self._habits = self.side.habits.window(self.width)
        return self._habits

    @property
    def delayed(self) -> Window:
        """The attempts of the same width that ended a week ago, which is when labels count."""
        if self._delayed is None:
            self._delayed = self.side.attempts(self.width, LABEL_DELAY_MICROS)
        return self._delayed


Measure = Callable[[Span], float | int | None]


def _attempted(span: Span) -> float:
    return span.rate * (span.attempts.total_minor + span.amount_minor)


def _attempted_average(span: Span) -> float:
    return _attempted(span) / (span.attempts.payments + 1)


def _amount_to_attempted(span: Span) -> float | None:
    total_minor = span.attempts.total_minor + span.amount_minor
    return span.amount_minor * (span.attempts.payments + 1) / total_minor if total_minor else None


def _average(span: Span) -> float | None:
    return span.rate * span.habits.total_minor / span.habits.payments if span.habits.payments else None


def _amount_to_average(span: Span) -> float | None:
    found = span.habits
    return span.amount_minor * found.payments / found.total_minor if found.total_minor else None


def _max(span: Span) -> float | None:
    return span.rate * span.side.habits.highest_minor(span.width) if span.habits.payments else None


def _amount_to_max(span: Span) -> float | None:
    highest_minor = span.side.habits.highest_minor(span.width)
    return span.amount_minor / highest_minor if highest_minor else None


def _deviation(span: Span) -> float | None:
    amounts = span.side.habits.amounts(span.width)
    return span.rate * history.deviation_minor(amounts) if len(amounts) > 1 else None


def _amount_deviations(span: Span) -> float | None:
    amounts = span.side.habits.amounts(span.width)
    deviation = history.deviation_minor(amounts)
    return (span.amount_minor - sum(amounts) / len(amounts)) / deviation if deviation else None


def _fraud_share(span: Span) -> float | None:
    return span.delayed.frauds / span.delayed.payments if span.delayed.payments else None


class Definition(Record):
    """An aggregate: how it is found, and what it means."""

    measure: Measure
    can_be_missing: bool = False
    says: str
    """With the side as `{who}`, its counterparts as `{others}`, and the width as `{width}`."""


DEFINITIONS: Mapping[Aggregate, Definition] = {
    Aggregate.ATTEMPTS: Definition(
        measure=lambda span: span.attempts.payments + 1,
        says="Payments of {who} within {width}, this one included, whatever came of them.",
    ),
    Aggregate.ATTEMPTED: Definition(measure=_attempted, says="The sum of {who}'s attempts within {width}."),
    Aggregate.ATTEMPTED_AVERAGE: Definition(
        measure=_attempted_average, says="The average of {who}'s attempts within {width}."
    ),
    Aggregate.AMOUNT_TO_ATTEMPTED: Definition(
        measure=_amount_to_attempted,
        can_be_missing=True,
        says="The amount as a multiple of the average of {who}'s attempts within {width}.",
    ),
    Aggregate.COUNTERPARTS: Definition(
        measure=lambda span: span.side.counterpart_count(span.width),
        says="Different {others} among {who}'s attempts within {width}, this one included.",
    ),
    Aggregate.COUNT: Definition(
        measure=lambda span: span.habits.payments,
        says="Earlier payments of {who} within {width} that fraud did not block: habits.",
    ),
    Aggregate.SUM: Definition(
        measure=lambda span: span.rate * span.habits.total_minor, says="The sum of {who}'s habits within {width}."
    ),
    Aggregate.AVERAGE: Definition(
        measure=_average, can_be_missing=True, says="The average of {who}'s habits within {width}."
    ),
    Aggregate.AMOUNT_TO_AVERAGE: Definition(
        measure=_amount_to_average,
        can_be_missing=True,
        says="The amount as a multiple of the average of {who}'s habits within {width}.",
    ),
    Aggregate.MAX: Definition(measure=_max, can_be_missing=True, says="The largest of {who}'s habits within {width}."),
    Aggregate.AMOUNT_TO_MAX: Definition(
        measure=_amount_to_max,
        can_be_missing=True,
        says="The amount as a multiple of the largest of {who}'s habits within {width}.",
    ),
    Aggregate.DEVIATION: Definition(
        measure=_deviation,
        can_be_missing=True,
        says="The standard deviation of {who}'s habits within {width}; missing for fewer than two.",
    ),
    Aggregate.AMOUNT_DEVIATIONS: Definition(
        measure=_amount_deviations,
        can_be_missing=True,
        says="How many standard deviations the amount is above the average of {who}'s habits within {width}.",
    ),
    Aggregate.DELAYED: Definition(
        measure=lambda span: span.delayed.payments,
        says="Attempts of {who} in {width} that ended a week ago, which is when labels count.",
    ),
    Aggregate.LABELLED: Definition(
        measure=lambda span: span.delayed.labelled,
        says="Labelled ones among {who}'s attempts in {width} that ended a week ago.",
    ),
    Aggregate.FRAUDS: Definition(
        measure=lambda span: span.delayed.frauds,
        says="What turned out to be fraud of {who}'s attempts in {width} that ended a week ago.",
    ),
    Aggregate.FRAUD_SHARE: Definition(
        measure=_fraud_share,
        can_be_missing=True,
        says="The share of fraud in {who}'s attempts in {width} that ended a week ago; missing if there are none.",
    ),
}
