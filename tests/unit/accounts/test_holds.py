"""Money set aside by request: posted once, in parts, or given back; never twice, and never more than there is."""

from datetime import timedelta

import pytest

from libs.common.record import Record
from schemas.accounts.events import HoldEnd, HoldEnded, HoldPlaced, PostedTransferKind, TransfersPosted
from services.accounts.domain.holds import PostHold, PostHolds
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import HoldKind, HoldStatus
from services.accounts.domain.refusals import RefusalReason
from tests.unit.accounts.audit import require_balance
from tests.unit.accounts.books import (
    ANNS,
    BENS,
    BLAMED,
    CLOSED,
    DEBITS_FROZEN,
    FROZEN,
    FULL,
    LIFETIME,
    NOBODYS,
    OBSTACLES,
    START,
    Books,
    Changes,
    Pay,
    Reserve,
    book,
    booking,
)

R = RefusalReason
HOUR = timedelta(hours=1)

# Why no money is set aside, posted or given back: each row breaks what it names and everything that comes after it.

NOT_PLACED: list[tuple[RefusalReason, str, Record, Changes]] = [
    *(
        (
            R.EXPIRY_NOT_AHEAD,
            "expires_at",
            Reserve(debit=NOBODYS, credit=NOBODYS, expires_at=expires_at).placed,
            {},
        )
        for expires_at in (START, START - HOUR)
    ),
    *(
        (
            R(obstacle),
            BLAMED.get(obstacle, "amount"),
            Reserve(debit=debit, credit=credit, currency=currency).placed,
            changes,
        )
        for obstacle, debit, credit, currency, changes in OBSTACLES
    ),
]


@pytest.mark.parametrize(("reason", "field", "request_", "changes"), NOT_PLACED)
def test_money_is_not_set_aside_for_the_first_reason_that_applies(
    reason: RefusalReason, field: str, request_: Record, changes: Changes
) -> None:
    books = Books(changes=changes)
    before = books.kept
    assert books.refuses(request_) == (reason, field)
    assert (books.kept, books.events) == (before, [])


PLACED: list[Record] = [Reserve().placed]
ENDED: list[tuple[Record, ...]] = [
    (Reserve().posted(),),
    (Reserve().posted(1, is_final=True),),
    (Reserve().posted(10_00), Reserve().posted(20_00, part=2)),
    (Reserve().voided,),
    (Reserve().posted(10_00), Reserve().voided),
]
PAYMENTS = Reserve()
PAYMENTS.hold_id = Pay().payment_id
OF_PAYMENTS: list[list[Record]] = [
    [Pay().initiated],
    [Pay().initiated, Pay().approved],
    [Pay().initiated, Pay().cancelled],
    [Pay().initiated, Pay().block_requested],
    [Pay(amount_minor=100_01).initiated],
]
ALL_BROKEN: Changes = {ANNS: CLOSED, BENS: CLOSED | FULL}
TOO_MUCH = Reserve().posted(30_01, currency="USD")
NOT_POSTED: list[tuple[RefusalReason, str, list[Record], Record, Changes]] = [
    (R.HOLD_UNKNOWN, "hold_id", [], TOO_MUCH, ALL_BROKEN),
    *(
        (R.OF_A_PAYMENT, "hold_id", before, PAYMENTS.posted(30_01, currency="USD"), ALL_BROKEN)
        for before in OF_PAYMENTS
    ),
    *((R.HOLD_ENDED, "hold_id", [*PLACED, *end], TOO_MUCH, ALL_BROKEN) for end in ENDED),
    (R.DEBTOR_ACCOUNT_CLOSED, "hold_id", PLACED, TOO_MUCH, ALL_BROKEN),
    (R.DEBTOR_ACCOUNT_FROZEN, "hold_id", PLACED, TOO_MUCH, {ANNS: FROZEN, BENS: CLOSED | FULL}),
    (R.DEBTOR_ACCOUNT_FROZEN, "hold_id", PLACED, TOO_MUCH, {ANNS: DEBITS_FROZEN, BENS: CLOSED | FULL}),
    (R.CREDITOR_ACCOUNT_CLOSED, "hold_id", PLACED, TOO_MUCH, {BENS: CLOSED | FULL}),
    (R.CREDITOR_ACCOUNT_FROZEN, "hold_id", PLACED, TOO_MUCH, {BENS: FROZEN | FULL}),
    (R.CURRENCY_NOT_HELD, "currency", PLACED, TOO_MUCH, {BENS: FULL}),
    (R.AMOUNT_EXCEEDS_HELD, "amount", PLACED, Reserve().posted(30_01, currency="EUR"), {BENS: FULL}),
    (
        R.AMOUNT_EXCEEDS_HELD,
        "amount",
        [*PLACED, Reserve().posted(10_00)],
        Reserve().posted(20_01, part=2),
        {},
    ),
    (R.CEILING_EXCEEDED, "hold_id", PLACED, Reserve().posted(), {BENS: {"ceiling_minor": 29_99}}),
]
NOT_VOIDED: list[tuple[RefusalReason, str, list[Record], Record, Changes]] = [
    (R.HOLD_UNKNOWN, "hold_id", [], Reserve().voided, {}),
    *((R.OF_A_PAYMENT, "hold_id", before, PAYMENTS.voided, {}) for before in OF_PAYMENTS),
    *((R.HOLD_ENDED, "hold_id", [*PLACED, *end], Reserve().voided, {}) for end in ENDED),
]


