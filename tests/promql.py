"""What a query of Prometheus asks for, held against what the services show: one that asks for nothing is silent."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

import promql_parser as promql

from docs import catalogue
from docs.metrics import descriptions
from docs.readmes import wired
from libs.common.metrics import Description, Metrics
from libs.common.record import replace
from services.fraud.features.metrics import FeaturesMetrics

OF_PROMETHEUS = {"up"}
OF_EVERY_PROCESS = re.compile(r"(process|python)_\w+")
OF_EVERY_TARGET = {"job", "instance", "service", "le"}


@cache
def known() -> Mapping[str, Description]:
    """Every metric by the names of its series."""
    features = Metrics()
    FeaturesMetrics(features)
    found = dict(features.descriptions)
    for service in catalogue.SERVICES:
        for name, description in descriptions(wired(service)).items():
            found[name] = _with_values_of(found.get(name, description), description)
    series: dict[str, Description] = {}
    for name, description in found.items():
        is_histogram = description.kind == "histogram"
        names = [f"{name}_{part}" for part in ("bucket", "count", "sum")] if is_histogram else [name]
        series |= dict.fromkeys(names, description)
    return series


def _with_values_of(one: Description, other: Description) -> Description:
    """A metric that several services have, with all the values that its labels have in any of them."""
    labels = {
        label: tuple(dict.fromkeys((*values, *other.labels[label]))) if isinstance(values, tuple) else values
        for label, values in one.labels.items()
    }
    return replace(one, labels=labels)


def faults(query: str, *, recorded: frozenset[str] = frozenset()) -> list[str]:
    """What a query asks for in vain: a metric that nobody shows, a label it hasn't, a value that it never has.

    Raises ValueError if it is no PromQL.
    """
    return [fault for selector in _selectors(promql.parse(query)) for fault in _faults(selector, recorded)]


def metrics_of(query: str) -> set[str]:
    """The names of the series that a query asks for."""
    return {selector.name or "" for selector in _selectors(promql.parse(query))}


def _faults(selector: promql.VectorSelector, recorded: frozenset[str]) -> Iterator[str]:
    name = selector.name or ""
    if name in OF_PROMETHEUS | recorded or OF_EVERY_PROCESS.fullmatch(name):
        return
    if name not in known():
        yield f"nobody shows {name}"
        return
    labels = known()[name].labels
    for matcher in selector.matchers.matchers:
        values = labels.get(matcher.name, "any")
        if matcher.name not in labels and matcher.name not in OF_EVERY_TARGET:
            yield f"{name} has no label {matcher.name}"
        elif matcher.op == promql.MatchOp.Equal and isinstance(values, tuple) and matcher.value not in values:
            yield f"{matcher.name} of {name} is never {matcher.value}"


def _selectors(part: object) -> Iterator[promql.VectorSelector]:
    match part:
        case promql.VectorSelector():
            yield part
        case promql.MatrixSelector():
            yield part.vector_selector
        case promql.BinaryExpr():
            yield from _selectors(part.lhs)
            yield from _selectors(part.rhs)
        case promql.Call():
            for argument in part.args:
                yield from _selectors(argument)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _selectors(part.expr)
        case _:
            return
