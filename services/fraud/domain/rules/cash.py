"""Rules about cash. Pure."""

from services.fraud.domain.facts import Facts, is_below_threshold
from services.fraud.domain.limits import Limits
from services.fraud.domain.rules.finding import Finding, amount_of


def cash_below_threshold(facts: Facts, limits: Limits) -> Finding | None:
    """Cash of a little less than has to be reported."""
    if not facts.is_cash or not is_below_threshold(facts.amount_cents, limits):
        return None
    return Finding(score=0.25, reason=f"{amount_of(facts)} in cash")


def cash_structured(facts: Facts, limits: Limits) -> Finding | None:
    """Cash of a little less than has to be reported, after other such amounts, in cash or not, within days."""
    count = facts.debtor.below_threshold_count
    if count < limits.cash_repeat_count or not is_below_threshold(facts.amount_cents, limits):
        return None
    return Finding(
        score=0.6, reason=f"{amount_of(facts)} in cash, {count} such amounts within {limits.cash_repeat_days} days"
    )
