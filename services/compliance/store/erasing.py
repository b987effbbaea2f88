"""What compliance has of a customer who is erased, and which of its records the law has kept until then.

Cases, reports, blocked property, whitelisted pairs, records of the travel rule and what lists had to say about
payments stand in the way until `forget-records` has deleted them in their time (`retention.py`). What is left is
deleted, or blanked where ids stay.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.erasing import Eraser, Erasure, Whom
from libs.common.record import replace
from libs.common.writes import lock_rows, writing
from services.compliance.domain.audit import OPERATOR, AuditVerb, ObjectKind, Signature
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.customers import customer_case_id
from services.compliance.domain.whitelist import party_of
from services.compliance.list_changes import read_waiting_files
from services.compliance.matching.screening import CLEAR
from services.compliance.store import audit
from services.compliance.store.customers import CUSTOMERS, customer_row, decode

_CASES = """
    WITH ours AS (SELECT case_id, opened_at FROM cases WHERE customer_id = %s OR case_id = ANY(%b::uuid[]))
    SELECT (SELECT count(*) FROM ours WHERE opened_at IS NOT NULL)
         + (SELECT count(*) FROM filings
             WHERE case_id IN (SELECT case_id FROM ours) OR case_id = ANY(%b::uuid[]) OR case_id = ANY(%b::uuid[]))
         + (SELECT count(*) FROM whitelist_pairs
             WHERE (body::json ->> 'case_id')::uuid IN (SELECT case_id FROM ours UNION SELECT unnest(%b::uuid[]))
                OR party = (SELECT party FROM customers WHERE customer_id = %s))
         + (SELECT count(*) FROM blocked_property WHERE payment_id = ANY(%b::uuid[]) OR customer_id = %s)"""
"""One count: whoever erases is not to learn that there is a report (31 U.S.C. 5318(g)(2))."""
_KEPT_OF_PAYMENTS = {
    "records of the travel rule": "SELECT count(*) FROM travel_records WHERE payment_id = ANY(%b::uuid[])",
    "screenings that lists had something to say to": """
        SELECT count(*) FROM screenings WHERE payment_id = ANY(%b::uuid[]) AND roles IS NOT NULL""",
}


def obstacles(tx: Connection, whom: Whom, _: datetime) -> list[str]:
    """Whatever the law has kept still, and what waits for people."""
    payments = array("uuid", whom.payment_ids)
    counts = [("records of compliance", _count_cases(tx, whom))]
    counts += [(what, fetch(tx, statement, (payments,))[0][0]) for what, statement in _KEPT_OF_PAYMENTS.items()]
    kept = [
        f"{what} are kept: {count} (31 CFR 1010.430(d), 501.601; see `forget-records`)"
        for what, count in counts
        if count
    ]
    if waiting := _count_waiting(tx, whom):
        kept.append(f"files for the whitelist that name the customer wait: {waiting} (decide on them)")
    return kept


def _count_cases(tx: Connection, whom: Whom) -> int:
    """Cases, also of alerts, that people were asked about; reports on them and on property; pairs; property."""
    of_payments = array("uuid", whom.payment_ids)
    cases = array("uuid", [customer_case_id(whom.customer_id), *map(payment_case_id, whom.payment_ids)])
    ours, us = (whom.customer_id, cases), whom.customer_id
    ((count,),) = fetch(tx, _CASES, (*ours, cases, of_payments, cases, us, of_payments, us))
    return int(count)


def _count_waiting(tx: Connection, whom: Whom) -> int:
    """Files of pairs that nobody has decided on yet, in which the customer is a party."""
    ours = fetch(tx, "SELECT party::text FROM customers WHERE customer_id = %s", (whom.customer_id,))
    return sum(any((party_of(pair.subject),) in ours for pair in pairs) for pairs in read_waiting_files(tx))


def blank(tx: Connection, erasure: Erasure) -> Mapping[str, int]:
    """Whom the customer was screened as, with documents and what lists said; orders."""
    whom = erasure.whom
    rows = lock_rows(tx, CUSTOMERS, {whom.customer_id}, "customer_id, body")
    blanked = {"subject": None, "document": None, "numbers_before": (), "cleared_by_number": ()}
    customers = [replace(decode(body), **blanked, verdict=CLEAR, resembles=None) for _, body in rows]
    payment_ids = (array("uuid", whom.payment_ids),)
    counts = {
        "customers": len(customers),
        "screenings": execute(
            tx,
            """UPDATE screenings SET ordered = NULL, is_to_look_at = false, outsiders = NULL
                WHERE payment_id = ANY(%b::uuid[]) AND (ordered IS NOT NULL OR outsiders IS NOT NULL)""",
            payment_ids,
        ),
    }
    execute(tx, "DELETE FROM customer_words WHERE customer_id = %s", (whom.customer_id,))
    head = audit.lock_head(tx)
    signature = Signature(actor=erasure.actor, role=OPERATOR)
    happening = signature.happening(
        erasure.at, AuditVerb.CUSTOMER_ERASED, ObjectKind.CUSTOMER, whom.customer_id, erasure.reason
    )
    with writing(tx) as writes:
        writes.update(CUSTOMERS, map(customer_row, customers))
        audit.put(writes, head, [happening])
    return counts


ERASER = Eraser(obstacles=obstacles, blank=blank)
