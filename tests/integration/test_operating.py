"""What operators may ask of a service: looked up, replayed, rewound; nothing is changed by looking."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from libs.common import cli
from libs.common.record import replace
from libs.common.service import Runtime
from operate import health
from tests.integration.test_consumer import Meter, consuming, outcomes, rows, totals
from tests.parts import Parts
from tests.tally.events import INCREMENT, CounterIncremented
from tests.tally.service import UNLUCKY, Superstition, service
from tests.waiting import wait_until

Ask = Callable[..., tuple[int, str]]


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

    status, said = ask("dead-letters", "replay", "--key", "a", "--actor", "carol")
    assert status == 1 and said.count("still fails: thirteen") == 1
    assert said.count("left, for one before it still fails") == 1, "what follows it may rest on it"
    Superstition.is_active = False
    assert len(told(ask, "dead-letters", "replay", "--key", "a", "--actor", "carol", "--dry-run")) == 2
    assert totals(tally).get("a", 0) == 0, "nothing is changed by a dry run"
    results = told(ask, "dead-letters", "replay", "--key", "a", "--actor", "carol")
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
    results = told(ask, "dead-letters", "replay", "--from", "2020-01-01", "--rate", "2", "--actor", "carol")
    assert len(results) == len(waited) == 3
    assert all(0.3 < seconds <= 0.5 for seconds in waited)


@pytest.mark.parametrize("words", [(), ("01a203cb-219a-7036-a401-6ae4942d94b4", "--key", "a")])
def test_which_are_to_be_replayed_must_be_said_and_once(ask: Ask, words: tuple[str, ...]) -> None:
    assert ask("dead-letters", "replay", *words, "--actor", "carol") == (
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

    assert ask("offsets", "rewind", INCREMENT.name, "0", "9", "--actor", "carol")[0] == 1
    assert ask("offsets", "rewind", INCREMENT.name, "99", "0", "--actor", "carol")[0] == 1
    dry = ask("offsets", "rewind", INCREMENT.name, "0", "1", "--actor", "carol", "--dry-run")
    assert dry == (0, "3 records would be read again\n")
    status, said = ask("offsets", "rewind", INCREMENT.name, "0", "1", "--actor", "carol")
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
        assert ask("offsets", "rewind", INCREMENT.name, "0", "0", "--actor", "carol")[0] == 0
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
    ):
        assert told(ask, *words) == []
        assert ask(*words) == (0, "nothing\n")
