"""Every feature once more, from the plain list of all payments: slow, obvious, and no part of the service.

Knows no histories: what they crowd together or forget is not in here.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from math import isqrt

from libs.common.rough import euro_cents
from schemas.fraud.events import Label
from schemas.payments.events import Channel, PaymentOrder
from services.fraud.domain.features import Value
from tests.unit.fraud.past import DAY, HOUR, Paid

WIDTHS = {"1h": HOUR, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
LABELS_COME_IN = timedelta(days=7)
EURO = 0.01
"""Per cent."""


class Naive:
    """One payment, and all that were decided before it."""

    def __init__(self, ordered: PaymentOrder, past: Sequence[Paid]) -> None:
        self.order = ordered
        self.past = past

    def value(self, name: str) -> Value:
        """A feature of a window by its name, as in debtor_count_7d; or one of those that are none."""
        side, _, rest = name.partition("_")
        aggregate, _, width = rest.rpartition("_")
        if width in WIDTHS and aggregate in AGGREGATES:
            return self._of_window(side, aggregate, WIDTHS[width])
        return getattr(self, f"_{name}")()  # type: ignore[no-any-return]

    def knows(self, name: str) -> bool:
        _, _, rest = name.partition("_")
        aggregate, _, width = rest.rpartition("_")
        return (width in WIDTHS and aggregate in AGGREGATES) or hasattr(self, f"_{name}")

    # The payments of one side

    def _with(self, side: str) -> Iterator[Paid]:
        """Those of the same payer, payee or device, up to the time of this one."""
        own = self._own(side)
        for paid in self.past:
            if getattr(paid, side) == own and paid.at <= self.order.instructed_at:
                yield paid

    @property
    def _own_cents(self) -> int:
        return euro_cents(self.order.amount_minor, self.order.currency)

    def _own(self, side: str) -> str | None:
        if side == "device":
            return self.order.device_id
        return self.order.debtor_account_id if side == "debtor" else self.order.creditor_account_id

    def _within(self, side: str, width: timedelta, delay: timedelta = timedelta(0)) -> list[Paid]:
        until = self.order.instructed_at - delay
        return [paid for paid in self._with(side) if until - width < paid.at <= until]

    def _counterpart(self, side: str, paid: Paid) -> str:
        return paid.creditor if side == "debtor" else paid.debtor

    def _own_counterpart(self, side: str) -> str:
        return self.order.creditor_account_id if side == "debtor" else self.order.debtor_account_id

    def _of_window(self, side: str, aggregate: str, width: timedelta) -> Value:
        if self._own(side) is None:
            return None
        attempts = self._within(side, width)
        habits = [paid for paid in attempts if not paid.is_blocked]
        delayed = self._within(side, width, LABELS_COME_IN)
        own = self._own_cents
        tried, usual = [own, *(_cents(paid) for paid in attempts)], [_cents(paid) for paid in habits]
        labelled = [paid for paid in delayed if paid.label is not None]
        frauds = [paid for paid in delayed if paid.label is Label.FRAUD]
        others = {self._own_counterpart(side), *(self._counterpart(side, paid) for paid in attempts)}
        deviation = _deviation(usual)
        values: dict[str, Value] = {
            "attempts": len(tried),
            "attempted": EURO * sum(tried),
            "attempted_average": EURO * float(Fraction(sum(tried), len(tried))),
            "amount_to_attempted": _ratio(own * len(tried), sum(tried)),
            "payees": len(others),
            "payers": len(others),
            "count": len(usual),
            "sum": EURO * sum(usual),
            "average": EURO * sum(usual) / len(usual) if usual else None,
            "amount_to_average": _ratio(own * len(usual), sum(usual)),
            "max": EURO * max(usual) if usual else None,
            "amount_to_max": _ratio(own, max(usual, default=0)),
            "deviation": EURO * deviation if len(usual) > 1 else None,
            "amount_deviations": float((own - Fraction(sum(usual), len(usual))) / deviation) if deviation else None,
            "delayed": len(delayed),
            "labelled": len(labelled),
            "frauds": len(frauds),
            "fraud_share": _ratio(len(frauds), len(delayed)),
        }
        return values[aggregate]

    # What is no aggregate of a window

    def _amount(self) -> Value:
        return EURO * self._own_cents

    def _hour(self) -> Value:
        return self.order.instructed_at.hour

    def _is_night(self) -> Value:
        return self.order.instructed_at.hour < 7

    def _is_weekend(self) -> Value:
        return self.order.instructed_at.strftime("%A") in ("Saturday", "Sunday")

    def _channel(self) -> Value:
        return str(self.order.channel)

    def _is_by_program(self) -> Value:
        return self.order.channel in (Channel.API, Channel.FILE, Channel.UNKNOWN)

    def _is_cash(self) -> Value:
        return self.order.is_cash

    def _currency(self) -> Value:
        return self.order.currency

    def _debtor_same_amount_10m(self) -> Value:
        attempts = self._within("debtor", timedelta(minutes=10))
        wanted = self.order.creditor_account_id, self._own_cents
        return 1 + sum((paid.creditor, _cents(paid)) == wanted for paid in attempts)

    def _debtor_near_cash_threshold_5d(self) -> Value:
        amounts = [self._own_cents, *(_cents(paid) for paid in self._within("debtor", 5 * DAY))]
        return sum(8_000 * 100 <= amount < 10_000 * 100 for amount in amounts)

    def _debtor_idle_days(self) -> Value:
        habits = [paid.at for paid in self._with("debtor") if not paid.is_blocked]
        return (self.order.instructed_at - max(habits)) / DAY if habits else None

    def _creditor_is_new(self) -> Value:
        return self._is_new("debtor", self.order.creditor_account_id)

    def _device_is_new(self) -> Value:
        return None if self.order.device_id is None else self._is_new("device", self.order.debtor_account_id)

    def _is_new(self, side: str, counterpart: str) -> bool:
        habits = (paid for paid in self._within(side, 30 * DAY) if not paid.is_blocked)
        return counterpart not in {self._counterpart(side, paid) for paid in habits}


AGGREGATES = (
    *("attempts", "attempted", "attempted_average", "amount_to_attempted", "payees", "payers", "count", "sum"),
    *("average", "amount_to_average", "max", "amount_to_max", "deviation", "amount_deviations"),
    *("delayed", "labelled", "frauds", "fraud_share"),
)


def _ratio(above: int, below: int) -> float | None:
    return float(Fraction(above, below)) if below else None


def _deviation(amounts: Sequence[int]) -> int:
    """Of them all, rounded down to the minor unit."""
    if len(amounts) < 2:
        return 0
    average = Fraction(sum(amounts), len(amounts))
    variance = sum((amount - average) ** 2 for amount in amounts) / len(amounts)
    return isqrt(int(variance))


def _cents(paid: Paid) -> int:
    return euro_cents(paid.amount_minor, paid.currency)
