"""The picture of a network: everybody has room, the middle is the middle, and both directions of money are told."""

from itertools import combinations

from libs.common import ids
from services.compliance.desk.network import HEIGHT_MAX, WIDTH_USUAL, Box, Picture, picture
from services.compliance.domain.work import CustomerStatus
from services.compliance.network_queries import NODES_MAX, Edge, Network, Node


def edge(debtor: str, creditor: str, dollars: int) -> Edge:
    return Edge(debtor_customer_id=debtor, creditor_customer_id=creditor, payments=2, cents=dollars * 100)


def full(roots: int = 1, near: int = 24, *, are_all_payers: bool = False) -> Network:
    """As many customers as a picture may have, each of whom pays and is paid by one nearer to the middle."""
    hops = {ids.new(): 0 for _ in range(roots)}
    middle = list(hops)
    around = [ids.new() for _ in range(2 * near * roots)]
    beyond = [ids.new() for _ in range(NODES_MAX - len(middle) - len(around))]
    hops |= dict.fromkeys(around, 1) | dict.fromkeys(beyond, 2)
    edges = []
    for place, own in enumerate((*around, *beyond)):
        nearer = middle[place % roots] if hops[own] == 1 else around[place % len(around)]
        pays = 3_000_000 + place if are_all_payers or place % 2 else 20_000 + place
        edges += [edge(own, nearer, pays), edge(nearer, own, 1_000_000 + place)]
    nodes = [
        Node(customer_id=id_, hops=found, name=f"Customer {place} of a long name", status=CustomerStatus.VERIFIED)
        for place, (id_, found) in enumerate(hops.items())
    ]
    largest_first = sorted(edges, key=lambda one: -one.cents)
    return Network(nodes=tuple(nodes), edges=tuple(largest_first), is_cut=True)


def drawn(network: Network) -> Picture:
    found = picture(network, {})
    assert found is not None
    return found


def is_over(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def test_200_customers_have_room_in_a_picture_of_bounded_height_whatever_side_they_are_on() -> None:
    for network in (full(), full(are_all_payers=True), full(roots=2), full(roots=2, are_all_payers=True)):
        found = drawn(network)
        assert len(found.boxes) == NODES_MAX
        assert not [pair for pair in combinations(found.boxes, 2) if is_over(*pair)]
        assert found.height <= HEIGHT_MAX
        assert all(box.x >= 0 and box.x + box.width <= found.width for box in found.boxes)
        assert all(box.y >= 0 and box.y + box.height <= found.height for box in found.boxes)


def test_those_a_case_is_about_are_in_the_middle() -> None:
    found = drawn(full(roots=2))
    roots = [box for box in found.boxes if box.hops == 0]
    middle = (roots[0].y + roots[-1].y + roots[-1].height) / 2
    assert abs(middle - found.height / 2) < 1
    assert abs(roots[0].x + roots[0].width / 2 - found.width / 2) < found.width / 10


def test_of_everybody_but_those_both_directions_are_told_at_one_hop_and_at_two() -> None:
    found = drawn(full())
    assert {len(box.amounts.split(" · ")) for box in found.boxes if box.hops} == {2}
    assert all("pays $" in box.amounts and " · gets $" in box.amounts for box in found.boxes if box.hops)


def small() -> tuple[Network, list[str]]:
    ann, bob, carl, dan, eve = (ids.new() for _ in range(5))
    hops = {ann: 0, bob: 1, carl: 2, dan: 2, eve: 2}
    nodes = tuple(Node(customer_id=id_, hops=found, name=id_[-4:], status=None) for id_, found in hops.items())
    edges = (
        edge(bob, dan, 12_345_678),
        edge(dan, bob, 9_000_000),
        edge(bob, ann, 500),
        edge(carl, bob, 200),
        edge(bob, carl, 7),
        edge(bob, eve, 5),
    )
    return Network(nodes=nodes, edges=edges, is_cut=False), list(hops)


def test_amounts_are_told_to_the_dollar_and_in_short_where_there_is_no_room() -> None:
    network, (ann, bob, carl, dan, eve) = small()
    found = drawn(network)
    amounts = {box.customer_id: box.amounts for box in found.boxes}
    assert amounts == {
        ann: "",
        bob: "pays $500",
        carl: "pays $200 · gets $7",
        dan: "pays $9.0M · gets $12.3M",
        eve: "gets $5",
    }
    assert found.width <= WIDTH_USUAL
    assert "$12,345,678" in {row.amount for row in found.rows}
