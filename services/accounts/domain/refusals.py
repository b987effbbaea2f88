"""Why money is not moved, and why a request is refused: closed lists, in order of precedence."""

from datetime import date
from enum import StrEnum

from libs.common.batch import Refusal, refusal
from services.accounts.domain.ledger import Account, AccountStatus
from services.accounts.domain.limits import UNLIMITED, Limits


class Obstacle(StrEnum):
    """Why money can't go from one account to another, in order of precedence.

    Events and answers name each by the same word.
    """

    DEBTOR_ACCOUNT_UNKNOWN = "debtor_account_unknown"
    CREDITOR_ACCOUNT_UNKNOWN = "creditor_account_unknown"
    DEBTOR_ACCOUNT_CLOSED = "debtor_account_closed"
    DEBTOR_ACCOUNT_FROZEN = "debtor_account_frozen"
    CREDITOR_ACCOUNT_CLOSED = "creditor_account_closed"
    CREDITOR_ACCOUNT_FROZEN = "creditor_account_frozen"
    CURRENCY_NOT_HELD = "currency_not_held"
    LIMIT_EXCEEDED = "limit_exceeded"
    DAILY_LIMIT_EXCEEDED = "daily_limit_exceeded"
    MONTHLY_LIMIT_EXCEEDED = "monthly_limit_exceeded"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CEILING_EXCEEDED = "ceiling_exceeded"


class RefusalReason(StrEnum):
    """Why a request to the ledger is refused, in order of precedence."""

    CUSTOMER_UNKNOWN = "customer_unknown"
    ACCOUNT_UNKNOWN = "account_unknown"
    HOLD_UNKNOWN = "hold_unknown"
    TRANSFER_UNKNOWN = "transfer_unknown"
    OF_A_PAYMENT = "of_a_payment"
    IS_A_REVERSAL = "is_a_reversal"
    ALREADY_REVERSED = "already_reversed"
    OF_THE_HOUSE = "of_the_house"
    """An account of the house has a part in it: for staff."""
    HOLD_ENDED = "hold_ended"
    EXPIRY_NOT_AHEAD = "expiry_not_ahead"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    CUSTOMER_NOT_VERIFIED = "customer_not_verified"
    CUSTOMER_CLOSED = "customer_closed"
    CUSTOMER_HAS_ACCOUNTS = "customer_has_accounts"
    ACCOUNT_EXISTS = "account_exists"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_NOT_FROZEN = "account_not_frozen"
    ACCOUNT_NOT_EMPTY = "account_not_empty"
    DEBTOR_ACCOUNT_UNKNOWN = "debtor_account_unknown"
    CREDITOR_ACCOUNT_UNKNOWN = "creditor_account_unknown"
    DEBTOR_ACCOUNT_CLOSED = "debtor_account_closed"
    DEBTOR_ACCOUNT_FROZEN = "debtor_account_frozen"
    CREDITOR_ACCOUNT_CLOSED = "creditor_account_closed"
    CREDITOR_ACCOUNT_FROZEN = "creditor_account_frozen"
    CURRENCY_NOT_HELD = "currency_not_held"
    BOUND_IS_PASSED = "bound_is_passed"
    AMOUNT_EXCEEDS_HELD = "amount_exceeds_held"
    LIMIT_EXCEEDED = "limit_exceeded"
    DAILY_LIMIT_EXCEEDED = "daily_limit_exceeded"
    MONTHLY_LIMIT_EXCEEDED = "monthly_limit_exceeded"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CEILING_EXCEEDED = "ceiling_exceeded"


UNKNOWN = frozenset(
    {
        RefusalReason.CUSTOMER_UNKNOWN,
        RefusalReason.ACCOUNT_UNKNOWN,
        RefusalReason.HOLD_UNKNOWN,
        RefusalReason.TRANSFER_UNKNOWN,
    }
)
"""What is asked about does not exist."""

_CREDITORS = frozenset(
    {
        Obstacle.CREDITOR_ACCOUNT_UNKNOWN,
        Obstacle.CREDITOR_ACCOUNT_CLOSED,
        Obstacle.CREDITOR_ACCOUNT_FROZEN,
        Obstacle.CEILING_EXCEEDED,
    }
)


def refusal_of(obstacle: Obstacle, *, debtor: str, creditor: str, currency: str, amount: str) -> Refusal:
    """The answer to a request that an obstacle stops, given how its fields are called."""
    if obstacle is Obstacle.CURRENCY_NOT_HELD:
        field = currency
    elif obstacle in _CREDITORS:
        field = creditor
    elif obstacle in (Obstacle.DEBTOR_ACCOUNT_UNKNOWN, Obstacle.DEBTOR_ACCOUNT_CLOSED, Obstacle.DEBTOR_ACCOUNT_FROZEN):
        field = debtor
    else:
        field = amount
    return refusal(RefusalReason(obstacle), field)


def obstacle_between(
    debtor: Account | None,
    creditor: Account | None,
    *,
    paid_minor: int,
    received_minor: int,
    currency: str,
    on: date,
    limits: Limits = UNLIMITED,
) -> Obstacle | None:
    """The first reason why the one can't pay and the other receive, if there is any. None stands for no account.

    `limits` are the debtor's, where they count: in what customers ask for.
    """
    if debtor is None:
        return Obstacle.DEBTOR_ACCOUNT_UNKNOWN
    if creditor is None:
        return Obstacle.CREDITOR_ACCOUNT_UNKNOWN
    if (unusable := obstacle_of_status(debtor, creditor)) is not None:
        return unusable
    if debtor.currency != currency or creditor.currency != currency:
        return Obstacle.CURRENCY_NOT_HELD
    if (over := _limit_passed(debtor, limits, paid_minor, on)) is not None:
        return over
    if not debtor.can_pay(paid_minor):
        return Obstacle.INSUFFICIENT_FUNDS
    if not creditor.can_receive(received_minor):
        return Obstacle.CEILING_EXCEEDED
    return None


def obstacle_of_status(debtor: Account, creditor: Account) -> Obstacle | None:
    """Whether the state of either account is in the way."""
    if debtor.status is not AccountStatus.OPEN:
        is_closed = debtor.status is AccountStatus.CLOSED
        return Obstacle.DEBTOR_ACCOUNT_CLOSED if is_closed else Obstacle.DEBTOR_ACCOUNT_FROZEN
    if creditor.status is AccountStatus.CLOSED:
        return Obstacle.CREDITOR_ACCOUNT_CLOSED
    if creditor.status is AccountStatus.FROZEN:
        return Obstacle.CREDITOR_ACCOUNT_FROZEN
    return None


def _limit_passed(debtor: Account, limits: Limits, amount_minor: int, on: date) -> Obstacle | None:
    if limits.once is not None and amount_minor > limits.once:
        return Obstacle.LIMIT_EXCEEDED
    if limits.day is None and limits.month is None:
        return None
    day_minor, month_minor = debtor.spent(on)
    if limits.day is not None and day_minor + amount_minor > limits.day:
        return Obstacle.DAILY_LIMIT_EXCEEDED
    if limits.month is not None and month_minor + amount_minor > limits.month:
        return Obstacle.MONTHLY_LIMIT_EXCEEDED
    return None
