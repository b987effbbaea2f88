"""What is told of rulebooks and of models alike."""

from datetime import datetime

from libs.common.fields import View
from schemas.fraud.events import FraudOutcome, VersionState
from services.fraud.views.rules import CountsView, LabelledCountsView


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
