"""What is known of property that is to be reported to OFAC: read-only SQL, and drafts made of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine

from libs.common import ids
from libs.common.database import array, fetch, transaction
from libs.common.record import Record, replace
from schemas.compliance.events import PartyRole
from schemas.payments.events import EncryptedPersonalData, PaymentOrder
from services.compliance import queries
from services.compliance.domain.business_days import OFFSET, day_of, report_due_on
from services.compliance.domain.case import SCREENING_REASONS, Case
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.customers import customer_case_id
from services.compliance.domain.work import ScreenedRole
from services.compliance.filings.filing import Filing
from services.compliance.filings.property import (
    AUTHORITY_UNKNOWN,
    ITEMS_MAX,
    OWNER_UNKNOWN,
    PARTIES_ENCRYPTED,
    PropertyItem,
    PropertyKind,
    PropertyReport,
    held_on,
)
from services.compliance.store import customers
from services.compliance.store.screenings import roles_of

REJECTED_MAX = 100
"""Transfers still to be reported that are shown, those due first."""

_decode_filing = msgspec.json.Decoder(Filing).decode
_decode_case = msgspec.json.Decoder(Case).decode
_COLUMNS = """b.payment_id, b.amount_minor, b.currency, b.transfer_id, b.blocked_at, s.roles, c.body
                FROM blocked_property b LEFT JOIN screenings s ON s.payment_id = b.payment_id
                LEFT JOIN customers c ON c.customer_id = b.customer_id"""


class BlockedRow(Record):
    """Money in blocked funds, and whose it is as far as screening said so."""

    payment_id: str
    """The payment; the transfer, if it was a customer's own."""
    is_customers: bool
    """Whether it was a customer's own, and no payment's."""
    case_id: str | None
    """If people were asked about the payment, or the customer."""
    screened: tuple[ScreenedRole, ...]
    """The parties on which screening had something to say; the customer, if it is its own."""
    debtor_account_id: str
    amount_minor: int
    currency: str
    blocked_at: datetime
    report_due_on: date


class RejectedTransfer(Record):
    """A transfer that is still to be reported."""

    case_id: str
    payment_id: str
    parties: str
    amount_minor: int
    currency: str
    rejected_at: datetime
    due_on: date


class Draft(Record):
    """A report that is not kept yet."""

    case_id: str
    """What it is about: the payment's case, whether or not anybody was asked, or a year."""
    since: date
    """The day that the deadline goes by."""
    report: PropertyReport


def list_blocked_property(engine: Engine, *, cursor: tuple[date, str] | None, limit: int) -> list[BlockedRow]:
    """Blocked property by the day its report is due."""
    after = "WHERE (b.report_due_on, b.payment_id) > (%s, %s)" if cursor else ""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"""SELECT b.customer_id, b.debtor_account_id, b.report_due_on, {_COLUMNS} {after}
                 ORDER BY b.report_due_on, b.payment_id LIMIT %s""",
            (*(cursor or ()), limit + 1),
        )
        about = [customer_case_id(row[0]) if row[0] else payment_case_id(row[3]) for row in rows]
        known = fetch(tx, "SELECT case_id FROM cases WHERE case_id = ANY(%s) AND opened_at IS NOT NULL", (about,))
    cases = {case_id for (case_id,) in known}
    return [
        BlockedRow(
            payment_id=payment_id,
            is_customers=customer_id is not None,
            case_id=case_id if case_id in cases else None,
            screened=_roles_of(roles, customer),
            debtor_account_id=account_id,
            amount_minor=amount_minor,
            currency=currency,
            blocked_at=blocked_at,
            report_due_on=report_due_on,
        )
        for case_id, (customer_id, account_id, report_due_on, *property_) in zip(about, rows, strict=True)
        for payment_id, amount_minor, currency, _, blocked_at, roles, customer in (property_,)
    ]


def draft_blocked(engine: Engine, payment_id: str) -> Draft | None:
    """A report on what was blocked of a payment."""
    with transaction(engine) as tx:
        rows = fetch(tx, f"SELECT {_COLUMNS} WHERE b.payment_id = %s", (payment_id,))
    if not rows:
        return None
    item = _item(rows[0])
    report = PropertyReport(kind=PropertyKind.BLOCKED, items=(item,))
    return Draft(case_id=payment_case_id(payment_id), since=item.on, report=report)


def draft_annual(engine: Engine, year: int) -> Draft | None:
    """A report on all that was held on June 30 of a year: what was blocked by then: from there money goes nowhere."""
    end = datetime.combine(held_on(year) + timedelta(days=1), datetime.min.time(), UTC) - OFFSET
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT {_COLUMNS} WHERE b.blocked_at < %s ORDER BY b.blocked_at, b.payment_id LIMIT %s",
            (end, ITEMS_MAX + 1),
        )
    if not rows or end > datetime.now(UTC):
        return None
    items = tuple(map(_item, rows))
    # What officers have found out for the report on each is not asked of them again.
    known = reports_on(engine, [item.payment_id for item in items])
    items = tuple(_as_reported(item, known.get(item.payment_id)) for item in items)
    report = PropertyReport(kind=PropertyKind.ANNUAL, items=items, year=year)
    return Draft(case_id=annual_id(year), since=held_on(year), report=report)


