"""Works out what is fixed already when a rulebook is read. Pure."""

import operator as python
from collections.abc import Callable, Mapping

from services.fraud.domain.rulebook.terms import Constant, Term

_FIXED: Mapping[str, Callable[..., float]] = {
    "+": python.add, "-": python.sub, "*": python.mul, "/": python.truediv,
    "min": min, "max": max, "abs": abs, "ratio": python.truediv,
}  # fmt: skip


def folded(operator: str, operands: tuple[Term, ...]) -> float | None:
    """The value of a calculation with fixed numbers; None if one isn't fixed, or it can only be missing."""
    values = [operand.value for operand in operands if isinstance(operand, Constant)]
    if len(values) < len(operands) or (operator == "ratio" and values[1] == 0):
        return None
    if operator == "-" and len(values) == 1:
        return -float(values[0])
    return _FIXED[operator](*values)
