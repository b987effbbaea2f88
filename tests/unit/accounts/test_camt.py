"""Statements as camt.053: what stands where, and that whatever is stated is valid by ISO 20022's own schema."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib.metadata import distribution
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from libs.common import ids
from libs.common.money import SCALES
from services.accounts.camt import CODES, FRACTION_DIGITS_MAX, NAMESPACE, CannotBeStated, statement_camt
from services.accounts.domain.journal import TransferKind
from services.accounts.queries.statements import Line, Period, Statement

SCHEMA = Path(str(distribution("camt053").locate_file("camt053/xsd/camt.053.001.08.xsd")))
ISOS_DIGEST = "ca0b135cc8e2dde5b2f99af6b6c514a8f29d6e7c6cf98e9ea84d247189868ff5"
"""Of the schema as ISO 20022 publishes it, with line ends as here."""
VALID = etree.XMLSchema(etree.parse(str(SCHEMA)))

ACCOUNT, OTHERS = ids.named("account"), ids.named("other's account")
JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
CREATED_AT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def line(amount_minor: int, kind: str = TransferKind.PAYMENT, **fields: Any) -> Line:
    known: dict[str, Any] = {
        "number": 1,
        "transfer_id": ids.named("transfer"),
        "kind": kind,
        "payment_id": None,
        "counterparty_account_id": OTHERS,
        "reference": None,
        "amount_minor": amount_minor,
        "balance_minor": 0,
        "effective_at": JANUARY,
        "recorded_at": JANUARY,
        "hash": b"",
    }
    return Line(**(known | fields))


def statement(
    *lines: Line,
    currency: str = "EUR",
    opening_minor: int = 0,
    period: Period | None = None,
    lanes: int = 1,
    entry_count: int | None = None,
) -> Statement:
    return Statement(
        account={"account_id": ACCOUNT, "currency": currency, "lanes": lanes},
        period=period or Period(start=JANUARY, end=FEBRUARY),
        opening_minor=opening_minor,
        closing_minor=opening_minor + sum(line.amount_minor for line in lines),
        closing_hash=bytes(32),
        entry_count=len(lines) if entry_count is None else entry_count,
        lines=lines,
        next_after=None,
    )


def stated(found: Statement, message_id: str = "message", created_at: datetime = CREATED_AT) -> Any:
    """What is stated of an account, read back. Raises AssertionError if the schema finds fault with it."""
    document = etree.fromstring(statement_camt(found, message_id=message_id, created_at=created_at))
    assert VALID.validate(document), VALID.error_log
    return document


def texts(document: Any, path: str) -> list[str]:
    return [found.text for found in document.iterfind(".//" + "/".join(f"{{{NAMESPACE}}}{n}" for n in path.split("/")))]


def signed(document: Any, within: str) -> list[Decimal]:
    """Amounts with their signs."""
    sides = {"CRDT": 1, "DBIT": -1}
    pairs = zip(texts(document, f"{within}/Amt"), texts(document, f"{within}/CdtDbtInd"), strict=True)
    return [Decimal(amount) * sides[side] for amount, side in pairs]


def test_the_schema_is_iso_20022s_own() -> None:
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() == ISOS_DIGEST


def test_a_header_names_the_message_and_the_whole_of_its_pages() -> None:
    document = stated(statement())
    assert texts(document, "GrpHdr/MsgId") == texts(document, "Stmt/Id") == ["message"]
    assert texts(document, "GrpHdr/CreDtTm") == texts(document, "Stmt/CreDtTm") == ["2026-02-03T04:05:06.000789Z"]
    assert texts(document, "PgNb") + texts(document, "LastPgInd") == ["1", "true"]


def test_an_account_is_named_without_hyphens_and_with_its_currency() -> None:
    document = stated(statement())
    assert texts(document, "Acct/Id/Othr/Id") == [ACCOUNT.replace("-", "")]
    assert texts(document, "Acct/Ccy") == ["EUR"]


def test_what_was_there_and_what_came_and_went_is_what_is_there() -> None:
    document = stated(statement(line(12_34), line(-100_00), line(5), opening_minor=50_00))
    opening, closing = signed(document, "Bal")
    entries = signed(document, "Ntry")
    assert texts(document, "Bal/Tp/CdOrPrtry/Cd") == ["OPBD", "CLBD"]
    assert (opening, entries, closing) == (
        Decimal("50.00"),
        [Decimal("12.34"), Decimal("-100.00"), Decimal("0.05")],
        Decimal("-37.61"),
    )
    assert opening + sum(entries) == closing
    assert signed(document, "TxDtls") == entries
    assert {found.get("Ccy") for found in document.iterfind(f".//{{{NAMESPACE}}}Amt") if found.get("Ccy")} == {"EUR"}


def test_totals_count_and_sum_credits_and_debits() -> None:
    document = stated(statement(line(12_34), line(-100_00), line(5)))
    for name, count, total in (("TtlNtries", 3, "112.39"), ("TtlCdtNtries", 2, "12.39"), ("TtlDbtNtries", 1, "100.00")):
        assert texts(document, f"{name}/NbOfNtries") == [str(count)]
        assert texts(document, f"{name}/Sum") == [total]
    assert signed(document, "TtlNetNtry") == [Decimal("-87.61")]


def test_nothing_at_all_is_a_credit() -> None:
    document = stated(statement())
    assert texts(document, "Bal/CdtDbtInd") == ["CRDT", "CRDT"]
    assert texts(document, "Bal/Amt") == ["0.00", "0.00"]


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "12345"), ("EUR", "123.45"), ("BHD", "12.345"), ("CLF", "1.2345")]
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, amount: str) -> None:
    assert texts(stated(statement(line(12345), currency=currency)), "Ntry/Amt") == [amount]


@pytest.mark.parametrize(
    ("period", "between", "opened_at", "closed_at"),
    [
        (
            Period(start=JANUARY, end=FEBRUARY),
            ["2026-01-01T00:00:00Z", "2026-01-31T23:59:59.999999Z"],
            "2026-01-01T00:00:00Z",
            "2026-01-31T23:59:59.999999Z",
        ),
        (Period(start=JANUARY), [], "2026-01-01T00:00:00Z", "2026-02-03T04:05:06.000789Z"),
        (Period(end=FEBRUARY), [], "2026-01-07T00:00:00Z", "2026-01-31T23:59:59.999999Z"),
        (Period(), [], "2026-01-07T00:00:00Z", "2026-02-03T04:05:06.000789Z"),
        (
            Period(start=JANUARY, end=datetime(2026, 3, 1, tzinfo=UTC)),
            ["2026-01-01T00:00:00Z", "2026-02-28T23:59:59.999999Z"],
            "2026-01-01T00:00:00Z",
            "2026-02-03T04:05:06.000789Z",
        ),
    ],
    ids=["both ends", "until now", "from the first", "everything", "still running"],
)
def test_balances_are_of_a_periods_ends_and_none_is_of_the_future(
    period: Period, between: Sequence[str], opened_at: str, closed_at: str
) -> None:
    document = stated(statement(line(1, recorded_at=datetime(2026, 1, 7, tzinfo=UTC)), period=period))
    assert texts(document, "FrToDt/FrDtTm") + texts(document, "FrToDt/ToDtTm") == between
    assert texts(document, "Bal/Dt/DtTm") == [opened_at, closed_at]


def test_an_entry_says_when_it_was_booked_and_when_it_counts_in_utc() -> None:
    there = timezone(timedelta(hours=-5))
    document = stated(
        statement(
            line(1, recorded_at=datetime(2026, 1, 7, 22, tzinfo=there), effective_at=datetime(2026, 1, 6, tzinfo=UTC))
        )
    )
    assert texts(document, "BookgDt/DtTm") == ["2026-01-08T03:00:00Z"]
    assert texts(document, "ValDt/DtTm") == ["2026-01-06T00:00:00Z"]


def test_an_entry_names_its_transfer_its_payment_and_its_place() -> None:
    payment_id = ids.named("payment")
    document = stated(statement(line(1, number=7, payment_id=payment_id), line(1, number=8)))
    transfers = [ids.named("transfer").replace("-", "")] * 2
    assert texts(document, "NtryRef") == ["7", "8"]
    assert texts(document, "Ntry/AcctSvcrRef") == texts(document, "Refs/AcctSvcrRef") == transfers
    assert texts(document, "Refs/TxId") == [payment_id.replace("-", "")]
    assert texts(document, "Sts/Cd") == ["BOOK", "BOOK"]


def test_the_other_party_is_the_debtor_of_a_credit_and_the_creditor_of_a_debit() -> None:
    others = [OTHERS.replace("-", "")]
    credit, debit = stated(statement(line(1))), stated(statement(line(-1)))
    assert texts(credit, "DbtrAcct/Id/Othr/Id") == others and not texts(credit, "CdtrAcct/Id/Othr/Id")
    assert texts(debit, "CdtrAcct/Id/Othr/Id") == others and not texts(debit, "DbtrAcct/Id/Othr/Id")


@pytest.mark.parametrize("kind", TransferKind)
@pytest.mark.parametrize("amount_minor", [1, -1])
def test_every_kind_of_transfer_has_a_code_and_stands_beside_it(kind: TransferKind, amount_minor: int) -> None:
    document = stated(statement(line(amount_minor, kind)))
    assert texts(document, "Domn/Cd") == [CODES[kind].domain]
    assert texts(document, "Fmly/Cd") == [CODES[kind].families[amount_minor < 0]]
    assert texts(document, "Fmly/SubFmlyCd") == [CODES[kind].sub_family]
    assert texts(document, "BkTxCd/Prtry/Cd") == [kind]
    assert texts(document, "RvslInd") == (["true"] if kind is TransferKind.REVERSAL else [])


@pytest.mark.parametrize(
    ("amount_minor", "kind", "code"),
    [
        (1, TransferKind.PAYMENT, ["PMNT", "RCDT", "BOOK"]),
        (-1, TransferKind.PAYMENT, ["PMNT", "ICDT", "BOOK"]),
        (-1, TransferKind.FEE, ["PMNT", "MDOP", "FEES"]),
        (1, TransferKind.REFUND, ["PMNT", "RCDT", "RIMB"]),
        (-1, TransferKind.CONVERSION, ["FORX", "SPOT", "OTHR"]),
    ],
)
def test_codes_are_of_the_entrys_side(amount_minor: int, kind: TransferKind, code: Sequence[str]) -> None:
    document = stated(statement(line(amount_minor, kind)))
    assert texts(document, "Domn/Cd") + texts(document, "Fmly/Cd") + texts(document, "Fmly/SubFmlyCd") == code


@pytest.mark.parametrize(
    ("reference", "lines"),
    [
        (None, []),
        ("", []),
        (" ", [" "]),
        ("rent", ["rent"]),
        ("x" * 140, ["x" * 140]),
        ("x" * 140 + "y" * 60, ["x" * 140, "y" * 60]),
        ("x" * 300, ["x" * 140, "x" * 140, "x" * 20]),
        ("\N{SLICE OF PIZZA}" * 200, ["\N{SLICE OF PIZZA}" * 140, "\N{SLICE OF PIZZA}" * 60]),
    ],
    ids=repr,
)
def test_a_reference_is_kept_in_lines_of_140_characters(reference: str | None, lines: Sequence[str]) -> None:
    assert texts(stated(statement(line(1, reference=reference))), "RmtInf/Ustrd") == lines


@pytest.mark.parametrize(
    ("reference", "read"),
    [
        ("</Ustrd><Amt>1</Amt>", "</Ustrd><Amt>1</Amt>"),
        ("]]>&amp;&#0;\"'", "]]>&amp;&#0;\"'"),
        ('<!DOCTYPE x [<!ENTITY y SYSTEM "file">]>&y;', '<!DOCTYPE x [<!ENTITY y SYSTEM "file">]>&y;'),
        ("a\tb\nc", "a\tb\nc"),
        ("a\x00\x1b\rb\ufffe\ud800", "a\ufffd\ufffd\ufffdb\ufffd\ufffd"),
    ],
    ids=ascii,
)
def test_a_reference_stays_a_text_whatever_it_says(reference: str, read: str) -> None:
    assert texts(stated(statement(line(1, reference=reference))), "RmtInf/Ustrd") == [read]


def test_a_lane_of_several_is_named() -> None:
    assert texts(stated(statement(lanes=1)), "AddtlStmtInf") == []
    assert texts(stated(statement(lanes=16, period=Period(lane=3))), "AddtlStmtInf") == [
        "Lane 3 of the account's 16, counted from 0."
    ]


@pytest.mark.parametrize("currency", ["BTC", "ETH"])
def test_a_currency_of_too_many_decimals_cant_be_stated(currency: str) -> None:
    with pytest.raises(CannotBeStated, match=f"{currency} has [89] decimals, camt.053 holds 5"):
        stated(statement(line(1), currency=currency))


def test_an_amount_of_too_many_digits_cant_be_stated() -> None:
    most = 10**18 - 1
    assert texts(stated(statement(opening_minor=-most)), "Bal/Amt") == ["9999999999999999.99"] * 2
    for beyond in (
        statement(opening_minor=most + 1),
        statement(opening_minor=-most - 1),
        statement(line(most), line(1)),
    ):
        with pytest.raises(CannotBeStated, match="18 digits"):
            stated(beyond)


def test_a_page_isnt_a_statement() -> None:
    with pytest.raises(ValueError, match="1 of 2 entries"):
        stated(statement(line(1), entry_count=2))


@pytest.mark.parametrize("message_id", ["", "x" * 36])
def test_a_messages_id_has_to_fit(message_id: str) -> None:
    with pytest.raises(ValueError, match="1 to 35 characters"):
        stated(statement(), message_id=message_id)


INSTANTS = st.datetimes(
    datetime(1900, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.sampled_from((UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14)))),
)
LINES = st.builds(
    line,
    st.integers(-(10**15), 10**15),
    st.sampled_from(TransferKind),
    number=st.integers(1, 2**63 - 1),
    transfer_id=st.uuids().map(str),
    payment_id=st.none() | st.uuids().map(str),
    counterparty_account_id=st.uuids().map(str),
    reference=st.none() | st.text(st.characters(exclude_categories=()), max_size=300),
    effective_at=INSTANTS,
    recorded_at=INSTANTS,
)


@settings(max_examples=200)
@given(
    lines=st.lists(LINES, max_size=5),
    currency=st.sampled_from(sorted(code for code, scale in SCALES.items() if scale <= FRACTION_DIGITS_MAX)),
    opening_minor=st.integers(-(10**17), 10**17),
    start=st.none() | INSTANTS,
    end=st.none() | INSTANTS,
    message_id=st.text(st.characters(exclude_categories=()), min_size=1, max_size=35),
    created_at=INSTANTS,
)
def test_any_statement_is_valid_and_adds_up(
    lines: list[Line],
    currency: str,
    opening_minor: int,
    start: datetime | None,
    end: datetime | None,
    message_id: str,
    created_at: datetime,
) -> None:
    found = statement(*lines, currency=currency, opening_minor=opening_minor, period=Period(start=start, end=end))
    document = stated(found, message_id, created_at)
    opening, closing = signed(document, "Bal")
    assert [*accumulate(signed(document, "Ntry"), initial=opening)][-1] == closing
    assert opening.scaleb(SCALES[currency]) == opening_minor
    assert statement_camt(found, message_id=message_id, created_at=created_at) == statement_camt(
        found, message_id=message_id, created_at=created_at
    )
