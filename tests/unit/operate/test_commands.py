"""The operators' command line: every word is explained, completed, and what is mistaken told in a line."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from libs.common import ids
from operate.__main__ import app
from operate.timeline import made_at
from stack.settings import REPOSITORY, SERVICES

COMMON = ("clients", "dead-letters", "parked-keys", "outbox", "offsets", "schemas", "interventions")
A_FILE = "what it finds is a file"
A_MESSAGE = "what it prints is an IVMS101 message, which is JSON as it is"
WITHOUT_JSON = {
    "fraud features": "it runs until it is stopped",
    **dict.fromkeys(("fraud score", "fraud export", "fraud train", "fraud backtest"), A_FILE),
    **dict.fromkeys(("compliance screen", "compliance compare"), A_FILE),
    **dict.fromkeys(("compliance travel-rule check", "compliance travel-rule write"), A_MESSAGE),
}
LOOKS_EVERYWHERE = (
    *("clients list", "dead-letters list", "dead-letters show", "dead-letters diff", "parked-keys list"),
    *("parked-keys show", "outbox backlog", "outbox parked", "offsets show", "offsets rewinds"),
    *("schemas diff", "schemas check", "interventions list"),
)
LOOKS = {
    *("health", "timeline", "reconcile", "forgotten", "keys list", "payments quotas list"),
    *("accounts check-books", "accounts verify-journal"),
    *("fraud reconcile-snapshots", "fraud rulebooks check", "fraud rulebooks list", "fraud rulebooks show"),
    *("fraud models list", "fraud models show", "fraud lists list"),
    *("compliance lists", "compliance verify-audit", "compliance monitor-backtest", "compliance monitoring scenarios"),
    *("compliance monitoring countries", "compliance travel-rule rules"),
    *(f"{service} {words}" for service in SERVICES for words in LOOKS_EVERYWHERE),
    *WITHOUT_JSON,
}
"""What changes nothing."""
SHOWN = {"compliance monitoring alerts", "compliance travel-rule show", "compliance travel-rule write"}
"""What shows data of people: who looked is in the audit log."""


def weir(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "bin" / "weir", *words], env={**os.environ, **environment}, capture_output=True, text=True
    )


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


def test_every_command_says_what_it_is_for() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert len(found) > 60
    assert [" ".join(words) for words, command in found.items() if not command.help] == []


def test_each_service_has_the_same_groups_besides_its_own() -> None:
    found = dict(commands(typer.main.get_command(app)))
    for service in SERVICES:
        assert {words[1] for words in found if words[:1] == (service,) and len(words) == 2} >= set(COMMON)


def options() -> dict[str, set[str]]:
    """Of every command that does something."""
    return {
        " ".join(words): {option for parameter in command.params for option in parameter.opts}
        for words, command in commands(typer.main.get_command(app))
        if not hasattr(command, "commands")
    }


def test_whatever_is_told_can_be_had_as_json() -> None:
    assert {words for words, known in options().items() if "--json" not in known} == WITHOUT_JSON.keys()


def test_whoever_changes_something_says_who_they_are_and_why() -> None:
    asked = {words: {"--actor", "--reason"} & known for words, known in options().items()}
    assert asked.keys() >= LOOKS | SHOWN
    assert [words for words, found in asked.items() if words not in LOOKS | SHOWN and len(found) < 2] == []
    assert [words for words in LOOKS - SHOWN if asked[words]] == []
    assert [words for words in SHOWN if asked[words] != {"--actor"}] == []


def test_the_shell_is_told_how_a_word_goes_on() -> None:
    completed = weir(_WEIR_COMPLETE="complete_bash", COMP_WORDS="weir payments dead-letters re", COMP_CWORD="3")
    assert completed.stdout.split() == ["replay"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("timeline nonsense", "Invalid value for 'payment_id'"),
        ("paymentz health", "No such command 'paymentz'"),
        ("payments dead-letters replay --reason so", "say which: an id, or --key, --from, --until"),
        ("payments dead-letters discard 1", "Missing option '--reason'"),
    ],
)
def test_a_mistake_is_told_in_a_line(words: str, told: str) -> None:
    result = weir(*words.split())
    assert result.returncode == 1
    assert told in result.stderr and len(result.stderr.splitlines()) == 1


def test_an_id_tells_when_it_was_made_or_that_all_is_to_be_read() -> None:
    assert abs(made_at(ids.new()) - datetime.now(UTC)) < timedelta(seconds=5)
    assert made_at(ids.named("line", "1")).year == 1970
