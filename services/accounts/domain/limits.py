"""What a customer may pay: by verification tier, at once, a day and a month."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from libs.common.money import SCALES
from libs.common.record import Record


class Limits(Record):
    """The most that may leave an account; None: no limit. Days and months are those of UTC."""

    once: int | None
    day: int | None
    month: int | None


NOTHING = Limits(once=0, day=0, month=0)
UNLIMITED = Limits(once=None, day=None, month=None)

LIMITS_BY_TIER: Mapping[int, Limits] = MappingProxyType(
    {
        1: Limits(once=1_000, day=2_500, month=10_000),
        2: Limits(once=15_000, day=50_000, month=250_000),
        3: UNLIMITED,
    }
)
"""In whole units of the account's currency."""


@cache
def limits_of(tier: int, currency: str) -> Limits:
    """A tier's limits in minor units of a currency. A tier that is not known may pay nothing."""
    limits, unit = LIMITS_BY_TIER.get(tier, NOTHING), 10 ** SCALES[currency]
    return Limits(
        once=None if limits.once is None else limits.once * unit,
        day=None if limits.day is None else limits.day * unit,
        month=None if limits.month is None else limits.month * unit,
    )
