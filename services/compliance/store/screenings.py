"""What was answered about payments: locked, loaded, written in bulk."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import copy, execute, fetch
from schemas.compliance.events import ScreeningOutcome
from services.compliance.domain.work import ScreenedRole, Screening

_encode = msgspec.json.Encoder().encode
_decode_roles = msgspec.json.Decoder(tuple[ScreenedRole, ...]).decode


def lock_screenings(tx: Connection, payment_ids: set[str]) -> dict[str, Screening]:
    if not payment_ids:
        return {}
    rows = fetch(
        tx,
        """SELECT payment_id, debtor_account_id, outcome, roles, lists_version, screened_at, sequence
             FROM screenings WHERE payment_id = ANY(%s) ORDER BY payment_id FOR NO KEY UPDATE""",
        (list(payment_ids),),
    )
    return {row[0]: screening_of(row) for row in rows}


def screening_of(row: Sequence[Any]) -> Screening:
    payment_id, debtor_account_id, outcome, roles, lists_version, screened_at, sequence = row
    return Screening(
        payment_id=payment_id,
        debtor_account_id=debtor_account_id,
        outcome=ScreeningOutcome(outcome),
        roles=roles_of(roles),
        lists_version=lists_version,
        screened_at=screened_at,
        sequence=sequence,
    )


def roles_of(stored: str | None) -> tuple[ScreenedRole, ...]:
    """What is stored where there is more to say than "clear"."""
    return _decode_roles(stored) if stored else ()


def save_screenings(tx: Connection, *, inserted: Sequence[Screening], updated: Sequence[Screening]) -> None:
    _insert_screenings(tx, inserted)
    _update_screenings(tx, updated)


def _insert_screenings(tx: Connection, screenings: Sequence[Screening]) -> None:
    if screenings:
        copy(
            tx,
            """COPY screenings (payment_id, debtor_account_id, outcome, roles, lists_version, screened_at, sequence)
               FROM STDIN (FORMAT BINARY)""",
            ("uuid", "uuid", "text", "text", "text", "timestamptz", "int4"),
            (
                (
                    s.payment_id,
                    s.debtor_account_id,
                    s.outcome.value,
                    _encode(s.roles).decode() if s.roles else None,
                    s.lists_version,
                    s.screened_at,
                    s.sequence,
                )
                for s in screenings
            ),
        )


def _update_screenings(tx: Connection, screenings: Sequence[Screening]) -> None:
    """What was answered stays until lists change while people decide; how often it was told changes."""
    if screenings:
        execute(
            tx,
            """UPDATE screenings s SET outcome = v.outcome, roles = v.roles, lists_version = v.lists_version,
                      screened_at = v.screened_at, sequence = v.sequence
                 FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::int[])
                      AS v (payment_id, outcome, roles, lists_version, screened_at, sequence)
                WHERE s.payment_id = v.payment_id""",
            (
                [s.payment_id for s in screenings],
                [s.outcome.value for s in screenings],
                [_encode(s.roles).decode() if s.roles else None for s in screenings],
                [s.lists_version for s in screenings],
                [s.screened_at for s in screenings],
                [s.sequence for s in screenings],
            ),
        )
