"""What a shop does with payments once they have been ordered: it takes the money, withdraws them, gives money back."""

from collections.abc import Callable, Set
from itertools import cycle
from typing import Any

from chaos.asking import Asking
from chaos.installation import Installation
from demo.story import Kind
from libs.common.money import format_amount, parse_amount

LOOKED_AT_MAX = 50
"""Of the newest payments in a state, at a time."""
TOO_LATE_TO_CAPTURE = ("payment_ended", "payment_not_capturable")
TOO_LATE_TO_WITHDRAW = ("payment_ended", "payment_not_cancellable")
CAPTURED, WITHDRAWN, REFUNDED = "captured", "withdrawn", "refunded"
ENDS_OF_CAPTURED = ("settled", "rejected", "blocked")
"""Who looks at a payment meanwhile may refuse it, after as well as before its client has said how much to take."""
ENDS_OF_WITHDRAWN = ("cancelled", "rejected", "blocked")


class Clerk:
    """Looks at the payments of a shop's customers, and does something about some of them, one turn after another."""

    def __init__(
        self,
        installation: Installation,
        asking: Asking,
        account_ids: Set[str],
        currency: str,
        order: Callable[..., str],
    ) -> None:
        """`order` orders one more payment, of a kind if it is told so, and returns its id."""
        self._installation, self._asking, self._account_ids = installation, asking, account_ids
        self._currency, self._order = currency, order
        self._decisions = cycle((self._capture_part, self._withdraw, self._capture_all))
        self._handled: set[tuple[str, str]] = set()
        """States and payments: what was done about those in that state."""
        self._captured: dict[str, int] = {}
        """What was acknowledged to be taken, in minor units, by payment."""
        self._withdrawn: set[str] = set()
        self._refunds: dict[str, tuple[str, int]] = {}
        """What was acknowledged to be given back: payment and minor units, by refund."""

    def serve(self) -> None:
        """Decide about all that is authorised, or have something to decide about next time; withdraw a payment that
        was ordered just now; give back the money of one that has settled, in two parts."""
        authorised = self._unhandled("authorised")
        for payment in authorised:
            self._handle(payment, next(self._decisions))
        if not authorised:
            self._order(kind=Kind.SHIPPED_IN_PART)
            self._withdraw({"payment_id": self._order(kind=Kind.GOOD)})
        for payment in self._unhandled("settled")[:1]:
            self._handle(payment, self._give_back)

    def require_done(self) -> None:
        """Once all has come to rest: what was acknowledged was done, as often as it was asked for."""
        found = {
            payment_id: (state, captured, settled)
            for payment_id, state, captured, settled in self._installation.rows(
                "payments",
                """SELECT payment_id::text, state, (body->'captured'->>'amount_minor')::bigint,
                          (body->'settled'->>'amount_minor')::bigint
                     FROM (SELECT payment_id, state, body::jsonb AS body FROM payments
                            WHERE payment_id = ANY(%s::uuid[])) AS p""",
                ([*self._captured, *self._withdrawn],),
            )
        }
        for payment_id, minor in self._captured.items():
            state, captured, settled = found[payment_id]
            assert state in ENDS_OF_CAPTURED and captured == minor, (payment_id, found[payment_id], minor)
            assert settled == (minor if state == "settled" else None), (payment_id, found[payment_id], minor)
        for payment_id in self._withdrawn:
            assert found[payment_id][0] in ENDS_OF_WITHDRAWN, (payment_id, found[payment_id])
        refunded = {payment_id for payment_id, _ in self._refunds.values()}
        kept = self._installation.rows(
            "payments",
            "SELECT refund_id::text, payment_id::text, amount_minor FROM refunds WHERE payment_id = ANY(%s::uuid[])",
            ([*refunded],),
        )
        assert {refund_id: (payment_id, minor) for refund_id, payment_id, minor in kept} == self._refunds

    def _unhandled(self, state: str) -> list[dict[str, Any]]:
        """The newest payments of our customers in a state, but for those that something was done about in it."""
        page = self._asking.look("payments", "/v1/payments", state=state, limit=LOOKED_AT_MAX)["payments"]
        ours = [payment for payment in page if payment["debtor_account_id"] in self._account_ids]
        return [payment for payment in ours if (state, payment["payment_id"]) not in self._handled]

    def _handle(self, payment: dict[str, Any], handle: Callable[[dict[str, Any]], None]) -> None:
        handle(payment)
        self._handled.add((payment["state"], payment["payment_id"]))

    def _capture_part(self, payment: dict[str, Any]) -> None:
        minor = self._minor(payment["amount"]) // 2
        self._capture(payment["payment_id"], minor, f'{{"amount": "{format_amount(minor, self._currency)}"}}')

    def _capture_all(self, payment: dict[str, Any]) -> None:
        self._capture(payment["payment_id"], self._minor(payment["amount"]), "{}")

    def _capture(self, payment_id: str, minor: int, body: str) -> None:
        path = f"/v1/payments/{payment_id}/capture"
        sent = self._asking.ask(CAPTURED, "payments", path, body.encode(), may_be_refused=TOO_LATE_TO_CAPTURE)
        if not sent.is_refused:
            self._captured[payment_id] = minor

    def _withdraw(self, payment: dict[str, Any]) -> None:
        path = f"/v1/payments/{payment['payment_id']}/cancel"
        sent = self._asking.ask(WITHDRAWN, "payments", path, b"", may_be_refused=TOO_LATE_TO_WITHDRAW)
        if not sent.is_refused:
            self._withdrawn.add(payment["payment_id"])

    def _give_back(self, payment: dict[str, Any]) -> None:
        part = self._minor(payment["captured_amount"] or payment["amount"]) // 2
        for body in (f'{{"amount": "{format_amount(part, self._currency)}"}}', "{}"):
            path = f"/v1/payments/{payment['payment_id']}/refunds"
            told = self._asking.ask(REFUNDED, "payments", path, body.encode()).told
            self._refunds[told["refund_id"]] = payment["payment_id"], self._minor(told["amount"])

    def _minor(self, amount: str) -> int:
        minor = parse_amount(amount, self._currency)
        assert isinstance(minor, int)
        return minor
