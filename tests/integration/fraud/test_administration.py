"""Rulebooks, models and lists on the command line: the same commands, in the operator's name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from pyarrow import parquet
from typer.testing import CliRunner

from libs.common import ids
from libs.common.service import Runtime
from services.fraud import administration, rulebooks
from services.fraud import commands as commands_of_files
from tests.integration.fraud.scene import rows, rulebook

Run = Callable[..., Any]
ANN = ids.new()


@pytest.fixture
def run(fraud: Runtime) -> Run:
    """`run("rulebooks", "list")` -> exit code, what it printed, what it complained of."""
    commands = typer.Typer()
    administration.extend(commands, lambda: fraud)
    commands_of_files.extend(commands, lambda: fraud)
    return lambda *words: CliRunner().invoke(commands, [str(word) for word in words])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "mild.rules"
    found.write_text(rulebook("when amount > 10\n    score 0.1"))
    return found


def test_a_rulebook_is_checked_added_released_and_rolled_back(run: Run, path: Path, fraud: Runtime) -> None:
    assert "1 rules" in run("rulebooks", "check", path).stdout
    version = run("rulebooks", "add", path, "--name", "mild", "--actor", "ann").stdout.strip()
    for verb, state in (("shadow", "shadow"), ("release", "live")):
        told = run("rulebooks", verb, version, "--reason", "so", "--actor", "ann")
        assert (told.exit_code, told.stdout.strip()) == (0, f"{version} is {state}")
    shipped = rulebooks.shipped().version
    assert run("rulebooks", "release", shipped, "--reason", "too strict", "--actor", "ben").exit_code == 0
    shown = json.loads(run("rulebooks", "show", version).stdout)
    assert (shown["name"], shown["state"], shown["added_by"]) == ("mild", "retired", "ann")
    assert [(one["state"], one["changed_by"]) for one in shown["changes"]] == [
        ("retired", "ben"),
        ("live", "ann"),
        ("shadow", "ann"),
    ]
    listed = [json.loads(line) for line in run("rulebooks", "list", "--json").stdout.splitlines()]
    assert {(one["version"], one["state"]) for one in listed} == {(version, "retired"), (shipped, "live")}
    assert len(rows(fraud, "SELECT 1 FROM outbox WHERE topic = 'fraud.version.v1'")) == 6
    assert interventions(fraud) == ["rulebooks add", "rulebooks shadow", *2 * ["rulebooks release"]]


def interventions(fraud: Runtime) -> list[str]:
    return [command for (command,) in rows(fraud, "SELECT command FROM interventions ORDER BY intervention_id")]


def test_what_is_kept_can_be_tried_on_a_file_by_its_name_or_version(run: Run, path: Path, tmp_path: Path) -> None:
    """Of two with one name the newer one."""
    strict = tmp_path / "strict.rules"
    strict.write_text(rulebook("when amount > 10\n    block"))
    versions = [
        run("rulebooks", "add", one, "--name", "mine", "--actor", "ann").stdout.strip() for one in (path, strict)
    ]
    payments = tmp_path / "payments.csv"
    lines = [f"{n},2026-01-0{n}T00:00:00,a,b,{5 * n},{n % 2}" for n in range(1, 6)]
    payments.write_text(
        "\n".join(["TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD", *lines, ""])
    )
    scores = {}
    for name in (versions[0], "mine"):
        ended = run("score", "--input", payments, "--output", tmp_path / "scores.csv", "--rules", name)
        assert ended.exit_code == 0, ended.output
        scores[name] = [float(line.split(",")[1]) for line in (tmp_path / "scores.csv").read_text().splitlines()[1:]]
    assert scores == {versions[0]: [0, 0, 0.1, 0.1, 0.1], "mine": [0, 0, 0, 0, 0]}
    ended = run(
        "backtest", "--input", payments, "--output", tmp_path / "report", "--warm-up-days", 0, "--rules", "mine"
    )
    assert ended.exit_code == 0, ended.output
    outcomes = parquet.read_table(tmp_path / "report" / "scores.parquet")["OUTCOME"].to_pylist()
    assert outcomes == ["allow", "allow", "block", "block", "block"]
    unknown = run("backtest", "--input", payments, "--output", tmp_path / "report", "--model", "no such")
    assert (unknown.exit_code, "neither a file no such nor a model" in unknown.output) == (1, True)


def test_faults_are_told_with_their_places(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "faulty.rules"
    path.write_text(rulebook("when amont > 10\n    block"))
    for words in (("check", path), ("add", path, "--name", "faulty")):
        ended = run("rulebooks", *words)
        assert ended.exit_code == 1
        assert ended.stderr.startswith(f"{path}:6:10: ")


def test_what_is_refused_ends_with_the_reason(run: Run, path: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.model"
    junk.write_bytes(b"junk")
    for words, told in (
        (("rulebooks", "release", "000000000000", "--reason", "so"), "version unknown"),
        (("rulebooks", "show", "000000000000"), "there is no rulebook 000000000000"),
        (("models", "add", junk), "not a model"),
        (("lists", "remove", "blocked", "debtor", ANN, "--reason", "so"), "entry unknown"),
        (("lists", "add", "blocked", "debtor", "ann", "--reason", "so"), "not 'ann'"),
    ):
        ended = run(*words)
        assert (ended.exit_code, told in ended.stderr) == (1, True), ended.output


def test_lists_are_kept(run: Run, fraud: Runtime) -> None:
    before = len(interventions(fraud))
    assert run("lists", "add", "blocked", "debtor", ANN, "--reason", "a mule", "--actor", "ann").exit_code == 0
    until = ("--until", "2999-01-01")
    assert run("lists", "add", "blocked", "device", "phone", "--reason", "stolen", *until).exit_code == 0
    first, second = (json.loads(line) for line in run("lists", "list", "blocked", "--json").stdout.splitlines())
    assert (first["entity_id"], first["added_by"], first["is_current"]) == (ANN, "ann", True)
    assert (second["kind"], second["until"]) == ("device", "2999-01-01 00:00:00+00:00")
    assert run("lists", "remove", "blocked", "debtor", ANN, "--reason", "cleared").exit_code == 0
    assert json.loads(run("lists", "list", "blocked", "--json").stdout.splitlines()[0])["is_current"] is False
    assert interventions(fraud)[before:] == ["lists add", "lists add", "lists remove"]
    assert run("lists", "remove", "blocked", "debtor", ANN, "--reason", "cleared").exit_code == 1
    assert len(interventions(fraud)) == before + 3, "what is refused is not done"
