"""A payment's money: held, then posted, blocked or released; each once, in any order of arrival."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from libs.common.inbox import Outcome
from libs.common.record import Record, replace
from schemas.accounts.events import (
    DeclineReason,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    PostRefusal,
)
from schemas.payments.events import Answer
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import HoldStatus
from tests.unit.accounts.books import (
    ANNS,
    BENS,
    BENS_DOLLARS,
    BLOCKED_FUNDS,
    CLOSED,
    DEBITS_FROZEN,
    FEES,
    FROZEN,
    FULL,
    LIFETIME,
    NOBODYS,
    OPEN,
    POOR,
    SPENT_DAY,
    SPENT_MONTH,
    START,
    Books,
    Changes,
    Pay,
)

# Each row breaks what it names and everything that comes after it.
DECLINED: list[tuple[DeclineReason, Pay, Changes]] = [
    (DeclineReason.DEBTOR_ACCOUNT_UNKNOWN, Pay(debtor=NOBODYS, creditor=NOBODYS, currency="USD"), {}),
    (DeclineReason.DEBTOR_ACCOUNT_UNKNOWN, Pay(debtor=house_account_id(AccountKind.EXTERNAL, "EUR")), {}),
    (DeclineReason.DEBTOR_ACCOUNT_UNKNOWN, Pay(debtor=BLOCKED_FUNDS), {}),
    (DeclineReason.CREDITOR_ACCOUNT_UNKNOWN, Pay(creditor=NOBODYS, currency="USD"), {ANNS: CLOSED | POOR}),
    (DeclineReason.CREDITOR_ACCOUNT_UNKNOWN, Pay(creditor=BLOCKED_FUNDS), {}),
    (DeclineReason.DEBTOR_ACCOUNT_CLOSED, Pay(currency="USD"), {ANNS: CLOSED | POOR, BENS: CLOSED}),
    (DeclineReason.DEBTOR_ACCOUNT_FROZEN, Pay(currency="USD"), {ANNS: FROZEN | POOR, BENS: CLOSED}),
    (DeclineReason.CREDITOR_ACCOUNT_CLOSED, Pay(currency="USD"), {ANNS: POOR, BENS: CLOSED}),
    (DeclineReason.CREDITOR_ACCOUNT_FROZEN, Pay(currency="USD"), {ANNS: POOR, BENS: FROZEN}),
    (DeclineReason.CURRENCY_NOT_HELD, Pay(currency="USD"), {ANNS: POOR}),
    (DeclineReason.CURRENCY_NOT_HELD, Pay(creditor=BENS_DOLLARS), {ANNS: POOR}),
    (DeclineReason.LIMIT_EXCEEDED, Pay(), {ANNS: SPENT_DAY | POOR, BENS: FULL}),
    (DeclineReason.LIMIT_EXCEEDED, Pay(amount_minor=30_00), {ANNS: {"tier": 0}}),
    (DeclineReason.LIMIT_EXCEEDED, Pay(amount_minor=1_000_00, fee_minor=1), {ANNS: {"tier": 1}}),
    (DeclineReason.DAILY_LIMIT_EXCEEDED, Pay(), {ANNS: SPENT_DAY, BENS: FULL}),
    (DeclineReason.MONTHLY_LIMIT_EXCEEDED, Pay(), {ANNS: SPENT_MONTH, BENS: FULL}),
    (DeclineReason.INSUFFICIENT_FUNDS, Pay(amount_minor=100_01), {BENS: FULL}),
    (DeclineReason.INSUFFICIENT_FUNDS, Pay(amount_minor=100_00, fee_minor=1), {BENS: FULL}),
    (DeclineReason.INSUFFICIENT_FUNDS, Pay(amount_minor=30_00), {ANNS: {"held_minor": 70_01}}),
    (DeclineReason.INSUFFICIENT_FUNDS, Pay(amount_minor=30_00), {ANNS: {"floor_minor": 70_01}}),
    (DeclineReason.CEILING_EXCEEDED, Pay(amount_minor=30_00), {BENS: {"ceiling_minor": 29_99}}),
]


@pytest.mark.parametrize(("reason", "pay", "changes"), DECLINED)
def test_money_is_not_held_for_the_first_reason_that_applies(reason: DeclineReason, pay: Pay, changes: Changes) -> None:
    books = Books(changes=changes)
    before = dict(books.accounts)
    (declined,) = books.hears(pay.initiated)
    assert isinstance(declined, FundsDeclined)
    assert (declined.reason, declined.payment_id) == (reason, pay.payment_id)
    assert books.accounts == before
    assert books.holds[pay.payment_id].status is HoldStatus.DECLINED


def test_money_is_not_held_for_a_payment_that_has_ended() -> None:
    books = Books(changes={ANNS: CLOSED})
    books.hears(Pay().cancelled)
    (declined,) = books.hears(Pay().initiated)
    assert isinstance(declined, FundsDeclined)
    assert declined.reason is DeclineReason.PAYMENT_ENDED


def test_no_reason_to_decline_is_left_out() -> None:
    told = {reason for reason, _, _ in DECLINED} | {DeclineReason.PAYMENT_ENDED}
    assert told == set(DeclineReason) - {DeclineReason.UNKNOWN}


@pytest.mark.parametrize(
    ("amount_minor", "changes"),
    [
        (100_00, {}),
        (30_00, {ANNS: {"held_minor": 70_00}}),
        (30_00, {ANNS: {"floor_minor": 70_00}}),
        (1_000_00, {ANNS: {"tier": 1, "posted_minor": 1_000_00}}),
        (300_00, {ANNS: {"floor_minor": -200_00}}),
        (30_00, {BENS: {"ceiling_minor": 30_00}}),
        (30_00, {ANNS: {"tier": 1, "spent_on": START.date(), "spent_day_minor": 2_470_00}}),
        (30_00, {ANNS: {"tier": 1, "spent_on": START.date(), "spent_month_minor": 9_970_00}}),
    ],
)
def test_money_is_held_up_to_the_last_cent(amount_minor: int, changes: Mapping[str, Any]) -> None:
    books = Books(changes=changes)
    held_before = books.accounts[ANNS].held_minor
    (held,) = books.hears(Pay(amount_minor=amount_minor).initiated)
    assert isinstance(held, FundsHeld)
    assert (held.amount_minor, held.held_at, held.expires_at) == (amount_minor, START, START + LIFETIME)
    assert books.accounts[ANNS].held_minor == held_before + amount_minor
    assert books.entries[2:] == [], "nothing has moved yet"


def test_a_second_hold_sees_the_first() -> None:
    books = Books()
    books.hears(Pay(1, 60_00).initiated, Pay(2, 60_00).initiated)
    assert books.told == ["FundsHeld", "FundsDeclined"]
    assert books.money(ANNS) == (100_00, 60_00, 40_00)


# Posting

REFUSED: list[tuple[PostRefusal, Changes]] = [
    (PostRefusal.DEBTOR_ACCOUNT_CLOSED, {ANNS: CLOSED, BENS: CLOSED | FULL}),
    (PostRefusal.DEBTOR_ACCOUNT_FROZEN, {ANNS: FROZEN, BENS: CLOSED | FULL}),
    (PostRefusal.DEBTOR_ACCOUNT_FROZEN, {ANNS: DEBITS_FROZEN, BENS: CLOSED}),
    (PostRefusal.CREDITOR_ACCOUNT_CLOSED, {BENS: CLOSED | FULL}),
    (PostRefusal.CREDITOR_ACCOUNT_FROZEN, {BENS: FROZEN | FULL}),
    (PostRefusal.CEILING_EXCEEDED, {BENS: {"ceiling_minor": 29_99}}),
]


@pytest.mark.parametrize(("reason", "changes"), REFUSED)
def test_held_money_stays_held_for_the_first_reason_that_applies(reason: PostRefusal, changes: Changes) -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.set(changes)
    before = dict(books.accounts)
    (refused,) = books.hears(Pay().approved)
    assert isinstance(refused, FundsPostRefused)
    assert refused.reason is reason
    assert books.accounts == before
    assert books.holds[Pay().payment_id].status is HoldStatus.HELD


@pytest.mark.parametrize(
    "before",
    [
        [],
        [Pay(amount_minor=100_01).initiated],
        [Pay().initiated, Pay().cancelled],
        [Pay().cancelled],
        [Pay().initiated, Pay().block_requested],
    ],
)
def test_nothing_is_posted_where_nothing_is_held(before: list[Record]) -> None:
    books = Books(changes={BENS: CLOSED} if not before else {})
    if before:
        books.hears(*before)
    money = dict(books.accounts)
    (refused,) = books.hears(Pay().approved)
    assert isinstance(refused, FundsPostRefused)
    assert refused.reason is PostRefusal.NOTHING_HELD
    assert books.accounts == money


def test_no_refusal_to_post_is_left_out() -> None:
    assert {reason for reason, _ in REFUSED} | {PostRefusal.NOTHING_HELD, PostRefusal.UNKNOWN} == set(PostRefusal)


def test_held_money_is_posted_once() -> None:
    books = Books()
    books.hears(Pay().initiated)
    (posted,) = books.hears(Pay().approved)
    assert isinstance(posted, FundsPosted)
    assert (books.money(ANNS), books.money(BENS)) == ((70_00, 0, 70_00), (30_00, 0, 30_00))
    (again,) = books.hears(Pay().approved)
    assert isinstance(again, FundsPosted)
    assert again.transfer_id == posted.transfer_id
    assert (books.money(ANNS), books.money(BENS)) == ((70_00, 0, 70_00), (30_00, 0, 30_00))
    transfer = books.transfers[-1]
    assert (transfer.kind, transfer.payment_id) == (TransferKind.PAYMENT, Pay().payment_id)
    assert [(e.account_id, e.amount_minor, e.balance_minor) for e in books.entries[-2:]] == [
        (ANNS, -30_00, 70_00),
        (BENS, 30_00, 30_00),
    ]


def test_a_new_approval_tries_again_what_was_refused() -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.set({ANNS: FROZEN})
    books.hears(Pay().approved)
    books.set({ANNS: OPEN})
    assert books.hears(Pay().approved) and books.told == ["FundsPosted"]
    assert books.holds[Pay().payment_id].post_refusal is None


def test_a_refusal_names_the_approval_that_it_answers_however_it_is_asked() -> None:
    """Payments may have approved the payment anew by the time it hears that."""
    pay, books = Pay(), Books()
    books.hears(pay.initiated)
    books.set({ANNS: FROZEN})
    first, anew = pay.approved, replace(pay.approved, approved_at=START + timedelta(hours=1))
    asked = pay.overdue(Answer.POSTING, approved=(30_00, 0))
    for body, approved_at in ((asked, START), (first, START), (asked, START), (anew, START + timedelta(hours=1))):
        (refused,) = books.hears(body)
        assert isinstance(refused, FundsPostRefused)
        assert refused.approved_at == approved_at


# Fees, and approvals of less than was asked for

DEAR = Pay(amount_minor=30_00, fee_minor=1_50)


def test_a_fee_is_held_with_the_amount() -> None:
    books = Books()
    (held,) = books.hears(DEAR.initiated)
    assert isinstance(held, FundsHeld)
    assert (held.amount_minor, held.fee_minor) == (30_00, 1_50)
    assert books.money(ANNS) == (100_00, 31_50, 68_50)
    assert books.holds[DEAR.payment_id].left_minor == 31_50


def test_a_fee_does_not_count_towards_the_ceiling_of_the_one_who_is_paid() -> None:
    books = Books(changes={BENS: {"ceiling_minor": 30_00}})
    books.hears(DEAR.initiated, DEAR.approved)
    assert books.told == ["FundsHeld", "FundsPosted"]


def test_a_fee_is_posted_to_the_houses_fees_together_with_the_payment() -> None:
    books = Books()
    (_, posted) = books.hears(DEAR.initiated, DEAR.approved)
    assert isinstance(posted, FundsPosted)
    assert (posted.amount_minor, posted.fee_minor) == (30_00, 1_50)
    assert [books.money(id_) for id_ in (ANNS, BENS, FEES)] == [
        (68_50, 0, 68_50),
        (30_00, 0, 30_00),
        (1_50, 0, 1_50),
    ]
    paid, fee = books.transfers[-2:]
    assert (paid.kind, fee.kind) == (TransferKind.PAYMENT, TransferKind.FEE)
    assert (paid.debit_account_id, fee.debit_account_id, fee.credit_account_id) == (ANNS, ANNS, FEES)
    assert paid.payment_id == fee.payment_id == DEAR.payment_id
    link_id = posted.transfer_id
    assert [(t.link_id, t.link_number) for t in (paid, fee)] == [(link_id, 0), (link_id, 1)], "both or neither"
    (again,) = books.hears(DEAR.approved)
    assert again == posted and len(books.transfers) == 3


def test_a_payment_without_fee_is_linked_with_nothing() -> None:
    books = Books()
    books.hears(Pay().initiated, Pay().approved)
    assert books.transfers[-1].link_id is None


@pytest.mark.parametrize(
    ("amount_minor", "fee_minor", "transfer_count"), [(30_00, 0, 1), (20_00, 1_50, 2), (1, 0, 1), (29_99, 1_49, 2)]
)
def test_what_is_approved_is_posted_and_the_rest_given_back_for_good(
    amount_minor: int, fee_minor: int, transfer_count: int
) -> None:
    books = Books()
    (_, posted) = books.hears(DEAR.initiated, DEAR.approved_of(amount_minor, fee_minor))
    assert isinstance(posted, FundsPosted)
    assert (posted.amount_minor, posted.fee_minor) == (amount_minor, fee_minor)
    left_minor = 100_00 - amount_minor - fee_minor
    assert books.money(ANNS) == (left_minor, 0, left_minor)
    assert (books.money(BENS)[0], books.money(FEES)[0]) == (amount_minor, fee_minor)
    assert len(books.transfers) == 1 + transfer_count
    hold = books.holds[DEAR.payment_id]
    assert (hold.status, hold.posted_minor, hold.posted_fee_minor, hold.left_minor) == (
        HoldStatus.POSTED,
        amount_minor,
        fee_minor,
        0,
    )
    assert books.hears(DEAR.approved, DEAR.cancelled) == [posted], "asked again, the answer is the same"
    assert books.money(ANNS) == (left_minor, 0, left_minor)


def test_what_is_given_back_of_an_approval_may_be_spent_the_same_day() -> None:
    books = Books(changes={ANNS: {"tier": 1, "posted_minor": 10_000_00}})
    payments = [Pay(number, 990_00, fee_minor=10_00) for number in (1, 2)]
    books.hears(*(pay.initiated for pay in payments), Pay(3, 500_00).initiated, Pay(4, 1).initiated)
    assert books.told[-2:] == ["FundsHeld", "FundsDeclined"]
    books.hears(payments[0].approved_of(400_00, 5_00))
    account = books.accounts[ANNS]
    assert (account.spent_day_minor, account.spent_month_minor) == (1_905_00, 1_905_00)
    books.hears(Pay(5, 595_00).initiated, Pay(6, 1).initiated)
    assert books.told == ["FundsHeld", "FundsDeclined"]


@pytest.mark.parametrize(("amount_minor", "fee_minor"), [(30_01, 0), (30_00, 1_51), (0, 0), (-1, 0), (30_00, -1)])
def test_an_approval_of_what_is_not_held_is_a_dead_letter(amount_minor: int, fee_minor: int) -> None:
    books = Books()
    books.hears(DEAR.initiated)
    before = books.kept
    for wrong in (
        DEAR.approved_of(amount_minor, fee_minor),
        DEAR.overdue(Answer.POSTING, approved=(amount_minor, fee_minor)),
    ):
        (result,) = books.run([wrong])
        assert (result.outcome, type(result.error)) == (Outcome.DEAD, ValueError)
        assert books.kept == before
    books.hears(DEAR.approved)
    assert books.told == ["FundsPosted"], "the right one can still follow"


def test_an_approval_that_is_refused_says_so_of_amount_and_fee_together() -> None:
    books = Books()
    books.hears(DEAR.initiated)
    books.set({BENS: FROZEN})
    books.hears(DEAR.approved)
    assert (books.told, books.money(ANNS), books.money(FEES)[0]) == (["FundsPostRefused"], (100_00, 31_50, 68_50), 0)


def test_what_is_blocked_is_amount_and_fee_together() -> None:
    books = Books()
    (_, blocked) = books.hears(DEAR.initiated, DEAR.block_requested)
    assert isinstance(blocked, FundsBlocked)
    assert blocked.amount_minor == 31_50
    assert [books.money(id_)[0] for id_ in (ANNS, BLOCKED_FUNDS, FEES)] == [68_50, 31_50, 0]
    assert books.hears(DEAR.block_requested) == [blocked]


@pytest.mark.parametrize("end", [DEAR.cancelled, DEAR.expired])
def test_a_fee_is_given_back_with_the_amount(end: Record) -> None:
    books = Books()
    books.hears(DEAR.initiated)
    books.now = START + LIFETIME
    (released,) = books.hears(end)
    assert isinstance(released, FundsReleased) and released.amount_minor == 31_50
    assert books.money(ANNS) == (100_00, 0, 100_00)


@pytest.mark.parametrize(
    ("approved", "moved"), [((20_00, 1_00), (20_00, 1_00)), ((20_00, 0), (20_00, 0)), (None, (30_00, 1_50))]
)
def test_asked_again_it_posts_what_was_approved(approved: tuple[int, int] | None, moved: tuple[int, int]) -> None:
    books = Books()
    books.hears(DEAR.initiated)
    (posted,) = books.hears(DEAR.overdue(Answer.POSTING, approved=approved))
    assert isinstance(posted, FundsPosted)
    assert (posted.amount_minor, posted.fee_minor) == moved
    assert (books.money(BENS)[0], books.money(FEES)[0], books.money(ANNS)[1]) == (*moved, 0)
    assert books.hears(DEAR.approved_of(*moved)) == [posted]


# Blocking: by law, whatever the state of the accounts


@pytest.mark.parametrize("changes", [{}, *({id_: change} for id_ in (ANNS, BENS) for change in (FROZEN, CLOSED, FULL))])
def test_held_money_is_blocked_once_whatever_the_state_of_the_accounts(changes: Mapping[str, Any]) -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.set(changes)
    (blocked,) = books.hears(Pay().block_requested)
    assert isinstance(blocked, FundsBlocked)
    assert blocked.blocked_account_id == BLOCKED_FUNDS
    assert (books.money(ANNS)[:2], books.money(BLOCKED_FUNDS)[:2]) == ((70_00, 0), (30_00, 0))
    (again,) = books.hears(Pay().block_requested)
    assert isinstance(again, FundsBlocked)
    assert again.transfer_id == blocked.transfer_id
    assert books.money(BLOCKED_FUNDS)[0] == 30_00
    assert books.transfers[-1].kind is TransferKind.BLOCKING


@pytest.mark.parametrize(
    "before",
    [
        [],
        [Pay(amount_minor=100_01).initiated],
        [Pay().initiated, Pay().cancelled],
    ],
)
def test_nothing_is_blocked_where_nothing_is_held(before: list[Record]) -> None:
    books = Books()
    if before:
        books.hears(*before)
    money = dict(books.accounts)
    (refused,) = books.hears(Pay().block_requested)
    assert isinstance(refused, FundsPostRefused)
    assert refused.reason is PostRefusal.NOTHING_HELD
    assert books.accounts == money


def test_a_block_of_money_that_was_posted_is_answered_with_the_posting() -> None:
    books = Books()
    (_, posted) = books.hears(Pay().initiated, Pay().approved)
    money = dict(books.accounts)
    (told,) = books.hears(Pay().block_requested)
    assert isinstance(told, FundsPosted) and isinstance(posted, FundsPosted)
    assert told.transfer_id == posted.transfer_id
    assert books.accounts == money


# Releasing


@pytest.mark.parametrize("end", [Pay().rejected, Pay().cancelled, Pay().release_requested])
def test_held_money_is_given_back_once(end: Record) -> None:
    books = Books()
    books.hears(Pay().initiated)
    (released,) = books.hears(end)
    assert isinstance(released, FundsReleased)
    assert (released.amount_minor, released.currency) == (30_00, "EUR")
    assert books.money(ANNS) == (100_00, 0, 100_00)
    assert books.hears(end) == []
    assert books.hears(Pay().release_requested) == []
    assert books.money(ANNS) == (100_00, 0, 100_00)


@pytest.mark.parametrize("end", [Pay().rejected, Pay().cancelled, Pay().release_requested])
@pytest.mark.parametrize(
    "before",
    [[Pay(amount_minor=100_01).initiated], [Pay().initiated, Pay().approved], [Pay().initiated, Pay().block_requested]],
)
def test_nothing_is_given_back_where_nothing_is_held(end: Record, before: list[Record]) -> None:
    books = Books()
    books.hears(*before)
    known = dict(books.accounts), dict(books.holds)
    assert books.hears(end) == []
    assert (books.accounts, books.holds) == known


@pytest.mark.parametrize(
    "first", [Pay().rejected, Pay().cancelled, Pay().release_requested, Pay().approved, Pay().block_requested]
)
def test_what_comes_before_the_order_makes_it_too_late_to_hold_anything(first: Record) -> None:
    """As when the order was a dead letter, and is replayed after what followed it."""
    books = Books()
    books.hears(first)
    (declined,) = books.hears(Pay().initiated)
    assert isinstance(declined, FundsDeclined)
    assert declined.reason is DeclineReason.PAYMENT_ENDED
    assert books.money(ANNS) == (100_00, 0, 100_00)


# Running out


def test_a_hold_runs_out_at_its_time_and_not_before() -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.now = START + LIFETIME - timedelta(microseconds=1)
    assert books.hears(Pay().expired) == []
    books.now = START + LIFETIME
    assert books.hears(Pay().expired) and books.told == ["FundsReleased"]
    assert books.money(ANNS) == (100_00, 0, 100_00)
    assert books.hears(Pay().expired) == []


@pytest.mark.parametrize("end", [Pay().approved, Pay().block_requested, Pay().cancelled])
def test_what_is_no_longer_held_does_not_run_out(end: Record) -> None:
    books = Books()
    books.hears(Pay().initiated, end)
    books.now = START + 2 * LIFETIME
    money = dict(books.accounts)
    assert books.hears(Pay().expired) == []
    assert books.accounts == money


def test_a_hold_that_ran_out_can_be_neither_posted_nor_blocked() -> None:
    books = Books()
    books.hears(Pay().initiated)
    books.now = START + LIFETIME
    books.hears(Pay().expired)
    for late in (Pay().approved, Pay().block_requested):
        assert books.hears(late) and books.told == ["FundsPostRefused"]


# Asked again


@pytest.mark.parametrize(
    ("before", "awaited", "told"),
    [
        ([], Answer.HOLD, "FundsHeld"),
        ([Pay().initiated], Answer.HOLD, "FundsHeld"),
        ([Pay().initiated, Pay().approved], Answer.HOLD, "FundsPosted"),
        ([Pay().initiated, Pay().block_requested], Answer.HOLD, "FundsBlocked"),
        ([Pay().initiated, Pay().cancelled], Answer.HOLD, "FundsDeclined"),
        ([Pay().cancelled], Answer.HOLD, "FundsDeclined"),
        ([], Answer.POSTING, "FundsPostRefused"),
        ([Pay().initiated], Answer.POSTING, "FundsPosted"),
        ([Pay().initiated, Pay().approved], Answer.POSTING, "FundsPosted"),
        ([Pay().initiated, Pay().cancelled], Answer.POSTING, "FundsPostRefused"),
        ([], Answer.BLOCKING, "FundsPostRefused"),
        ([Pay().initiated], Answer.BLOCKING, "FundsBlocked"),
        ([Pay().initiated, Pay().block_requested], Answer.BLOCKING, "FundsBlocked"),
        ([Pay().initiated], Answer.FRAUD, None),
        ([Pay().initiated], Answer.UNKNOWN, None),
    ],
)
def test_asked_again_it_says_what_became_of_the_money_or_sees_to_it(
    before: list[Record], awaited: Answer, told: str | None
) -> None:
    books = Books()
    if before:
        books.hears(*before)
    books.hears(Pay().overdue(awaited))
    assert books.told == ([told] if told else [])
    after = dict(books.accounts), [h.status for h in books.holds.values()], len(books.entries)
    books.hears(Pay().overdue(awaited))
    assert books.told == ([told] if told else []), "and says the same every time"
    assert (books.accounts, [h.status for h in books.holds.values()], len(books.entries)) == after


def test_asked_again_about_a_refused_posting_it_does_not_post_what_it_has_refused() -> None:
    """Payments may have ended the payment because of the first answer."""
    books = Books()
    books.hears(Pay().initiated)
    books.set({BENS: FROZEN})
    books.hears(Pay().approved)
    books.set({BENS: OPEN})
    (refused,) = books.hears(Pay().overdue(Answer.POSTING))
    assert isinstance(refused, FundsPostRefused)
    assert refused.reason is PostRefusal.CREDITOR_ACCOUNT_FROZEN
    assert books.money(BENS) == (0, 0, 0)


def test_one_question_may_ask_for_several_answers() -> None:
    books = Books()
    books.hears(Pay().overdue(Answer.FRAUD, Answer.HOLD))
    assert books.told == ["FundsHeld"]
