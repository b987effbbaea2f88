"""Knowing customers: rated when they register and whenever more is known, proven by documents, looked at again. Pure.

    registered ─► rated ─► tier 1 or 2      document ─► pending ─► asked about by the worker ─► passed: tier 3
                    │                                                     └─► refused: people look
                    └─► review_on ─► people look at the customer again, who is served meanwhile

A document about which nobody has said anything proves nothing; it is asked about until somebody does.
By the number of one that is accepted a customer is looked for on the lists from then on, besides its name.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.accounts.events import AccountOpened
from schemas.compliance.events import CustomerVerified
from services.compliance.diligence.documents import (
    Checked,
    Document,
    DocumentStatus,
    HandedDocument,
    ask_again_at,
    is_of,
)
from services.compliance.domain import customers
from services.compliance.domain.acts import DeskCommand, put_down
from services.compliance.domain.audit import CLIENT, AuditVerb, ObjectKind, Signature
from services.compliance.domain.business_days import day_of
from services.compliance.domain.case import SYSTEM, CaseReason
from services.compliance.domain.work import Customer, CustomerStatus, Work

CURRENCIES_MAX = 200
ACCOUNTS_MAX = 99
"""As many as a report may name."""
NUMBERS_MAX = 100
"""A customer's official numbers that are looked for on the lists: none is given up for a newer one."""


class DiligenceRefusal(StrEnum):
    """Why a document is not taken, in order of precedence."""

    CUSTOMER_UNKNOWN = "customer_unknown"
    CUSTOMER_CLOSED = "customer_closed"
    KIND_WRONG = "kind_wrong"
    DOCUMENT_PENDING = "document_pending"
    TOO_MANY_DOCUMENTS = "too_many_documents"


_IN_WORDS = {
    DiligenceRefusal.CUSTOMER_UNKNOWN: "there is no such customer",
    DiligenceRefusal.CUSTOMER_CLOSED: "the customer is served no more",
    DiligenceRefusal.KIND_WRONG: "a company is proven by an extract of its register, anybody else by no such extract",
    DiligenceRefusal.DOCUMENT_PENDING: "a document of this customer is being checked",
    DiligenceRefusal.TOO_MANY_DOCUMENTS: f"documents with {NUMBERS_MAX} numbers of this customer have been accepted",
}


class TakeDocument(Command):
    """A program hands in what is on a customer's document."""

    customer_id: str
    document_id: str
    document: Document
    by: str


class HandInDocument(DeskCommand):
    """A person at the desk does."""

    customer_id: str
    document_id: str
    document: Document


class RecordCheck(Command):
    """What was said about a document; None: nothing could be."""

    customer_id: str
    document_id: str
    checked: Checked | None


class RateCustomer(Command):
    """The customer was never rated, or by lists of countries that are not those of today."""

    customer_id: str


class ReviewCustomer(Command):
    """It is time to look at the customer again."""

    customer_id: str


def take_document(work: Work, command: TakeDocument, at: datetime) -> Sequence[Event] | Refusal:
    """Have a document checked; the one before counts no more. In the audit log without what is on it."""
    result = _handed_in(work, command.customer_id, command.document_id, command.document, command.by, at)
    if not isinstance(result, Refusal):
        details, by = "; ".join(_said_of(command.document)), Signature(actor=command.by, role=CLIENT)
        verb, kind = AuditVerb.DOCUMENT_HANDED_IN, ObjectKind.CUSTOMER
        work.audit.append(by.happening(at, verb, kind, command.customer_id, details))
    return result


def hand_in(work: Work, command: HandInDocument, at: datetime) -> Sequence[Event] | Refusal:
    """The same, by a person."""
    result = _handed_in(work, command.customer_id, command.document_id, command.document, command.actor, at)
    if not isinstance(result, Refusal):
        said = _said_of(command.document)
        put_down(work, command, at, AuditVerb.DOCUMENT_HANDED_IN, ObjectKind.CUSTOMER, command.customer_id, said)
    return result


def _said_of(document: Document) -> tuple[str, str]:
    return document.kind.value, document.country


def record_check(work: Work, command: RecordCheck, at: datetime) -> Sequence[Event]:
    """Take in what was said about a document; if nothing, it is asked about again."""
    customer = work.customers.get(command.customer_id)
    handed = customer.document if customer is not None else None
    if customer is None or handed is None or handed.document_id != command.document_id or handed.ask_at is None:
        return []
    if command.checked is None:
        asked = handed.asked + 1
        waiting = replace(handed, asked=asked, ask_at=ask_again_at(asked, at))
        work.customers.put(customer.customer_id, replace(customer, document=waiting))
        return []
    because, numbers = command.checked.refused_because, customers.numbers_of(customer)
    answered = replace(
        handed,
        status=DocumentStatus.PASSED if because is None else DocumentStatus.REFUSED,
        refused_because=because,
        reference=command.checked.reference,
        ask_at=None,
    )
    customer = replace(customer, document=answered)
    if customers.numbers_of(customer) != numbers:
        # Looked for first: the tier of somebody who is listed is told to nobody.
        work.customers.put(customer.customer_id, customer)
        events = customers.learn_number(work, customer, at)
        return [*events, *_rated_anew(work, work.customers[customer.customer_id], at)]
    events = _rated_anew(work, customer, at)
    if because is None or not customers.is_served(customer):
        return events
    return [*events, *customers.ask_people(work, work.customers[customer.customer_id], CaseReason.DOCUMENT_REFUSED, at)]