@pytest.mark.parametrize(("reason", "field", "before", "request_", "changes"), NOT_POSTED + NOT_VOIDED)
def test_a_hold_stays_as_it_is_for_the_first_reason_that_applies(
    reason: RefusalReason, field: str, before: list[Record], request_: Record, changes: Changes
) -> None:
    books = Books()
    if before:
        books.hears(*before)
    books.set(changes)
    known = books.kept
    assert books.refuses(request_) == (reason, field)
    assert (books.kept, books.events) == (known, [])


# Placing


def test_money_is_set_aside_by_request() -> None:
    books = Books()
    (placed,) = books.hears(Reserve().placed)
    assert placed == HoldPlaced(
        hold_id=Reserve().hold_id,
        debtor_account_id=ANNS,
        creditor_account_id=BENS,
        amount_minor=30_00,
        currency="EUR",
        expires_at=START + LIFETIME,
        placed_at=START,
    )
    assert (books.money(ANNS), books.money(BENS)) == ((100_00, 30_00, 70_00), (0, 0, 0))
    hold = books.holds[Reserve().hold_id]
    assert (hold.kind, hold.status, hold.left_minor) == (HoldKind.REQUEST, HoldStatus.HELD, 30_00)
    assert len(books.entries) == 2, "nothing has moved yet"


@pytest.mark.parametrize(
    ("asked", "given"), [(None, LIFETIME), (HOUR, HOUR), (LIFETIME, LIFETIME), (LIFETIME + HOUR, LIFETIME)]
)
def test_a_hold_ends_when_it_was_asked_to_and_no_later_than_any(asked: timedelta | None, given: timedelta) -> None:
    books = Books()
    (placed,) = books.hears(Reserve(expires_at=None if asked is None else START + asked).placed)
    assert isinstance(placed, HoldPlaced)
    assert placed.expires_at == books.holds[Reserve().hold_id].expires_at == START + given


def test_a_second_hold_sees_the_first_and_so_does_everything_else() -> None:
    books = Books()
    first, second = books.run([Reserve(1, 60_00).placed, Reserve(2, 40_01).placed])
    assert first.refusal is None
    assert second.refusal is not None and second.refusal.reason == "insufficient_funds"
    assert books.refuses(book(booking(1, 40_01))) == ("insufficient_funds", "amount")
    assert books.hears(Pay(1, 40_01).initiated) and books.told == ["FundsDeclined"]
    books.hears(Reserve(2, 40_00).placed)
    assert books.money(ANNS) == (100_00, 100_00, 0)


