"""The features worker's arithmetic: each label counted once, whatever comes twice, and told as a whole."""

from datetime import datetime, timedelta

import pytest

from libs.common import ids
from schemas.fraud.events import Label, PaymentLabelled
from services.fraud.domain import creditor_risk
from services.fraud.domain.creditor_risk import SEQUENCE_BITS, WINDOW_DAYS, Counted, count, snapshot
from tests.unit.fraud.past import ANN, DAY, SHOP, START


def label_of(
    label: Label = Label.FRAUD, *, previous: Label | None = None, at: datetime = START, payment: str = "payment"
) -> PaymentLabelled:
    return PaymentLabelled(
        payment_id=ids.named(payment),
        debtor_account_id=ANN,
        creditor_account_id=SHOP,
        label=label,
        previous_label=previous,
        transacted_at=at,
        labelled_at=START,
    )


def counted(*labels: PaymentLabelled) -> Counted:
    known = Counted()
    for place, event in enumerate(labels, 1):
        known = count(known, event, offset=place * 10, sequence=place)
    return known


def told(known: Counted) -> tuple[int, int]:
    event = snapshot(known, SHOP, generation=1)
    return event.labelled_count, event.fraud_count


def test_labels_are_counted_and_told_as_a_whole() -> None:
    known = counted(label_of(), label_of(Label.GENUINE), label_of())
    event = snapshot(known, SHOP, generation=1)
    assert told(known) == (3, 2)
    assert (event.creditor_account_id, event.window_days, event.as_of) == (SHOP, WINDOW_DAYS, START)


@pytest.mark.parametrize(
    ("offset", "sequence"),
    [(20, 2), (20, 3), (30, 2), (10, 1), (5, 3)],
    ids=["the same", "an old place", "a number that was counted", "one before", "from before the table was restored"],
)
def test_a_label_that_is_counted_already_is_not_counted_again(offset: int, sequence: int) -> None:
    known = counted(label_of(), label_of())
    assert count(known, label_of(), offset=offset, sequence=sequence) is known


def test_a_correction_moves_a_payment_from_one_count_to_the_other() -> None:
    assert told(counted(label_of(), label_of(Label.GENUINE, previous=Label.FRAUD))) == (1, 0)
    assert told(counted(label_of(Label.GENUINE), label_of(Label.FRAUD, previous=Label.GENUINE))) == (1, 1)


@pytest.mark.parametrize("label", [Label.FRAUD, Label.GENUINE])
def test_the_correction_of_a_label_never_seen_moves_nothing(label: Label) -> None:
    previous = Label.GENUINE if label is Label.FRAUD else Label.FRAUD
    known = count(counted(label_of(label)), label_of(label, previous=previous), offset=99, sequence=3)
    assert told(known) == told(counted(label_of(label)))
    assert (known.missed_count, known.sequence) == (1, 3)


def test_labels_never_seen_are_told_by_the_gaps_in_their_numbers() -> None:
    known = count(counted(label_of()), label_of(), offset=99, sequence=5)
    assert (known.missed_count, known.sequence) == (3, 5)


@pytest.mark.parametrize(
    ("before", "is_counted"), [(timedelta(0), True), ((WINDOW_DAYS - 1) * DAY, True), (WINDOW_DAYS * DAY, False)]
)
def test_the_window_is_thirty_days_by_the_newest_labelled_payment(before: timedelta, is_counted: bool) -> None:
    assert told(counted(label_of(at=START), label_of(at=START - before))) == (1 + is_counted, 1 + is_counted)


def test_the_newest_payment_is_that_of_the_event_time_whatever_came_last() -> None:
    known = counted(label_of(at=START), label_of(at=START - DAY))
    assert snapshot(known, SHOP, generation=1).as_of == START


def test_versions_grow_with_every_label_and_with_every_recount() -> None:
    first, second = counted(label_of()), counted(label_of(), label_of())
    versions = [
        snapshot(known, SHOP, generation=generation).version for generation in (1, 2) for known in (first, second)
    ]
    assert versions == sorted(set(versions))
    assert [creditor_risk.sequence_of(version) for version in versions] == [1, 2, 1, 2]
    assert creditor_risk.version(1, 2**SEQUENCE_BITS - 1) < creditor_risk.version(2, 1)


def test_the_stored_bytes_give_the_same_counts_back() -> None:
    known = counted(label_of(), label_of(Label.GENUINE, at=START - DAY))
    assert creditor_risk.unpack(creditor_risk.pack(known)) == known
    assert creditor_risk.unpack(None) == creditor_risk.unpack(b"") == Counted()
