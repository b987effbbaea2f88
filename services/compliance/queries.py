"""What people and programs ask about compliance: read-only SQL, and the shapes of the answers."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common import ids
from libs.common.database import fetch, transaction
from libs.common.fields import YEAR_MAX, YEAR_MIN
from libs.common.record import Record
from services.compliance.domain.case import Act, ActKind, Case, CaseStatus
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.work import ScreenedRole, Screening
from services.compliance.store.screenings import roles_of, screening_of

PAGE_LENGTH = 25
COUNTED_MAX = 1_000
USERS_MAX = 1_000

_decode_case = msgspec.json.Decoder(Case).decode


class Queue(StrEnum):
    """What of all cases is shown."""

    OPEN = "open"
    """Waiting for someone to propose a decision."""
    PROPOSED = "proposed"
    """Waiting for a second person."""
    CLOSED = "closed"
    """Decided, or settled by itself."""


class Page(Record):
    """Some cases, and where to go on."""

    cases: tuple[Case, ...]
    next_cursor: str | None


class BlockedRow(Record):
    """Money in blocked funds, and whose it is as far as screening said so."""

    payment_id: str
    case_id: str | None
    """If people were asked about the payment."""
    screened: tuple[ScreenedRole, ...]
    """The parties on which screening had something to say."""
    debtor_account_id: str
    amount_minor: int
    currency: str
    blocked_at: datetime
    report_due_on: date


_STATUSES = {
    Queue.OPEN: [CaseStatus.OPEN.value, CaseStatus.TAKEN.value],
    Queue.PROPOSED: [CaseStatus.PROPOSED.value],
    Queue.CLOSED: [CaseStatus.RESOLVED.value, CaseStatus.CLOSED.value],
}


def list_lists(engine: Engine) -> list[dict[str, Any]]:
    """The live version of every list."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT list_name, import_id, format, source, content_hash, dated_on, party_count, name_count,
                      imported_by, imported_at
                 FROM list_imports WHERE is_live ORDER BY list_name""",
        )
    return [
        {
            "list_name": list_name,
            "version": import_id,
            "format": list_format,
            "source": source,
            "sha256": content_hash,
            "dated_on": dated_on,
            "parties": party_count,
            "names": name_count,
            "imported_by": imported_by,
            "imported_at": imported_at,
        }
        for (
            list_name,
            import_id,
            list_format,
            source,
            content_hash,
            dated_on,
            party_count,
            name_count,
            imported_by,
            imported_at,
        ) in rows
    ]


def list_users(engine: Engine) -> list[dict[str, Any]]:
    """Everybody who may sign in at the desk, and then those who may no more."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT username, role, created_at, disabled_at,
                      (SELECT max(seen_at) FROM desk_sessions s WHERE s.username = u.username)
                 FROM desk_users u ORDER BY disabled_at IS NOT NULL, username LIMIT %s""",
            (USERS_MAX,),
        )
    return [
        {"username": username, "role": role, "created_at": created_at, "disabled_at": disabled_at, "seen_at": seen_at}
        for username, role, created_at, disabled_at, seen_at in rows
    ]


def list_cases(engine: Engine, queue: Queue, *, cursor: tuple[datetime, str] | None, limit: int = PAGE_LENGTH) -> Page:
    """A page of cases: those that wait by their deadline, those that have ended the latest first."""
    column, direction, beyond = ("ended_at", "DESC", "<") if queue is Queue.CLOSED else ("decide_by", "ASC", ">")
    after = f"AND ({column}, case_id) {beyond} (%s, %s)" if cursor else ""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT body, {column}, case_id FROM cases
                 WHERE opened_at IS NOT NULL AND status = ANY(%s) {after}
                 ORDER BY {column} {direction}, case_id {direction} LIMIT %s""",
            (_STATUSES[queue], *(cursor or ()), limit + 1),
        )
    cases = tuple(_decode_case(body) for body, _, _ in rows[:limit])
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(cases=cases, next_cursor=f"{last[1].isoformat()}_{last[2]}" if last else None)


