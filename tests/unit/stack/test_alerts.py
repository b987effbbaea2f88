"""Alerts lead somewhere: each asks for what there is, has a runbook that answers, a severity, and a test."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import alertmanager
from stack.prometheus import CONFIGURATION, RULE_TESTS
from stack.settings import REPOSITORY, StackSettings
from stack.signals import NO_TROUBLE
from tests import promql

ALL: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((CONFIGURATION / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
RULES = [rule for rule in ALL if "alert" in rule]
TESTS = [test for name in RULE_TESTS for test in yaml.safe_load((CONFIGURATION / name).read_text())["tests"]]
RECORDED = frozenset(rule["record"] for rule in ALL if "record" in rule)
ALWAYS = [rule for rule in RULES if rule["expr"] == "vector(1)"]
TROUBLES = [rule for rule in RULES if rule not in ALWAYS]
ANSWERS = ("Means", "Look", "Do", "Over")


def section(document: str, anchor: str) -> str:
    """The text under a heading. Raises KeyError if there is no such heading."""
    parts = re.split(r"^## (.+)$", document, flags=re.MULTILINE)
    found = dict(zip(map(_anchor_of, parts[1::2]), parts[2::2], strict=True))
    return found[anchor]


def _anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_services_show(rule: dict[str, Any]) -> None:
    assert promql.faults(rule["expr"], recorded=RECORDED) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_runbook_that_says_what_it_means_how_to_look_what_to_do_and_when_it_is_over(
    rule: dict[str, Any],
) -> None:
    document, _, anchor = rule["annotations"]["runbook"].partition("#")
    text = section((REPOSITORY / document).read_text(), anchor)
    assert f"`{rule['alert']}`" in text
    assert [word for word in re.findall(r"^- \*\*(\w+)\*\*: ", text, re.MULTILINE) if word in ANSWERS] == [*ANSWERS]


def test_a_section_that_is_not_there_is_missed() -> None:
    with pytest.raises(KeyError):
        section("# Operations\n\n## One\n\ntext\n", "two")


@pytest.mark.parametrize("rule", TROUBLES, ids=lambda rule: rule["alert"])
def test_an_alert_says_whether_it_wakes_someone(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_one_alert_fires_always_and_is_no_trouble() -> None:
    (watchdog,) = ALWAYS
    assert watchdog["labels"]["severity"] == NO_TROUBLE
    assert [True, True, True] in _courses(watchdog)


@pytest.mark.parametrize("rule", TROUBLES, ids=lambda rule: rule["alert"])
def test_an_alert_is_tested_to_be_silent_then_to_speak_and_to_be_silent_when_it_is_over(rule: dict[str, Any]) -> None:
    assert [False, True, False] in _courses(rule)


def _courses(rule: dict[str, Any]) -> list[list[bool]]:
    """Whether an alert speaks, the first three times that each test asks for it."""
    return [
        [bool(case["exp_alerts"]) for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]][:3]
        for test in TESTS
    ]


def test_whatever_is_kept_quiet_is_an_alert_and_so_is_what_explains_it() -> None:
    rules = yaml.safe_load(alertmanager.CONFIGURATION.read_text())["inhibit_rules"]
    sides = [(side, rule[f"{side}_matchers"]) for rule in rules for side in ("source", "target")]
    named = [(side, name) for side, matchers in sides for text in matchers for name in re.findall(r"[A-Z]\w+", text)]
    assert {name for _, name in named} <= {rule["alert"] for rule in RULES}
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in RULES}
    assert {severities[name] for side, name in named if side == "source"} == {"page"}


def test_without_an_address_a_receiver_is_told_nothing(tmp_path: Path) -> None:
    settings = StackSettings(folder=tmp_path)
    assert not alertmanager.is_wanted(settings)
    settings.receivers.mkdir()
    (settings.receivers / "page").write_text("https://pager.example/hook\n")
    assert alertmanager.is_wanted(settings)
    found = alertmanager.configuration(settings)["receivers"]
    urls = {one["name"]: [webhook["url"] for webhook in one["webhook_configs"]] for one in found}
    assert urls == {"page": ["https://pager.example/hook"], "ticket": [], "watchdog": []}


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("sum(rate(nothing_total[5m]))", "nobody shows nothing_total"),
        ('max(outbox_leader{colour="red"}) > 1', "outbox_leader has no label colour"),
        ('consumer_records_total{result="lost"} unless up', "result of consumer_records_total is never lost"),
    ],
)
def test_what_is_asked_for_in_vain_is_found(query: str, fault: str) -> None:
    assert promql.faults(query) == [fault]
