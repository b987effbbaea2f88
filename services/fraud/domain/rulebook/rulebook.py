"""Rulebooks: what analysts write, compiled to what judges payments. Pure.

    text ─ parsing → syntax ─ checking → terms ─ generating → Rulebook
             └──────── faults, each with its place ────────┘

The language is explained in docs/rules.md.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum

from libs.common.record import Record
from services.fraud.domain.rulebook import reasons
from services.fraud.domain.rulebook.bounds import FILE_BYTES_MAX
from services.fraud.domain.rulebook.checking import CheckedBook, CheckedRule, check
from services.fraud.domain.rulebook.faults import Faults, RulebookFaulty
from services.fraud.domain.rulebook.fields import Catalogue
from services.fraud.domain.rulebook.generating import Functions, Values, fields_of, generate
from services.fraud.domain.rulebook.names import Names
from services.fraud.domain.rulebook.parsing import parse
from services.fraud.domain.rulebook.terms import Term

_VERSION_LENGTH = 12


class Action(StrEnum):
    """What a rule does when it fires."""

    SCORE = "score"
    """Evidence, which adds up."""
    REVIEW = "review"
    """A person has a look, whatever the score."""
    BLOCK = "block"
    """The advice is to block, whatever else is found."""
    ALLOW = "allow"
    """It may go on, whatever the score and the reviews, unless a rule blocks it."""


class Rule(Record):
    """One rule, as it can be shown."""

    name: str
    meaning: str
    action: Action
    score: float
    """The chance, roughly, that a payment with nothing else against it is fraud; 0 but for evidence."""
    fields: tuple[str, ...]
    """What it goes by, directly or through lets, in the catalogue's order."""
    source: str
    """Its definition, as it is written."""
    line: int
    reason: reasons.Template


class Thresholds(Record):
    """From which scores on something is done."""

    review: float
    block: float


class Rulebook(Record):
    """All rules of a file, ready to judge."""

    version: str
    """Of the exact text: the first twelve hexadecimal digits of its SHA-256."""
    text: str
    thresholds: Thresholds
    rules: tuple[Rule, ...]
    fields: tuple[str, ...]
    """The fields it needs, in the catalogue's order: what the values it judges by stand in."""
    functions: Functions
    shown: tuple[str, ...]
    """What the reasons show, in the order in which `functions.shown` gives the values."""


def compile_rulebook(text: str, catalogue: Catalogue) -> Rulebook:
    """A rulebook, ready to judge. Raises RulebookFaulty."""
    faults = Faults()
    encoded = text.encode(errors="surrogatepass")
    if len(encoded) > FILE_BYTES_MAX:
        faults.add(1, 1, f"A rulebook has at most {FILE_BYTES_MAX:,} bytes, and this one {len(encoded):,}.")
        raise RulebookFaulty(faults.sorted())
    book = parse(text, faults)
    # What could not be read would be missed everywhere: told are those faults alone.
    checked = None if faults.sorted() else check(book, catalogue, faults)
    if checked is None:
        raise RulebookFaulty(faults.sorted())
    return _rulebook(text, hashlib.sha256(encoded).hexdigest()[:_VERSION_LENGTH], checked, catalogue)


def _rulebook(text: str, version: str, book: CheckedBook, catalogue: Catalogue) -> Rulebook:
    shown = _shown_terms(book, catalogue)
    conditions = [rule.condition for rule in book.rules]
    fields = _in_order(fields_of([*conditions, *shown.values()], book.lets), catalogue)
    return Rulebook(
        version=version,
        text=text,
        thresholds=Thresholds(review=book.review, block=book.block),
        rules=tuple(_rule(rule, shown, book, catalogue) for rule in book.rules),
        fields=fields,
        functions=generate(book.lets, conditions, [*shown.values()], fields),
        shown=tuple(shown),
    )


def _rule(rule: CheckedRule, shown: Mapping[str, Term], book: CheckedBook, catalogue: Catalogue) -> Rule:
    terms = [rule.condition, *(shown[name] for name in rule.reason.names)]
    return Rule(
        name=rule.written.name,
        meaning=rule.written.meaning.value,
        action=Action(rule.written.action.word),
        score=rule.written.action.score,
        fields=_in_order(fields_of(terms, book.lets), catalogue),
        source=rule.written.source,
        line=rule.written.line,
        reason=rule.reason,
    )


def _shown_terms(book: CheckedBook, catalogue: Catalogue) -> dict[str, Term]:
    """What the reasons show, by name."""
    names = Names(catalogue, Faults())
    names.lets.update(book.lets)
    found = {name: names.value(name) for name in reasons.names_in([rule.reason for rule in book.rules])}
    return {name: term for name, term in found.items() if term is not None}


def _in_order(fields: set[str], catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(name for name in catalogue if name in fields)


def fired(rulebook: Rulebook, values: Values) -> Sequence[tuple[Rule, str]]:
    """The rules that fire on these values, in the order of the file, each with its reason. Never raises.

    Values stand in the order of `rulebook.fields`, and are of the kinds that the catalogue says.
    """
    places = rulebook.functions.fired(values)
    if not places:
        return ()
    shown = dict(zip(rulebook.shown, rulebook.functions.shown(values), strict=True))
    found = [rulebook.rules[place] for place in places]
    return [(rule, reasons.render(rule.reason, shown)) for rule in found]
