"""Real Prometheus over real services: what breaks is told by the alert that is for it, which ends when it is mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chaos.installation import LOOK_SECONDS, Installation
from chaos.shop import Shop
from stack import postgres, prometheus
from stack.services import FEATURES
from stack.settings import SERVICES
from stack.signals import NO_TROUBLE
from tests import in_the_clear, promql
from tests.waiting import wait_until

SECONDS_MAX = 150
"""The longest that an alert waits here for its trouble to last, and some to be seen."""
OF_OTHERS = ("ProcessRestarts", "RebalanceStorm", "ListsMissing", "JourneysSlow", "JourneysSlowSlowly")
"""What is true besides: of an installation restarted all the time, without lists, on a machine too small for it; and
payments that waited for what was away were slow, which is over only when enough others were not."""
pytestmark = pytest.mark.timeout(600)
Alert = tuple[str, str]
"""Its name and its service."""


@pytest.fixture
def watched(installation: Installation, shop: Shop) -> Iterator[Installation]:
    """Something has happened, nothing is wrong, and Prometheus has seen both."""
    installation.wait_ready()
    shop.pay_many(5)
    wait_for(installation, set(), exactly=True)
    yield installation
    installation.come_to_rest()


def ask(installation: Installation, path: str, **parameters: str) -> Any:
    address = f"http://{installation.settings.host}:{installation.settings.prometheus_port}/api/v1/{path}"
    answer = in_the_clear.get(address, params=parameters, timeout=10)
    return answer.raise_for_status().json()["data"]


def firing(installation: Installation) -> set[Alert]:
    """The alerts that would wake someone or make a ticket, those apart that are none of these tests'."""
    told = [alert for alert in ask(installation, "alerts")["alerts"] if alert["state"] == "firing"]
    found = [alert["labels"] for alert in told if alert["labels"]["severity"] != NO_TROUBLE]
    return {(a["alertname"], a.get("service", "")) for a in found if a["alertname"] not in OF_OTHERS}


def wait_for(installation: Installation, expected: set[Alert], *, exactly: bool = False) -> None:
    def is_there() -> bool:
        found = firing(installation)
        return found == expected if exactly else found >= expected

    try:
        wait_until(is_there, seconds_max=SECONDS_MAX, every_seconds=LOOK_SECONDS)
    except AssertionError:
        raise AssertionError(f"firing: {sorted(firing(installation))}, expected: {sorted(expected)}") from None


@contextmanager
def a_cent_too_much(installation: Installation) -> Iterator[None]:
    """An account holds what no entry has brought: triggers let nobody but Postgres' own administrator do that."""

    def add(minor: int) -> None:
        with psycopg.connect(postgres.admin_dsn(installation.settings), dbname="accounts") as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE accounts SET posted_minor = posted_minor + %s WHERE account_id = "
                "(SELECT account_id FROM accounts WHERE customer_id IS NOT NULL ORDER BY account_id LIMIT 1)",
                (minor,),
            )

    add(1)
    try:
        yield
    finally:
        add(-1)


def test_a_service_that_is_gone_and_books_that_are_off_are_told_at_once_and_no_longer_than_they_last(
    watched: Installation,
) -> None:
    with watched.away("fraud"), a_cent_too_much(watched):
        wait_for(watched, {("ServiceDown", "fraud"), ("BooksDontBalance", "accounts")})
    wait_for(watched, set(), exactly=True)


def test_a_broker_that_is_gone_is_told_by_every_service_that_waits_for_it(watched: Installation) -> None:
    with watched.away("kafka"):
        wait_for(watched, {("RoleNotReady", service) for service in SERVICES})
        assert not [alert for alert in firing(watched) if alert[0] == "ServiceDown" and alert[1] != FEATURES]
    wait_for(watched, set(), exactly=True)


def test_every_value_that_a_label_has_is_one_of_those_it_may_have(watched: Installation) -> None:
    ports = [*(watched.settings.service_port(service) for service in SERVICES), watched.settings.features_port]
    pages = [prometheus.read(watched.settings, f"http://{watched.settings.host}:{port}") for port in ports]
    samples = [sample for page in pages for family in text_string_to_metric_families(page) for sample in family.samples]
    assert len(samples) > 1_000
    for sample in samples:
        if not promql.OF_EVERY_PROCESS.fullmatch(sample.name):
            labels = promql.known()[sample.name].labels
            for label, value in sample.labels.items():
                allowed = labels.get(label, "anything") if label == "le" else labels[label]
                assert isinstance(allowed, str) or value in allowed, sample


def test_a_slow_bucket_leads_to_a_trace(watched: Installation, shop: Shop) -> None:
    def traces(query: str) -> set[str]:
        found = ask(watched, "query_exemplars", query=query, start="0", end="9999999999")
        return {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}

    shop.pay_many(3)
    for query in ("http_request_seconds_bucket", "event_end_to_end_seconds_bucket", "payments_journey_seconds_bucket"):
        wait_until(lambda query=query: bool(traces(query)), every_seconds=LOOK_SECONDS)  # type: ignore[misc]
