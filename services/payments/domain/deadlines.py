"""How long a payment, or a refund, may stay in each state, and what happens then: no state without a way out. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from libs.common.record import Record, replace
from services.payments.domain.payment import Payment, PaymentState, Policy
from services.payments.domain.refund import Refund


class Action(StrEnum):
    """What the sweep does about a payment that has waited too long."""

    ASK_AGAIN = "ask_again"
    SUSPEND = "suspend"
    GIVE_UP = "give_up"
    LAPSE = "lapse"
    """End it: its client did not capture it in time."""
    ALERT = "alert"
    """Ask again, and count it among the payments that are past their deadline: someone must look."""


class Deadline(Record):
    after: timedelta
    """Since the payment got into its state."""
    action: Action


@cache
def deadlines(policy: Policy) -> Mapping[PaymentState, tuple[Deadline, ...]]:
    """The table: state × age → action. The last row of a state repeats, as far apart as its two last ages.

    A payment is given up only where its money certainly belongs to nobody listed; else it is asked about again.
    """
    ask, suspend, review = policy.ask_again_after, policy.suspend_after, policy.review_within
    return {
        PaymentState.INITIATED: (
            Deadline(after=ask, action=Action.ASK_AGAIN),
            Deadline(after=suspend, action=Action.SUSPEND),
        ),
        PaymentState.SUSPENDED: (
            Deadline(after=review / 2, action=Action.ASK_AGAIN),
            Deadline(after=review, action=Action.GIVE_UP),
        ),
        # That ends it, so there is no other row.
        PaymentState.AUTHORISED: (Deadline(after=policy.capture_within, action=Action.LAPSE),),
        PaymentState.APPROVED: (
            Deadline(after=ask, action=Action.ASK_AGAIN),
            Deadline(after=suspend, action=Action.ALERT),
        ),
        PaymentState.BLOCKING: (
            Deadline(after=ask, action=Action.ASK_AGAIN),
            Deadline(after=suspend, action=Action.ALERT),
        ),
    }


def longest_stays(policy: Policy) -> Mapping[PaymentState, timedelta]:
    """How long a payment is in a state at most, unless something is wrong."""
    return {state: rows[-1].after for state, rows in deadlines(policy).items()}


def enter(payment: Payment, state: PaymentState, at: datetime, policy: Policy) -> Payment:
    """The payment in a new state, with that state's first deadline, or at its end with none."""
    entered = replace(payment, state=state, entered_at=at, deadline_step=0)
    if entered.has_ended:
        return replace(entered, deadline_at=None, check_at=None, ended_at=at)
    deadline_at = at + deadlines(policy)[state][0].after
    if state is PaymentState.AUTHORISED and payment.capture_by is not None:
        # Its client was told when its time is over, and people may have looked at the payment since.
        deadline_at = payment.capture_by
    return replace(entered, deadline_at=deadline_at, check_at=_check_at(payment, deadline_at, at))


def look_soon(payment: Payment, at: datetime) -> Payment:
    """The payment with something for the sweep to carry out the next time it looks."""
    assert payment.check_at is not None
    return replace(payment, check_at=min(at, payment.check_at))


def due_action(payment: Payment, policy: Policy) -> Action:
    """What the table says about the deadline that has passed."""
    rows = deadlines(policy)[payment.state]
    return rows[min(payment.deadline_step, len(rows) - 1)].action


def next_deadline(payment: Payment, at: datetime, policy: Policy) -> Payment:
    """The payment with the following deadline of its state. Rows missed in an outage are made up for, once each."""
    step = payment.deadline_step + 1
    deadline_at = _deadline_at(deadlines(policy)[payment.state], step, payment.entered_at, at)
    return replace(payment, deadline_step=step, deadline_at=deadline_at, check_at=deadline_at)


def first_look(refund: Refund, policy: Policy) -> Refund:
    """A new refund with the time when accounts should have answered."""
    return replace(refund, check_at=refund.requested_at + _of_refunds(policy)[0].after)


def next_look(refund: Refund, at: datetime, policy: Policy) -> Refund:
    """The refund with the time when accounts is asked again."""
    step = refund.deadline_step + 1
    return replace(
        refund, deadline_step=step, check_at=_deadline_at(_of_refunds(policy), step, refund.requested_at, at)
    )


def _of_refunds(policy: Policy) -> tuple[Deadline, ...]:
    # Of one that is requested accounts is to move the money, as of a payment that is approved.
    return deadlines(policy)[PaymentState.APPROVED]


def _deadline_at(rows: tuple[Deadline, ...], step: int, entered_at: datetime, at: datetime) -> datetime:
    if step < len(rows):
        return entered_at + rows[step].after
    interval = rows[-1].after - rows[-2].after
    first = entered_at + rows[-1].after
    return first + interval * max(step - len(rows) + 1, (at - first) // interval + 1)


def _check_at(payment: Payment, deadline_at: datetime, at: datetime) -> datetime:
    # Most payments end long before anyone looks: not to touch what is indexed spares an index entry a step.
    if payment.check_at is not None and at < payment.check_at < deadline_at:
        return payment.check_at
    return deadline_at
