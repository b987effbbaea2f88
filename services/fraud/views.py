"""What the API of fraud answers, for its OpenAPI page. `api` writes it; a test holds the two together."""

from datetime import datetime
from typing import Literal

from libs.common.fields import View
from schemas.fraud.events import FraudOutcome, Label


class LabelledView(View):
    """A label that was taken."""

    payment_id: str
    status: Literal["labelled"]
    label: Label


class RefusedLabelView(View):
    """A label that was not taken, and why."""

    payment_id: str
    status: Literal["refused"]
    reason: str
    detail: str
    field: str | None


class LabelsView(View):
    """What became of each label, in the order of the request."""

    labels: list[LabelledView | RefusedLabelView]


class FraudFindingView(View):
    """What one rule found."""

    rule: str
    score: float
    reason: str


class AssessmentView(View):
    """Fraud's answer about a payment, and what the payment turned out to be."""

    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    instructed_at: datetime
    outcome: FraudOutcome
    score: float
    findings: list[FraudFindingView]
    rules_version: str
    risk_version: int | None
    assessed_at: datetime
    label: Label | None
    scenario: str | None
    labelled_at: datetime | None


class CountsView(View):
    """How often something came up, and how the labelled ones among those payments turned out."""

    payments: int
    labelled_fraud: int
    labelled_genuine: int
    precision: float | None


class OutcomeView(CountsView):
    outcome: FraudOutcome


class RuleView(CountsView):
    """A rule, and whether the present version applies it."""

    rule: str
    meaning: str
    is_applied: bool


class RulesView(View):
    """How one version of the rules did, and which versions have been applied."""

    rules_version: str
    versions: list[str]
    outcomes: list[OutcomeView]
    rules: list[RuleView]
