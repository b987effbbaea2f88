"""What a client may order in a day by one measure, and has ordered."""

from collections.abc import Mapping
from datetime import date

from libs.common.record import Record

PAYMENTS = "payments"
"""The measure of a quota that counts payments; every other is a currency, and counts its minor units."""

DefaultQuotas = Mapping[str, int]
"""By measure, what any client may order in a day that has no quota of its own; no limit for what is not in it."""


class Quota(Record):
    client_id: str
    measure: str
    used_on: date
    """The newest day, in UTC, that anything was counted on."""
    used: int = 0
    """On that day."""
    most: int | None = None
    """Its own limit; None: the default."""

    def used_by(self, on: date) -> int:
        # A clock set back: what is counted is the newest day's.
        return 0 if on > self.used_on else self.used


def quota_id(client_id: str, measure: str) -> str:
    return f"{measure}/{client_id}"
