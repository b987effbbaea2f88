"""All rules, what each means, and what they say together. Pure.

Each rule is a small function from facts to a finding, or to None; the list is below. Findings add up
as independent evidence does: the score of several is 1 - (1 - a)(1 - b)…
"""

import zlib
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

import msgspec

from libs.common.record import Record
from schemas.fraud.events import FraudFinding, FraudOutcome
from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import DEFAULT_LIMITS, Limits
from services.fraud.domain.rules import amounts, cash, creditors, debtors, origins
from services.fraud.domain.rules.finding import Finding

RULES_VERSION = "2026-11-21.2"
"""Changes whenever a rule, a score, a fact or a default limit does: an assessment names the rules it was made with."""

Rule = Callable[[Facts, Limits], Finding | None]


class RuleName(StrEnum):
    AMOUNT_OVER_LIMIT = "amount_over_limit"
    AMOUNT_FAR_ABOVE_AVERAGE = "amount_far_above_average"
    AMOUNT_ABOVE_MAXIMUM = "amount_above_maximum"
    UNUSUAL_AT_NIGHT = "unusual_at_night"
    MANY_PAYMENTS_IN_HOUR = "many_payments_in_hour"
    MANY_PAYMENTS_IN_DAY = "many_payments_in_day"
    LARGE_SUM_IN_DAY = "large_sum_in_day"
    LARGE_SUM_IN_WEEK = "large_sum_in_week"
    SAME_AMOUNT_AGAIN = "same_amount_again"
    FAN_OUT = "fan_out"
    NEW_CREDITOR_LARGE_SUM = "new_creditor_large_sum"
    SLEEPER_WAKES = "sleeper_wakes"
    DEBTOR_LABELLED_FRAUD = "debtor_labelled_fraud"
    FAN_IN = "fan_in"
    CREDITOR_LABELLED_FRAUD = "creditor_labelled_fraud"
    CREDITOR_RISK_SNAPSHOT = "creditor_risk_snapshot"
    NEW_DEVICE = "new_device"
    SHARED_DEVICE = "shared_device"
    IP_COUNTRY_DIFFERS = "ip_country_differs"
    CASH_BELOW_THRESHOLD = "cash_below_threshold"
    CASH_STRUCTURED = "cash_structured"
    ORDERED_IN_FUTURE = "ordered_in_future"
    HISTORY_INCOMPLETE = "history_incomplete"


RULES: dict[RuleName, Rule] = {
    # The amount
    RuleName.AMOUNT_OVER_LIMIT: amounts.amount_over_limit,
    RuleName.AMOUNT_FAR_ABOVE_AVERAGE: amounts.amount_far_above_average,
    RuleName.AMOUNT_ABOVE_MAXIMUM: amounts.amount_above_maximum,
    RuleName.UNUSUAL_AT_NIGHT: amounts.unusual_at_night,
    # Who pays
    RuleName.MANY_PAYMENTS_IN_HOUR: debtors.many_payments_in_hour,
    RuleName.MANY_PAYMENTS_IN_DAY: debtors.many_payments_in_day,
    RuleName.LARGE_SUM_IN_DAY: debtors.large_sum_in_day,
    RuleName.LARGE_SUM_IN_WEEK: debtors.large_sum_in_week,
    RuleName.SAME_AMOUNT_AGAIN: debtors.same_amount_again,
    RuleName.FAN_OUT: debtors.fan_out,
    RuleName.NEW_CREDITOR_LARGE_SUM: debtors.new_creditor_large_sum,
    RuleName.SLEEPER_WAKES: debtors.sleeper_wakes,
    RuleName.DEBTOR_LABELLED_FRAUD: debtors.debtor_labelled_fraud,
    # Who is paid
    RuleName.FAN_IN: creditors.fan_in,
    RuleName.CREDITOR_LABELLED_FRAUD: creditors.creditor_labelled_fraud,
    RuleName.CREDITOR_RISK_SNAPSHOT: creditors.creditor_risk_snapshot,
    # Where the order came from
    RuleName.NEW_DEVICE: origins.new_device,
    RuleName.SHARED_DEVICE: origins.shared_device,
    RuleName.IP_COUNTRY_DIFFERS: origins.ip_country_differs,
    # Cash
    RuleName.CASH_BELOW_THRESHOLD: cash.cash_below_threshold,
    RuleName.CASH_STRUCTURED: cash.cash_structured,
    # What can't be judged well
    RuleName.ORDERED_IN_FUTURE: origins.ordered_in_future,
    RuleName.HISTORY_INCOMPLETE: origins.history_incomplete,
}


class RuleSet(Record):
    """Rules with the limits they go by, under one version."""

    version: str
    limits: Limits
    rules: Sequence[tuple[RuleName, Rule]]


class Verdict(Record):
    """What all rules together say."""

    outcome: FraudOutcome
    score: float
    findings: tuple[FraudFinding, ...]
    """Strongest first."""


def judge(facts: Facts, rule_set: RuleSet) -> Verdict:
    """Apply every rule of a set."""
    limits, innocence, found = rule_set.limits, 1.0, []
    for name, rule in rule_set.rules:
        finding = rule(facts, limits)
        if finding is not None:
            innocence *= 1 - finding.score
            found.append(FraudFinding(rule=name.value, score=finding.score, reason=finding.reason))
    score = round(1 - innocence, 4)
    found.sort(key=lambda finding: -finding.score)
    return Verdict(outcome=_outcome(score, limits), score=score, findings=tuple(found))


def rule_set(limits: Limits = DEFAULT_LIMITS, *, without: Collection[RuleName] = ()) -> RuleSet:
    """All rules but some, with these limits. What differs from the defaults marks the version."""
    version = RULES_VERSION
    if limits != DEFAULT_LIMITS or without:
        differences = msgspec.json.encode((limits, sorted(without)))
        version = f"{RULES_VERSION}+{zlib.crc32(differences):08x}"
    return RuleSet(
        version=version, limits=limits, rules=[(name, rule) for name, rule in RULES.items() if name not in without]
    )


def meaning_of(rule: Rule) -> str:
    """What a rule looks for, in a sentence."""
    return rule.__doc__ or ""


def _outcome(score: float, limits: Limits) -> FraudOutcome:
    if score >= limits.block_score:
        return FraudOutcome.BLOCK
    return FraudOutcome.REVIEW if score >= limits.review_score else FraudOutcome.ALLOW