def parse_cursor(text: str) -> tuple[datetime, str] | None:
    """Where a page goes on, from what the page before it said; None if that is no such thing."""
    at, _, case_id = text.rpartition("_")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    is_ours = ids.is_id(case_id) and moment.tzinfo is not None and YEAR_MIN <= moment.year <= YEAR_MAX
    return (moment, case_id) if is_ours else None


def parse_blocked_cursor(text: str) -> tuple[date, str] | None:
    """The same for blocked property."""
    due, _, payment_id = text.partition("_")
    try:
        return (date.fromisoformat(due), payment_id) if ids.is_id(payment_id) else None
    except ValueError:
        return None


def count_cases(engine: Engine) -> dict[Queue, int]:
    """How many cases wait, as far as it is worth counting: COUNTED_MAX stands for as many or more."""
    with transaction(engine) as tx:
        return {queue: _count_cases(tx, queue) for queue in (Queue.OPEN, Queue.PROPOSED)}


def _count_cases(tx: Connection, queue: Queue) -> int:
    ((count,),) = fetch(
        tx,
        """SELECT count(*) FROM (
             SELECT FROM cases WHERE opened_at IS NOT NULL AND status = ANY(%s) LIMIT %s) AS waiting""",
        (_STATUSES[queue], COUNTED_MAX),
    )
    return int(count)


def find_case(engine: Engine, case_id: str) -> Case | None:
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM cases WHERE case_id = %s AND opened_at IS NOT NULL", (case_id,))
    return _decode_case(rows[0][0]) if rows else None


def list_acts(engine: Engine, case_id: str) -> list[Act]:
    """What was done with a case, in order."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT case_id, number, kind, actor, acted_at, decision, note, taken_from FROM case_acts
                WHERE case_id = %s ORDER BY number""",
            (case_id,),
        )
    return [
        msgspec.convert(
            {
                "case_id": id_,
                "number": number,
                "kind": ActKind(kind),
                "actor": actor,
                "acted_at": acted_at,
                "decision": decision,
                "note": note,
                "taken_from": taken_from,
            },
            Act,
        )
        for id_, number, kind, actor, acted_at, decision, note, taken_from in rows
    ]


def find_screening(engine: Engine, payment_id: str) -> Screening | None:
    """What was answered about a payment, with the entries of the lists it was likened to."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT payment_id, debtor_account_id, outcome, roles, lists_version, screened_at, sequence
                 FROM screenings WHERE payment_id = %s""",
            (payment_id,),
        )
    return screening_of(rows[0]) if rows else None


def list_blocked_property(engine: Engine, *, cursor: tuple[date, str] | None, limit: int) -> list[BlockedRow]:
    """Blocked property by the day its report is due."""
    after = "WHERE (report_due_on, payment_id) > (%s, %s)" if cursor else ""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT payment_id, debtor_account_id, amount_minor, currency, blocked_at, report_due_on
                  FROM blocked_property {after} ORDER BY report_due_on, payment_id LIMIT %s""",
            (*(cursor or ()), limit + 1),
        )
        case_ids = {payment_case_id(row[0]) for row in rows}
        known = fetch(
            tx, "SELECT case_id FROM cases WHERE case_id = ANY(%s) AND opened_at IS NOT NULL", (list(case_ids),)
        )
        screened = fetch(
            tx, "SELECT payment_id, roles FROM screenings WHERE payment_id = ANY(%s)", ([row[0] for row in rows],)
        )
    cases, roles = {case_id for (case_id,) in known}, {payment_id: roles_of(stored) for payment_id, stored in screened}
    return [
        BlockedRow(
            payment_id=payment_id,
            case_id=case_id if (case_id := payment_case_id(payment_id)) in cases else None,
            screened=roles.get(payment_id, ()),
            debtor_account_id=debtor_account_id,
            amount_minor=amount_minor,
            currency=currency,
            blocked_at=blocked_at,
            report_due_on=report_due_on,
        )
        for payment_id, debtor_account_id, amount_minor, currency, blocked_at, report_due_on in rows
    ]
