"""Every table of every service: what keeps it bounded, or why it grows for as long as money moves.

Held against the databases by tests/integration/test_growth.py, and the long run's judge (soak) goes by it.
"""

from collections.abc import Mapping
from enum import StrEnum

from libs.common.record import Record


class Bound(StrEnum):
    """What becomes of a table over the years."""

    RECORD = "record"
    """Grows with what moves, by design: the ledger, and what the law or an auditor will ask for."""
    JOB = "job"
    """A job forgets what is old, in bounded batches."""
    TRANSIENT = "transient"
    """Holds what is under way."""
    NATURE = "nature"
    """As large as what there is of it: customers, partitions, users, versions; it doesn't grow with each payment."""


class Table(Record):
    """How one table grows."""

    bound: Bound
    by: str
    """The job that bounds it, or why it needs none."""


def _record(why: str) -> Table:
    return Table(bound=Bound.RECORD, by=why)


def _job(job: str) -> Table:
    return Table(bound=Bound.JOB, by=job)


def _transient(until: str) -> Table:
    return Table(bound=Bound.TRANSIENT, by=until)


def _nature(of: str) -> Table:
    return Table(bound=Bound.NATURE, by=of)


MESSAGING: Mapping[str, Table] = {
    "outbox": _transient("published: the relay deletes what the broker has"),
    "outbox_parked": _transient("released by an operator"),
    "outbox_shards": _nature("one row"),
    "inbox": _job("the sweep, 30 days after no topic holds it, as brokers say; never, while one keeps all"),
    "consumer_offsets": _nature("a row for each partition"),
    "rewinds": _job("the sweep, after 400 days"),
    "interventions": _job("the sweep, after 400 days"),
    "dead_letters": _job("the sweep, 400 days after they were settled"),
    "parked_keys": _transient("released by an operator"),
    "parked_messages": _transient("released by an operator"),
    "clients": _nature("a row for each client"),
    "client_keys": _nature("a row for each key that a client was given"),
    "idempotency_keys": _job("the sweep, after WEIR_IDEMPOTENCY_DAYS"),
    "alembic_version": _nature("a row for each branch of migrations"),
}  # fmt: skip
"""In each service's database."""

_LISTS = "the newest versions of each list are kept"
_CASE = "forget-records, 5 or 10 years after the case's end"

TABLES: Mapping[str, Mapping[str, Table]] = {
    "payments": {
        "payments": _record("every payment with its timeline"),
        "refunds": _record("every refund"),
        "batches": _record("every file that came in"),
        "quotas": _nature("a row for each client and what is counted of it"),
        "refused_lines": _job("the sweep, after WEIR_REFUSED_LINES_DAYS"),
        "known_accounts": _nature("a row for each account"),
    },
    "accounts": {
        "customers": _nature("a row for each customer"),
        "accounts": _nature("a row for each account"),
        "holds": _record("what was held for each payment, and what became of it"),
        "refunds": _record("what was given back"),
        "transfers": _record("the ledger"),
        "entries": _record("the ledger"),
    },
    "fraud": {
        "entities": _nature("4 kB at most for each account and device"),
        "assessments": _record("every answer, with what it was judged by and what it turned out to be"),
        "versions": _nature("a row for each rulebook and model"),
        "version_changes": _nature("a row for each change of one"),
        "list_entries": _nature("what people have listed"),
        "shadow_verdicts": _job("the sweep, after WEIR_SHADOW_DAYS"),
        "tallies": _nature("a row for each rule of each rulebook, a few times over"),
    },
    "compliance": {
        "catalogue": _nature("one row"),
        "list_imports": _job(_LISTS),
        "listed_parties": _job(_LISTS),
        "screened_parties": _job("the screening itself, when a verdict's time is over"),
        "screenings": _record("10 years (31 CFR 501.601), then forget-records"),
        "customers": _nature("a row for each customer"),
        "customer_words": _nature("a few rows for each customer; deleted when it is erased"),
        "cases": _record("5 years from its end, 10 if about a list (31 CFR 1010.430(d), 501.601): forget-records"),
        "case_files": _record(_CASE),
        "case_words": _record(_CASE),
        "case_acts": _record(_CASE),
        "blocked_property": _record("never forgotten (31 CFR 501.601)"),
        "filings": _record(
            "5 years, 10 if on a rejected transfer, never if on blocked property or annual"
            " (31 CFR 1010.430(d), 501.601): forget-records"
        ),
        "filing_acts": _record("as long as their filing"),
        "whitelist_pairs": _record("10 years after a pair's end (31 CFR 501.601), then forget-records"),
        "travel_records": _record("5 years (31 CFR 1010.430(d)), then forget-records"),
        "linked_transfers": _job("the sweep, when they can be linked with no other"),
        "looking_back": _nature("one row"),
        "rule_changes": _nature("what people have proposed"),
        "rule_change_contents": _job("the decision about it"),
        "watched_customers": _job("the sweep, when a customer has moved nothing for years"),
        "payment_links": _job("the sweep, by the month"),
        "alerts": _job("the sweep, after five years"),
        "hops": _job("the sweep, when no cycle reaches them any more"),
        "alert_silences": _nature("what people have said"),
        "scenario_versions": _nature("what people have set"),
        "country_imports": _nature("a row for each list of countries brought in"),
        "country_listings": _job("the newest import is kept"),
        "desk_users": _nature("a row for each person"),
        "desk_sessions": _job("each sign-in, when a session's time is over"),
        "desk_failures": _job("each failure to sign in, after minutes"),
        "audit_entries": _record("what was looked at and done, and by whom, chained: never forgotten"),
        "audit_head": _nature("one row"),
    },
}  # fmt: skip


def of(service: str) -> Mapping[str, Table]:
    """Every table of a service's database."""
    return {**MESSAGING, **TABLES[service]}


def page() -> str:
    """The table of tables, for people."""
    lines = [
        "# What grows, and what keeps it bounded",
        "",
        "Generated from [operate/tables.py](../operate/tables.py) by `make docs`. A test holds it against the",
        "databases, so that no new table is forgotten; `make soak` measures it.",
        "",
        "- **record**: grows with what moves, by design: the ledger, and what the law or an auditor will ask for.",
        "- **job**: a job forgets what is old, in bounded batches.",
        "- **transient**: holds what is under way, until what is named.",
        "- **nature**: as large as what there is of it; it doesn't grow with each payment.",
    ]
    for name, tables in (("every service", MESSAGING), *TABLES.items()):
        lines += ["", f"## {name}", "", "| table | bound | by |", "|---|---|---|"]
        lines += [f"| `{table}` | {growth.bound} | {growth.by} |" for table, growth in tables.items()]
    return "\n".join([*lines, ""])
