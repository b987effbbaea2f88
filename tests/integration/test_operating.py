"""What operators may ask of a service: looked up, replayed, rewound; nothing is changed by looking."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from libs.common import cli
from libs.common.database import execute, transaction
from libs.common.errors import Outage
from libs.common.interventions import By
from libs.common.record import replace
from libs.common.service import Runtime
from operate import health
from tests.integration.test_consumer import Meter, consuming, outcomes, rows, totals
from tests.parts import Parts
from tests.tally.events import INCREMENT, CounterIncremented
from tests.tally.service import UNLUCKY, Superstition, service
from tests.waiting import wait_until

Ask = Callable[..., tuple[int, str]]
CAROL = ("--actor", "carol", "--reason", "mended")


@pytest.fixture
def tally(parts: Parts) -> Iterator[Runtime]:
    Superstition.is_active = True
    with parts.runtime(service(), consumer_session_timeout_ms=3_000) as runtime:
        runtime.registry.register(CounterIncremented.contract)
        yield runtime
    Superstition.is_active = True


@pytest.fixture
def ask(tally: Runtime) -> Ask:
    """`ask("dead-letters", "list")` -> exit status and what was said."""
    commands = cli.app(tally.service, None, lambda: tally)

    def ask(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(commands, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout or result.stderr

    return ask


def told(ask: Ask, *words: str) -> list[dict[str, Any]]:
    status, said = ask(*words, "--json")
    assert status == 0, said
    return [json.loads(line) for line in said.splitlines()]


def three_dead(tally: Runtime) -> list[str]:
    """Three that can't be applied, two of them of one key, and one that can."""
    meter = Meter(tally)
    dead = [meter.send(key, UNLUCKY) for key in ("a", "b", "a")]
    meter.send("c", 1)
    with consuming(tally):
        wait_until(lambda: outcomes(tally) == {"dead": 3, "applied": 1})
    return dead


def test_dead_letters_of_a_key_are_replayed_when_the_fault_is_mended_and_it_is_kept_who_did(
    tally: Runtime, ask: Ask
) -> None:
    dead = three_dead(tally)
    assert {letter["event_id"] for letter in told(ask, "dead-letters", "list")} == set(dead)
    assert len(told(ask, "dead-letters", "list", "--key", "a")) == 2
    assert told(ask, "dead-letters", "list", "--until", "2020-01-01") == []

    status, said = ask("dead-letters", "replay", "--key", "a", *CAROL)
    assert status == 1 and said.count("still fails: thirteen") == 1
    assert said.count("left, for one before it still fails") == 1, "what follows it may rest on it"
    Superstition.is_active = False
    assert len(told(ask, "dead-letters", "replay", "--key", "a", *CAROL, "--dry-run")) == 2
    assert totals(tally).get("a", 0) == 0, "nothing is changed by a dry run"
    results = told(ask, "dead-letters", "replay", "--key", "a", *CAROL)
    assert [result["result"] for result in results] == ["applied", "applied"]
    assert totals(tally) == {"a": 2 * UNLUCKY, "b": 0, "c": 1}

    settled = told(ask, "dead-letters", "list", "--status", "applied")
    assert {letter["settled_by"] for letter in settled} == {"carol"}
    assert [letter["event_id"] for letter in told(ask, "dead-letters", "list")] == [dead[1]]


