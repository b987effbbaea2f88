"""Rules about who is paid: by how many, and how that turned out before. Pure."""

from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import Limits
from services.fraud.domain.rules.finding import Finding


def fan_in(facts: Facts, limits: Limits) -> Finding | None:
    """Many different payers within a day, of someone who hardly received anything before."""
    count, earlier = facts.creditor.debtors_1d, facts.creditor.earlier_count
    if count < limits.fan_in_debtors_1d or earlier > limits.fan_in_earlier_count_max:
        return None
    return Finding(score=0.25, reason=f"{count} different payers within a day, {earlier} payments in the month before")


def creditor_labelled_fraud(facts: Facts, limits: Limits) -> Finding | None:
    """A good part of what this payee received some time ago turned out to be fraud."""
    labels = facts.creditor.labels
    if labels.fraud < limits.creditor_fraud_count or labels.fraud < limits.creditor_fraud_share * labels.labelled:
        return None
    return Finding(score=0.6, reason=f"{labels.fraud} of {labels.labelled} labelled payments received were fraud")


def creditor_risk_snapshot(facts: Facts, limits: Limits) -> Finding | None:
    """The features worker's newest snapshot shows much fraud among what this payee received."""
    risk = facts.creditor.risk
    if risk is None or risk.fraud_count < limits.snapshot_fraud_count:
        return None
    if risk.fraud_count < limits.creditor_fraud_share * risk.labelled_count:
        return None
    counts = f"{risk.fraud_count} of {risk.labelled_count} in {risk.window_days} days"
    return Finding(score=0.2, reason=f"{counts} were fraud, says snapshot {risk.version}")
