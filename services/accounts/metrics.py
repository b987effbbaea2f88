"""What Prometheus sees of accounts: how much is held, and whether the books add up."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from libs.common.figures import Figure, Look, Value
from services.accounts.domain.journal import Fault, Reached, fault_at_end, follow
from services.accounts.queries import reconciliation, verification
from services.accounts.queries.verification import FIRST_LANE, Lane, LaneRead
from services.accounts.settings import AccountsSettings

log = logging.getLogger(__name__)

_HOLDS = (
    Figure(name="holds_open", meaning="Payments whose money is set aside; counted up to 100,000"),
    Figure(
        name="ledger_holds_wrong",
        meaning="Holds that do not say what their transfers say: anything but zero is a fault",
    ),
)
_BOOKS = (
    Figure(
        name="ledger_imbalance_minor",
        meaning="What all balances add up to, or all entries as far as they were read, in minor units of the currency:"
        " anything but zero is a fault",
        label="currency",
        values="the currencies and assets of its accounts",
    ),
    Figure(
        name="ledger_accounts_wrong",
        meaning="Accounts that are not what their entries and holds add up to, or whose entries are not what was"
        " written: anything but zero is a fault",
    ),
)


def looks(settings: AccountsSettings) -> Sequence[Look]:
    """What a query tells, now and then. All there is is looked at in turn, a bounded part each time."""
    accounts = Rounds(reconciliation.find_wrong_accounts, settings.checked_accounts)
    holds = Rounds(reconciliation.find_wrong_holds, settings.checked_holds)
    journal = RoundsOfJournal(settings.checked_entries)

    def ask_holds(tx: Connection, _: datetime) -> Sequence[Value]:
        return reconciliation.measure_holds(tx), len(holds.look(tx))

    def ask_books(tx: Connection, _: datetime) -> Sequence[Value]:
        wrong = accounts.look(tx) | journal.look(tx)
        return imbalances(reconciliation.measure_balances(tx), journal.missing_minor), len(wrong)

    return [Look(figures=_HOLDS, ask=ask_holds), Look(figures=_BOOKS, ask=ask_books)]


def imbalances(balances: Mapping[str, int], missing_minor: Mapping[str, int]) -> Mapping[str, int]:
    """What balances add up to, by currency, or what entries do, where that is further from zero: they are the balances
    but for what of those has no entries."""
    return {
        currency: max(total, total - missing_minor.get(currency, 0), key=abs) for currency, total in balances.items()
    }


class Rounds:
    """Goes round all rows of a kind for ever, a page at each look; remembers those that were wrong when last seen."""

    def __init__(self, find: Callable[..., tuple[list[str], str | None]], page_length: int) -> None:
        """`find(tx, after=…, limit=…)` -> the ids that are wrong on a page, and where it ends, None at the end."""
        self._find = find
        self._page_length = page_length
        self._after: str | None = None
        self._wrong: set[str] = set()

    def look(self, tx: Connection) -> set[str]:
        """The ids that were wrong when they were last looked at."""
        wrong, until = self._find(tx, after=self._after, limit=self._page_length)
        if wrong:
            log.error("the books contradict themselves", extra={"found_by": self._find.__name__, "ids": wrong})
        self._wrong = {id_ for id_ in self._wrong if not self._is_on_page(id_, until)} | set(wrong)
        self._after = until
        return self._wrong

    def _is_on_page(self, id_: str, until: str | None) -> bool:
        return (self._after is None or id_ > self._after) and (until is None or id_ <= until)


class RoundsOfJournal:
    """Computes the hash of every entry anew, for ever, some at each look, and adds up their amounts; remembers each
    lane that was wrong when last seen."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._place: Lane | None = None
        """The lane that is under way."""
        self._number = 0
        """Its last entry that was read."""
        self._total_minor = 0
        self._reached: Reached | Fault = Reached()
        self._faults: dict[Lane, Fault] = {}
        self._missing: dict[Lane, tuple[str, int]] = {}
        """What of its balance has no entries, where that is not nothing."""

    @property
    def missing_minor(self) -> Mapping[str, int]:
        """What of the balances has no entries, by currency."""
        totals = Counter[str]()
        for currency, minor in self._missing.values():
            totals[currency] += minor
        return totals

    def look(self, tx: Connection) -> set[str]:
        """The accounts whose journal was not what was written when it was last read."""
        place = self._place or verification.find_some_lane(tx)
        lanes, is_end = verification.read_lanes(tx, place, self._number, self._entries_max)
        for lane in lanes:
            self._read(lane)
        if is_end:
            self._begin(FIRST_LANE)
        return {account_id for account_id, _ in self._faults.keys() | self._missing.keys()}

    def _begin(self, place: Lane) -> None:
        self._place, self._number, self._total_minor, self._reached = place, 0, 0, Reached()

    def _read(self, lane: LaneRead) -> None:
        if lane.place != self._place:
            self._begin(lane.place)
        if isinstance(self._reached, Reached):
            self._reached = follow(*lane.place, lane.lines, self._reached)
        self._total_minor += sum(entry.amount_minor for entry, _ in lane.lines)
        if lane.lines:
            self._number = lane.lines[-1][0].number
        if lane.is_last:
            self._conclude(lane)

    def _conclude(self, lane: LaneRead) -> None:
        fault = (
            self._reached
            if isinstance(self._reached, Fault)
            else fault_at_end(*lane.place, self._reached, entry_count=lane.entry_count, entry_hash=lane.entry_hash)
        )
        if fault is None:
            self._faults.pop(lane.place, None)
        else:
            log.error("the journal is not what was written", extra={"ids": [fault.account_id], "entry": fault.number})
            self._faults[lane.place] = fault
        if lane.posted_minor == self._total_minor:
            self._missing.pop(lane.place, None)
        else:
            self._missing[lane.place] = lane.currency, lane.posted_minor - self._total_minor
