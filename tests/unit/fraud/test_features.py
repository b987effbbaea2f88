"""Every feature: worked out by hand, worked out once more from the plain list of payments, and never raising."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.record import replace
from schemas.fraud.events import Label
from schemas.payments.events import Channel, EncryptedPersonalData, Party, PaymentOrder, PaymentPersonalData
from services.fraud.domain.entities import EntityKind
from services.fraud.domain.features import CATALOGUE, FEATURES, Value, gathering
from services.fraud.domain.history import PAYMENTS_MAX
from services.fraud.domain.measures import Aggregate
from services.fraud.domain.moment import Lists, Moment
from services.fraud.domain.rulebook.fields import Kind
from tests.unit.fraud.naive import Naive
from tests.unit.fraud.past import (
    ANN,
    CLEO,
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    SHOP,
    START,
    Paid,
    account,
    moment_of,
    order,
    risk_of,
    value_of,
)

FRAUD, GENUINE = Label.FRAUD, Label.GENUINE


def close(one: Value, other: Value) -> bool:
    """Whether two values are the same, floats to nine digits."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other and (one is None) == (other is None)


# By hand. This payment: 90.00 EUR from Ann to the shop.

THREE = [
    Paid(amount_minor=10_00, at=START - 30 * MINUTE),
    Paid(amount_minor=30_00, at=START - 5 * HOUR, creditor=CLEO),
    Paid(amount_minor=50_00, at=START - 3 * DAY, is_blocked=True),
]
DEVICE = [
    Paid(at=START - HOUR + MICROSECOND, device="phone", debtor=CLEO),
    Paid(at=START - DAY + MICROSECOND, device="phone", debtor=account(1), is_blocked=True),
    Paid(at=START - 30 * DAY, device="phone"),
]
LABELS = [
    Paid(at=START - 8 * DAY + MICROSECOND, label=FRAUD),
    Paid(at=START - 8 * DAY, label=GENUINE, is_blocked=True),
    Paid(at=START - 14 * DAY, label=FRAUD),
    Paid(at=START - 37 * DAY + MICROSECOND),
    Paid(at=START - 7 * DAY + MICROSECOND, label=FRAUD),
    Paid(at=START - 37 * DAY, label=FRAUD),
]
BY_HAND: list[tuple[str, list[Paid], Any]] = [
    ("amount", [], 90.0),
    ("ordered_amount", [], "90.00 EUR"),
    ("currency", [], "EUR"),
    # Attempts: all, whatever came of them, this one included.
    ("debtor_attempts_1h", THREE, 2),
    ("debtor_attempts_1d", THREE, 3),
    ("debtor_attempts_7d", THREE, 4),
    ("debtor_attempts_30d", [], 1),
    ("debtor_attempted_1h", THREE, 100.0),
    ("debtor_attempted_7d", THREE, 180.0),
    ("debtor_attempted_average_1h", THREE, 50.0),
    ("debtor_attempted_average_30d", THREE, 45.0),
    ("debtor_amount_to_attempted_7d", THREE, 2.0),
    ("debtor_amount_to_attempted_7d", [], 1.0),
    ("debtor_payees_1h", THREE, 1),
    ("debtor_payees_1d", THREE, 2),
    ("creditor_payers_1d", THREE, 1),
    ("creditor_payers_1d", [Paid(at=START, debtor=CLEO), Paid(at=START, debtor=CLEO)], 2),
    ("creditor_attempts_1d", THREE, 2),
    ("creditor_attempts_7d", THREE, 3),
    # Habits: earlier ones that went on.
    ("debtor_count_7d", THREE, 2),
    ("debtor_sum_7d", THREE, 40.0),
    ("debtor_average_7d", THREE, 20.0),
    ("debtor_average_7d", [], None),
    ("debtor_average_7d", THREE[2:], None),
    ("debtor_amount_to_average_7d", THREE, 4.5),
    ("debtor_max_7d", THREE, 30.0),
    ("debtor_max_7d", [], None),
    ("debtor_amount_to_max_7d", THREE, 3.0),
    ("debtor_amount_to_max_7d", [], None),
    ("debtor_deviation_7d", THREE, 10.0),
    ("debtor_deviation_7d", THREE[:1], None),
    ("debtor_deviation_7d", 2 * THREE[:1], 0.0),
    ("debtor_amount_deviations_7d", THREE, 7.0),
    ("debtor_amount_deviations_7d", 2 * THREE[:1], None),
    ("creditor_count_7d", THREE, 1),
    ("creditor_sum_7d", THREE, 10.0),
    # Windows begin just after their width, and end with the moment itself.
    ("debtor_count_1h", [Paid(at=START - HOUR)], 0),
    ("debtor_count_1h", [Paid(at=START - HOUR + MICROSECOND)], 1),
    ("debtor_count_1d", [Paid(at=START - DAY)], 0),
    ("debtor_count_1d", [Paid(at=START - DAY + MICROSECOND)], 1),
    ("debtor_count_7d", [Paid(at=START - 7 * DAY)], 0),
    ("debtor_count_7d", [Paid(at=START - 7 * DAY + MICROSECOND)], 1),
    ("debtor_count_30d", [Paid(at=START - 30 * DAY)], 0),
    ("debtor_count_30d", [Paid(at=START - 30 * DAY + MICROSECOND)], 1),
    ("debtor_count_1h", [Paid(at=START)], 1),
    ("debtor_count_1h", [Paid(at=START + MICROSECOND)], 0),
    # Labels: of the window that ended a week ago.
    ("debtor_delayed_1d", LABELS, 1),
    ("debtor_delayed_7d", LABELS, 2),
    ("debtor_delayed_30d", LABELS, 4),
    ("debtor_labelled_30d", LABELS, 3),
    ("debtor_frauds_30d", LABELS, 2),
    ("debtor_fraud_share_30d", LABELS, 0.5),
    ("debtor_fraud_share_7d", LABELS, 0.5),
    ("debtor_fraud_share_7d", [], None),
    ("debtor_frauds_1h", [Paid(at=START - 7 * DAY, label=FRAUD)], 1),
    ("debtor_frauds_1h", [Paid(at=START - 7 * DAY + MICROSECOND, label=FRAUD)], 0),
    ("creditor_frauds_30d", LABELS, 2),
    ("creditor_frauds_30d", [replace(paid, debtor=CLEO) for paid in LABELS], 2),
    ("debtor_frauds_30d", [replace(paid, debtor=CLEO) for paid in LABELS], 0),
    # The same amount, and amounts below what must be reported.
    ("debtor_same_amount_10m", [Paid(amount_minor=90_00, at=START - 10 * MINUTE + MICROSECOND)], 2),
    ("debtor_same_amount_10m", [Paid(amount_minor=90_00, at=START - 10 * MINUTE)], 1),
    ("debtor_same_amount_10m", [Paid(amount_minor=90_00, at=START, is_blocked=True)], 2),
    ("debtor_same_amount_10m", [Paid(amount_minor=90_00, at=START, creditor=CLEO)], 1),
    ("debtor_same_amount_10m", [Paid(amount_minor=90_01, at=START)], 1),
    ("debtor_near_cash_threshold_5d", [], 0),
    ("debtor_near_cash_threshold_5d", [Paid(amount_minor=8_000_00, at=START - DAY)], 1),
    ("debtor_near_cash_threshold_5d", [Paid(amount_minor=7_999_99, at=START - DAY)], 0),
    ("debtor_near_cash_threshold_5d", [Paid(amount_minor=9_999_99, at=START, is_blocked=True)], 1),
    ("debtor_near_cash_threshold_5d", [Paid(amount_minor=10_000_00, at=START)], 0),
    ("debtor_near_cash_threshold_5d", [Paid(amount_minor=9_000_00, at=START - 5 * DAY)], 0),
    # Silence, and who is new.
    ("debtor_idle_days", [], None),
    ("debtor_idle_days", [Paid(at=START - 36 * HOUR)], 1.5),
    ("debtor_idle_days", [Paid(at=START - 36 * HOUR), Paid(at=START, is_blocked=True)], 1.5),
    ("debtor_idle_days", [Paid(at=START - 36 * HOUR), Paid(at=START + DAY)], 1.5),
    ("creditor_is_new", [], True),
    ("creditor_is_new", [Paid(at=START - 30 * DAY + MICROSECOND)], False),
    ("creditor_is_new", [Paid(at=START - 30 * DAY)], True),
    ("creditor_is_new", [Paid(at=START - DAY, is_blocked=True)], True),
    ("creditor_is_new", [Paid(at=START - DAY, creditor=CLEO), Paid(at=START - DAY, debtor=CLEO)], True),
    ("is_late", [], False),
    ("is_crowded", [], False),
    ("is_from_future", [], False),
    # No device.
    ("device_is_new", DEVICE, None),
    ("device_attempts_1d", DEVICE, None),
    ("device_payers_7d", DEVICE, None),
    ("device_fraud_share_7d", DEVICE, None),
    # The snapshot, of which there is none.
    *[(f"debtor_snapshot_{what}", [], None) for what in ("labelled", "frauds", "payees")],
    *[(f"creditor_snapshot_{what}", [], None) for what in ("labelled", "frauds", "payers")],
]


