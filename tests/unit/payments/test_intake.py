"""How a payment comes in or is refused, and how its client withdraws it."""

from collections.abc import Mapping
from typing import Any

import pytest

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.record import Record, replace
from schemas.payments.events import PaymentInitiated
from services.payments.domain.intake import (
    CancelPayment,
    CompleteBatch,
    InitiatePayment,
    OpenBatch,
    RefuseLine,
)
from services.payments.domain.payment import ENDS, KnownAccount, Payments, PaymentState, RefusedLine
from services.payments.domain.refusals import QUOTA_REASONS, RefusalReason
from tests.unit.payments import test_captures, test_party_data, test_refunds
from tests.unit.payments.story import (
    ACCOUNTS,
    ANN,
    BEN,
    CREDITOR,
    DEBTOR,
    HANDLERS,
    ORDER,
    PAYMENT,
    SETTINGS,
    START,
    Story,
)

BATCH = ids.named("batch")


def books(**accounts: KnownAccount | None) -> Payments:
    known = {
        **ACCOUNTS,
        **{{"debtor": DEBTOR, "creditor": CREDITOR}[who]: account for who, account in accounts.items()},
    }
    return Payments(
        payments={},
        refunds={},
        accounts={id_: account for id_, account in known.items() if account is not None},
        batches={},
        policy=SETTINGS.policy,
        fees=SETTINGS.fee_schedule,
    )


def decide(payments: Payments, body: Record) -> Any:
    """What one decision says, kept as the batch would keep it."""
    result = HANDLERS.decisions[type(body)](payments, body, START)
    payments.forget() if isinstance(result, Refusal) else payments.keep()
    return result


def refusal_of(payments: Payments, body: Record) -> tuple[str, str | None]:
    result = decide(payments, body)
    assert isinstance(result, Refusal)
    return result.reason, result.field


GONE = {"debtor": None, "creditor": None}
UNUSABLE = {
    "debtor": replace(ACCOUNTS[DEBTOR], may_pay=False),
    "creditor": replace(ACCOUNTS[CREDITOR], may_receive=False),
}
IN_DOLLARS = {
    "debtor": replace(ACCOUNTS[DEBTOR], currency="USD"),
    "creditor": replace(ACCOUNTS[CREDITOR], currency="USD"),
}

# Each row breaks what it names and everything that comes after it.
REFUSED: list[tuple[RefusalReason, str, Mapping[str, KnownAccount | None], Mapping[str, Any]]] = [
    (RefusalReason.SAME_ACCOUNT, "creditor.account_id", GONE, {"creditor_account_id": DEBTOR, "currency": "JPY"}),
    (RefusalReason.DEBTOR_ACCOUNT_UNKNOWN, "debtor.account_id", GONE, {"currency": "JPY"}),
    (
        RefusalReason.CREDITOR_ACCOUNT_UNKNOWN,
        "creditor.account_id",
        {"debtor": UNUSABLE["debtor"], "creditor": None},
        {"currency": "JPY"},
    ),
    (RefusalReason.DEBTOR_ACCOUNT_UNAVAILABLE, "debtor.account_id", UNUSABLE, {"currency": "JPY"}),
    (
        RefusalReason.CREDITOR_ACCOUNT_UNAVAILABLE,
        "creditor.account_id",
        {"creditor": UNUSABLE["creditor"]},
        {"currency": "JPY"},
    ),
    (RefusalReason.CURRENCY_NOT_HELD, "currency", {}, {"currency": "JPY"}),
    (RefusalReason.CURRENCY_NOT_HELD, "currency", {"creditor": IN_DOLLARS["creditor"]}, {}),
    (RefusalReason.CURRENCY_NOT_HELD, "currency", {"debtor": IN_DOLLARS["debtor"]}, {}),
]


