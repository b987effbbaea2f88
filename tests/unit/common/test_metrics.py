"""What a process counts, and how it says so to Prometheus."""

from fastapi.testclient import TestClient

from docs import catalogue
from docs import metrics as page
from docs.readmes import wired
from libs.common.message import Trace
from libs.common.metrics import Metrics, exemplar
from libs.common.service import Role

TOKEN = "a-token-for-metrics"
TRACE = Trace(correlation_id="one", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")


def reading() -> TestClient:
    """One who may read the metrics of a process."""
    runtime = wired("payments", metrics_token=TOKEN)
    return TestClient(runtime.app([Role.API], dict), headers={"Authorization": f"Bearer {TOKEN}"})


def test_every_value_of_a_closed_label_is_there_from_the_beginning() -> None:
    metrics = Metrics()
    metrics.counter("cups_total", "Cups", size=("small", "large"), taste=("sweet", "plain"))
    metrics.counter("plates_total", "Plates", maker="whoever made them")
    shown = {tuple(sample.labels.values()) for family in metrics.collect() for sample in family.samples}
    assert shown == {("small", "sweet"), ("small", "plain"), ("large", "sweet"), ("large", "plain")}


def test_a_bucket_leads_to_a_trace_that_fell_into_it_and_only_openmetrics_tells() -> None:
    client = reading()
    assert client.get("/health", headers={"traceparent": TRACE.traceparent}).status_code == 200
    asked = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert asked.headers["content-type"].startswith("application/openmetrics-text")
    assert f'# {{trace_id="{"a" * 32}"}}' in asked.text
    plain = client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert "trace_id" not in plain.text and 'http_requests_total{method="GET",route="/health"' in plain.text


def test_what_has_no_trace_has_no_exemplar() -> None:
    assert exemplar(None) is None
    assert exemplar(Trace(correlation_id="one", traceparent="")) is None
    assert exemplar(TRACE) == {"trace_id": "a" * 32}


def test_what_nobody_records_has_no_exemplar() -> None:
    """It would lead to a trace that is nowhere."""
    assert exemplar(Trace(correlation_id="one", traceparent=TRACE.traceparent[:-2] + "00")) is None
    client = reading()
    assert client.get("/health").status_code == 200
    asked = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert "trace_id" not in asked.text


def test_a_strangers_header_is_no_exemplar() -> None:
    """Prometheus' client raises for one that is too long, when all else has been committed."""
    for traceparent in (f"00-{'a' * 200}-{'b' * 16}-01", "a-b-c-d", f"00-{'0' * 32}-{'b' * 16}-01"):
        assert exemplar(Trace(correlation_id="one", traceparent=traceparent)) is None


def test_the_page_lists_every_metric_that_a_service_shows() -> None:
    """Whatever way it got into the registry: a collector that describes nothing is found by what it shows."""
    text = page.page()
    for service in catalogue.SERVICES:
        runtime = wired(service)
        described = page.descriptions(runtime)
        for family in runtime.metrics.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if not name.startswith(("process_", "python_")):
                assert name in described, f"{service} shows {name}"
                assert f"| `{name}` |" in text
                assert len(family.documentation.split()) > 1


def test_no_two_services_mean_different_things_by_a_name() -> None:
    meanings: dict[str, str] = {}
    for service in catalogue.SERVICES:
        for name, description in page.descriptions(wired(service)).items():
            assert meanings.setdefault(name, description.meaning) == description.meaning


def test_without_a_token_nobody_reads_metrics_and_it_is_said_what_is_missing() -> None:
    client = TestClient(wired("payments").app([Role.API], dict))
    for shown in (None, "Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        refused = client.get("/metrics", headers={"Authorization": shown} if shown else {})
        assert refused.status_code == 401
        assert refused.json()["detail"] == "nobody may read metrics here: WEIR_METRICS_TOKEN is not set"


def test_the_features_worker_shows_its_metrics_to_nobody_else_either() -> None:
    runtime = wired("fraud", metrics_token=TOKEN)
    client = TestClient(runtime.app((), lambda: {"features": True}))
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
