"""Cases, what was done with them, and property that was blocked: locked and loaded, and how they become rows."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.writes import Table, lock_rows
from services.compliance.domain.alike import likeness_of
from services.compliance.domain.case import Act, Case
from services.compliance.domain.people import Role, is_up_to
from services.compliance.domain.priority import due_at, priority_of
from services.compliance.domain.searching import gained_words
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
        "priority": "smallint",
        "due_at": "timestamptz",
        "clock_from": "timestamptz",
        "snoozed_until": "timestamptz",
        "taken_by": "text",
        "escalated_to": "text",
        "is_second_look": "boolean",
        "reasons": "text[]",
        "likeness": "text",
        "body": "text",
    },
)
FILES = Table("case_files", key={"case_id": "uuid", "number": "integer"}, fixed={"content": "bytea"})
WORDS = Table("case_words", key={"word": "text", "case_id": "uuid"}, on_conflict="DO NOTHING")
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
        "customer_id": "uuid",
    },
    on_conflict="DO NOTHING",
)

LOOKS_MAX = 3

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


def find_payments(tx: Connection, case_ids: set[str]) -> set[str]:
    """The payments that some cases are about: that of a case never changes."""
    if not case_ids:
        return set()
    rows = fetch(
        tx,
        "SELECT payment_id FROM cases WHERE case_id = ANY(%b::uuid[]) AND payment_id IS NOT NULL",
        (array("uuid", case_ids),),
    )
    return {payment_id for (payment_id,) in rows}


def find_outdated_payments(tx: Connection, versions: tuple[int, int], at_most: int) -> list[str]:
    """The payments that wait for people and were not looked at since with this matcher and these lists.

    None that was not screened at all: its first answer is still to come, and may rest on lists that are no longer live.
    """
    rows = fetch(
        tx,
        """SELECT payment_id FROM cases
            WHERE payment_id IS NOT NULL AND opened_at IS NOT NULL AND status IN ('open', 'taken', 'proposed')
              AND NOT is_second_look AND (matcher_version, catalogue_version) < (%s, %s)
              AND EXISTS (SELECT FROM screenings WHERE screenings.payment_id = cases.payment_id)
            ORDER BY matcher_version, catalogue_version, case_id LIMIT %s""",
        (*versions, at_most),
    )
    return [payment_id for (payment_id,) in rows]


def lock_offered(tx: Connection, roles: set[Role], at_most: int) -> dict[str, Case]:
    """The most urgent cases that nobody has, so many of them for each of some roles, locked; in their order.

    Never waits: what another transaction is about to hand out is that one's. Whoever finds that a case has been taken
    since it looked, looks once more.
    """
    offered: dict[str, Case] = {}
    for role in sorted(roles):
        offered |= _lock_offered(tx, [other.value for other in Role if is_up_to(role, other)], at_most)
    return dict(sorted(offered.items(), key=lambda item: (priority_of(item[1]), due_at(item[1]), item[0])))


def _lock_offered(tx: Connection, roles: list[str], at_most: int) -> dict[str, Case]:
    for _ in range(LOOKS_MAX):
        rows = fetch(
            tx,
            """SELECT case_id, body FROM cases
                WHERE opened_at IS NOT NULL AND status = 'open' AND (escalated_to IS NULL OR escalated_to = ANY(%s))
                ORDER BY priority, due_at, case_id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED""",
            (roles, at_most),
        )
        if len(rows) == at_most:
            break
    return {case_id: _decode(body) for case_id, body in rows}


def find_snoozed(tx: Connection, now: datetime, at_most: int) -> list[str]:
    """Cases that are to come back by now."""
    rows = fetch(
        tx,
        "SELECT case_id FROM cases WHERE snoozed_until <= %s ORDER BY snoozed_until LIMIT %s",
        (now, at_most),
    )
    return [case_id for (case_id,) in rows]


def word_rows(before: Case | None, after: Case) -> list[tuple[str, str]]:
    """The rows of WORDS that a case has gained."""
    return [(word, after.case_id) for word in gained_words(before, after)]


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
        priority_of(case).value if case.opened_at else None,
        due_at(case),
        case.clock_from,
        case.snoozed_until,
        case.taken_by,
        case.escalated_to and case.escalated_to.value,
        case.is_second_look,
        f"{{{','.join(case.reasons)}}}",
        likeness_of(case),
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
        found.customer_id,
    )
