"""Every feature, with its one definition. Live decisions, backtests and training sets all come through `gather`. Pure.

A value means: this payment plus those decided before it whose event time lies in (t - w, t]. Labels
count a week after the payment they speak of, for by then most have come; a window of labels is
(t - 7 d - w, t - 7 d]. Amounts are in rough euros.

    {side}_attempts_{w}                  how many, this one included; whatever came of them
    {side}_attempted_{w}                 their sum, and …_attempted_average_{w}
    {side}_payees_{w} or payers_{w}      how many different ones
    {side}_count_{w}                     earlier ones that fraud did not block; sum, average, max, deviation of them
    {side}_frauds_{w}                    what turned out to be fraud; labelled, fraud_share
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from libs.common.record import Record
from schemas.payments.events import Channel
from services.fraud.domain import history
from services.fraud.domain.entities import CreditorRisk, EntityKind
from services.fraud.domain.euros import euros, shown
from services.fraud.domain.history import (
    LABEL_DELAY_DAYS,
    MICROS_PER_DAY,
    MICROS_PER_HOUR,
    MICROS_PER_SECOND,
    Window,
)
from services.fraud.domain.moment import Moment, Side
from services.fraud.domain.rulebook.fields import Field, Kind

Value = float | int | str | bool | frozenset[str] | None
"""None where it is missing."""

LABEL_DELAY_MICROS = LABEL_DELAY_DAYS * MICROS_PER_DAY
NIGHT_HOUR_LAST = 6
"""The published features of the Fraud Detection Handbook call it night until 06:59."""
SAME_AMOUNT_MINUTES = 10
CASH_THRESHOLD = 10_000.0
"""Where cash must be reported (in the United States from 10,000 dollars, 31 CFR 1010.311), in rough euros."""
CASH_BAND = 2_000.0
"""So far below the threshold cash looks as if it were meant to stay below."""
CASH_DAYS = 5
SNAPSHOT_DAYS_MAX = 30
"""A snapshot of the features worker whose newest label is older says nothing any more."""

_PROGRAMS = frozenset({Channel.API, Channel.FILE, Channel.UNKNOWN})
_SATURDAY = 5
_THURSDAY = 3
"""The weekday of 1970-01-01."""


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


class Feature(Record):
    """One thing that is known of a payment when it is judged, and how it is found."""

    field: Field
    value: Callable[[Moment], Value]


WINDOWS = {
    "1h": MICROS_PER_HOUR,
    "1d": MICROS_PER_DAY,
    "7d": 7 * MICROS_PER_DAY,
    "30d": history.WINDOW_DAYS_MAX * MICROS_PER_DAY,
}


def gather(features: Sequence[Feature], moment: Moment) -> list[Value]:
    """The values of features, in their order."""
    return [feature.value(moment) for feature in features]


def chosen(names: Iterable[str]) -> list[Feature]:
    """Features by their names. Raises KeyError for one that doesn't exist."""
    return [FEATURES[name] for name in names]


# Aggregates: each from one side of a payment, the payment itself, and a width.

Measure = Callable[[Moment, Side, int], Value]


def _amount(moment: Moment) -> float:
    return euros(moment.order.amount_minor, moment.order.currency)


def _in_euros(moment: Moment, amount_minor: float) -> float:
    return euros(1, moment.order.currency) * amount_minor


def _attempted_minor(moment: Moment, side: Side, width: int) -> int:
    return side.attempts(width).total_minor + moment.order.amount_minor


def _attempted_average(moment: Moment, side: Side, width: int) -> float:
    average_minor = _attempted_minor(moment, side, width) / (side.attempts(width).payments + 1)
    return _in_euros(moment, average_minor)


def _amount_to_attempted(moment: Moment, side: Side, width: int) -> float | None:
    total_minor = _attempted_minor(moment, side, width)
    count = side.attempts(width).payments + 1
    return moment.order.amount_minor * count / total_minor if total_minor else None


def _average(moment: Moment, side: Side, width: int) -> float | None:
    found = side.habits.window(width)
    return _in_euros(moment, found.total_minor / found.payments) if found.payments else None


def _amount_to_average(moment: Moment, side: Side, width: int) -> float | None:
    found = side.habits.window(width)
    return moment.order.amount_minor * found.payments / found.total_minor if found.total_minor else None


def _max(moment: Moment, side: Side, width: int) -> float | None:
    highest_minor = side.habits.highest_minor(width)
    return _in_euros(moment, highest_minor) if side.habits.window(width).payments else None


def _amount_to_max(moment: Moment, side: Side, width: int) -> float | None:
    highest_minor = side.habits.highest_minor(width)
    return moment.order.amount_minor / highest_minor if highest_minor else None


