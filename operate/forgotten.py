"""Orders that topics tell of and payments' database does not know: what a restore from an older backup has left.

Their money may have moved all the same. So each is told with what became of it, and whether it may be ordered again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum

from libs.common.codec import Codec, Undecodable
from libs.common.record import Record
from libs.common.settings import MessagingSettings
from operate import stored, topics
from operate.nothing_lost import STATE_BY_END, STATE_BY_REFUND_END
from operate.topics import Recorded
from schemas.payments.events import PAYMENT, REFUND, PaymentInitiated, RefundRequested

_BEGINNINGS = ("PaymentInitiated", "RefundRequested")
_ENDS = {**STATE_BY_END, **STATE_BY_REFUND_END}
_UNDER_WAY = {"PaymentApproved": "approved", "PaymentBlockRequested": "blocking"}
"""Accounts may act upon these yet."""
_MOVED = ("posted", "blocked")


class Again(StrEnum):
    """Whether a client may order it again."""

    NO = "no"
    """It has ended, or its money has moved: who orders it again orders something new, and may pay twice."""
    WAIT = "wait"
    """Its money is held, and may still move."""
    YES = "yes"
    """Nothing of it will happen any more; what is held for it is given back when the hold's time is over."""


class Forgotten(Record):
    """An order that payments no longer knows."""

    kind: str
    """payment or refund."""
    id: str
    client_id: str
    """Of a refund: empty. Its payment's client gave it."""
    payment_id: str
    amount_minor: int
    currency: str
    became: str
    """How it ended, or how far it came, as topics tell."""
    money: str
    """What accounts has done: held, posted, blocked, released, declined, refused; empty: it has not heard of it."""
    order_again: Again


def look(
    recorded: Iterable[Recorded], known: Collection[str], money: Mapping[str, str], decode: Callable[[Recorded], object]
) -> Iterator[Forgotten]:
    """Each of them, in the order they came in.

    `recorded`: payments' topics; `known`: the ids of payments and refunds in its database; `money`: by id, what
    accounts has done.
    """
    begun: dict[str, Recorded] = {}
    became: dict[str, str] = {}
    for event in recorded:
        if event.subject in known:
            continue
        if event.event_type in _BEGINNINGS:
            begun[event.subject] = event
        elif end := _ENDS.get(event.event_type):
            became[event.subject] = end
        elif event.event_type in _UNDER_WAY and became.get(event.subject) not in _ENDS.values():
            became[event.subject] = _UNDER_WAY[event.event_type]
    for id_, event in sorted(begun.items(), key=lambda one: one[1].caused_at):
        order = decode(event)
        # What else lies on a topic under such a name is nobody's order.
        if isinstance(order, PaymentInitiated | RefundRequested):
            yield _forgotten(order, became.get(id_, "open"), money.get(id_, ""))


def _forgotten(order: PaymentInitiated | RefundRequested, became: str, money: str) -> Forgotten:
    ordered = order.order if isinstance(order, PaymentInitiated) else order
    return Forgotten(
        kind="payment" if isinstance(order, PaymentInitiated) else "refund",
        id=order.payment_id if isinstance(order, PaymentInitiated) else order.refund_id,
        client_id=order.order.client_id if isinstance(order, PaymentInitiated) else "",
        payment_id=order.payment_id,
        amount_minor=ordered.amount_minor,
        currency=ordered.currency,
        became=became,
        money=money,
        order_again=may_be_ordered_again(became, money),
    )


def may_be_ordered_again(became: str, money: str) -> Again:
    """By its end, or the last that was asked of accounts, and by what accounts has done."""
    if became in _ENDS.values() or money in _MOVED:
        return Again.NO
    # Of what accounts has not heard yet nobody can say what it will do.
    return Again.WAIT if not money or (money == "held" and became in _UNDER_WAY.values()) else Again.YES


def find(codec: Codec, settings: MessagingSettings, databases: Mapping[str, str]) -> Iterator[Forgotten]:
    """All there are. Raises Outage."""

    def decode(event: Recorded) -> object:
        try:
            reader = codec.reader_of(event.value)
            return reader.decode(event.value) if reader else None
        except Undecodable:
            return None

    # Of what is known nothing is kept in memory: topics hold years of it.
    before = _known(databases)
    recorded = [
        event if event.event_type in _BEGINNINGS else event._replace(value=b"")
        for event in topics.read(settings, [PAYMENT.name, REFUND.name])
        if event.subject not in before
    ]
    # Asked again: what was ordered meanwhile is in the database before it is on its topic.
    known = _known(databases)
    money = {id_: status for query in _MONEY for id_, status in stored.ask(databases, "accounts", query)}
    return look(recorded, known, money, decode)


def _known(databases: Mapping[str, str]) -> Collection[str]:
    return {id_ for query in _KNOWN for (id_,) in stored.ask(databases, "payments", query)}


_KNOWN = ("SELECT payment_id::text FROM payments", "SELECT refund_id::text FROM refunds")
_MONEY = (
    "SELECT hold_id::text, status FROM holds WHERE kind = 'payment'",
    "SELECT refund_id::text, status FROM refunds",
)
