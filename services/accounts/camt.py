"""A statement as ISO 20022 camt.053.001.08, the XML that accounting and treasury systems read. Pure.

    Document ─ BkToCstmrStmt ─┬─ GrpHdr
                              └─ Stmt ─ Acct · balances OPBD and CLBD · TxsSummry · an Ntry for each entry

The standard library writes it: classes generated from the schema took six times as long, 9 seconds for the longest
statement, and 40 MB before the first. The tests hold what is written against the schema itself.
"""

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from xml.etree.ElementTree import Element, SubElement, tostring

from libs.common.money import SCALES, format_amount
from libs.common.record import Record
from services.accounts.domain.journal import TransferKind
from services.accounts.queries.statements import Line, Statement

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
FRACTION_DIGITS_MAX = 5
TOTAL_DIGITS_MAX = 18
ID_LENGTH_MAX = 35
REMITTANCE_LENGTH_MAX = 140
"""Of one line of remittance information; there may be any number of them."""

_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, and the carriage return, which is read as another character."""


class CannotBeStated(Exception):
    """An amount doesn't fit camt.053: it holds 18 digits, 5 of them decimals."""


class Code(Record):
    """What ISO 20022's list of bank transaction codes calls a transfer."""

    domain: str = "PMNT"
    families: tuple[str, str]
    """Of a credit and of a debit."""
    sub_family: str


_TRANSFERS = ("RCDT", "ICDT")
"""Credit transfers received and issued."""
_OTHERS = ("MCOP", "MDOP")
"""Miscellaneous credit and debit operations."""

CODES = MappingProxyType(
    {
        TransferKind.FUNDING: Code(families=_OTHERS, sub_family="OTHR"),
        TransferKind.PAYMENT: Code(families=_TRANSFERS, sub_family="BOOK"),
        TransferKind.FEE: Code(families=_OTHERS, sub_family="FEES"),
        TransferKind.BLOCKING: Code(families=_OTHERS, sub_family="OTHR"),
        TransferKind.REFUND: Code(families=_TRANSFERS, sub_family="RIMB"),
        TransferKind.BOOKING: Code(families=_TRANSFERS, sub_family="BOOK"),
        TransferKind.CAPTURE: Code(families=_TRANSFERS, sub_family="BOOK"),
        TransferKind.CONVERSION: Code(domain="FORX", families=("SPOT", "SPOT"), sub_family="OTHR"),
        TransferKind.REVERSAL: Code(families=_OTHERS, sub_family="ADJT"),
    }
)
"""Transfers within the house are book transfers; what no code fits is an other one. The kind stands beside its code."""


def statement_camt(found: Statement, *, message_id: str, created_at: datetime) -> bytes:
    """A whole statement as XML. `created_at` is when it was read from the books.

    Instants are exact and in UTC. A period ends at its last microsecond, so that who reads only days finds its last
    day. Raises CannotBeStated; ValueError for a page of a statement and for a message's id of more than 35 characters.
    """
    currency = found.account["currency"]
    if SCALES[currency] > FRACTION_DIGITS_MAX:
        raise CannotBeStated(f"{currency} has {SCALES[currency]} decimals, camt.053 holds {FRACTION_DIGITS_MAX}")
    if len(found.lines) != found.entry_count:
        raise ValueError(f"{len(found.lines)} of {found.entry_count} entries aren't a whole statement")
    if not 1 <= len(message_id) <= ID_LENGTH_MAX:
        raise ValueError(f"a message's id has 1 to {ID_LENGTH_MAX} characters, this one {len(message_id)}")
    document = Element("Document", xmlns=NAMESPACE)
    message = SubElement(document, "BkToCstmrStmt")
    _put_header(message, message_id, created_at)
    _put_statement(message, found, message_id, created_at)
    text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", tostring(document, encoding="unicode"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _put_header(message: Element, message_id: str, created_at: datetime) -> None:
    header = SubElement(message, "GrpHdr")
    _put(header, "MsgId", message_id)
    _put_instant(header, "CreDtTm", created_at)
    page = SubElement(header, "MsgPgntn")
    _put(page, "PgNb", "1")
    _put(page, "LastPgInd", "true")


def _put_statement(message: Element, found: Statement, message_id: str, created_at: datetime) -> None:
    statement = SubElement(message, "Stmt")
    currency, lanes = found.account["currency"], found.account["lanes"]
    _put(statement, "Id", message_id)
    _put_instant(statement, "CreDtTm", created_at)
    start, last = found.period.start, _last_instant(found)
    if start is not None and last is not None:
        between = SubElement(statement, "FrToDt")
        _put_instant(between, "FrDtTm", start)
        _put_instant(between, "ToDtTm", max(start, last))
    account = SubElement(statement, "Acct")
    _put_account_id(account, found.account["account_id"])
    _put(account, "Ccy", currency)
    closed_at = created_at if last is None else min(last, created_at)
    opened_at = start or (found.lines[0].recorded_at if found.lines else closed_at)
    _put_balance(statement, "OPBD", found.opening_minor, currency, opened_at)
    _put_balance(statement, "CLBD", found.closing_minor, currency, closed_at)
    _put_totals(statement, found)
    for line in found.lines:
        _put_entry(statement, line, currency)
    if lanes > 1:
        _put(statement, "AddtlStmtInf", f"Lane {found.period.lane} of the account's {lanes}, counted from 0.")


