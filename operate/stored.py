"""What each service's database says of payments, and of the events that it has taken."""

from collections.abc import Mapping
from functools import partial

import psycopg

from libs.common.database import LIVENESS
from libs.common.errors import Outage
from libs.common.record import Record
from stack import postgres
from stack.settings import SERVICES

_WAITING = {
    "outbox": "SELECT shard || '/' || id FROM outbox",
    "outbox_parked": "SELECT shard || '/' || id FROM outbox_parked",
    "parked_keys": "SELECT key FROM parked_keys",
    "parked_messages": "SELECT id::text FROM parked_messages",
    "dead letters": "SELECT event_id::text FROM dead_letters WHERE status = 'dead'",
}
"""What is under way, and what tells it apart."""
_DISCARDED = """
SELECT event_id::text FROM inbox WHERE outcome = 'dead'
EXCEPT SELECT event_id::text FROM dead_letters WHERE status = 'dead'
"""
"""Letters are forgotten in time, once they are settled; the inbox goes on saying that they were dead."""


class Taken(Record):
    """What a service has made of the messages that it reads, by their ids."""

    applied: frozenset[str]
    discarded: frozenset[str]
    """Those that failed, and that somebody has decided never to apply."""
    waiting: Mapping[str, frozenset[str]]
    """What is under way, by where it waits."""


class Stored(Record):
    """What all databases say."""

    taken: Mapping[str, Taken]
    """By service."""
    payments: Mapping[str, str]
    """The state of each."""
    holds: Mapping[str, str]
    """The status of the hold of each payment."""
    assessed: frozenset[str]
    screened: frozenset[str]
    refunded: frozenset[str]
    """The refunds whose money has moved."""


def ask(databases: Mapping[str, str], service: str, query: str) -> list[tuple]:  # type: ignore[type-arg]
    """What a service's database answers. Raises Outage, naming the database."""
    try:
        with psycopg.connect(postgres.dsn(databases[service]), **LIVENESS) as connection:
            return connection.execute(query.encode()).fetchall()
    except psycopg.Error as error:
        raise Outage(f"the database of {service}: {str(error).strip() or type(error).__name__}") from error


def load(databases: Mapping[str, str]) -> Stored:
    """All that is compared. `databases` holds each service's address. Raises Outage, naming the database."""

    rows = partial(ask, databases)

    def found(service: str, query: str) -> frozenset[str]:
        return frozenset(id_ for (id_,) in rows(service, query))

    def taken(service: str) -> Taken:
        return Taken(
            applied=found(service, "SELECT event_id::text FROM inbox WHERE outcome = 'applied'"),
            discarded=found(service, _DISCARDED),
            waiting={where: found(service, query) for where, query in _WAITING.items()},
        )

    return Stored(
        taken={service: taken(service) for service in SERVICES},
        payments=dict(rows("payments", "SELECT payment_id::text, state FROM payments")),
        holds=dict(rows("accounts", "SELECT hold_id::text, status FROM holds WHERE kind = 'payment'")),
        assessed=found("fraud", "SELECT payment_id::text FROM assessments"),
        screened=found("compliance", "SELECT payment_id::text FROM screenings"),
        refunded=found("accounts", "SELECT refund_id::text FROM refunds WHERE status = 'posted'"),
    )
