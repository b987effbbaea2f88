"""What the API of fraud answers, for its OpenAPI page. `queries` writes most of it; a test holds the two together."""

from datetime import datetime
from typing import Literal

from libs.common.fields import View
from libs.common.openapi import FaultView, ProblemView
from schemas.fraud.events import FraudOutcome, Label, VersionState
from services.fraud.domain.entities import EntityKind
from services.fraud.domain.rulebook.fields import Kind
from services.fraud.domain.rulebook.rulebook import Action

# Labels


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


# Assessments


class FraudFindingView(View):
    """What one rule found."""

    rule: str
    score: float
    reason: str


class GroundsView(View):
    """What an answer rests on. Without a `model_version`, rules judged alone."""

    score: float
    findings: list[FraudFindingView]
    rules_version: str
    model_version: str | None
    model_score: float | None


class AdviceView(View):
    """Fraud's answer about a payment that is not made yet. Its `grounds` are for staff, and null for others."""

    payment_id: str
    outcome: FraudOutcome
    assessed_at: datetime
    grounds: GroundsView | None


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


# How rules did


class LabelledCountsView(View):
    """How often something came up, and how the labelled ones among those payments turned out."""

    payments: int
    labelled_fraud: int
    labelled_genuine: int


class CountsView(LabelledCountsView):
    """With the share of fraud among those that are labelled."""

    precision: float | None


class OutcomeView(CountsView):
    outcome: FraudOutcome


class RuleView(CountsView):
    """A rule, and the share of all labelled fraud that it fired on. Without a meaning, it is none of the rulebook's."""

    rule: str
    meaning: str | None
    action: Action | None
    recall: float | None


class RulesView(View):
    """How one version of the rules did, and which versions have been applied."""

    rules_version: str
    versions: list[str]
    outcomes: list[OutcomeView]
    rules: list[RuleView]


# Rulebooks and models


class VersionView(View):
    """A rulebook or a model: its version is the beginning of its content's hash."""

    version: str
    name: str
    state: VersionState
    added_by: str
    added_at: datetime


class VersionPage(View):
    """Some versions, newest first, and the cursor of the next page if there is one."""

    versions: list[VersionView]
    next_cursor: str | None


class ChangeView(View):
    """Who gave a version which state, and why."""

    state: VersionState
    changed_by: str
    reason: str
    changed_at: datetime


class ThresholdsView(View):
    """From which scores on a person has a look, and the advice is to block."""

    review: float
    block: float


class RulebookRuleView(View):
    """A rule as it is written, with the features it goes by."""

    rule: str
    meaning: str
    action: Action
    score: float
    fields: list[str]
    reason: str
    source: str
    line: int


class CheckedRulebookView(View):
    """What a text without faults says."""

    version: str
    thresholds: ThresholdsView
    fields: list[str]
    rules: list[RulebookRuleView]


class DraftView(CheckedRulebookView, VersionView):
    """A rulebook that is kept."""


class RulebookView(VersionView):
    """A rulebook with all that was done with it. One that can't be read any more has a `fault` instead of rules."""

    text: str
    fields: list[str]
    thresholds: ThresholdsView | None
    rules: list[RulebookRuleView]
    fault: str | None
    changes: list[ChangeView]


class RulebookFaultView(View):
    """What is wrong with a rulebook, and where. Lines and columns count from 1."""

    line: int
    column: int
    message: str


class RulebookProblemView(ProblemView):
    """Why a rulebook was not taken: every fault of its text, or of the request."""

    errors: list[RulebookFaultView | FaultView] | None = None  # type: ignore[assignment]


class CardView(View):
    """What a model was made of, and how well it did on weeks that it had not seen."""

    name: str
    trained_from: str
    trained_until: str
    payments: int
    frauds: int
    label_delay_days: int
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    importances: dict[str, float]
    deciles: dict[str, list[float]]


class ModelView(VersionView):
    """A model with all that was done with it. One that can't be used any more has a `fault`."""

    fields: list[str]
    card: CardView | None
    fault: str | None
    changes: list[ChangeView]


class OutcomePairView(LabelledCountsView):
    """Payments that were answered so, and would have been answered so by the version in the shadow."""

    live: FraudOutcome
    shadow: FraudOutcome


class FiredRuleView(CountsView):
    """A rule that fired in the shadow."""

    rule: str


class ComparisonView(View):
    """A version in the shadow beside what was really answered. Only the newest payments are compared if there are many:
    then it is not complete."""

    version: str
    since: datetime
    until: datetime
    payments: int
    is_complete: bool
    outcomes: list[OutcomePairView]
    rules: list[FiredRuleView]


# Lists


class ListEntryView(View):
    """An account or a device on a list; a device by an id that is made of its name."""

    entry_id: str
    list: str
    kind: EntityKind
    entity_id: str
    reason: str
    added_by: str
    added_at: datetime
    until: datetime | None
    is_current: bool


class ListEntryPage(View):
    """Some entries, and the cursor of the next page if there is one."""

    entries: "list[ListEntryView]"
    next_cursor: str | None


# Features


class FeatureView(View):
    """What rules may ask of a payment, and models may go by if it is a number or a flag."""

    name: str
    kind: Kind
    meaning: str
    can_be_missing: bool
    symbols: list[str]
    """The words that it is one of."""


class FeaturesView(View):
    """Every feature there is."""

    features: list[FeatureView]