# Posting


def test_what_is_set_aside_is_posted_whole_and_ends_there() -> None:
    books = Books()
    books.hears(Reserve().placed)
    posted, ended = books.hears(Reserve().posted())
    assert isinstance(posted, TransfersPosted)
    (leg,) = posted.transfers
    assert (posted.hold_id, leg.kind, leg.amount_minor) == (Reserve().hold_id, PostedTransferKind.CAPTURE, 30_00)
    assert ended == HoldEnded(
        hold_id=Reserve().hold_id,
        debtor_account_id=ANNS,
        currency="EUR",
        posted_minor=30_00,
        released_minor=0,
        reason=HoldEnd.POSTED,
        ended_at=START,
    )
    assert (books.money(ANNS), books.money(BENS)[0]) == ((70_00, 0, 70_00), 30_00)
    transfer, hold = books.transfers[-1], books.holds[Reserve().hold_id]
    assert (transfer.kind, transfer.hold_id, transfer.payment_id) == (TransferKind.CAPTURE, hold.hold_id, None)
    assert (hold.status, hold.expires_at, hold.transfer_id) == (HoldStatus.POSTED, None, transfer.transfer_id)


def test_what_is_set_aside_is_posted_in_parts_and_the_last_one_ends_it() -> None:
    books = Books()
    books.hears(Reserve().placed)
    for part, left_minor in ((1, 20_00), (2, 10_00)):
        books.hears(Reserve().posted(10_00, part=part, currency="EUR"))
        assert (books.told, books.holds[Reserve().hold_id].left_minor) == (["TransfersPosted"], left_minor)
        assert books.money(ANNS) == (70_00 + left_minor, left_minor, 70_00)
    books.hears(Reserve().posted(10_00, part=3))
    assert books.told == ["TransfersPosted", "HoldEnded"]
    assert (books.money(ANNS), books.money(BENS)[0]) == ((70_00, 0, 70_00), 30_00)


def test_after_a_part_all_that_is_left_can_be_posted() -> None:
    books = Books()
    books.hears(Reserve().placed, Reserve().posted(29_99), Reserve().posted(part=2))
    assert [transfer.amount_minor for transfer in books.transfers[-2:]] == [29_99, 1]
    assert books.holds[Reserve().hold_id].status is HoldStatus.POSTED


@pytest.mark.parametrize("earlier", [0, 5_00])
def test_a_final_part_gives_back_the_rest(earlier: int) -> None:
    books = Books()
    books.hears(Reserve().placed)
    if earlier:
        books.hears(Reserve().posted(earlier))
    _, ended = books.hears(Reserve().posted(10_00, part=2, is_final=True))
    assert isinstance(ended, HoldEnded)
    assert (ended.posted_minor, ended.released_minor, ended.reason) == (
        10_00 + earlier,
        20_00 - earlier,
        HoldEnd.POSTED,
    )
    paid = 10_00 + earlier
    assert (books.money(ANNS), books.money(BENS)[0]) == ((100_00 - paid, 0, 100_00 - paid), paid)


def test_holds_are_posted_together_in_one_batch() -> None:
    books = Books()
    reserves = [Reserve(number, 25_00) for number in range(4)]
    books.hears(*(reserve.placed for reserve in reserves))
    books.hears(*(reserve.posted() for reserve in reserves))
    assert (books.money(ANNS), books.money(BENS)[0]) == ((0, 0, 0), 100_00)


def test_a_hold_is_posted_once_even_within_one_batch() -> None:
    books = Books()
    books.hears(Reserve().placed)
    first, second = books.run([Reserve().posted(), Reserve().posted(part=2)])
    assert first.refusal is None
    assert second.refusal is not None and second.refusal.reason == "hold_ended"
    assert books.money(BENS)[0] == 30_00


def test_what_an_overdraft_has_set_aside_is_posted_although_the_balance_is_below_zero() -> None:
    books = Books(changes={ANNS: {"floor_minor": -50_00}})
    books.hears(Reserve(1, 150_00).placed, Reserve(1).posted())
    assert books.money(ANNS) == (-50_00, 0, -50_00)


