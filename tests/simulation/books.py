"""What must hold of the books in the simulated world: of balances after every step, of the journal at the end.

The journal is worked out from what was asked of the ledger and not refused, what has been spent from what the topics
tell.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction

from libs.common.chain import NO_HASH
from libs.common.message import Command
from libs.common.money import SCALES
from libs.common.record import Record
from schemas.accounts.events import HoldEnded, HoldPlaced, PostedTransferKind, PropertyBlocked, TransfersPosted
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.customers import SetBounds
from services.accounts.domain.holds import PlaceHold, PostHold, PostHolds, VoidHold
from services.accounts.domain.journal import OF_PAYMENTS, Transfer, TransferKind, digest_of, hash_of
from services.accounts.domain.ledger import AccountStatus, HoldKind, HoldStatus
from services.accounts.domain.limits import STANDARD_LIMITS
from services.accounts.domain.transfers import Book, Convert, Fund, Reverse
from tests.simulation.memories import AccountsMemory

Movement = tuple[TransferKind, str, str, int, str]
"""What for, from where, to where, how much, in which currency."""


class Reserve(Record):
    """Money set aside by request, as the answers tell of it."""

    placed: PlaceHold
    left_minor: int
    is_open: bool = True


class Books:
    """Looks on, and raises AssertionError where a promise about money is broken."""

    def __init__(self, accounts: AccountsMemory) -> None:
        self.accounts = accounts
        self._asked: dict[str, tuple[Movement, ...]] = {}
        """What was to be moved together, by the id that it shares."""
        self._reversed: set[str] = set()
        self._reserves: dict[str, Reserve] = {}
        self._bounds: dict[str, tuple[int, int | None]] = {}
        self._told: set[str] = set()
        self._ended: dict[str, HoldEnded] = {}
        self._placed_at: dict[str, datetime] = {}
        self._spent: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
        self._balances: dict[str, int] = defaultdict(int)
        self._hashes: dict[str, bytes] = defaultdict(lambda: NO_HASH)
        self._numbers: dict[str, int] = defaultdict(int)
        self._recorded_at: dict[str, datetime] = {}
        self._blocked_minor: dict[str, int] = defaultdict(int)
        self.blocked: dict[str, Movement] = {}
        self.let_go_by: dict[str, str] = {}
        """By transfer to blocked funds: the payment that had held the money, or the transfer itself."""
        """What was taken from listed customers' accounts, by the transfer."""
        self._transfers_read = 0
        self._by_staff: set[str] = set()
        """The first transfer of each booking that staff asked for."""

    # What was asked for, and not refused

    def note(self, command: Command) -> None:
        """A request that was granted."""
        match command:
            case Fund():
                source = house_account_id(AccountKind.EXTERNAL, command.currency)
                self._ask(
                    command.transfer_id,
                    (TransferKind.FUNDING, source, command.account_id, command.amount_minor, command.currency),
                )
            case Book():
                if command.by_staff:
                    self._by_staff.add(command.bookings[0].transfer_id)
                self._ask(
                    command.bookings[0].transfer_id,
                    *(
                        (TransferKind.BOOKING, b.debit_account_id, b.credit_account_id, b.amount_minor, b.currency)
                        for b in command.bookings
                    ),
                )
            case Convert():
                self._note_conversion(command)
            case Reverse():
                self._note_reversal(command)
            case PlaceHold():
                self._reserves[command.hold_id] = Reserve(placed=command, left_minor=command.amount_minor)
            case PostHold():
                self._note_post(command)
            case PostHolds():
                for posting in command.postings:
                    self._note_post(posting)
            case VoidHold():
                reserve = self._reserves[command.hold_id]
                assert reserve.is_open, "given back twice"
                self._reserves[command.hold_id] = Reserve(placed=reserve.placed, left_minor=0, is_open=False)
            case SetBounds():
                self._bounds[command.account_id] = command.floor_minor, command.ceiling_minor

    def _ask(self, link_id: str, *movements: Movement) -> None:
        assert link_id not in self._asked
        self._asked[link_id] = movements

    def _note_conversion(self, command: Convert) -> None:
        unit, credited_unit = 10 ** SCALES[command.currency], 10 ** SCALES[command.credited_currency]
        given_minor = Fraction(command.amount_minor, unit) * Fraction(command.rate) * credited_unit // 1
        liquidity = [
            house_account_id(AccountKind.LIQUIDITY, currency)
            for currency in (command.currency, command.credited_currency)
        ]
        kind = TransferKind.CONVERSION
        self._ask(
            command.transfer_id,
            (kind, command.debit_account_id, liquidity[0], command.amount_minor, command.currency),
            (kind, liquidity[1], command.credit_account_id, int(given_minor), command.credited_currency),
        )

    def _note_reversal(self, command: Reverse) -> None:
        original = self._transfer(command.transfer_id)
        link_id = original.link_id or original.transfer_id
        assert self.why_not_reversed(original) is None, f"{original} was taken back"
        self._reversed.add(link_id)
        self._ask(
            f"reversal of {link_id}",
            *(
                (TransferKind.REVERSAL, credit, debit, amount_minor, currency)
                for _, debit, credit, amount_minor, currency in reversed(self._asked[link_id])
            ),
        )

    def why_not_reversed(self, original: Transfer) -> str | None:
        """What is answered to who wants this taken back, whatever the state of the accounts."""
        if original.kind in OF_PAYMENTS:
            return "of_a_payment"
        if original.kind is TransferKind.REVERSAL:
            return "is_a_reversal"
        return "already_reversed" if (original.link_id or original.transfer_id) in self._reversed else None

    def _transfer(self, transfer_id: str) -> Transfer:
        return next(transfer for transfer in self.accounts.transfers if transfer.transfer_id == transfer_id)

    def _note_post(self, command: PostHold) -> None:
        reserve = self._reserves[command.hold_id]
        amount_minor = reserve.left_minor if command.amount_minor is None else command.amount_minor
        assert reserve.is_open and 0 < amount_minor <= reserve.left_minor, "more was posted than was set aside"
        placed = reserve.placed
        parties = placed.debit_account_id, placed.credit_account_id
        self._ask(command.transfer_id, (TransferKind.CAPTURE, *parties, amount_minor, placed.currency))
        left_minor = reserve.left_minor - amount_minor
        is_open = left_minor > 0 and not command.is_final
        self._reserves[command.hold_id] = Reserve(placed=placed, left_minor=left_minor, is_open=is_open)

    # What the topics tell

    def hear_transfers(self, event: TransfersPosted) -> None:
        """What was moved by request is told once. What staff did not ask for counts towards what may be spent."""
        for told in event.transfers:
            assert told.transfer_id not in self._told, "money moved is told twice"
            self._told.add(told.transfer_id)
            if told.kind is PostedTransferKind.BOOKING and event.link_id not in self._by_staff:
                self.spend(told.debit_account_id, told.amount_minor, event.posted_at)

    def hear_placed(self, event: HoldPlaced) -> None:
        self._placed_at[event.hold_id] = event.placed_at
        self.spend(event.debtor_account_id, event.amount_minor, event.placed_at)

    def hear_ended(self, event: HoldEnded) -> None:
        """Each hold ends once, and what was set aside was posted or given back."""
        assert event.hold_id not in self._ended
        self._ended[event.hold_id] = event
        amount_minor = self.accounts.holds[event.hold_id].amount_minor
        assert event.posted_minor + event.released_minor == amount_minor and event.released_minor >= 0
        self.give_back(event.debtor_account_id, event.released_minor, self._placed_at[event.hold_id])

    def spend(self, account_id: str, amount_minor: int, at: datetime) -> None:
        """Something is paid, or held to be paid: no more than its owner may, at once, a day and a month."""
        account, spent, on = self.accounts.accounts[account_id], self._spent[account_id], at.date()
        limits = STANDARD_LIMITS.of(account.tier, account.currency)
        spent[on] += amount_minor
        assert limits.once is None or amount_minor <= limits.once, "more than the customer's tier allows at once"
        assert limits.day is None or spent[on] <= limits.day, "more than the customer's tier allows a day"
        assert limits.month is None or _of_month(spent, on) <= limits.month, "more than the tier allows a month"

    def give_back(self, account_id: str, amount_minor: int, held_at: datetime) -> None:
        """What was held is not spent after all."""
        self._spent[account_id][held_at.date()] -= amount_minor

    # After every step

    def check(self) -> None:
        self._check_journal()
        self._check_balances()

    def _check_journal(self) -> None:
        """Each transfer has two entries, which balance; each account's entries follow one another."""
        transfers = self.accounts.transfers[self._transfers_read :]
        new = self.accounts.entries[2 * self._transfers_read :]
        assert len(new) == 2 * len(transfers)
        for number, transfer in enumerate(transfers):
            debit, credit = new[2 * number : 2 * number + 2]
            assert transfer.amount_minor > 0
            assert (debit.account_id, debit.amount_minor) == (transfer.debit_account_id, -transfer.amount_minor)
            assert (credit.account_id, credit.amount_minor) == (transfer.credit_account_id, transfer.amount_minor)
            digest = digest_of(transfer)
            for entry in (debit, credit):
                id_ = entry.account_id
                self._balances[id_] += entry.amount_minor
                self._numbers[id_] += 1
                assert (entry.balance_minor, entry.number) == (self._balances[id_], self._numbers[id_])
                assert entry.transfer_id == transfer.transfer_id
                assert entry.recorded_at == transfer.recorded_at >= self._recorded_at.get(id_, entry.recorded_at), (
                    "time runs backwards"
                )
                self._recorded_at[id_] = entry.recorded_at
                self._hashes[id_] = hash_of(
                    self._hashes[id_],
                    digest,
                    account_id=id_,
                    lane=entry.lane,
                    number=entry.number,
                    amount_minor=entry.amount_minor,
                    balance_minor=entry.balance_minor,
                )
                assert entry.hash == self._hashes[id_], "the chain of hashes is broken"
        self._transfers_read = len(self.accounts.transfers)

    def _check_balances(self) -> None:
        held, totals = Counter[str](), Counter[str]()
        for hold in self.accounts.holds.values():
            if hold.status is HoldStatus.HELD:
                held[hold.debtor_account_id] += hold.left_minor
        for id_, account in self.accounts.accounts.items():
            totals[account.currency] += account.posted_minor
            assert account.posted_minor == self._balances[id_], "a balance is not the sum of its entries"
            assert account.entry_hash == self._hashes[id_] and account.entry_count == self._numbers[id_]
            assert account.held_minor == held[id_], "what is held is not the sum of the holds"
            if account.status is AccountStatus.CLOSED:
                assert account.posted_minor == account.held_minor == 0, "money lies on a closed account"
            assert not account.is_blocked or account.available_minor <= 0, "a listed customer's money is not blocked"
            if account.kind is AccountKind.CUSTOMER:
                floor_minor, ceiling_minor = self._bounds.get(id_, (0, None))
                assert account.available_minor >= floor_minor, "a balance has passed its floor"
                assert ceiling_minor is None or account.posted_minor <= ceiling_minor, "a balance is above its ceiling"
                if account.spent_on is not None:
                    counted = account.spent_day_minor, account.spent_month_minor
                    spent = self._spent[id_]
                    assert counted == (spent[account.spent_on], _of_month(spent, account.spent_on)), "miscounted"
            if account.kind is AccountKind.BLOCKED_FUNDS:
                assert account.posted_minor >= self._blocked_minor[account.currency], "blocked funds were given back"
                self._blocked_minor[account.currency] = account.posted_minor
        assert not any(totals.values()), "money is not conserved"

    # At the end

    def hear_blocked(self, event: PropertyBlocked) -> None:
        """A listed customer's own money is in blocked funds; compliance hears of it."""
        self.let_go_by[event.transfer_id] = event.payment_id or event.transfer_id
        movement = TransferKind.BLOCKING, event.account_id, event.blocked_account_id, event.amount_minor, event.currency
        assert self.blocked.setdefault(event.transfer_id, movement) == movement

    def check_at_the_end(self, of_payments: Sequence[Movement]) -> None:
        """The journal holds what payments, requests and lists have led to, and nothing else; each request's is told."""
        expected = Counter(of_payments) + Counter(self.blocked.values())
        for movements in self._asked.values():
            expected.update(movements)
        transfers = self.accounts.transfers
        assert expected == Counter(
            (t.kind, t.debit_account_id, t.credit_account_id, t.amount_minor, t.currency) for t in transfers
        )
        assert self._told == {t.transfer_id for t in transfers if t.kind not in OF_PAYMENTS}
        requested = {hold.hold_id: hold for hold in self.accounts.holds.values() if hold.kind is HoldKind.REQUEST}
        assert requested.keys() == self._reserves.keys() == self._placed_at.keys()
        for hold_id, hold in requested.items():
            reserve = self._reserves[hold_id]
            assert (hold.status is HoldStatus.HELD) == (hold_id not in self._ended)
            assert reserve.is_open or hold_id in self._ended, "it was given back, and is still held"
            if reserve.is_open:
                assert hold.amount_minor - hold.posted_minor == reserve.left_minor


def _of_month(spent: dict[date, int], on: date) -> int:
    return sum(minor for day, minor in spent.items() if (day.year, day.month) == (on.year, on.month))
