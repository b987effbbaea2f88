"""Writes a term as Python. Pure.

Names of the rulebook never get into it: fields are f0, f1…, lets are l0, l1…, and what has to be kept for
a moment is t0, t1…; texts go through repr. So nothing that an analyst writes is ever run.

A missing value is None, and Python can't compare that. So a term is written in two parts:

    debtor_average_30d * 3      guards: f1 is not None      bare: (f1 * 3.0)
    ratio(amount, f1)           guards: f1 is not None, f1 != 0      bare: (f0 / f1)

What is compared is joined to its guards by `and`: then it is false where something is missing.
"""

from collections.abc import Callable

from libs.common.record import Record
from services.fraud.domain.rulebook.terms import Applied, Constant, FieldValue, LetValue, Term


class Code(Record):
    """A term in Python. Each part may stand in a source once only, the guards before the value."""

    guards: tuple[str, ...] = ()
    """What must be true for the value to be there."""
    bare: str

    @property
    def value(self) -> str:
        """The value, or None if it is missing."""
        if self.guards in ((), (f"{self.bare} is not None",)):
            return self.bare
        return f"({self.bare} if {' and '.join(self.guards)} else None)"

    @property
    def condition(self) -> str:
        """The value of a flag, where a missing one counts as not set."""
        return f"({' and '.join((*self.guards, self.bare))})" if self.guards else self.bare


class CodeWriter:
    """Writes terms of one function: it knows what its variables are called."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = {name: f"f{place}" for place, name in enumerate(fields)}
        self.lets: dict[str, Code] = {}
        self._temporaries = 0

    def write(self, term: Term) -> Code:
        match term:
            case Constant(value=value):
                return Code(bare=_literal(value))
            case FieldValue(name=name):
                return variable(self.fields[name], term)
            case LetValue(name=name):
                return self.lets[name]
            case Applied(operator=operator):
                return _WRITERS[operator](self, term)
        raise TypeError(term)

    def _infix(self, term: Applied) -> Code:
        left, right = self._all(term)
        sign = _PYTHON.get(term.operator, term.operator)
        return Code(guards=_guards(left, right), bare=f"({left.bare} {sign} {right.bare})")

    def _compared(self, term: Applied) -> Code:
        return _flag(self._infix(term))

    def _minus(self, term: Applied) -> Code:
        if len(term.operands) == 2:
            return self._infix(term)
        operand = self.write(term.operands[0])
        return Code(guards=operand.guards, bare=f"(-{operand.bare})")

    def _function(self, term: Applied) -> Code:
        operands = self._all(term)
        return Code(guards=_guards(*operands), bare=f"{term.operator}({', '.join(one.bare for one in operands)})")

    def _ratio(self, term: Applied) -> Code:
        above, below = self._all(term)
        if isinstance(term.operands[1], Constant) and term.operands[1].value:
            return Code(guards=above.guards, bare=f"({above.bare} / {below.bare})")
        name, first = self._kept(below.bare)
        return Code(guards=(*_guards(above, below), f"{first} != 0"), bare=f"({above.bare} / {name})")

    def _between(self, term: Applied) -> Code:
        value, low, high = (self.write(operand) for operand in term.operands)
        bare = f"({low.bare} <= {value.bare} <= {high.bare})"
        return _flag(Code(guards=_guards(value, low, high), bare=bare))

    def _among(self, term: Applied) -> Code:
        value, *choices = self._all(term)
        listed = ", ".join(choice.value for choice in choices)
        return _flag(Code(guards=value.guards, bare=f"({value.bare} in ({listed},))"))

    def _joined(self, term: Applied) -> Code:
        conditions = (operand.condition for operand in self._all(term))
        return Code(bare=f"({f' {term.operator} '.join(conditions)})")

    def _not(self, term: Applied) -> Code:
        return Code(bare=f"(not {self.write(term.operands[0]).condition})")

    def _known(self, term: Applied) -> Code:
        guards = self.write(term.operands[0]).guards
        return Code(bare=f"({' and '.join(guards)})" if guards else "True")

    def _missing(self, term: Applied) -> Code:
        return Code(bare=f"(not {self._known(term).bare})")

    def _on(self, term: Applied) -> Code:
        lists, name = self._all(term)
        return _flag(Code(guards=lists.guards, bare=f"({name.bare} in {lists.bare})"))

    def _choice(self, term: Applied) -> Code:
        condition, yes, no = self._all(term)
        chosen = f"({yes.value} if {condition.condition} else {no.value})"
        if not term.can_be_missing:
            return Code(bare=chosen)
        name, first = self._kept(chosen)
        return Code(guards=(f"{first} is not None",), bare=name)

    def _kept(self, code: str) -> tuple[str, str]:
        """A name for a value that is needed twice, and the code that stands at the first of them."""
        if code.isidentifier():
            return code, code
        name = f"t{self._temporaries}"
        self._temporaries += 1
        return name, f"({name} := {code})"

    def _all(self, term: Applied) -> list[Code]:
        return [self.write(operand) for operand in term.operands]


def variable(name: str, term: Term) -> Code:
    """A term that is kept in a variable."""
    return Code(guards=(f"{name} is not None",) if term.can_be_missing else (), bare=name)


def _flag(code: Code) -> Code:
    """What is compared, which is never missing: false where something in it is."""
    return Code(bare=code.condition)


def _guards(*codes: Code) -> tuple[str, ...]:
    """The guards of some terms, each once."""
    return tuple(dict.fromkeys(guard for code in codes for guard in code.guards))


def _literal(value: float | str | bool) -> str:
    """A fixed value. In brackets, as `-5.0` is an operation to Python."""
    return f"({value!r})" if isinstance(value, int | float) and value < 0 else repr(value)


_PYTHON = {"=": "=="}
"""Operators that Python writes otherwise."""

_WRITERS: dict[str, Callable[[CodeWriter, Applied], Code]] = {
    **dict.fromkeys(("+", "*", "/"), CodeWriter._infix),
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">="), CodeWriter._compared),
    **dict.fromkeys(("and", "or"), CodeWriter._joined),
    **dict.fromkeys(("min", "max", "abs"), CodeWriter._function),
    "-": CodeWriter._minus,
    "not": CodeWriter._not,
    "ratio": CodeWriter._ratio,
    "between": CodeWriter._between,
    "in": CodeWriter._among,
    "on": CodeWriter._on,
    "known": CodeWriter._known,
    "missing": CodeWriter._missing,
    "if": CodeWriter._choice,
}