def test_a_refused_posting_can_be_asked_for_again() -> None:
    books = Books()
    books.hears(Reserve().placed)
    books.set({BENS: FROZEN})
    assert books.refuses(Reserve().posted()) == ("creditor_account_frozen", "hold_id")
    books.set({BENS: DEBITS_FROZEN})
    assert books.refuses(Reserve().posted()) is None, "what may receive is paid"


def test_a_hold_is_posted_up_to_the_last_cent_of_the_ceiling() -> None:
    books = Books()
    books.hears(Reserve().placed)
    books.set({BENS: {"ceiling_minor": 29_99}})
    assert books.refuses(Reserve().posted(30_00)) == ("ceiling_exceeded", "hold_id")
    assert books.refuses(Reserve().posted(29_99)) is None


# Posting several, all or none


def test_several_holds_are_posted_by_one_request_in_their_order() -> None:
    books = Books()
    first, second = Reserve(1, 30_00), Reserve(2, 20_00)
    books.hears(first.placed, second.placed)
    books.hears(PostHolds(postings=(second.posted(5_00), first.posted(), second.posted(part=2))))
    assert books.told == ["TransfersPosted", "TransfersPosted", "HoldEnded", "TransfersPosted", "HoldEnded"]
    assert [(t.hold_id, t.amount_minor) for t in books.transfers[-3:]] == [
        (second.hold_id, 5_00),
        (first.hold_id, 30_00),
        (second.hold_id, 15_00),
    ]
    assert (books.money(ANNS), books.money(BENS)[0]) == ((50_00, 0, 50_00), 50_00)
    require_balance(books)


SECOND = Reserve(2, 20_00)
NOT_POSTED_TOGETHER: dict[str, tuple[PostHold, str, str]] = {
    "one that is not there": (Reserve(3).posted(), "hold_unknown", "hold_id"),
    "more than one holds": (SECOND.posted(20_01), "amount_exceeds_held", "amount"),
    "another currency": (SECOND.posted(1, currency="USD"), "currency_not_held", "currency"),
    "one that the list itself has ended": (Reserve(1).posted(part=2), "hold_ended", "hold_id"),
    "a payment's": (PAYMENTS.posted(), "of_a_payment", "hold_id"),
}


@pytest.mark.parametrize(("last", "reason", "field"), NOT_POSTED_TOGETHER.values(), ids=NOT_POSTED_TOGETHER)
def test_of_several_holds_none_is_posted_if_one_is_refused(last: PostHold, reason: str, field: str) -> None:
    books = Books()
    books.hears(Reserve(1, 30_00).placed, SECOND.placed, Pay().initiated)
    before = books.kept
    request = PostHolds(postings=(Reserve(1).posted(), SECOND.posted(1), last))
    assert books.refuses(request) == (reason, f"postings.2.{field}")
    assert (books.kept, books.events) == (before, [])
    # What follows in the same batch finds all as it was.
    refused, posted = books.run([request, Reserve(1).posted(part=3)])
    assert refused.refusal is not None and posted.refusal is None
    assert (books.money(ANNS), books.money(BENS)[0]) == ((70_00, 50_00, 20_00), 30_00)
    require_balance(books)


def test_several_holds_are_posted_up_to_the_last_cent_of_the_ceiling_or_not_at_all() -> None:
    books = Books()
    books.hears(Reserve(1, 30_00).placed, SECOND.placed)
    books.set({BENS: {"ceiling_minor": 49_99}})
    both = Reserve(1).posted(), SECOND.posted()
    assert books.refuses(PostHolds(postings=both)) == ("ceiling_exceeded", "postings.1.hold_id")
    books.set({BENS: {"ceiling_minor": 50_00}})
    assert books.refuses(PostHolds(postings=both)) is None


# Voiding


