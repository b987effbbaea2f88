"""Checks expressions: what their names stand for, whether their types fit, which numbers are fixed. Pure.

A missing value makes arithmetic missing and every comparison false; so only numbers, texts, symbols and
flags that are fields can be missing, and what was compared, or joined by and, or and not, never is.
"""

from collections.abc import Callable

from services.fraud.domain.rulebook import syntax
from services.fraud.domain.rulebook.bounds import CHOICES_MAX, NESTING_MAX, NUMBER_MAX, TEXT_LENGTH_MAX
from services.fraud.domain.rulebook.faults import Faults, listed, quoted, suggestion
from services.fraud.domain.rulebook.fields import Kind
from services.fraud.domain.rulebook.folding import folded
from services.fraud.domain.rulebook.names import Names, Words
from services.fraud.domain.rulebook.terms import Applied, Constant, Term, described

_ARITHMETIC, _LOGIC, _ORDER = ("+", "-", "*", "/"), ("and", "or", "not"), ("<", "<=", ">", ">=")
_FUNCTIONS = {"min": (2, CHOICES_MAX), "max": (2, CHOICES_MAX), "abs": (1, 1), "ratio": (2, 2)}
"""Each with how many arguments it takes, at least and at most."""

_Check = Callable[["Expressions", syntax.Operation, Words], Term | None]


