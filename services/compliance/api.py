"""The HTTP API of compliance for programs: screen a name on demand, see which lists are live."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from libs.common.database import transaction
from libs.common.fields import Body, Country, PartialDate, text
from libs.common.http import Who
from libs.common.openapi import answering, reading
from libs.common.service import Runtime
from services.compliance import diligence_api, looks, monitoring_api, queries, travel_api
from services.compliance.catalogue import live_catalogue
from services.compliance.domain.audit import ObjectKind
from services.compliance.lists.listed import ListedParty, PartyKind
from services.compliance.matching.screening import Hit, screen
from services.compliance.matching.subject import Subject
from services.compliance.settings import ComplianceSettings
from services.compliance.views import ListsView, ScreeningView


class ScreeningRequest(Body):
    """A party to be compared with every list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Ann Miller", "birth_date": "1980-05-17", "country": "DE", "kind": "person"}]
        }
    )

    name: Annotated[str, text()]
    birth_date: PartialDate | None = None
    country: Country | None = None
    kind: PartyKind | None = Field(None, description="what it is; a name is compared with all kinds if not given")
    identifier: Annotated[str, text(100)] | None = Field(
        None, description="an official number: of a passport, a register, a ship (IMO)", examples=["IMO 9187629"]
    )


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1."""
    settings = runtime.settings
    assert isinstance(settings, ComplianceSettings)
    live = live_catalogue(settings)
    router = APIRouter(prefix="/v1", tags=["screening"], responses=reading())

    @router.post("/screenings", responses=reading(HTTPStatus.BAD_REQUEST) | answering(HTTPStatus.OK, ScreeningView))
    @looks.shown(runtime, ObjectKind.SCREENING, _found)
    def screen_name(who: Who, body: ScreeningRequest) -> dict[str, Any]:
        """Compare a party with every live list, and say what was found and why. Nothing is stored of the party."""
        with transaction(runtime.engine) as tx:
            catalogue = live.current(tx)
        subject = Subject(
            name=body.name,
            birth_date=body.birth_date,
            country=body.country,
            kind=body.kind,
            identifier=body.identifier,
        )
        verdict = screen(catalogue.index, subject)
        return {
            "outcome": verdict.outcome.value,
            "unscreenable": verdict.unscreenable and verdict.unscreenable.value,
            "hits": [_hit_view(hit) for hit in verdict.hits],
            "lists_version": catalogue.label,
        }

    @router.get("/lists", responses=answering(HTTPStatus.OK, ListsView))
    @looks.shown(runtime, ObjectKind.LISTS)
    def get_lists(who: Who) -> dict[str, Any]:
        """Which version of which list is searched."""
        return {"lists": queries.list_lists(runtime.engine)}

    return [router, monitoring_api.router(runtime), travel_api.router(runtime), diligence_api.router(runtime)]


def _found(screened: dict[str, Any]) -> str:
    """Whom a screening has shown, and of whom was asked nothing."""
    return " ".join((screened["outcome"], *(f"{hit['list_name']}/{hit['entity_id']}" for hit in screened["hits"])))


def _hit_view(hit: Hit) -> dict[str, Any]:
    return {
        "list_name": hit.list_name,
        "entity_id": hit.entity_id,
        "listed_name": hit.listed_name,
        "score": hit.score,
        "outcome": hit.outcome.value,
        "reasons": list(hit.reasons),
        "listed": _party_view(hit.listed),
    }


def _party_view(party: ListedParty) -> dict[str, Any]:
    return {
        "kind": party.kind.value,
        "names": [{"name": name.name, "strength": name.strength.value} for name in party.names],
        "births": [str(born) for born in party.births],
        "countries": list(party.countries),
        "programme": party.programme,
        "remarks": party.remarks,
    }
