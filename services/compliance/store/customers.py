"""Customers as compliance knows them: locked and loaded, and how they become rows."""

from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import fetch
from libs.common.writes import Table, lock_rows
from services.compliance.domain.searching import customer_words
from services.compliance.domain.whitelist import party_of
from services.compliance.domain.work import Customer
from services.compliance.monitoring.countries import Edition

CUSTOMERS = Table(
    "customers",
    key={"customer_id": "uuid"},
    changing={
        "status": "text",
        "matcher_version": "integer",
        "catalogue_version": "bigint",
        "rating": "text",
        "review_on": "date",
        "ask_at": "timestamptz",
        "party": "uuid",
        "countries_version": "bigint",
        "countries_on": "date",
        "body": "text",
    },
)
WORDS = Table("customer_words", key={"word": "text", "customer_id": "uuid"}, on_conflict="DO NOTHING")

_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Customer).decode


def lock_customers(tx: Connection, customer_ids: set[str]) -> dict[str, Customer]:
    rows = lock_rows(tx, CUSTOMERS, customer_ids, "customer_id, body")
    return {customer_id: decode(body) for customer_id, body in rows}


def find_outdated_customers(tx: Connection, versions: tuple[int, int], at_most: int) -> list[str]:
    """Those still served that were last looked at with an older matcher or older lists, the longest ago first."""
    rows = fetch(
        tx,
        """SELECT customer_id FROM customers
            WHERE (matcher_version, catalogue_version) < (%s, %s) AND status <> 'closed'
            ORDER BY matcher_version, catalogue_version, customer_id LIMIT %s""",
        (*versions, at_most),
    )
    return [customer_id for (customer_id,) in rows]


def count_served(tx: Connection) -> int:
    """Those that are screened again when lists change."""
    ((count,),) = fetch(tx, "SELECT count(*) FROM customers WHERE status <> 'closed'")
    return int(count)


def find_to_rate(tx: Connection, edition: Edition, at_most: int) -> list[str]:
    """Those that were never rated, or by earlier lists of countries."""
    rows = fetch(
        tx,
        """SELECT customer_id FROM customers
            WHERE (countries_version, countries_on) < (%s, %s) AND status <> 'closed'
            ORDER BY countries_version, countries_on, customer_id LIMIT %s""",
        (edition.version, edition.changed_on, max(at_most, 0)),
    )
    return [customer_id for (customer_id,) in rows]


def find_to_review(tx: Connection, on: date, at_most: int) -> list[str]:
    """Those whom people are to look at again, the longest overdue first."""
    rows = fetch(
        tx,
        """SELECT customer_id FROM customers WHERE review_on <= %s AND status <> 'closed'
            ORDER BY review_on, customer_id LIMIT %s""",
        (on, at_most),
    )
    return [customer_id for (customer_id,) in rows]


def find_to_check(tx: Connection, now: datetime, at_most: int) -> list[Customer]:
    """Those whose document is to be asked about, the longest ago first."""
    rows = fetch(tx, "SELECT body FROM customers WHERE ask_at <= %s ORDER BY ask_at LIMIT %s", (now, at_most))
    return [decode(body) for (body,) in rows]


def word_rows(before: Customer | None, after: Customer) -> list[tuple[str, str]]:
    """The rows of WORDS of a customer who is new, or about whom something is; those that are there stay as they are.

    All of them, and again with every version of the matcher: an earlier release has written none, or other ones.
    """
    if before is not None and (before.subject, before.matcher_version) == (after.subject, after.matcher_version):
        return []
    return [(word, after.customer_id) for word in customer_words(after)]


def customer_row(customer: Customer) -> tuple[Any, ...]:
    """A row of CUSTOMERS."""
    return (
        customer.customer_id,
        customer.status.value,
        customer.matcher_version,
        customer.catalogue_version,
        customer.rating and customer.rating.level.value,
        customer.review_on and customer.review_on.isoformat(),
        customer.document and customer.document.ask_at,
        customer.subject and party_of(customer.subject),
        customer.rated_by.version if customer.rated_by is not None else -1,
        (customer.rated_by.changed_on if customer.rated_by is not None else date.min).isoformat(),
        _encode(customer).decode(),
    )
