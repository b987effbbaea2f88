"""What Prometheus sees of compliance: what monitoring has raised."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from services.compliance.domain.work import Work
from services.compliance.monitoring.alerts import AlertState
from services.compliance.monitoring.parameters import Scenario


def observer(registry: CollectorRegistry) -> Callable[[Work], None]:
    """What this process has committed."""
    alerts = Counter(
        "compliance_alerts_total",
        "Alerts this process has raised, by scenario, and by whether people see them",
        labelnames=["scenario", "state"],
        registry=registry,
    )
    for scenario in Scenario:
        for state in AlertState:
            alerts.labels(scenario.value, state.value)

    def observe(work: Work) -> None:
        for alert in work.monitored.alerts:
            alerts.labels(alert.scenario.value, alert.state.value).inc()

    return observe
