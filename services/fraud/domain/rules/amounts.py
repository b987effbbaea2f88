"""Rules about the amount, by itself and against the payer's habits. Pure."""

from services.fraud.domain.euros import shown
from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import Limits
from services.fraud.domain.rules.finding import Finding, amount_of, is_above_habits, is_card, times_average


def amount_over_limit(facts: Facts, limits: Limits) -> Finding | None:
    """The amount is above what is usual on its channel."""
    limit_cents = limits.card_amount_cents if is_card(facts) else limits.transfer_amount_cents
    if facts.amount_cents <= limit_cents:
        return None
    amount = amount_of(facts)
    return Finding(score=0.7, reason=f"{amount} by {facts.channel.value}, where {limit_cents / 100:.0f} EUR is much")


def amount_far_above_average(facts: Facts, limits: Limits) -> Finding | None:
    """The amount is many times what this payer usually pays."""
    factor = limits.card_average_factor if is_card(facts) else limits.transfer_average_factor
    if not is_above_habits(facts, limits) or facts.amount_minor < factor * facts.debtor.average_minor:
        return None
    return Finding(score=0.6, reason=f"{times_average(facts)} of {facts.debtor.earlier_count} payments in 30 days")


def amount_above_maximum(facts: Facts, limits: Limits) -> Finding | None:
    """The amount is well above the largest this payer has paid in 30 days."""
    highest = facts.debtor.highest_minor
    if not is_above_habits(facts, limits) or facts.amount_minor < limits.maximum_factor * highest:
        return None
    return Finding(
        score=0.3,
        reason=f"{facts.amount_minor / highest:.1f} times the largest of 30 days, {shown(highest, facts.currency)}",
    )


def unusual_at_night(facts: Facts, limits: Limits) -> Finding | None:
    """At night (UTC), a good deal more than this payer usually pays."""
    if facts.hour >= limits.night_hour_until or not is_above_habits(facts, limits):
        return None
    if facts.amount_minor < limits.night_average_factor * facts.debtor.average_minor:
        return None
    return Finding(score=0.15, reason=f"{times_average(facts)} at {facts.hour:02}h UTC")
