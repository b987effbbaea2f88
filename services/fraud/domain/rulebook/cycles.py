"""The order in which lets can be worked out, whatever order they are written in. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from services.fraud.domain.rulebook import syntax


def ordered(lets: Mapping[str, syntax.Let]) -> tuple[list[str], list[list[str]]]:
    """Names of lets, each behind those it needs; and the cycles, whose lets are left out."""
    needs = {name: {*_names_in(let.expression)} & lets.keys() for name, let in lets.items()}
    cycles: list[list[str]] = []
    while True:
        try:
            return list(TopologicalSorter(needs).static_order()), cycles
        except CycleError as error:
            cycle = _from_first(error.args[1], list(lets))
            cycles.append(cycle)
            needs = {name: needed - {*cycle} for name, needed in needs.items() if name not in cycle}


def _from_first(cycle: Sequence[str], written: list[str]) -> list[str]:
    """A cycle as it is told: from the let that is written first, each before the one it needs."""
    needing = [*reversed(cycle)][:-1]
    start = needing.index(min(needing, key=written.index))
    return [*needing[start:], *needing[:start], needing[start]]


def _names_in(expression: syntax.Expression) -> Iterator[str]:
    waiting = [expression]
    while waiting:
        match waiting.pop():
            case syntax.Name(name=name):
                yield name
            case syntax.Operation(operands=inner) | syntax.Call(arguments=inner):
                waiting.extend(inner)
