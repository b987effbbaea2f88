"""Labels: what payments turned out to be, reported to fraud a week after they were made, in the events' own time."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from demo.client import WeirClient
from demo.story import Ordered

DELAY = timedelta(days=7)
PAGE = 1_000
NOT_YET = "payment_unknown"
"""Fraud's word for a payment that it has not assessed: its turn may still come."""


class Labels:
    """What is known of a stream's payments, and has been reported."""

    def __init__(self, client: WeirClient) -> None:
        self._client = client
        self._waiting: deque[Ordered] = deque()
        self._posts = 0
        self.reported = 0

    def expect(self, ordered: Sequence[Ordered]) -> None:
        """Take note of accepted payments whose label is known, in the order of their time."""
        self._waiting.extend(item for item in ordered if item.order.label is not None and item.refusal is None)

    def report_until(self, now: str | None) -> None:
        """Report what has turned out by this time of the stream."""
        if now is None:
            return
        known_until = datetime.fromisoformat(now) - DELAY
        due = []
        while self._waiting and _time_of(self._waiting[0]) <= known_until:
            due.append(self._waiting.popleft())
        too_early = [item for start in range(0, len(due), PAGE) for item in self._post(due[start : start + PAGE])]
        self._waiting.extendleft(reversed(too_early))

    def _post(self, page: Sequence[Ordered]) -> list[Ordered]:
        """Report some; returns those that fraud has not come to yet."""
        self._posts += 1
        answer = self._client.post("fraud", "/v1/labels", f"labels-{self._posts}", {"labels": [*map(_label, page)]})
        reasons = [label.get("reason") for label in answer["labels"]]
        self.reported += reasons.count(None)
        return [item for item, reason in zip(page, reasons, strict=True) if reason == NOT_YET]


def _time_of(ordered: Ordered) -> datetime:
    return datetime.fromisoformat(ordered.order.instructed_at or "")


def _label(ordered: Ordered) -> dict[str, Any]:
    label = {"payment_id": ordered.payment_id, "label": "fraud" if ordered.order.label else "genuine"}
    return {**label, **({"scenario": str(ordered.order.scenario)} if ordered.order.scenario else {})}
