"""What was answered about payments: locked and loaded, and how they become rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.writes import Table, lock_rows
from schemas.compliance.events import ScreeningOutcome
from schemas.payments.events import PaymentOrder
from services.compliance.domain.work import ScreenedRole, Screening

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
        "sequence": "integer",
    },
)

_encode = msgspec.json.Encoder().encode
_decode_order = msgspec.json.Decoder(PaymentOrder).decode
_decode_roles = msgspec.json.Decoder(tuple[ScreenedRole, ...]).decode


def lock_screenings(tx: Connection, payment_ids: set[str]) -> dict[str, Screening]:
    rows = lock_rows(tx, SCREENINGS, payment_ids)
    return {row[0]: screening_of(row) for row in rows}


def screening_of(row: Sequence[Any]) -> Screening:
    payment_id, debtor_account_id, ordered, outcome, roles, missing, lists_version, screened_at, *rest = row
    settled_at, matcher_version, catalogue_version, is_to_look_at, sequence = rest
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
        sequence=sequence,
    )


def roles_of(stored: str | None) -> tuple[ScreenedRole, ...]:
    """What is stored where there is more to say than "clear"."""
    return _decode_roles(stored) if stored else ()


def screening_row(screening: Screening) -> tuple[Any, ...]:
    """A row of SCREENINGS."""
    return (
        screening.payment_id,
        screening.debtor_account_id,
        _encode(screening.order).decode() if screening.order is not None else None,
        screening.outcome.value,
        _encode(screening.roles).decode() if screening.roles else None,
        f"{{{','.join(screening.missing)}}}",
        screening.lists_version,
        screening.screened_at,
        screening.settled_at,
        screening.matcher_version,
        screening.catalogue_version,
        screening.is_to_look_at,
        screening.sequence,
    )
