"""The numbers that the rules go by, each with its meaning. Amounts are in rough euro cents. Pure.

The defaults for cards were chosen on a public year of simulated card payments (the README has the
figures), the others after the typologies that supervisors publish. A setting replaces any of them.
"""

from libs.common.record import Record

EURO_CENTS = 100


class Limits(Record):
    """Thresholds and windows. Counts and sums include the payment itself; averages and maxima do not."""

    review_score: float = 0.5
    """From here on a person has a look."""
    block_score: float = 0.9
    """From here on the advice is to block."""

    card_amount_cents: int = 220 * EURO_CENTS
    """A card payment above this is unusual whoever makes it."""
    transfer_amount_cents: int = 15_000 * EURO_CENTS
    """The same for every other channel."""

    history_count_min: int = 5
    """Earlier payments of 30 days from which on a payer has habits to compare with."""
    card_unusual_cents_min: int = 50 * EURO_CENTS
    """A card payment below this is never unusual for its amount."""
    transfer_unusual_cents_min: int = 1_000 * EURO_CENTS
    """The same for every other channel."""
    card_average_factor: float = 3.0
    """So many times its own average is far above a card payer's habits."""
    transfer_average_factor: float = 8.0
    """The same for every other channel, where amounts vary more."""
    maximum_factor: float = 1.5
    """So many times the largest earlier payment is new for this payer."""

    debtor_count_1h: int = 10
    """Payments of an hour that a person hardly makes. Files and APIs are not judged by counts."""
    debtor_count_1d: int = 30
    """The same for a day."""
    debtor_sum_1d_cents: int = 20_000 * EURO_CENTS
    """What a person hardly pays in a day."""
    debtor_sum_7d_cents: int = 50_000 * EURO_CENTS
    """What a person hardly pays in a week."""
    fan_out_creditors_1d: int = 8
    """Different payees a person hardly transfers to in a day; who disperses stolen money has more."""
    same_amount_minutes: int = 10
    """How close together payments of one amount to one payee look like a mistake or a machine."""
    same_amount_count: int = 2
    """So many earlier ones of them."""

    large_cents: int = 5_000 * EURO_CENTS
    """A large sum, where something else is unusual as well."""
    idle_days: int = 25
    """After so many days without a payment, a large one wakes a sleeping account."""
    night_hour_until: int = 6
    """Before this hour (UTC) it is night."""
    night_average_factor: float = 2.0
    """At night, so many times the average is noticed."""

    device_debtors_7d: int = 4
    """So many different payers on one device in a week are no family."""

    fan_in_debtors_1d: int = 10
    """So many different payers in a day, of someone who hardly received anything before, look like a mule account."""
    fan_in_earlier_count_max: int = 10
    """Who received more than this in the month before has habits, and is a merchant perhaps."""

    cash_threshold_cents: int = 10_000 * EURO_CENTS
    """Where cash must be reported (in the United States from 10,000 dollars, 31 CFR 1010.311)."""
    cash_band_cents: int = 2_000 * EURO_CENTS
    """So far below the threshold cash looks as if it were meant to stay below."""
    cash_repeat_days: int = 5
    """Within so many days such payments are taken together."""
    cash_repeat_count: int = 3
    """So many of them are structuring."""

    label_delay_days: int = 7
    """Labels of younger payments are left out: by then most have come."""
    label_window_days: int = 7
    """Labels of so many days before the delay count."""
    creditor_fraud_count: int = 2
    """So many frauds among the labelled payments of a payee mark it as a risk."""
    creditor_fraud_share: float = 0.3
    """If they are at least this share of its labelled payments."""
    debtor_fraud_count: int = 1
    """So many frauds among the labelled payments of a payer suggest that someone else pays with its account."""
    debtor_average_factor: float = 2.2
    """If this payment is so many times its average."""
    snapshot_fraud_count: int = 3
    """So many frauds in the features worker's snapshot mark a payee as a risk, if the share is as above."""
    snapshot_age_days_max: int = 30
    """A snapshot whose newest label is older than this says nothing any more."""

    future_seconds_max: int = 24 * 3_600
    """An order dated further ahead than this is not taken into anyone's history: it would make all others too old."""


DEFAULT_LIMITS = Limits()
