"""Dashboards: every panel asks for what there is, and Grafana finds what it is provisioned with."""

import json
from pathlib import Path

import pytest
import yaml

from docs import dashboards
from docs.dashboards import DASHBOARDS, Dashboard
from stack import docker, live
from stack.settings import REPOSITORY
from stack.signals import SIGNALS
from tests import promql
from tests.unit.stack.test_alerts import RECORDED

QUERIES = [(one.name, query) for one in DASHBOARDS for query in one.queries]
GRAFANA = REPOSITORY / "deploy" / "grafana"
OF_PROMETHEUS = frozenset({"ALERTS"})


@pytest.mark.parametrize(("name", "query"), QUERIES)
def test_a_panel_asks_for_what_services_show(name: str, query: str) -> None:
    assert promql.faults(query, recorded=RECORDED | OF_PROMETHEUS) == [], name


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.title)
def test_a_golden_signal_asks_for_what_services_show(signal: object) -> None:
    assert isinstance(signal, type(SIGNALS[0]))
    assert promql.faults(signal.query) == []


def test_nearly_every_metric_of_ours_is_on_a_dashboard_or_in_an_alert() -> None:
    rules = (REPOSITORY / "deploy" / "prometheus" / "rules.yml").read_text()
    shown = {metric for _, query in QUERIES for metric in promql.metrics_of(query)}
    unused = {
        description.name
        for series, description in promql.known().items()
        if not any(name.startswith(description.name) for name in shown) and description.name not in rules
    }
    assert len(unused) < len(promql.known()) / 4, sorted(unused)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.name)
def test_panels_lie_side_by_side_and_say_what_they_mean(dashboard: Dashboard) -> None:
    panels = json.loads(dashboards.pages()[dashboards.FOLDER / f"{dashboard.name}.json"])["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(panels) and max(x for x, _ in places) + panels[0]["gridPos"]["w"] <= 24
    assert all(panel["description"] and panel["targets"] for panel in panels)


def test_grafana_is_provisioned_with_them_and_with_where_to_ask() -> None:
    grafana = yaml.safe_load(docker.FILE.read_text())["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "weir.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "weir.yml").read_text())["providers"]
    assert mounted[f"./{dashboards.FOLDER}"] == provider["options"]["path"]
    files = {path.name for path in (REPOSITORY / dashboards.FOLDER).glob("*.json")}
    assert files == {f"{one.name}.json" for one in DASHBOARDS}
    asked = json.loads((REPOSITORY / dashboards.FOLDER / "money.json").read_text())["panels"][0]["datasource"]
    assert asked == {"type": source["type"], "uid": source["uid"]}
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.name in files


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (12.54, "reqps", "12.5/s"),
        (0.0031, "percentunit", "0.3 %"),
        (0.0452, "s", "45 ms"),
        (2.06, "s", "2.1 s"),
        (400.0, "s", "7 min"),
        (12_345.0, "short", "12 345"),
    ],
)
def test_numbers_are_said_as_people_read_them(value: float, unit: str, words: str) -> None:
    assert live.in_words(value, unit) == words
