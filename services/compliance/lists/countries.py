"""Countries as lists write them, to two-letter codes (ISO 3166-1; the names are those of the UN and of OFAC)."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path


def country_codes(names: Iterable[str]) -> tuple[str, ...]:
    """The codes of the countries that are known here, each once. What is no country is passed over."""
    found = (country_code(name) for name in names)
    return tuple(dict.fromkeys(code for code in found if code is not None))


def country_code(name: str) -> str | None:
    """The code of a country by any of its names, or by itself; or None."""
    return _codes().get(name.strip().casefold())


def country_name(code: str) -> str:
    """The usual name of a country; an unknown code stands for itself."""
    return _names().get(code, code)


@cache
def _rows() -> tuple[tuple[str, ...], ...]:
    text = (Path(__file__).parent / "countries.csv").read_text(encoding="utf-8")
    return tuple(tuple(line.split(";")) for line in text.splitlines())


@cache
def _codes() -> dict[str, str]:
    return {name.casefold(): code for code, *names in _rows() for name in (code, *names)}


@cache
def _names() -> dict[str, str]:
    return {code: names[0] for code, *names in _rows()}
