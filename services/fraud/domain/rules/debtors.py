"""Rules about who pays: how much, how often, to whom, and how that turned out before. Pure."""

from services.fraud.domain.euros import rough_cents, shown
from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import Limits
from services.fraud.domain.rules.finding import Finding, amount_of, is_card


def many_payments_in_hour(facts: Facts, limits: Limits) -> Finding | None:
    """More payments within an hour than a person makes."""
    count = facts.debtor.count_1h
    if facts.is_by_program or count <= limits.debtor_count_1h:
        return None
    return Finding(score=0.4, reason=f"{count} payments within an hour")


def many_payments_in_day(facts: Facts, limits: Limits) -> Finding | None:
    """More payments within a day than a person makes."""
    count = facts.debtor.count_1d
    if facts.is_by_program or count <= limits.debtor_count_1d:
        return None
    return Finding(score=0.3, reason=f"{count} payments within a day")


def large_sum_in_day(facts: Facts, limits: Limits) -> Finding | None:
    """A larger sum within a day than a person pays, in several payments."""
    return _large_sum(facts, facts.debtor.sum_1d_minor, limits.debtor_sum_1d_cents, "a day")


def large_sum_in_week(facts: Facts, limits: Limits) -> Finding | None:
    """A larger sum within a week than a person pays, in several payments."""
    return _large_sum(facts, facts.debtor.sum_7d_minor, limits.debtor_sum_7d_cents, "a week")


def same_amount_again(facts: Facts, limits: Limits) -> Finding | None:
    """The same amount went to the same payee several times within minutes."""
    count = facts.debtor.same_amount_count
    if facts.is_by_program or count < limits.same_amount_count:
        return None
    amount = amount_of(facts)
    return Finding(
        score=0.4, reason=f"{amount} to the same payee {count + 1} times in {limits.same_amount_minutes} min"
    )


def fan_out(facts: Facts, limits: Limits) -> Finding | None:
    """Transfers to more different payees within a day than a person has. Shopping by card doesn't count."""
    count = facts.debtor.creditors_1d
    if facts.is_by_program or is_card(facts) or count < limits.fan_out_creditors_1d:
        return None
    return Finding(score=0.3, reason=f"{count} different payees within a day")


def new_creditor_large_sum(facts: Facts, limits: Limits) -> Finding | None:
    """A large sum to someone this payer, whose habits are known, has not paid before."""
    if not facts.debtor.pays_creditor_first_time or facts.amount_cents < limits.large_cents:
        return None
    return Finding(score=0.3, reason=f"{amount_of(facts)} to a payee not paid before")


def sleeper_wakes(facts: Facts, limits: Limits) -> Finding | None:
    """A large sum from an account that has not paid for weeks."""
    idle_days = facts.debtor.idle_days
    if idle_days is None or idle_days < limits.idle_days or facts.amount_cents < limits.large_cents:
        return None
    return Finding(score=0.3, reason=f"{amount_of(facts)} after {idle_days} days of silence")


def debtor_labelled_fraud(facts: Facts, limits: Limits) -> Finding | None:
    """Payments of this payer turned out to be fraud lately, and this one is above its average."""
    labels, average = facts.debtor.labels, facts.debtor.average_minor
    if labels.fraud < limits.debtor_fraud_count or facts.amount_minor < limits.debtor_average_factor * average:
        return None
    return Finding(score=0.55, reason=f"{labels.fraud} of {labels.labelled} labelled payments were fraud")


def _large_sum(facts: Facts, total_minor: int, limit_cents: int, period: str) -> Finding | None:
    is_in_parts = total_minor > facts.amount_minor
    if facts.is_by_program or not is_in_parts or rough_cents(total_minor, facts.currency) <= limit_cents:
        return None
    return Finding(score=0.35, reason=f"{shown(total_minor, facts.currency)} within {period}")
