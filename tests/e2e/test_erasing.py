"""A customer is erased: nowhere, in no topic, table or log, is the name to be found any more."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from demo.story import Party
from libs.common.kafka import client_config
from operate import topics
from stack import postgres
from stack.settings import SERVICES
from tests.e2e.test_money_back import CURRENCY, Till
from tests.waiting import wait_until

WORDS = ("quisterbeck", "zebulon")
ZEB, QUIN = PARTIES = (
    # The amount below and its fee: with nothing left the account can be closed.
    Party(
        number=0, name="Zebulon Quisterbeck", is_company=False, country="DE", birth_date="1971-03-29", funds_minor=10_25
    ),
    Party(number=1, name="Books and Bricks", is_company=True, country="DE"),
)


@pytest.fixture(scope="module")
def till(installation: Installation) -> Iterator[Till]:
    till = Till(installation, PARTIES)
    till.open()
    yield till
    till.close()


def erase(installation: Installation, customer_id: str, *more: str) -> tuple[int, list[dict[str, Any]]]:
    """Whether it was done, and what was said about it."""
    return installation.operate("erase", "--customer", customer_id, "--reason", "asked for by letter 7", *more)


def places_of(installation: Installation, words: tuple[str, ...]) -> set[str]:
    """Every topic, table and log that tells any of these words, in whatever letters."""
    return {*_topics_with(installation, words), *_tables_with(installation, words), *_logs_with(installation, words)}


def _topics_with(installation: Installation, words: tuple[str, ...]) -> Iterator[str]:
    messaging = installation.settings.messaging()
    known = AdminClient(client_config(messaging)).list_topics(timeout=10).topics
    # Those of services: what Faust keeps of its own has counts by account, and no headers of events.
    for record in topics.read(messaging, [name for name in known if name.partition(".")[0] in SERVICES]):
        if any(word.encode() in record.value.lower() for word in words):
            yield record.topic


def _as_owner(installation: Installation, service: str) -> str:
    return installation.settings.database_url(service, postgres.owner_of(service)).replace("+psycopg", "")


def _tables_with(installation: Installation, words: tuple[str, ...]) -> Iterator[str]:
    for service in SERVICES:
        with psycopg.connect(_as_owner(installation, service)) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                for word in words:
                    # A row as text has its bytes in hexadecimal.
                    query = f"SELECT FROM {table} AS t WHERE t::text ILIKE %s OR t::text ILIKE %s LIMIT 1"
                    patterns = (f"%{word}%", f"%{word.encode().hex()}%")
                    if connection.execute(query.encode(), patterns).fetchone() is not None:
                        yield f"{service}.{table}"


def _logs_with(installation: Installation, words: tuple[str, ...]) -> Iterator[str]:
    for name in SERVICES:
        text = installation.supervisor.log_of(name).read_text(errors="replace").lower()
        if any(word in text for word in words):
            yield f"log of {name}"


def test_whoever_is_erased_is_found_nowhere_and_others_are(installation: Installation, till: Till) -> None:
    payment = till.order(ZEB, QUIN, "10.00")
    till.wait_for("settled", payment)
    customer_id, other_id = (account.customer_id for account in till.accounts)
    # Where lists are compared with, and by which people search: not a single topic.
    assert places_of(installation, WORDS) == {"compliance.customers", "compliance.customer_words"}

    status, found = erase(installation, customer_id)
    assert (status, [row["what"] for row in found]) == (
        1,
        ["the customer is verified: close the accounts, and then the customer, before"],
    )
    _close(till, ZEB)
    status, found = erase(installation, customer_id)
    assert status == 1 and "is kept until" in found[0]["what"]
    _age(installation, customer_id)

    assert erase(installation, customer_id, "--dry-run")[0] == 0
    assert "compliance.customers" in places_of(installation, WORDS)
    status, found = erase(installation, customer_id)
    assert status == 0, found
    assert {"where": "keys", "what": "destroyed", "count": 1} in found
    assert places_of(installation, WORDS) == set()

    wait_until(lambda: _name(till, customer_id) is None, seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
    assert _name(till, other_id) == QUIN.name
    assert till.seen(payment)["state"] == "settled"
    assert erase(installation, customer_id)[0] == 0, "a second time there is less to do"


def _name(till: Till, customer_id: str) -> Any:
    return till.staff.get("accounts", f"/v1/customers/{customer_id}")["name"]


def _close(till: Till, party: Party) -> None:
    opened = till.accounts[party.number]
    assert till.money(party)[0] == "0.00", f"an account in {CURRENCY} that is not empty can't be closed"
    till.staff.post("accounts", f"/v1/accounts/{opened.account_id}/close", "close-account", {})
    till.staff.post("accounts", f"/v1/customers/{opened.customer_id}/close", "close-customer", {})


def _age(installation: Installation, customer_id: str) -> None:
    """Six years go by."""
    with psycopg.connect(installation.settings.database_url("accounts").replace("+psycopg", "")) as connection:
        connection.execute(
            "UPDATE customers SET closed_at = closed_at - interval '6 years' WHERE customer_id = %s", (customer_id,)
        )
