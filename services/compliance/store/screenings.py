"""What was answered about payments: locked and loaded, and how they become rows."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.personal_data import Keys, KeysWanted
from libs.common.record import replace
from libs.common.writes import Table, lock_rows
from schemas.compliance.events import ScreeningOutcome
from schemas.payments.events import EncryptedPersonalData, PaymentOrder
from services.compliance.domain.work import ScreenedRole, Screening
from services.compliance.monitoring.outsiders import NOBODY, Outsiders

SCREENINGS = Table(
    "screenings",
    key={"payment_id": "uuid"},
    fixed={"debtor_account_id": "uuid", "ordered": "text"},
    # What was answered stays until lists change while people decide; how often it was told changes.
    changing={
        "outcome": "text",
        "roles": "text",
        "missing": "text[]",
        "lists_version": "text",
        "screened_at": "timestamptz",
        "settled_at": "timestamptz",
        "matcher_version": "integer",
        "catalogue_version": "bigint",
        "is_to_look_at": "boolean",
        "outsiders": "text",
        "sequence": "integer",
    },
)

_encode = msgspec.json.Encoder().encode
_decode_order = msgspec.json.Decoder(PaymentOrder).decode
_decode_outsiders = msgspec.json.Decoder(Outsiders).decode
_decode_roles = msgspec.json.Decoder(tuple[ScreenedRole, ...]).decode


def lock_screenings(tx: Connection, payment_ids: set[str]) -> dict[str, Screening]:
    rows = lock_rows(tx, SCREENINGS, payment_ids)
    return {row[0]: screening_of(row) for row in rows}


def find_screenings(tx: Connection, payment_ids: Collection[str]) -> dict[str, Screening]:
    """As they are at this moment, not locked."""
    if not payment_ids:
        return {}
    statement = f"SELECT {SCREENINGS.select} FROM screenings WHERE payment_id = ANY(%b::uuid[])"
    return {row[0]: screening_of(row) for row in fetch(tx, statement, (array("uuid", payment_ids),))}


def screening_of(row: Sequence[Any]) -> Screening:
    payment_id, debtor_account_id, ordered, outcome, roles, missing, lists_version, screened_at, *rest = row
    settled_at, matcher_version, catalogue_version, is_to_look_at, outsiders, sequence = rest
    return Screening(
        payment_id=payment_id,
        debtor_account_id=debtor_account_id,
        outcome=ScreeningOutcome(outcome),
        roles=roles_of(roles),
        missing=tuple(missing),
        lists_version=lists_version,
        screened_at=screened_at,
        order=_decode_order(ordered) if ordered else None,
        settled_at=settled_at,
        matcher_version=matcher_version,
        catalogue_version=catalogue_version,
        is_to_look_at=is_to_look_at,
        outsiders=_decode_outsiders(outsiders) if outsiders else NOBODY,
        sequence=sequence,
    )


def roles_of(stored: str | None) -> tuple[ScreenedRole, ...]:
    """What is stored where there is more to say than "clear"."""
    return _decode_roles(stored) if stored else ()


def wanted_keys(*, written: Collection[PaymentOrder], read: Collection[PaymentOrder]) -> KeysWanted:
    """The keys to seal those with that are written and readable, and to open those with that are read."""
    sealed = [order.personal for order in read if isinstance(order.personal, EncryptedPersonalData)]
    readable = [order for order in written if not isinstance(order.personal, EncryptedPersonalData)]
    return KeysWanted(
        owners=frozenset(owner for order in readable for owner in _owners(order)),
        key_ids=frozenset(key_id for personal in sealed for key_id in personal.key_ids),
    )


def screening_row(keys: Keys, screening: Screening) -> tuple[Any, ...]:
    """A row of SCREENINGS. Nobody searches orders, and so they are kept sealed, as they are on their topic."""
    return (
        screening.payment_id,
        screening.debtor_account_id,
        _encode(_sealed(screening.payment_id, screening.order, keys)).decode() if screening.order is not None else None,
        screening.outcome.value,
        _encode(screening.roles).decode() if screening.roles else None,
        f"{{{','.join(screening.missing)}}}",
        screening.lists_version,
        screening.screened_at,
        screening.settled_at,
        screening.matcher_version,
        screening.catalogue_version,
        screening.is_to_look_at,
        _encode(screening.outsiders).decode() if screening.outsiders != NOBODY else None,
        screening.sequence,
    )


def _sealed(payment_id: str, order: PaymentOrder, keys: Keys) -> PaymentOrder:
    if isinstance(order.personal, EncryptedPersonalData):
        return order
    sealed = keys.seal(EncryptedPersonalData, order.personal, owners=_owners(order), about=payment_id)
    return replace(order, personal=sealed)


def _owners(order: PaymentOrder) -> tuple[str, str]:
    return order.debtor_customer_id, order.creditor_customer_id
