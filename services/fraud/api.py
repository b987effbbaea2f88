"""The HTTP API of fraud: payments assessed before they are made, labels, rulebooks, models, lists."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter

from libs.common.service import Runtime
from services.fraud.bringing import MODEL_BYTES_MAX, RULEBOOK_BYTES_MAX
from services.fraud.routes import assessments, features, labels, lists, models, rulebooks

LARGE_BODIES: Mapping[str, int] = {
    "/v1/labels": labels.BYTES_MAX,
    "/v1/models": MODEL_BYTES_MAX,
    "/v1/rulebooks": RULEBOOK_BYTES_MAX,
    "/v1/rulebooks/check": RULEBOOK_BYTES_MAX,
}


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1: the table of contents."""
    router = APIRouter(prefix="/v1")
    for part in (assessments, labels, rulebooks, models, lists, features):
        part.add(router, runtime)
    return [router]
