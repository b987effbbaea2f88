"""What payments turned out to be: for them, for both their parties, and for the rules that fired."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.fraud.events import DebtorPaymentLabelled, Label, PartyRiskUpdated, PartyRole, PaymentLabelled
from schemas.payments.events import Channel
from services.fraud.domain import label_days
from services.fraud.domain.entities import EntityKind, device_entity_id
from services.fraud.domain.history import EMPTY, KEPT_DAYS, PAYMENTS_MAX, History
from services.fraud.domain.knowledge import Assessment
from services.fraud.domain.label_days import DAYS_KEPT, LabelCount, LabelDays, day_of
from services.fraud.domain.labelling import RefusalReason
from tests.unit.fraud.past import (
    ANN,
    CLEO,
    DAY,
    MICROSECOND,
    MINUTE,
    SHOP,
    START,
    Desk,
    initiated,
    labelled,
    order,
    payment_id,
)

PHONE = device_entity_id("phone")


def labels(desk: Desk, kind: EntityKind, entity_id: str) -> LabelCount:
    """Labels of all that an entity's histories keep."""
    known = desk.entity(kind, entity_id)
    counts = [_labels_in(past) for past in (known.history, known.blocked)]
    return LabelCount(labelled=sum(count.labelled for count in counts), fraud=sum(count.fraud for count in counts))


def _labels_in(past: History) -> LabelCount:
    one_by_one = len(past.labels) - past.labels.count(0)
    return LabelCount(
        labelled=one_by_one + sum(day.labelled for day in past.days),
        fraud=past.labels.count(2) + sum(day.frauds for day in past.days),
    )


def test_a_label_is_noted_with_the_payment_and_everyone_in_it_and_told() -> None:
    desk = Desk()
    desk.assess(1, order(device_id="phone"))
    desk.now += DAY
    event, of_debtor = desk.hears(labelled(1, Label.FRAUD, "stolen card"))
    assert event == PaymentLabelled(
        payment_id=payment_id(1),
        debtor_account_id=ANN,
        creditor_account_id=SHOP,
        label=Label.FRAUD,
        scenario="stolen card",
        transacted_at=START,
        labelled_at=desk.now,
    )
    assert of_debtor == DebtorPaymentLabelled(
        payment_id=payment_id(1),
        debtor_account_id=ANN,
        creditor_account_id=SHOP,
        label=Label.FRAUD,
        transacted_at=START,
        labelled_at=desk.now,
    )
    for kind, id_ in ((EntityKind.DEBTOR, ANN), (EntityKind.CREDITOR, SHOP), (EntityKind.DEVICE, PHONE)):
        assert labels(desk, kind, id_) == LabelCount(labelled=1, fraud=1)
    known = desk.assessments[payment_id(1)]
    assert (known.label, known.scenario, known.labelled_at) == (Label.FRAUD, "stolen card", desk.now)


def test_labels_are_numbered_by_the_account_that_was_paid_and_by_the_one_that_paid() -> None:
    desk = Desk()
    for number, (debtor, creditor) in enumerate(((ANN, SHOP), (ANN, CLEO), (CLEO, SHOP))):
        desk.assess(number, order(debtor=debtor, creditor=creditor))
    numbers = []
    for number in range(3):
        desk.hears(labelled(number))
        numbers.append(desk.numbers)
    assert numbers == [[1, 1], [1, 2], [2, 1]]


def test_a_second_label_corrects_the_first_and_names_it() -> None:
    desk = Desk()
    desk.assess(1, order())
    desk.hears(labelled(1, Label.FRAUD))
    for event in desk.hears(labelled(1, Label.GENUINE)):
        assert isinstance(event, PaymentLabelled | DebtorPaymentLabelled)
        assert (event.label, event.previous_label) == (Label.GENUINE, Label.FRAUD)
    assert labels(desk, EntityKind.CREDITOR, SHOP) == LabelCount(labelled=1, fraud=0)
    assert desk.tally("allow") == (1, 0, 1)


def test_the_same_label_again_changes_nothing_and_is_not_told() -> None:
    desk = Desk()
    desk.assess(1, order())
    desk.hears(labelled(1, Label.FRAUD, "a"))
    assert desk.hears(labelled(1, Label.FRAUD, "a")) == []
    assert desk.tally("allow") == (1, 1, 0)