def _deviation(moment: Moment, side: Side, width: int) -> float | None:
    amounts = side.habits.amounts(width)
    return _in_euros(moment, history.deviation_minor(amounts)) if len(amounts) > 1 else None


def _amount_deviations(moment: Moment, side: Side, width: int) -> float | None:
    """How many standard deviations the amount is above the average of those that are kept one by one."""
    amounts = side.habits.amounts(width)
    deviation = history.deviation_minor(amounts)
    return (moment.order.amount_minor - sum(amounts) / len(amounts)) / deviation if deviation else None


def _delayed(side: Side, width: int) -> Window:
    return side.attempts(width, LABEL_DELAY_MICROS)


def _fraud_share(_: Moment, side: Side, width: int) -> float | None:
    found = _delayed(side, width)
    return found.frauds / found.payments if found.payments else None


class _Meaning(Record):
    measure: Measure
    can_be_missing: bool = False
    says: str
    """With the side as `{who}`, its counterparts as `{others}`, and the width as `{width}`."""


_MEANINGS = {
    Aggregate.ATTEMPTS: _Meaning(
        measure=lambda _, side, width: side.attempts(width).payments + 1,
        says="Payments of {who} within {width}, this one included, whatever came of them.",
    ),
    Aggregate.ATTEMPTED: _Meaning(
        measure=lambda moment, side, width: _in_euros(moment, _attempted_minor(moment, side, width)),
        says="Sum of the attempts of {who} within {width}, this one included.",
    ),
    Aggregate.ATTEMPTED_AVERAGE: _Meaning(
        measure=_attempted_average, says="Average of the attempts of {who} within {width}, this one included."
    ),
    Aggregate.AMOUNT_TO_ATTEMPTED: _Meaning(
        measure=_amount_to_attempted,
        can_be_missing=True,
        says="The amount as a multiple of the average attempt of {who} within {width}, this one included.",
    ),
    Aggregate.COUNTERPARTS: _Meaning(
        measure=lambda _, side, width: side.counterpart_count(width),
        says="Different {others} among the attempts of {who} within {width}, this one included.",
    ),
    Aggregate.COUNT: _Meaning(
        measure=lambda _, side, width: side.habits.window(width).payments,
        says="Earlier payments of {who} within {width} that fraud did not block.",
    ),
    Aggregate.SUM: _Meaning(
        measure=lambda moment, side, width: _in_euros(moment, side.habits.window(width).total_minor),
        says="Sum of earlier payments of {who} within {width}.",
    ),
    Aggregate.AVERAGE: _Meaning(
        measure=_average,
        can_be_missing=True,
        says="Average of earlier payments of {who} within {width}; missing if there are none.",
    ),
    Aggregate.AMOUNT_TO_AVERAGE: _Meaning(
        measure=_amount_to_average,
        can_be_missing=True,
        says="The amount as a multiple of the average earlier payment of {who} within {width}.",
    ),
    Aggregate.MAX: _Meaning(
        measure=_max,
        can_be_missing=True,
        says="The largest of earlier payments of {who} within {width}; missing if there are none.",
    ),
    Aggregate.AMOUNT_TO_MAX: _Meaning(
        measure=_amount_to_max,
        can_be_missing=True,
        says="The amount as a multiple of the largest earlier payment of {who} within {width}.",
    ),
    Aggregate.DEVIATION: _Meaning(
        measure=_deviation,
        can_be_missing=True,
        says="Standard deviation of earlier payments of {who} within {width}; missing for fewer than two.",
    ),
    Aggregate.AMOUNT_DEVIATIONS: _Meaning(
        measure=_amount_deviations,
        can_be_missing=True,
        says="How many standard deviations the amount is above the average of {who} within {width}.",
    ),
    Aggregate.DELAYED: _Meaning(
        measure=lambda _, side, width: _delayed(side, width).payments,
        says="Attempts of {who} in {width} that ended a week ago, which is when labels count.",
    ),
    Aggregate.LABELLED: _Meaning(
        measure=lambda _, side, width: _delayed(side, width).labelled,
        says="How many attempts of {who} in {width} that ended a week ago are labelled.",
    ),
    Aggregate.FRAUDS: _Meaning(
        measure=lambda _, side, width: _delayed(side, width).frauds,
        says="How many attempts of {who} in {width} that ended a week ago were fraud.",
    ),
    Aggregate.FRAUD_SHARE: _Meaning(
        measure=_fraud_share,
        can_be_missing=True,
        says="The share of fraud among attempts of {who} in {width} that ended a week ago; missing if there are none.",
    ),
}