@pytest.mark.parametrize(("name", "past", "value"), BY_HAND)
def test_a_feature_is_what_it_is_by_hand(name: str, past: list[Paid], value: Value) -> None:
    found = value_of(name, order(90_00), past)
    assert close(found, value), found
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device_attempts_1h", 2),
        ("device_attempts_1d", 3),
        ("device_payers_1h", 2),
        ("device_payers_7d", 3),
        ("device_count_1d", 1),
        ("device_count_30d", 1),
        ("device_is_new", True),
        ("device_delayed_30d", 1),
        ("device_labelled_30d", 0),
        ("device_frauds_30d", 0),
        ("device_fraud_share_30d", 0.0),
        ("device_fraud_share_1d", None),
    ],
)
def test_a_feature_of_a_device_is_what_it_is_by_hand(name: str, value: Value) -> None:
    assert close(value_of(name, order(90_00, device_id="phone"), DEVICE), value)


def test_a_device_is_known_by_its_payers_of_thirty_days() -> None:
    recent = [Paid(at=START - 30 * DAY + MICROSECOND, device="phone", creditor=CLEO)]
    assert value_of("device_is_new", order(device_id="phone"), recent) is False
    assert value_of("device_is_new", order(device_id="phone", debtor=CLEO), recent) is True
    assert value_of("device_is_new", order(device_id="laptop"), recent) is True


