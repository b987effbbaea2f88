"""Who paid whom around some customers, two hops far: read-only SQL, bounded whatever there is."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import array, fetch, transaction
from libs.common.record import Record
from services.compliance.domain.work import CustomerStatus
from services.compliance.matching.subject import Subject
from services.compliance.monitoring import history
from services.compliance.monitoring.history import EMPTY, History

NODES_MAX = 200
WINDOW = timedelta(days=90)
"""How far back it reaches at least: links are sums by the month."""
NEAR_MAX = 24
"""Counterparties of one of the customers in the middle, on each side: those that most money went between."""
FAR_MAX = 6
"""And of one of those."""
LINKS_LOOKED_AT_MAX = 2_000
"""Of one customer, on each side, the newest: a house with more counterparties is known by its largest lately."""


class Node(Record):
    """A customer in the network, or somebody elsewhere, by a pseudonym."""

    customer_id: str
    hops: int
    """How far from those in the middle: 0, 1 or 2."""
    name: str | None
    """None if nothing is known of it, as of everybody elsewhere, or if its data came encrypted."""
    status: CustomerStatus | None


class Edge(Record):
    """What one customer paid another in the window."""

    debtor_customer_id: str
    creditor_customer_id: str
    payments: int
    cents: int


class Network(Record):
    """Customers and what went between them, the most first."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    is_cut: bool
    """Whether there is more than is shown."""


class _Named(Record):
    subject: Subject | None


_decode_named = msgspec.json.Decoder(_Named).decode


def find_network(engine: Engine, roots: Sequence[str], now: datetime) -> Network:
    """The customers around some, two hops far; of more than NODES_MAX those that most money went to or came from."""
    since = (now - WINDOW).date().replace(day=1)
    hops = dict.fromkeys(roots, 0)
    edges: dict[tuple[str, str], Edge] = {}
    is_cut = False
    with transaction(engine) as tx:
        for distance, at_most in ((1, NEAR_MAX), (2, FAR_MAX)):
            frontier = [customer_id for customer_id, found in hops.items() if found == distance - 1]
            for edge, is_beyond in _find_edges(tx, frontier, since, at_most):
                ends = edge.debtor_customer_id, edge.creditor_customer_id
                new = [end for end in ends if end not in hops]
                if is_beyond or len(hops) + len(new) > NODES_MAX:
                    is_cut = True
                    continue
                hops |= dict.fromkeys(new, distance)
                edges[ends] = edge
        names = _find_names(tx, hops)
    return Network(
        nodes=tuple(_node(customer_id, found, names) for customer_id, found in hops.items()),
        edges=tuple(sorted(edges.values(), key=_most_first)),
        is_cut=is_cut,
    )


def find_histories(engine: Engine, customer_ids: Iterable[str]) -> dict[str, History]:
    """What customers' money did lately; an empty history for whom nothing is known of."""
    wanted = list(customer_ids)
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            "SELECT customer_id::text, history FROM watched_customers WHERE customer_id = ANY(%b::uuid[])",
            (array("uuid", wanted),),
            binary=True,
        )
    found = {customer_id: history.unpack(bytes(packed)) for customer_id, packed in rows}
    return {customer_id: found.get(customer_id, EMPTY) for customer_id in wanted}


def _find_edges(tx: Connection, frontier: Sequence[str], since: Any, at_most: int) -> list[tuple[Edge, bool]]:
    """The edges from and to some customers, the most money first; each with whether it is one too many."""
    if not frontier:
        return []
    sides = []
    for own, other in (
        ("debtor_customer_id", "creditor_customer_id"),
        ("creditor_customer_id", "debtor_customer_id"),
    ):
        sides.append(
            f"""(SELECT debtor_customer_id, creditor_customer_id, sum(payments)::bigint AS payments,
                        sum(cents) AS cents, row_number() OVER (ORDER BY sum(cents) DESC, {other}) AS place
                   FROM (SELECT * FROM payment_links WHERE {own} = k.customer_id AND month_on >= %s
                          ORDER BY month_on DESC, {other} LIMIT %s) AS looked_at
                  GROUP BY debtor_customer_id, creditor_customer_id
                  ORDER BY sum(cents) DESC, {other} LIMIT %s)"""
        )
    values = (since, LINKS_LOOKED_AT_MAX, at_most + 1)
    rows = fetch(
        tx,
        f"""SELECT e.* FROM unnest(%b::uuid[]) AS k (customer_id) CROSS JOIN LATERAL ({" UNION ALL ".join(sides)}) AS e
             ORDER BY e.cents DESC, e.debtor_customer_id, e.creditor_customer_id""",
        (array("uuid", frontier), *values, *values),
    )
    return [
        (
            Edge(debtor_customer_id=debtor, creditor_customer_id=creditor, payments=payments, cents=int(cents)),
            place > at_most,
        )
        for debtor, creditor, payments, cents, place in rows
    ]


def _find_names(tx: Connection, customer_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    rows = fetch(
        tx,
        "SELECT customer_id, status, body FROM customers WHERE customer_id = ANY(%b::uuid[])",
        (array("uuid", customer_ids),),
    )
    return {customer_id: (status, body) for customer_id, status, body in rows}


def _node(customer_id: str, hops: int, known: dict[str, tuple[str, str]]) -> Node:
    found = known.get(customer_id)
    subject = _decode_named(found[1]).subject if found else None
    return Node(
        customer_id=customer_id,
        hops=hops,
        name=subject.name if subject else None,
        status=CustomerStatus(found[0]) if found else None,
    )


def _most_first(edge: Edge) -> tuple[int, str, str]:
    return -edge.cents, edge.debtor_customer_id, edge.creditor_customer_id