def draft_rejected(engine: Engine, payment_id: str) -> Draft | None:
    """A report on a payment that two people have refused for what screening says, where nothing was blocked; a second
    look refuses nothing.
    """
    case = queries.find_case(engine, payment_case_id(payment_id))
    if case is None or not case.is_rejected_transfer:
        return None
    assert case.payment is not None and case.refused_at is not None
    with transaction(engine) as tx:
        if fetch(tx, "SELECT 1 FROM blocked_property WHERE payment_id = %s", (payment_id,)):
            return None
        roles = _roles(tx, payment_id)
    order = case.payment.order
    item = PropertyItem(
        payment_id=payment_id,
        on=day_of(case.refused_at),
        amount_minor=order.amount_minor,
        currency=order.currency,
        owner=_parties(order),
        authority=_authority(roles),
        location="returned: nothing is held",
        description="transfer of funds, rejected",
    )
    report = PropertyReport(kind=PropertyKind.REJECTED, items=(item,))
    return Draft(case_id=case.case_id, since=item.on, report=report)


def list_rejected(engine: Engine) -> list[RejectedTransfer]:
    """Transfers that were refused for what screening says, and on which nobody has begun a report, nor decided that
    there is none; those due first, at most REJECTED_MAX.
    """
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT c.body FROM cases c
                WHERE c.payment_id IS NOT NULL AND c.body::json ->> 'refused_at' IS NOT NULL AND c.reasons && %s
                  AND NOT EXISTS (SELECT FROM filings f WHERE f.case_id = c.case_id AND f.kind = 'rejected')
                  AND NOT EXISTS (SELECT FROM blocked_property b WHERE b.payment_id = c.payment_id)
                ORDER BY c.body::json ->> 'refused_at', c.case_id LIMIT %s""",
            (list(SCREENING_REASONS), REJECTED_MAX),
        )
    return [_rejected(_decode_case(body)) for (body,) in rows]


def _rejected(case: Case) -> RejectedTransfer:
    assert case.payment is not None and case.payment_id is not None and case.refused_at is not None
    order = case.payment.order
    return RejectedTransfer(
        case_id=case.case_id,
        payment_id=case.payment_id,
        parties=_parties(order),
        amount_minor=order.amount_minor,
        currency=order.currency,
        rejected_at=case.refused_at,
        due_on=report_due_on(case.refused_at),
    )


def reports_on(engine: Engine, payment_ids: Sequence[str]) -> Mapping[str, Filing]:
    """The reports on what was blocked of some payments, by payment."""
    wanted = {payment_case_id(payment_id): payment_id for payment_id in payment_ids}
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT case_id, body FROM filings
                WHERE case_id = ANY(%b::uuid[]) AND kind = 'blocked' AND status <> 'withdrawn'""",
            (array("uuid", wanted),),
        )
    return {wanted[case_id]: _decode_filing(body) for case_id, body in rows}


def _as_reported(item: PropertyItem, filing: Filing | None) -> PropertyItem:
    if filing is None or filing.ofac is None:
        return item
    (told,) = filing.ofac.items
    return replace(
        item, owner=told.owner, authority=told.authority, location=told.location, description=told.description
    )


def annual_id(year: int) -> str:
    """What the report of a year is about."""
    return ids.named("compliance", "property held", str(year))


def is_annual_missing(engine: Engine, year: int) -> bool:
    """Whether something was held on June 30 of a year, and nobody has begun its report."""
    with transaction(engine) as tx:
        known = fetch(
            tx, "SELECT 1 FROM filings WHERE case_id = %s AND status <> 'withdrawn' LIMIT 1", (annual_id(year),)
        )
    return not known and draft_annual(engine, year) is not None


def _roles(tx: Connection, payment_id: str) -> tuple[ScreenedRole, ...]:
    rows = fetch(tx, "SELECT roles FROM screenings WHERE payment_id = %s", (payment_id,))
    return roles_of(rows[0][0]) if rows else ()


def _item(row: tuple[str, int, str, str, datetime, str | None, str | None]) -> PropertyItem:
    payment_id, amount_minor, currency, transfer_id, blocked_at, stored, customer = row
    roles = _roles_of(stored, customer)
    return PropertyItem(
        payment_id=payment_id,
        on=day_of(blocked_at),
        amount_minor=amount_minor,
        currency=currency,
        owner=_owners(roles) or OWNER_UNKNOWN,
        authority=_authority(roles),
        location=f"blocked funds, transfer {transfer_id}",
        description="funds of a payment, blocked" if customer is None else "balance of a customer's account, blocked",
    )


def _roles_of(stored: str | None, customer: str | None) -> tuple[ScreenedRole, ...]:
    """What screening said of a payment's parties; or of the customer whose own it is, as of one who pays."""
    if customer is None:
        return roles_of(stored)
    known = customers.decode(customer)
    return (ScreenedRole(role=PartyRole.DEBTOR, subject=known.subject, verdict=known.verdict),)


def _owners(roles: tuple[ScreenedRole, ...]) -> str:
    found = [
        f"{role.subject.name if role.subject else 'encrypted'} ({hit.list_name} {hit.entity_id}: {hit.listed_name})"
        for role in roles
        for hit in role.verdict.hits[:1]
    ]
    return "; ".join(found)


def _authority(roles: tuple[ScreenedRole, ...]) -> str:
    programmes = [hit.listed.programme for role in roles for hit in role.verdict.hits[:1] if hit.listed.programme]
    return "; ".join(dict.fromkeys(programmes)) or AUTHORITY_UNKNOWN


def _parties(order: PaymentOrder) -> str:
    if isinstance(order.personal, EncryptedPersonalData):
        return PARTIES_ENCRYPTED
    return f"{order.personal.debtor.name} to {order.personal.creditor.name}"
