"""Cases, what was done with them, and property that was blocked: locked, loaded, written in bulk."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection

from libs.common.database import copy, execute, fetch
from services.compliance.domain.case import Act, Case
from services.compliance.domain.work import BlockedProperty

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Case).decode


def lock_cases(tx: Connection, case_ids: set[str]) -> dict[str, Case]:
    if not case_ids:
        return {}
    rows = fetch(
        tx,
        "SELECT case_id, body FROM cases WHERE case_id = ANY(%s) ORDER BY case_id FOR NO KEY UPDATE",
        (list(case_ids),),
    )
    return {case_id: _decode(body) for case_id, body in rows}


def find_customers(tx: Connection, case_ids: set[str]) -> set[str]:
    """The customers that some cases are about: that of a case never changes."""
    if not case_ids:
        return set()
    rows = fetch(
        tx, "SELECT customer_id FROM cases WHERE case_id = ANY(%s) AND customer_id IS NOT NULL", (list(case_ids),)
    )
    return {customer_id for (customer_id,) in rows}


def find_outdated_payments(tx: Connection, versions: tuple[int, int], at_most: int) -> list[str]:
    """The payments that wait for people and were not looked at since with this matcher and these lists.

    None that was not screened at all: its first answer is still to come, and may rest on lists that are no longer live.
    """
    rows = fetch(
        tx,
        """SELECT payment_id FROM cases
            WHERE payment_id IS NOT NULL AND opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed')
              AND (matcher_version, catalogue_version) < (%s, %s)
              AND EXISTS (SELECT FROM screenings WHERE screenings.payment_id = cases.payment_id)
            ORDER BY matcher_version, catalogue_version, case_id LIMIT %s""",
        (*versions, at_most),
    )
    return [payment_id for (payment_id,) in rows]


def save_cases(tx: Connection, *, inserted: Sequence[Case], updated: Sequence[Case]) -> None:
    _insert_cases(tx, inserted)
    _update_cases(tx, updated)


def _insert_cases(tx: Connection, cases: Sequence[Case]) -> None:
    if cases:
        copy(
            tx,
            """COPY cases (case_id, payment_id, customer_id, status, matcher_version, catalogue_version, opened_at,
                           decide_by, ended_at, body)
               FROM STDIN (FORMAT BINARY)""",
            (
                "uuid",
                "uuid",
                "uuid",
                "text",
                "int4",
                "int8",
                "timestamptz",
                "timestamptz",
                "timestamptz",
                "text",
            ),
            (
                (
                    c.case_id,
                    c.payment_id,
                    c.customer_id,
                    c.status.value,
                    c.matcher_version,
                    c.catalogue_version,
                    c.opened_at,
                    c.decide_by,
                    c.ended_at,
                    _encode(c).decode(),
                )
                for c in cases
            ),
        )


def _update_cases(tx: Connection, cases: Sequence[Case]) -> None:
    if cases:
        execute(
            tx,
            """UPDATE cases c SET status = v.status, matcher_version = v.matcher_version,
                      catalogue_version = v.catalogue_version, opened_at = v.opened_at, decide_by = v.decide_by,
                      ended_at = v.ended_at, body = v.body
                 FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
                             %s::timestamptz[], %s::text[])
                      AS v (case_id, status, matcher_version, catalogue_version, opened_at, decide_by, ended_at, body)
                WHERE c.case_id = v.case_id""",
            (
                [c.case_id for c in cases],
                [c.status.value for c in cases],
                [c.matcher_version for c in cases],
                [c.catalogue_version for c in cases],
                [c.opened_at for c in cases],
                [c.decide_by for c in cases],
                [c.ended_at for c in cases],
                [_encode(c).decode() for c in cases],
            ),
        )


def save_acts(tx: Connection, acts: Iterable[Act]) -> None:
    if rows := [
        (
            act.case_id,
            act.number,
            act.kind.value,
            act.actor,
            act.acted_at,
            act.decision and act.decision.value,
            act.note,
            act.taken_from,
        )
        for act in acts
    ]:
        copy(
            tx,
            """COPY case_acts (case_id, number, kind, actor, acted_at, decision, note, taken_from)
               FROM STDIN (FORMAT BINARY)""",
            ("uuid", "int4", "text", "text", "timestamptz", "text", "text", "text"),
            rows,
        )


def save_blocked_property(tx: Connection, blocked: Iterable[BlockedProperty]) -> None:
    for found in sorted(blocked, key=lambda property_: property_.payment_id):
        execute(
            tx,
            """INSERT INTO blocked_property (payment_id, debtor_account_id, amount_minor, currency, transfer_id,
                                             blocked_at, report_due_on)
               VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
            msgspec.structs.astuple(found),
        )
