"""What the rules judge a payment by: every feature, with its one definition. Pure.

A value means: this payment plus those decided before it whose event time lies in (t - w, t]. Live
decisions, backtests and tests all come through `gather`, so they can't differ.

    attempts    all of them: who tries often, or much, or at many, shows it whatever came of it
    habits      those that fraud did not block: what was never paid is not usual, and nobody is known by it

Averages and maxima are of the earlier payments alone, for it is them that this one is compared with.
What others put an end to later stays a habit: a decision goes by what fraud knows as it decides.
"""

from datetime import UTC, datetime, timedelta

from libs.common.record import Record
from schemas.payments.events import Channel, PaymentOrder, PaymentPersonalData
from services.fraud.domain import label_days
from services.fraud.domain.entities import CreditorRisk, Entity, fingerprint
from services.fraud.domain.euros import rough_cents
from services.fraud.domain.history import (
    EMPTY,
    MICROS_PER_DAY,
    MICROS_PER_HOUR,
    MICROS_PER_SECOND,
    WINDOW_DAYS_MAX,
    Past,
    Pasts,
    Window,
)
from services.fraud.domain.label_days import LabelCount
from services.fraud.domain.limits import Limits

HOUR, DAY, WEEK = MICROS_PER_HOUR, MICROS_PER_DAY, 7 * MICROS_PER_DAY
MONTH = WINDOW_DAYS_MAX * MICROS_PER_DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PROGRAMS = frozenset({Channel.API, Channel.FILE, Channel.UNKNOWN})


class DebtorFacts(Record):
    """Who pays."""

    # Of attempts
    count_1h: int
    count_1d: int
    sum_1d_minor: int
    sum_7d_minor: int
    creditors_1d: int
    """Different payees of the last day, this one included."""
    same_amount_count: int
    """Earlier payments of this very amount to this very payee, within the limits' few minutes."""
    below_threshold_count: int
    """Payments just below the cash threshold within the limits' few days, this one included if it is one."""
    # Of habits
    earlier_count: int
    """Payments of the last 30 days, without this one."""
    average_minor: int
    """Of those; 0 if there are none."""
    highest_minor: int
    idle_days: int | None
    """Since the last payment, whenever that was; None when none is known."""
    pays_creditor_first_time: bool
    """Its past is known, and this payee is not in it."""
    labels: LabelCount
    """What its payments turned out to be, in the limits' window before the delay."""


class CreditorFacts(Record):
    """Who is paid."""

    earlier_count: int
    """Payments received in the last 30 days but for the last one. A habit."""
    debtors_1d: int
    """Different payers of the last day, this one included. Of attempts."""
    labels: LabelCount
    risk: CreditorRisk | None
    """The features worker's snapshot, unless it is too old."""


class DeviceFacts(Record):
    """What the order came from."""

    is_new_to_debtor: bool
    """The payer's habits are known, and it has paid nothing from this device."""
    debtors_7d: int
    """Different payers who used it in the last week, this one included. Of attempts."""


class Facts(Record):
    """A payment and the past of everyone in it, as numbers."""

    amount_minor: int
    amount_cents: int
    """Rough euro cents: what limits are compared with."""
    currency: str
    channel: Channel
    is_by_program: bool
    """Ordered through a file or an API, where many payments at once say nothing."""
    is_cash: bool
    hour: int
    """Of the day, UTC."""
    ip_country: str | None
    debtor_country: str | None
    debtor: DebtorFacts
    creditor: CreditorFacts
    device: DeviceFacts | None
    is_late: bool
    """Ordered so long before something newer of its parties that part of their past is forgotten."""
    is_from_future: bool
    is_crowded: bool
    """Someone in it pays or receives so often that sums over days are estimates."""


def gather(
    order: PaymentOrder, *, debtor: Entity, creditor: Entity, device: Entity | None, now: datetime, limits: Limits
) -> Facts:
    """The facts about an order, from what is remembered of its parties before it is added to that."""
    at_micros = micros_of(order.instructed_at)
    parties = [entity for entity in (debtor, creditor, device) if entity is not None]
    histories = [history for entity in parties for history in (entity.history, entity.blocked)]
    habits = [Past(entity.history, at_micros) for entity in parties]
    personal = order.personal if isinstance(order.personal, PaymentPersonalData) else None
    return Facts(
        amount_minor=order.amount_minor,
        amount_cents=rough_cents(order.amount_minor, order.currency),
        currency=order.currency,
        channel=order.channel,
        is_by_program=order.channel in _PROGRAMS,
        is_cash=order.is_cash,
        hour=at_micros // HOUR % 24,
        ip_country=order.ip_country,
        debtor_country=personal.debtor.country if personal else None,
        debtor=_debtor(order, debtor, habits[0], limits),
        creditor=_creditor(order, creditor, habits[1], limits),
        device=_device(order, device, habits[2], habits[0], limits) if device is not None else None,
        is_late=any(at_micros - MONTH < history.forgotten_until_micros for history in histories),
        is_from_future=order.instructed_at - now > timedelta(seconds=limits.future_seconds_max),
        is_crowded=any(history.is_crowded for history in histories),
    )


