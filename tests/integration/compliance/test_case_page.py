"""A case on one page, on real parts: history, network, the payment's way, other cases."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from libs.common import ids
from libs.common.erasing import Erasure, Whom
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.compliance.events import ScreeningOutcome
from schemas.payments.events import PaymentInitiated, PaymentOrder
from services.compliance import network_queries
from services.compliance.desk.alerts import alert_views
from services.compliance.desk.journey import Journey, Journeys, Source
from services.compliance.desk.views import reason_in_words
from services.compliance.monitoring_queries import find_case_alerts
from services.compliance.queries import find_case, find_screening, list_related
from services.compliance.search_queries import search
from services.compliance.settings import ComplianceSettings
from services.compliance.store import erasing, monitoring
from tests.deciding import decide
from tests.integration.compliance.gallery import settled
from tests.integration.compliance.scene import ALIKE, case_of, initiated, order, registered, rows, suspended

NOW = datetime.now(UTC)


def test_the_network_is_two_hops_of_what_has_settled_with_sums_over_months_and_batches(compliance: Runtime) -> None:
    ann, bob, carl, dan, far = (ids.new() for _ in range(5))
    decide(compliance, registered("Bob Payer", customer_id=bob))
    decide(compliance, settled(bob, ann, 100, days_ago=40), settled(bob, ann, 50), settled(ann, carl, 30))
    again = settled(bob, ann, 7)
    decide(compliance, again)
    decide(compliance, again)
    decide(compliance, settled(carl, dan, 5), settled(dan, far, 4), settled(bob, ann, 9_000, days_ago=200))
    found = network_queries.find_network(compliance.engine, [ann], NOW)
    edges = {(edge.debtor_customer_id, edge.creditor_customer_id): (edge.cents, edge.payments) for edge in found.edges}
    assert edges == {(bob, ann): (157_00, 3), (ann, carl): (30_00, 1), (carl, dan): (5_00, 1)}
    assert {node.customer_id: (node.hops, node.name) for node in found.nodes} == {
        ann: (0, None),
        bob: (1, "Bob Payer"),
        carl: (1, None),
        dan: (2, None),
    }
    assert not found.is_cut


def test_a_network_of_thousands_is_cut_to_those_that_most_money_went_between(compliance: Runtime) -> None:
    ann, payers = ids.new(), [ids.new() for _ in range(300)]
    movements = [settled(payer, ann, 10 + n) for n, payer in enumerate(payers)]
    movements += [settled(ids.new(), payer, 5) for payer in payers[-20:] for _ in range(10)]
    decide(compliance, *movements)
    found = network_queries.find_network(compliance.engine, [ann], NOW)
    assert found.is_cut
    assert len(found.nodes) <= network_queries.NODES_MAX
    near = {node.customer_id for node in found.nodes if node.hops == 1}
    assert near == set(payers[-network_queries.NEAR_MAX :])


def test_who_paid_whom_is_forgotten_after_its_time(compliance: Runtime) -> None:
    decide(compliance, settled(ids.new(), ids.new(), 10, days_ago=500), settled(ids.new(), ids.new(), 10))
    assert compliance.unit.administer(lambda tx: monitoring.forget_links(tx, 100)) == 1
    assert rows(compliance, "SELECT count(*) FROM payment_links") == [(1,)]


def test_an_alert_tells_who_the_other_side_was_and_what_it_looks_for(compliance: Runtime) -> None:
    ann, bob, stranger = (ids.new() for _ in range(3))
    decide(compliance, registered("Ann Miller", customer_id=ann), registered("Bob Payer", customer_id=bob))
    at = NOW - timedelta(days=2)
    decide(
        compliance, settled(bob, ann, 6_000, at=at, is_cash=True), settled(stranger, ann, 4_800, at=at, is_cash=True)
    )
    ((case_id,),) = rows(compliance, "SELECT case_id FROM cases WHERE customer_id = %s", ann)
    case = find_case(compliance.engine, case_id)
    assert case is not None
    found = find_case_alerts(compliance.engine, case)
    (alert,) = alert_views(found, reason_in_words)
    shown = {(one.counterparty, one.counterparty_id, one.amount, one.is_cash) for one in alert.payments}
    assert shown == {("Bob Payer", bob, "$6,000", True), (f"…{stranger[-8:]}", None, "$4,800", True)}
    assert ("Together", "$10,800") in alert.values
    assert ("More than", "$10,000") in alert.parameters


def test_a_search_finds_customers_and_payments_besides_cases(compliance: Runtime, payment: PaymentInitiated) -> None:
    customer_id, clear = ids.new(), initiated(order())
    decide(compliance, registered("Юлия Кузнецова", customer_id=customer_id), clear)
    for query in ("kuznetsova", "yuliya kuzn", customer_id.upper(), "Кузнецова"):
        found = search(compliance.engine, query)
        assert [one.customer_id for one in found.customers] == [customer_id], query
        assert not found.payments
    assert not search(compliance.engine, "kuznetsova miller").customers
    (known,) = search(compliance.engine, clear.payment_id).payments
    assert (known.outcome, known.case_id) == (ScreeningOutcome.CLEAR, None)
    found = search(compliance.engine, payment.payment_id)
    assert [one.case_id for one in found.payments] == [one.case_id for one in found.cases] == [case_of(payment)]
    assert not any(search(compliance.engine, query).customers for query in ("", "%", "k", ids.new()))


def test_who_is_erased_is_found_by_no_name(compliance: Runtime) -> None:
    customer_id = ids.new()
    decide(compliance, registered("Erasable Person", customer_id=customer_id))
    assert search(compliance.engine, "erasable").customers
    erasure = Erasure(whom=Whom(customer_id=customer_id), actor="ops", reason="asked for", at=NOW)
    compliance.unit.administer(lambda tx: erasing.blank(tx, erasure))
    assert not search(compliance.engine, "erasable").customers
    (known,) = search(compliance.engine, customer_id).customers
    assert known.subject is None


@pytest.fixture
def payment(compliance: Runtime) -> PaymentInitiated:
    event = initiated(order(creditor=ALIKE))
    decide(compliance, event, suspended(event))
    return event


def test_other_cases_of_the_same_customers_are_found(compliance: Runtime, payment: PaymentInitiated) -> None:
    customer_id = payment.order.debtor_customer_id
    assert customer_id is not None
    another = initiated(_by(payment.order, customer_id))
    stranger = initiated(order())
    decide(compliance, another, suspended(another), stranger, suspended(stranger))
    case = find_case(compliance.engine, case_of(payment))
    assert case is not None
    assert [found.case_id for found in list_related(compliance.engine, case, [customer_id])] == [case_of(another)]


def _by(ordered: PaymentOrder, customer_id: str) -> PaymentOrder:
    return replace(order(), debtor_customer_id=customer_id)


class Payments(BaseHTTPRequestHandler):
    """Payments' API, as far as the desk asks it."""

    answer: ClassVar[dict[str, Any] | bytes] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode())

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def payments() -> Iterator[tuple[type[Payments], ComplianceSettings]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Payments)
    Thread(target=server.serve_forever).start()
    Payments.asked = []
    url = f"http://127.0.0.1:{server.server_port}"
    yield (
        Payments,
        ComplianceSettings(database_url="postgresql://nowhere", payments_url=url, payments_key=SecretStr("k1")),
    )
    server.shutdown()
    server.server_close()


