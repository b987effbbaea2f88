"""Documents by which customers say who they are, and the port behind which somebody checks them."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from libs.common.record import Record
from schemas.accounts.events import CustomerKind
from services.compliance.lists.identifiers import identifier_of

ASKED_AGAIN_AFTER = timedelta(seconds=30)
ASKED_AGAIN_MAX = timedelta(hours=1)


class DocumentKind(StrEnum):
    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    DRIVING_LICENCE = "driving_licence"
    REGISTER_EXTRACT = "register_extract"
    """Of a company."""


def is_of(kind: DocumentKind, customer: CustomerKind) -> bool:
    """Whether such a document says who a person is, or what a company is, as the customer is one."""
    return (kind is DocumentKind.REGISTER_EXTRACT) is (customer is CustomerKind.COMPANY)


class DocumentStatus(StrEnum):
    """How far a document has come."""

    PENDING = "pending"
    """Nobody has said yet: it proves nothing."""
    PASSED = "passed"
    REFUSED = "refused"


class RefusedBecause(StrEnum):
    """Why a document was not accepted."""

    EXPIRED = "expired"
    FORGED = "forged"
    NAME_DIFFERS = "name_differs"
    BIRTH_DATE_DIFFERS = "birth_date_differs"
    UNREADABLE = "unreadable"


class Document(Record, omit_defaults=True):
    """What is on a document."""

    kind: DocumentKind
    number: str
    country: str
    """Two letters, ISO 3166: who has issued it."""
    name: str
    birth_date: str | None = None
    expires_on: date | None = None

    @property
    def identifier(self) -> str | None:
        """Its number as it is compared with listed ones, or None if that could be anybody's."""
        return identifier_of(self.number)


class Checked(Record):
    """What whoever checks documents says about one."""

    refused_because: RefusedBecause | None = None
    """None: it is accepted."""
    reference: str
    """Under which the check is known there."""


class Unavailable(Exception):
    """Nobody could say anything about a document now: it is to be asked about again."""


class DocumentChecks(Protocol):
    """Whoever checks documents."""

    def check(self, document: Document, customer_name: str, birth_date: str | None, *, on: date, asked: int) -> Checked:
        """Say whether a document is genuine and is this customer's. `asked`: how often it was asked about before.

        Raises Unavailable.
        """
        ...


class HandedDocument(Record, omit_defaults=True):
    """A document that was handed in, and what became of it."""

    document_id: str
    document: Document
    handed_by: str
    handed_at: datetime
    status: DocumentStatus = DocumentStatus.PENDING
    refused_because: RefusedBecause | None = None
    reference: str = ""
    asked: int = 0
    """How often somebody was asked about it in vain."""
    ask_at: datetime | None = None
    """When it is asked about next; None once there is an answer."""

    def proves(self, customer: CustomerKind, on: date) -> bool:
        """Whether it was accepted, is of such a customer, and has not expired."""
        expires_on = self.document.expires_on
        is_valid = expires_on is None or on <= expires_on
        return self.status is DocumentStatus.PASSED and is_of(self.document.kind, customer) and is_valid


def ask_again_at(asked: int, at: datetime) -> datetime:
    """When a document is asked about again after so many times in vain: each time twice as late, up to an hour."""
    times: int = 2 ** min(max(asked - 1, 0), 20)
    return at + min(ASKED_AGAIN_AFTER * times, ASKED_AGAIN_MAX)