_OF_DEVICES = frozenset(
    {
        Aggregate.ATTEMPTS,
        Aggregate.COUNTERPARTS,
        Aggregate.COUNT,
        Aggregate.DELAYED,
        Aggregate.LABELLED,
        Aggregate.FRAUDS,
        Aggregate.FRAUD_SHARE,
    }
)
"""No sums: a device may serve accounts of several currencies."""

_SIDES = {
    EntityKind.DEBTOR: ("the payer", "payees"),
    EntityKind.CREDITOR: ("the payee", "payers"),
    EntityKind.DEVICE: ("the device", "payers"),
}
_WIDTHS = {"1h": "an hour", "1d": "a day", "7d": "7 days", "30d": "30 days"}


def _windowed(kind: EntityKind, aggregate: Aggregate, width: str) -> Feature:
    meaning, width_micros = _MEANINGS[aggregate], WINDOWS[width]
    who, others = _SIDES[kind]
    what = others if aggregate is Aggregate.COUNTERPARTS else aggregate.value
    field = Field(
        name=f"{kind.value}_{what}_{width}",
        kind=Kind.NUMBER,
        can_be_missing=meaning.can_be_missing or kind is EntityKind.DEVICE,
        meaning=meaning.says.format(who=who, others=others, width=_WIDTHS[width]),
    )
    return Feature(field=field, value=_of_side(kind, meaning.measure, width_micros))


def _of_side(kind: EntityKind, measure: Measure, width: int) -> Callable[[Moment], Value]:
    if kind is EntityKind.DEBTOR:
        return lambda moment: measure(moment, moment.debtor, width)
    if kind is EntityKind.CREDITOR:
        return lambda moment: measure(moment, moment.creditor, width)
    return lambda moment: None if moment.device is None else measure(moment, moment.device, width)


# What is no aggregate of a window.


def _number(name: str, meaning: str, value: Callable[[Moment], Value], *, can_be_missing: bool = False) -> Feature:
    return _feature(name, Kind.NUMBER, meaning, value, can_be_missing)


def _flag(name: str, meaning: str, value: Callable[[Moment], Value], *, can_be_missing: bool = False) -> Feature:
    return _feature(name, Kind.FLAG, meaning, value, can_be_missing)


def _text(name: str, meaning: str, value: Callable[[Moment], Value], *, can_be_missing: bool = False) -> Feature:
    return _feature(name, Kind.TEXT, meaning, value, can_be_missing)


def _feature(name: str, kind: Kind, meaning: str, value: Callable[[Moment], Value], can_be_missing: bool) -> Feature:
    return Feature(field=Field(name=name, kind=kind, meaning=meaning, can_be_missing=can_be_missing), value=value)


def is_below_cash_threshold(amount_euros: float) -> bool:
    """Whether an amount lies so little below the cash threshold that it seems meant to."""
    return CASH_THRESHOLD - CASH_BAND <= amount_euros < CASH_THRESHOLD


def _hour(moment: Moment) -> int:
    return moment.at_micros // MICROS_PER_HOUR % 24


