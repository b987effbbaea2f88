"""Whatever the ledger hears, in whatever order and batches, by whatever clock: the books balance."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common import ids
from libs.common.batch import Decided
from libs.common.inbox import Outcome
from libs.common.message import Command
from libs.common.record import Record, replace
from schemas.accounts.events import FundsPostRefused, PostRefusal
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from schemas.payments.events import Answer, PaymentApproved
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.customers import Close, CloseCustomer, Freeze, OpenAccount, SetBounds, Thaw, account_id_of
from services.accounts.domain.holds import ExpireHold, PlaceHold, PostHold, PostHolds, VoidHold
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import HoldKind, HoldStatus, RefundStatus
from services.accounts.domain.transfers import Book, Convert, Fund, Reverse, reversal_id
from services.accounts.settings import AccountsSettings
from services.payments.settings import PaymentsSettings
from tests.unit.accounts.audit import require_balance, require_journal
from tests.unit.accounts.books import (
    ANN,
    ANNS,
    BEN,
    BENS,
    BENS_DOLLARS,
    BLOCKED_FUNDS,
    CLEO,
    NOBODYS,
    START,
    SUSPENSE,
    Books,
    Pay,
    Reserve,
    book,
    booking,
    convert,
    fund,
    reverse,
)

# What may be said. Each is a single choice, so that long stories are cheap to try and short ones easy to read.

T = TypeVar("T")
LENGTH_MAX = 40
"""Of a story."""
STORIES = 400
"""As many as show that everything is reached."""

CLEOS = account_id_of(CLEO, "EUR")
"""Which may be opened."""
PAYMENTS = (
    Pay(1, 30_00, fee_minor=1_50),
    Pay(2, 10_00),
    Pay(3, 20_00, fee_minor=1_00),
    Pay(4, 5_00, debtor=BENS, creditor=ANNS, fee_minor=50),
    Pay(5, 100_01, creditor=BENS_DOLLARS),
)
FREQUENT = [
    word
    for pay in PAYMENTS
    for word in (
        *(pay.initiated, pay.initiated, pay.approved, pay.refund(4_00), pay.refund(5_00, 2), pay.refund(20_00, 3)),
        *(pay.approved_of(5_00, 25), pay.overdue(Answer.POSTING), pay.overdue(Answer.POSTING, approved=(4_00, 0))),
    )
]
RARER = [
    word
    for pay in PAYMENTS
    for word in (
        *(pay.block_requested, pay.rejected, pay.cancelled, pay.release_requested, pay.expired),
        *(pay.approved_of(30_01), pay.overdue(Answer.BLOCKING), pay.overdue(Answer.HOLD, Answer.POSTING)),
        *(pay.refund(10_00), pay.refund_overdue(1_00), pay.refund_overdue(9_00, 3), pay.overdue(Answer.HOLD)),
    )
]

AMOUNTS = (1, 5_00, 33_33, 100_00, 100_01)
PAIRS = ((ANNS, BENS), (BENS, ANNS), (ANNS, BENS_DOLLARS))
BOOKINGS: list[Record] = [
    *(book(booking(1, amount, debit=debit, credit=credit)) for amount in AMOUNTS for debit, credit in PAIRS),
    *(
        book(booking(1, amount, debit=debit, credit=credit), by_staff=by_staff)
        for amount in (1, 20_00)
        for debit, credit in ((SUSPENSE, BENS), (ANNS, SUSPENSE), (BLOCKED_FUNDS, ANNS))
        for by_staff in (True, True, False)
    ),
    *(
        book(
            booking(1, first),
            booking(2, second, debit=BENS, credit=ANNS),
            booking(3, first, credit=last),
            by_staff=True,
        )
        for first in (5_00, 40_00)
        for second in (5_00, 20_00)
        for last in (BENS, SUSPENSE)
    ),
    book(booking(1, 7_00, effective_at=START - timedelta(days=50)), booking(2, 3_00)),
]

# Requests about what was made before name it by how many have been made since.
PICKS = [str(pick) for pick in range(6)]
OTHERS: list[Record] = [
    *(fund(account_id, amount) for account_id in (ANNS, BENS, CLEOS) for amount in (1, 20_00)),
    *(convert(amount, rate) for amount in (1, 10_00, 33_33) for rate in ("0.01", "1.0843", "3")),
    *(
        convert(amount, "0.92", debit=BENS_DOLLARS, credit=ANNS, currency="USD", credited_currency="EUR")
        for amount in (1, 9_99)
    ),
    *(reverse(pick) for pick in PICKS[:3] * 6),
    *(reverse(pick, by_staff=False) for pick in PICKS[:4] * 2),
]
HOLDS: list[Record] = [
    *(
        replace(Reserve(1, amount, debit=debit, credit=credit).placed, expires_at=expires_at)
        for amount in (5_00, 10_00, 33_33, 100_01)
        for debit, credit in (*PAIRS, PAIRS[0])
        for expires_at in (None, None, START + timedelta(days=20))
    ),
    *(
        PostHold(hold_id=pick, transfer_id="", amount_minor=amount, currency=currency, is_final=is_final)
        for pick in PICKS[:3]
        for amount, currency in ((None, None), (7_00, "EUR"), (10_01, "EUR"), (1, "USD"))
        for is_final in (False, True)
    ),
    # Several together, all or none: also one twice, one that is not there, and one of a payment.
    *(
        PostHolds(
            postings=tuple(
                PostHold(hold_id=pick, transfer_id="", amount_minor=amount, is_final=is_final) for pick in picks
            )
        )
        for picks in (
            PICKS[:1],
            PICKS[:2],
            PICKS[1::-1],
            PICKS[:3],
            ("0", "0"),
            ("0", "5"),
            ("1", PAYMENTS[0].payment_id),
        )
        for amount, is_final in ((None, False), (3_00, False), (3_00, True))
    ),
    *(kind(hold_id=pick) for kind in (VoidHold, ExpireHold, ExpireHold) for pick in PICKS),
    *(
        request
        for pay in PAYMENTS
        for request in (PostHold(hold_id=pay.payment_id, transfer_id=""), VoidHold(hold_id=pay.payment_id))
    ),
]
TURNS: list[Record] = [
    *(Freeze(account_id=account_id) for account_id in (ANNS, BENS)),
    *(Freeze(account_id=account_id, may_receive=True) for account_id in (ANNS, BENS)),
    *(kind(account_id=account_id) for kind in (Thaw, Thaw, Thaw, Close) for account_id in (ANNS, BENS, BENS_DOLLARS)),
    *(
        SetBounds(account_id=account_id, currency="EUR", floor_minor=floor_minor, ceiling_minor=ceiling_minor)
        for account_id in (ANNS, BENS, BENS_DOLLARS)
        for floor_minor in (-50_00, 0, 5_00)
        for ceiling_minor in (None, 50_00, 130_00)
    ),
    CustomerRestricted(customer_id=ANN, restricted_at=START),
    CustomerRefused(customer_id=ANN, is_listed=True, refused_at=START),
    CustomerRefused(customer_id=BEN, refused_at=START),
    *(CustomerVerified(customer_id=BEN, tier=3, verified_at=START) for _ in range(3)),
    *(OpenAccount(customer_id=customer_id, currency="USD") for customer_id in (ANN, BEN)),
    *(OpenAccount(customer_id=CLEO, currency="EUR") for _ in range(3)),
    Close(account_id=CLEOS),
    *(CloseCustomer(customer_id=customer_id) for customer_id in (ANN, BEN, CLEO, CLEO)),
    CustomerRefused(customer_id=CLEO, is_listed=True, refused_at=START),
    *(CustomerVerified(customer_id=ANN, tier=tier, verified_at=START) for tier in (0, 1, 3, 3)),
]

WORDS = (FREQUENT, FREQUENT, RARER, BOOKINGS, OTHERS, HOLDS, HOLDS, TURNS)
happenings: st.SearchStrategy[Record] = st.one_of([st.sampled_from(words) for words in WORDS])


def stories(of: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    """Long enough for much to happen; what fails is told as shortly as it can be."""
    return st.lists(of, max_size=15) | st.lists(of, min_size=15, max_size=LENGTH_MAX)


steps = st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=19)])
slips = st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=-1), timedelta(days=-1)])
"""Time goes on, and now and then a clock is behind."""


def told_apart(said: Sequence[Record]) -> list[Record]:
    """What is said, with ids as the edge would give them, and the picks made."""
    transfers, holds, heard = list[str](), list[str](), list[Record]()
    for number, body in enumerate(said):
        changes: dict[str, Any] = {}
        id_ = ids.named("request", str(number))
        match body:
            case Fund() | Convert():
                changes = {"transfer_id": id_}
                transfers.append(id_)
            case Book():
                legs = [replace(leg, transfer_id=ids.derive(id_, place)) for place, leg in enumerate(body.bookings)]
                changes = {"bookings": tuple(legs)}
                transfers += [leg.transfer_id for leg in legs]
            case Reverse():
                original = picked(transfers, body.transfer_id)
                changes = {"transfer_id": original}
                if number % 3 == 0:
                    transfers.append(reversal_id(original))
            case PlaceHold():
                changes = {"hold_id": id_}
                holds.append(id_)
            case PostHold():
                changes = {"hold_id": picked(holds, body.hold_id), "transfer_id": id_}
                transfers.append(id_)
            case PostHolds():
                postings = [
                    replace(each, hold_id=picked(holds, each.hold_id), transfer_id=ids.derive(id_, place))
                    for place, each in enumerate(body.postings)
                ]
                changes = {"postings": tuple(postings)}
                transfers += [each.transfer_id for each in postings]
            case VoidHold() | ExpireHold():
                changes = {"hold_id": picked(holds, body.hold_id)}
            case PaymentApproved():
                transfers.append(ids.derive(body.payment_id, "accounts", HoldStatus.POSTED))
        heard.append(replace(body, **changes))
    return heard


def picked(made: Sequence[str], pick: str) -> str:
    if not pick.isdigit():
        return pick
    return made[-1 - int(pick)] if int(pick) < len(made) else NOBODYS


def require_no_fault(results: Sequence[Decided]) -> None:
    """A dead letter is what approves more than is held, or a hold that no clock would have found."""
    for result in results:
        if result.outcome is not Outcome.APPLIED:
            is_expiry = isinstance(result.message.body, ExpireHold)
            assert isinstance(result.error, KeyError if is_expiry else ValueError), result.error
            assert is_expiry or "what is not held" in str(result.error)


def require_all_or_none(body: Record, made: set[str]) -> None:
    """What was asked for together is made together."""
    asked = set[str]()
    match body:
        case Book():
            asked = {booking.transfer_id for booking in body.bookings}
        case PostHolds():
            asked = {posting.transfer_id for posting in body.postings}
    assert not made & asked or made >= asked


@settings(max_examples=250)
@given(stories(st.tuples(happenings, steps, slips)))
def test_any_sequence_of_happenings_conserves_money(said: list[tuple[Record, timedelta, timedelta]]) -> None:
    books, time = Books(), START
    for body, (_, step, slip) in zip(told_apart([body for body, _, _ in said]), said, strict=True):
        time += step
        books.now = time + slip
        known = len(books.transfers)
        require_no_fault(books.run([body]))
        require_all_or_none(body, {transfer.transfer_id for transfer in books.transfers[known:]})
        require_balance(books)
    require_journal(books)
    moved = {
        hold.hold_id
        for hold in books.holds.values()
        if hold.kind is HoldKind.PAYMENT and hold.status in (HoldStatus.POSTED, HoldStatus.BLOCKED)
    }
    assert {transfer.payment_id for transfer in books.transfers if transfer.payment_id} == moved


@settings(max_examples=150)
@given(stories(happenings), st.lists(st.tuples(st.integers(1, 8), steps, slips)))
def test_any_split_into_batches_gives_the_same_books(
    said: list[Record], cuts: list[tuple[int, timedelta, timedelta]]
) -> None:
    rest, time = told_apart(said), START
    one_by_one, in_batches = Books(), Books()
    for size, step, slip in [*cuts, (len(rest) or 1, timedelta(0), timedelta(0))]:
        batch, rest = rest[:size], rest[size:]
        time += step
        one_by_one.now = in_batches.now = time + slip
        results, events = [], []
        for body in batch:
            results += one_by_one.run([body])
            events += one_by_one.events
        assert [(r.outcome, r.refusal) for r in in_batches.run(batch)] == [(r.outcome, r.refusal) for r in results]
        assert in_batches.events == events
    assert in_batches.kept == one_by_one.kept


@settings(max_examples=150)
@given(stories(st.tuples(happenings, steps)))
def test_whatever_payments_says_again_changes_nothing(said: list[tuple[Record, timedelta]]) -> None:
    """But for an approval that was refused for the state of an account: a new one tries again."""
    books, final = Books(), list[Record]()
    for body, (_, step) in zip(told_apart([body for body, _ in said]), said, strict=True):
        books.now += step
        books.run([body])
        if hasattr(body, "payment_id") and not may_try_again(body, books):
            final.append(body)
        before = unnumbered(books)
        if hasattr(body, "payment_id"):
            books.run([body])
            assert unnumbered(books) == before, "said twice in a row"
    before = unnumbered(books)
    books.run(final)
    assert unnumbered(books) == before, "said again after all that followed"


def may_try_again(body: Record, books: Books) -> bool:
    refusals = [event.reason for event in books.events if isinstance(event, FundsPostRefused)]
    return isinstance(body, PaymentApproved) and any(reason is not PostRefusal.NOTHING_HELD for reason in refusals)


def unnumbered(books: Books) -> tuple[Any, ...]:
    """The books but for how many events there were about what is in them."""
    holds = [replace(hold, sequence=0) for hold in books.holds.values()]
    refunds = [replace(refund, sequence=0) for refund in books.refunds.values()]
    return books.customers, books.accounts, holds, refunds, list(books.transfers), list(books.entries)


@given(st.lists(st.tuples(st.sampled_from(["EUR", "USD"]), st.integers(1, 50_00), st.integers(1, 10**11)), max_size=12))
def test_what_conversions_round_down_stays_in_the_houses_liquidity(said: list[tuple[str, int, int]]) -> None:
    """What was credited and the remainders are, to the last digit, what the rates say."""
    books = Books(changes={})
    books.hears(fund(BENS_DOLLARS, 100_00, "USD"))
    taken, exact = {"EUR": 0, "USD": 0}, {"EUR": Decimal(0), "USD": Decimal(0)}
    for number, (currency, amount_minor, digits) in enumerate(said):
        rate, there = Decimal(digits).scaleb(-10), currency == "EUR"
        request = convert(
            amount_minor,
            str(rate),
            debit=ANNS if there else BENS_DOLLARS,
            credit=BENS_DOLLARS if there else ANNS,
            currency=currency,
            credited_currency="USD" if there else "EUR",
            number=number,
        )
        if books.refuses(request) is None:
            credited = books.transfers[-1]
            assert credited.metadata is not None
            assert credited.amount_minor + Decimal(credited.metadata["remainder"]) == amount_minor * rate
            taken[currency] += amount_minor
            exact[credited.currency] += amount_minor * rate - Decimal(credited.metadata["remainder"])
    for currency in ("EUR", "USD"):
        liquidity = books.money(house_account_id(AccountKind.LIQUIDITY, currency))[0]
        assert liquidity == taken[currency] - exact[currency]
    require_balance(books)


def test_what_is_tried_here_reaches_every_kind_of_transfer_end_of_a_hold_and_answer_to_a_request() -> None:
    """Else it would prove nothing about them."""
    reached = set[object]()
    answered = set[tuple[str, bool]]()
    chance = Random(0)
    for _ in range(STORIES):
        books = Books()
        for body in told_apart([chance.choice(chance.choice(WORDS)) for _ in range(LENGTH_MAX)]):
            (result,) = books.run([body])
            answered.add((kind_of(body), result.refusal is None))
        reached.update(transfer.kind for transfer in books.transfers)
        reached.update((hold.kind, hold.status) for hold in books.holds.values())
        reached.update(refund.status for refund in books.refunds.values())
    assert reached >= {*TransferKind, *RefundStatus, *((HoldKind.PAYMENT, status) for status in HoldStatus)}
    assert reached >= {
        (HoldKind.REQUEST, status) for status in (HoldStatus.HELD, HoldStatus.POSTED, HoldStatus.RELEASED)
    }
    requests = {kind_of(body) for body in (*BOOKINGS, *OTHERS, *HOLDS, *TURNS) if isinstance(body, Command)}
    # It is for the clock to say that a hold has run out, and nobody is refused that.
    answers = itertools.product(requests - {"ExpireHold"}, (True, False))
    assert answered >= {*answers, ("ExpireHold", True), ("CustomerRefused", True)}


def kind_of(body: Record) -> str:
    """What is asked for, and by whom or of how many where that makes a difference."""
    match body:
        case Reverse():
            return "Reverse by staff" if body.by_staff else "Reverse by a client"
        case PostHolds():
            return "PostHolds of one" if len(body.postings) == 1 else "PostHolds of several"
    return type(body).__name__


def test_a_hold_outlives_every_deadline_of_the_payment_it_is_for() -> None:
    """The backstop must not give back what payments has not yet decided about."""
    policy = PaymentsSettings(database_url="postgresql://nowhere").policy
    lifetime = AccountsSettings(database_url="postgresql://nowhere").hold_lifetime
    assert policy.suspend_after + 2 * policy.review_within < lifetime
