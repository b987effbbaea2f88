"""Cases, what was done with them, and property that was blocked: locked and loaded, and how they become rows."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.writes import Table, lock_rows
from services.compliance.domain.case import Act, Case
from services.compliance.domain.work import BlockedProperty

CASES = Table(
    "cases",
    key={"case_id": "uuid"},
    fixed={"payment_id": "uuid", "customer_id": "uuid"},
    changing={
        "status": "text",
        "matcher_version": "integer",
        "catalogue_version": "bigint",
        "opened_at": "timestamptz",
        "decide_by": "timestamptz",
        "ended_at": "timestamptz",
        "body": "text",
    },
)
ACTS = Table(
    "case_acts",
    key={"case_id": "uuid", "number": "integer"},
    fixed={
        "kind": "text",
        "actor": "text",
        "acted_at": "timestamptz",
        "decision": "text",
        "note": "text",
        "taken_from": "text",
    },
)
BLOCKED_PROPERTY = Table(
    "blocked_property",
    key={"payment_id": "uuid"},
    fixed={
        "debtor_account_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "transfer_id": "uuid",
        "blocked_at": "timestamptz",
        "report_due_on": "date",
    },
    on_conflict="DO NOTHING",
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Case).decode


def lock_cases(tx: Connection, case_ids: set[str]) -> dict[str, Case]:
    rows = lock_rows(tx, CASES, case_ids, "case_id, body")
    return {case_id: _decode(body) for case_id, body in rows}


def find_customers(tx: Connection, case_ids: set[str]) -> set[str]:
    """The customers that some cases are about: that of a case never changes."""
    if not case_ids:
        return set()
    rows = fetch(
        tx,
        "SELECT customer_id FROM cases WHERE case_id = ANY(%b::uuid[]) AND customer_id IS NOT NULL",
        (array("uuid", case_ids),),
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


def case_row(case: Case) -> tuple[Any, ...]:
    """A row of CASES."""
    return (
        case.case_id,
        case.payment_id,
        case.customer_id,
        case.status.value,
        case.matcher_version,
        case.catalogue_version,
        case.opened_at,
        case.decide_by,
        case.ended_at,
        _encode(case).decode(),
    )


def act_row(act: Act) -> tuple[Any, ...]:
    """A row of ACTS."""
    return (
        act.case_id,
        act.number,
        act.kind.value,
        act.actor,
        act.acted_at,
        act.decision and act.decision.value,
        act.note,
        act.taken_from,
    )


def blocked_property_row(found: BlockedProperty) -> tuple[Any, ...]:
    """A row of BLOCKED_PROPERTY."""
    return (
        found.payment_id,
        found.debtor_account_id,
        found.amount_minor,
        found.currency,
        found.transfer_id,
        found.blocked_at,
        found.report_due_on.isoformat(),
    )
