"""What people and programs ask about monitoring: read-only SQL, and the shapes of the answers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from libs.common.database import fetch, transaction
from services.compliance.domain.case import Case
from services.compliance.monitoring.alerts import Alert, AlertState, Silence
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.parameters import Scenario, Version, values_of
from services.compliance.monitoring.standards import Standards
from services.compliance.store.monitoring import alert_of

CASE_ALERTS_MAX = 50


def list_alerts(
    engine: Engine,
    *,
    scenario: Scenario | None = None,
    customer_id: str | None = None,
    state: AlertState | None = None,
    cursor: tuple[datetime, str] | None = None,
    limit: int,
) -> dict[str, Any]:
    """A page of alerts, the newest first, each with what became of its case."""
    filters = {"scenario = %s": scenario, "customer_id = %s": customer_id, "state = %s": state}
    given: dict[str, tuple[Any, ...]] = {
        f"a.{condition}": (value,) for condition, value in filters.items() if value is not None
    }
    if cursor is not None:
        given["(a.raised_at, a.alert_id) < (%s, %s)"] = cursor
    where = " AND ".join(given) or "true"
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT a.body, a.state, a.case_id, c.status, c.body::json ->> 'decision'
                  FROM alerts a LEFT JOIN cases c USING (case_id)
                 WHERE {where} ORDER BY a.raised_at DESC, a.alert_id DESC LIMIT %s""",
            (*(value for values in given.values() for value in values), limit + 1),
        )
    page = [_alert_view(*row) for row in rows[:limit]]
    last = page[-1] if len(rows) > limit else None
    return {
        "alerts": page,
        "next_cursor": f"{last['raised_at'].isoformat()}_{last['alert_id']}" if last else None,
    }


def list_case_alerts(engine: Engine, case: Case) -> list[Alert]:
    """The alerts of a case with all that they rest on, the newest first; at most CASE_ALERTS_MAX."""
    if not case.alerts or case.customer_id is None:
        return []
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT body, state, case_id FROM alerts WHERE customer_id = %s AND case_id = %s
                ORDER BY raised_at DESC, alert_id DESC LIMIT %s""",
            (case.customer_id, case.case_id, CASE_ALERTS_MAX),
        )
    return [alert_of(*row) for row in rows]


def list_silences(engine: Engine, customer_id: str, *, limit: int) -> list[dict[str, Any]]:
    """What was said about silence on a customer, the newest first."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT scenario, kind, until, reason, said_by, said_at FROM alert_silences
                WHERE customer_id = %s ORDER BY silence_id DESC LIMIT %s""",
            (customer_id, limit),
        )
    names = ("scenario", "kind", "until", "reason", "by", "at")
    return [dict(zip(names, row, strict=True)) for row in rows]


def silence_view(customer_id: str, silence: Silence) -> dict[str, Any]:
    """A silence as it now is."""
    return {
        "customer_id": customer_id,
        "scenario": silence.scenario.value,
        "kind": silence.kind.value,
        "until": silence.until,
        "reason": silence.reason,
        "by": silence.by,
        "at": silence.since,
    }


def scenarios_view(standards: Standards, now: datetime) -> list[dict[str, Any]]:
    """Each scenario's parameters: those in force, and those to come, the latest first."""
    return [version_view(version) for scenario in Scenario for version in standards.to_come(scenario, now)]


def version_view(version: Version) -> dict[str, Any]:
    return {
        "scenario": version.scenario.value,
        "version": version.version,
        "parameters": values_of(version.parameters),
        "effective_from": version.effective_from,
        "reason": version.reason,
        "by": version.set_by,
        "at": version.set_at,
    }


def countries_view(countries: CountryLists) -> Iterable[str]:
    """Each country's times on a list, a line each."""
    for listing in countries.listings:
        until = f" until {listing.listed_until}" if listing.listed_until else ""
        yield f"{listing.country}: {listing.list_name.value} from {listing.listed_from}{until}"


def _alert_view(body: str, state: str, case_id: str | None, status: str | None, decision: str | None) -> dict[str, Any]:
    alert = alert_of(body, state, case_id)
    return {
        "alert_id": alert.alert_id,
        "scenario": alert.scenario.value,
        "customer_id": alert.customer_id,
        "payment_ids": list(alert.payment_ids),
        "reason": alert.reason,
        "values": alert.values,
        "parameters_version": alert.parameters_version,
        "occurred_at": alert.occurred_at,
        "raised_at": alert.raised_at,
        "state": alert.state.value,
        "case_id": alert.case_id,
        "case_status": status,
        "case_decision": decision,
    }
