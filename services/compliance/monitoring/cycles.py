"""Money that comes back: chains of movements, one after the other in time, that end where they began. Pure.

    A ─► B ─► C ─► … ─► Z ─► A      looked for from the last hop backwards, level by level

Bounded, or a payee of thousands would cost as much as all of them: of what went to a customer the newest
movements are looked at, of those that fit the newest are followed, and of chains so many for each last hop.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import NamedTuple

from libs.common.money import in_dollars
from services.compliance.monitoring.history import MICROS_PER_DAY
from services.compliance.monitoring.movements import Movement, Profile, moment_of
from services.compliance.monitoring.parameters import Cycle, Scenario, Version
from services.compliance.monitoring.scenarios import Finding, watches
from services.compliance.monitoring.standards import Standards

LOOKED_AT_MAX = 256
"""Movements to a customer before a moment."""
FOLLOWED_MAX = 8
"""Of these, those that fit."""
CHAINS_MAX = 16
"""Of each last hop, at each level."""


class Edge(NamedTuple):
    """A movement as part of a chain."""

    payment_id: str
    debtor_customer_id: str
    creditor_customer_id: str
    cents: int
    at_micros: int


class Wanted(NamedTuple):
    """Movements to a customer, after one moment and before another, of about an amount."""

    creditor_customer_id: str
    after_micros: int
    before_micros: int
    low_cents: int
    high_cents: int


EdgesInto = Callable[[Sequence[Wanted]], Sequence[Sequence[Edge]]]
"""What was wanted, for each: of the newest LOOKED_AT_MAX in that time the newest FOLLOWED_MAX of such an amount.

The newest come first; of equal times, by payment id.
"""

Chain = tuple[Edge, ...]
"""In order of time."""


def edge_of(movement: Movement) -> Edge:
    return Edge(
        movement.payment_id,
        movement.debtor_customer_id,
        movement.creditor_customer_id,
        movement.cents,
        movement.at_micros,
    )


def may_be_hop(movement: Movement, standards: Standards) -> bool:
    """Whether a movement is large enough to be kept for the search."""
    version = standards.in_force(Scenario.CYCLE, moment_of(movement.at_micros))
    return version is not None and movement.cents >= _of(version).amount_cents_min


def search(last_hops: Sequence[Edge], standards: Standards, edges_into: EdgesInto) -> dict[str, Chain]:
    """The shortest chain that each of these movements closes, by its payment id; asks once for each level."""
    found: dict[str, Chain] = {}
    open_chains: dict[str, list[Chain]] = {
        hop.payment_id: [(hop,)] for hop in last_hops if _version(hop, standards) is not None
    }
    while open_chains:
        asked = [(last, chain) for last, chains in open_chains.items() for chain in chains]
        edges = edges_into([_wanted(chain, standards) for _, chain in asked])
        longer: dict[str, list[Chain]] = {}
        for (last, chain), before in zip(asked, edges, strict=True):
            for edge in before:
                _lengthen((edge, *chain), last, found, longer, standards)
        open_chains = {last: chains[:CHAINS_MAX] for last, chains in longer.items() if last not in found}
    return found


def finding_of(chain: Chain, standards: Standards, profile: Profile) -> tuple[Finding, Version] | None:
    """What a cycle says about the customer to whom the money came back, by the version that it was searched with."""
    version = _version(chain[-1], standards)
    if version is None or not watches(version.parameters, profile.kind):
        return None
    last, days = chain[-1], (chain[-1].at_micros - chain[0].at_micros) // MICROS_PER_DAY
    finding = Finding(
        scenario=Scenario.CYCLE,
        reason=f"{in_dollars(last.cents)} came back over {len(chain)} hops within {days + 1} days",
        values={"hops": len(chain), "first_cents": chain[0].cents, "last_cents": last.cents},
        payment_ids=tuple(edge.payment_id for edge in chain),
        at_micros=last.at_micros,
        key=Scenario.CYCLE.value,
    )
    return finding, version


def among(edges: Mapping[str, Sequence[Edge]]) -> EdgesInto:
    """A look-up among movements in memory, by the customers to whom they went."""
    newest_first = {
        customer_id: sorted(found, key=lambda edge: (-edge.at_micros, edge.payment_id))
        for customer_id, found in edges.items()
    }

    def edges_into(asked: Sequence[Wanted]) -> list[list[Edge]]:
        return [list(_fitting(newest_first.get(wanted.creditor_customer_id, ()), wanted)) for wanted in asked]

    return edges_into


def _fitting(newest_first: Sequence[Edge], wanted: Wanted) -> Iterator[Edge]:
    start = bisect_right(newest_first, -wanted.before_micros, key=lambda edge: -edge.at_micros)
    looked_at = newest_first[start : start + LOOKED_AT_MAX]
    in_time = takewhile(lambda edge: edge.at_micros > wanted.after_micros, looked_at)
    return islice((edge for edge in in_time if wanted.low_cents <= edge.cents <= wanted.high_cents), FOLLOWED_MAX)


def _lengthen(
    chain: Chain, last: str, found: dict[str, Chain], longer: dict[str, list[Chain]], standards: Standards
) -> None:
    version = _version(chain[-1], standards)
    assert version is not None
    parameters, origin = _of(version), chain[-1].creditor_customer_id
    first = chain[0].debtor_customer_id
    if first == origin:
        if len(chain) >= parameters.hops_min:
            found.setdefault(last, chain)
    elif len(chain) < parameters.hops_max and all(first != edge.creditor_customer_id for edge in chain):
        longer.setdefault(last, []).append(chain)


def _wanted(chain: Chain, standards: Standards) -> Wanted:
    last = chain[-1]
    version = _version(last, standards)
    assert version is not None
    parameters = _of(version)
    spread = last.cents * parameters.tolerance_percent
    return Wanted(
        chain[0].debtor_customer_id,
        last.at_micros - parameters.days * MICROS_PER_DAY,
        chain[0].at_micros,
        max(parameters.amount_cents_min, -(-(last.cents * 100 - spread) // 100)),
        (last.cents * 100 + spread) // 100,
    )


def _version(hop: Edge, standards: Standards) -> Version | None:
    return standards.in_force(Scenario.CYCLE, moment_of(hop.at_micros))


def _of(version: Version) -> Cycle:
    assert isinstance(version.parameters, Cycle)
    return version.parameters
