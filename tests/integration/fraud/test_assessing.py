"""Assessments on a real database: history and answer in one transaction, nothing counted twice, no deadlocks."""

import random
import threading
from datetime import timedelta

from libs.common import ids
from libs.common.database import fetch, transaction
from libs.common.service import Runtime
from schemas.fraud.events import FraudOutcome
from schemas.payments.events import Answer, PaymentInitiated
from services.fraud.domain import history
from services.fraud.domain.history import History
from tests.deciding import Announcer, decide
from tests.integration.fraud.scene import T0, initiated, order, overdue, rows
from tests.serving import running
from tests.waiting import wait_until

ANN, BOB, CAT = sorted(ids.new() for _ in range(3))


def histories(runtime: Runtime, column: str) -> dict[tuple[str, str], History]:
    found = rows(runtime, f"SELECT kind::text, entity_id, {column} FROM entities", binary=True)
    return {(kind, entity_id): history.unpack(packed) for kind, entity_id, packed in found}


def counts(runtime: Runtime) -> dict[tuple[str, str], int]:
    """How many payments are remembered of each entity: those that went on, and those that were blocked."""
    habits, blocked = histories(runtime, "history"), histories(runtime, "blocked")
    return {key: _count(habits[key]) + _count(blocked[key]) for key in habits}


def _count(past: History) -> int:
    return len(past.times) + sum(day.count for day in past.days)


def sequences(runtime: Runtime) -> list[int]:
    query = "SELECT (headers::json ->> 'ce_sequence')::int FROM outbox WHERE topic = 'fraud.assessment.v1' ORDER BY id"
    return [number for (number,) in rows(runtime, query)]


def test_a_payment_is_answered_and_remembered_for_all_its_parties(fraud: Runtime) -> None:
    event = initiated(order(ANN, BOB, device="phone"))
    decide(fraud, event)
    assert sorted((kind, count) for (kind, _), count in counts(fraud).items()) == [
        ("creditor", 1),
        ("debtor", 1),
        ("device", 1),
    ]
    ((payment_id, outcome),) = rows(fraud, "SELECT payment_id, outcome FROM assessments")
    assert (payment_id, outcome) == (event.payment_id, "allow")
    assert sequences(fraud) == [1]


def test_a_payment_announced_twice_is_counted_once_and_answered_again(fraud: Runtime) -> None:
    event = initiated(order(ANN, BOB))
    decide(fraud, event, event)
    decide(fraud, event)
    assert set(counts(fraud).values()) == {1}
    assert rows(fraud, "SELECT count(*) FROM assessments") == [(1,)]
    assert sequences(fraud) == [1, 2, 3]


def test_a_missed_answer_is_told_again_as_it_was(fraud: Runtime) -> None:
    event = initiated(order(ANN, BOB, minor=9_000_000))
    ((first,),) = [result.rows for result in decide(fraud, event)]
    ((again,),) = [result.rows for result in decide(fraud, overdue(event, Answer.HOLD, Answer.FRAUD))]
    assert first.value == again.value
    assert again.headers["ce_sequence"] == "2"
    assert set(counts(fraud).values()) == {1}


def test_an_answer_never_given_is_given_when_it_is_missed(fraud: Runtime) -> None:
    decide(fraud, overdue(initiated(order(ANN, BOB)), Answer.FRAUD))
    assert counts(fraud) == {("debtor", ANN): 1, ("creditor", BOB): 1}
    assert sequences(fraud) == [1]


def test_a_missed_answer_of_others_is_none_of_frauds_business(fraud: Runtime) -> None:
    decide(fraud, overdue(initiated(order(ANN, BOB)), Answer.HOLD))
    assert counts(fraud) == {}
    assert sequences(fraud) == []


def test_what_one_batch_remembers_the_next_one_knows(fraud: Runtime) -> None:
    for number in range(5):
        decide(fraud, initiated(order(ANN, BOB, at=T0 + timedelta(hours=number))))
    decide(fraud, initiated(order(ANN, CAT, minor=900_000, at=T0 + timedelta(days=1))))
    ((outcome, findings),) = rows(
        fraud, "SELECT outcome, findings FROM assessments WHERE creditor_account_id = %s", (CAT,)
    )
    assert outcome == "review"
    assert "450.0 times the average, about 20.00 EUR" in findings


def test_what_is_blocked_is_stored_apart_from_habits_and_the_next_batch_knows_both(fraud: Runtime) -> None:
    decide(fraud, *(initiated(order(ANN, BOB, at=T0 + timedelta(hours=number))) for number in range(5)))
    stolen = order(ANN, CAT, minor=2_000_000, device="laptop", at=T0 + timedelta(days=1))
    for _ in range(2):
        decide(fraud, initiated(stolen))
    assert rows(fraud, "SELECT DISTINCT outcome FROM assessments WHERE creditor_account_id = %s", (CAT,)) == [
        ("block",)
    ]
    for column, amounts in (("history", [2_000] * 5), ("blocked", [2_000_000] * 2)):
        assert list(histories(fraud, column)["debtor", ANN].amounts) == amounts
    assert counts(fraud)["creditor", CAT] == 2


def test_the_consumer_sets_aside_what_can_not_be_stored_and_answers_the_rest(fraud: Runtime) -> None:
    announcer = Announcer(fraud, PaymentInitiated)
    announcer.announce(initiated(order(ANN, BOB)), initiated(order("no account", BOB)), initiated(order(ANN, CAT)))
    with running(fraud.consumer.run):
        wait_until(lambda: rows(fraud, "SELECT count(*) FROM assessments") == [(2,)])
        wait_until(lambda: rows(fraud, "SELECT count(*) FROM dead_letters") == [(1,)])
    assert counts(fraud) == {("debtor", ANN): 2, ("creditor", BOB): 1, ("creditor", CAT): 1}


def test_two_workers_on_the_same_entities_neither_deadlock_nor_lose_an_update(fraud: Runtime) -> None:
    accounts, devices = [ids.new() for _ in range(12)], [f"phone {number}" for number in range(4)]
    dice = random.Random(5)
    payments = [
        initiated(order(*dice.sample(accounts, 2), device=dice.choice(devices), at=T0 + timedelta(seconds=number)))
        for number in range(1_200)
    ]
    failures: list[BaseException] = []

    def work(part: list[PaymentInitiated]) -> None:
        try:
            for start in range(0, len(part), 20):
                decide(fraud, *part[start : start + 20])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(payments[number::3],)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    found = counts(fraud)
    assert {kind: sum(n for (k, _), n in found.items() if k == kind) for kind in ("debtor", "creditor", "device")} == {
        "debtor": 1_200,
        "creditor": 1_200,
        "device": 1_200,
    }
    expected = dict.fromkeys(accounts, 0)
    for event in payments:
        expected[event.order.debtor_account_id] += 1
    assert {account: found["debtor", account] for account in accounts} == expected
    with transaction(fraud.engine) as tx:
        assert fetch(tx, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


def test_outcomes_and_rules_are_counted_in_the_same_transaction(fraud: Runtime) -> None:
    decide(fraud, *(initiated(order(ANN, BOB, minor=9_000_000)) for _ in range(3)))
    tallied = dict(rows(fraud, "SELECT counted, sum(payments)::int FROM tallies GROUP BY counted"))
    assert tallied["amount_over_limit"] == 3
    assert sum(tallied.get(outcome.value, 0) for outcome in FraudOutcome) == 3
