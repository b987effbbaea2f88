"""Customers as compliance knows them: locked and loaded, and how they become rows."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import fetch
from libs.common.writes import Table, lock_rows
from services.compliance.domain.work import Customer

CUSTOMERS = Table(
    "customers",
    key={"customer_id": "uuid"},
    changing={"status": "text", "matcher_version": "integer", "catalogue_version": "bigint", "body": "text"},
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Customer).decode


def lock_customers(tx: Connection, customer_ids: set[str]) -> dict[str, Customer]:
    rows = lock_rows(tx, CUSTOMERS, customer_ids, "customer_id, body")
    return {customer_id: _decode(body) for customer_id, body in rows}


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


def customer_row(customer: Customer) -> tuple[Any, ...]:
    """A row of CUSTOMERS."""
    return (
        customer.customer_id,
        customer.status.value,
        customer.matcher_version,
        customer.catalogue_version,
        _encode(customer).decode(),
    )
