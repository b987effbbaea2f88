"""What must hold of the books whatever has happened: everything worked out again from the transfers and entries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise

from services.accounts.domain.chart import AccountKind
from services.accounts.domain.journal import Entry, Transfer, TransferKind, first_fault
from services.accounts.domain.ledger import Account, AccountStatus, Hold, HoldKind, HoldStatus, RefundStatus
from tests.unit.accounts.books import Books

Place = tuple[str, int]
"""An account, and the number of an entry."""


def require_balance(books: Books) -> None:
    _require_entries(books)
    _require_accounts(books)
    _require_holds(books)
    _require_refunds(books)
    _require_reversals(books)
    _require_links(books.transfers)


def require_journal(books: Books) -> None:
    """What takes longer to work out: every hash of every entry."""
    assert first_faults(books.entries, books.transfers, books.accounts) == set()


def first_faults(
    entries: Iterable[Entry], transfers: Iterable[Transfer], accounts: Mapping[str, Account]
) -> set[Place]:
    """The first place of each account where the journal is not what was once written."""
    by_id, by_account = {transfer.transfer_id: transfer for transfer in transfers}, defaultdict(list)
    for entry in entries:
        by_account[entry.account_id].append(entry)
    faults = (
        _first_fault(account, sorted(by_account[account.account_id], key=lambda entry: entry.number), by_id)
        for account in accounts.values()
    )
    return {fault for fault in faults if fault is not None}


def _first_fault(account: Account, entries: Iterable[Entry], transfers: Mapping[str, Transfer]) -> Place | None:
    fault = first_fault(
        account.account_id,
        account.lane,
        ((entry, transfers.get(entry.transfer_id)) for entry in entries),
        entry_count=account.entry_count,
        entry_hash=account.entry_hash,
    )
    return None if fault is None else (fault.account_id, fault.number)


def _require_entries(books: Books) -> None:
    """Every transfer has two entries, in the order in which it was made: what was debited was credited."""
    legs = [
        leg
        for transfer in books.transfers
        for leg in (
            (transfer.transfer_id, transfer.debit_account_id, -transfer.amount_minor),
            (transfer.transfer_id, transfer.credit_account_id, transfer.amount_minor),
        )
    ]
    assert [(entry.transfer_id, entry.account_id, entry.amount_minor) for entry in books.entries] == legs
    assert len({transfer.transfer_id for transfer in books.transfers}) == len(books.transfers), "each happens once"
    for transfer in books.transfers:
        assert transfer.amount_minor > 0
        sides = books.accounts[transfer.debit_account_id], books.accounts[transfer.credit_account_id]
        assert {account.currency for account in sides} == {transfer.currency}
        if AccountKind.BLOCKED_FUNDS in {account.kind for account in sides}:
            assert transfer.kind is TransferKind.BLOCKING, "what is blocked stays"


def _require_accounts(books: Books) -> None:
    by_account: dict[str, list[Entry]] = defaultdict(list)
    for entry in books.entries:
        by_account[entry.account_id].append(entry)
    by_currency: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for hold in books.holds.values():
        held[hold.debtor_account_id] += hold.left_minor
    for account in books.accounts.values():
        entries = by_account[account.account_id]
        by_currency[account.currency] += account.posted_minor
        assert account.posted_minor == sum(entry.amount_minor for entry in entries), "a balance sums its entries"
        assert account.held_minor == held[account.account_id], "what is held is what is left of the open holds"
        assert [entry.number for entry in entries] == [*range(1, account.entry_count + 1)], "numbers have no gap"
        for before, after in pairwise(entries):
            assert after.recorded_at >= before.recorded_at, "in the books of an account time never runs backwards"
            assert after.balance_minor == before.balance_minor + after.amount_minor
        assert 0 <= account.spent_day_minor <= account.spent_month_minor
        if account.kind is AccountKind.CUSTOMER:
            assert account.floor_minor is not None and account.available_minor >= account.floor_minor
            assert account.ceiling_minor is None or account.posted_minor <= account.ceiling_minor
        if account.is_blocked:
            assert account.available_minor <= 0, "what a listed customer can dispose of is blocked"
        if account.status is AccountStatus.CLOSED:
            assert (account.posted_minor, account.held_minor) == (0, 0), "what is closed holds nothing"
    assert set(by_currency.values()) == {0}, "money of every currency is conserved"


def _require_holds(books: Books) -> None:
    moved: Counter[tuple[str | None, TransferKind]] = Counter()
    for transfer in books.transfers:
        moved[transfer.hold_id or transfer.payment_id, transfer.kind] += transfer.amount_minor
    for hold in books.holds.values():
        assert 0 <= hold.posted_minor <= hold.amount_minor
        assert 0 <= hold.posted_fee_minor <= hold.fee_minor
        assert (hold.status is HoldStatus.HELD) == (hold.expires_at is not None), "what is held runs out"
        is_payments = hold.kind is HoldKind.PAYMENT
        assert hold.posted_minor == moved[hold.hold_id, TransferKind.PAYMENT if is_payments else TransferKind.CAPTURE]
        assert hold.posted_fee_minor == moved[hold.hold_id, TransferKind.FEE]
        assert moved[hold.hold_id, TransferKind.BLOCKING] == _blocked_of(hold)
        assert hold.refunded_minor == moved[hold.hold_id, TransferKind.REFUND] <= hold.posted_minor


def _blocked_of(hold: Hold) -> int:
    return hold.amount_minor + hold.fee_minor if hold.status is HoldStatus.BLOCKED else 0


def _require_refunds(books: Books) -> None:
    moved = {t.transfer_id: t.amount_minor for t in books.transfers if t.kind is TransferKind.REFUND}
    posted = {
        refund.transfer_id: refund.amount_minor
        for refund in books.refunds.values()
        if refund.status is RefundStatus.POSTED
    }
    assert moved == posted, "what is refunded has been asked for, and moves once"


def _require_reversals(books: Books) -> None:
    by_id = {transfer.transfer_id: transfer for transfer in books.transfers}
    reversals = [transfer for transfer in books.transfers if transfer.kind is TransferKind.REVERSAL]
    taken_back = [reversal.reversed_transfer_id for reversal in reversals]
    assert len(set(taken_back)) == len(taken_back), "nothing is taken back twice"
    for reversal in reversals:
        assert reversal.reversed_transfer_id is not None
        original = by_id[reversal.reversed_transfer_id]
        assert original.kind in (
            TransferKind.FUNDING,
            TransferKind.BOOKING,
            TransferKind.CAPTURE,
            TransferKind.CONVERSION,
        )
        assert (original.debit_account_id, original.credit_account_id) == (
            reversal.credit_account_id,
            reversal.debit_account_id,
        )
        assert (original.amount_minor, original.currency) == (reversal.amount_minor, reversal.currency)
    for linked in _links(books.transfers):
        assert len({transfer.transfer_id in taken_back for transfer in linked}) == 1, "all of a link or nothing of it"


def _require_links(transfers: list[Transfer]) -> None:
    for linked in _links(transfers):
        assert [transfer.link_number for transfer in linked] == [*range(len(linked))]
        assert linked[0].link_id == linked[0].transfer_id, "a link is called by the first of its transfers"
        assert len(linked) > 1


def _links(transfers: list[Transfer]) -> list[list[Transfer]]:
    linked = [transfer for transfer in transfers if transfer.link_id is not None]
    return [list(group) for _, group in groupby(linked, key=lambda transfer: transfer.link_id)]
