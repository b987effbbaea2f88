"""Orders of payments lately screened, kept for a time: who is listed by then is found among what has settled."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.personal_data import Keys
from libs.common.record import replace
from libs.common.vault import Vault
from libs.common.writes import Table, lock_rows
from schemas.payments.events import EncryptedPersonalData, PaymentOrder, PaymentPersonalData
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


def find_keys(vault: Vault, orders: Collection[PaymentOrder]) -> Keys:
    """The keys to open those with that are sealed, and to seal those with that are readable."""
    readable = [order for order in orders if not isinstance(order.personal, EncryptedPersonalData)]
    sealed = [order.personal for order in orders if isinstance(order.personal, EncryptedPersonalData)]
    return vault.keys(
        owners={owner for order in readable for owner in _owners(order)},
        key_ids={key_id for personal in sealed for key_id in personal.key_ids},
    )


def opened(remembered: RememberedOrder, keys: Keys) -> RememberedOrder:
    """With its parties readable; as it is if one of them was erased."""
    order = remembered.order
    personal = keys.unseal(PaymentPersonalData, order.personal, about=remembered.payment_id)
    return replace(remembered, order=replace(order, personal=personal))


def order_row(keys: Keys, remembered: RememberedOrder) -> tuple[Any, ...]:
    """A row of ORDERS: nobody searches them, and so they are kept as they are on their topic."""
    order = remembered.order
    if not isinstance(order.personal, EncryptedPersonalData):
        sealed = keys.seal(EncryptedPersonalData, order.personal, owners=_owners(order), about=remembered.payment_id)
        order = replace(order, personal=sealed)
    return (
        remembered.payment_id,
        remembered.screened_at,
        _encode(order).decode(),
        remembered.settled_at,
        remembered.matcher_version,
        remembered.catalogue_version,
    )


def _owners(order: PaymentOrder) -> tuple[str, str]:
    return order.debtor_customer_id, order.creditor_customer_id


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
