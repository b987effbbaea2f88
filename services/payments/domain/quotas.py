"""How much a client may order in a day: so many payments, and so much of each currency. Pure.

A quota bounds what a stolen key or a runaway program can move before somebody looks. What counts is what was taken on,
whatever becomes of it; the day is UTC's, of the moment an order came in.
"""

from datetime import date, datetime, timedelta

from libs.common.batch import Refusal, refusal
from libs.common.record import replace
from services.payments.domain.payment import Payments
from services.payments.domain.quota import PAYMENTS, Quota, quota_id
from services.payments.domain.refusals import RefusalReason


def spend(payments: Payments, client_id: str, amount_minor: int, currency: str, at: datetime) -> Refusal | None:
    """Count an order towards its client's quotas, or say which of them has no room for it: then nothing is counted."""
    counted = []
    for measure, count in ((PAYMENTS, 1), (currency, amount_minor)):
        quota, most = find(payments, client_id, measure, at.date())
        if most is None:
            continue
        used = quota.used_by(at.date()) + count
        if used > most:
            if measure == PAYMENTS:
                return refusal(RefusalReason.PAYMENT_QUOTA_EXCEEDED, None)
            return refusal(RefusalReason.AMOUNT_QUOTA_EXCEEDED, "amount")
        counted.append(replace(quota, used=used, used_on=max(at.date(), quota.used_on)))
    for quota in counted:
        payments.quotas.put(quota_id(client_id, quota.measure), quota)
    return None


def find(payments: Payments, client_id: str, measure: str, on: date) -> tuple[Quota, int | None]:
    """A client's quota, as it begins if nothing was counted yet, and its limit; None: there is none."""
    quota = payments.quotas.get(quota_id(client_id, measure)) or Quota(client_id=client_id, measure=measure, used_on=on)
    return quota, payments.default_quotas.get(measure) if quota.most is None else quota.most


def seconds_until_renewed(now: datetime) -> int:
    """How long it takes until quotas begin anew, in whole seconds."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int((midnight - now).total_seconds()) + 1
