"""Grafana's dashboards: what each panel asks Prometheus for, as the JSON that Grafana is provisioned with."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from libs.common.record import Record
from stack.signals import API, NO_TROUBLE, SIGNALS

FOLDER = Path("deploy") / "grafana" / "dashboards"
_FIRING = f'sum by (alertname, service) (ALERTS{{alertstate="firing", severity!="{NO_TROUBLE}"}})'
_DATASOURCE = {"type": "prometheus", "uid": "weir"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3
"""Of a panel, in Grafana's grid of 24 columns."""


class Panel(Record):
    """A chart: its lines, each with what it is called."""

    title: str
    meaning: str
    queries: tuple[tuple[str, str], ...]
    """(legend, query)"""
    unit: str = "short"
    worrying: float | None = None


class Dashboard(Record):
    """Panels that are looked at together."""

    name: str
    title: str
    panels: tuple[Panel, ...]

    @property
    def queries(self) -> Iterator[str]:
        return (query for panel in self.panels for _, query in panel.queries)


def _quantiles(metric: str, by: str = "service", condition: str = "") -> tuple[tuple[str, str], ...]:
    selector = f"{metric}_bucket{{{condition}}}" if condition else f"{metric}_bucket"
    return tuple(
        (
            f"p{round(share * 100)} {{{{{by}}}}}",
            f"histogram_quantile({share}, sum by ({by}, le) (rate({selector}[5m])))",
        )
        for share in (0.5, 0.99)
    )


_OVERVIEW = Dashboard(
    name="overview",
    title="Weir: overview",
    panels=(
        Panel(
            title="Alerts",
            meaning="What fires, by name; what to do is in docs/operations.md",
            queries=(("{{alertname}} {{service}}", _FIRING),),
        ),
        Panel(title="Roles ready", meaning="1 where each can work", queries=(("{{service}} {{role}}", "role_ready"),)),
        *(
            Panel(
                title=signal.title.capitalize(),
                meaning=signal.meaning.capitalize(),
                queries=(("{{service}}", signal.query),),
                unit=signal.unit,
                worrying=signal.worrying,
            )
            for signal in SIGNALS
        ),
        Panel(
            title="Clients held back",
            meaning="Requests refused a minute, because they came too fast or a quota was used up",
            queries=(
                ("{{service}} too fast", "sum by (service) (rate(http_rate_limited_total[5m])) * 60"),
                ("quota of {{quota}}", "sum by (quota) (rate(payments_quota_refusals_total[5m])) * 60"),
            ),
        ),
        Panel(
            title="Key store",
            meaning="How long a question takes, and how many fail a second",
            queries=(
                *_quantiles("key_store_seconds", condition='result="answered"'),
                ("{{service}} failed", 'sum by (service) (rate(key_store_seconds_count{result="failed"}[5m]))'),
            ),
            unit="s",
        ),
        Panel(
            title="Processor time",
            meaning="Cores that each process keeps busy",
            queries=(("{{service}} {{instance}}", "rate(process_cpu_seconds_total[1m])"),),
        ),
        Panel(
            title="Memory",
            meaning="Of each process",
            queries=(("{{service}} {{instance}}", "process_resident_memory_bytes"),),
            unit="bytes",
        ),
    ),
)

