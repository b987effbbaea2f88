"""What the rules that fired say together, and with what others found. Pure.

Evidence adds up as if it were independent: the score of several findings is 1 - (1 - a)(1 - b)…
What rules order is policy and no evidence, so it leaves the score as it is, and decides in this order:

    block      a rule that fired says so
    allow      a rule that fired says so
    block      the score is at its threshold
    review     the score is at its threshold, or a rule that fired says so
    allow      otherwise
"""

from collections.abc import Collection, Sequence

from libs.common.record import Record
from schemas.fraud.events import FraudFinding, FraudOutcome
from services.fraud.domain.rulebook.generating import Values
from services.fraud.domain.rulebook.rulebook import Action, Rule, Rulebook, Thresholds, fired

_DIGITS = 4
_ORDER = (Action.BLOCK, Action.ALLOW, Action.REVIEW, Action.SCORE)


class Verdict(Record):
    """What all findings together say."""

    outcome: FraudOutcome
    score: float
    """Of the evidence alone: what rules order does not change it."""
    findings: tuple[FraudFinding, ...]
    """What was ordered first (block, allow, review), then the evidence, strongest first."""


_NOTHING = Verdict(outcome=FraudOutcome.ALLOW, score=0.0, findings=())


def judge(rulebook: Rulebook, values: Values, *, extra: Sequence[FraudFinding] = ()) -> Verdict:
    """Apply every rule to the values of `rulebook.fields`, and add what others found, such as a model."""
    return combine(rulebook.thresholds, fired(rulebook, values), extra)


def combine(thresholds: Thresholds, found: Sequence[tuple[Rule, str]], extra: Sequence[FraudFinding] = ()) -> Verdict:
    """One verdict of rules that fired, each with its reason, and of findings from elsewhere."""
    if not found and not extra:
        return _NOTHING
    findings = [(rule.action, _finding(rule, reason)) for rule, reason in found]
    findings += [(Action.SCORE, finding) for finding in extra]
    innocence = 1.0
    for _, finding in findings:
        innocence *= 1 - finding.score
    score = round(1 - innocence, _DIGITS)
    findings.sort(key=lambda one: (_ORDER.index(one[0]), -one[1].score))
    outcome = _outcome(thresholds, score, {action for action, _ in findings})
    return Verdict(outcome=outcome, score=score, findings=tuple(finding for _, finding in findings))


def _finding(rule: Rule, reason: str) -> FraudFinding:
    return FraudFinding(rule=rule.name, score=rule.score, reason=reason)


def _outcome(thresholds: Thresholds, score: float, ordered: Collection[Action]) -> FraudOutcome:
    if Action.BLOCK in ordered:
        return FraudOutcome.BLOCK
    if Action.ALLOW in ordered:
        return FraudOutcome.ALLOW
    if score >= thresholds.block:
        return FraudOutcome.BLOCK
    is_doubtful = score >= thresholds.review or Action.REVIEW in ordered
    return FraudOutcome.REVIEW if is_doubtful else FraudOutcome.ALLOW
