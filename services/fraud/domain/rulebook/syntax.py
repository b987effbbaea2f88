"""A rulebook as it is written: its statements and expressions, each with its place in the file. Pure."""

from libs.common.record import Record


class Node(Record):
    """Anything that has a place in the file. Lines and columns count from 1."""

    line: int
    column: int


class Expression(Node):
    depth: int = 1
    """How many operations deep it is; more than NESTING_MAX are not kept."""


class Literal(Expression):
    """A number, a quoted text, true or false."""

    value: float | str | bool


class Name(Expression):
    """A bare word: a field, a let, or a symbol of the field it is compared with."""

    name: str


class On(Expression):
    """`entity on list_name`."""

    entity: str
    list_name: str


class Operation(Expression):
    """An operator with what it works on; its place is the operator's."""

    operator: str
    operands: tuple[Expression, ...]


class Call(Expression):
    """A function with its arguments."""

    function: str
    arguments: tuple[Expression, ...]


class TooDeep(Expression):
    """Stands for an expression that was nested too deep to be kept."""


class Text(Node):
    """A quoted text, without its quotes."""

    value: str


class Threshold(Node):
    level: str
    value: float


class Let(Node):
    name: str
    expression: Expression
    source: str = ""
    """Its text in the file."""


class Action(Node):
    """`score` with its number, `review`, `block` or `allow`."""

    word: str
    score: float = 0.0


class Rule(Node):
    name: str
    meaning: Text
    condition: Expression
    action: Action
    because: Text
    source: str = ""
    """Its text in the file."""


Statement = Threshold | Let | Rule


class Book(Record):
    """All statements, in the order of the file."""

    thresholds: tuple[Threshold, ...]
    lets: tuple[Let, ...]
    rules: tuple[Rule, ...]
