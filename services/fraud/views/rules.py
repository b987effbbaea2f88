"""How rules did."""

from libs.common.fields import View
from schemas.fraud.events import FraudOutcome
from services.fraud.domain.rulebook.rulebook import Action


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
