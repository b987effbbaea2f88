"""What Prometheus sees of accounts: how much is held, and whether the books add up."""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from libs.common.figures import Figure, Look, Value
from services.accounts import queries
from services.accounts.settings import AccountsSettings

log = logging.getLogger(__name__)

_FIGURES = (
    Figure(name="holds_open", meaning="Payments whose money is set aside; counted up to 100,000"),
    Figure(
        name="ledger_imbalance_minor",
        meaning="What all balances add up to, in minor units of the currency: anything but zero is a fault",
        label="currency",
        values="the currencies and assets of its accounts",
    ),
    Figure(
        name="ledger_accounts_wrong",
        meaning="Accounts that are not what their entries and holds add up to: anything but zero is a fault",
    ),
)


def looks(settings: AccountsSettings) -> Sequence[Look]:
    """What a query tells, now and then."""
    rounds = RoundsOfAccounts(settings.checked_accounts)

    def ask(tx: Connection, _: datetime) -> Sequence[Value]:
        return queries.measure_holds(tx), queries.measure_imbalances(tx), len(rounds.look(tx))

    return [Look(figures=_FIGURES, ask=ask)]


class RoundsOfAccounts:
    """Goes round all accounts for ever, some at each look, and remembers which of them are wrong."""

    def __init__(self, page_length: int) -> None:
        self._page_length = page_length
        self._after: str | None = None
        self._wrong_before: set[str] = set()
        self._wrong: set[str] = set()

    def look(self, tx: Connection) -> set[str]:
        """The accounts found wrong in the last round and, so far, in this one."""
        wrong, self._after = queries.find_wrong_accounts(tx, after=self._after, limit=self._page_length)
        if wrong:
            log.error("accounts are not what their entries and holds add up to", extra={"account_ids": wrong})
        self._wrong |= set(wrong)
        found = self._wrong_before | self._wrong
        if self._after is None:
            self._wrong_before, self._wrong = self._wrong, set()
        return found
