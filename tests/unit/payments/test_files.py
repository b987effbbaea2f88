"""Files of payments: whatever arrives, in whatever parts, the same lines come out, each readable or refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.common.problems import Problem
from services.payments.files import (
    CHUNK_LINES,
    CSV,
    JSON_LINES,
    LINE_BYTES_MAX,
    FileFormat,
    LineFault,
    chunks,
    file_format,
    read_lines,
)
from services.payments.requests import NewPayment
from tests.unit.payments.story import CREDITOR, DEBTOR

HEADER = b"debtor_account_id,debtor_name,creditor_account_id,creditor_name,currency,amount"
ROW = f"{DEBTOR},Ann,{CREDITOR},Ben,EUR,12.34".encode()
BOM = b"\xef\xbb\xbf"


async def stream(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def lines(*parts: bytes) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [line async for line in read_lines(stream(parts))]

    return asyncio.run(collect())


def format_of(media_type: str, *body: bytes) -> FileFormat:
    return asyncio.run(file_format(media_type, read_lines(stream(body))))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"\n\r\n  \n\t\n", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\n\n\nb", [b"a", b"b"]),
        (b" a \n", [b" a "]),
        (BOM + b"a\n" + BOM + b"b", [b"a", BOM + b"b"]),
        (BOM + b"\na", [b"a"]),
        (b"x" * LINE_BYTES_MAX + b"\r\nb", [b"x" * LINE_BYTES_MAX, b"b"]),
        (b"x" * (LINE_BYTES_MAX + 1) + b"\nb", [b"x" * (LINE_BYTES_MAX + 1), b"b"]),
        (b"x" * (LINE_BYTES_MAX + 7) + b"\r\nb", [b"x" * (LINE_BYTES_MAX + 1), b"b"]),
        (b"x" * LINE_BYTES_MAX + b"\rx\nb", [b"x" * LINE_BYTES_MAX + b"\r", b"b"]),
        (b"x" * (5 * LINE_BYTES_MAX), [b"x" * (LINE_BYTES_MAX + 1)]),
    ],
)
def test_lines_are_told_apart(body: bytes, expected: list[bytes]) -> None:
    assert lines(body) == expected
    assert lines(*(body[n : n + 1] for n in range(len(body)))) == expected, "byte by byte"


bodies = st.lists(
    st.sampled_from([b"a", b" ", b"\r", b"\n", b"\n", BOM, b"x" * LINE_BYTES_MAX, b"y" * (LINE_BYTES_MAX // 2)])
).map(b"".join)


@settings(max_examples=60)
@given(bodies, st.lists(st.integers(0, 50_000)))
@example(b"x" * LINE_BYTES_MAX + b"\r\n", [LINE_BYTES_MAX + 1])
@example(b" " * (LINE_BYTES_MAX + 9) + b"a", [LINE_BYTES_MAX + 5])
def test_lines_do_not_depend_on_the_parts_they_arrive_in(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    parts = [body[start:end] for start, end in pairwise(places)]
    found = lines(*parts)
    assert found == lines(body)
    assert all(0 < len(line) <= LINE_BYTES_MAX + 1 for line in found), "and none takes more room than it may"


def test_lines_come_in_chunks_that_fit_a_transaction() -> None:
    async def sizes() -> list[int]:
        body = read_lines(stream([b"a\n" * (2 * CHUNK_LINES + 1)]))
        return [len(chunk) async for chunk in chunks(body)]

    assert asyncio.run(sizes()) == [CHUNK_LINES, CHUNK_LINES, 1]


# What a line says


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (HEADER, ROW),
        (BOM + HEADER, ROW),
        (HEADER + b"\r", ROW),
        (HEADER + b",reference", ROW + b',"a, quoted ""comma"""'),
        (HEADER + b",reference,purpose", ROW + b",,"),
        (b"amount,currency,creditor_name,creditor_account_id,debtor_name,debtor_account_id",
         f"12.34,EUR,Ben,{CREDITOR},Ann,{DEBTOR}".encode()),
    ],
)  # fmt: skip
def test_a_row_is_an_order(header: bytes, row: bytes) -> None:
    order = NewPayment.model_validate(format_of(CSV, header).parse(row))
    assert (order.amount_minor, order.debtor.name, order.creditor.name) == (1234, "Ann", "Ben")
    assert order.reference == ('a, quoted "comma"' if b"quoted" in row else None)


