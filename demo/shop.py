"""What shops do once a payment has been ordered: they capture what they ship, and give back what is returned."""

import threading
from collections.abc import Sequence

import httpx

from demo.client import WeirClient
from demo.story import Kind, Ordered
from libs.common.money import format_amount, parse_amount

LOOK_SECONDS = 0.5
PAGE = 500
SHIPPED_SHARE = 2
"""One in so many of the goods that a payment is for has been shipped, when only some are."""
LOOKS_MAX = 240
"""At refunds, until each has come to its end."""


class Shop:
    """Captures the payments that wait for it, on a thread of its own, and refunds those that are to be returned."""

    def __init__(self, client: WeirClient, currency: str) -> None:
        self._client = client
        self._currency = currency
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shop")
        self._captured: set[str] = set()
        self.refunded = 0

    @property
    def captured(self) -> int:
        """How many payments it has captured, each in part."""
        return len(self._captured)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let it end what it is at."""
        self._stop.set()
        self._thread.join()

    def refund(self, ordered: Sequence[Ordered]) -> None:
        """Give back what was returned, whole, of those that have settled; wait until it has arrived."""
        returned = [item.payment_id for item in ordered if item.order.kind is Kind.RETURNED and item.refusal is None]
        settled = [id_ for id_ in returned if self._payment(id_)["state"] == "settled"]
        for payment_id in settled:
            self._client.post("payments", f"/v1/payments/{payment_id}/refunds", f"refund-{payment_id}", {})
        left = set(settled)
        for _ in range(LOOKS_MAX):
            arrived = {id_ for id_ in left if self._payment(id_)["refunds"][0]["state"] == "settled"}
            self.refunded, left = self.refunded + len(arrived), left - arrived
            if not left:
                return
            self._stop.wait(LOOK_SECONDS)

    def _payment(self, payment_id: str) -> dict:  # type: ignore[type-arg]
        return dict(self._client.get("payments", f"/v1/payments/{payment_id}"))

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._capture_what_waits():
                self._stop.wait(LOOK_SECONDS)

    def _capture_what_waits(self) -> int:
        page = self._client.get("payments", "/v1/payments", state="authorised", limit=PAGE)["payments"]
        waiting = [payment for payment in page if payment["payment_id"] not in self._captured]
        for payment in waiting:
            minor = parse_amount(payment["amount"], self._currency)
            assert isinstance(minor, int)
            shipped = {"amount": format_amount(max(1, minor // SHIPPED_SHARE), self._currency)}
            payment_id = payment["payment_id"]
            try:
                self._client.post("payments", f"/v1/payments/{payment_id}/capture", f"capture-{payment_id}", shipped)
            except httpx.HTTPStatusError:
                # It has ended meanwhile, as when people have refused it.
                continue
            finally:
                self._captured.add(payment_id)
        return len(waiting)