@pytest.mark.parametrize(("reason", "field", "accounts", "changes"), REFUSED)
def test_an_order_is_refused_for_the_first_reason_that_applies(
    reason: RefusalReason, field: str, accounts: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    payments = books(**accounts)
    assert refusal_of(payments, replace(ORDER, **changes)) == (reason, field)
    assert payments.payments.inserted == []


@pytest.mark.parametrize(("reason", "field", "accounts", "changes"), REFUSED)
def test_a_line_is_refused_for_the_same_reasons_and_remembered(
    reason: RefusalReason, field: str, accounts: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    payments = books(**accounts)
    decide(payments, OpenBatch(batch_id=BATCH, client_id="shop"))
    assert decide(payments, replace(ORDER, batch_id=BATCH, line_number=7, **changes)) == []
    (line,) = payments.refused_lines
    assert line == RefusedLine(
        batch_id=BATCH, line_number=7, reason=reason, field=field, detail=reason.replace("_", " ")
    )
    assert payments.payments.inserted == []


CANCEL = CancelPayment(payment_id=PAYMENT, client_id="shop")


@pytest.mark.parametrize(
    ("reason", "story", "command"),
    [
        (RefusalReason.PAYMENT_UNKNOWN, Story(began=False), CANCEL),
        (RefusalReason.PAYMENT_UNKNOWN, Story().hears("declined"), replace(CANCEL, client_id="other")),
        (RefusalReason.PAYMENT_ENDED, Story().hears("declined"), CANCEL),
        (RefusalReason.PAYMENT_ENDED, Story().hears("clear cancel"), CANCEL),
        (RefusalReason.PAYMENT_ENDED, Story().hears("allow clear held posted"), CANCEL),
        (RefusalReason.PAYMENT_ENDED, Story().hears("listed! held blocked"), CANCEL),
        (RefusalReason.PAYMENT_NOT_CANCELLABLE, Story().hears("allow clear held"), CANCEL),
        (RefusalReason.PAYMENT_NOT_CANCELLABLE, Story().hears("allow clear held debtor-frozen"), CANCEL),
        (RefusalReason.PAYMENT_NOT_CANCELLABLE, Story().hears("allow clear held debtor-frozen listed!"), CANCEL),
        (RefusalReason.PAYMENT_NOT_CANCELLABLE, Story().hears("allow listed? held approve debtor-frozen"), CANCEL),
    ],
)
def test_a_withdrawal_is_refused_for_the_first_reason_that_applies(
    reason: RefusalReason, story: Story, command: CancelPayment
) -> None:
    known = story.state.payments.get(PAYMENT)
    story.decide(command)
    assert story.refusal == reason
    assert story.state.payments.get(PAYMENT) == known


def test_no_reason_to_refuse_is_left_out() -> None:
    tests: list[Any] = [
        test_a_withdrawal_is_refused_for_the_first_reason_that_applies,
        test_captures.test_a_capture_is_refused_for_the_first_reason_that_applies,
        test_refunds.test_a_refund_is_refused_for_the_first_reason_that_applies,
        test_party_data.test_data_are_refused_for_the_first_reason_that_applies,
    ]
    rows = [row for test in tests for row in test.pytestmark[0].args[1]]
    about_files = {RefusalReason.BATCH_COMPLETE, RefusalReason.BATCH_DIFFERS}
    # What is beyond a quota has tests of its own: test_quotas.py.
    assert {row[0] for row in [*REFUSED, *rows]} | about_files | {*QUOTA_REASONS} == set(RefusalReason)


# Taking a payment on


def test_an_order_becomes_an_event_with_all_that_detection_and_the_law_will_ask() -> None:
    (event,) = decide(books(), ORDER)
    assert isinstance(event, PaymentInitiated)
    order = event.order
    assert (order.debtor_customer_id, order.creditor_customer_id) == (ANN, BEN)
    assert (order.client_id, order.amount_minor, order.currency) == ("shop", 1234, "EUR")
    assert order.personal == ORDER.personal
    assert (order.instructed_at, event.initiated_at) == (START, START)


def test_staff_may_withdraw_anyones_payment() -> None:
    story = Story().hears("clear")
    story.decide(replace(CANCEL, client_id=None))
    assert story.payment.state is PaymentState.CANCELLED


# Withdrawing it. Nothing in the answer may tell whether someone looks at the payment: until it is approved,
# a withdrawal is either carried out or taken note of.


@pytest.mark.parametrize(
    ("known", "state", "told"),
    [
        ("", PaymentState.INITIATED, []),
        ("allow held", PaymentState.INITIATED, []),
        ("listed?", PaymentState.INITIATED, []),
        ("listed!", PaymentState.INITIATED, []),
        ("clear", PaymentState.CANCELLED, ["PaymentCancelled"]),
        ("fraud? clear", PaymentState.CANCELLED, ["PaymentCancelled"]),
        ("fraud? clear held", PaymentState.CANCELLED, ["PaymentCancelled"]),
        ("fraud? clear held taken", PaymentState.CANCELLED, ["PaymentCancelled"]),
        ("clear silence", PaymentState.CANCELLED, ["PaymentCancelled"]),
        ("clear silence approve", PaymentState.CANCELLED, ["PaymentCancelled"]),
        ("allow clear silence block", PaymentState.SUSPENDED, []),
        ("allow held silence", PaymentState.SUSPENDED, []),
        ("allow listed? held", PaymentState.SUSPENDED, []),
        ("listed! held", PaymentState.BLOCKING, []),
        ("fraud? clear held block", PaymentState.BLOCKING, []),
    ],
)
def test_a_withdrawal_is_carried_out_if_the_money_is_certainly_nobodys_who_is_listed(
    known: str, state: PaymentState, told: list[str]
) -> None:
    story = Story().hears(f"{known} cancel")
    assert (story.refusal, story.payment.state, story.told) == (None, state, told)
    if state not in ENDS:
        assert story.payment.is_cancel_requested
        assert story.payment.steps[-1].what == "cancel requested"


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("cancel clear", PaymentState.CANCELLED),
        ("allow held cancel clear", PaymentState.CANCELLED),
        ("cancel listed! held", PaymentState.BLOCKING),
        ("cancel listed? allow held", PaymentState.SUSPENDED),
        ("cancel listed? allow held approve", PaymentState.CANCELLED),
        ("cancel listed? allow held reject", PaymentState.REJECTED),
        ("cancel listed? allow held block", PaymentState.BLOCKING),
        ("cancel declined", PaymentState.REJECTED),
        ("cancel silence clear", PaymentState.CANCELLED),
        ("silence cancel clear", PaymentState.CANCELLED),
        ("silence cancel taken clear", PaymentState.SUSPENDED),
        ("silence taken cancel clear allow held approve", PaymentState.CANCELLED),
    ],
)
def test_a_withdrawal_taken_note_of_is_carried_out_when_that_is_known(words: str, state: PaymentState) -> None:
    assert Story().hears(words).payment.state is state