def journey(compliance: Runtime, payment: PaymentInitiated, settings: ComplianceSettings) -> Journey:
    case = find_case(compliance.engine, case_of(payment))
    assert case is not None
    found = Journeys(settings).find(case, find_screening(compliance.engine, payment.payment_id))
    assert found is not None
    return found


def test_a_payments_way_is_what_payments_tells_with_the_key_of_staffs(
    compliance: Runtime, payment: PaymentInitiated, payments: tuple[type[Payments], ComplianceSettings]
) -> None:
    server, settings = payments
    server.answer = {
        "payment_id": payment.payment_id,
        "timeline": [
            {"at": "2026-01-05T09:00:00Z", "what": "initiated", "detail": None},
            {"at": "2026-01-05T09:00:01Z", "what": "fraud answered", "detail": "review"},
            {"at": "2026-01-05T09:00:02Z", "what": "funds held", "detail": None},
        ],
    }
    found = journey(compliance, payment, settings)
    assert found.source is Source.PAYMENTS
    assert [(step.what, step.detail, step.service) for step in found.steps] == [
        ("initiated", "", "payments"),
        ("fraud answered", "review", "fraud"),
        ("funds held", "", "accounts"),
    ]
    assert server.asked == [(f"/v1/payments/{payment.payment_id}", "Bearer k1")]


@pytest.mark.parametrize("nonsense", [b"<html>", b'{"timeline": 1}', b" " * 1_000_001])
def test_where_payments_answers_nonsense_the_page_shows_what_compliance_knows(
    compliance: Runtime,
    payment: PaymentInitiated,
    payments: tuple[type[Payments], ComplianceSettings],
    nonsense: bytes,
) -> None:
    server, settings = payments
    server.answer = nonsense
    found = journey(compliance, payment, settings)
    assert found.source is Source.AWAY
    assert [step.what for step in found.steps] == ["ordered", "suspended", "compliance answered"]


def test_where_payments_is_not_there_or_may_not_be_asked_the_page_shows_what_compliance_knows(
    compliance: Runtime, payment: PaymentInitiated
) -> None:
    away = ComplianceSettings(
        database_url="postgresql://nowhere", payments_url="http://127.0.0.1:9", payments_key=SecretStr("k1")
    )
    assert journey(compliance, payment, away).source is Source.AWAY
    assert journey(compliance, payment, ComplianceSettings(database_url="postgresql://nowhere")).source is Source.OWN
