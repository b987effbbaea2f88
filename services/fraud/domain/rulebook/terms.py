"""Expressions whose names are known and whose types fit: what Python is written from. Pure."""

from libs.common.record import Record
from services.fraud.domain.rulebook.fields import Kind


class Term(Record):
    kind: Kind
    can_be_missing: bool = False
    symbols: tuple[str, ...] = ()
    """Of a symbol: the words that it is one of."""


class Constant(Term):
    value: float | str | bool


class FieldValue(Term):
    name: str


class LetValue(Term):
    name: str


class Applied(Term):
    """An operator or a function, named as it is written; what it is applied to has been checked."""

    operator: str
    operands: tuple[Term, ...]


def described(term: Term) -> str:
    """What a term is, as an analyst calls it."""
    match term.kind:
        case Kind.NUMBER:
            return "a number"
        case Kind.FLAG:
            return "true or false"
        case Kind.TEXT:
            return "a text"
        case Kind.SYMBOL:
            return f"one of the words {', '.join(term.symbols[:8])}{'…' if len(term.symbols) > 8 else ''}"
    return "a set of lists"
