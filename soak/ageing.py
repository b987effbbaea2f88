"""What past years have left: rows past their time in tables that jobs bound, for the jobs to forget during a run."""

from collections.abc import Iterator, Mapping

import psycopg

from chaos.installation import Installation
from libs.common.record import Record
from stack import postgres
from stack.settings import SERVICES

ROWS = 12_000
"""Put into each of the tables: more than its job forgets in one go."""


class Old(Record):
    """Rows of a table that have been kept long enough."""

    values: Mapping[str, str]
    """By column, for the row of number n."""
    past: str
    """What tells them from rows that the run itself makes."""


_ID = "('018f0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
"""Of May 2024, by its own time."""

EVERYWHERE: Mapping[str, Old] = {
    "inbox": Old(
        values={"consumer": "'{service}'", "event_id": _ID, "claimed_at": "now() - interval '60 days'"},
        past="claimed_at < now() - interval '50 days'",
    ),
    "idempotency_keys": Old(
        values={
            "client_id": "'long ago'", "route": "'soak'", "key": "n::text", "body_hash": "''::bytea", "status": "200",
            "answer": "''::bytea", "created_at": "now() - interval '60 days'",
        },
        past="created_at < now() - interval '50 days'",
    ),
    "rewinds": Old(
        values={
            "consumer": "'{service}'", "topic": "'soak'", "partition": "0", "from_offset": "n", "to_offset": "0",
            "actor": "'soak'", "rewound_at": "now() - interval '500 days'",
        },
        past="rewound_at < now() - interval '450 days'",
    ),
    "interventions": Old(
        values={
            "command": "'soak'", "arguments": "'{{}}'", "actor": "'soak'", "reason": "''",
            "done_at": "now() - interval '500 days'",
        },
        past="done_at < now() - interval '450 days'",
    ),
    "dead_letters": Old(
        values={
            "event_id": _ID, "status": "'discarded'", "topic": "'soak'", "partition": "0", "record_offset": "n",
            "headers": "'[]'", "error_type": "'Soak'", "error": "''", "stack": "''",
            "failed_at": "now() - interval '501 days'", "settled_at": "now() - interval '500 days'",
            "settled_by": "'soak'",
        },
        past="settled_at < now() - interval '450 days'",
    ),
}  # fmt: skip
"""In each service's database."""

OLD: Mapping[str, Mapping[str, Old]] = {
    "payments": {
        "refused_lines": Old(
            values={"batch_id": _ID, "line_number": "1", "reason": "'malformed'", "detail": "''"},
            past="batch_id < '018f0001-0000-7000-8000-000000000000'",
        ),
    },
    "accounts": {},
    "fraud": {
        "shadow_verdicts": Old(
            values={
                "payment_id": _ID, "rules_version": "'soak'", "outcome": "'allow'", "score": "0", "rules": "'{{}}'",
                "judged_at": "now() - interval '200 days'",
            },
            past="judged_at < now() - interval '150 days'",
        ),
    },
    "compliance": {
        "screened_parties": Old(
            values={"party_key": _ID, "expires_at": "now() - interval '50 days'"},
            past="expires_at < now() - interval '40 days'",
        ),
        "linked_transfers": Old(
            values={"pair_id": _ID, "last_at": "now() - interval '2 years'", "body": "'{{}}'"},
            past="last_at < now() - interval '1 year'",
        ),
        "watched_customers": Old(
            values={
                "customer_id": _ID, "history": "''::bytea", "standing": "'{{}}'",
                "forget_on": "now()::date - 10",
            },
            past="forget_on < now()::date - 5",
        ),
        "payment_links": Old(
            values={
                "debtor_customer_id": _ID, "month_on": "(now() - interval '3 years')::date",
                "creditor_customer_id": _ID, "payments": "1", "cents": "1",
            },
            past="month_on < now() - interval '2 years'",
        ),
        "alerts": Old(
            values={
                "alert_id": _ID, "scenario": "'soak'", "customer_id": _ID, "body": "'{{}}'",
                "occurred_at": "now() - interval '7 years'", "raised_at": "now() - interval '7 years'",
                "state": "'suppressed'",
            },
            past="raised_at < now() - interval '6 years'",
        ),
        "hops": Old(
            values={
                "payment_id": _ID, "debtor_customer_id": _ID, "creditor_customer_id": _ID, "cents": "1",
                "at_micros": "1", "is_looked_at": "true", "known_at": "now() - interval '1 year'",
            },
            past="known_at < now() - interval '300 days'",
        ),
    },
}  # fmt: skip

BY_DEEDS: Mapping[str, str] = {
    "list_imports": "the import of another version",
    "listed_parties": "the import of another version",
    "country_listings": "the import of another version",
    "rule_change_contents": "the decision about it",
    "desk_sessions": "the next sign-in",
    "desk_failures": "the next failure to sign in",
}
"""What no sweep forgets but a deed of people, and what that is: a run has none of them."""


def put(installation: Installation) -> None:
    """Have the databases look as if they had been in use for years: what is past its time is to be forgotten."""
    for service, table, old in _all():
        with psycopg.connect(postgres.admin_dsn(installation.settings, service)) as connection:
            connection.execute(inserting(service, table, old).encode())


def left_over(installation: Installation) -> dict[str, int]:
    """How many of them are still there, by table."""
    found: dict[str, int] = {}
    for service, table, old in _all():
        ((rows,),) = installation.rows(service, counting(table, old))
        found[f"{service}.{table}"] = rows
    return found


def of(service: str) -> Mapping[str, Old]:
    """What is put into a service's database, by table."""
    return {**EVERYWHERE, **OLD[service]}


def inserting(service: str, table: str, old: Old, *, rows: int = ROWS) -> str:
    """The statement that puts so many of them there."""
    columns, values = ", ".join(old.values), ", ".join(old.values.values()).format(service=service)
    return f"INSERT INTO {table} ({columns}) SELECT {values} FROM generate_series(1, {rows}) n"


def counting(table: str, old: Old) -> str:
    """The query that tells how many of them are there."""
    return f"SELECT count(*) FROM {table} WHERE {old.past}"


def _all() -> Iterator[tuple[str, str, Old]]:
    for service in SERVICES:
        for table, old in of(service).items():
            yield service, table, old