def test_a_replay_is_no_faster_than_it_may_be(tally: Runtime, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    three_dead(tally)
    Superstition.is_active = False
    waited: list[float] = []
    monkeypatch.setattr("libs.common.operating.pause", waited.append)
    results = told(ask, "dead-letters", "replay", "--from", "2020-01-01", "--rate", "2", *CAROL)
    assert len(results) == len(waited) == 3
    assert all(0.3 < seconds <= 0.5 for seconds in waited)


@pytest.mark.parametrize("words", [(), ("01a203cb-219a-7036-a401-6ae4942d94b4", "--key", "a")])
def test_which_are_to_be_replayed_must_be_said_and_once(ask: Ask, words: tuple[str, ...]) -> None:
    assert ask("dead-letters", "replay", *words, *CAROL) == (
        1,
        "say which: an id, or --key, --from, --until\n",
    )


def test_a_letter_is_compared_with_the_schema_it_is_read_with(tally: Runtime, ask: Ask) -> None:
    dead = three_dead(tally)
    assert told(ask, "dead-letters", "diff", dead[0]) == []
    Meter(tally).send_bytes("junk", b"hello", {"ce_id": dead[0]})
    with consuming(tally):
        wait_until(lambda: len(told(ask, "dead-letters", "list")) == 4)
    (junk,) = [letter for letter in told(ask, "dead-letters", "list") if letter["event_id"] not in dead]
    (difference,) = told(ask, "dead-letters", "diff", junk["event_id"])
    assert "not Avro in Confluent's wire format" in difference["difference"]


def test_a_partition_is_read_again_from_an_offset_and_nothing_is_applied_twice(tally: Runtime, ask: Ask) -> None:
    meter = Meter(tally)
    for _ in range(4):
        meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 4})
    (place,) = [row for row in told(ask, "offsets", "show") if row["end"]]
    assert (place["topic"], place["partition"], place["next"], place["left"]) == (INCREMENT.name, 0, 4, 0)

    assert ask("offsets", "rewind", INCREMENT.name, "0", "9", *CAROL)[0] == 1
    assert ask("offsets", "rewind", INCREMENT.name, "99", "0", *CAROL)[0] == 1
    dry = ask("offsets", "rewind", INCREMENT.name, "0", "1", *CAROL, "--dry-run")
    assert dry == (0, "3 records would be read again\n")
    status, said = ask("offsets", "rewind", INCREMENT.name, "0", "1", *CAROL)
    assert status == 0 and "3 records will be read again" in said
    assert rows(tally, "SELECT next_offset FROM consumer_offsets WHERE partition = 0") == [(1,)]

    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 5})
    assert duplicates(tally) == 3


def test_a_worker_that_is_at_work_goes_on_from_where_its_partition_was_rewound_to(tally: Runtime, ask: Ask) -> None:
    meter = Meter(tally)
    meter.send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
        # Nothing new comes: it is for what came before that operators rewind.
        assert ask("offsets", "rewind", INCREMENT.name, "0", "0", *CAROL)[0] == 0
        wait_until(lambda: duplicates(tally) == 1, seconds_max=60)
    assert outcomes(tally) == {"applied": 1}


def duplicates(runtime: Runtime) -> float | None:
    return runtime.metrics.get_sample_value("consumer_records_total", {"result": "duplicate"})


def test_what_waits_in_the_outbox_is_told_by_shard(tally: Runtime, ask: Ask) -> None:
    assert told(ask, "outbox", "backlog") == []
    Meter(tally).send("a", 1)
    with consuming(tally):
        wait_until(lambda: totals(tally) == {"a": 1})
    (shard,) = told(ask, "outbox", "backlog")
    assert shard["events"] == 1 and shard["oldest_at"]
    assert "events" in ask("outbox", "backlog")[1], "for people it is a table"


def test_schemas_are_held_against_those_of_the_registry(tally: Runtime, ask: Ask) -> None:
    (row,) = told(ask, "schemas", "diff")
    assert row["state"].startswith("registered as ") and row["differences"] == ""
    assert told(ask, "schemas", "check") == []
    (registered,) = told(ask, "schemas", "register")
    assert row["state"] == f"registered as {registered['id']}"


def test_health_names_a_schema_that_may_not_follow_the_registrys(tally: Runtime) -> None:
    assert "1 schemas may follow" in health.compare_schemas([tally])
    contract = tally.handlers.writes[0].contract
    first, *others = contract.schema["fields"]
    breaking = replace(contract, schema={**contract.schema, "fields": [{**first, "type": "boolean"}, *others]})
    changed: Any = SimpleNamespace(
        registry=tally.registry, handlers=SimpleNamespace(writes=[SimpleNamespace(contract=breaking)])
    )
    with pytest.raises(health.Unwell, match=contract.registry_subject):
        health.compare_schemas([changed])


def test_every_list_can_be_had_as_json(ask: Ask) -> None:
    for words in (
        ("dead-letters", "list"),
        ("parked-keys", "list"),
        ("outbox", "parked"),
        ("offsets", "show"),
        ("offsets", "rewinds"),
        ("interventions", "list"),
        ("parked-keys", "show", "a"),
    ):
        assert told(ask, *words) == []
        assert ask(*words) == (0, "nothing\n")


