"""A currency transaction report, FinCEN Form 112, as the XML that the e-filing system takes. Pure.

Cash of more than $10,000, in or out, by or on behalf of one person on one business day, all of it together (31 CFR
1010.311, 1010.313(b)): whoever brings $6,000 for each of two others has brought $12,000. In and out are never set off
against one another, and what several persons bring, each for themselves, is not added up. A report names all who
brought that cash and all for whom it was (31 CFR 1010.312), each with what of it was theirs; those who hold an account
together each with all of it.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from xml.etree.ElementTree import Element

from libs.common.record import Record
from services.compliance.filings.efiling import (
    Form,
    Institution,
    PartyCode,
    Person,
    begin,
    day_text,
    dollars_text,
    line,
    put,
    put_birth_date,
    written,
)
from services.compliance.filings.faults import FilingFault

THRESHOLD_DOLLARS = 10_000
"""More than this is reported; this is not."""
ACCOUNTS_MAX = 99
PERSONS_MAX = 200


class CashParty(Record):
    """Someone whose cash is reported."""

    person: Person
    code: PartyCode = PartyCode.CONDUCTOR
    cash_in_dollars: int = 0
    """Rounded up to whole dollars, as the form asks."""
    cash_out_dollars: int = 0


class CtrReport(Record):
    """All that a report says, but for who files it and when."""

    parties: tuple[CashParty, ...]
    transacted_on: date
    cash_in_dollars: int
    cash_out_dollars: int
    is_aggregated: bool
    """Several transactions, none of which would be reported by itself."""
    prior_document_number: int | None = None
    """Of the report that this one corrects."""


def write_ctr(report: CtrReport, institution: Institution, filed_on: date) -> bytes:
    """The report as a file for the e-filing system. Raises FilingFault, which names what is missing or too long."""
    _require_sound(report, filed_on)
    root = begin(
        "CTRX",
        TotalAmount=report.cash_in_dollars + report.cash_out_dollars,
        PartyCount=len(report.parties),
        ActivityCount=1,
    )
    form = Form()
    activity = form.add(root, "Activity")
    if report.prior_document_number is not None:
        put(activity, "EFilingPriorDocumentNumber", str(report.prior_document_number))
    put(activity, "FilingDateText", day_text(filed_on))
    association = form.add(activity, "ActivityAssociation")
    is_first = report.prior_document_number is None
    put(association, "CorrectsAmendsPriorReportIndicator", "" if is_first else "Y")
    put(association, "FinCENDirectBackFileIndicator", "")
    put(association, "InitialReportIndicator", "Y" if is_first else "")
    form.filers(activity, institution)
    for number, party in enumerate(report.parties):
        _put_party(form, activity, party, f"parties.{number}")
    _put_cash(form, activity, report)
    return written(root)


def _require_sound(report: CtrReport, filed_on: date) -> None:
    if not 1 <= len(report.parties) <= PERSONS_MAX:
        raise FilingFault("parties", f"are {len(report.parties)}; a report names 1 to {PERSONS_MAX}")
    if max(report.cash_in_dollars, report.cash_out_dollars) <= THRESHOLD_DOLLARS:
        raise FilingFault("cash_in_dollars", f"and cash_out_dollars are both at most {THRESHOLD_DOLLARS:,} dollars")
    _require_whose(report)
    if filed_on < report.transacted_on:
        raise FilingFault("filed_on", "lies before the day of the transactions")


_PRINCIPALS = (PartyCode.CONDUCTOR, PartyCode.ON_WHOSE_BEHALF)
"""Those whose cash it was: who brought it for themselves, and for whom others did."""


def _require_whose(report: CtrReport) -> None:
    """What is filed is somebody's cash, all of it, and more than the threshold is by or on behalf of one of them."""
    codes = [party.code for party in report.parties]
    for number, code in enumerate(codes):
        if code not in (*_PRINCIPALS, PartyCode.CONDUCTOR_FOR_OTHER):
            raise FilingFault(f"parties.{number}.code", "says neither who brought cash nor for whom it was")
    if PartyCode.CONDUCTOR_FOR_OTHER in codes and PartyCode.ON_WHOSE_BEHALF not in codes:
        number = codes.index(PartyCode.CONDUCTOR_FOR_OTHER)
        raise FilingFault(f"parties.{number}.code", "brought it for another, and nobody is named for whom it was")
    principals = [party for party in report.parties if party.code in _PRINCIPALS]
    for name in ("cash_in_dollars", "cash_out_dollars"):
        total = getattr(report, name)
        for number, party in enumerate(report.parties):
            if getattr(party, name) > total:
                raise FilingFault(f"parties.{number}.{name}", f"is more than the {total:,} dollars of the report")
        if sum(getattr(party, name) for party in principals) < total:
            raise FilingFault(name, "is more than all that is named as somebody's")
    if _largest(report.parties) <= THRESHOLD_DOLLARS:
        told = f"have each at most {THRESHOLD_DOLLARS:,} dollars: what several bring for themselves is not added up"
        raise FilingFault("parties", told)


