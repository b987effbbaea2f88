"""What officers and auditors ask about reports to the authorities: read-only SQL, and the shapes of the answers."""

from datetime import date
from enum import StrEnum

import msgspec
from sqlalchemy import Connection, Engine

from libs.common import ids
from libs.common.database import array, fetch, transaction
from libs.common.record import Record
from services.compliance import monitoring_queries, network_queries
from services.compliance.domain.case import Case
from services.compliance.filings.drafts import Known
from services.compliance.filings.filing import Filing, FilingAct, FilingActKind
from services.compliance.queries import PAGE_LENGTH, parse_day_cursor
from services.compliance.store import screenings
from services.compliance.store.customers import decode as decode_customer

STANDING_MAX = 100
"""Reports on one case that are looked at."""


class FilingQueue(StrEnum):
    """What of all reports is shown."""

    OPEN = "open"
    """Drafts and approved ones, by their deadline."""
    REVIEW = "review"
    """Filed ones whose activity is to be looked at again, by when."""
    ENDED = "ended"
    """Filed or withdrawn, the latest first."""


class FilingPage(Record):
    """Some reports, and where to go on."""

    filings: tuple[Filing, ...]
    next_cursor: str | None


_FILINGS = {
    FilingQueue.OPEN: "status IN ('draft', 'approved') AND (due_on, filing_id) > (%s, %s) ORDER BY due_on, filing_id",
    FilingQueue.REVIEW: (
        "status = 'filed' AND review_on IS NOT NULL AND (review_on, filing_id) > (%s, %s) ORDER BY review_on, filing_id"
    ),
    FilingQueue.ENDED: (
        "status IN ('filed', 'withdrawn') AND (due_on, filing_id) < (%s, %s) ORDER BY due_on DESC, filing_id DESC"
    ),
}
_FIRST = (date(1, 1, 1), "00000000-0000-0000-0000-000000000000")
_LAST = (date(9999, 12, 31), "ffffffff-ffff-ffff-ffff-ffffffffffff")
_decode_filing = msgspec.json.Decoder(Filing).decode


def list_filings(engine: Engine, queue: FilingQueue, *, after: str | None) -> FilingPage:
    """A page of reports, the first one for a cursor that is none."""
    cursor = parse_day_cursor(after) if after else None
    if cursor is None:
        cursor = _LAST if queue is FilingQueue.ENDED else _FIRST
    with transaction(engine) as tx:
        rows = fetch(tx, f"SELECT body FROM filings WHERE {_FILINGS[queue]} LIMIT %s", (*cursor, PAGE_LENGTH + 1))
    found = [_decode_filing(body) for (body,) in rows]
    last = found[PAGE_LENGTH - 1] if len(found) > PAGE_LENGTH else None
    day_of_last = last and (last.review_on if queue is FilingQueue.REVIEW else last.due_on)
    return FilingPage(
        filings=tuple(found[:PAGE_LENGTH]), next_cursor=f"{day_of_last}_{last.filing_id}" if last else None
    )


def find_filing(engine: Engine, filing_id: str) -> Filing | None:
    """A report, if there is one."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM filings WHERE filing_id = %s", (filing_id,))
    return _decode_filing(rows[0][0]) if rows else None


def list_filing_acts(engine: Engine, filing_id: str) -> list[FilingAct]:
    """What was done with a report, in order."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT filing_id, number, kind, actor, acted_at, note FROM filing_acts
                WHERE filing_id = %s ORDER BY number DESC LIMIT 200""",
            (filing_id,),
        )
    return [
        FilingAct(filing_id=id_, number=number, kind=FilingActKind(kind), actor=actor, acted_at=at, note=note)
        for id_, number, kind, actor, at, note in reversed(rows)
    ]


def find_known(engine: Engine, case: Case, today: date, *, since: date | None = None) -> Known:
    """What a report on a case can begin with; `since`: of one that goes on, when the one before it ended."""
    alerts = tuple(monitoring_queries.list_alerts_to_report(engine, case, since))
    histories = network_queries.find_histories(engine, [case.customer_id]) if case.customer_id is not None else {}
    with transaction(engine) as tx:
        answered = screenings.find_screenings(tx, {id_ for alert in alerts for id_ in alert.payment_ids})
        customers = fetch(
            tx,
            "SELECT customer_id, body FROM customers WHERE customer_id = ANY(%b::uuid[])",
            (array("uuid", filter(ids.is_id, _customers_of(case))),),
        )
        standing = _find_standing(tx, case.case_id)
    return Known(
        case=case,
        customers={customer_id: decode_customer(body) for customer_id, body in customers},
        alerts=alerts,
        orders={id_: found.order for id_, found in answered.items() if found.order is not None},
        **({"history": histories[case.customer_id]} if case.customer_id is not None else {}),
        reported_days=frozenset(filing.ctr.transacted_on for filing in standing if filing.ctr is not None),
        today=today,
    )


def _customers_of(case: Case) -> set[str]:
    if case.payment is None:
        return {case.customer_id} if case.customer_id is not None else set()
    return {case.payment.order.debtor_customer_id, case.payment.order.creditor_customer_id}


def _find_standing(tx: Connection, case_id: str) -> list[Filing]:
    """The reports on a case that nobody withdrew, the newest."""
    rows = fetch(
        tx,
        """SELECT body FROM filings WHERE case_id = %s AND status <> 'withdrawn'
            ORDER BY filing_id DESC LIMIT %s""",
        (case_id, STANDING_MAX),
    )
    return [_decode_filing(body) for (body,) in rows]
