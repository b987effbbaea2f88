"""What a client may order in a day: counted exactly, day by day, and by nobody else's orders."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.batch import Refusal
from services.payments.domain import quotas
from services.payments.domain.payment import Payments
from services.payments.domain.quota import PAYMENTS, Quota, quota_id
from services.payments.domain.quotas import seconds_until_renewed, spend
from services.payments.settings import PaymentsSettings

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
TODAY = NOON.date()
SETTINGS = PaymentsSettings(database_url="postgresql+psycopg://nobody@nowhere/nothing")


def books(defaults: Mapping[str, int] | None = None, *known: Quota) -> Payments:
    return Payments(
        payments={},
        refunds={},
        accounts={},
        batches={},
        policy=SETTINGS.policy,
        fees={},
        quotas={quota_id(quota.client_id, quota.measure): quota for quota in known},
        default_quotas=defaults,
    )


def order(payments: Payments, amount_minor: int = 100, *, by: str = "shop", at: datetime = NOON) -> str | None:
    """Why an order in euros is refused, if it is; else it is counted, as a batch would keep it."""
    why_not = spend(payments, by, amount_minor, "EUR", at)
    payments.forget() if isinstance(why_not, Refusal) else payments.keep()
    return why_not.reason if why_not is not None else None


def used(payments: Payments, measure: str, by: str = "shop") -> int:
    return quotas.find(payments, by, measure, TODAY)[0].used_by(TODAY)


def test_what_has_no_limit_is_not_counted() -> None:
    payments = books()
    assert order(payments, 10**15) is None
    assert payments.quotas.inserted == payments.quotas.updated == []


def test_the_last_payment_that_fits_is_taken_and_the_next_refused() -> None:
    payments = books({PAYMENTS: 2})
    assert [order(payments) for _ in range(3)] == [None, None, "payment_quota_exceeded"]
    assert order(payments, by="rival") is None
    assert used(payments, PAYMENTS) == 2


def test_an_amount_fits_to_the_minor_unit_and_what_is_refused_counts_nothing() -> None:
    payments = books({PAYMENTS: 10, "EUR": 250})
    assert [order(payments, amount) for amount in (200, 51, 50, 1)] == [
        None,
        "amount_quota_exceeded",
        None,
        "amount_quota_exceeded",
    ]
    assert (used(payments, PAYMENTS), used(payments, "EUR")) == (2, 250)


def test_its_own_limit_goes_before_the_default() -> None:
    known = Quota(client_id="shop", measure=PAYMENTS, used_on=TODAY, used=1, most=2)
    payments = books({PAYMENTS: 1}, known)
    assert [order(payments), order(payments)] == [None, "payment_quota_exceeded"]
    (changed,) = payments.quotas.updated
    assert (changed.used, changed.most) == (2, 2)
    assert order(books({}, Quota(client_id="shop", measure="EUR", used_on=TODAY, most=0)), 1) == "amount_quota_exceeded"


def test_every_day_begins_anew_and_a_clock_set_back_gives_nothing() -> None:
    payments = books({PAYMENTS: 1})
    midnight = datetime(2026, 3, 15, tzinfo=UTC)
    assert order(payments, at=midnight - timedelta(microseconds=1)) is None
    assert order(payments, at=midnight) is None
    assert order(payments, at=midnight - timedelta(seconds=1)) == "payment_quota_exceeded"


@given(st.integers(0, 8), st.integers(0, 500), st.lists(st.integers(1, 200), max_size=30))
def test_whatever_is_ordered_no_quota_is_passed(most: int, amount: int, orders: list[int]) -> None:
    payments = books({PAYMENTS: most, "EUR": amount})
    taken = [minor for minor in orders if order(payments, minor) is None]
    assert len(taken) <= most
    assert sum(taken) <= amount
    assert used(payments, PAYMENTS) == len(taken)
    assert used(payments, "EUR") == sum(taken)
    refused = len(orders) - len(taken)
    # And nothing was refused for which there was room at the end.
    assert not refused or len(taken) == most or max(orders) > amount - sum(taken)


@pytest.mark.parametrize(("hour", "seconds"), [(0, 86_401), (23, 3_601)])
def test_who_is_refused_is_told_when_the_day_ends(hour: int, seconds: int) -> None:
    assert seconds_until_renewed(datetime(2026, 3, 14, hour, tzinfo=UTC)) == seconds
