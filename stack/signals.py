"""The golden signals of each service (traffic, errors, latency, saturation), as Prometheus is asked for them."""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from stack.settings import StackSettings

API = 'route=~"/(v1|desk).*"'
"""What clients and people ask for; health checks apart."""
PAGE, TICKET, NO_TROUBLE = "page", "ticket", "none"
"""Severities: wakes someone; waits for the morning; always fires, so that its absence is noticed elsewhere."""
_TIMEOUT_SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One number of every service."""

    title: str
    meaning: str
    query: str
    """Gives a series for each service that has something to say."""
    unit: str
    """As Grafana names it: reqps, percentunit, s, short."""
    worrying: float | None = None
    """From here on someone should look."""


SIGNALS = (
    Signal(
        title="requests",
        meaning="answered a second",
        query=f"sum by (service) (rate(http_requests_total{{{API}}}[1m]))",
        unit="reqps",
    ),
    Signal(
        title="events",
        meaning="taken a second, from topics",
        query="sum by (service) (rate(consumer_records_total[1m]))",
        unit="reqps",
    ),
    Signal(
        title="failed",
        meaning="share of requests answered with 5xx",
        query=f'sum by (service) (rate(http_requests_total{{{API}, status=~"5.."}}[5m]))'
        f" / sum by (service) (rate(http_requests_total{{{API}}}[5m]))",
        unit="percentunit",
        worrying=0.001,
    ),
    Signal(
        title="answer p99",
        meaning="time to answer that 99 of 100 requests stay below",
        query=f"histogram_quantile(0.99, sum by (service, le) (rate(http_request_seconds_bucket{{{API}}}[5m])))",
        unit="s",
        worrying=1.0,
    ),
    Signal(
        title="event p95",
        meaning="from the cause of an event to its being applied",
        query="histogram_quantile(0.95, sum by (service, le) (rate(event_end_to_end_seconds_bucket[5m])))",
        unit="s",
        worrying=5.0,
    ),
    Signal(
        title="lag",
        meaning="age of what is read, where there is more to read",
        query="max by (service) (consumer_lag_seconds)",
        unit="s",
        worrying=30.0,
    ),
    Signal(
        title="outbox",
        meaning="age of the oldest event not yet published",
        query="max by (service) (outbox_oldest_age_seconds)",
        unit="s",
        worrying=30.0,
    ),
    Signal(
        title="connections",
        meaning="to the database in use, of those there may be",
        query="max by (service) (database_connections_in_use / database_connections_max)",
        unit="percentunit",
        worrying=0.9,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert that fires."""

    name: str
    severity: str
    summary: str
    runbook: str


class PrometheusAway(Exception):
    """Prometheus doesn't answer."""


def measure(settings: StackSettings) -> Mapping[str, Mapping[str, float]]:
    """Each signal's title, and its value by service. Raises PrometheusAway."""
    return {signal.title: _by_service(_ask(settings, "query", query=signal.query)["result"]) for signal in SIGNALS}


def firing(settings: StackSettings) -> list[Alert]:
    """The alerts that fire now and mean that something is wrong, pages first. Raises PrometheusAway."""
    found = [
        alert
        for alert in _ask(settings, "alerts")["alerts"]
        if alert["state"] == "firing" and alert["labels"]["severity"] != NO_TROUBLE
    ]
    alerts = [
        Alert(
            name=alert["labels"]["alertname"],
            severity=alert["labels"]["severity"],
            summary=alert["annotations"]["summary"],
            runbook=alert["annotations"]["runbook"],
        )
        for alert in found
    ]
    return sorted(
        alerts, key=lambda alert: (alert.severity != PAGE, alert.severity != TICKET, alert.name, alert.summary)
    )


def _by_service(result: Any) -> dict[str, float]:
    return {series["metric"].get("service", ""): float(series["value"][1]) for series in result}


def _ask(settings: StackSettings, path: str, **parameters: str) -> Any:
    address = f"http://{settings.host}:{settings.prometheus_port}/api/v1/{path}"
    try:
        with urllib.request.urlopen(
            f"{address}?{urllib.parse.urlencode(parameters)}", timeout=_TIMEOUT_SECONDS
        ) as answer:
            return json.load(answer)["data"]
    except (URLError, OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        # Also where something else answers there, or it breaks off.
        raise PrometheusAway(str(error) or type(error).__name__) from error
