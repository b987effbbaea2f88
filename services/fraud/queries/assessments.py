"""Fraud's answer about a payment, with all that it was made of: stored values, named by the versions that judged."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

import msgspec
from cachetools import LRUCache
from sqlalchemy import Connection, Engine

from libs.common.database import fetch, transaction
from libs.common.money import format_amount
from schemas.fraud.events import VersionKind
from services.fraud.domain.features import Value
from services.fraud.domain.judging import fields_asked
from services.fraud.domain.knowledge import Assessment
from services.fraud.domain.model import Model, ModelFault
from services.fraud.queries import versions
from services.fraud.store import assessments
from services.fraud.store.versions import load_model

_MODELS_KEPT = 4
_models: LRUCache[str, Model] = LRUCache(_MODELS_KEPT)
_models_lock = Lock()

_SHADOWS = (
    "rules_version",
    "model_version",
    "model_score",
    "outcome",
    "score",
    "rules",
    "judged_at",
)


def find_assessment(engine: Engine, payment_id: str) -> dict[str, Any] | None:
    """Fraud's answer about a payment, why it was given, and what the payment turned out to be."""
    with transaction(engine) as tx:
        assessment = assessments.find(tx, [payment_id]).get(payment_id)
        if assessment is None:
            return None
        return {**_view(assessment), **_explained(tx, assessment), "shadows": _shadows(tx, payment_id)}


def grounds_view(assessment: Assessment) -> dict[str, Any]:
    """What an answer rests on."""
    return {
        "score": assessment.score,
        "findings": msgspec.to_builtins(assessment.findings),
        "rules_version": assessment.rules_version,
        "model_version": assessment.model_version,
        "model_score": assessment.model_score,
        "debtor_snapshot_version": assessment.debtor_snapshot_version,
        "creditor_snapshot_version": assessment.creditor_snapshot_version,
    }


def _view(assessment: Assessment) -> dict[str, Any]:
    return {
        **grounds_view(assessment),
        "payment_id": assessment.payment_id,
        "debtor_account_id": assessment.debtor_account_id,
        "creditor_account_id": assessment.creditor_account_id,
        "device_entity_id": assessment.device_entity_id,
        "amount": format_amount(assessment.amount_minor, assessment.currency),
        "currency": assessment.currency,
        "instructed_at": assessment.instructed_at,
        "outcome": assessment.outcome.value,
        "assessed_at": assessment.assessed_at,
        "label": assessment.label and assessment.label.value,
        "scenario": assessment.scenario,
        "labelled_at": assessment.labelled_at,
    }


def _explained(tx: Connection, assessment: Assessment) -> dict[str, Any]:
    """The values by name, and what each did to the model's score; or why that can't be told any more."""
    values = _named_values(tx, assessment)
    if values is None:
        return {"values": None, "contributions": None, "unexplained": "a version that judged it is not known here"}
    try:
        contributions, unexplained = _contributions(tx, assessment.model_version, values), None
    except ModelFault as fault:
        contributions, unexplained = None, str(fault)
    return {"values": values, "contributions": contributions, "unexplained": unexplained}


def _named_values(tx: Connection, assessment: Assessment) -> dict[str, Value] | None:
    of_rules = versions.fields_of_rulebook(tx, assessment.rules_version)
    model_version = assessment.model_version
    of_model = versions.fields_of(tx, VersionKind.MODEL, model_version) if model_version else ()
    if of_rules is None or of_model is None:
        return None
    names = fields_asked(of_rules, of_model)
    return dict(zip(names, assessment.values, strict=True)) if len(names) == len(assessment.values) else None


def _contributions(tx: Connection, version: str | None, values: Mapping[str, Value]) -> list[dict[str, Any]] | None:
    if version is None:
        return None
    model = _model(tx, version)
    return [msgspec.to_builtins(one) for one in model.contributions([values[name] for name in model.fields])]


def _model(tx: Connection, version: str) -> Model:
    """A stored model, kept ready. Raises ModelFault."""
    with _models_lock:
        if version not in _models:
            content = versions.content_of_model(tx, version)
            if content is None:
                raise ModelFault("the model is not known here")
            _models[version] = load_model(version, content)
        return _models[version]


def _shadows(tx: Connection, payment_id: str) -> list[dict[str, Any]]:
    rows = fetch(
        tx,
        f"""SELECT {", ".join(_SHADOWS)} FROM shadow_verdicts WHERE payment_id = %s
             ORDER BY rules_version, model_version""",
        (payment_id,),
    )
    return [dict(zip(_SHADOWS, row, strict=True)) for row in rows]
