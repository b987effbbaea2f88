"""What people and programs ask about customers: read-only SQL, and the shapes of the answers."""

from typing import Any

from sqlalchemy import Engine

from libs.common.database import fetch, transaction
from libs.common.record import Record
from services.compliance.domain.work import Customer, Policy
from services.compliance.store.customers import decode

CASES_SHOWN_MAX = 50


class CustomerCase(Record):
    """A case about a customer, or about one of its payments."""

    case_id: str
    status: str
    reasons: tuple[str, ...]
    opened_at: Any


def find_customer(engine: Engine, customer_id: str) -> Customer | None:
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM customers WHERE customer_id = %s", (customer_id,))
    return decode(rows[0][0]) if rows else None


def list_customer_cases(engine: Engine, customer_id: str) -> list[CustomerCase]:
    """Its cases, the newest first."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT case_id, status, reasons, opened_at FROM cases
                WHERE case_id IN (SELECT case_id FROM case_words WHERE word = %s) AND opened_at IS NOT NULL
                ORDER BY opened_at DESC, case_id LIMIT %s""",
            (customer_id, CASES_SHOWN_MAX),
        )
    return [
        CustomerCase(case_id=case_id, status=status, reasons=tuple(reasons), opened_at=opened_at)
        for case_id, status, reasons, opened_at in rows
    ]


def customer_view(customer: Customer, policy: Policy) -> dict[str, Any]:
    """How far a customer is known, without what is on its document."""
    rating, handed = customer.rating, customer.document
    return {
        "customer_id": customer.customer_id,
        "kind": customer.kind,
        "status": customer.status,
        "tier": customer.tier,
        "rating": rating
        and {
            "level": rating.level,
            "points": rating.points,
            "factors": [{"factor": factor, "points": policy.risk.weights[factor]} for factor in rating.factors],
        },
        "review_on": customer.review_on,
        "document": handed
        and {
            "document_id": handed.document_id,
            "kind": handed.document.kind,
            "country": handed.document.country,
            "expires_on": handed.document.expires_on,
            "status": handed.status,
            "refused_because": handed.refused_because,
            "reference": handed.reference or None,
            "asked": handed.asked,
            "handed_by": handed.handed_by,
            "handed_at": handed.handed_at,
        },
    }
