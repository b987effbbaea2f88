"""Alerts, the customers they are about, and who is left alone by which scenario until when."""

from datetime import datetime
from enum import StrEnum

from libs.common.record import Record
from services.compliance.monitoring.history import EMPTY, History
from services.compliance.monitoring.parameters import Scenario

SILENCE_DAYS_MAX = 366
"""People look anew at least once a year, as they must at whom they exempt from reports on cash (31 CFR 1020.315(d))."""
SNOOZED_MAX = 100
"""Alerts about one customer that wait until a snooze is over. Of more, the newest."""


class AlertState(StrEnum):
    """What became of an alert at once. What people make of it is its case's to say."""

    OPEN = "open"
    """In a case."""
    SNOOZED = "snoozed"
    """Will be in a case when the snooze is over."""
    SUPPRESSED = "suppressed"
    """Kept, and shown to nobody who doesn't ask: people have said why."""


class SilenceKind(StrEnum):
    """How a customer is left alone."""

    SUPPRESS = "suppress"
    """The reason is known, and holds until the end."""
    SNOOZE = "snooze"
    """Not now: what is raised meanwhile comes up at the end."""


class Silence(Record):
    """A customer is left alone by a scenario for a time, and why."""

    scenario: Scenario
    kind: SilenceKind
    until: datetime
    reason: str
    by: str
    since: datetime


class SilenceChange(Record):
    """What someone said about silence, kept for good."""

    customer_id: str
    scenario: Scenario
    kind: SilenceKind | None
    """None if it was ended early."""
    until: datetime
    reason: str
    by: str
    at: datetime


class CaseAlert(Record):
    """An alert as the case shows it that it is in."""

    alert_id: str
    scenario: Scenario
    reason: str
    occurred_at: datetime


class AlertMovement(Record, omit_defaults=True):
    """A movement that an alert rests on, as it was known when the alert was raised: histories forget, alerts don't."""

    payment_id: str
    at: datetime
    cents: int
    is_cash: bool = False
    debtor_customer_id: str | None = None
    creditor_customer_id: str | None = None
    counterpart: int = 0
    """The side that is not named, as histories know it: `history.counterpart_of` of its id."""


class Alert(Record):
    """A scenario has found something about a customer. It never stops money: that has moved already."""

    alert_id: str
    scenario: Scenario
    customer_id: str
    payment_ids: tuple[str, ...]
    reason: str
    values: dict[str, int | str]
    parameters_version: str
    occurred_at: datetime
    """When the last of its movements was."""
    raised_at: datetime
    state: AlertState
    case_id: str | None = None
    movements: tuple[AlertMovement, ...] = ()
    """Those of `payment_ids` that were kept one by one, in order of time."""

    @property
    def in_case(self) -> CaseAlert:
        return CaseAlert(
            alert_id=self.alert_id, scenario=self.scenario, reason=self.reason, occurred_at=self.occurred_at
        )


class Mark(Record):
    """Something that was told about a customer, and when it was so."""

    key: str
    at_micros: int


class Watched(Record):
    """What is kept about a customer: one row."""

    customer_id: str
    history: History = EMPTY
    marks: tuple[Mark, ...] = ()
    silences: tuple[Silence, ...] = ()
    snoozed: tuple[CaseAlert, ...] = ()
    case_id: str | None = None
    """The case that alerts were last put into; they join it until it has ended."""

    def silence(self, scenario: Scenario, at: datetime) -> Silence | None:
        """Why the customer is left alone by a scenario, if it is."""
        return next((one for one in self.silences if one.scenario is scenario and at < one.until), None)

    @property
    def wake_at(self) -> datetime | None:
        """When the first snooze is over that holds alerts back."""
        waiting = {alert.scenario for alert in self.snoozed}
        return min((one.until for one in self.silences if one.scenario in waiting), default=None)