def _last_instant(found: Statement) -> datetime | None:
    return None if found.period.end is None else found.period.end - timedelta(microseconds=1)


def _put_balance(statement: Element, code: str, balance_minor: int, currency: str, at: datetime) -> None:
    balance = SubElement(statement, "Bal")
    _put(balance, "Tp/CdOrPrtry/Cd", code)
    _put_amount(balance, balance_minor, currency)
    _put_instant(balance, "Dt/DtTm", at)


def _put_totals(statement: Element, found: Statement) -> None:
    currency = found.account["currency"]
    credits = [line.amount_minor for line in found.lines if line.amount_minor >= 0]
    debits = [-line.amount_minor for line in found.lines if line.amount_minor < 0]
    totals = SubElement(statement, "TxsSummry")
    everything = _put_total(totals, "TtlNtries", credits + debits, currency)
    net = SubElement(everything, "TtlNetNtry")
    net_minor = sum(credits) - sum(debits)
    _put(net, "Amt", _decimal(abs(net_minor), currency))
    _put(net, "CdtDbtInd", _side(net_minor))
    _put_total(totals, "TtlCdtNtries", credits, currency)
    _put_total(totals, "TtlDbtNtries", debits, currency)


def _put_total(totals: Element, name: str, amounts_minor: list[int], currency: str) -> Element:
    total = SubElement(totals, name)
    _put(total, "NbOfNtries", str(len(amounts_minor)))
    _put(total, "Sum", _decimal(sum(amounts_minor), currency))
    return total


def _put_entry(statement: Element, line: Line, currency: str) -> None:
    entry = SubElement(statement, "Ntry")
    kind = TransferKind(line.kind)
    _put(entry, "NtryRef", str(line.number))
    _put_amount(entry, line.amount_minor, currency)
    if kind is TransferKind.REVERSAL:
        _put(entry, "RvslInd", "true")
    _put(entry, "Sts/Cd", "BOOK")
    _put_instant(entry, "BookgDt/DtTm", line.recorded_at)
    _put_instant(entry, "ValDt/DtTm", line.effective_at)
    _put(entry, "AcctSvcrRef", _short(line.transfer_id))
    _put_code(entry, kind, line.amount_minor)
    _put_details(entry, line, currency)


def _put_code(entry: Element, kind: TransferKind, amount_minor: int) -> None:
    known = CODES[kind]
    code = SubElement(entry, "BkTxCd")
    domain = SubElement(code, "Domn")
    _put(domain, "Cd", known.domain)
    family = SubElement(domain, "Fmly")
    _put(family, "Cd", known.families[0 if amount_minor >= 0 else 1])
    _put(family, "SubFmlyCd", known.sub_family)
    _put(code, "Prtry/Cd", kind)


def _put_details(entry: Element, line: Line, currency: str) -> None:
    details = SubElement(SubElement(entry, "NtryDtls"), "TxDtls")
    references = SubElement(details, "Refs")
    _put(references, "AcctSvcrRef", _short(line.transfer_id))
    if line.payment_id is not None:
        _put(references, "TxId", _short(line.payment_id))
    _put_amount(details, line.amount_minor, currency)
    counterparty = SubElement(SubElement(details, "RltdPties"), "DbtrAcct" if line.amount_minor >= 0 else "CdtrAcct")
    _put_account_id(counterparty, line.counterparty_account_id)
    if line.reference:
        remittance = SubElement(details, "RmtInf")
        for start in range(0, len(line.reference), REMITTANCE_LENGTH_MAX):
            _put(remittance, "Ustrd", line.reference[start : start + REMITTANCE_LENGTH_MAX])


def _put_account_id(account: Element, account_id: str) -> None:
    _put(account, "Id/Othr/Id", _short(account_id))


def _put_amount(parent: Element, amount_minor: int, currency: str) -> None:
    _put(parent, "Amt", _decimal(abs(amount_minor), currency)).set("Ccy", currency)
    _put(parent, "CdtDbtInd", _side(amount_minor))


def _put_instant(parent: Element, path: str, at: datetime) -> None:
    _put(parent, path, at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z")


def _put(parent: Element, path: str, text: str) -> Element:
    """Add an element within new ones, `Sts/Cd`, that holds a text."""
    for name in path.split("/"):
        parent = SubElement(parent, name)
    parent.text = text
    return parent


def _decimal(amount_minor: int, currency: str) -> str:
    text = format_amount(amount_minor, currency)
    if amount_minor >= 10**TOTAL_DIGITS_MAX:
        raise CannotBeStated(f"{text} {currency} has more than the {TOTAL_DIGITS_MAX} digits that camt.053 holds")
    return text


def _side(amount_minor: int) -> str:
    """Credits are positive; nothing at all is a credit by ISO 20022's rule."""
    return "CRDT" if amount_minor >= 0 else "DBIT"


def _short(id_: str) -> str:
    """An id without its hyphens: with them it is longer than the 34 and 35 characters there are for it."""
    return id_.replace("-", "")
