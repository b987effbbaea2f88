"""Builds the syntax of a statement while lark reads it, from the innermost to the whole. Pure.

Lark's parser has a stack of its own and calls these one after the other, so nothing here recurses,
however deep a file nests: what is deeper than NESTING_MAX collapses into one node that says so.
"""

import re
from typing import Any

from lark import Token, Transformer, v_args

from services.fraud.domain.rulebook import syntax
from services.fraud.domain.rulebook.bounds import NESTING_MAX
from services.fraud.domain.rulebook.syntax import Expression


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Any]):
    """One method for each rule of the grammar, by its name."""

    def start(self, statement: syntax.Statement) -> syntax.Statement:
        return statement

    def threshold(self, word: Token, level: Token, value: Token) -> syntax.Threshold:
        return syntax.Threshold(**_at(word), level=str(level), value=_number(value))

    def let(self, _: Token, name: Token, __: Token, expression: Expression) -> syntax.Let:
        return syntax.Let(**_at(name), name=str(name), expression=expression)

    def rule(
        self, _: Token, name: Token, meaning: syntax.Text, __: Token, condition: Expression, action: syntax.Action,
        ___: Token, because: syntax.Text,
    ) -> syntax.Rule:  # fmt: skip
        return syntax.Rule(
            **_at(name), name=str(name), meaning=meaning, condition=condition, action=action, because=because
        )

    def action(self, word: Token, score: Token | None = None) -> syntax.Action:
        return syntax.Action(**_at(word), word=str(word), score=0.0 if score is None else _number(score))

    def text(self, token: Token) -> syntax.Text:
        return syntax.Text(**_at(token), value=_unquoted(token))

    def number(self, token: Token) -> Expression:
        return syntax.Literal(**_at(token), value=_number(token))

    def quoted(self, token: Token) -> Expression:
        return syntax.Literal(**_at(token), value=_unquoted(token))

    def flag(self, token: Token) -> Expression:
        return syntax.Literal(**_at(token), value=token == "true")

    def name(self, token: Token) -> Expression:
        return syntax.Name(**_at(token), name=str(token))

    def on(self, entity: Token, _: Token, list_name: Token) -> Expression:
        name = _unquoted(list_name) if list_name.type == "TEXT" else str(list_name)
        return syntax.On(**_at(entity), entity=str(entity), list_name=name)

    def bracketed(self, _: Token, expression: Expression, __: Token) -> Expression:
        return expression

    def call(self, function: Token, *rest: Token | Expression) -> Expression:
        arguments = _expressions(rest)
        depth = _depth(arguments)
        if depth > NESTING_MAX:
            return syntax.TooDeep(**_at(function), depth=NESTING_MAX)
        return syntax.Call(**_at(function), depth=depth, function=str(function), arguments=arguments)

    def prefixed(self, operator: Token, operand: Expression) -> Expression:
        return _operation(operator, operand)

    def infix(self, left: Expression, operator: Token, right: Expression) -> Expression:
        return _operation(operator, left, right)

    def between(self, value: Expression, operator: Token, low: Expression, _: Token, high: Expression) -> Expression:
        return _operation(operator, value, low, high)

    def among(self, value: Expression, operator: Token, *rest: Token | Expression) -> Expression:
        return _operation(operator, value, *_expressions(rest))

    def asked(self, value: Expression, _: Token, operator: Token) -> Expression:
        return _operation(operator, value)

    def chain(self, first: Expression, operator: Token, *rest: Token | Expression) -> Expression:
        return _operation(operator, first, *_expressions(rest))

    def choice(
        self, operator: Token, condition: Expression, _: Token, yes: Expression, __: Token, no: Expression
    ) -> Expression:
        return _operation(operator, condition, yes, no)


def _operation(operator: Token, *operands: Expression) -> Expression:
    depth = _depth(operands)
    if depth > NESTING_MAX:
        return syntax.TooDeep(**_at(operator), depth=NESTING_MAX)
    return syntax.Operation(**_at(operator), depth=depth, operator=str(operator), operands=operands)


def _depth(operands: tuple[Expression, ...]) -> int:
    return 1 + max(operand.depth for operand in operands)


def _expressions(children: tuple[Token | Expression, ...]) -> tuple[Expression, ...]:
    return tuple(child for child in children if isinstance(child, Expression))


def _at(token: Token) -> dict[str, Any]:
    return {"line": token.line or 1, "column": token.column or 1}


def _number(token: Token) -> float:
    """Its value; infinite if it has hundreds of digits, which is refused where it is checked."""
    return float(token.replace("_", ""))


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
