"""What Prometheus sees of compliance: what was screened, what monitoring has raised, and what waits for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from libs.common.batch import Decided, Observe
from libs.common.figures import Figure, Look, Value
from libs.common.metrics import Metrics
from schemas.compliance.events import PartyRole, ScreeningOutcome
from services.compliance.domain.work import Screening, Work
from services.compliance.monitoring.alerts import AlertState
from services.compliance.monitoring.parameters import Scenario
from services.compliance.settings import ComplianceSettings
from services.compliance.store import figures

_OUTCOMES = tuple(outcome.value for outcome in ScreeningOutcome if outcome is not ScreeningOutcome.UNKNOWN)
_ROLES = tuple(role.value for role in PartyRole if role is not PartyRole.UNKNOWN)

_FIGURES = (
    Figure(
        name="compliance_cases_open",
        meaning="Cases that wait for people, by how long they have; counted up to 20,000",
        label="age",
        values=figures.AGES,
    ),
    Figure(name="compliance_cases_overdue", meaning="Cases that should have been decided by now, counted alike"),
    Figure(
        name="compliance_list_age_seconds",
        meaning="Since a list was last brought in, whether it had changed or not; not the fictional one",
        label="list",
        values="the names of the lists that were imported",
    ),
    Figure(
        name="compliance_list_dated_seconds",
        meaning="Since the day that a list gives itself, of those that give one",
        label="list",
        values="the names of the lists that were imported",
    ),
    Figure(name="compliance_lists_live", meaning="Lists that payments and customers are screened against"),
    Figure(
        name="compliance_customers_outdated",
        meaning="Customers still to be screened against the newest lists; counted up to 20,000",
    ),
    Figure(
        name="compliance_monitoring_behind_seconds",
        meaning="For how long the customer has waited that monitoring should have looked at first",
    ),
)


def looks(_: ComplianceSettings) -> Sequence[Look]:
    """What a query tells, now and then."""

    def ask(tx: Connection, now: datetime) -> Sequence[Value]:
        checked, dated, live = figures.list_ages(tx, now)
        cases: Mapping[str, float] = figures.count_cases_by_age(tx, now)
        return (
            cases,
            figures.count_overdue_cases(tx, now),
            checked,
            dated,
            live,
            figures.count_outdated_customers(tx),
            figures.monitoring_behind_seconds(tx, now),
        )

    return [Look(figures=_FIGURES, ask=ask)]


def observer(metrics: Metrics) -> Observe:
    """What this process has committed."""
    screened = metrics.counter(
        "compliance_screenings_total", "Answers this process has given about payments, by outcome", outcome=_OUTCOMES
    )
    hits = metrics.counter(
        "compliance_screening_hits_total",
        "Entries of lists that parties of payments resembled, by the party's role",
        role=_ROLES,
    )
    alerts = metrics.counter(
        "compliance_alerts_total",
        "Alerts this process has raised, by scenario, and by whether people see them: `open` is in a case",
        scenario=tuple(Scenario),
        state=tuple(AlertState),
    )

    def observe(work: Work, _: Sequence[Decided]) -> None:
        for before, screening in work.screenings.changes:
            if _is_answered_anew(before, screening):
                screened.labels(screening.outcome.value).inc()
                for screened_role in screening.roles:
                    hits.labels(screened_role.role.value).inc(len(screened_role.verdict.hits))
        for alert in work.monitored.alerts:
            alerts.labels(alert.scenario.value, alert.state.value).inc()

    return observe


def _is_answered_anew(before: Screening | None, screening: Screening) -> bool:
    return before is None or before.screened_at != screening.screened_at