class Expressions:
    """Turns what is written into terms. A fault makes it None, and is told once."""

    def __init__(self, names: Names, faults: Faults) -> None:
        self._names, self._faults = names, faults

    def condition(self, node: syntax.Expression) -> Term | None:
        """An expression that has to be true or false."""
        term = self.term(node)
        if term is not None and term.kind is not Kind.FLAG:
            return self._fault(node, f"A condition must be true or false, and this is {described(term)}.")
        return term

    def term(self, node: syntax.Expression, words: Words = ()) -> Term | None:
        """Any expression, where these symbols may stand."""
        match node:
            case syntax.Literal():
                return self._literal(node, words)
            case syntax.Name():
                return self._names.resolve(node, words)
            case syntax.On():
                lists = self._names.resolve_list(node)
                return Applied(kind=Kind.FLAG, operator="on", operands=lists) if lists else None
            case syntax.Call():
                return self._call(node)
            case syntax.Operation():
                return _CHECKS[node.operator](self, node, words)
        return self._fault(node, f"This nests deeper than {NESTING_MAX} operations. A let can hold a part of it.")

    def _literal(self, node: syntax.Literal, words: Words) -> Term | None:
        if isinstance(node.value, bool):
            return Constant(kind=Kind.FLAG, value=node.value)
        if isinstance(node.value, float):
            return self._number(node, node.value)
        if len(node.value) > TEXT_LENGTH_MAX:
            return self._fault(node, f"A text has at most {TEXT_LENGTH_MAX} characters.")
        if words and node.value not in words:
            return self._fault(node, f"{quoted(node.value)} is none of {listed(words)}.{suggestion(node.value, words)}")
        return Constant(kind=Kind.SYMBOL if words else Kind.TEXT, symbols=words, value=node.value)

    def _number(self, node: syntax.Expression, value: float) -> Term | None:
        if abs(value) > NUMBER_MAX:
            return self._fault(node, f"A number can't be larger than {NUMBER_MAX:,.0f}.")
        return Constant(kind=Kind.NUMBER, value=value)

    def _call(self, node: syntax.Call) -> Term | None:
        if node.function not in _FUNCTIONS:
            near = suggestion(node.function, _FUNCTIONS) or f" There are {listed(_FUNCTIONS, 'and')}."
            return self._fault(node, f"There is no function {quoted(node.function)}.{near}")
        least, most = _FUNCTIONS[node.function]
        if not least <= len(node.arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            return self._fault(node, f"{node.function} takes {wanted} values, not {len(node.arguments)}.")
        operands = self._numbers(node.function, node.arguments)
        return self._calculated(node, node.function, operands) if operands else None

    def _arithmetic(self, node: syntax.Operation, _: Words) -> Term | None:
        operands = self._numbers(node.operator, node.operands)
        if operands is None:
            return None
        if node.operator == "/" and not (isinstance(operands[1], Constant) and operands[1].value):
            return self._fault(
                node,
                "“/” divides by fixed numbers other than 0 only. ratio(a, b) divides by anything: by 0, it is missing.",
            )
        return self._calculated(node, node.operator, operands)

    def _calculated(self, node: syntax.Expression, operator: str, operands: tuple[Term, ...]) -> Term | None:
        value = folded(operator, operands)
        if value is not None:
            return self._number(node, value)
        can_be_missing = operator == "ratio" or any(operand.can_be_missing for operand in operands)
        return Applied(kind=Kind.NUMBER, operator=operator, operands=operands, can_be_missing=can_be_missing)

    def _logic(self, node: syntax.Operation, _: Words) -> Term | None:
        return _flag(node, self._all([self.condition(operand) for operand in node.operands]))

    def _known(self, node: syntax.Operation, _: Words) -> Term | None:
        return _flag(node, self._all([self.term(node.operands[0])]))

    def _order(self, node: syntax.Operation, _: Words) -> Term | None:
        return _flag(node, self._numbers(node.operator, node.operands))

    def _equality(self, node: syntax.Operation, _: Words) -> Term | None:
        words = next(filter(None, map(self._names.words_of, node.operands)), ())
        if len(node.operands) > CHOICES_MAX:
            return self._fault(node, f"At most {CHOICES_MAX} values can stand in one list.")
        operands = self._all([self.term(operand, words) for operand in node.operands])
        return _flag(node, operands) if operands and self._alike(node, operands) else None

    def _choice(self, node: syntax.Operation, words: Words) -> Term | None:
        words = words or self._names.words_of(node)
        condition = self.condition(node.operands[0])
        branches = self._all([self.term(branch, words) for branch in node.operands[1:]])
        if condition is None or branches is None or not self._alike(node, branches):
            return None
        yes, no = branches
        return Applied(
            kind=yes.kind, symbols=yes.symbols, can_be_missing=yes.can_be_missing or no.can_be_missing,
            operator="if", operands=(condition, yes, no),
        )  # fmt: skip

    def _alike(self, node: syntax.Operation, terms: tuple[Term, ...]) -> bool:
        """Whether all are of one type; says so if not."""
        first = terms[0]
        other = next((term for term in terms[1:] if (term.kind, term.symbols) != (first.kind, first.symbols)), None)
        if other is not None:
            needed = "Both branches of if" if node.operator == "if" else f"What “{node.operator}” compares"
            self._fault(node, f"{needed} must be of one type, not {described(first)} and {described(other)}.")
        return other is None

    def _numbers(self, operator: str, nodes: tuple[syntax.Expression, ...]) -> tuple[Term, ...] | None:
        terms = [self.term(node) for node in nodes]
        for node, term in zip(nodes, terms, strict=True):
            if term is not None and term.kind is not Kind.NUMBER:
                self._fault(node, f"“{operator}” needs numbers, and this is {described(term)}.")
        return self._all([term if term is None or term.kind is Kind.NUMBER else None for term in terms])

    def _all(self, terms: list[Term | None]) -> tuple[Term, ...] | None:
        """All terms, if none has a fault."""
        sound = tuple(term for term in terms if term is not None)
        return sound if len(sound) == len(terms) else None

    def _fault(self, node: syntax.Node, message: str) -> Term | None:
        """Tell a fault; what has one stands for nothing."""
        self._faults.add(node.line, node.column, message)
        return None


def _flag(node: syntax.Operation, operands: tuple[Term, ...] | None) -> Term | None:
    return Applied(kind=Kind.FLAG, operator=node.operator, operands=operands) if operands else None


_CHECKS: dict[str, _Check] = {
    **dict.fromkeys(_ARITHMETIC, Expressions._arithmetic),
    **dict.fromkeys(_LOGIC, Expressions._logic),
    **dict.fromkeys((*_ORDER, "between"), Expressions._order),
    **dict.fromkeys(("=", "!=", "in"), Expressions._equality),
    **dict.fromkeys(("known", "missing"), Expressions._known),
    "if": Expressions._choice,
}
