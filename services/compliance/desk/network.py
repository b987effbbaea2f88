"""The picture of a network: payers on the left, payees on the right, and between them those a case is about.

    who pays them ─► who pays ─► the case's customers ─► whom they pay ─► whom those pay

Money flows from left to right; what flows back is an arrow to the left. The same network gives the same picture.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from libs.common import ids
from libs.common.record import Record, replace
from services.compliance.desk.render import dollars, plain
from services.compliance.domain.work import CustomerStatus
from services.compliance.network_queries import Edge, Network, Node

WIDTH_USUAL = 1_190
"""As wide as a page: more only if there are so many customers that they stand in several lanes."""
HEIGHT_MAX = 1_270
_GAP_MIN, _GAP_MAX = 50, 150
_LANE_GAP = 16
_MARGIN = 10
_WIDTHS = {0: 190, 1: 190, 2: 200}
_HEIGHTS = {0: 44, 1: 40, 2: 36}
_PITCHES = {0: 130, 1: 50, 2: 42}
_LETTERS = {0: 21, 1: 24, 2: 25}
_AMOUNTS_LETTERS = 27
"""As much of amounts as there is room for."""
_BACK = 5
"""How far apart the two arrows lie of those who pay each other."""
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_DOUBTED = {CustomerStatus.RESTRICTED, CustomerStatus.REFUSED}


class Box(Record):
    """A customer in the picture."""

    customer_id: str
    hops: int
    x: float
    y: float
    width: float
    height: float
    name: str
    label: str
    """The name, as much of it as there is room for."""
    amounts: str
    is_doubted: bool
    """Whether it is restricted or refused."""
    is_known: bool
    """Whether compliance has a page of it."""


class Arrow(Record):
    """Money that went from one to another."""

    path: str
    width: float
    words: str


class Row(Record):
    """The same in words."""

    debtor: str
    creditor: str
    amount: str
    payments: int


class Picture(Record):
    """Where everything is, in pixels."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    rows: tuple[Row, ...]
    is_cut: bool
    pending: Arrow | None
    """The payment that the case is about, if its money has not moved."""
    pending_at: tuple[float, float]


def picture(network: Network, names: Mapping[str, str], *, pending: str | None = None) -> Picture | None:
    """A network as it is drawn; None if no money went between anybody.

    `names` are what the case calls its own customers, `pending` an amount in words.
    """
    if not network.edges:
        return None
    called = [replace(node, name=names.get(node.customer_id, node.name)) for node in network.nodes]
    network = replace(network, nodes=tuple(called))
    nodes = {node.customer_id: node for node in network.nodes}
    columns = _columns(network, nodes)
    boxes = _placed(columns, network, nodes)
    places = {customer_id: column for column, ids in columns.items() for customer_id in ids}
    both = {(edge.debtor_customer_id, edge.creditor_customer_id) for edge in network.edges}
    names = {node.customer_id: _name(node) for node in network.nodes}
    roots = [boxes[node.customer_id] for node in network.nodes if node.hops == 0]
    is_pending = pending is not None and len(roots) == 2
    return Picture(
        width=max(box.x + box.width for box in boxes.values()) + _MARGIN,
        height=max(box.y + box.height for box in boxes.values()) + _MARGIN,
        boxes=tuple(boxes.values()),
        arrows=tuple(_arrow(edge, boxes, places, both, names) for edge in network.edges),
        rows=tuple(
            Row(
                debtor=names[edge.debtor_customer_id],
                creditor=names[edge.creditor_customer_id],
                amount=dollars(edge.cents),
                payments=edge.payments,
            )
            for edge in network.edges
        ),
        is_cut=network.is_cut,
        pending=_pending(roots[0], roots[1], pending or "") if is_pending else None,
        pending_at=(roots[0].x + roots[0].width / 2, (roots[0].y + roots[0].height + roots[-1].y) / 2 + 4),
    )


def _columns(network: Network, nodes: Mapping[str, Node]) -> Mapping[int, list[str]]:
    """Whom each column shows, from -2 to 2, each from the top down."""
    near: dict[str, int] = {}
    far: dict[str, tuple[str, int]] = {}
    for edge in network.edges:
        for own, other, sign in (
            (edge.debtor_customer_id, edge.creditor_customer_id, -1),
            (edge.creditor_customer_id, edge.debtor_customer_id, 1),
        ):
            hops, distance = nodes[own].hops, nodes[other].hops
            if hops == 1 and distance == 0:
                near[own] = near.get(own, 0) + sign * edge.cents
            elif hops == 2 and distance == 1:
                # Edges come the largest first: it stands with whom most money went between.
                far.setdefault(own, (other, edge.cents))
    sides = {customer_id: 1 if balance > 0 else -1 for customer_id, balance in near.items()}
    ranks = {customer_id: place for place, customer_id in enumerate(near)}
    columns: dict[int, list[str]] = {column: [] for column in (-2, -1, 0, 1, 2)}
    columns[0] = [node.customer_id for node in network.nodes if node.hops == 0]
    for customer_id in near:
        columns[sides[customer_id]].append(customer_id)
    for customer_id in sorted(far, key=lambda id_: (ranks[far[id_][0]], -far[id_][1], id_)):
        columns[2 * sides[far[customer_id][0]]].append(customer_id)
    return {column: ids for column, ids in columns.items() if ids}


