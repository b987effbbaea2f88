"""What one batch of monitoring may touch. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from libs.common.record import Record
from libs.common.state import Aggregates, Journal
from services.compliance.monitoring.alerts import Alert, SilenceChange, Watched
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.cycles import Chain, Edge
from services.compliance.monitoring.links import Link
from services.compliance.monitoring.movements import Profile
from services.compliance.monitoring.parameters import Version
from services.compliance.monitoring.standards import Standards


class Hop(Record):
    """A movement large enough to be part of a cycle."""

    payment_id: str
    edge: Edge
    is_looked_at: bool = False
    """Whether cycles that it closes have been looked for."""


class AlertMove(Record):
    """An alert that was held back, and is in a case now."""

    alert_id: str
    case_id: str


class Monitored:
    """Customers' histories, locked; what is known of them; what they are held against; what is raised, appended."""

    def __init__(
        self,
        *,
        watched: Mapping[str, Watched] | None = None,
        hops: Mapping[str, Hop] | None = None,
        known: Mapping[str, Profile] | None = None,
        standards: Standards | None = None,
        chains: Mapping[str, Chain] | None = None,
    ) -> None:
        self.watched: Aggregates[Watched] = Aggregates(watched or {})
        self.hops: Aggregates[Hop] = Aggregates(hops or {})
        self.alerts: Journal[Alert] = Journal()
        self.moves: Journal[AlertMove] = Journal()
        self.silences: Journal[SilenceChange] = Journal()
        self.links: Journal[Link] = Journal()
        self.versions: Journal[Version] = Journal()
        self.known = known or {}
        """The customers that compliance knows, of those whose money moves."""
        self.standards = standards or Standards((), CountryLists(()))
        self.chains = chains or {}
        """The cycles that hops close, by the payment that does."""

    @property
    def parts(self) -> Sequence[Aggregates[Any] | Journal[Any]]:
        """What takes part in a decision's being kept or forgotten."""
        return self.watched, self.hops, self.alerts, self.moves, self.silences, self.links, self.versions