@pytest.mark.parametrize(
    ("at", "hour", "is_night", "is_weekend"),
    [
        ("2026-01-15T00:00:00+00:00", 0, True, False),
        ("2026-01-15T06:59:59.999999+00:00", 6, True, False),
        ("2026-01-15T07:00:00+00:00", 7, False, False),
        ("2026-01-16T23:59:59.999999+00:00", 23, False, False),
        ("2026-01-17T00:00:00+00:00", 0, True, True),
        ("2026-01-18T23:59:59.999999+00:00", 23, False, True),
        ("2026-01-19T00:00:00+00:00", 0, True, False),
        # By UTC, whatever the clock on the wall says.
        ("2026-01-17T00:30:00+01:00", 23, False, False),
        ("1969-12-31T23:00:00+00:00", 23, False, False),
    ],
)
def test_nights_and_weekends_are_those_of_utc(at: str, hour: int, is_night: bool, is_weekend: bool) -> None:
    ordered = order(at=datetime.fromisoformat(at))
    found = [value_of(name, ordered) for name in ("hour", "is_night", "is_weekend")]
    assert found == [hour, is_night, is_weekend]


@pytest.mark.parametrize(
    ("amount_minor", "currency", "euros"),
    [(10_00, "EUR", 10.0), (118_00, "USD", 100.0), (18_400, "JPY", 100.0), (130_000, "BTC", 100.0), (5_00, "QQQ", 5.0)],
)
def test_amounts_are_in_euros_by_a_rough_rate(amount_minor: int, currency: str, euros: float) -> None:
    past = [Paid(amount_minor=amount_minor, currency=currency, at=START)]
    for name in ("amount", "debtor_sum_1h", "debtor_average_1h", "debtor_max_1h", "debtor_attempted_average_1h"):
        found = value_of(name, order(amount_minor, currency=currency), past)
        assert isinstance(found, float) and abs(found - euros) < 1e-9, name