def _placed(columns: Mapping[int, Sequence[str]], network: Network, nodes: Mapping[str, Node]) -> dict[str, Box]:
    lanes = {column: _lanes(found, abs(column)) for column, found in columns.items()}
    widths = {column: len(side) * (_WIDTHS[abs(column)] + _LANE_GAP) - _LANE_GAP for column, side in lanes.items()}
    room = WIDTH_USUAL - 2 * _MARGIN - sum(widths.values())
    gap = min(_GAP_MAX, max(_GAP_MIN, room / max(len(columns) - 1, 1)))
    height = max(_height(lane, abs(column)) for column, side in lanes.items() for lane in side)
    boxes: dict[str, Box] = {}
    x: float = _MARGIN
    for column, side in lanes.items():
        hops = abs(column)
        # The first lane is the one that is nearest to the middle.
        for number, lane in enumerate(reversed(side) if column < 0 else side):
            left = x + number * (_WIDTHS[hops] + _LANE_GAP)
            top = _MARGIN + (height - _height(lane, hops)) / 2
            for place, customer_id in enumerate(lane):
                y = top + place * _PITCHES[hops]
                boxes[customer_id] = _box(nodes[customer_id], left, y, network.edges, nodes)
        x += widths[column] + gap
    return boxes


def _lanes(found: Sequence[str], hops: int) -> Sequence[Sequence[str]]:
    """A column's customers in as few lanes as don't get too high, side by side: all keep the height of their own."""
    longest = (HEIGHT_MAX - 2 * _MARGIN - _HEIGHTS[hops]) // _PITCHES[hops] + 1
    count = math.ceil(len(found) / longest)
    return [found[number::count] for number in range(count)]


def _height(lane: Sequence[str], hops: int) -> int:
    return (len(lane) - 1) * _PITCHES[hops] + _HEIGHTS[hops]


def _box(node: Node, x: float, y: float, edges: Iterable[Edge], nodes: Mapping[str, Node]) -> Box:
    name = _name(node)
    letters = _LETTERS[node.hops]
    return Box(
        customer_id=node.customer_id,
        hops=node.hops,
        x=round(x, 1),
        y=round(y, 1),
        width=_WIDTHS[node.hops],
        height=_HEIGHTS[node.hops],
        name=name,
        label=name if len(name) <= letters else f"{name[: letters - 1]}…",
        amounts=_amounts(node, edges, nodes),
        is_doubted=node.status in _DOUBTED,
        is_known=node.status is not None,
    )


def _amounts(node: Node, edges: Iterable[Edge], nodes: Mapping[str, Node]) -> str:
    """What went between a customer and those nearer to the middle."""
    if node.hops == 0:
        return ""
    paid = got = 0
    for edge in edges:
        if edge.debtor_customer_id == node.customer_id and nodes[edge.creditor_customer_id].hops < node.hops:
            paid += edge.cents
        if edge.creditor_customer_id == node.customer_id and nodes[edge.debtor_customer_id].hops < node.hops:
            got += edge.cents
    told = [(word, cents) for word, cents in (("pays", paid), ("gets", got)) if cents]
    exact = " · ".join(f"{word} {dollars(cents)}" for word, cents in told)
    if len(exact) <= _AMOUNTS_LETTERS:
        return exact
    return " · ".join(f"{word} {_short(cents)}" for word, cents in told)


def _short(cents: int) -> str:
    """123456789 is "$1.2M": the arrows and the table tell all of it."""
    whole = cents / 100
    for unit, letter in _UNITS:
        if whole >= unit:
            return f"${whole / unit:,.1f}{letter}"
    return dollars(cents)


def _arrow(
    edge: Edge,
    boxes: Mapping[str, Box],
    places: Mapping[str, int],
    both: set[tuple[str, str]],
    names: Mapping[str, str],
) -> Arrow:
    ends = edge.debtor_customer_id, edge.creditor_customer_id
    source, target = boxes[ends[0]], boxes[ends[1]]
    shift = _BACK * (1 if ends[0] < ends[1] else -1) if ends[::-1] in both else 0
    start_y, end_y = source.y + source.height / 2 + shift, target.y + target.height / 2 + shift
    if places[ends[0]] == places[ends[1]]:
        start_x, end_x = source.x + source.width, target.x + target.width
        bend_start = bend_end = max(start_x, end_x) + 45
    else:
        is_forward = places[ends[0]] < places[ends[1]]
        start_x = source.x + (source.width if is_forward else 0)
        end_x = target.x + (0 if is_forward else target.width)
        bend_start = bend_end = (start_x + end_x) / 2
    payments = f"{edge.payments} payment{'s' if edge.payments != 1 else ''}"
    return Arrow(
        path=f"M{start_x:.1f},{start_y:.1f} C{bend_start:.1f},{start_y:.1f} {bend_end:.1f},{end_y:.1f} "
        f"{end_x:.1f},{end_y:.1f}",
        width=round(1 + max(math.log10(max(edge.cents, 1) / 100_00), 0), 1),
        words=f"{names[ends[0]]} paid {names[ends[1]]} {dollars(edge.cents)}, {payments}",
    )


def _pending(source: Box, target: Box, amount: str) -> Arrow:
    x = source.x + source.width / 2
    return Arrow(
        path=f"M{x:.1f},{source.y + source.height:.1f} L{x:.1f},{target.y:.1f}", width=2, words=f"held: {amount}"
    )


def _name(node: Node) -> str:
    if node.name:
        return plain(node.name)
    return f"{'elsewhere ' if ids.is_pseudonym(node.customer_id) else ''}…{node.customer_id[-8:]}"
