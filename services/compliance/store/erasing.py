"""What compliance has of a customer who is erased, and which of its records the law has kept until then.

Cases, reports, blocked property, whitelisted pairs, records of the travel rule and what lists had to say about
payments stand in the way until `forget-records` has deleted them in their time (`retention.py`). What is left is
deleted, or blanked where ids stay.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.erasing import Eraser, Erasure, Whom
from libs.common.record import replace
from libs.common.writes import lock_rows, writing
from services.compliance.domain.audit import OPERATOR, AuditVerb, ObjectKind, Signature
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.customers import customer_case_id
from services.compliance.matching.screening import CLEAR
from services.compliance.store import audit
from services.compliance.store.customers import CUSTOMERS, customer_row, decode

_KEPT = {
    "cases": "SELECT count(*) FROM cases WHERE case_id = ANY(%b::uuid[])",
    "reports to the authorities": "SELECT count(*) FROM filings WHERE case_id = ANY(%b::uuid[])",
    "whitelisted pairs": """
        SELECT count(*) FROM whitelist_pairs WHERE (body::json ->> 'case_id')::uuid = ANY(%b::uuid[])""",
}
_KEPT_OF_PAYMENTS = {
    "records of the travel rule": "SELECT count(*) FROM travel_records WHERE payment_id = ANY(%b::uuid[])",
    "payments in blocked funds": "SELECT count(*) FROM blocked_property WHERE payment_id = ANY(%b::uuid[])",
    "reports on property": "SELECT count(*) FROM filings WHERE case_id = ANY(%b::uuid[])",
    "screenings that lists had something to say to": """
        SELECT count(*) FROM screenings WHERE payment_id = ANY(%b::uuid[]) AND roles IS NOT NULL""",
}


def obstacles(tx: Connection, whom: Whom, _: datetime) -> list[str]:
    """Whatever the law has kept still."""
    case_ids = [customer_case_id(whom.customer_id), *map(payment_case_id, whom.payment_ids)]
    found = [*_counted(tx, _KEPT, case_ids), *_counted(tx, _KEPT_OF_PAYMENTS, whom.payment_ids)]
    return [f"{what} are kept: {count} (31 CFR 1010.430(d), 501.601; see `forget-records`)" for what, count in found]


def _counted(tx: Connection, statements: Mapping[str, str], ids: Sequence[str]) -> list[tuple[str, int]]:
    counts = [(what, fetch(tx, statement, (array("uuid", ids),))[0][0]) for what, statement in statements.items()]
    return [(what, count) for what, count in counts if count]


def blank(tx: Connection, erasure: Erasure) -> Mapping[str, int]:
    """Whom the customer was screened as, with documents and what lists said; orders."""
    whom = erasure.whom
    rows = lock_rows(tx, CUSTOMERS, {whom.customer_id}, "customer_id, body")
    customers = [replace(decode(body), subject=None, document=None, verdict=CLEAR) for _, body in rows]
    payment_ids = (array("uuid", whom.payment_ids),)
    counts = {
        "customers": len(customers),
        "screenings": execute(
            tx,
            """UPDATE screenings SET ordered = NULL, is_to_look_at = false
                WHERE payment_id = ANY(%b::uuid[]) AND ordered IS NOT NULL""",
            payment_ids,
        ),
    }
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