def test_a_payer_of_two_currencies_has_one_past() -> None:
    """What 1,000 yen are beside 5 euros is told by the rate, not by how many yen there are."""
    past = [Paid(amount_minor=1_000, currency="JPY", at=START - HOUR // 2), Paid(amount_minor=5_00, at=START)]
    yen = 10_000 / 18_400 * 1_000 / 100
    for currency, amount_minor in (("EUR", 5_43), ("JPY", 1_000)):
        ordered = order(amount_minor, currency=currency)
        assert close(value_of("debtor_sum_1h", ordered, past), round(yen, 2) + 5)
        assert close(value_of("debtor_amount_to_max_1h", ordered, past), 1.0)


@pytest.mark.parametrize("channel", Channel)
def test_channels_are_told_by_name_and_programs_apart_from_people(channel: Channel) -> None:
    assert value_of("channel", order(channel=channel)) == channel.value
    assert value_of("is_by_program", order(channel=channel)) is (
        channel in (Channel.API, Channel.FILE, Channel.UNKNOWN)
    )
    assert channel.value in CATALOGUE["channel"].symbols


def test_countries_are_those_of_the_parties_and_of_the_order() -> None:
    personal = PaymentPersonalData(debtor=Party(name="A", country="DE"), creditor=Party(name="B", country="FR"))
    ordered = replace(order(ip_country="BR"), personal=personal)
    names = ("ip_country", "debtor_country", "creditor_country")
    assert [value_of(name, ordered) for name in names] == ["BR", "DE", "FR"]
    hidden = replace(ordered, personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    assert [value_of(name, hidden) for name in names] == ["BR", None, None]


@pytest.mark.parametrize(
    ("age", "frauds"), [(timedelta(0), 3), (-DAY, 3), (30 * DAY, 3), (30 * DAY + MICROSECOND, None)]
)
def test_a_snapshot_counts_for_thirty_days_after_its_newest_label(age: timedelta, frauds: int | None) -> None:
    risk = risk_of(9, 3, as_of=START - age)
    assert value_of("creditor_snapshot_frauds", order(), creditor_risk=risk) == frauds
    assert value_of("creditor_snapshot_labelled", order(), creditor_risk=risk) == (9 if frauds else None)
    assert moment_of(order(), creditor_risk=risk).creditor.snapshot_version == (1 if frauds else None)


def test_snapshots_are_those_of_each_side() -> None:
    moment = moment_of(order(), debtor_risk=risk_of(9, 3, 2), creditor_risk=risk_of(8, 5, 4))
    of_debtor = [f"debtor_snapshot_{what}" for what in ("labelled", "frauds", "payees")]
    of_creditor = [f"creditor_snapshot_{what}" for what in ("labelled", "frauds", "payers")]
    assert gathering([*of_debtor, *of_creditor])(moment) == [9, 3, 2, 8, 5, 4]


def test_lists_are_those_that_each_side_is_on() -> None:
    lists = Lists(debtor=frozenset({"a"}), creditor=frozenset({"b", "c"}), device=frozenset({"d"}))
    names = ("debtor_lists", "creditor_lists", "device_lists")
    with_device = [value_of(name, order(device_id="phone"), lists=lists) for name in names]
    assert with_device == [frozenset({"a"}), frozenset({"b", "c"}), frozenset({"d"})]
    assert value_of("device_lists", order(), lists=lists) == frozenset()


@pytest.mark.parametrize(("ahead", "is_it"), [(DAY, False), (DAY + MICROSECOND, True)])
def test_an_order_more_than_a_day_ahead_is_from_the_future(ahead: timedelta, is_it: bool) -> None:
    assert value_of("is_from_future", order(at=START + ahead), now=START) is is_it


# Who pays or receives too often to be kept one by one

CROWD = [Paid(at=START - n * 10 * MINUTE, creditor=account(n % 50), amount_minor=n) for n in range(PAYMENTS_MAX + 60)]


def test_what_a_crowd_keeps_one_by_one_stays_exact() -> None:
    naive = Naive(order(), CROWD)
    for name in (
        "debtor_attempts_1d",
        "debtor_attempted_1d",
        "debtor_payees_1d",
        "debtor_deviation_1d",
        "debtor_max_1d",
    ):
        assert close(value_of(name, order(), CROWD), naive.value(name)), name


def test_sums_and_counts_of_a_crowd_are_whole_where_whole_days_are_asked_for() -> None:
    naive = Naive(order(), CROWD)
    for name in ("debtor_attempts_7d", "debtor_sum_7d", "debtor_count_30d", "debtor_max_7d", "debtor_average_30d"):
        assert close(value_of(name, order(), CROWD), naive.value(name)), name


def test_whether_a_payee_of_a_crowd_is_new_is_not_known() -> None:
    assert value_of("is_crowded", order(), CROWD) is True
    assert value_of("creditor_is_new", order(), CROWD) is None
    assert value_of("is_crowded", order(), CROWD[:PAYMENTS_MAX]) is False
    assert value_of("creditor_is_new", order(), CROWD[:PAYMENTS_MAX]) is True


def test_whether_a_device_of_a_crowd_is_new_is_not_known() -> None:
    crowd = [replace(paid, device="kiosk", debtor=account(n % 100)) for n, paid in enumerate(CROWD)]
    assert value_of("device_is_new", order(device_id="kiosk"), crowd) is None
    assert value_of("is_crowded", order(device_id="kiosk"), crowd) is True


@pytest.mark.parametrize("kind", ["history", "blocked"])
def test_a_payee_whose_attempts_are_a_crowd_is_one(kind: str) -> None:
    crowd = [replace(paid, debtor=account(1), creditor=SHOP, is_blocked=kind == "blocked") for paid in CROWD]
    assert value_of("is_crowded", order(), crowd) is True
    assert value_of("creditor_is_new", order(), crowd) is True, "of the payer everything is known"


# The catalogue


def test_there_are_features_for_every_side_aggregate_and_window() -> None:
    assert {"debtor_amount_to_average_30d", "creditor_fraud_share_7d", "device_payers_1h"} <= FEATURES.keys()
    assert not any(name.startswith("device_sum") for name in FEATURES), "devices serve several currencies"
    for kind in EntityKind:
        counted = sum(name.startswith(f"{kind.value}_") and name.endswith("_7d") for name in FEATURES)
        assert counted == (7 if kind is EntityKind.DEVICE else len(Aggregate))


def test_every_feature_is_called_by_its_own_name() -> None:
    assert [feature.field.name for feature in FEATURES.values()] == list(FEATURES) == list(CATALOGUE)


def test_every_feature_says_what_it_means_and_no_two_the_same() -> None:
    meanings = [field.meaning for field in CATALOGUE.values()]
    assert all(meaning.endswith(".") and meaning[0].isupper() for meaning in meanings)
    assert len(set(meanings)) == len(meanings)


# Any past


def drawn_orders(at: st.SearchStrategy[datetime]) -> st.SearchStrategy[PaymentOrder]:
    return st.builds(
        order,
        st.one_of(st.integers(0, 2**40), st.sampled_from([0, 1, 9_000_00, 2**53])),
        debtor=st.sampled_from([ANN, CLEO]),
        creditor=st.sampled_from([SHOP, CLEO, account(1)]),
        at=at,
        channel=st.sampled_from(Channel),
        country=st.sampled_from([None, "DE"]),
        currency=st.sampled_from(["EUR", "JPY", "BTC", "QQQ"]),
        device_id=st.sampled_from([None, "", "phone", "laptop"]),
        ip_country=st.sampled_from([None, "DE", "BR"]),
        is_cash=st.booleans(),
    )


LONGEST = 43 * DAY
"""All of this is still remembered."""
nearby = st.sampled_from(
    [0, 1, HOUR // MICROSECOND, DAY // MICROSECOND, 7 * DAY // MICROSECOND, 30 * DAY // MICROSECOND]
)
times = st.one_of(
    st.integers(-(LONGEST // MICROSECOND), 0),
    st.builds(lambda one, other, fine: -(one + other) + fine, nearby, nearby, st.integers(-1, 1)),
).map(lambda micros: START + max(micros * MICROSECOND, -LONGEST))
pasts = st.lists(
    st.builds(
        Paid,
        amount_minor=st.one_of(st.integers(0, 2**34), st.sampled_from([0, 5, 5_00, 8_000_00, 9_999_99])),
        currency=st.sampled_from(["EUR", "JPY", "GBP"]),
        at=times,
        debtor=st.sampled_from([ANN, CLEO]),
        creditor=st.sampled_from([SHOP, CLEO, account(1)]),
        device=st.sampled_from([None, "phone", "laptop"]),
        label=st.sampled_from([None, FRAUD, GENUINE]),
        is_blocked=st.booleans(),
    ),
    max_size=40,
)
KNOWN_TO_NAIVE = [name for name in FEATURES if Naive(order(), []).knows(name)]


@settings(max_examples=60)
@given(drawn_orders(times), pasts)
def test_every_feature_is_what_the_plain_list_of_payments_says(ordered: PaymentOrder, past: list[Paid]) -> None:
    ordered = replace(ordered, device_id=ordered.device_id or None)
    moment, naive = moment_of(ordered, past), Naive(ordered, past)
    for name in KNOWN_TO_NAIVE:
        found, expected = FEATURES[name].value(moment), naive.value(name)
        assert close(found, expected), (name, found, expected)


def test_the_plain_list_tells_all_but_what_it_holds_nothing_of() -> None:
    assert FEATURES.keys() - set(KNOWN_TO_NAIVE) == {
        *("ordered_amount", "ip_country", "debtor_country", "creditor_country"),
        *("debtor_snapshot_labelled", "debtor_snapshot_frauds", "debtor_snapshot_payees"),
        *("creditor_snapshot_labelled", "creditor_snapshot_frauds", "creditor_snapshot_payers"),
        *("is_late", "is_from_future", "is_crowded"),
        *("debtor_lists", "creditor_lists", "device_lists"),
    }


def require_sound(moment: Moment) -> None:
    """Every value is of the kind that the catalogue says, and finite; or missing where that may be."""
    kinds: dict[Kind, Any] = {
        Kind.NUMBER: (int, float),
        Kind.FLAG: bool,
        Kind.TEXT: str,
        Kind.SYMBOL: str,
        Kind.LISTS: frozenset,
    }
    for value, field in zip(gathering(list(FEATURES))(moment), CATALOGUE.values(), strict=True):
        if value is None:
            assert field.can_be_missing, field.name
        else:
            assert isinstance(value, kinds[field.kind]), field.name
            assert field.kind is not Kind.NUMBER or (not isinstance(value, bool) and math.isfinite(value)), field.name
            assert not field.symbols or value in field.symbols


anytime = st.integers(-200 * 24, 200 * 24).map(lambda hours: START + hours * HOUR)


@settings(max_examples=40)
@given(
    drawn_orders(anytime),
    st.lists(
        st.builds(
            Paid,
            amount_minor=st.integers(0, 2**60),
            at=anytime,
            device=st.sampled_from([None, "phone"]),
            label=st.sampled_from([None, FRAUD]),
            is_blocked=st.booleans(),
        ),
        max_size=60,
    ),
    st.integers(0, 4),
)
def test_no_feature_raises_or_is_of_another_kind_than_it_says_whatever_the_past(
    ordered: PaymentOrder, past: list[Paid], crowds: int
) -> None:
    """Forgotten, crowded, late, from the future, in any mixture."""
    crowd = [replace(paid, at=START + (number * 5 % 977) * HOUR) for number, paid in enumerate(crowds * CROWD[:100])]
    require_sound(moment_of(ordered, [*crowd, *past], now=START))
