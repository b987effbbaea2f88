"""What the desk draws: charts of customers' money, and networks of those it went between."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from services.compliance.desk.activity import activity
from services.compliance.desk.network import WIDTH_MAX, Box, Picture, picture
from services.compliance.domain.work import CustomerStatus
from services.compliance.monitoring.history import EMPTY, Entry, add
from services.compliance.monitoring.links import Link, added_up, link_of
from services.compliance.monitoring.movements import micros_of
from services.compliance.network_queries import Edge, Network, Node
from tests.unit.compliance.money import HOUR, gets, movement

NOW = datetime(2026, 6, 30, 15, tzinfo=UTC)


def entry(days_ago: float, cents: int, *, is_out: bool) -> Entry:
    return Entry(
        payment_id="0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061",
        at_micros=micros_of(NOW - timedelta(days=days_ago)),
        cents=cents,
        is_out=is_out,
        is_cash=False,
        zeros=0,
        counterpart=1,
    )


def test_a_chart_shows_each_day_of_90_to_scale_and_the_same_in_words() -> None:
    past = EMPTY
    for one in (entry(95, 900_00, is_out=False), entry(89, 50_00, is_out=True), entry(0, 1_000_00, is_out=False)):
        past = add(past, one)
    chart = activity("Payer", "Ann", add(past, entry(0, 250_00, is_out=True)), NOW)
    first, last = chart.bars
    assert (first.came, first.went, last.came, last.went) == ("$0", "$50", "$1,000", "$250")
    assert (last.height_in, last.height_out) == (72, 18)
    assert first.x < last.x < 900
    assert (chart.came, chart.went, chart.highest) == ("$1,000", "$300", "$1,000")
    assert [tick.month for tick in chart.ticks] == ["May", "Jun"]


def test_a_chart_of_somebody_whose_money_has_not_moved_says_so() -> None:
    assert activity("Payer", "Ann", EMPTY, NOW).is_empty


def test_a_small_day_beside_a_large_one_can_be_seen() -> None:
    chart = activity("Payer", "Ann", add(add(EMPTY, entry(1, 1, is_out=True)), entry(0, 10**9, is_out=True)), NOW)
    assert chart.bars[0].height_out == 2.0


def network(edges: dict[tuple[str, str], int], **hops: int) -> Network:
    return Network(
        nodes=tuple(Node(customer_id=name, hops=n, name=name, status=None) for name, n in hops.items()),
        edges=tuple(
            Edge(debtor_customer_id=debtor, creditor_customer_id=creditor, payments=2, cents=cents)
            for (debtor, creditor), cents in sorted(edges.items(), key=lambda item: -item[1])
        ),
        is_cut=False,
    )


def drawn(found: Network, pending: str | None = None) -> tuple[Picture, dict[str, Box]]:
    drawing = picture(found, {}, pending=pending)
    assert drawing is not None
    return drawing, {box.customer_id: box for box in drawing.boxes}


def test_payers_stand_on_the_left_and_payees_on_the_right_with_theirs_beyond_them() -> None:
    edges = {("bob", "ann"): 300_00, ("ann", "carl"): 200_00, ("zoe", "bob"): 10_00, ("carl", "dan"): 20_00}
    drawing, boxes = drawn(network(edges, ann=0, bob=1, carl=1, zoe=2, dan=2))
    assert [boxes[name].x for name in ("zoe", "bob", "ann", "carl", "dan")] == sorted(box.x for box in drawing.boxes)
    assert boxes["bob"].amounts == "pays $300"
    assert boxes["carl"].amounts == "gets $200"
    assert boxes["dan"].amounts == "$20"
    assert drawing.rows[0].debtor == "bob"
    assert "bob paid ann $300, 2 payments" in [arrow.words for arrow in drawing.arrows]


def test_who_pays_and_is_paid_stands_where_most_money_goes_and_shows_both() -> None:
    drawing, boxes = drawn(network({("ann", "bob"): 500_00, ("bob", "ann"): 100_00}, ann=0, bob=1))
    assert boxes["bob"].x > boxes["ann"].x
    assert boxes["bob"].amounts == "pays $100 · gets $500"
    assert len({arrow.path for arrow in drawing.arrows}) == 2


def test_the_payment_that_waits_is_drawn_between_its_two_sides() -> None:
    drawing, boxes = drawn(network({("ann", "carl"): 1_00}, ann=0, ben=0, carl=1), pending="1,250.00 EUR")
    assert drawing.pending is not None
    assert drawing.pending.words == "held: 1,250.00 EUR"
    assert boxes["ann"].y < boxes["ben"].y


def test_who_is_restricted_stands_out_and_who_is_unknown_has_the_end_of_an_id() -> None:
    known = Node(customer_id="bob-00000001", hops=1, name=None, status=CustomerStatus.RESTRICTED)
    found = network({("bob-00000001", "ann"): 1_00}, ann=0)
    _, boxes = drawn(Network(nodes=(*found.nodes, known), edges=found.edges, is_cut=False))
    assert boxes["bob-00000001"].is_doubted
    assert boxes["bob-00000001"].label == "…00000001"


def test_two_hundred_customers_lie_side_by_side_and_nobody_on_anybody() -> None:
    chance = Random(7)
    hops = {"ann": 0, "ben": 0} | {f"n{n}": 1 for n in range(48)} | {f"f{n}": 2 for n in range(150)}
    edges = {}
    for name, distance in hops.items():
        if distance:
            other = chance.choice([other for other, hop in hops.items() if hop == distance - 1])
            ends = (name, other) if chance.random() < 0.5 else (other, name)
            edges[ends] = chance.randrange(1, 10**7)
    drawing, boxes = drawn(network(edges, **hops))
    assert len(boxes) == 200
    assert drawing.width <= WIDTH_MAX
    placed = sorted(boxes.values(), key=lambda box: (box.x, box.y))
    assert all(one.x != other.x or one.y + one.height <= other.y for one, other in pairwise(placed))
    assert picture(network(edges, **hops), {}) == drawing
    coordinates = [float(n) for arrow in drawing.arrows for n in re.findall(r"-?[0-9.]+", arrow.path)]
    assert min(coordinates) >= 0
    assert max(coordinates) <= max(drawing.width, drawing.height)


def test_what_one_paid_another_is_added_up_by_the_month_in_the_order_of_keys() -> None:
    moves = [movement(gets(10, n * HOUR, of=who), n) for n, who in enumerate(("zed", "bob", "zed"))]
    links = added_up(map(link_of, moves))
    assert [(link.debtor_customer_id, link.payments, link.cents) for link in links] == [
        ("bob", 1, 10_00),
        ("zed", 2, 20_00),
    ]
    assert isinstance(links[0], Link)
    assert links[0].month_on.day == 1