_MESSAGING = Dashboard(
    name="messaging",
    title="Weir: messaging",
    panels=(
        Panel(
            title="Outbox: oldest event",
            meaning="Age of what is not yet published",
            queries=(("{{service}}", "max by (service) (outbox_oldest_age_seconds)"),),
            unit="s",
            worrying=30,
        ),
        Panel(
            title="Outbox: backlog",
            meaning="Events not yet published, and those that Kafka would not take",
            queries=(
                ("{{service}}", "sum by (service) (outbox_backlog_rows)"),
                ("{{service}} parked", "max by (service) (outbox_parked_rows)"),
            ),
        ),
        Panel(
            title="Outbox: published",
            meaning="Events a second",
            queries=(("{{service}}", "sum by (service) (rate(outbox_published_total[1m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Outbox: commit to acknowledgement",
            meaning="Of the first event of each batch",
            queries=_quantiles("outbox_publish_latency_seconds"),
            unit="s",
        ),
        Panel(
            title="Outbox: leaders",
            meaning="Shards with a leader",
            queries=(("{{service}}", "sum by (service) (max by (service, shard) (outbox_leader))"),),
        ),
        Panel(
            title="Consumer: lag",
            meaning="Age of the newest record read, while there are more",
            queries=(("{{service}} {{topic}}", "max by (service, topic) (consumer_lag_seconds)"),),
            unit="s",
            worrying=30,
        ),
        Panel(
            title="Consumer: records left",
            meaning="Not yet read",
            queries=(("{{service}} {{topic}}", "sum by (service, topic) (consumer_lag_records)"),),
        ),
        Panel(
            title="Consumer: messages",
            meaning="A second, by what became of them",
            queries=(("{{service}} {{result}}", "sum by (service, result) (rate(consumer_records_total[1m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Consumer: batches",
            meaning="From claim to commit",
            queries=_quantiles("consumer_batch_seconds"),
            unit="s",
        ),
        Panel(
            title="Consumer: size of batches",
            meaning="Messages of a batch: large ones tell of a backlog",
            queries=_quantiles("consumer_batch_records"),
        ),
        Panel(
            title="Rebalances",
            meaning="Partitions that changed hands, in five minutes",
            queries=(("{{service}}", "sum by (service) (increase(consumer_rebalances_total[5m]))"),),
        ),
        Panel(
            title="Dead letters and parked keys",
            meaning="Letters written in an hour; keys that wait",
            queries=(
                ("{{service}} letters", "sum by (service) (increase(dead_letters_total[1h]))"),
                ("{{service}} keys", "max by (service) (parked_keys)"),
            ),
        ),
        Panel(
            title="Outages waited for",
            meaning="Times a batch had to wait, in five minutes",
            queries=(("{{service}}", "sum by (service) (increase(consumer_outages_total[5m]))"),),
        ),
        Panel(
            title="Databases: oldest transaction",
            meaning="What it holds up is not tidied",
            queries=(("{{service}}", "max by (service) (database_oldest_transaction_seconds)"),),
            unit="s",
            worrying=300,
        ),
        Panel(
            title="Databases: size",
            meaning="On disk",
            queries=(("{{service}}", "max by (service) (database_bytes)"),),
            unit="bytes",
        ),
        Panel(
            title="Databases: backups",
            meaning="Age of the newest copy, and since when no segment of the log could be archived",
            queries=(
                ("{{service}} copy", "max by (service) (database_copy_age_seconds)"),
                ("{{service}} archive fails", "max by (service) (database_archive_failing_seconds)"),
            ),
            unit="s",
            worrying=36 * 3_600,
        ),
    ),
)

_MONEY = Dashboard(
    name="money",
    title="Weir: money",
    panels=(
        Panel(
            title="Payments",
            meaning="Taken on and ended, a second",
            queries=(
                ("initiated", "sum(rate(payments_initiated_total[1m]))"),
                ("{{end}}", "sum by (end) (rate(payments_ended_total[1m]))"),
            ),
            unit="reqps",
        ),
        Panel(
            title="Rejected, by reason",
            meaning="A second, by the reason that clients see",
            queries=(("{{reason}}", 'sum by (reason) (rate(payments_ended_total{end="rejected"}[5m]))'),),
            unit="reqps",
        ),
        Panel(
            title="Journeys that wait for nobody",
            meaning="From order to end",
            queries=_quantiles("payments_journey_seconds", "end", 'way="straight"'),
            unit="s",
            worrying=10,
        ),
        Panel(
            title="Within ten seconds",
            meaning="Share of those; 99 % is promised",
            queries=(("share", "1 - payments:journeys_slow:ratio5m"),),
            unit="percentunit",
        ),
        Panel(
            title="Open, by state",
            meaning="Payments that have not ended",
            queries=(("{{state}}", "max by (state) (payments_open)"),),
        ),
        Panel(
            title="Oldest open, by state",
            meaning="Suspended ones wait for people, days at most",
            queries=(("{{state}}", "max by (state) (payments_oldest_open_age_seconds)"),),
            unit="s",
        ),
        Panel(
            title="Suspended, by reason",
            meaning="A second",
            queries=(("{{reason}}", "sum by (reason) (rate(payments_suspended_total[5m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Past their deadline",
            meaning="Someone must look",
            queries=(("payments and refunds", "max(payments_past_deadline)"),),
            worrying=1,
        ),
        Panel(
            title="Books",
            meaning="What balances or entries add up to; accounts, holds that contradict entries, transfers: zero",
            queries=(
                ("{{currency}}", "max by (currency) (abs(ledger_imbalance_minor))"),
                ("accounts", "max(ledger_accounts_wrong)"),
                ("holds", "max(ledger_holds_wrong)"),
            ),
            worrying=1,
        ),
        Panel(
            title="Holds",
            meaning="Payments whose money is set aside",
            queries=(("open", "max(holds_open)"),),
        ),
        Panel(
            title="Orders by HTTP",
            meaning="Answers a second, by status",
            queries=(
                (
                    "{{status}}",
                    f'sum by (status) (rate(http_requests_total{{service="payments", method="POST", {API}}}[1m]))',
                ),
            ),
            unit="reqps",
        ),
        Panel(
            title="Orders that wait",
            meaning="For their batch",
            queries=(("{{service}}", "sum by (service) (edge_requests_waiting)"),),
        ),
    ),
)

_COMPLIANCE = Dashboard(
    name="compliance",
    title="Weir: fraud and compliance",
    panels=(
        Panel(
            title="Fraud: outcomes",
            meaning="Payments judged, a second",
            queries=(("{{outcome}}", "sum by (outcome) (rate(fraud_decisions_total[5m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Fraud: by whom",
            meaning="Whether a model had a part in it",
            queries=(("{{model}}", "sum by (model) (rate(fraud_decisions_total[5m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Fraud: score",
            meaning="Median and 99th percentile",
            queries=_quantiles("fraud_decision_score"),
        ),
        Panel(
            title="Fraud: drift",
            meaning="Population stability index against the live model's training; above 0.25 the world has moved",
            queries=(("{{field}}", "max by (field) (fraud_drift_psi)"),),
            worrying=0.25,
        ),
        Panel(
            title="Screening: answers",
            meaning="A second",
            queries=(("{{outcome}}", "sum by (outcome) (rate(compliance_screenings_total[5m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Screening: hits",
            meaning="Entries that parties resembled, a second",
            queries=(("{{role}}", "sum by (role) (rate(compliance_screening_hits_total[5m]))"),),
            unit="reqps",
        ),
        Panel(
            title="Lists: age",
            meaning="Since they were last brought in, changed or not",
            queries=(("{{list}}", "max by (list) (compliance_list_age_seconds)"),),
            unit="s",
            worrying=259_200,
        ),
        Panel(
            title="Cases: by age",
            meaning="What waits for people",
            queries=(("{{age}}", "max by (age) (compliance_cases_open)"),),
        ),
        Panel(
            title="Cases: overdue",
            meaning="They should have been decided by now",
            queries=(("cases", "max(compliance_cases_overdue)"),),
            worrying=1,
        ),
        Panel(
            title="Monitoring: alerts",
            meaning="Raised in an hour, by scenario",
            queries=(("{{scenario}}", "sum by (scenario) (increase(compliance_alerts_total[1h]))"),),
        ),
        Panel(
            title="Monitoring: behind",
            meaning="For how long the first has waited that should be looked at",
            queries=(("behind", "max(compliance_monitoring_behind_seconds)"),),
            unit="s",
            worrying=600,
        ),
        Panel(
            title="Customers to be screened again",
            meaning="After lists or matcher have changed",
            queries=(("customers", "max(compliance_customers_outdated)"),),
        ),
    ),
)

DASHBOARDS: Sequence[Dashboard] = (_OVERVIEW, _MESSAGING, _MONEY, _COMPLIANCE)


def pages() -> dict[Path, str]:
    """Each dashboard's file, below the repository, and what it must hold."""
    return {FOLDER / f"{one.name}.json": json.dumps(_json(one), indent=1) + "\n" for one in DASHBOARDS}


def _json(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": f"weir-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["weir"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "Weir", "tags": ["weir"], "asDropdown": False, "keepTime": True}],
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.worrying is not None:
        steps.append({"color": "red", "value": panel.worrying})
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _DATASOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "line" if panel.worrying is not None else "off"}},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _DATASOURCE,
                "expr": query,
                "legendFormat": legend,
                "exemplar": "_bucket" in query,
            }
            for place, (legend, query) in enumerate(panel.queries)
        ],
    }