def test_asking_twice_to_withdraw_is_asking_once() -> None:
    story = Story().hears("cancel")
    known = story.payment
    assert story.hears("cancel").payment == known


# Files


def test_a_file_is_opened_filled_and_completed() -> None:
    payments = books()
    decide(payments, OpenBatch(batch_id=BATCH, client_id="shop"))
    line = replace(ORDER, payment_id=ids.derive(BATCH, "line", 1), batch_id=BATCH, line_number=1)
    assert len(decide(payments, line)) == 1
    decide(payments, RefuseLine(batch_id=BATCH, line_number=2, reason="malformed", field=None, detail="not JSON"))
    assert [refused.line_number for refused in payments.refused_lines] == [2]
    assert decide(payments, CompleteBatch(batch_id=BATCH, line_count=2)) == []
    (batch,) = payments.batches.inserted
    assert (batch.line_count, batch.completed_at) == (2, START)


@pytest.mark.parametrize(
    "late",
    [
        replace(ORDER, batch_id=BATCH, line_number=3),
        RefuseLine(batch_id=BATCH, line_number=3, reason="malformed", field=None, detail="not JSON"),
    ],
)
def test_nothing_is_added_to_a_complete_file(late: InitiatePayment | RefuseLine) -> None:
    payments = books()
    decide(payments, OpenBatch(batch_id=BATCH, client_id="shop"))
    decide(payments, CompleteBatch(batch_id=BATCH, line_count=0))
    assert refusal_of(payments, late)[0] == RefusalReason.BATCH_COMPLETE
    assert (payments.payments.inserted, list(payments.refused_lines)) == ([], [])


def test_a_file_is_completed_once() -> None:
    payments = books()
    decide(payments, OpenBatch(batch_id=BATCH, client_id="shop"))
    decide(payments, CompleteBatch(batch_id=BATCH, line_count=0))
    assert refusal_of(payments, CompleteBatch(batch_id=BATCH, line_count=0))[0] == RefusalReason.BATCH_COMPLETE


def test_a_file_is_not_complete_with_fewer_lines_than_have_come_in() -> None:
    payments = books()
    decide(payments, OpenBatch(batch_id=BATCH, client_id="shop"))
    decide(payments, replace(ORDER, batch_id=BATCH, line_number=1))
    assert refusal_of(payments, CompleteBatch(batch_id=BATCH, line_count=0))[0] == RefusalReason.BATCH_DIFFERS
