"""A run of the demo that went well, to spoil in one place."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from demo.account import End
from demo.run import Result
from demo.stock import Stock
from demo.story import Kind, Order, Ordered

REFUSED, LOST = "refused", "lost"


def payment(number: int, kind: Kind, became: str, reason: str = "", *, label: bool | None = None) -> Any:
    """An order and its end, in the words of the summary: "settled after review"; None where there is no end."""
    state, _, reviewed = became.partition(" ")
    payment_id = f"payment-{number:04}"
    order = Order(kind=kind, debtor=0, creditor=1, amount="5.00", label=label)
    ordered = Ordered(order=order, payment_id=payment_id, refusal=reason if became == REFUSED else None)
    if became in (REFUSED, LOST):
        return ordered, None
    end = End(
        payment_id=payment_id,
        state=state,
        public_reason="",
        internal_reason=reason,
        was_reviewed=bool(reviewed),
        seconds=None if state == "suspended" else 1.5,
    )
    return ordered, end


def payments(kind: Kind, became: dict[str | tuple[str, str], int]) -> list[Any]:
    """So many payments of each end, or of each end and its reason."""
    words = [
        words if isinstance(words, tuple) else (words, "") for words, count in became.items() for _ in range(count)
    ]
    return [payment(number, kind, *how) for number, how in enumerate(words)]


def split(made: Iterable[Any]) -> tuple[tuple[Ordered, ...], dict[str, End]]:
    """Orders, and their ends by id."""
    pairs = list(made)
    return tuple(ordered for ordered, _ in pairs), {end.payment_id: end for _, end in pairs if end is not None}


def result(ordered: tuple[Ordered, ...], **changes: Any) -> Result:
    usual = {
        "began_at": datetime(2026, 11, 23, tzinfo=UTC),
        "parties": 2,
        "opened": 2,
        "to_fund": 1,
        "funded": 1,
        "ordered": ordered,
        "labels": 0,
        "streamed_seconds": 1.0,
        "settled_seconds": 2.0,
        "first_settled_seconds": 1.0,
        "decided": {},
        "left_alone": 0,
        "captured": 0,
        "refunded": 0,
    }
    return Result(**{**usual, **changes})


def stock(made: Iterable[Any], *, changes: dict[str, Any] | None = None, **result_changes: Any) -> Stock:
    ordered, ends = split(made)
    usual = {
        "result": result(ordered, **result_changes),
        "ends": ends,
        "books": {"is_balanced": True, "open_holds": 0, "entries_by_currency": {"EUR": 4}},
        "trial_balance": {"currencies": []},
        "comparisons": (),
        "events_by_topic": {},
        "assessments": {},
        "timelines": {},
        "may_wait": False,
    }
    return Stock(**{**usual, **(changes or {})})
