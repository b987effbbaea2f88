"""Any rulebook there can be, any values, and what it means: worked out anew for each value, without compiling."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from services.fraud.domain.rulebook import syntax
from services.fraud.domain.rulebook.fields import Kind
from tests.unit.fraud.catalogue import CATALOGUE, HEAD

_OF = {kind: [name for name, field in CATALOGUE.items() if field.kind is kind] for kind in Kind}
_DEPTH_MAX = 4
_CHANNELS = CATALOGUE["channel"].symbols
_ENTITIES = [name.removesuffix("_lists") for name in _OF[Kind.LISTS]]
_TEXT = st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=6)


@st.composite
def rulebooks(draw: st.DrawFn) -> str:
    """The text of a rulebook without faults."""
    lets: dict[str, Kind] = {}
    lines = [HEAD]
    for place in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from([Kind.NUMBER, Kind.FLAG, Kind.TEXT]))
        lines.append(f"let x{place} = {_expression(draw, kind, lets)}")
        lets[f"x{place}"] = kind
    for place in range(draw(st.integers(1, 4))):
        shown = draw(st.sampled_from([*_OF[Kind.NUMBER], *_OF[Kind.TEXT], *lets]))
        condition = _expression(draw, Kind.FLAG, lets)
        action = draw(st.sampled_from(["score 0", "score 0.7", "review", "block", "allow"]))
        lines.append(f'rule r{place} "So." when {condition} {action} because "{{{shown}}} and {{amount:.1f}}"')
    return "\n".join([*lines[:1], *reversed(lines[1:])])


def _expression(draw: st.DrawFn, kind: Kind, lets: Mapping[str, Kind], depth: int = 0) -> str:
    """An expression of a kind, as it is written."""
    if depth == _DEPTH_MAX or draw(st.integers(0, 3)) < depth:
        names = [*_OF[kind], *(name for name, of in lets.items() if of is kind)]
        return draw(st.sampled_from(names)) if draw(st.booleans()) else draw(_LITERALS[kind])
    form: str
    form, *kinds = draw(st.sampled_from(_FORMS[kind]))
    return "(" + form.format(*(_expression(draw, inner, lets, depth + 1) for inner in kinds)) + ")"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_LITERALS: dict[Kind, st.SearchStrategy[str]] = {
    Kind.FLAG: st.sampled_from(["true", "false"]),
    Kind.NUMBER: st.one_of(st.integers(0, 3).map(str), st.integers(0, 9_999).map(lambda cents: f"{cents / 4:.2f}")),
    Kind.TEXT: _TEXT.map(_quoted),
}
_NUMBER, _FLAG, _TEXTUAL = Kind.NUMBER, Kind.FLAG, Kind.TEXT
_Form = tuple[Any, ...]
_FORMS: dict[Kind, list[_Form]] = {
    _NUMBER: [
        *((form, _NUMBER, _NUMBER) for form in ("{} + {}", "{} - {}", "{} * {}", "min({}, {})", "ratio({}, {})")),
        *((form, _NUMBER) for form in ("{} / 4", "-{}", "abs({})")),
        ("max({}, {}, {})", _NUMBER, _NUMBER, _NUMBER),
        ("if {} then {} else {}", _FLAG, _NUMBER, _NUMBER),
    ],
    _TEXTUAL: [("if {} then {} else {}", _FLAG, _TEXTUAL, _TEXTUAL)],
    _FLAG: [
        *((f"{{}} {operator} {{}}", _NUMBER, _NUMBER) for operator in ("<", "<=", ">", ">=", "=", "!=")),
        *((f"{{}} {operator} {{}}", _FLAG, _FLAG) for operator in ("and", "or", "=", "!=")),
        *((f"{{}} {operator} {{}}", _TEXTUAL, _TEXTUAL) for operator in ("=", "!=")),
        *((f"{{}} is {asked}", kind) for asked in ("known", "missing") for kind in (_NUMBER, _TEXTUAL, _FLAG)),
        *((form, _NUMBER, _NUMBER, _NUMBER) for form in ("{} between {} and {}", "{} in ({}, {})")),
        ("{} in ({}, {})", _TEXTUAL, _TEXTUAL, _TEXTUAL),
        ("{} or {} or {}", _FLAG, _FLAG, _FLAG),
        ("not {}", _FLAG),
        ("if {} then {} else {}", _FLAG, _FLAG, _FLAG),
        *((f"channel {operator} {word}",) for operator in ("=", "!=") for word in _CHANNELS),
        *((f"{entity} on {name}",) for entity in _ENTITIES for name in ("blocked", "seen")),
    ],
}


def payments(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Values of all fields."""
    of_kind: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.NUMBER: numbers,
        Kind.FLAG: st.booleans(),
        Kind.TEXT: st.text(max_size=8),
        Kind.SYMBOL: st.sampled_from(_CHANNELS),
        Kind.LISTS: st.frozensets(st.sampled_from(["blocked", "seen"])),
    }
    perhaps = {kind: st.one_of(st.none(), strategy) for kind, strategy in of_kind.items()}
    return st.fixed_dictionaries(
        {name: (perhaps if field.can_be_missing else of_kind)[field.kind] for name, field in CATALOGUE.items()}
    )


class Meaning:
    """What expressions mean, straight from how they're written."""

    def __init__(self, book: syntax.Book, known: Mapping[str, Any]) -> None:
        self._lets = {let.name: let.expression for let in book.lets}
        self._known = known

    def of(self, node: syntax.Expression) -> Any:
        match node:
            case syntax.Literal(value=value):
                return value
            case syntax.On(entity=entity, list_name=name):
                return name in self._known[f"{entity}_lists"]
            case syntax.Name(name=name) if name in self._lets:
                return self.of(self._lets[name])
            case syntax.Name(name=name):
                return self._known.get(name, name)
            case syntax.Call(function=function, arguments=arguments):
                return _called(function, [self.of(argument) for argument in arguments])
            case syntax.Operation(operator="if", operands=(condition, yes, no)):
                return self.of(yes) if self.of(condition) else self.of(no)
            case syntax.Operation(operator=operator, operands=operands):
                return _applied(operator, [self.of(operand) for operand in operands])
        raise TypeError(node)


def _applied(operator: str, parts: list[Any]) -> Any:
    match operator:
        case "and":
            return all(parts)
        case "or":
            return any(parts)
        case "not":
            return not parts[0]
        case "known" | "missing":
            return (parts[0] is None) is (operator == "missing")
        case "in":
            return parts[0] is not None and parts[0] in [part for part in parts[1:] if part is not None]
        case "+" | "-" | "*" | "/":
            return None if None in parts else _calculated(operator, *parts)
    return None not in parts and _compared(operator, *parts)


def _calculated(operator: str, left: float, right: float | None = None) -> float:
    if right is None:
        return -left
    return {"+": left + right, "-": left - right, "*": left * right, "/": operator == "/" and left / right}[operator]


def _compared(operator: str, left: Any, right: Any, high: Any = None) -> bool:
    if operator == "between":
        return bool(right <= left <= high)
    if operator in ("=", "!="):
        return (left == right) is (operator == "=")
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


def _called(function: str, parts: list[Any]) -> Any:
    if None in parts or (function == "ratio" and parts[1] == 0):
        return None
    if function == "ratio":
        return parts[0] / parts[1]
    return {"min": min, "max": max, "abs": abs}[function](*parts)  # type: ignore[operator]
