"""Every feature, with its one definition: live decisions, backtests and training sets all come through it. Pure.

A value means: this payment plus those decided before it whose event time lies in (t - w, t]. Labels
count a week after the payment they speak of, for by then most have come; a window of labels is
(t - 7 d - w, t - 7 d]. Amounts are in rough euros.

    {side}_attempts_{w}                  how many, this one included; whatever came of them
    {side}_attempted_{w}                 their sum, and …_attempted_average_{w}
    {side}_payees_{w} or payers_{w}      how many different ones
    {side}_count_{w}                     earlier ones that fraud did not block; sum, average, max, deviation of them
    {side}_frauds_{w}                    what turned out to be fraud; labelled, fraud_share
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from libs.common.record import Record
from libs.common.rough import EUROS_PER_CENT, shown
from schemas.payments.events import Channel
from services.fraud.domain.entities import EntityKind, Risk
from services.fraud.domain.history import MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND
from services.fraud.domain.measures import DEFINITIONS, WIDTHS, Aggregate, Measure, Span
from services.fraud.domain.moment import Moment
from services.fraud.domain.rulebook.fields import Field, Kind

Value = float | int | str | bool | frozenset[str] | None
"""None where it is missing."""

NIGHT_HOUR_LAST = 6
"""The published features of the Fraud Detection Handbook call it night until 06:59."""
SAME_AMOUNT_MINUTES = 10
CASH_THRESHOLD = 10_000.0
"""Where cash must be reported (in the United States from 10,000 dollars, 31 CFR 1010.311), in rough euros."""
CASH_BAND = 2_000.0
"""So far below the threshold cash looks as if it were meant to stay below."""
_CASH_CENTS_MIN, _CASH_CENTS_END = (CASH_THRESHOLD - CASH_BAND) / EUROS_PER_CENT, CASH_THRESHOLD / EUROS_PER_CENT
CASH_DAYS = 5

_PROGRAMS = frozenset({Channel.API, Channel.FILE, Channel.UNKNOWN})
_SATURDAY = 5
_THURSDAY = 3
"""The weekday of 1970-01-01."""


class Feature(Record):
    """One thing that is known of a payment when it is judged, and how it is found."""

    field: Field
    value: Callable[[Moment], Value]


class _OfSpan:
    """What a measure makes of one side over one width."""

    __slots__ = ("kind", "measure", "width")

    def __init__(self, kind: EntityKind, width: int, measure: Measure) -> None:
        self.kind = kind
        self.width = width
        self.measure = measure

    def __call__(self, moment: Moment) -> Value:
        side = moment.side(self.kind)
        return None if side is None else self.measure(Span(moment, side, self.width))


Gather = Callable[[Moment], list[Value]]
"""The values of some features, in their order."""


def gathering(names: Sequence[str]) -> Gather:
    """A function that finds the values of these features. What is asked of one span is asked of it together.

    Raises KeyError for a feature that doesn't exist.
    """
    plain: list[tuple[int, Callable[[Moment], Value]]] = []
    spans: dict[tuple[EntityKind, int], list[tuple[int, Measure]]] = defaultdict(list)
    for place, name in enumerate(names):
        value = FEATURES[name].value
        if isinstance(value, _OfSpan):
            spans[value.kind, value.width].append((place, value.measure))
        else:
            plain.append((place, value))
    asked = [(kind, width, measures) for (kind, width), measures in spans.items()]
    missing: list[Value] = [None] * len(names)

    def gather(moment: Moment) -> list[Value]:
        values = missing[:]
        for place, value in plain:
            values[place] = value(moment)
        for kind, width, measures in asked:
            side = moment.side(kind)
            if side is not None:
                span = Span(moment, side, width)
                for place, measure in measures:
                    values[place] = measure(span)
        return values

    return gather


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
"""No sums: what is usual for a device is usual for those who use it."""

_SIDES = {
    EntityKind.DEBTOR: ("the payer", "payees"),
    EntityKind.CREDITOR: ("the payee", "payers"),
    EntityKind.DEVICE: ("the device", "payers"),
}
_SPOKEN = {"1h": "an hour", "1d": "a day", "7d": "7 days", "30d": "30 days"}


def _windowed(kind: EntityKind, aggregate: Aggregate, width: str) -> Feature:
    definition = DEFINITIONS[aggregate]
    who, others = _SIDES[kind]
    what = others if aggregate is Aggregate.COUNTERPARTS else aggregate.value
    return Feature(
        field=Field(
            name=f"{kind.value}_{what}_{width}",
            kind=Kind.NUMBER,
            can_be_missing=definition.can_be_missing or kind is EntityKind.DEVICE,
            meaning=definition.says.format(who=who, others=others, width=_SPOKEN[width]),
        ),
        value=_OfSpan(kind, WIDTHS[width], definition.measure),
    )


# What the features worker's newest snapshots say.


def _of_snapshot(kind: EntityKind, what: str, meaning: str, value: Callable[[Risk], int]) -> Feature:
    def find(moment: Moment) -> Value:
        side = moment.side(kind)
        return None if side is None or side.risk is None else value(side.risk)

    return _number(f"{kind.value}_snapshot_{what}", meaning, find, can_be_missing=True)


def _of_snapshots(kind: EntityKind) -> tuple[Feature, ...]:
    who, others = _SIDES[kind]
    return (
        _of_snapshot(
            kind,
            "labelled",
            f"Labelled payments of {who} in the features worker's newest snapshot; missing if that is too old.",
            lambda risk: risk.labelled_count,
        ),
        _of_snapshot(
            kind, "frauds", f"What turned out to be fraud of {who}'s payments there.", lambda risk: risk.fraud_count
        ),
        _of_snapshot(
            kind,
            others,
            f"Different {others} in {who}'s frauds there; where they are very many, at least so many.",
            lambda risk: risk.counterpart_count,
        ),
    )


# What is no aggregate of a window.


def _number(name: str, meaning: str, value: Callable[[Moment], Value], *, can_be_missing: bool = False) -> Feature:
    return _feature(name, Kind.NUMBER, meaning, value, can_be_missing)


def _flag(name: str, meaning: str, value: Callable[[Moment], Value], *, can_be_missing: bool = False) -> Feature:
    return _feature(name, Kind.FLAG, meaning, value, can_be_missing)


def _text(name: str, meaning: str, value: Callable[[Moment], Value], *, can_be_missing: bool = False) -> Feature:
    return _feature(name, Kind.TEXT, meaning, value, can_be_missing)


def _feature(name: str, kind: Kind, meaning: str, value: Callable[[Moment], Value], can_be_missing: bool) -> Feature:
    return Feature(field=Field(name=name, kind=kind, meaning=meaning, can_be_missing=can_be_missing), value=value)


def _amount(moment: Moment) -> float:
    return EUROS_PER_CENT * moment.amount_cents


def _hour(moment: Moment) -> int:
    return moment.at_micros // MICROS_PER_HOUR % 24


def _is_weekend(moment: Moment) -> bool:
    return (moment.at_micros // MICROS_PER_DAY + _THURSDAY) % 7 >= _SATURDAY


def _same_amount(moment: Moment) -> int:
    wanted = moment.amount_cents, moment.debtor.counterpart
    width = SAME_AMOUNT_MINUTES * 60 * MICROS_PER_SECOND
    return 1 + sum(attempt == wanted for attempt in moment.debtor.attempted(width))


def _near_cash_threshold(moment: Moment) -> int:
    amounts = moment.debtor.attempted_cents(CASH_DAYS * MICROS_PER_DAY)
    return sum([_CASH_CENTS_MIN <= amount < _CASH_CENTS_END for amount in (*amounts, moment.amount_cents)])


def _idle_days(moment: Moment) -> float | None:
    newest = moment.debtor.habits.newest_micros
    return None if newest is None else (moment.at_micros - newest) / MICROS_PER_DAY


def _creditor_is_new(moment: Moment) -> bool | None:
    knows = moment.debtor.knows_counterpart(WIDTHS["30d"])
    return None if knows is None else not knows


def _device_is_new(moment: Moment) -> bool | None:
    knows = None if moment.device is None else moment.device.knows_counterpart(WIDTHS["30d"])
    return None if knows is None else not knows


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
        *_of_snapshots(EntityKind.DEBTOR),
        *_of_snapshots(EntityKind.CREDITOR),
        *(
            _windowed(kind, aggregate, width)
            for kind in EntityKind
            for aggregate in Aggregate
            for width in WIDTHS
            if kind is not EntityKind.DEVICE or aggregate in _OF_DEVICES
        ),
    )
}
"""All features by their names."""

CATALOGUE: Mapping[str, Field] = {name: feature.field for name, feature in FEATURES.items()}
"""What rules may ask."""