@pytest.mark.parametrize("changes", [{}, {ANNS: FROZEN}, {BENS: CLOSED}, {BENS: FULL}])
def test_what_is_set_aside_is_given_back_once_whatever_the_state_of_the_accounts(changes: Changes) -> None:
    books = Books()
    books.hears(Reserve().placed)
    books.set(changes)
    (ended,) = books.hears(Reserve().voided)
    assert isinstance(ended, HoldEnded)
    assert (ended.posted_minor, ended.released_minor, ended.reason) == (0, 30_00, HoldEnd.VOIDED)
    assert books.money(ANNS) == (100_00, 0, 100_00)
    assert books.refuses(Reserve().voided) == ("hold_ended", "hold_id")
    assert books.money(ANNS) == (100_00, 0, 100_00)


def test_a_hold_is_voided_once_even_within_one_batch() -> None:
    books = Books()
    books.hears(Reserve(1).placed, Reserve(2).placed)
    books.run([Reserve(1).voided, Reserve(1).voided])
    assert books.money(ANNS) == (100_00, 30_00, 70_00)


def test_to_void_a_hold_gives_back_only_what_no_part_has_moved() -> None:
    books = Books()
    books.hears(Reserve().placed, Reserve().posted(10_00))
    (ended,) = books.hears(Reserve().voided)
    assert isinstance(ended, HoldEnded)
    assert (ended.posted_minor, ended.released_minor) == (10_00, 20_00)
    assert (books.money(ANNS), books.money(BENS)[0]) == ((90_00, 0, 90_00), 10_00)


def test_a_hold_that_was_refused_can_be_neither_posted_nor_voided() -> None:
    books = Books()
    assert books.refuses(Reserve(1, 100_01).placed) == ("insufficient_funds", "amount")
    for request in (Reserve(1).posted(), Reserve(1).voided):
        assert books.refuses(request) == ("hold_unknown", "hold_id")


# Running out


@pytest.mark.parametrize("posted_minor", [0, 10_00])
def test_a_hold_runs_out_at_its_time_and_gives_back_what_no_part_has_moved(posted_minor: int) -> None:
    books = Books()
    reserve = Reserve(expires_at=START + HOUR)
    books.hears(reserve.placed)
    if posted_minor:
        books.hears(reserve.posted(posted_minor))
    books.now = START + HOUR - timedelta(microseconds=1)
    assert books.hears(reserve.expired) == []
    books.now = START + HOUR
    (ended,) = books.hears(reserve.expired)
    assert isinstance(ended, HoldEnded)
    assert (ended.posted_minor, ended.released_minor, ended.reason) == (
        posted_minor,
        30_00 - posted_minor,
        HoldEnd.EXPIRED,
    )
    assert books.money(ANNS)[1] == 0
    assert books.hears(reserve.expired) == [], "and once"
    for late in (reserve.posted(part=2), reserve.voided):
        assert books.refuses(late) == ("hold_ended", "hold_id")


def test_a_payments_hold_runs_out_in_the_words_of_payments() -> None:
    books = Books()
    books.hears(Pay().initiated, Reserve().placed)
    books.now = START + LIFETIME
    books.hears(Pay().expired, Reserve().expired)
    assert books.told == ["FundsReleased", "HoldEnded"]
    assert books.money(ANNS) == (100_00, 0, 100_00)


@pytest.mark.parametrize("end", ENDED)
def test_a_hold_that_has_ended_does_not_run_out(end: tuple[Record, ...]) -> None:
    books = Books()
    books.hears(Reserve().placed, *end)
    books.now = START + 2 * LIFETIME
    before = books.kept
    assert books.hears(Reserve().expired) == []
    assert books.kept == before


def test_no_hold_runs_out_while_a_message_about_its_payer_waits() -> None:
    books = Books()
    books.hears(Pay().initiated, Reserve().placed)
    books.now += LIFETIME
    books.parked = frozenset({ANNS})
    assert books.hears(Pay().expired, Reserve().expired) == []
    books.parked = frozenset({BENS})
    books.hears(Pay().expired, Reserve().expired)
    assert books.told == ["FundsReleased", "HoldEnded"]
