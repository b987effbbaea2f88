"""What every rule returns, and what several of them ask. Pure."""

from libs.common.record import Record
from schemas.payments.events import Channel
from services.fraud.domain.euros import shown
from services.fraud.domain.facts import Facts
from services.fraud.domain.limits import Limits


class Finding(Record):
    """What a rule has to say about a payment."""

    score: float
    """The chance, roughly, that a payment with nothing else against it is fraud."""
    reason: str
    """Why, with the values that it was."""


def is_card(facts: Facts) -> bool:
    """Whether it is a card payment, for which other limits hold than for transfers."""
    return facts.channel is Channel.CARD


def is_above_habits(facts: Facts, limits: Limits) -> bool:
    """Whether the payer has habits, and the amount is large enough to break them."""
    unusual_cents = limits.card_unusual_cents_min if is_card(facts) else limits.transfer_unusual_cents_min
    has_habits = facts.debtor.earlier_count >= limits.history_count_min and facts.debtor.average_minor > 0
    return has_habits and facts.amount_cents >= unusual_cents


def times_average(facts: Facts) -> str:
    """How the amount compares with the payer's habits; only where there are some."""
    average = facts.debtor.average_minor
    return f"{facts.amount_minor / average:.1f} times the average, {shown(average, facts.currency)}"


def amount_of(facts: Facts) -> str:
    """The payment's amount, as a person reads it."""
    return shown(facts.amount_minor, facts.currency)
