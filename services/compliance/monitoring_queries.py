"""What people and programs ask about monitoring: read-only SQL, and the shapes of the answers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.database import array, fetch, transaction
from libs.common.record import Record
from services.compliance.defaults import shipped_versions
from services.compliance.domain.case import Case
from services.compliance.domain.rule_change import RuleChange
from services.compliance.monitoring.alerts import Alert, AlertState, Silence, SilenceKind
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.history import counterpart_of
from services.compliance.monitoring.parameters import Scenario, Version, values_of
from services.compliance.monitoring.standards import Standards
from services.compliance.store.monitoring import alert_of
from services.compliance.store.standards import load_versions

CASE_ALERTS_MAX = 50
REPORTED_ALERTS_MAX = 2_000
COUNTERPARTS_LOOKED_AT_MAX = 5_000
"""Of a customer, on each side: beyond these, who the other side of a movement was may stay unnamed."""
SHARES_LOOKED_AT_MAX = 50_000


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


def list_alerts_to_report(engine: Engine, case: Case, since: date | None = None) -> list[Alert]:
    """The alerts that a report rests on, the oldest first, at most REPORTED_ALERTS_MAX: those of a case; or, where one
    goes on, all that the customer's cases have had of what moved since a day: each decision is followed by a new case.
    """
    if case.customer_id is None:
        return []
    chosen, value = ("case_id = %s", case.case_id) if since is None else ("occurred_at >= %s", since)
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT body, state, case_id FROM alerts WHERE customer_id = %s AND case_id IS NOT NULL AND {chosen}
                 ORDER BY raised_at, alert_id LIMIT %s""",
            (case.customer_id, value, REPORTED_ALERTS_MAX),
        )
    return [alert_of(*row) for row in rows]


class Counterpart(Record):
    """Who the other side of a movement was."""

    customer_id: str
    name: str | None
    """None if its data came encrypted, or nothing is known of it."""
    is_known: bool


class ReadableAlerts(Record):
    """Alerts of a customer, and what makes them readable."""

    alerts: tuple[Alert, ...] = ()
    counterparts: Mapping[int | str, Counterpart] = {}
    """By their ids, and by the hashes that histories know them by."""
    versions: Mapping[tuple[Scenario, str], Version] = {}
    """The parameters that they went by."""


def find_case_alerts(engine: Engine, case: Case) -> ReadableAlerts:
    """The alerts of a case, with the parameters they went by, and who paid or was paid: as long as that is kept."""
    alerts = list_case_alerts(engine, case)
    if not alerts or case.customer_id is None:
        return ReadableAlerts()
    with transaction(engine) as tx:
        return _readable(tx, case.customer_id, alerts)