def test_a_row_may_say_all_that_json_may() -> None:
    header = HEADER + b",channel,is_cash,debtor_country,creditor_birth_date,instructed_at"
    row = ROW + b",mobile,true,MT,1970,2026-01-05T09:00:00Z"
    order = NewPayment.model_validate(format_of(CSV, header).parse(row))
    assert (order.channel, order.is_cash, order.debtor.country, order.creditor.birth_date) == (
        "mobile",
        True,
        "MT",
        "1970",
    )


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "missing"),
        (b"a,b", "unknown: a, b"),
        (HEADER.replace(b",amount", b""), "missing: amount"),
        (HEADER + b",iban", "unknown: iban"),
        (HEADER + b",amount", "repeated: amount"),
        (HEADER + b",", "unknown: "),
        (HEADER.replace(b",", b";"), "missing"),
        (b"\xff\xfe" + HEADER, "not CSV in UTF-8"),
        (b'"' + HEADER, "not CSV in UTF-8"),
        (HEADER + b"," + b"x" * LINE_BYTES_MAX, "at most"),
    ],
)
def test_a_wrong_header_refuses_the_file(header: bytes, why: str) -> None:
    with pytest.raises(Problem) as refused:
        format_of(CSV, header)
    assert (refused.value.status, refused.value.reason, refused.value.field) == (422, "wrong_columns", "header")
    assert why in refused.value.detail


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/json", "multipart/form-data"])
def test_only_two_types_of_files_are_read(media_type: str) -> None:
    with pytest.raises(Problem) as refused:
        format_of(media_type)
    assert (refused.value.status, refused.value.field) == (415, "Content-Type")


@pytest.mark.parametrize(
    ("media_type", "line", "reason", "why"),
    [
        (CSV, ROW + b",extra", "malformed", "7 columns where the header has 6"),
        (CSV, b"a,b", "malformed", "2 columns"),
        (CSV, b'"unclosed' + ROW, "malformed", "not CSV"),
        (CSV, ROW.replace(b"Ann", b'"A"nn'), "malformed", "not CSV"),
        (CSV, ROW.replace(b"Ann", b"\xff"), "malformed", "UTF-8"),
        (CSV, b"x" * (LINE_BYTES_MAX + 1), "line_too_long", "at most 8192 bytes"),
        (JSON_LINES[0], b"{", "malformed", "not JSON"),
        (JSON_LINES[0], ROW, "malformed", "not JSON"),
        (JSON_LINES[0], b'{"a": "\xff"}', "malformed", "not JSON"),
        (JSON_LINES[0], b'{"a": "\\ud800"}', "malformed", "not JSON"),
        (JSON_LINES[0], b"[" * 8_000, "malformed", "not JSON"),
        (JSON_LINES[0], b"x" * (LINE_BYTES_MAX + 1), "line_too_long", "at most 8192 bytes"),
    ],
)
def test_a_line_that_is_no_order_at_all_is_refused(media_type: str, line: bytes, reason: str, why: str) -> None:
    with pytest.raises(LineFault, match=why) as refused:
        format_of(media_type, HEADER).parse(line)
    assert refused.value.reason == reason


@settings(max_examples=60)
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode(errors="surrogatepass")))
def test_no_line_does_worse_than_be_refused(line: bytes) -> None:
    for media_type in (CSV, *JSON_LINES):
        try:
            NewPayment.model_validate(format_of(media_type, HEADER).parse(line))
        except (LineFault, ValidationError):
            continue


def test_equal_lines_of_files_with_one_signature_mean_the_same() -> None:
    other = (
        HEADER.replace(b"debtor_name", b"x").replace(b"creditor_name", b"debtor_name").replace(b"x", b"creditor_name")
    )
    signatures = [
        format_of(CSV, HEADER).signature,
        format_of(CSV, other).signature,
        format_of(JSON_LINES[0]).signature,
    ]
    assert len(set(signatures)) == 3
    assert format_of(CSV, BOM + HEADER + b"\r\n").signature == signatures[0]