def _largest(parties: Sequence[CashParty]) -> int:
    """The most cash, in or out, by or on behalf of one person: what somebody brought for others counts as well."""
    by_person: dict[Person, list[CashParty]] = defaultdict(list)
    for party in parties:
        by_person[party.person].append(party)
    return max(
        max(sum(one.cash_in_dollars for one in found), sum(one.cash_out_dollars for one in found))
        for found in by_person.values()
    )


def _put_party(form: Form, activity: Element, given: CashParty, field: str) -> None:
    person = given.person
    party = form.party(activity, given.code)
    put_birth_date(party, person, field)
    if given.cash_in_dollars:
        text = dollars_text(given.cash_in_dollars, f"{field}.cash_in_dollars")
        put(party, "IndividualEntityCashInAmountText", text)
    if given.cash_out_dollars:
        text = dollars_text(given.cash_out_dollars, f"{field}.cash_out_dollars")
        put(party, "IndividualEntityCashOutAmountText", text)
    put(party, "PartyAsEntityOrganizationIndicator" if person.is_entity else "UnknownGenderIndicator", "Y")
    form.describe(party, person, field, aliases_max=1, documents_max=1)
    _put_accounts(form, party, given, field)


def _put_accounts(form: Form, party: Element, given: CashParty, field: str) -> None:
    accounts = given.person.accounts
    if len(accounts) > ACCOUNTS_MAX:
        raise FilingFault(f"{field}.accounts", f"are {len(accounts)}; the form takes {ACCOUNTS_MAX}")
    directions = [code for code, dollars in (("8", given.cash_in_dollars), ("9", given.cash_out_dollars)) if dollars]
    for account in accounts:
        for direction in directions:
            affected = form.add(party, "Account")
            put(affected, "AccountNumberText", line(account, 40, f"{field}.accounts"))
            put(form.add(affected, "PartyAccountAssociation"), "PartyAccountAssociationTypeCode", direction)


def _put_cash(form: Form, activity: Element, report: CtrReport) -> None:
    cash = form.add(activity, "CurrencyTransactionActivity")
    put(cash, "AggregateTransactionIndicator", "Y" if report.is_aggregated else "")
    for indicator in ("ArmoredCarService", "ATM", "MailDepositShipment", "NightDeposit", "SharedBranching"):
        put(cash, f"{indicator}Indicator", "")
    put(cash, "TotalCashInReceiveAmountText", dollars_text(report.cash_in_dollars, "cash_in_dollars"))
    put(cash, "TotalCashOutAmountText", dollars_text(report.cash_out_dollars, "cash_out_dollars"))
    put(cash, "TransactionDateText", day_text(report.transacted_on))
    deposited = ("55", report.cash_in_dollars), ("56", report.cash_out_dollars)
    for code, dollars in deposited:
        if dollars:
            detail = form.add(cash, "CurrencyTransactionActivityDetail")
            put(detail, "CurrencyTransactionActivityDetailTypeCode", code)
            put(detail, "DetailTransactionAmountText", dollars_text(dollars, "dollars"))
            put(detail, "OtherCurrencyTransactionActivityDetailText", "")
            put(detail, "OtherForeignCurrencyCountryText", "")