def test_another_scenario_alone_is_told_and_counted_no_second_time() -> None:
    desk = Desk()
    desk.assess(1, order())
    desk.hears(labelled(1, Label.FRAUD, "a"))
    event, _ = desk.hears(labelled(1, Label.FRAUD, "b"))
    assert isinstance(event, PaymentLabelled) and event.scenario == "b"
    assert desk.tally("allow") == (1, 1, 0)
    assert labels(desk, EntityKind.CREDITOR, SHOP) == LabelCount(labelled=1, fraud=1)


def test_labels_are_counted_for_the_outcome_and_every_rule_that_fired() -> None:
    desk = Desk()
    desk.assess(1, order(230_00, channel=Channel.CARD))
    desk.hears(labelled(1, Label.FRAUD))
    assert desk.tally("review") == desk.tally("amount_over_limit") == (1, 1, 0)
    assert desk.tally("allow") == (0, 0, 0)


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [(DAY, None), (DAY + timedelta(microseconds=1), RefusalReason.PAYMENT_IN_FUTURE)],
)
def test_a_payment_dated_in_the_future_is_not_labelled(ahead: timedelta, reason: RefusalReason | None) -> None:
    desk = Desk()
    desk.assess(1, order(at=START + ahead))
    assert desk.refuses(labelled(1)) == reason
    desk.now += timedelta(microseconds=1)
    assert desk.refuses(labelled(1)) is None


def test_a_payment_that_was_never_assessed_is_not_labelled() -> None:
    assert Desk().refuses(labelled(1)) == RefusalReason.PAYMENT_UNKNOWN


def test_a_label_changes_no_assessment_that_was_made() -> None:
    desk = Desk()
    first = desk.assess(1, order())
    desk.hears(labelled(1))
    known = desk.assessments[payment_id(1)]
    assert isinstance(known, Assessment)
    assert (known.outcome, known.score, known.findings) == (first.outcome, first.score, first.findings)


@pytest.mark.parametrize(
    ("later", "counted"),
    [(7 * DAY - MICROSECOND, False), (7 * DAY, True), (14 * DAY - MICROSECOND, True), (14 * DAY, False)],
)
@pytest.mark.parametrize("side", ["debtor", "creditor", "device"])
def test_labels_count_from_the_delay_on_and_for_the_width_of_the_window(
    side: str, later: timedelta, counted: bool
) -> None:
    """The payments of (t - 14 d, t - 7 d], whenever their labels came."""
    desk = Desk()
    desk.assess(1, order(device_id="phone"))
    desk.hears(labelled(1))
    later_order = order(at=START + later, device_id="phone")
    names = [f"{side}_{what}_7d" for what in ("delayed", "labelled", "frauds")]
    assert [desk.value(name, later_order) for name in names] == [int(counted)] * 3


def test_a_label_that_comes_late_counts_from_then_on_for_its_own_time() -> None:
    desk = Desk()
    desk.assess(1, order())
    desk.now = START + 20 * DAY
    later = order(at=START + 20 * DAY)
    assert desk.value("creditor_frauds_30d", later) == 0
    desk.hears(labelled(1))
    assert desk.value("creditor_frauds_30d", later) == 1
    assert desk.value("creditor_frauds_7d", later) == 0


def test_the_label_of_a_blocked_payment_counts_and_leaves_it_no_habit() -> None:
    desk = Desk()
    for number in range(5):
        desk.assess(number, order(10_00, at=START - (5 - number) * DAY))
    assert desk.assess(9, order(20_000_00)).outcome == "block"
    desk.hears(labelled(9))
    later = order(at=START + 8 * DAY)
    assert labels(desk, EntityKind.DEBTOR, ANN) == labels(desk, EntityKind.CREDITOR, SHOP)
    assert (desk.value("debtor_frauds_7d", later), desk.value("debtor_max_30d", later)) == (1, 10.0)
    assert desk.entity(EntityKind.DEBTOR, ANN).blocked.labels == b"\x02"
    assert desk.tally("block") == (1, 1, 0)


def test_the_label_of_a_payment_without_a_device_concerns_no_device() -> None:
    desk = Desk()
    desk.assess(1, order(device_id="phone"))
    desk.assess(2, order())
    desk.hears(labelled(2))
    assert labels(desk, EntityKind.DEVICE, PHONE) == LabelCount(labelled=0, fraud=0)
    assert labels(desk, EntityKind.DEBTOR, ANN) == LabelCount(labelled=1, fraud=1)


