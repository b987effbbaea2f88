"""What the API answers about monitoring, for its OpenAPI page. A test holds it to that."""

from datetime import datetime

from libs.common.fields import View
from schemas.compliance.events import CaseDecision
from services.compliance.domain.case import CaseStatus
from services.compliance.domain.rule_change import ChangeStatus
from services.compliance.monitoring.alerts import AlertState, SilenceKind
from services.compliance.monitoring.parameters import Scenario


class AlertView(View):
    """Something a scenario has found about a customer. Amounts among the values are cents of a dollar."""

    alert_id: str
    scenario: Scenario
    customer_id: str
    payment_ids: list[str]
    reason: str
    values: dict[str, int | str]
    parameters_version: str
    occurred_at: datetime
    raised_at: datetime
    state: AlertState
    case_id: str | None
    case_status: CaseStatus | None
    case_decision: CaseDecision | None


class AlertPage(View):
    """Some alerts, and the cursor of the next page if there is one."""

    alerts: list[AlertView]
    next_cursor: str | None


class SilenceView(View):
    """What someone said about silence. A kind that is null ended it."""

    scenario: Scenario
    kind: SilenceKind | None
    until: datetime
    reason: str
    by: str
    at: datetime


class CustomerSilenceView(SilenceView):
    """The same, with the customer it is about."""

    customer_id: str


class SilencesView(View):
    silences: list[SilenceView]


class VersionView(View):
    """Parameters of a scenario, in force from a moment on until a later version is."""

    scenario: Scenario
    version: str
    parameters: dict[str, bool | int | str]
    effective_from: datetime
    reason: str
    by: str
    at: datetime


class ChangeView(View):
    """Parameters that somebody has proposed: in force once another person has confirmed them at the desk."""

    change_id: str
    scenario: Scenario
    status: ChangeStatus
    parameters: dict[str, bool | int | str]
    effective_from: datetime | None
    reason: str
    by: str
    at: datetime


class ScenariosView(View):
    scenarios: list[VersionView]
