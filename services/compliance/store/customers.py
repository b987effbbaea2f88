"""Customers as compliance knows them: locked, loaded, written back in bulk."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from libs.common.database import copy, execute, fetch
from services.compliance.domain.work import Customer

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Customer).decode


def lock_customers(tx: Connection, customer_ids: set[str]) -> dict[str, Customer]:
    if not customer_ids:
        return {}
    rows = fetch(
        tx,
        "SELECT customer_id, body FROM customers WHERE customer_id = ANY(%s) ORDER BY customer_id FOR NO KEY UPDATE",
        (list(customer_ids),),
    )
    return {customer_id: _decode(body) for customer_id, body in rows}


def find_outdated_customers(tx: Connection, versions: tuple[int, int], at_most: int) -> list[str]:
    """Those last looked at with an older matcher or older lists, the longest ago first."""
    rows = fetch(
        tx,
        """SELECT customer_id FROM customers WHERE (matcher_version, catalogue_version) < (%s, %s)
            ORDER BY matcher_version, catalogue_version, customer_id LIMIT %s""",
        (*versions, at_most),
    )
    return [customer_id for (customer_id,) in rows]


def save_customers(tx: Connection, *, inserted: Sequence[Customer], updated: Sequence[Customer]) -> None:
    _insert_customers(tx, inserted)
    _update_customers(tx, updated)


def _insert_customers(tx: Connection, customers: Sequence[Customer]) -> None:
    if customers:
        copy(
            tx,
            """COPY customers (customer_id, status, matcher_version, catalogue_version, body)
               FROM STDIN (FORMAT BINARY)""",
            ("uuid", "text", "int4", "int8", "text"),
            (
                (c.customer_id, c.status.value, c.matcher_version, c.catalogue_version, _encode(c).decode())
                for c in customers
            ),
        )


def _update_customers(tx: Connection, customers: Sequence[Customer]) -> None:
    if customers:
        execute(
            tx,
            """UPDATE customers c SET status = v.status, matcher_version = v.matcher_version,
                      catalogue_version = v.catalogue_version, body = v.body
                 FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::bigint[], %s::text[])
                      AS v (customer_id, status, matcher_version, catalogue_version, body)
                WHERE c.customer_id = v.customer_id""",
            (
                [c.customer_id for c in customers],
                [c.status.value for c in customers],
                [c.matcher_version for c in customers],
                [c.catalogue_version for c in customers],
                [_encode(c).decode() for c in customers],
            ),
        )