def find_silent_alerts(engine: Engine, customer_id: str, *, limit: int) -> ReadableAlerts:
    """What silences keep from people now: a customer's alerts that are suppressed or snoozed, the newest first."""
    silent = [state for state in AlertState if state is not AlertState.OPEN]
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT body, state, case_id FROM alerts WHERE customer_id = %s AND state = ANY(%b::text[])
                ORDER BY raised_at DESC, alert_id DESC LIMIT %s""",
            (customer_id, array("text", silent), limit),
        )
        return _readable(tx, customer_id, [alert_of(*row) for row in rows])


def _readable(tx: Connection, customer_id: str, alerts: Sequence[Alert]) -> ReadableAlerts:
    known = (*shipped_versions(), *load_versions(tx))
    counterparts = _find_counterparts(tx, customer_id, alerts) if alerts else {}
    versions = {(version.scenario, version.version): version for version in known}
    return ReadableAlerts(alerts=tuple(alerts), counterparts=counterparts, versions=versions)


def _find_counterparts(tx: Connection, customer_id: str, alerts: Iterable[Alert]) -> dict[int | str, Counterpart]:
    movements = [movement for alert in alerts for movement in alert.movements]
    named = {id_ for one in movements for id_ in (one.debtor_customer_id, one.creditor_customer_id) if id_}
    hashes = {movement.counterpart for movement in movements if movement.counterpart}
    if hashes:
        since = min(movement.at for movement in movements).date().replace(day=1)
        linked = fetch(
            tx,
            """(SELECT creditor_customer_id FROM payment_links WHERE debtor_customer_id = %s AND month_on >= %s
                 ORDER BY month_on LIMIT %s)
                UNION (SELECT debtor_customer_id FROM payment_links WHERE creditor_customer_id = %s AND month_on >= %s
                 ORDER BY month_on LIMIT %s)""",
            (customer_id, since, COUNTERPARTS_LOOKED_AT_MAX) * 2,
        )
        named |= {id_ for (id_,) in linked if counterpart_of(id_) in hashes}
    rows = fetch(
        tx,
        """SELECT k.customer_id, c.body::json -> 'subject' ->> 'name', c.customer_id IS NOT NULL
             FROM unnest(%b::uuid[]) AS k (customer_id) LEFT JOIN customers c USING (customer_id)""",
        (array("uuid", sorted(named)),),
    )
    found = [Counterpart(customer_id=id_, name=name, is_known=is_known) for id_, name, is_known in rows]
    return {key: one for one in found for key in (one.customer_id, counterpart_of(one.customer_id))}


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


class StandingSilence(Record):
    """A customer that is left alone by a scenario now, and as whom compliance knows it."""

    customer_id: str
    name: str | None
    is_known: bool
    """Whether compliance knows the customer at all."""
    scenario: Scenario
    kind: SilenceKind
    until: datetime
    reason: str
    by: str
    at: datetime


def list_standing_silences(engine: Engine, now: datetime, *, limit: int) -> list[StandingSilence]:
    """Who is left alone by what, those first whose time is over first."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT s.customer_id, c.body::json -> 'subject' ->> 'name', c.customer_id IS NOT NULL, s.scenario,
                      s.kind, s.until, s.reason, s.said_by, s.said_at
                 FROM alert_silences s LEFT JOIN customers c USING (customer_id)
                WHERE s.until > %s AND s.kind IS NOT NULL AND NOT EXISTS (
                  SELECT FROM alert_silences later
                   WHERE later.customer_id = s.customer_id AND later.scenario = s.scenario
                     AND later.silence_id > s.silence_id)
                ORDER BY s.until, s.silence_id LIMIT %s""",
            (now, limit),
        )
    return [
        StandingSilence(
            customer_id=customer_id,
            name=name,
            is_known=is_known,
            scenario=Scenario(scenario),
            kind=SilenceKind(kind),
            until=until,
            reason=reason,
            by=by,
            at=at,
        )
        for customer_id, name, is_known, scenario, kind, until, reason, by, at in rows
    ]


class Share(Record):
    """What a scenario has raised lately, and what people made of it."""

    alerts: int = 0
    customers: int = 0
    silent: int = 0
    """Suppressed, or held back by a snooze."""
    decided: int = 0
    """In cases that two people have decided."""
    explained: int = 0
    """Of those, in cases that were approved: false alarms."""

    @property
    def false_percent(self) -> int | None:
        return round(100 * self.explained / self.decided) if self.decided else None


def count_shares(engine: Engine, since: datetime) -> dict[Scenario, Share]:
    """What each scenario has raised since a moment: of all alerts the newest SHARES_LOOKED_AT_MAX."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT a.scenario, count(*), count(DISTINCT a.customer_id), count(*) FILTER (WHERE a.state <> 'open'),
                      count(*) FILTER (WHERE c.status = 'resolved'),
                      count(*) FILTER (WHERE c.status = 'resolved' AND c.body::json ->> 'decision' = 'approve')
                 FROM (SELECT scenario, customer_id, state, case_id FROM alerts WHERE raised_at >= %s
                        ORDER BY raised_at DESC LIMIT %s) AS a
                 LEFT JOIN cases c USING (case_id)
                GROUP BY a.scenario""",
            (since, SHARES_LOOKED_AT_MAX),
        )
    return {
        Scenario(scenario): Share(
            alerts=alerts, customers=customers, silent=silent, decided=decided, explained=explained
        )
        for scenario, alerts, customers, silent, decided, explained in rows
    }


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


def change_view(change: RuleChange) -> dict[str, Any]:
    return {
        "change_id": change.change_id,
        "scenario": change.about,
        "status": change.status.value,
        "parameters": change.values,
        "effective_from": change.effective_from,
        "reason": change.reason,
        "by": change.proposed_by,
        "at": change.proposed_at,
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
