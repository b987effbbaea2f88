"""From the statements of a rulebook to what they mean, or to everything that is wrong with them. Pure."""

import re
from collections.abc import Sequence

from libs.common.record import Record
from services.fraud.domain.rulebook import cycles, reasons, syntax
from services.fraud.domain.rulebook.bounds import LETS_MAX, NAME_LENGTH_MAX, RULES_MAX, TEXT_LENGTH_MAX
from services.fraud.domain.rulebook.expressions import Expressions
from services.fraud.domain.rulebook.faults import Faults, quoted
from services.fraud.domain.rulebook.fields import Catalogue
from services.fraud.domain.rulebook.names import Names
from services.fraud.domain.rulebook.terms import Term

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class CheckedRule(Record):
    """A rule whose names are known and whose types fit."""

    written: syntax.Rule
    condition: Term
    reason: reasons.Template


class CheckedBook(Record):
    """What a rulebook means."""

    review: float
    block: float
    lets: dict[str, Term]
    """Each behind those it needs."""
    rules: tuple[CheckedRule, ...]


def check(book: syntax.Book, catalogue: Catalogue, faults: Faults) -> CheckedBook | None:
    """What a rulebook means; None if `faults` got some."""
    if _is_too_large(book, faults):
        return None
    names = Names(catalogue, faults)
    expressions = Expressions(names, faults)
    thresholds = _thresholds(book, faults)
    _check_lets(book.lets, names, expressions, faults)
    rules = _rules(book.rules, names, expressions, faults)
    if faults.sorted():
        return None
    lets = {name: term for name, term in names.lets.items() if term is not None}
    return CheckedBook(review=thresholds["review"], block=thresholds["block"], lets=lets, rules=rules)


def _is_too_large(book: syntax.Book, faults: Faults) -> bool:
    """Whether there are more statements than should be looked at; says so."""
    for called, statements, most in (("lets", book.lets, LETS_MAX), ("rules", book.rules, RULES_MAX)):
        if len(statements) > most:
            _fault(faults, statements[most], f"A rulebook has at most {most} {called}.")
    return bool(faults.sorted())


def _thresholds(book: syntax.Book, faults: Faults) -> dict[str, float]:
    found: dict[str, float] = {}
    for threshold in book.thresholds:
        if threshold.level in found:
            _fault(faults, threshold, f"The threshold of {threshold.level} is set already.")
        if not 0 < threshold.value <= 1:
            _fault(faults, threshold, "A threshold is a score: above 0, and at most 1.")
        found.setdefault(threshold.level, threshold.value)
    for level in ("review", "block"):
        if level not in found:
            faults.add(1, 1, f"A rulebook needs a line such as: threshold {level} {0.5 if level == 'review' else 0.9}")
    if len(found) == 2 and found["review"] > found["block"]:
        _fault(faults, book.thresholds[-1], "The threshold of review can't be above that of block.")
    return found


def _check_lets(lets: Sequence[syntax.Let], names: Names, expressions: Expressions, faults: Faults) -> None:
    """Check every let, and make it known to `names`."""
    symbols = {symbol: field.name for field in names.catalogue.values() for symbol in field.symbols}
    distinct: dict[str, syntax.Let] = {}
    for let in lets:
        _check_name(let, faults)
        if let.name in names.catalogue:
            _fault(faults, let, f"{let.name} is a field already.")
        elif let.name in symbols:
            _fault(faults, let, f"{let.name} is a word for {symbols[let.name]} already.")
        elif let.name in distinct:
            _fault(faults, let, f"{let.name} is defined already, in line {distinct[let.name].line}.")
        distinct.setdefault(let.name, let)
    order, circles = cycles.ordered(distinct)
    for circle in circles:
        _fault(faults, distinct[circle[0]], f"{circle[0]} is defined by itself: {' → '.join(circle)}.")
        names.lets.update(dict.fromkeys(circle))
    for name in order:
        names.lets[name] = None if faults.is_full else expressions.term(distinct[name].expression)


def _rules(
    rules: Sequence[syntax.Rule], names: Names, expressions: Expressions, faults: Faults
) -> tuple[CheckedRule, ...]:
    first: dict[str, syntax.Rule] = {}
    checked = []
    for rule in rules:
        if rule.name in first:
            _fault(faults, rule, f"There is a rule {rule.name} already, in line {first[rule.name].line}.")
        first.setdefault(rule.name, rule)
        if not faults.is_full and (sound := _rule(rule, names, expressions, faults)):
            checked.append(sound)
    return tuple(checked)


def _rule(rule: syntax.Rule, names: Names, expressions: Expressions, faults: Faults) -> CheckedRule | None:
    _check_name(rule, faults)
    _check_texts(rule, faults)
    if not 0 <= rule.action.score < 1:
        _fault(faults, rule.action, "A score is a chance: at least 0 and below 1. To be certain, write block.")
    because = rule.because

    def complain(offset: int, message: str) -> None:
        faults.add(because.line, because.column + 1 + offset, message)

    reason = reasons.parse(because.value, names, complain)
    condition = expressions.condition(rule.condition)
    return CheckedRule(written=rule, condition=condition, reason=reason) if condition else None


def _check_name(statement: syntax.Let | syntax.Rule, faults: Faults) -> None:
    if not _NAME.fullmatch(statement.name):
        _fault(faults, statement, f"{quoted(statement.name)}: a name has small letters, digits and _ only.")
    if len(statement.name) > NAME_LENGTH_MAX:
        _fault(faults, statement, f"A name has at most {NAME_LENGTH_MAX} characters.")


def _check_texts(rule: syntax.Rule, faults: Faults) -> None:
    for text in (rule.meaning, rule.because):
        if len(text.value) > TEXT_LENGTH_MAX:
            _fault(faults, text, f"A text has at most {TEXT_LENGTH_MAX} characters.")
        if not text.value.strip():
            _fault(faults, text, "This text says nothing.")


def _fault(faults: Faults, node: syntax.Node, message: str) -> None:
    faults.add(node.line, node.column, message)