def _is_weekend(moment: Moment) -> bool:
    return (moment.at_micros // MICROS_PER_DAY + _THURSDAY) % 7 >= _SATURDAY


def _same_amount(moment: Moment) -> int:
    wanted = moment.order.amount_minor, moment.debtor.counterpart
    width = SAME_AMOUNT_MINUTES * 60 * MICROS_PER_SECOND
    return 1 + sum(attempt == wanted for attempt in moment.debtor.attempted(width))


def _near_cash_threshold(moment: Moment) -> int:
    rate = euros(1, moment.order.currency)
    attempted = (amount_minor for amount_minor, _ in moment.debtor.attempted(CASH_DAYS * MICROS_PER_DAY))
    earlier = sum(is_below_cash_threshold(rate * amount_minor) for amount_minor in attempted)
    return earlier + is_below_cash_threshold(_amount(moment))


def _idle_days(moment: Moment) -> float | None:
    newest = moment.debtor.habits.newest_micros
    return None if newest is None else (moment.at_micros - newest) / MICROS_PER_DAY


def _creditor_is_new(moment: Moment) -> bool | None:
    knows = moment.debtor.knows_counterpart(WINDOWS["30d"])
    return None if knows is None else not knows


def _device_is_new(moment: Moment) -> bool | None:
    knows = None if moment.device is None else moment.device.knows_counterpart(WINDOWS["30d"])
    return None if knows is None else not knows


def _snapshot(moment: Moment) -> CreditorRisk | None:
    risk = moment.creditor.entity.risk
    if risk is None or risk.as_of_micros < moment.at_micros - SNAPSHOT_DAYS_MAX * MICROS_PER_DAY:
        return None
    return risk


def _snapshot_frauds(moment: Moment) -> int | None:
    risk = _snapshot(moment)
    return None if risk is None else risk.fraud_count


def _snapshot_labelled(moment: Moment) -> int | None:
    risk = _snapshot(moment)
    return None if risk is None else risk.labelled_count


def _country(moment: Moment, *, of_debtor: bool) -> str | None:
    if moment.personal is None:
        return None
    return (moment.personal.debtor if of_debtor else moment.personal.creditor).country


_CHANNEL = Feature(
    field=Field(
        name="channel",
        kind=Kind.SYMBOL,
        meaning="How the payment was ordered.",
        symbols=tuple(channel.value for channel in Channel),
    ),
    value=lambda moment: moment.order.channel.value,
)

_PLAIN = (
    _number("amount", "The amount, in rough euros.", _amount),
    _text(
        "ordered_amount",
        "The amount as it was ordered, for reasons.",
        lambda moment: shown(moment.order.amount_minor, moment.order.currency),
    ),
    _text("currency", "The currency of the amount.", lambda moment: moment.order.currency),
    _CHANNEL,
    _flag(
        "is_by_program",
        "Ordered through a file or an API, where many payments at once say nothing.",
        lambda moment: moment.order.channel in _PROGRAMS,
    ),
    _flag("is_cash", "Cash is paid in or out.", lambda moment: moment.order.is_cash),
    _number("hour", "Of the day it was ordered at, UTC.", _hour),
    _flag("is_night", "Ordered before 7 o'clock, UTC.", lambda moment: _hour(moment) <= NIGHT_HOUR_LAST),
    _flag("is_weekend", "Ordered on a Saturday or Sunday, UTC.", _is_weekend),
    _text("ip_country", "Where the order came from.", lambda moment: moment.order.ip_country, can_be_missing=True),
    _text(
        "debtor_country",
        "Where the payer lives.",
        lambda moment: _country(moment, of_debtor=True),
        can_be_missing=True,
    ),
    _text(
        "creditor_country",
        "Where the payee lives.",
        lambda moment: _country(moment, of_debtor=False),
        can_be_missing=True,
    ),
    _number(
        "debtor_same_amount_10m",
        "Attempts to pay this very amount to this very payee within 10 minutes, this one included.",
        _same_amount,
    ),
    _number(
        "debtor_near_cash_threshold_5d",
        "Attempts within 5 days, this one included, of 8,000 to 9,999.99 euros.",
        _near_cash_threshold,
    ),
    _number(
        "debtor_idle_days",
        "Days since the payer's last payment that is remembered; missing if none is.",
        _idle_days,
        can_be_missing=True,
    ),
    _flag(
        "creditor_is_new",
        "The payer paid nothing to this payee in 30 days; missing where not all its payments are kept one by one.",
        _creditor_is_new,
        can_be_missing=True,
    ),
    _flag(
        "device_is_new",
        "The payer paid nothing from this device in 30 days; missing where there is none, or it serves too many.",
        _device_is_new,
        can_be_missing=True,
    ),
    _number(
        "creditor_snapshot_frauds",
        "Frauds among what the payee received, by the features worker's newest snapshot; missing if that is too old.",
        _snapshot_frauds,
        can_be_missing=True,
    ),
    _number(
        "creditor_snapshot_labelled",
        "Labelled payments in that snapshot.",
        _snapshot_labelled,
        can_be_missing=True,
    ),
    _flag(
        "is_late", "Ordered so late that part of the past it is judged by is forgotten.", lambda moment: moment.is_late
    ),
    _flag(
        "is_from_future",
        "Dated more than a day ahead, so that nobody's past takes it in.",
        lambda moment: moment.is_from_future,
    ),
    _flag(
        "is_crowded",
        "Someone in it pays or receives so often that sums over days are estimates.",
        lambda moment: moment.is_crowded,
    ),
    _feature("debtor_lists", Kind.LISTS, "The lists the payer is on.", lambda moment: moment.debtor.lists, False),
    _feature("creditor_lists", Kind.LISTS, "The lists the payee is on.", lambda moment: moment.creditor.lists, False),
    _feature(
        "device_lists",
        Kind.LISTS,
        "The lists the device is on.",
        lambda moment: frozenset() if moment.device is None else moment.device.lists,
        False,
    ),
)

FEATURES: Mapping[str, Feature] = {
    feature.field.name: feature
    for feature in (
        *_PLAIN,
        *(
            _windowed(kind, aggregate, width)
            for kind in EntityKind
            for aggregate in Aggregate
            for width in WINDOWS
            if kind is not EntityKind.DEVICE or aggregate in _OF_DEVICES
        ),
    )
}
"""All features by their names."""

CATALOGUE: Mapping[str, Field] = {name: feature.field for name, feature in FEATURES.items()}
"""What rules may ask."""
