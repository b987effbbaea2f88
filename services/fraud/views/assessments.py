"""Fraud's answers, and what they rest on."""

from datetime import datetime

from libs.common.fields import View
from schemas.fraud.events import FraudOutcome, Label


class FraudFindingView(View):
    """What one rule found."""

    rule: str
    score: float
    reason: str


class GroundsView(View):
    """What an answer rests on. Without a `model_version`, rules judged alone.

    The snapshots' versions tell which PartyRiskUpdated of payer and payee were known, if any was young enough to count.
    """

    score: float
    findings: list[FraudFindingView]
    rules_version: str
    model_version: str | None
    model_score: float | None
    debtor_snapshot_version: int | None
    creditor_snapshot_version: int | None


class AdviceView(View):
    """Fraud's answer about a payment that is not made yet, and what it rests on. Its id is the answer's own."""

    payment_id: str
    outcome: FraudOutcome
    assessed_at: datetime
    grounds: GroundsView


class ContributionView(View):
    """What one feature did to the model's score: its SHAP value, in log odds; above zero it speaks for fraud."""

    field: str
    value: float | None
    contribution: float


class ShadowVerdictView(View):
    """What a rulebook or a model in the shadow would have answered."""

    rules_version: str
    model_version: str | None
    model_score: float | None
    outcome: FraudOutcome
    score: float
    rules: list[str]
    judged_at: datetime


class AssessmentView(GroundsView):
    """Fraud's answer about a payment, all it was made of, and what the payment turned out to be.

    `values` are the features that rules and model went by, and `contributions` what each did to the model's score,
    strongest first. Where they can't be told any more, they are null, and `unexplained` says why.
    """

    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    device_entity_id: str | None
    amount: str
    currency: str
    instructed_at: datetime
    outcome: FraudOutcome
    values: dict[str, float | int | str | bool | list[str] | None] | None
    contributions: list[ContributionView] | None
    unexplained: str | None
    shadows: list[ShadowVerdictView]
    assessed_at: datetime
    label: Label | None
    scenario: str | None
    labelled_at: datetime | None
