"""Money that comes back to where it started: what is a cycle, what is none, and that the search is bounded."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest

from services.compliance.monitoring.cycles import (
    CHAINS_MAX,
    FOLLOWED_MAX,
    LOOKED_AT_MAX,
    Chain,
    Edge,
    Wanted,
    among,
    finding_of,
    search,
)
from services.compliance.monitoring.movements import Profile, micros_of
from services.compliance.monitoring.parameters import Scenario
from tests.unit.compliance.money import DAY, HOUR, START, payment_id, standards

SECOND = timedelta(seconds=1)


def hop(number: int, debtor: str, creditor: str, after: timedelta, dollars: float = 5_000) -> Edge:
    return Edge(payment_id(number), debtor, creditor, round(dollars * 100), micros_of(START + after))


def ring(count: int, *, every: timedelta = HOUR, dollars: Sequence[float] = ()) -> list[Edge]:
    """A chain of so many hops that ends where it began."""
    names = [f"c{number}" for number in range(count)]
    return [
        hop(number, debtor, creditor, number * every, dollars[number] if dollars else 5_000)
        for number, (debtor, creditor) in enumerate(pairwise([*names, names[0]]))
    ]


def closed_by_last(edges: Sequence[Edge]) -> Chain | None:
    into: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        into[edge.creditor_customer_id].append(edge)
    last = max(edges, key=lambda edge: edge.at_micros)
    return search([last], standards(), among(into)).get(last.payment_id)


@pytest.mark.parametrize(
    ("edges", "is_one"),
    [
        (ring(3), True),
        (ring(10), True),
        (ring(11), False),
        # There and back is a loan, or a refund.
        (ring(2), False),
        (ring(3, every=15 * DAY - SECOND), True),
        (ring(3, every=15 * DAY), False),
        (ring(3, dollars=(4_000, 5_000, 5_000)), True),
        (ring(3, dollars=(3_999.99, 5_000, 5_000)), False),
        (ring(3, dollars=(6_000, 5_500, 5_000)), True),
        (ring(3, dollars=(6_000.01, 5_500, 5_000)), False),
        (ring(3, dollars=(1_000, 1_000, 1_000)), True),
        (ring(3, dollars=(999.99, 999.99, 999.99)), False),
        # One after the other in time, or it is not the same money.
        ([hop(0, "a", "b", 2 * HOUR), hop(1, "b", "c", HOUR), hop(2, "c", "a", 3 * HOUR)], False),
        ([hop(0, "a", "b", HOUR), hop(1, "b", "c", HOUR), hop(2, "c", "a", 3 * HOUR)], False),
        # A way that doesn't lead back.
        ([hop(0, "a", "b", 0 * HOUR), hop(1, "b", "c", HOUR), hop(2, "c", "d", 2 * HOUR)], False),
        # A loop on the way is no part of it.
        (
            [hop(0, "a", "b", 0 * HOUR), hop(1, "b", "c", HOUR), hop(2, "c", "b", 2 * HOUR), hop(3, "b", "a", DAY)],
            False,
        ),
    ],
)
def test_money_that_comes_back_over_three_to_ten_hops(edges: list[Edge], is_one: bool) -> None:
    chain = closed_by_last(edges)
    assert (chain is not None) is is_one
    if chain is not None:
        assert list(chain) == edges


def test_the_shortest_way_back_is_told() -> None:
    longer = [hop(10, "c0", "x", 0 * HOUR), hop(11, "x", "y", HOUR / 4), hop(12, "y", "c1", HOUR / 2)]
    assert closed_by_last([*ring(3), *longer]) == tuple(ring(3))


def test_it_is_told_of_whom_the_money_came_back_to() -> None:
    chain = closed_by_last(ring(4, every=DAY))
    assert chain is not None
    found = finding_of(chain, standards(), Profile(customer_id="c0"))
    assert found is not None
    finding, version = found
    assert finding.reason == "$5,000 came back over 4 hops within 4 days"
    assert finding.payment_ids == tuple(edge.payment_id for edge in chain)
    assert version.scenario is Scenario.CYCLE


def test_what_is_off_looks_for_nothing() -> None:
    edges = ring(3)
    asked: list[Wanted] = []

    def nothing(wanted: Sequence[Wanted]) -> list[list[Edge]]:
        asked.extend(wanted)
        return [[] for _ in wanted]

    assert not search(edges, standards(Scenario.CYCLE, is_on=False), nothing)
    assert not asked


def test_the_search_is_bounded_however_many_pay_one_another() -> None:
    """A hundred customers who all pay each other all the time: so many questions a level, and no more."""
    into: dict[str, list[Edge]] = defaultdict(list)
    for number in range(40_000):
        into[f"c{number * 7 % 100}"].append(
            hop(number, f"c{number % 97}", f"c{number * 7 % 100}", timedelta(minutes=number))
        )
    last, look_up = hop(50_000, "c3", "nobody", 27 * DAY), among(into)
    levels: list[int] = []

    def counted(wanted: Sequence[Wanted]) -> Sequence[Sequence[Edge]]:
        levels.append(len(wanted))
        found = look_up(wanted)
        assert all(len(edges) <= FOLLOWED_MAX for edges in found)
        return found

    assert not search([last], standards(), counted)
    assert len(levels) <= 10 and max(levels) <= CHAINS_MAX


def test_of_a_payee_of_thousands_the_newest_are_looked_at() -> None:
    fitting = hop(0, "a", "shop", 0 * HOUR)
    others = [hop(n, "b", "shop", n * HOUR, dollars=90_000) for n in range(1, LOOKED_AT_MAX + 1)]
    wanted = Wanted("shop", 0, micros_of(START + 30 * DAY), 400_000, 600_000)
    assert among({"shop": [fitting, *others[:-1]]})([wanted]) == [[fitting]]
    assert among({"shop": [fitting, *others]})([wanted]) == [[]]
