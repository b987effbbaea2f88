"""Rules about where an order came from: its device, its country, its time. Pure."""

from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import Limits
from services.fraud.domain.rules.finding import Finding, amount_of, is_above_habits


def new_device(facts: Facts, limits: Limits) -> Finding | None:
    """A large sum from a device that this payer, whose habits are known, has not used before."""
    if facts.device is None or not facts.device.is_new_to_debtor or not is_above_habits(facts, limits):
        return None
    return Finding(score=0.2, reason=f"{amount_of(facts)} from a device not used before")


def shared_device(facts: Facts, limits: Limits) -> Finding | None:
    """One device gives the orders of many payers."""
    if facts.device is None or facts.device.debtors_7d < limits.device_debtors_7d:
        return None
    return Finding(score=0.5, reason=f"{facts.device.debtors_7d} different payers on one device within a week")


def ip_country_differs(facts: Facts, _: Limits) -> Finding | None:
    """The order came from another country than the payer's."""
    if facts.ip_country is None or facts.debtor_country in (None, facts.ip_country):
        return None
    return Finding(score=0.25, reason=f"ordered from {facts.ip_country}, payer in {facts.debtor_country}")


def ordered_in_future(facts: Facts, limits: Limits) -> Finding | None:
    """The order is dated in the future, so nobody's history takes it in."""
    if not facts.is_from_future:
        return None
    return Finding(score=0.3, reason=f"dated more than {limits.future_seconds_max // 3600} hours ahead")


def history_incomplete(facts: Facts, _: Limits) -> Finding | None:
    """The order came so late that part of the past it is to be judged by is forgotten. Counts for nothing."""
    return Finding(score=0.0, reason="came too late for its whole window to be known") if facts.is_late else None
