"""What the API of compliance answers, for its OpenAPI page. `api` writes it; a test holds the two together."""

from datetime import date, datetime

from libs.common.fields import View
from schemas.compliance.events import ScreeningOutcome, UnscreenableReason
from services.compliance.lists.listed import NameStrength, PartyKind


class ListedNameView(View):
    """A name as a list writes it, and how sure the list is of it."""

    name: str
    strength: NameStrength


class ListedPartyView(View):
    """An entry of a list. Births are a date, a year, or a span of years."""

    kind: PartyKind
    names: list[ListedNameView]
    births: list[str]
    countries: list[str]
    programme: str
    remarks: str


class HitView(View):
    """A listed party that resembles the one asked about."""

    list_name: str
    entity_id: str
    listed_name: str
    score: float
    outcome: ScreeningOutcome
    reasons: list[str]
    listed: ListedPartyView


class ScreeningView(View):
    """What the lists say about a party."""

    outcome: ScreeningOutcome
    unscreenable: UnscreenableReason | None
    hits: list[HitView]
    lists_version: str


class ListView(View):
    """The live version of a list, and where it came from."""

    list_name: str
    version: int
    format: str
    source: str
    sha256: str
    dated_on: date | None
    parties: int
    names: int
    imported_by: str
    imported_at: datetime
    checked_at: datetime | None
    """When it was last brought in again, and had not changed."""


class ListsView(View):
    lists: list[ListView]