def test_labels_of_a_crowded_payee_are_counted_by_the_day_and_corrected_there() -> None:
    desk = Desk()
    count = PAYMENTS_MAX + 20
    desk.hears(*(initiated(n, order(debtor=payment_id(n), at=START + n * MINUTE)) for n in range(count)))
    shop = desk.entity(EntityKind.CREDITOR, SHOP)
    assert shop.history.is_crowded
    desk.now = START + DAY
    desk.hears(labelled(0), labelled(1), labelled(count - 1))
    assert labels(desk, EntityKind.CREDITOR, SHOP) == LabelCount(labelled=3, fraud=3)
    desk.hears(labelled(1, Label.GENUINE), labelled(count - 1, Label.GENUINE))
    assert labels(desk, EntityKind.CREDITOR, SHOP) == LabelCount(labelled=3, fraud=1)
    assert desk.value("creditor_frauds_7d", order(at=START + 10 * DAY)) == 1


def test_the_label_of_a_payment_that_histories_forgot_is_told_and_changes_none_of_them() -> None:
    desk = Desk()
    desk.assess(1, order(at=START))
    desk.now = START + KEPT_DAYS * DAY
    desk.assess(2, order(at=desk.now))
    known = dict(desk.entities)
    event, _ = desk.hears(labelled(1))
    assert isinstance(event, PaymentLabelled)
    for kind, id_ in ((EntityKind.DEBTOR, ANN), (EntityKind.CREDITOR, SHOP)):
        assert desk.entity(kind, id_).history == known[kind, id_].history
    assert desk.tally("allow") == (2, 1, 0)


def test_the_label_of_a_payment_from_the_future_is_in_nobodys_history() -> None:
    desk = Desk()
    desk.assess(1, order(at=START + 2 * DAY))
    desk.now = START + 2 * DAY
    desk.hears(labelled(1))
    assert desk.entity(EntityKind.DEBTOR, ANN).history is EMPTY
    assert desk.assessments[payment_id(1)].label is Label.FRAUD


def test_within_a_batch_labels_come_after_the_payments_before_them() -> None:
    desk = Desk()
    desk.assess(1, order())
    events = desk.hears(labelled(1), labelled(1, Label.GENUINE), labelled(1, Label.GENUINE))
    told = [event.previous_label for event in events if isinstance(event, PaymentLabelled)]
    assert told == [None, Label.FRAUD]
    assert labels(desk, EntityKind.DEBTOR, ANN) == LabelCount(labelled=1, fraud=0)


# Labels by the day


def labelled_on(*days: int, label: Label = Label.FRAUD) -> LabelDays:
    known = label_days.NONE
    for day in days:
        known = label_days.relabel(known, day=day, before=None, after=label)
    return known


@pytest.mark.parametrize(
    ("after_day", "until_day", "count"), [(0, 10, 3), (5, 10, 1), (4, 9, 2), (5, 9, 0), (10, 99, 0)]
)
def test_days_are_counted_after_the_first_and_until_the_last(after_day: int, until_day: int, count: int) -> None:
    known = labelled_on(10, 5, 5)
    assert label_days.count(known, after_day=after_day, until_day=until_day) == LabelCount(labelled=count, fraud=count)


@pytest.mark.parametrize(("day", "is_kept"), [(1_000 - DAYS_KEPT, False), (1_000 - DAYS_KEPT + 1, True)])
def test_labels_of_days_long_gone_are_left_out(day: int, is_kept: bool) -> None:
    newest = labelled_on(1_000)
    later = label_days.relabel(newest, day=day, before=None, after=Label.FRAUD)
    assert len(later.days) == 1 + is_kept
    assert list(label_days.relabel(labelled_on(day), day=1_000, before=None, after=Label.FRAUD).days) == (
        [day, 1_000] if is_kept else [1_000]
    )


@pytest.mark.parametrize(("before", "after"), [(Label.FRAUD, Label.GENUINE), (Label.GENUINE, Label.FRAUD)])
def test_correcting_a_label_that_is_not_counted_changes_no_counts(before: Label, after: Label) -> None:
    others = labelled_on(10, 12, label=after)
    for known in (label_days.NONE, others, labelled_on(10 + DAYS_KEPT, label=before)):
        for day in (10, 11):
            assert label_days.relabel(known, day=day, before=before, after=after) is known


def test_corrections_of_a_payment_too_old_to_be_counted_are_told_and_tallied_all_the_same() -> None:
    desk = Desk()
    desk.assess(1, order(at=START - KEPT_DAYS * DAY))
    desk.assess(2, order())
    desk.hears(labelled(2, Label.GENUINE))
    for label in (Label.FRAUD, Label.GENUINE, Label.FRAUD):
        event, _ = desk.hears(labelled(1, label))
        assert isinstance(event, PaymentLabelled) and event.label is label
        assert labels(desk, EntityKind.CREDITOR, SHOP) == LabelCount(labelled=1, fraud=0)
    assert desk.tally("allow") == (2, 1, 1)