def learn_account(work: Work, event: AccountOpened, at: datetime) -> Sequence[Event]:
    """What a customer uses is part of its risk, and its accounts are named in reports about it."""
    customer = work.customers.get(event.customer_id)
    if customer is None:
        return []
    if event.account_id not in customer.account_ids and len(customer.account_ids) < ACCOUNTS_MAX:
        customer = replace(customer, account_ids=(*customer.account_ids, event.account_id))
        work.customers.put(customer.customer_id, customer)
    if event.currency in customer.currencies or len(customer.currencies) >= CURRENCIES_MAX:
        return []
    return _rated_anew(work, replace(customer, currencies=(*customer.currencies, event.currency)), at)


def rate_customer(work: Work, command: RateCustomer, at: datetime) -> Sequence[Event]:
    """Rate a customer by the lists of countries as they are today; what that changes is in the audit log."""
    customer = work.customers.get(command.customer_id)
    if customer is None or customer.status is CustomerStatus.CLOSED:
        return []
    edition, before = work.countries.edition(day_of(at)), customer.rating
    if before is not None and customer.rated_by is not None and customer.rated_by >= edition:
        return []
    # While people look at it there is no day: they set the next one.
    events = _rated_anew(work, customer, at, keeps_review=before is not None and customer.review_on is None)
    now = work.customers[customer.customer_id]
    if before is not None and now.rating is not None and now.rating != before:
        said = (
            f"{before.level.value} ({before.points}) is {now.rating.level.value} ({now.rating.points})",
            f"for {', '.join(now.rating.factors) or 'nothing'}",
            f"by the lists of countries of {edition.changed_on}, version {edition.version}",
            now.review_on and f"to be looked at again by {now.review_on}",
        )
        system = Signature(actor=SYSTEM, role="")
        details = "; ".join(part for part in said if part)
        work.audit.append(system.happening(at, AuditVerb.RATED, ObjectKind.CUSTOMER, customer.customer_id, details))
    return events


def review(work: Work, command: ReviewCustomer, at: datetime) -> Sequence[Event]:
    """Have people look at a customer again; it is served meanwhile. Approved, it has a new day."""
    customer = work.customers.get(command.customer_id)
    if customer is None or customer.review_on is None or customer.review_on > day_of(at):
        return []
    customer = replace(customer, review_on=None)
    events = _rated_anew(work, customer, at, keeps_review=True)
    if not customers.is_served(customer):
        # Whether it is served again people decide anyway.
        return events
    return [*events, *customers.ask_people(work, work.customers[customer.customer_id], CaseReason.REVIEW_DUE, at)]


def _handed_in(
    work: Work, customer_id: str, document_id: str, document: Document, by: str, at: datetime
) -> Sequence[Event] | Refusal:
    customer = work.customers.get(customer_id)
    if customer is None:
        return _refused(DiligenceRefusal.CUSTOMER_UNKNOWN)
    if customer.status is CustomerStatus.CLOSED:
        return _refused(DiligenceRefusal.CUSTOMER_CLOSED)
    if not is_of(document.kind, customer.kind):
        return _refused(DiligenceRefusal.KIND_WRONG, "kind")
    if customer.document is not None and customer.document.status is DocumentStatus.PENDING:
        return _refused(DiligenceRefusal.DOCUMENT_PENDING)
    numbers = customers.numbers_of(customer)
    if len(numbers) >= NUMBERS_MAX:
        return _refused(DiligenceRefusal.TOO_MANY_DOCUMENTS)
    handed = HandedDocument(document_id=document_id, document=document, handed_by=by, handed_at=at, ask_at=at)
    return _rated_anew(work, replace(customer, document=handed, numbers_before=numbers), at)


def _rated_anew(work: Work, customer: Customer, at: datetime, *, keeps_review: bool = False) -> Sequence[Event]:
    """Put a customer with the rating and the tier that what is known comes to; tell accounts of another tier."""
    before = customer.tier
    customer = customers.rated(work, customer, at, keeps_review=keeps_review)
    work.customers.put(customer.customer_id, customer)
    if customer.status is not CustomerStatus.VERIFIED or customer.tier == before:
        return []
    return [CustomerVerified(customer_id=customer.customer_id, tier=customer.tier, verified_at=at)]


def _refused(reason: DiligenceRefusal, field: str = "customer_id") -> Refusal:
    return Refusal(reason=reason, detail=_IN_WORDS[reason], field=field)
