"""One trace from the request to settlement, through all four services."""

import secrets
from collections.abc import Iterator

import pytest

from chaos.installation import LOOK_SECONDS, Installation
from chaos.shop import Shop
from stack.settings import SERVICES
from tests.e2e.collector import Collector, Span, collecting
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def collector(installation: Installation) -> Iterator[Collector]:
    with collecting(installation.settings.host, installation.otlp_port) as found:
        yield found


def test_a_journey_is_one_trace_in_which_every_span_has_its_parent(
    installation: Installation, shop: Shop, collector: Collector
) -> None:
    caller_id = secrets.token_hex(8)
    # Some are rejected, and some wait for people.
    trace_ids = [secrets.token_hex(16) for _ in range(5)]
    for trace_id in trace_ids:
        shop.pay(traceparent=f"00-{trace_id}-{caller_id}-01")

    def names(trace_id: str) -> set[str]:
        return {span.name for span in collector.of_trace(trace_id)}

    def settled() -> list[str]:
        return [trace_id for trace_id in trace_ids if "payments FundsPosted" in names(trace_id)]

    wait_until(lambda: bool(settled()), seconds_max=90, every_seconds=LOOK_SECONDS)
    trace_id = settled()[0]
    wanted = {
        "POST /v1/payments",
        "payments InitiatePayment",
        "fraud PaymentInitiated",
        "compliance PaymentInitiated",
        "accounts PaymentInitiated",
        "accounts PaymentApproved",
        "payments FundsPosted",
    }
    wait_until(lambda: wanted <= names(trace_id), seconds_max=30, every_seconds=LOOK_SECONDS)
    spans = {span.span_id: span for span in collector.of_trace(trace_id)}
    assert {span.service for span in spans.values()} == {f"weir-{service}" for service in SERVICES}
    for span in spans.values():
        assert span.parent_id in spans or span.parent_id == caller_id, span

    def ancestors(span: Span) -> list[str]:
        return [span.name, *(ancestors(spans[span.parent_id]) if span.parent_id in spans else [])]

    (last,) = [span for span in spans.values() if span.name == "payments FundsPosted"]
    assert ancestors(last)[:2] == ["payments FundsPosted", "accounts PaymentApproved"]
    assert ancestors(last)[-2:] == ["payments InitiatePayment", "POST /v1/payments"]
    asked = {span.name for span in spans.values() if span.name.endswith(" PaymentInitiated")}
    assert asked == {f"{service} PaymentInitiated" for service in ("fraud", "compliance", "accounts")}
    installation.come_to_rest()


def test_batches_and_relays_are_traces_of_their_own_linked_to_the_journeys_in_them(
    installation: Installation, shop: Shop, collector: Collector
) -> None:
    trace_id = secrets.token_hex(16)
    shop.pay(traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-01")
    wanted = {"payments batch", "payments relay", "fraud batch", "fraud relay", "accounts batch", "accounts relay"}
    wait_until(
        lambda: wanted <= {span.name for span in collector.linked_to(trace_id)},
        seconds_max=60,
        every_seconds=LOOK_SECONDS,
    )
    linked = collector.linked_to(trace_id)
    assert not {span.trace_id for span in linked} & {trace_id}
    assert all(span.parent_id == "" for span in linked)
    installation.come_to_rest()


def test_what_a_caller_does_not_want_recorded_is_not(
    installation: Installation, shop: Shop, collector: Collector
) -> None:
    unwanted, wanted = secrets.token_hex(16), secrets.token_hex(16)
    shop.pay(traceparent=f"00-{unwanted}-{secrets.token_hex(8)}-00")
    shop.pay(traceparent=f"00-{wanted}-{secrets.token_hex(8)}-01")
    installation.come_to_rest()
    wait_until(lambda: len(collector.of_trace(wanted)) >= 4, seconds_max=30, every_seconds=LOOK_SECONDS)
    assert collector.of_trace(unwanted) == []
