"""Reports to OFAC on property: blocked, rejected, and once a year all that is held. Pure.

    kind      about                                              due                      source (31 CFR)
    blocked   property that became blocked                       10 business days later   501.603(b)(1)
    rejected  a transfer rejected, with nothing to be blocked    10 business days later   501.604
    annual    all property held blocked as of June 30            September 30             501.603(b)(2)

What each must say is in 501.603(b)(1)(ii), 501.603(b)(2)(ii) and 501.604(b); the file has a row for each, to be entered
into OFAC's reporting system, or attached there.
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from libs.common.money import format_amount
from libs.common.record import Record
from services.compliance.filings import deadlines
from services.compliance.filings.efiling import Institution
from services.compliance.filings.faults import FilingFault

ITEMS_MAX = 20_000
TEXT_LENGTH_MAX = 1_000
TEXTS = ("owner", "authority", "location", "description")
OWNER_UNKNOWN = "unknown: say whose it is"
PARTIES_ENCRYPTED = "encrypted: say who"
AUTHORITY_UNKNOWN = "decided by people: say by which law"
PLACEHOLDERS = frozenset({OWNER_UNKNOWN, PARTIES_ENCRYPTED, AUTHORITY_UNKNOWN})
"""What a draft says where nothing is known: for a person to write over, and never filed."""
NAMED_MAX = 20
"""Of the fields that are still to be filled in, how many are named."""


class PropertyKind(StrEnum):
    """Which report."""

    BLOCKED = "blocked"
    REJECTED = "rejected"
    ANNUAL = "annual"


class PropertyItem(Record):
    """A piece of property, or a transfer that was rejected."""

    payment_id: str
    on: date
    """When it was blocked, or rejected."""
    amount_minor: int
    currency: str
    owner: str
    """Whose property it is, or who has an interest in it; of a rejected transfer, who took part in it."""
    authority: str
    """By which law: the programme of the sanctions list, or another one."""
    location: str
    """Where it is held."""
    description: str


class PropertyReport(Record):
    """What a report says, but for who files it and when."""

    kind: PropertyKind
    items: tuple[PropertyItem, ...]
    year: int | None = None
    """Of an annual one."""
    remarks: str = ""


COLUMNS = (
    *("report", "holder", "holder_address", "contact", "contact_phone", "filed_on", "payment", "date", "amount"),
    *("currency", "owner_or_party", "legal_authority", "location", "description", "remarks"),
)


def due_on(report: PropertyReport, since: date) -> date:
    """The last day for a report. `since`: when the property was blocked, or the transfer rejected."""
    if report.kind is PropertyKind.ANNUAL:
        assert report.year is not None
        return date(report.year, deadlines.ANNUAL_REPORT_MONTH, deadlines.ANNUAL_REPORT_DAY)
    return deadlines.blocked_report_due_on(since)


def held_on(year: int) -> date:
    """The day as of which an annual report is made."""
    return date(year, 6, 30)


def write_property(report: PropertyReport, institution: Institution, filed_on: date) -> bytes:
    """The report as CSV in UTF-8. Raises FilingFault, which names what is missing or too long."""
    _require_sound(report, filed_on)
    address = institution.address
    where = (address.street, address.postal_code, address.city, address.state, address.country)
    holder = (
        *(report.kind.value, institution.name, ", ".join(part for part in where if part)),
        *(institution.contact_name, institution.contact_phone, filed_on.isoformat()),
    )
    rows = [COLUMNS]
    for item in report.items:
        amount = format_amount(item.amount_minor, item.currency)
        own = (item.payment_id, item.on.isoformat(), amount, item.currency)
        told = (item.owner, item.authority, item.location, item.description, report.remarks)
        rows.append((*holder, *own, *told))
    return "".join(f"{','.join(map(_cell, row))}\r\n" for row in rows).encode()


def totals(items: Sequence[PropertyItem]) -> dict[str, int]:
    """What items come to, in minor units of each currency."""
    found: dict[str, int] = {}
    for item in items:
        found[item.currency] = found.get(item.currency, 0) + item.amount_minor
    return dict(sorted(found.items()))


def _require_sound(report: PropertyReport, filed_on: date) -> None:
    is_annual = report.kind is PropertyKind.ANNUAL
    if is_annual is (report.year is None):
        raise FilingFault("year", "is of an annual report, and of no other")
    if not 1 <= len(report.items) <= (ITEMS_MAX if is_annual else 1):
        raise FilingFault("items", f"are {len(report.items):,}; an annual report has up to {ITEMS_MAX:,}, others one")
    _require_filled_in(report)
    for number, item in enumerate(report.items):
        for name in TEXTS:
            text = getattr(item, name)
            if not text.strip():
                raise FilingFault(f"items.{number}.{name}", "is missing")
            if len(text) > TEXT_LENGTH_MAX:
                raise FilingFault(f"items.{number}.{name}", f"has more than {TEXT_LENGTH_MAX:,} characters")
        if item.on > (filed_on if report.year is None else held_on(report.year)):
            raise FilingFault(f"items.{number}.on", "lies after the day that the report is about")


def _require_filled_in(report: PropertyReport) -> None:
    open_ = [
        f"items.{number}.{name}"
        for number, item in enumerate(report.items)
        for name in TEXTS
        if getattr(item, name).strip() in PLACEHOLDERS
    ]
    if open_:
        first, *others = open_
        named = ", ".join(others[: NAMED_MAX - 1])
        unnamed = len(others) - (NAMED_MAX - 1)
        more = f" and {unnamed:,} more" if unnamed > 0 else ""
        raise FilingFault(first, "is still to be filled in" + (f"; so is {named}{more}" if others else ""))


def _cell(text: str) -> str:
    """A cell of CSV (RFC 4180). A spreadsheet takes what begins so for a formula: names are hostile input."""
    plain = f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
    return f'"{plain.replace(chr(34), chr(34) * 2)}"'