def micros_of(at: datetime) -> int:
    """A moment in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def _attempts(entity: Entity, habits: Past) -> Past | Pasts:
    """Habits, and what was blocked: for most there is nothing of that."""
    return habits if entity.blocked is EMPTY else Pasts(habits, Past(entity.blocked, habits.at_micros))


def _debtor(order: PaymentOrder, debtor: Entity, habits: Past, limits: Limits) -> DebtorFacts:
    amount_minor, creditor = order.amount_minor, fingerprint(order.creditor_account_id)
    attempts = _attempts(debtor, habits)
    hour, day, week = attempts.window(HOUR), attempts.window(DAY), attempts.window(WEEK)
    month, newest = habits.window(MONTH), habits.newest_micros
    return DebtorFacts(
        count_1h=hour.count + 1,
        count_1d=day.count + 1,
        sum_1d_minor=day.total_minor + amount_minor,
        sum_7d_minor=week.total_minor + amount_minor,
        creditors_1d=len({*attempts.counterparts(DAY), creditor}),
        same_amount_count=_same_amount_count(attempts, amount_minor, creditor, limits),
        below_threshold_count=_below_threshold_count(attempts, order, limits) if order.is_cash else 0,
        earlier_count=month.count,
        average_minor=month.total_minor // month.count if month.count else 0,
        highest_minor=habits.highest_minor(MONTH),
        idle_days=None if newest is None else (habits.at_micros - newest) // DAY,
        pays_creditor_first_time=_is_first(habits, creditor, month, limits),
        labels=_labels(debtor, habits, limits),
    )


def _creditor(order: PaymentOrder, creditor: Entity, habits: Past, limits: Limits) -> CreditorFacts:
    payers = _attempts(creditor, habits).counterparts(DAY)
    return CreditorFacts(
        earlier_count=habits.window(MONTH).count - habits.window(DAY).count,
        debtors_1d=len({*payers, fingerprint(order.debtor_account_id)}),
        labels=_labels(creditor, habits, limits),
        risk=_fresh(creditor.risk, habits, limits),
    )


def _device(order: PaymentOrder, device: Entity, habits: Past, debtor_habits: Past, limits: Limits) -> DeviceFacts:
    payer = fingerprint(order.debtor_account_id)
    return DeviceFacts(
        is_new_to_debtor=_is_first(habits, payer, debtor_habits.window(MONTH), limits),
        debtors_7d=len({*_attempts(device, habits).counterparts(WEEK), payer}),
    )


def _is_first(past: Past, counterpart: int, habits: Window, limits: Limits) -> bool:
    """Whether a counterpart is new, where enough is known of the payer's habits to say so."""
    is_known_enough = habits.count >= limits.history_count_min and not past.history.is_crowded
    return is_known_enough and counterpart not in past.counterparts(MONTH)


def _same_amount_count(attempts: Past | Pasts, amount_minor: int, creditor: int, limits: Limits) -> int:
    width = limits.same_amount_minutes * 60 * MICROS_PER_SECOND
    recent = zip(attempts.amounts(width), attempts.counterparts(width), strict=True)
    return sum(1 for amount, counterpart in recent if amount == amount_minor and counterpart == creditor)


def _below_threshold_count(attempts: Past | Pasts, order: PaymentOrder, limits: Limits) -> int:
    amounts = (*attempts.amounts(limits.cash_repeat_days * DAY), order.amount_minor)
    return sum(1 for amount in amounts if is_below_threshold(rough_cents(amount, order.currency), limits))


def is_below_threshold(amount_cents: int, limits: Limits) -> bool:
    """Whether an amount lies so little below the cash threshold that it seems meant to."""
    return limits.cash_threshold_cents - limits.cash_band_cents <= amount_cents < limits.cash_threshold_cents


def _labels(entity: Entity, past: Past, limits: Limits) -> LabelCount:
    until_day = label_days.day_of(past.at_micros) - limits.label_delay_days
    return label_days.count(entity.label_days, after_day=until_day - limits.label_window_days, until_day=until_day)


def _fresh(risk: CreditorRisk | None, past: Past, limits: Limits) -> CreditorRisk | None:
    if risk is None or risk.as_of_micros < past.at_micros - limits.snapshot_age_days_max * DAY:
        return None
    return risk
