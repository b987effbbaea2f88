"""Reasons: texts with names in braces, whose values are filled in when the rule has fired. Pure.

A template is taken apart when the rulebook is read, and never given to Python's own formatting: a
name in braces is a name and nothing else, and its format one of the few below.
"""

import math
import re
from collections.abc import Callable, Sequence
from string import Formatter

from libs.common.record import Record
from services.fraud.domain.rulebook.bounds import NUMBER_MAX, REASON_LENGTH_MAX
from services.fraud.domain.rulebook.faults import quoted, suggestion
from services.fraud.domain.rulebook.fields import Kind
from services.fraud.domain.rulebook.names import Names
from services.fraud.domain.rulebook.terms import described

MISSING = "unknown"
_FORMAT = re.compile(r"(0[1-9])?,?(\.[0-6][f%])?")
"""Width with zeros in front, thousands apart, and decimals or percents: 02 or ,.2f or .0%"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Slot(Record):
    """A name in braces, and how its value is to be shown."""

    name: str
    format: str = ""


class Template(Record):
    """A reason, taken apart."""

    text: str
    parts: tuple[str | Slot, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of fields and lets in it."""
        return tuple(part.name for part in self.parts if isinstance(part, Slot))


def parse(text: str, names: Names, complain: Callable[[int, str], None]) -> Template:
    """A reason taken apart. What's wrong with it is told to `complain`, with how many characters into the text."""
    parts: list[str | Slot] = []
    start = -1
    try:
        for words, name, form, conversion in Formatter().parse(text):
            parts.append(words)
            if name is not None:
                slot = Slot(name=name, format=f"!{conversion}" if conversion else form or "")
                parts.append(slot)
                start = text.find("{" + name, start + 1)
                if fault := _fault(slot, names):
                    complain(start, fault)
    except ValueError:
        complain(0, "A brace is left open or alone in this reason. Write {{ or }} for a brace itself.")
    return Template(text=text, parts=tuple(parts))


def _fault(slot: Slot, names: Names) -> str | None:
    """What's wrong with a name in braces, or its format."""
    if not _NAME.fullmatch(slot.name):
        return "Only the name of a field or a let can stand in braces, and behind a colon its format."
    if slot.name not in names.known():
        return f"There is no field and no let {quoted(slot.name)} to show.{suggestion(slot.name, names.known())}"
    if not _FORMAT.fullmatch(slot.format):
        return "A number's format is like 02 or ,.2f or .1f or .0%, and nothing else has one."
    term = names.value(slot.name)
    if slot.format and term is not None and term.kind is not Kind.NUMBER:
        return f"Only numbers have a format, and {slot.name} is {described(term)}."
    return None


def render(template: Template, values: dict[str, object]) -> str:
    """The reason with its values."""
    shown = (part if isinstance(part, str) else show(values[part.name], part.format) for part in template.parts)
    text = "".join(shown)
    return text if len(text) <= REASON_LENGTH_MAX else text[: REASON_LENGTH_MAX - 1] + "…"


def show(value: object, form: str = "") -> str:
    """A value as a person reads it, whatever it is."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value, form) if isinstance(value, int | float) else str(value)


def as_float(value: float) -> float:
    """A number as a float: an infinite one if it is larger than those can be."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, 1 if value > 0 else -1)


def _number(value: float, form: str) -> str:
    number = as_float(value)
    if math.isnan(number):
        return MISSING
    if math.isinf(number) or form.endswith(("f", "%")):
        return format(number, form) if math.isfinite(number) else str(number)
    if abs(number) > NUMBER_MAX or 0 < abs(number) < 0.01:
        return f"{number:.2g}"
    return format(int(number) if number.is_integer() else round(number, 2), form)


def names_in(templates: Sequence[Template]) -> tuple[str, ...]:
    """All names that some templates show, each once."""
    return tuple(dict.fromkeys(name for template in templates for name in template.names))
