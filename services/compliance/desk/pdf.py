"""Documents to be printed and archived (PDF, tagged for who hears them read), typeset by Typst from what is said here.

What a document says reaches the typesetter as JSON, and is never read as markup, whatever a name may be. Only the
typesetter's own fonts are used, so that a document is the same wherever it is made: Latin, Greek, Cyrillic, Arabic,
Hebrew, Armenian, Georgian. Letters of other scripts are written in Latin ones, with their numbers beside.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import typst
from anyascii import anyascii

from libs.common.record import Record
from services.compliance.desk.render import plain

TEMPLATE = Path(__file__).parent / "templates" / "document.typ"

_NO_LETTER_OF_OURS = re.compile(
    "[^\\u0000-\\u04ff\\u0510-\\u0513\\u0531-\\u0556\\u0559-\\u058f\\u05d0-\\u05f4"
    "\\u0621-\\u063a\\u0640-\\u0652\\u0660-\\u066d\\u0679\\u067e\\u0686\\u0691\\u0698\\u06a4\\u06a9\\u06af\\u06cc"
    "\\u06f0-\\u06f9\\u10d0-\\u10ff\\u1e00-\\u1fff\\u200c\\u200d\\u2010-\\u2027\\u2030-\\u205e\\u20a0-\\u20bf"
    "\\u2100-\\u214f\\u2190-\\u21ff\\ufffd]+"
)
"""What Libertinus Serif, New Computer Modern and DejaVu Sans Mono, the typesetter's own, have no shapes for."""


class Facts(Record, tag="facts"):
    """What is known: labels and values."""

    rows: tuple[tuple[str, str], ...]


class Text(Record, tag="text"):
    """A paragraph."""

    text: str


class Lines(Record, tag="lines"):
    """A list."""

    lines: tuple[str, ...]


class Entry(Record, tag="entry"):
    """One of several things of a kind."""

    title: str
    beside: str = ""
    note: str = ""
    lines: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    is_marked: bool = False


class Table(Record, tag="table"):
    """Columns, of which the last so many are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: int


class Picture(Record, tag="picture"):
    """Drawn, and said in words for who does not see it."""

    svg: str
    words: str


class Section(Record):
    """A heading, and what is under it."""

    title: str
    blocks: Sequence[Facts | Text | Lines | Entry | Table | Picture]
    eyebrow: str = ""


class Document(Record):
    """What is to be printed."""

    title: str
    about: str
    """What it is of, when, and by whom: at its head, and at the foot of every page."""
    tags: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def compile_(document: Document, *, at: datetime) -> bytes:
    """The document as PDF, dated. The same at the same moment, byte for byte."""
    found = _each_text(msgspec.to_builtins(document), lambda text: readable(plain(text)))
    return typst.compile(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=[],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"document": msgspec.json.encode(found).decode()},
        pdf_standards=["a-2a"],
        timestamp=int(at.timestamp()),
    )


def readable(text: str) -> str:
    """Text in letters that can be printed: 白 is "Bai [U+767D]"."""
    return _NO_LETTER_OF_OURS.sub(_in_latin_letters, text)


def _in_latin_letters(found: re.Match[str]) -> str:
    numbers = " ".join(f"U+{ord(character):04X}" for character in found[0])
    return f"{anyascii(found[0])} [{numbers}]"


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same, with every text in it changed, but for those of pictures, which are changed where they are drawn."""
    match value:
        case str():
            return change(value)
        case dict():
            return {name: one if name == "svg" else _each_text(one, change) for name, one in value.items()}
        case list() | tuple():
            return [_each_text(one, change) for one in value]
        case _:
            return value
