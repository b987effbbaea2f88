"""Models: brought as `train` writes them, tried in the shadow, released."""

from functools import partial
from http import HTTPStatus
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from libs.common.answers import CREATED, NOT_FOUND, OK, answer_one, found
from libs.common.change import Asked
from libs.common.http import Who
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.fraud.events import VersionKind
from services.fraud.bringing import add_model
from services.fraud.domain.model import ModelFault
from services.fraud.domain.versions import AddVersion
from services.fraud.queries import versions
from services.fraud.requests import Version
from services.fraud.routes.versions import VersionRoutes
from services.fraud.views.models import ModelView
from services.fraud.views.versions import VersionView

_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "description": "A model, byte by byte as `train` has written it."},
                "example": {"format": 1, "fields": ["amount"], "slope": 1.0, "intercept": 0.0, "card": {}, "trees": ""},
            }
        },
    }
}


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = ModelRoutes(runtime)
    tags: list[Any] = ["models"]
    made, one = answering(CREATED, VersionView), answering(OK, ModelView)
    router.post("/models", tags=tags, status_code=CREATED, openapi_extra=_FILE, responses=changing() | made)(
        ask.add_model
    )
    ask.versions.add(router)
    router.get("/models/{version}", tags=tags, responses=reading(NOT_FOUND) | one)(ask.get_model)


class ModelRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self.versions = VersionRoutes(runtime, VersionKind.MODEL, "models")
        self._engine = runtime.engine

    async def add_model(self, asked: Asked, request: Request) -> Response:
        """Keep a model as a draft, by the name on its card. The same bytes again are the version that is there."""
        read = partial(_read, await request.body(), by=asked.who.client.client_id)
        command = await anyio.to_thread.run_sync(read)
        answer = answer_one(CREATED, lambda state: self.versions.view_of(state, command.version))
        return await self.versions.bring(asked, command, answer)

    def get_model(self, version: Version, who: Who) -> dict[str, Any]:
        """A model's card, what it goes by, and who gave it which state."""
        return found(versions.find_model(self._engine, version), "version")


def _read(packed: bytes, *, by: str) -> AddVersion:
    try:
        return add_model(packed, by=by)
    except ModelFault as fault:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "model_unusable", str(fault), field="body") from None
