"""Rulebooks, and what is wrong with them."""

from libs.common.fields import View
from libs.common.openapi import FaultView, ProblemView
from services.fraud.domain.rulebook.rulebook import Action
from services.fraud.views.versions import ChangeView, VersionView


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
