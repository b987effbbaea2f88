"""Alerts lead somewhere: each has a runbook that exists, a severity, and a test."""

import re
from typing import Any

import pytest
import yaml

from stack.prometheus import CONFIGURATION
from stack.settings import REPOSITORY

RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((CONFIGURATION / "rules.yml").read_text())["groups"] for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_a_section_of_the_runbooks(rule: dict[str, Any]) -> None:
    document, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (REPOSITORY / document).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_whether_it_wakes_someone(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_alert_is_tested_to_be_silent_and_to_speak() -> None:
    tests = yaml.safe_load((CONFIGURATION / "rules_test.yml").read_text())["tests"]
    cases = [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]
    assert set(cases) == {(rule["alert"], speaks) for rule in RULES for speaks in (True, False)}
