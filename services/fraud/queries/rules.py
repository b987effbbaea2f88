"""How rules did: what they found, counted as it was found, and how those payments turned out."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.database import fetch, transaction
from schemas.fraud.events import FraudOutcome
from services.fraud.domain.rulebook.rulebook import Rule
from services.fraud.queries import versions

_OUTCOMES = tuple(outcome.value for outcome in (FraudOutcome.ALLOW, FraudOutcome.REVIEW, FraudOutcome.BLOCK))

Counts = tuple[int, int, int]
"""Payments, and how many of them were labelled fraud and genuine."""
_NONE: Counts = (0, 0, 0)


def rules_view(engine: Engine, version: str | None) -> dict[str, Any] | None:
    """How often each outcome and rule came up under one version of the rules, and how that turned out.

    Of the live version if none is given; None if there is no such version.
    """
    with transaction(engine) as tx:
        version = version or versions.live_rulebook(tx)
        fields, rulebook = versions.fields_of_rulebook(tx, version), versions.read_rulebook(tx, version)
        counts, applied = _counts(tx, version), _applied(tx)
    if fields is None and not counts:
        return None
    return {
        "rules_version": version,
        "versions": applied,
        "outcomes": [{"outcome": outcome, **counted(counts.get(outcome, _NONE))} for outcome in _OUTCOMES],
        "rules": _rule_views(rulebook.rules if rulebook else (), counts),
    }


def counted(counts: Counts) -> dict[str, Any]:
    """Counts, and the share of fraud among what is labelled."""
    payments, frauds, genuine = counts
    return {
        "payments": payments,
        "labelled_fraud": frauds,
        "labelled_genuine": genuine,
        "precision": _share(frauds, frauds + genuine),
    }


def _rule_views(rules: tuple[Rule, ...], counts: Mapping[str, Counts]) -> list[dict[str, Any]]:
    """The rulebook's rules, and what else was found."""
    frauds = sum(counts.get(outcome, _NONE)[1] for outcome in _OUTCOMES)
    known = {rule.name: rule for rule in rules}
    names = [*known, *sorted(counts.keys() - known.keys() - {*_OUTCOMES})]
    return [_rule_view(name, known.get(name), counts.get(name, _NONE), frauds) for name in names]


def _rule_view(name: str, rule: Rule | None, counts: Counts, frauds: int) -> dict[str, Any]:
    return {
        "rule": name,
        "meaning": rule and rule.meaning,
        "action": rule and rule.action.value,
        **counted(counts),
        "recall": _share(counts[1], frauds),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _counts(tx: Connection, version: str) -> dict[str, Counts]:
    rows = fetch(
        tx,
        """SELECT counted, sum(payments)::bigint, sum(frauds)::bigint, sum(genuine)::bigint FROM tallies
            WHERE rules_version = %s GROUP BY counted""",
        (version,),
    )
    return {counted: (payments, frauds, genuine) for counted, payments, frauds, genuine in rows}


def _applied(tx: Connection) -> list[str]:
    return [known for (known,) in fetch(tx, "SELECT DISTINCT rules_version FROM tallies ORDER BY rules_version")]
