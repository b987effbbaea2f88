"""Documents for examiners: what is said comes out as it was said, whatever a name may be."""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader
from pypdf.generic import BooleanObject, DictionaryObject

from services.compliance.desk import pdf, render
from services.compliance.desk.activity import Activity, Bar, Tick
from services.compliance.desk.pdf import Document, Entry, Facts, Lines, Picture, Section, Table, Text

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOSTILE = (
    "#panic()",
    '#read("/etc/passwd")',
    "$x^2$ *bold* _soft_ `raw`",
    "@reference <label> // comment /* more */",
    '= Heading \\ ] ) } "',
    "<script>alert(1)</script>",
    "{{ 7*7 }}",
)
SCRIPTS = ("Zażółć gęślą", "Дмитрун Варкоский", "Λεωνίδαστος", "Հայաստան", "საქართველო", "€ – “ ” → …")


def document(*blocks: object, title: str = "Ann → Ben") -> Document:
    section = Section(title="The case", blocks=blocks)  # type: ignore[arg-type]
    about = "Case 1, as it was on 22 Nov 2026"
    return Document(title=title, about=about, tags=("Open",), figures=(("Amount", "1.00 EUR"),), sections=(section,))


def printed(found: Document) -> PdfReader:
    return PdfReader(io.BytesIO(pdf.compile_(found, at=AT)))


def words_of(reader: PdfReader) -> str:
    return re.sub(r"\s+", "", "".join(page.extract_text() for page in reader.pages)).replace("\u200b", "")


def without_spaces(texts: Sequence[str]) -> list[str]:
    return [re.sub(r"\s+", "", text) for text in texts]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_said_is_markup(text: str) -> None:
    about = (("Reference", text),)
    entry = Entry(title=text, beside=text, note=text, lines=(text,), facts=about, is_marked=True)
    table = Table(head=("From", "To"), rows=((text, "1"),), numbers=1)
    found = words_of(
        printed(document(Facts(rows=about), Text(text=text), Lines(lines=(text,)), entry, table, title=text))
    )
    (wanted,) = without_spaces([text])
    assert found.count(wanted) == 10


@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts_are_printed_in_their_own_letters(text: str) -> None:
    assert pdf.readable(text) == text
    (wanted,) = without_spaces([text])
    assert wanted in words_of(printed(document(Text(text=text))))


@pytest.mark.parametrize("text", ["محمد", "چگونه", "שלום"])
def test_what_is_written_from_the_right_is_printed_too(text: str) -> None:
    assert pdf.readable(text) == text
    assert set(text) <= set(words_of(printed(document(Text(text=text)))))


def test_letters_there_are_no_shapes_for_are_written_in_latin_ones_and_can_still_be_told() -> None:
    assert pdf.readable("朴龙率") == "PuLongLu [U+6734 U+9F99 U+7387]"
    assert "[U+6734U+9F99U+7387]" in words_of(printed(document(Text(text="朴龙率"))))


def test_what_would_turn_text_around_is_taken_out() -> None:
    assert "evil" in words_of(printed(document(Text(text="\u202eevil"))))


def test_a_word_longer_than_its_line_is_broken_and_whole() -> None:
    long = "x" * 4_000
    reader = printed(document(Entry(title=long, beside="93 %"), Facts(rows=(("Name", long),))))
    assert words_of(reader).count("x") >= 8_000


def test_a_document_is_the_same_when_it_is_made_again_and_can_be_heard() -> None:
    found = document(Text(text="Asked the branch."))
    once, again = pdf.compile_(found, at=AT), pdf.compile_(found, at=AT)
    assert once == again
    reader = PdfReader(io.BytesIO(once))
    assert reader.metadata is not None
    assert reader.metadata.title == "Ann → Ben"
    marks = reader.root_object["/MarkInfo"]
    assert isinstance(marks, DictionaryObject)
    assert marks["/Marked"] == BooleanObject(True)


def test_a_picture_is_drawn_from_the_pages_own_with_hostile_names_in_it() -> None:
    bar = Bar(x=20, y_in=40, height_in=48, height_out=12, day="1 Nov 2026", came="$48", went="$12")
    one = Activity(
        role="Payer", name="</title><script>&", bars=(bar,), ticks=(Tick(x=8, month="Nov"),), came="$48", went="$12",
        highest="$48", is_empty=False,
    )  # fmt: skip
    svg = render.picture("activity_svg", one, "chart")
    assert "<script>" not in svg
    reader = printed(document(Picture(svg=svg, words="Money, day by day")))
    assert "Nov" in words_of(reader)