def test_a_replay_that_is_broken_off_has_told_what_was_applied(
    tally: Runtime, ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = three_dead(tally)
    Superstition.is_active = False
    apply = tally.replay.apply
    applied: list[str] = []

    def until_the_database_is_away(event_id: str, by: By) -> None:
        if applied:
            raise Outage("the database is away")
        apply(event_id, by)
        applied.append(event_id)

    monkeypatch.setattr(tally.replay, "apply", until_the_database_is_away)
    words = ["dead-letters", "replay", "--from", "2020-01-01", *CAROL, "--json"]
    result = CliRunner().invoke(cli.app(tally.service, None, lambda: tally), words)
    assert isinstance(result.exception, Outage)
    assert json.loads(result.stdout) == {"event_id": applied[0], "result": "applied"}
    assert {letter["event_id"] for letter in told(ask, "dead-letters", "list")} == {*dead} - {*applied}


@pytest.fixture
def ledger(parts: Parts) -> Iterator[Runtime]:
    """A service that parks the keys of what it can't apply."""
    Superstition.is_active = True
    with parts.runtime(service(parks_keys=True)) as runtime:
        runtime.registry.register(CounterIncremented.contract)
        yield runtime
    Superstition.is_active = True


def test_what_changes_something_leaves_who_did_it_and_why(ledger: Runtime) -> None:
    """Every command of every service that does: one row each, and none for what only looks or could not be done."""
    meter = Meter(ledger)
    first, second, third = meter.send("a", UNLUCKY), meter.send("a", 1), meter.send("b", UNLUCKY)
    with consuming(ledger):
        wait_until(lambda: outcomes(ledger) == {"dead": 2, "parked": 1})
    Superstition.is_active = False
    commands = cli.app(ledger.service, None, lambda: ledger)

    def ask(*words: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(commands, [*words, "--json"])
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    (waiting,) = ask("parked-keys", "show", "a")
    assert (waiting["event_id"], waiting["because_of"]) == (second, first)
    park_an_event(ledger)
    done: dict[tuple[str, ...], list[dict[str, Any]]] = {
        words: ask(*words, *CAROL)
        for words in (
            ("dead-letters", "replay", first),
            ("dead-letters", "discard", third),
            ("parked-keys", "release", "a"),
            ("outbox", "release", "town.events.v1", "a"),
            ("offsets", "rewind", INCREMENT.name, "0", "0"),
            ("schemas", "register"),
            ("clients", "add", "shop", "read"),
            ("clients", "rotate", "shop"),
            ("clients", "limit", "shop", "--rate", "5"),
            ("clients", "revoke", "shop"),
        )
    }
    kept = list(reversed(ask("interventions", "list")))
    assert [one["command"] for one in kept] == [" ".join(words[:2]) for words in done]
    assert {(one["actor"], one["reason"]) for one in kept} == {("carol", "mended")}
    assert kept[0]["arguments"] == {"event_id": first}
    assert kept[2]["arguments"] == {"key": "a", "applied": 1, "dead": 0}
    assert kept[4]["arguments"] == {"topic": INCREMENT.name, "partition": 0, "offset": 0}
    keys = [row["key"] for words in done if words[0] == "clients" for row in done[words] if "key" in row]
    assert len(keys) == 2 and not any(key in json.dumps(kept) for key in keys), "a secret is not kept"
    assert {" ".join(words[:2]) for words in done} == changing(commands)

    for words in (
        *(("dead-letters", "discard", third), ("parked-keys", "release", "a"), ("clients", "revoke", "shop")),
        ("offsets", "rewind", INCREMENT.name, "0", "0", "--dry-run"),
    ):
        CliRunner().invoke(commands, [*words, *CAROL])
    assert len(ask("interventions", "list")) == len(done)


def changing(commands: typer.Typer) -> set[str]:
    """The commands that ask who does it."""
    groups: Any = typer.main.get_command(commands)
    return {
        f"{group} {name}"
        for group, of_group in groups.commands.items()
        for name, command in of_group.commands.items()
        if any("--actor" in parameter.opts for parameter in command.params)
    }


def park_an_event(runtime: Runtime) -> None:
    """As the relay does with what Kafka refuses again and again."""
    with transaction(runtime.engine) as tx:
        execute(
            tx,
            """INSERT INTO outbox_parked (shard, id, topic, key, value, headers, created_at, error)
               VALUES (0, 1, 'town.events.v1', 'a', '', '{}', now(), 'refused')""",
        )
        tx.commit()
