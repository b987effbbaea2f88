"""What is known of a payment when it is judged: the catalogue that analysts write rules by."""

from typing import Any

from fastapi import APIRouter

from libs.common.answers import OK
from libs.common.http import Who
from libs.common.openapi import answering, reading
from libs.common.service import Runtime
from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.rulebook.fields import Field
from services.fraud.views.features import FeaturesView


def add(router: APIRouter, _: Runtime) -> None:
    """Add the route."""
    router.get("/features", tags=["features"], responses=reading() | answering(OK, FeaturesView))(list_features)


def list_features(who: Who) -> dict[str, Any]:
    """Every feature: what it means, and whether it can be missing."""
    return {"features": [_view(field) for field in CATALOGUE.values()]}


def _view(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind.value,
        "meaning": field.meaning,
        "can_be_missing": field.can_be_missing,
        "symbols": list(field.symbols),
    }
