"""Money that is moved past payments, in the ledger itself, to one account: what it holds tells what was done."""

from itertools import cycle

import msgspec

from chaos.asking import Asking
from chaos.installation import Installation

PENCE, PENCE_MINOR = "1.00", 100
"""What is moved each time."""
DEPOSITED, TRANSFERRED, POSTED, VOIDED = "deposited", "transferred", "hold posted", "hold voided"
BROUGHT_IN = (DEPOSITED, TRANSFERRED, POSTED)


class Savings:
    """Deposits to the account of somebody who does nothing but save, and what somebody else sends there."""

    def __init__(self, installation: Installation, asking: Asking, *, giver: str, saver: str, currency: str) -> None:
        """`giver` and `saver` are ids of accounts that nobody else moves money of."""
        self._installation, self._asking = installation, asking
        self._giver, self._saver, self._currency = giver, saver, currency
        self._moves = cycle((self._transfer, self._post_hold, self._void_hold))
        self._given_minor = self._balance(giver)[0]

    def deposit(self) -> None:
        body = {"account_id": self._saver, "currency": self._currency, "amount": PENCE}
        self._asking.ask(DEPOSITED, "accounts", "/v1/fundings", msgspec.json.encode(body))

    def move(self) -> None:
        """A transfer, or a hold that is posted at once, or one that is voided: each in its turn."""
        next(self._moves)()

    def require_balances(self) -> None:
        """Both accounts hold what was acknowledged, each of it once, and nothing is set aside."""
        done = self._asking.done
        assert self._balance(self._saver) == (PENCE_MINOR * sum(done[what] for what in BROUGHT_IN), 0)
        given = PENCE_MINOR * (done[TRANSFERRED] + done[POSTED])
        assert self._balance(self._giver) == (self._given_minor - given, 0)

    def _transfer(self) -> None:
        self._asking.ask(TRANSFERRED, "accounts", "/v1/transfers", self._to_saver())

    def _post_hold(self) -> None:
        self._asking.ask(POSTED, "accounts", f"/v1/holds/{self._hold()}/post", b"{}")

    def _void_hold(self) -> None:
        self._asking.ask(VOIDED, "accounts", f"/v1/holds/{self._hold()}/void", b"")

    def _hold(self) -> str:
        return str(self._asking.ask("held", "accounts", "/v1/holds", self._to_saver()).told["hold_id"])

    def _to_saver(self) -> bytes:
        return msgspec.json.encode(
            {
                "debit_account_id": self._giver,
                "credit_account_id": self._saver,
                "currency": self._currency,
                "amount": PENCE,
            }
        )

    def _balance(self, account_id: str) -> tuple[int, int]:
        ((posted, held),) = self._installation.rows(
            "accounts", "SELECT posted_minor, held_minor FROM accounts WHERE account_id = %s", (account_id,)
        )
        return int(posted), int(held)
