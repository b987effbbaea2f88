"""What a payer owes on top of a payment. Pure, and exact: whole minor units throughout."""

from collections.abc import Mapping

from libs.common.record import Record

_MILLION = 1_000_000


class FeeRule(Record):
    """The fee of payments in one currency, its amounts in minor units of it."""

    fixed_minor: int = 0
    share_ppm: int = 0
    """Of the amount, in millionths: 14,000 is 1.4 %."""
    minimum_minor: int = 0
    maximum_minor: int | None = None


FeeSchedule = Mapping[str, FeeRule]
"""The rule of each currency; payments in any other are free."""


def fee_of(schedule: FeeSchedule, amount_minor: int, currency: str) -> int:
    """The fee of an amount, in minor units: the fixed part and the share, within the rule's minimum and maximum.

    The share is rounded half up to the minor unit: 1.4 % of 0.25 is 0.0035, so nothing; of 0.50, 0.007, so 0.01.
    """
    rule = schedule.get(currency)
    if rule is None:
        return 0
    share_minor = (2 * amount_minor * rule.share_ppm + _MILLION) // (2 * _MILLION)
    fee_minor = max(rule.fixed_minor + share_minor, rule.minimum_minor)
    return fee_minor if rule.maximum_minor is None else min(fee_minor, rule.maximum_minor)
