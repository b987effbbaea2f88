"""`weir reconcile` and `weir timeline` on topics as they are: with junk, cut short by their retention, or not there."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer, TopicPartition

from libs.common import ids
from libs.common.kafka import Admin, client_config
from operate import __main__ as operate
from operate import installation, topics
from schemas.payments.events import PAYMENT
from stack.settings import SERVICES
from tests.parts import Parts

Headers = Sequence[tuple[str, bytes | None]]
Weir = Callable[..., tuple[int, list[dict[str, str]], str]]

GOOD_ID, PAYMENT_ID = ids.new(), ids.new()
AN_EVENT: Mapping[str, bytes] = {
    "ce_id": GOOD_ID.encode(),
    "ce_type": b"weir.payments.PaymentSettled",
    "ce_subject": PAYMENT_ID.encode(),
    "ce_time": b"2026-11-01T10:00:00+00:00",
}


def a_record(**headers: bytes | None) -> Headers:
    return list({**AN_EVENT, **headers}.items())


JUNK: Mapping[str, Headers] = {
    "no headers": [],
    "not UTF-8": a_record(ce_id=b"\xff\xfe", ce_subject=b"\xff"),
    "null": a_record(ce_id=None),
    "no id": a_record(ce_id=b"17"),
}


@pytest.fixture(scope="module")
def town(parts: Parts) -> Iterator[dict[str, str]]:
    """Every service's database and topics, empty, with junk on a topic. Yields the environment that tells of them."""
    with ExitStack() as opened:
        environment = {"WEIR_KAFKA_BOOTSTRAP": parts.messaging.kafka_bootstrap}
        environment["WEIR_REGISTRY_URL"] = parts.messaging.registry_url
        for name in SERVICES:
            runtime = opened.enter_context(parts.runtime(installation.service_of(name)))
            environment[f"WEIR_{name.upper()}_DATABASE_URL"] = runtime.settings.database.render_as_string(
                hide_password=False
            )
        publish(parts, PAYMENT.name, *JUNK.values())
        yield environment


def publish(parts: Parts, topic: str, *records: Headers, at: datetime | None = None) -> None:
    producer = Producer(client_config(parts.messaging))
    for headers in records:
        milliseconds = int((at or datetime.now(UTC)).timestamp() * 1000)
        producer.produce(topic, b"junk", partition=0, headers=list(headers), timestamp=milliseconds)
    assert producer.flush(30) == 0


@pytest.fixture
def weir(town: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    """`weir("reconcile", kafka_bootstrap=…)` -> exit status, what it said for programs, what it complained of."""
    monkeypatch.setattr(operate, "UNDER_WAY_SECONDS", 0.1)

    def weir(*words: str, **changes: str) -> tuple[int, list[dict[str, str]], str]:
        for name, value in (town | {f"WEIR_{name.upper()}": value for name, value in changes.items()}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["weir", *words, "--json"])
        with pytest.raises(SystemExit) as ended:
            operate.main()
        said, complaint = capsys.readouterr()
        return int(ended.value.code or 0), [json.loads(line) for line in said.splitlines()], complaint

    return weir


def test_junk_on_a_topic_is_in_nobodys_way(parts: Parts, weir: Weir) -> None:
    status, findings, complaint = weir("reconcile")
    assert (status, [one for one in findings if one["holds"] != "yes"], complaint) == (0, [], "")
    assert len(findings) > 10
    publish(parts, PAYMENT.name, a_record(ce_time=b"yesterday"))
    status, (event,), _ = weir("timeline", PAYMENT_ID)
    assert (status, event["event"], event["event_id"]) == (0, "PaymentSettled", GOOD_ID)
    assert event["at"].startswith(f"{datetime.now(UTC):%Y-}"), "without a time of its own, when it came"


def test_junk_has_the_id_that_services_bury_it_under(parts: Parts, town: dict[str, str]) -> None:
    found = [one for one in topics.read(parts.messaging, [PAYMENT.name]) if one.offset < len(JUNK)]
    assert [(one.event_id, one.event_type) for one in found] == [(one.place_id, "") for one in found]
    assert len({one.place_id for one in found}) == len(JUNK)


@pytest.mark.parametrize(
    ("told", "away"),
    [
        ("the database of fraud: ", {"fraud_database_url": "postgresql+psycopg://fraud@127.0.0.1:1/fraud"}),
        ("the broker: ", {"kafka_bootstrap": "127.0.0.1:1"}),
    ],
)
def test_what_is_away_is_told_in_a_line(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, told: str, away: dict[str, str]
) -> None:
    monkeypatch.setattr(topics, "ASK_SECONDS_MAX", 1)
    status, said, complaint = weir("reconcile", **away)
    assert (status, said) == (1, [])
    assert complaint.startswith(f"weir: {told}") and complaint.count("\n") == 1, complaint


def test_a_topic_tells_from_when_on_it_holds_everything(parts: Parts) -> None:
    name = "town.events.v1"
    parts.create_topics([name, "town.other.v1"], partitions=2)
    old, young = (datetime.now(UTC).replace(microsecond=0) - timedelta(hours=hours) for hours in (9, 3))
    publish(parts, name, a_record(), at=old)
    publish(parts, name, a_record(), at=young)
    assert topics.held_since(parts.messaging, [name, "town.other.v1", "town.never.v1"]) == {}
    forget(parts, name, before=1)
    assert topics.held_since(parts.messaging, [name]) == {name: young}
    forget(parts, name, before=2)
    assert datetime.now(UTC) - topics.held_since(parts.messaging, [name])[name] < timedelta(minutes=1)
    parts.delete_topics([name, "town.other.v1"])


def forget(parts: Parts, topic: str, *, before: int) -> None:
    """What a broker does when the time of records is over."""
    for future in Admin(parts.messaging).delete_records([TopicPartition(topic, 0, before)]).values():
        future.result(30)
