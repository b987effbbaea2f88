"""What a payment is judged by: a rulebook, and a model if there is one. Pure.

moment ─► features ─┬─► model ─► model_score ─┐
                    └─────────────────────────┴─► rulebook ─► verdict
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from libs.common.record import Record, replace
from schemas.fraud.events import FraudFinding
from services.fraud.domain.features import CATALOGUE as FEATURES
from services.fraud.domain.features import Value, gathering
from services.fraud.domain.model import Contribution, Model
from services.fraud.domain.moment import Moment
from services.fraud.domain.rulebook.fields import Field, Kind
from services.fraud.domain.rulebook.judging import Verdict, judge
from services.fraud.domain.rulebook.rulebook import Rulebook

MODEL_SCORE = "model_score"
CATALOGUE: Mapping[str, Field] = {
    **FEATURES,
    MODEL_SCORE: Field(
        name=MODEL_SCORE,
        kind=Kind.NUMBER,
        can_be_missing=True,
        meaning="The chance of fraud, from 0 to 1, by the model that judges; missing if none does.",
    ),
}
"""What rules may ask."""

MODEL_MISSING = "model_missing"
"""The finding, which counts for nothing, that says a model should have judged but could not be loaded."""
RULEBOOK_MISSING = "rulebook_missing"
"""The finding that has people look at every payment, because the rulebook that should have judged can't be read."""
_REASONS_MAX = 3


class Judgement(Record):
    """A verdict, and what it was made of."""

    verdict: Verdict
    values: tuple[Value, ...]
    """Of the judge's `fields`."""
    model_score: float | None


class Judge:
    """One rulebook with one model, or with none."""

    def __init__(
        self,
        rulebook: Rulebook,
        model: Model | None = None,
        *,
        missing: str | None = None,
        instead_of: str | None = None,
        also: Collection[str] = (),
    ) -> None:
        """`missing` says why a model that should judge does not, `instead_of` what rulebook this one stands in for.
        `also` names features to be told though unused.
        """
        self.rulebook = rulebook
        self.model = model
        self.fields = fields_asked(rulebook.fields, model.fields if model else (), also)
        self._gather = gathering(self.fields)
        places = {name: place for place, name in enumerate((*self.fields, MODEL_SCORE))}
        self._of_rules = [places[name] for name in rulebook.fields]
        self._of_model = [places[name] for name in model.fields] if model else []
        self._by_model = {rule.name for rule in rulebook.rules if MODEL_SCORE in rule.fields}
        self.is_model_missing = missing is not None
        self._extra = _findings(rulebook, missing, instead_of)

    def judge(self, moment: Moment) -> Judgement:
        """Apply model and rules to a payment and its past."""
        values = self._gather(moment)
        model_score = self.model.score(self.model_values(values)) if self.model else None
        values.append(model_score)
        verdict = judge(self.rulebook, [values[place] for place in self._of_rules], extra=self._extra)
        values.pop()
        if self._by_model and any(finding.rule in self._by_model for finding in verdict.findings):
            verdict = self._explained(verdict, values)
        return Judgement(verdict=verdict, values=tuple(values), model_score=model_score)

    def model_values(self, values: Sequence[Value]) -> list[Value]:
        """What the model goes by, out of the values of `fields`."""
        return [values[place] for place in self._of_model]

    def contributions(self, values: Sequence[Value]) -> list[Contribution]:
        """What each feature did to the model's score, strongest first, given the values of `fields`."""
        return self.model.contributions(self.model_values(values)) if self.model else []

    def _explained(self, verdict: Verdict, values: Sequence[Value]) -> Verdict:
        """The verdict with what moved the model, behind the reason of each rule that goes by it."""
        strongest = [one for one in self.contributions(values) if one.contribution > 0][:_REASONS_MAX]
        why = ", ".join(f"{one.field} {_shown(one.value)}" for one in strongest)
        findings = tuple(
            replace(finding, reason=f"{finding.reason}: {why}") if finding.rule in self._by_model and why else finding
            for finding in verdict.findings
        )
        return replace(verdict, findings=findings)


def _findings(rulebook: Rulebook, missing: str | None, instead_of: str | None) -> list[FraudFinding]:
    """What is said of every payment. Rules that nobody chose for this may allow what the others would have stopped."""
    found = []
    if missing is not None:
        found.append(FraudFinding(rule=MODEL_MISSING, score=0.0, reason=missing))
    if instead_of is not None:
        reason = f"rulebook {instead_of} can't be read any more"
        found.append(FraudFinding(rule=RULEBOOK_MISSING, score=rulebook.thresholds.review, reason=reason))
    return found


def fields_asked(*groups: Iterable[str]) -> tuple[str, ...]:
    """The features that groups of them need together, in an order that hangs on nothing else, so that stored values can
    be read again."""
    return tuple(sorted({name for group in groups for name in group} - {MODEL_SCORE}))


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
