"""Pages from templates: everything that is put into them is escaped, and nothing is fetched from elsewhere."""

import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from libs.common import ids
from libs.common.money import SCALES, format_amount, in_dollars
from services.compliance.queries import COUNTED_MAX

FOLDER = Path(__file__).parent
STATIC_PATH = "/desk/static"
STATIC_SECONDS = 31_536_000
"""What has a hash in its address never changes."""

LIGHT = """
text { font-family: "DejaVu Sans Mono"; font-size: 11px; fill: #5a6778; } .axis { stroke: #5a6778; }
.tick-line { stroke: #e0e5ec; } .in { fill: #17694a; } .out { fill: #2451c7; }
.flow { fill: none; stroke: #5a6778; stroke-opacity: 0.55; } marker path { fill: #5a6778; }
.pending { stroke: #855200; stroke-dasharray: 5 4; } text.pending { fill: #855200; stroke: none; }
.node rect { fill: #ffffff; stroke: #c3ccd8; } .node text { fill: #17202e; }
.node .amount { fill: #5a6778; font-size: 10px; }
.hop-0 rect { fill: #e8eefc; stroke: #2451c7; } .doubted rect { fill: #fce7e8; stroke: #a6222c; }
"""
"""The style sheet's colours on a light page, for pictures away from it."""

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SHOWN = frozenset("\u200c\u200d\n")
"""Invisible, but part of how Persian and Indian names are written; and the lines of a note."""


def page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    """A page. Raises jinja2's errors for templates that name what they were not given."""
    return HTMLResponse(_environment().get_template(template).render(**values), status)


def page_part(template: str, macro: str, *values: Any) -> str:
    """A part of a page, by one of the macros that pages are made of."""
    return str(getattr(_environment().get_template(template).module, macro)(*values))


def picture(macro: str, *values: Any) -> str:
    """A picture (SVG) that stands alone, as it looks on a light page."""
    return page_part("pictures.html", macro, *values, LIGHT)


def error_page(status: HTTPStatus, detail: str, *, home: str = "/desk") -> Response:
    """What went wrong, and where to go on: `home` is where somebody's day begins."""
    return page("error.html", status=status, title=status.phrase, detail=detail, home=home, person=None)


def static_file(name: str) -> Response | None:
    """A file of the desk's own, or None."""
    found = _static_files().get(name)
    if found is None:
        return None
    return Response(
        found,
        media_type=_MEDIA_TYPES[Path(name).suffix],
        headers={"Cache-Control": f"public, max-age={STATIC_SECONDS}, immutable"},
    )


def style_sheet() -> str:
    """The desk's own, for what is to be read away from it."""
    return _static_files()["desk.css"].decode()


@cache
def _static_files() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in (FOLDER / "static").iterdir() if path.suffix in _MEDIA_TYPES}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": plain,
        "amount": amount,
        "moment": moment,
        "moment_with_seconds": moment_with_seconds,
        "day": day,
        "words": words,
        "short_id": short_id,
        "is_id": ids.is_id,
        "counted": counted,
        "dollars": dollars,
        "size": size,
        "parameter": parameter,
        "parameter_name": parameter_name,
    }
    environment.globals["static"] = _static_address
    return environment


def _static_address(name: str) -> str:
    return f"{STATIC_PATH}/{name}?v={hashlib.sha256(_static_files()[name]).hexdigest()[:12]}"


def plain(text: str) -> str:
    """Text without characters that would hide or turn around what stands beside it."""
    return "".join(
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cf") and character not in _SHOWN else character
        for character in text
    )


def amount(amount_minor: int, currency: str) -> str:
    """1234567 of EUR is "12,345.67 EUR"."""
    if currency not in SCALES:
        return f"{amount_minor} {currency}"
    whole, point, fraction = format_amount(amount_minor, currency).partition(".")
    return f"{int(whole):,}{point}{fraction} {currency}"


def dollars(cents: int) -> str:
    """1234567 is "$12,345": what is shown beside others need not be exact to the cent."""
    return f"${cents // 100:,}"


def size(length_bytes: int) -> str:
    """1536 is "1.5 KB"."""
    return f"{length_bytes} bytes" if length_bytes < 1024 else f"{length_bytes / 1024:,.1f} KB"


def parameter(value: bool | int | str, name: str) -> str:
    """What a scenario's parameter says: cents as dollars, exactly."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int) or "_cents" not in name:
        return str(value)
    return in_dollars(value)


def parameter_name(name: str) -> str:
    """`inflow_cents_min` is "Inflow min"."""
    return words(name.replace("_cents", "")).removeprefix("is ").capitalize()


def counted(count: int) -> str:
    return f"{count:,}" if count < COUNTED_MAX else f"{COUNTED_MAX:,}+"


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def moment_with_seconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S")


def day(on: date) -> str:
    return on.strftime("%-d %b %Y")


def words(value: str) -> str:
    """A member of a closed list as a person reads it."""
    return value.replace("_", " ")


def short_id(id_: str) -> str:
    """The end of an id: enough to tell cases apart on a page."""
    return id_[-8:]
