"""The features worker's arithmetic: each label counted once, whatever comes twice, and told as a whole."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common import ids
from schemas.fraud.events import DebtorPaymentLabelled, Label, PartyRole, PaymentLabelled
from services.fraud.domain import fan, party_risk
from services.fraud.domain.fan import PAIRS_MAX
from services.fraud.domain.party_risk import SEQUENCE_BITS, WINDOW_DAYS, Counted, Party, PartyLabel, count, snapshot
from tests.unit.fraud.past import ANN, CLEO, DAY, HOUR, SHOP, START, account

FRAUD, GENUINE = Label.FRAUD, Label.GENUINE
PAYEE = Party(role=PartyRole.CREDITOR, account_id=SHOP)


def label_of(
    label: Label = FRAUD, *, previous: Label | None = None, at: timedelta = timedelta(0), by: str = ANN
) -> PartyLabel:
    return party_risk.party_label(
        PaymentLabelled(
            payment_id=ids.named("payment"),
            debtor_account_id=by,
            creditor_account_id=SHOP,
            label=label,
            previous_label=previous,
            transacted_at=START + at,
            labelled_at=START,
        )
    )


def counted(*labels: PartyLabel, known: Counted = Counted()) -> Counted:
    for place, label in enumerate(labels, known.sequence + 1):
        known = count(known, label, offset=place * 10, sequence=place)
    return known


def told(known: Counted) -> tuple[int, int, int]:
    """Labels, frauds, and different payers of these."""
    event = snapshot(known, PAYEE, generation=1)
    return event.labelled_count, event.fraud_count, event.counterpart_count


def test_labels_are_counted_and_told_as_a_whole() -> None:
    known = counted(label_of(), label_of(GENUINE, by=CLEO), label_of())
    event = snapshot(known, PAYEE, generation=1)
    assert told(known) == (3, 2, 1)
    assert (event.party_id, event.role, event.account_id) == (f"creditor:{SHOP}", PartyRole.CREDITOR, SHOP)
    assert (event.window_days, event.as_of, event.is_counterpart_count_exact) == (WINDOW_DAYS, START, True)


def test_a_label_is_told_for_who_was_paid_and_for_who_paid() -> None:
    fields = {"payment_id": ids.named("p"), "debtor_account_id": ANN, "creditor_account_id": SHOP, "label": FRAUD}
    event = DebtorPaymentLabelled(**fields, transacted_at=START, labelled_at=START)  # type: ignore[arg-type]
    of_payer, of_payee = party_risk.party_label(event), label_of()
    assert (of_payer.party, of_payee.party) == (Party(role=PartyRole.DEBTOR, account_id=ANN), PAYEE)
    assert of_payer.counterpart == fan.counterpart_of(SHOP)
    assert of_payee.counterpart == fan.counterpart_of(ANN)


@pytest.mark.parametrize(
    ("offset", "sequence"),
    [(20, 2), (20, 3), (30, 2), (10, 1), (5, 3)],
    ids=["the same", "an old place", "a number that was counted", "one before", "from before the table was restored"],
)
def test_a_label_that_is_counted_already_is_not_counted_again(offset: int, sequence: int) -> None:
    known = counted(label_of(), label_of())
    assert count(known, label_of(), offset=offset, sequence=sequence) is known


def test_a_correction_moves_a_payment_from_one_count_to_the_other() -> None:
    assert told(counted(label_of(), label_of(GENUINE, previous=FRAUD))) == (1, 0, 0)
    assert told(counted(label_of(GENUINE), label_of(FRAUD, previous=GENUINE))) == (1, 1, 1)
    assert told(counted(label_of(), label_of(GENUINE, previous=FRAUD), label_of(previous=GENUINE))) == (1, 1, 1)


def test_a_payer_of_two_frauds_is_still_one_when_one_of_them_is_corrected() -> None:
    correction = label_of(GENUINE, previous=FRAUD)
    assert told(counted(label_of(), label_of(), correction)) == (2, 1, 1)
    assert told(counted(label_of(), label_of(at=-DAY), correction)) == (2, 1, 1)
    assert told(counted(label_of(), label_of(by=CLEO), correction)) == (2, 1, 1)


@pytest.mark.parametrize("label", [FRAUD, GENUINE])
def test_the_correction_of_a_label_never_seen_moves_nothing(label: Label) -> None:
    previous = GENUINE if label is FRAUD else FRAUD
    known = count(counted(label_of(label)), label_of(label, previous=previous, by=CLEO), offset=99, sequence=3)
    assert told(known) == told(counted(label_of(label)))
    assert (known.missed_count, known.sequence) == (1, 3)


def test_labels_never_seen_are_told_by_the_gaps_in_their_numbers() -> None:
    known = count(counted(label_of()), label_of(), offset=99, sequence=5)
    assert (known.missed_count, known.sequence) == (3, 5)


@pytest.mark.parametrize(
    ("before", "is_counted"), [(timedelta(0), True), ((WINDOW_DAYS - 1) * DAY, True), (WINDOW_DAYS * DAY, False)]
)
def test_the_window_is_thirty_days_by_the_newest_labelled_payment(before: timedelta, is_counted: bool) -> None:
    for labels in ([label_of(), label_of(at=-before, by=CLEO)], [label_of(at=-before, by=CLEO), label_of()]):
        assert told(counted(*labels)) == (1 + is_counted,) * 3


def test_the_newest_payment_is_that_of_the_event_time_whatever_came_last() -> None:
    known = counted(label_of(), label_of(at=-DAY))
    assert snapshot(known, PAYEE, generation=1).as_of == START


def test_versions_grow_with_every_label_and_with_every_recount() -> None:
    first, second = counted(label_of()), counted(label_of(), label_of())
    versions = [
        snapshot(known, PAYEE, generation=generation).version for generation in (1, 2) for known in (first, second)
    ]
    assert versions == sorted(set(versions))
    assert [party_risk.sequence_of(version) for version in versions] == [1, 2, 1, 2]
    assert party_risk.version(1, 2**SEQUENCE_BITS - 1) < party_risk.version(2, 1)


def test_the_stored_bytes_give_the_same_counts_back() -> None:
    for labels in ([label_of(), label_of(GENUINE, at=-DAY), label_of(by=CLEO)], crowd(PAIRS_MAX + 1), []):
        known = counted(*labels)
        assert party_risk.unpack(party_risk.pack(known)) == known
    assert party_risk.unpack(None) == party_risk.unpack(b"") == Counted()


# More counterparts than are kept


def crowd(size: int, *, at: timedelta = timedelta(0)) -> list[PartyLabel]:
    """A fraud of each of so many different payers."""
    return [label_of(by=account(number), at=at) for number in range(size)]


def is_exact(known: Counted) -> bool:
    return snapshot(known, PAYEE, generation=1).is_counterpart_count_exact


def test_more_counterparts_than_are_kept_are_at_least_so_many() -> None:
    known = counted(*crowd(PAIRS_MAX))
    assert told(known) == (PAIRS_MAX,) * 3
    assert is_exact(known)
    known = counted(label_of(by=CLEO), known=known)
    assert told(known) == (PAIRS_MAX + 1, PAIRS_MAX + 1, PAIRS_MAX)
    assert not is_exact(known)
    assert len(party_risk.pack(known)) < 8_192, "what is kept of an account is bounded"


def test_the_oldest_make_room_and_the_count_is_exact_again_when_their_day_is_over() -> None:
    old = counted(*crowd(9, at=-10 * DAY), *crowd(PAIRS_MAX - 9))
    known = counted(label_of(by=CLEO), known=old)
    assert not is_exact(known)
    for days, exact in ((WINDOW_DAYS - 11, False), (WINDOW_DAYS - 10, True)):
        assert is_exact(counted(label_of(GENUINE, at=days * DAY), known=known)) is exact


def test_a_correction_of_what_had_no_room_takes_nothing_from_others() -> None:
    known = counted(label_of(by=CLEO, at=-DAY), *crowd(PAIRS_MAX), label_of(GENUINE, previous=FRAUD, by=CLEO, at=-DAY))
    assert told(known) == (PAIRS_MAX + 1, PAIRS_MAX, PAIRS_MAX)


# Any labels


class Town:
    """Payments between a few accounts, labelled and corrected, with what a plain recount says of each party."""

    def __init__(self) -> None:
        self.labels: dict[int, tuple[str, str, timedelta, Label]] = {}
        self.events: list[tuple[PartyLabel, int]] = []
        """Each with its number among those of its party."""
        self._numbers: dict[Party, int] = defaultdict(int)

    def label(self, number: int, debtor: str, creditor: str, at: timedelta, label: Label) -> None:
        known = self.labels.get(number)
        if known is not None:
            debtor, creditor, at, _ = known
        self.labels[number] = debtor, creditor, at, label
        for kind in (PaymentLabelled, DebtorPaymentLabelled):
            told = party_risk.party_label(
                kind(
                    payment_id=ids.named(str(number)),
                    debtor_account_id=debtor,
                    creditor_account_id=creditor,
                    label=label,
                    previous_label=known and known[3],
                    transacted_at=START + at,
                    labelled_at=START,
                )
            )
            self._numbers[told.party] += 1
            self.events.append((told, self._numbers[told.party]))

    def recount(self, party: Party) -> tuple[int, int, int]:
        """From the last label of each payment."""
        place = 0 if party.role is PartyRole.DEBTOR else 1
        own = [one for one in self.labels.values() if one[place] == party.account_id]
        newest_on = max((START + at).date() for _, _, at, _ in own)
        seen = [one for one in own if (newest_on - (START + one[2]).date()).days < WINDOW_DAYS]
        frauds = [one for one in seen if one[3] is FRAUD]
        return len(seen), len(frauds), len({one[1 - place] for one in frauds})


steps = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([ANN, CLEO, account(1)]),
        st.sampled_from([SHOP, CLEO, account(2)]),
        st.sampled_from([0, 1, 23, 24, 29 * 24, 30 * 24, 63 * 24, 64 * 24, 70 * 24]).map(lambda hours: -hours * HOUR),
        st.sampled_from([FRAUD, GENUINE]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200)
@given(steps, st.data())
def test_any_labels_however_often_they_come_again_are_what_a_recount_says(
    given_steps: Sequence[tuple[int, str, str, timedelta, Label]], data: st.DataObject
) -> None:
    """A crash goes back to what was committed, with the table as it was then, or at any time since."""
    town = Town()
    for step in given_steps:
        town.label(*step)
    table: dict[Party, bytes] = {}
    offset, crashes = 0, data.draw(st.integers(0, 3))
    stored = [(offset, dict(table))]
    while offset < len(town.events):
        label, sequence = town.events[offset]
        known = count(party_risk.unpack(table.get(label.party)), label, offset=offset, sequence=sequence)
        assert known.missed_count == 0
        table[label.party] = party_risk.pack(known)
        offset += 1
        stored.append((offset, dict(table)))
        if crashes and data.draw(st.booleans()):
            crashes, offset = crashes - 1, data.draw(st.integers(0, offset))
            table = dict(data.draw(st.sampled_from([kept for until, kept in stored if until >= offset])))
    for party, packed in table.items():
        event = snapshot(party_risk.unpack(packed), party, generation=1)
        assert (event.labelled_count, event.fraud_count, event.counterpart_count) == town.recount(party)
        assert event.is_counterpart_count_exact


@settings(max_examples=200)
@given(steps, st.integers(1, 4))
def test_beyond_the_bound_counterparts_are_never_too_many(
    given_steps: Sequence[tuple[int, str, str, timedelta, Label]], bound: int
) -> None:
    town = Town()
    for step in given_steps:
        town.label(*step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fan, "PAIRS_MAX", bound)
        table: dict[Party, Counted] = {}
        for offset, (label, sequence) in enumerate(town.events):
            known = table.get(label.party, Counted())
            table[label.party] = count(known, label, offset=offset, sequence=sequence)
            assert len(table[label.party].fan.pairs) <= bound
    for party, known in table.items():
        event = snapshot(known, party, generation=1)
        labelled, frauds, counterparts = town.recount(party)
        assert (event.labelled_count, event.fraud_count) == (labelled, frauds)
        assert event.counterpart_count <= counterparts
        assert event.counterpart_count == counterparts or not event.is_counterpart_count_exact