def test_stored_bytes_give_the_same_days_back() -> None:
    known = labelled_on(20_000, 19_990, -3)
    assert label_days.unpack(label_days.pack(known)) == known
    assert label_days.unpack(label_days.pack(label_days.NONE)) is label_days.NONE
    assert label_days.unpack(None) is label_days.NONE


def test_a_day_begins_at_midnight_utc() -> None:
    midnight = 20_000 * 24 * 3_600 * 1_000_000
    assert (day_of(midnight - 1), day_of(midnight)) == (19_999, 20_000)


# Snapshots of the features worker


def snapshot(
    version: int, fraud: int = 3, as_of: datetime = START, *, role: PartyRole = PartyRole.CREDITOR, account: str = SHOP
) -> PartyRiskUpdated:
    return PartyRiskUpdated(
        party_id=f"{role.value}:{account}",
        role=role,
        account_id=account,
        labelled_count=5,
        fraud_count=fraud,
        counterpart_count=2,
        is_counterpart_count_exact=True,
        window_days=30,
        version=version,
        as_of=as_of,
    )


@pytest.mark.parametrize(("versions", "kept"), [([1, 2], 2), ([2, 1], 2), ([2, 2], 2), ([2, 2**40 + 1], 2**40 + 1)])
@pytest.mark.parametrize("role", [PartyRole.DEBTOR, PartyRole.CREDITOR])
def test_only_a_newer_snapshot_replaces_one(role: PartyRole, versions: list[int], kept: int) -> None:
    desk = Desk()
    for place, version in enumerate(versions):
        assert desk.hears(snapshot(version, fraud=place, role=role)) == []
    risk = desk.entity(EntityKind(role.value), SHOP).risk
    assert risk is not None
    assert (risk.version, risk.fraud_count, risk.counterpart_count) == (kept, versions.index(kept), 2)


def test_an_account_has_a_snapshot_as_payer_and_another_as_payee() -> None:
    desk = Desk()
    desk.hears(snapshot(7), snapshot(4, role=PartyRole.DEBTOR))
    risks = [desk.entity(kind, SHOP).risk for kind in (EntityKind.DEBTOR, EntityKind.CREDITOR)]
    assert [risk and risk.version for risk in risks] == [4, 7]


def test_a_snapshot_of_a_role_that_a_later_version_may_know_changes_nothing() -> None:
    desk = Desk()
    assert desk.hears(snapshot(7, role=PartyRole.UNKNOWN)) == []
    assert desk.entities == {}


def test_an_assessment_keeps_what_the_snapshots_said_that_it_was_made_with_and_their_versions() -> None:
    desk = Desk()
    desk.assess(1, order())
    desk.hears(snapshot(7), snapshot(9, role=PartyRole.DEBTOR, account=ANN))
    told = desk.assess(2, order())
    assert "creditor_risk_snapshot" in {finding.rule for finding in told.findings}
    assert (told.debtor_snapshot_version, told.creditor_snapshot_version) == (9, 7)
    desk.hears(snapshot(8, fraud=4))
    fields = ("creditor_snapshot_frauds", "creditor_snapshot_labelled")
    assert [[desk.values(number)[field] for field in fields] for number in (1, 2)] == [[None, None], [3, 5]]
    kept = [desk.assessments[payment_id(number)] for number in (1, 2)]
    assert [(one.debtor_snapshot_version, one.creditor_snapshot_version) for one in kept] == [(None, None), (9, 7)]


@pytest.mark.parametrize(("age", "frauds"), [(30 * DAY, 3), (30 * DAY + MICROSECOND, None)])
def test_a_snapshot_too_old_says_nothing_any_more(age: timedelta, frauds: int | None) -> None:
    desk = Desk()
    desk.hears(snapshot(7, as_of=START - age))
    assert desk.value("creditor_snapshot_frauds", order()) == frauds
    assert (desk.value("creditor_snapshot_labelled", order()) is None) is (frauds is None)
    assert desk.assess(1, order()).creditor_snapshot_version == (frauds and 7)


def test_moments_are_kept_to_the_microsecond() -> None:
    desk = Desk()
    fine: dict[str, Any] = {"as_of": datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)}
    desk.hears(snapshot(1, **fine))
    risk = desk.entity(EntityKind.CREDITOR, SHOP).risk
    assert risk is not None and risk.as_of_micros % 1_000_000 == 1
