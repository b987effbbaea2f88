"""Settings that only fraud has."""

from typing import Annotated

import msgspec
from pydantic import AfterValidator, Field

from libs.common.settings import Settings
from services.fraud.domain import rule_set as rules
from services.fraud.domain.limits import Limits
from services.fraud.domain.rule_set import RuleName, RuleSet

Overrides = dict[str, int | float]
"""Limits by name. Whole numbers stay whole: most limits are counts and cents, for which 300.0 is no value."""


def _known(overrides: Overrides) -> Overrides:
    unknown = overrides.keys() - set(Limits.__struct_fields__)
    if unknown:
        raise ValueError(f"there are no such limits: {', '.join(sorted(unknown))}")
    _limits(overrides)
    return overrides


def _limits(overrides: Overrides) -> Limits:
    """The default limits with some replaced. Raises ValueError (msgspec's) where a whole number is wanted."""
    return msgspec.convert({**msgspec.to_builtins(Limits()), **overrides}, Limits)


class FraudSettings(Settings):
    limits: Annotated[Overrides, AfterValidator(_known)] = Field(
        {}, description="limits that differ from those in services/fraud/domain/limits.py, by name, as JSON"
    )
    rules_off: frozenset[RuleName] = Field(frozenset(), description="rules that are not applied, as a JSON list")

    features_instance_id: str | None = Field(
        None, description="static membership of the features worker: a restart within the session time keeps its work"
    )
    features_generation: int = Field(
        1, ge=1, lt=2**20, description="raise it to have the features worker count all labels anew, from the first"
    )
    features_commit_seconds: float = Field(
        1.0, description="between two commits of how far the features worker is: so much comes again after a crash"
    )
    features_stall_seconds: float = Field(
        60.0, description="the features worker ends, to be started anew, when it gets nowhere for so long"
    )

    @property
    def rule_set(self) -> RuleSet:
        return rules.rule_set(_limits(self.limits), without=self.rules_off)
