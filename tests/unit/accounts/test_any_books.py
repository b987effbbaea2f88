"""Whatever the ledger hears, in whatever order and batches: the books balance."""

from collections import defaultdict
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common import ids
from libs.common.record import Record, replace
from schemas.compliance.events import CustomerRestricted, CustomerVerified
from schemas.payments.events import Answer
from services.accounts.domain.chart import AccountKind
from services.accounts.domain.customers import Close, Freeze, Thaw, account_id_of
from services.accounts.domain.ledger import HoldStatus
from services.accounts.domain.transfers import Fund
from services.accounts.settings import AccountsSettings
from services.payments.settings import PaymentsSettings
from tests.unit.accounts.books import ANN, ANNS, BEN, BENS, START, Books, Pay, fund

BENS_DOLLARS = account_id_of(BEN, "USD")
AMOUNTS = (1, 10_00, 33_33, 99_99, 100_00, 100_01)

payments = st.builds(
    Pay,
    st.integers(1, 4),
    st.sampled_from(AMOUNTS),
    debtor=st.sampled_from([ANNS, BENS]),
    creditor=st.sampled_from([ANNS, BENS, BENS_DOLLARS]),
    currency=st.sampled_from(["EUR", "EUR", "EUR", "USD"]),
).filter(lambda pay: pay.order.debtor_account_id != pay.order.creditor_account_id)


@st.composite
def happenings(draw: st.DrawFn) -> Record:
    pay = draw(payments)
    account_id = draw(st.sampled_from([ANNS, BENS, BENS_DOLLARS]))
    return draw(
        st.sampled_from(
            [
                *(pay.initiated, pay.initiated, pay.initiated, pay.approved, pay.approved, pay.block_requested),
                *(pay.rejected, pay.cancelled, pay.release_requested, pay.expired),
                *(pay.overdue(Answer.HOLD), pay.overdue(Answer.POSTING), pay.overdue(Answer.BLOCKING)),
                fund(account_id, draw(st.sampled_from(AMOUNTS))),
                *(Freeze(account_id=account_id), Thaw(account_id=account_id), Close(account_id=account_id)),
                CustomerRestricted(customer_id=ANN, restricted_at=START),
                CustomerVerified(customer_id=ANN, tier=draw(st.integers(0, 3)), verified_at=START),
            ]
        )
    )


def told_apart(body: Record, number: int) -> Record:
    """A funding with an id of its own, as the edge would give it."""
    return replace(body, transfer_id=ids.named("funding", str(number))) if isinstance(body, Fund) else body


def require_balance(books: Books) -> None:
    by_currency: dict[str, int] = defaultdict(int)
    by_account: dict[str, int] = defaultdict(int)
    numbers: dict[str, int] = defaultdict(int)
    by_transfer: dict[str, int] = defaultdict(int)
    for entry in books.entries:
        by_account[entry.account_id] += entry.amount_minor
        by_transfer[entry.transfer_id] += entry.amount_minor
        by_currency[books.accounts[entry.account_id].currency] += entry.amount_minor
        numbers[entry.account_id] += 1
        assert entry.number == numbers[entry.account_id], "an account's entries are numbered without a gap"
        assert entry.balance_minor == by_account[entry.account_id], "and each tells the balance after it"
    assert set(by_currency.values()) <= {0}, "what was debited was credited"
    assert set(by_transfer.values()) <= {0}
    assert len(by_transfer) == len(books.transfers), "no transfer happens twice"
    held: dict[str, int] = defaultdict(int)
    for hold in books.holds.values():
        if hold.status is HoldStatus.HELD:
            held[hold.debtor_account_id] += hold.amount_minor
    for account in books.accounts.values():
        assert account.posted_minor == by_account[account.account_id], "a balance is the sum of its entries"
        assert account.held_minor == held[account.account_id], "what is held is the sum of the open holds"
        assert account.entry_count == numbers[account.account_id]
        if account.kind is AccountKind.CUSTOMER:
            assert account.available_minor >= (account.floor_minor or 0), "no balance passes its floor"
        else:
            assert account.held_minor == 0


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(happenings(), st.integers(0, 20)), max_size=40))
def test_any_sequence_of_happenings_conserves_money(said: list[tuple[Record, int]]) -> None:
    books = Books()
    for number, (body, days) in enumerate(said):
        books.now += timedelta(days=days)
        books.run([told_apart(body, number)])
        require_balance(books)
    moved = [hold for hold in books.holds.values() if hold.status in (HoldStatus.POSTED, HoldStatus.BLOCKED)]
    assert {t.payment_id for t in books.transfers if t.payment_id} == {hold.hold_id for hold in moved}


@settings(max_examples=150, deadline=None)
@given(st.lists(happenings(), max_size=30), st.lists(st.integers(1, 8)))
def test_any_split_into_batches_gives_the_same_books(said: list[Record], sizes: list[int]) -> None:
    said = [told_apart(body, number) for number, body in enumerate(said)]
    one_by_one, in_batches = Books(), Books()
    events = [event for body in said for event in (one_by_one.run([body]), one_by_one.events)[1]]
    rest, batched = list(said), []
    for size in [*sizes, len(said) or 1]:
        batch, rest = rest[:size], rest[size:]
        in_batches.run(batch)
        batched += in_batches.events
    assert batched == events
    assert in_batches.accounts == one_by_one.accounts
    assert in_batches.holds == one_by_one.holds
    assert in_batches.customers == one_by_one.customers
    assert (in_batches.transfers, in_batches.entries) == (one_by_one.transfers, one_by_one.entries)


def test_a_hold_outlives_every_deadline_of_the_payment_it_is_for() -> None:
    """The backstop must not give back what payments has not yet decided about."""
    policy = PaymentsSettings(database_url="postgresql://nowhere").policy
    lifetime = AccountsSettings(database_url="postgresql://nowhere").hold_lifetime
    assert policy.suspend_after + 2 * policy.review_within < lifetime
