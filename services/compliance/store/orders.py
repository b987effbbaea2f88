"""Orders of payments lately screened, kept for a time: who is listed by then is found among what has settled."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.writes import Table, lock_rows
from schemas.payments.events import PaymentOrder
from services.compliance.domain.work import RememberedOrder

ORDERS = Table(
    "remembered_orders",
    key={"payment_id": "uuid"},
    fixed={"screened_at": "timestamptz", "body": "text"},
    changing={"settled_at": "timestamptz", "matcher_version": "integer", "catalogue_version": "bigint"},
    on_conflict="DO NOTHING",
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PaymentOrder).decode


def lock_orders(tx: Connection, payment_ids: set[str]) -> dict[str, RememberedOrder]:
    """What was ordered, of those payments that are remembered."""
    return {row[0]: _order(*row) for row in lock_rows(tx, ORDERS, payment_ids)}


def find_outdated(tx: Connection, versions: tuple[int, int], at_most: int) -> list[str]:
    """Payments that have settled, and were not looked at since with this matcher and these lists."""
    rows = fetch(
        tx,
        """SELECT payment_id FROM remembered_orders
            WHERE settled_at IS NOT NULL AND (matcher_version, catalogue_version) < (%s, %s)
            ORDER BY matcher_version, catalogue_version, payment_id LIMIT %s""",
        (*versions, at_most),
    )
    return [payment_id for (payment_id,) in rows]


def forget_orders(look_back_for: timedelta, tx: Connection, at_most: int) -> int:
    """Delete orders that are looked back at no more."""
    return execute(
        tx,
        """DELETE FROM remembered_orders WHERE payment_id IN (
             SELECT payment_id FROM remembered_orders WHERE screened_at < now() - %s ORDER BY screened_at LIMIT %s)""",
        (look_back_for, at_most),
    )


def order_row(remembered: RememberedOrder) -> tuple[Any, ...]:
    """A row of ORDERS."""
    return (
        remembered.payment_id,
        remembered.screened_at,
        _encode(remembered.order).decode(),
        remembered.settled_at,
        remembered.matcher_version,
        remembered.catalogue_version,
    )


def _order(
    payment_id: str,
    screened_at: datetime,
    body: str,
    settled_at: datetime | None,
    matcher_version: int,
    catalogue_version: int,
) -> RememberedOrder:
    return RememberedOrder(
        payment_id=payment_id,
        screened_at=screened_at,
        order=_decode(body),
        settled_at=settled_at,
        matcher_version=matcher_version,
        catalogue_version=catalogue_version,
    )
