"""The edge: same request, same answer; one bad request never fails its neighbours."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common import ids, tracing
from libs.common.batch import Refusal
from libs.common.database import fetch, transaction
from libs.common.edge import Edge, Failed, KeyInUse, KeyReused
from libs.common.errors import Outage
from libs.common.idempotency import Answer, RequestKey
from libs.common.message import Message
from libs.common.service import Runtime
from tests.parts import Parts
from tests.tally.service import UNLUCKY, Increment, Superstition, Tally, make_slow, service


@pytest.fixture
def tally(parts: Parts) -> Iterator[Runtime]:
    Superstition.is_active = True
    with parts.runtime(service()) as runtime:
        yield runtime


def key(words: str, client_id: str = "ann") -> RequestKey:
    return RequestKey(client_id=client_id, route="increments", key=words)


def command(counter_id: str, by: int) -> Message:
    return Message(
        message_id=ids.new(),
        body=Increment(counter_id=counter_id, by=by),
        received_at=datetime.now(UTC),
        trace=tracing.begin(),
    )


def total_of(counter_id: str) -> Any:
    def respond(tally: Tally, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is not None:
            return Answer(status=409, body=refusal.reason.encode())
        return Answer(status=200, body=str(tally.counters[counter_id].total).encode())

    return respond


async def increment(edge: Edge, words: str, by: int, *, counter_id: str = "a", client_id: str = "ann") -> Answer:
    body = f"{counter_id}{by}".encode()
    return await edge.submit(key(words, client_id), body, [command(counter_id, by)], total_of(counter_id))


def together(runtime: Runtime, *requests: Any, batches: int = 1) -> list[Any]:
    """What concurrent requests are answered when they arrive before the first batch begins."""

    async def run() -> list[Any]:
        tasks = [asyncio.ensure_future(request) for request in requests]
        await asyncio.sleep(0)
        answers = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(lambda: [runtime.edge.run_once() for _ in range(batches)])
        return await answers

    return asyncio.run(run())


def totals(runtime: Runtime) -> dict[str, int]:
    with transaction(runtime.engine) as tx:
        return dict(fetch(tx, "SELECT counter_id, total FROM counters"))


def ok(text: str) -> Answer:
    return Answer(status=200, body=text.encode())


def test_concurrent_requests_share_a_batch_and_get_their_own_answers(tally: Runtime) -> None:
    answers = together(tally, *[increment(tally.edge, f"k{n}", n, counter_id=f"c{n}") for n in range(1, 6)])
    assert answers == [ok(str(n)) for n in range(1, 6)]
    with transaction(tally.engine) as tx:
        assert fetch(tx, "SELECT count(DISTINCT xmin::text) FROM idempotency_keys") == [(1,)]


def test_the_same_request_gets_the_same_answer_and_happens_once(tally: Runtime) -> None:
    assert together(tally, increment(tally.edge, "k", 5)) == [ok("5")]
    together(tally, increment(tally.edge, "other", 1))
    assert together(tally, increment(tally.edge, "k", 5)) == [ok("5")]
    assert totals(tally) == {"a": 6}


def test_a_refusal_is_remembered_like_any_answer(tally: Runtime) -> None:
    refused = Answer(status=409, body=b"negative")
    assert together(tally, increment(tally.edge, "k", -1)) == [refused]
    assert together(tally, increment(tally.edge, "k", -1)) == [refused]
    assert totals(tally) == {"a": 0}


def test_a_key_used_for_another_body_is_refused(tally: Runtime) -> None:
    together(tally, increment(tally.edge, "k", 5))
    (result,) = together(tally, increment(tally.edge, "k", 6))
    assert isinstance(result, KeyReused)
    assert totals(tally) == {"a": 5}


def test_keys_are_scoped_to_the_client(tally: Runtime) -> None:
    together(tally, increment(tally.edge, "k", 5, client_id="ann"))
    assert together(tally, increment(tally.edge, "k", 6, client_id="ben")) == [ok("11")]


def test_a_key_twice_in_one_batch_runs_once(tally: Runtime) -> None:
    first, second = together(tally, increment(tally.edge, "k", 5), increment(tally.edge, "k", 5))
    assert first == ok("5")
    assert isinstance(second, KeyInUse)
    assert totals(tally) == {"a": 5}


def test_a_key_whose_first_request_still_runs_elsewhere_is_in_use(tally: Runtime) -> None:
    with transaction(tally.engine) as tx:
        fetch(tx, "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ("ann\x1fincrements\x1fk",))
        in_use, other = together(tally, increment(tally.edge, "k", 5), increment(tally.edge, "free", 1))
    assert isinstance(in_use, KeyInUse)
    assert other == ok("1")


def test_a_request_whose_decision_raises_fails_alone_and_is_not_remembered(tally: Runtime) -> None:
    first, bad, last = together(
        tally,
        increment(tally.edge, "k1", 1, counter_id="a"),
        increment(tally.edge, "k2", UNLUCKY, counter_id="a"),
        increment(tally.edge, "k3", 2, counter_id="b"),
    )
    assert isinstance(bad, Failed)
    assert (first, last) == (ok("1"), ok("2"))
    Superstition.is_active = False
    assert together(tally, increment(tally.edge, "k2", UNLUCKY)) == [ok("14")]


def test_a_request_that_cant_be_stored_fails_alone(tally: Runtime) -> None:
    results = together(
        tally,
        *[increment(tally.edge, f"k{n}", 1_000_000 if n == 3 else 1, counter_id=f"c{n}") for n in range(8)],
    )
    assert [isinstance(result, Failed) for result in results] == [n == 3 for n in range(8)]
    assert sum(totals(tally).values()) == 7


def test_many_commands_under_one_key_are_carried_out_together(tally: Runtime) -> None:
    def respond(_: Tally, refusals: Sequence[Refusal | None]) -> Answer:
        return ok(" ".join("no" if refusal else "yes" for refusal in refusals))

    commands = [command("a", 1), command("a", -1), command("a", 2)]
    answers = together(tally, tally.edge.submit(key("k"), b"", commands, respond))
    assert answers == [ok("yes no yes")]
    assert totals(tally) == {"a": 3}


def test_requests_that_are_too_many_for_their_time_are_carried_out_in_parts(tally: Runtime) -> None:
    make_slow(tally.engine, rows_max=3)
    requests = [increment(tally.edge, f"k{number}", 1, counter_id=f"c{number}") for number in range(10)]
    assert together(tally, *requests) == [ok("1")] * 10


def test_an_unclear_commit_is_resolved_by_the_key(tally: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tally.unit.run
    lost: list[bool] = []

    def run_and_lose_the_answer(*arguments: Any) -> Any:
        result = run(*arguments)
        if not lost:
            lost.append(True)
            raise Outage("the connection broke after COMMIT")
        return result

    monkeypatch.setattr(tally.unit, "run", run_and_lose_the_answer)
    assert together(tally, increment(tally.edge, "k", 5)) == [ok("5")]
    assert totals(tally) == {"a": 5}


def test_while_the_database_is_away_requests_get_an_outage_in_time(parts: Parts) -> None:
    with parts.runtime(service(), request_seconds_max=0.5) as tally:
        away = Runtime(tally.service, tally.settings.model_copy(update={"database_url": _nowhere(tally)}))
        (result,) = together(away, increment(away.edge, "k", 5))
        assert isinstance(result, Outage)
        assert together(tally, increment(tally.edge, "k", 5)) == [ok("5")]


def test_the_edge_finishes_what_it_has_taken_on_when_it_is_told_to_stop(tally: Runtime) -> None:
    async def run() -> list[Any]:
        tasks = [asyncio.create_task(increment(tally.edge, f"k{n}", 1)) for n in range(5)]
        await asyncio.sleep(0)
        stop = threading.Event()
        stop.set()
        await asyncio.to_thread(tally.edge.run, stop)
        return await asyncio.gather(*tasks)

    assert len(asyncio.run(run())) == 5
    assert totals(tally) == {"a": 5}


def _nowhere(runtime: Runtime) -> str:
    return runtime.settings.database.set(port=1, database="nowhere").render_as_string()
