"""What is made of the payments of a window: counts, sums, habits, labels; of one side, over one width. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from libs.common.record import Record
from libs.common.rough import EUROS_PER_CENT
from services.fraud.domain import history
from services.fraud.domain.history import LABEL_DELAY_DAYS, MICROS_PER_DAY, MICROS_PER_HOUR, LabelWindow, Window
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

    __slots__ = ("_delayed", "_habits", "_highest_cents", "amount_cents", "attempts", "side", "width")

    def __init__(self, moment: Moment, side: Side, width: int) -> None:
        self.amount_cents = moment.amount_cents
        self.side = side
        self.width = width
        self.attempts: Window = side.attempts(width)
        """Of earlier payments, like every window here."""
        self._habits: Window | None = self.attempts if side.blocked is None else None
        self._delayed: LabelWindow | None = None
        self._highest_cents: int | None = None

    @property
    def habits(self) -> Window:
        if self._habits is None:
            self._habits = self.side.habits.window(self.width)
        return self._habits

    @property
    def delayed(self) -> LabelWindow:
        """The attempts of the same width that ended a week ago, which is when labels count."""
        if self._delayed is None:
            self._delayed = self.side.labels(self.width, LABEL_DELAY_MICROS)
        return self._delayed

    @property
    def highest_cents(self) -> int:
        """The largest of the habits, 0 if there are none."""
        if self._highest_cents is None:
            self._highest_cents = self.side.habits.highest_cents(self.width)
        return self._highest_cents


Measure = Callable[[Span], float | int | None]


def _attempted(span: Span) -> float:
    return EUROS_PER_CENT * (span.attempts.total_cents + span.amount_cents)


def _attempted_average(span: Span) -> float:
    return _attempted(span) / (span.attempts.payments + 1)


def _amount_to_attempted(span: Span) -> float | None:
    total_cents = span.attempts.total_cents + span.amount_cents
    return span.amount_cents * (span.attempts.payments + 1) / total_cents if total_cents else None


def _average(span: Span) -> float | None:
    return EUROS_PER_CENT * span.habits.total_cents / span.habits.payments if span.habits.payments else None


def _amount_to_average(span: Span) -> float | None:
    found = span.habits
    return span.amount_cents * found.payments / found.total_cents if found.total_cents else None


def _max(span: Span) -> float | None:
    return EUROS_PER_CENT * span.highest_cents if span.habits.payments else None


def _amount_to_max(span: Span) -> float | None:
    return span.amount_cents / span.highest_cents if span.highest_cents else None


def _deviation(span: Span) -> float | None:
    amounts = span.side.habits.amounts(span.width)
    return EUROS_PER_CENT * history.deviation_cents(amounts) if len(amounts) > 1 else None


def _amount_deviations(span: Span) -> float | None:
    amounts = span.side.habits.amounts(span.width)
    deviation = history.deviation_cents(amounts)
    return (span.amount_cents - sum(amounts) / len(amounts)) / deviation if deviation else None


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
        measure=lambda span: EUROS_PER_CENT * span.habits.total_cents, says="The sum of {who}'s habits within {width}."
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
