"""What people and programs ask about assessments and rules: read-only SQL, and the shapes of the answers."""

from typing import Any

import msgspec
from sqlalchemy import Engine

from libs.common.database import fetch, transaction
from schemas.fraud.events import FraudOutcome
from services.fraud.domain.rulebook.rulebook import Rulebook
from services.fraud.store import assessments

_OUTCOMES = (FraudOutcome.ALLOW, FraudOutcome.REVIEW, FraudOutcome.BLOCK)

Counts = tuple[int, int, int]
"""Payments, and how many of them were labelled fraud and genuine."""


def find_assessment(engine: Engine, payment_id: str) -> dict[str, Any] | None:
    """Fraud's answer about a payment, and what the payment turned out to be."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT {assessments.ASSESSMENTS.select} FROM assessments WHERE payment_id = %s",
            (payment_id,),
            binary=True,
        )
    if not rows:
        return None
    found: dict[str, Any] = msgspec.to_builtins(assessments.assessment_of(rows[0]))
    del found["sequence"]
    return found


def rules_view(engine: Engine, rulebook: Rulebook, rules_version: str | None) -> dict[str, Any]:
    """How often each outcome and rule came up under one version of the rules, and how that turned out."""
    version = rules_version or rulebook.version
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT counted, sum(payments)::bigint, sum(frauds)::bigint, sum(genuine)::bigint FROM tallies
                WHERE rules_version = %s GROUP BY counted""",
            (version,),
        )
        versions = fetch(tx, "SELECT DISTINCT rules_version FROM tallies ORDER BY rules_version")
    counts = {counted: (payments, frauds, genuine) for counted, payments, frauds, genuine in rows}
    return {
        "rules_version": version,
        "versions": [known for (known,) in versions],
        "outcomes": [{"outcome": outcome.value, **_counted(counts.get(outcome.value))} for outcome in _OUTCOMES],
        "rules": [
            {"rule": rule.name, "meaning": rule.meaning, "is_applied": True, **_counted(counts.get(rule.name))}
            for rule in rulebook.rules
        ],
    }


def _counted(counts: Counts | None) -> dict[str, Any]:
    payments, frauds, genuine = counts or (0, 0, 0)
    labelled = frauds + genuine
    return {
        "payments": payments,
        "labelled_fraud": frauds,
        "labelled_genuine": genuine,
        "precision": round(frauds / labelled, 4) if labelled else None,
    }
