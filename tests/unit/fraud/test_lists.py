"""Lists that people keep: who is put on, until when, taken off, and on again; and rules that ask who is on which."""

from datetime import timedelta

import pytest

from schemas.fraud.events import FraudOutcome, ListEntryAdded, ListEntryRemoved
from services.fraud.domain.entities import EntityKind, device_entity_id
from services.fraud.domain.judging import Judge
from services.fraud.domain.lists import AddListEntry, RefusalReason, RemoveListEntry, entry_id
from tests.unit.fraud.past import ANN, DAY, MICROSECOND, SHOP, START, Desk, order, rulebook

DEBTOR, CREDITOR, DEVICE = EntityKind
RULES = rulebook(
    """
    rule blocked "On a list." when debtor on blocked or creditor on blocked or device on blocked
      block because "on a list"
    rule trusted "On a list of good ones." when creditor on trusted allow because "on a list"
    """
)


def put_on(
    kind: EntityKind = DEBTOR,
    id_: str = ANN,
    *,
    on: str = "blocked",
    days: float | None = None,
    reason: str = "a thief",
) -> AddListEntry:
    until = None if days is None else START + days * DAY
    return AddListEntry(kind=kind, entity_id=id_, list_name=on, by="cleo", reason=reason, until=until)


def taken_off(kind: EntityKind = DEBTOR, id_: str = ANN, *, on: str = "blocked") -> RemoveListEntry:
    return RemoveListEntry(kind=kind, entity_id=id_, list_name=on, by="ben", reason="a mistake")


def lists(desk: Desk, kind: EntityKind = DEBTOR) -> object:
    return desk.value(f"{kind.value}_lists", order(at=desk.now, device_id="phone"))


def test_who_is_put_on_a_list_is_on_it_and_that_is_told() -> None:
    desk = Desk(Judge(RULES))
    assert lists(desk) == frozenset()
    (event,) = desk.hears(put_on(days=3))
    assert event == ListEntryAdded(
        entry_id=entry_id("blocked", DEBTOR, ANN),
        entity_kind="debtor",
        entity_id=ANN,
        list_name="blocked",
        reason="a thief",
        added_by="cleo",
        until=START + 3 * DAY,
        added_at=START,
    )
    assert (lists(desk), lists(desk, CREDITOR)) == ({"blocked"}, frozenset())


@pytest.mark.parametrize(
    ("later", "is_on"), [(timedelta(0), True), (3 * DAY - MICROSECOND, True), (3 * DAY, False), (30 * DAY, False)]
)
def test_an_entry_counts_until_its_end(later: timedelta, is_on: bool) -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(days=3))
    desk.now += later
    assert (lists(desk) == {"blocked"}) is is_on
    outcome = desk.assess(1, order(at=desk.now)).outcome
    assert (outcome is FraudOutcome.BLOCK) is is_on


def test_an_entry_without_an_end_counts_for_good() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on())
    desk.now += 10_000 * DAY
    assert lists(desk) == {"blocked"}


def test_who_is_taken_off_is_off_from_then_on_and_the_entry_is_kept_with_its_end() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on())
    desk.now += DAY
    (event,) = desk.hears(taken_off())
    assert event == ListEntryRemoved(
        entry_id=entry_id("blocked", DEBTOR, ANN),
        entity_kind="debtor",
        entity_id=ANN,
        list_name="blocked",
        reason="a mistake",
        removed_by="ben",
        removed_at=desk.now,
    )
    assert lists(desk) == frozenset()
    (entry,) = desk.list_entries.values()
    assert (entry.until, entry.added_by, entry.reason) == (desk.now, "cleo", "a thief")


def test_who_was_taken_off_or_whose_time_is_over_can_be_put_on_again() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(days=1))
    desk.hears(taken_off())
    desk.hears(put_on(days=2, reason="a thief after all"))
    assert lists(desk) == {"blocked"}
    desk.now += 2 * DAY
    assert lists(desk) == frozenset()
    desk.hears(put_on())
    assert lists(desk) == {"blocked"}


def test_who_is_on_a_list_already_is_on_it_by_the_new_reason_until_the_new_end() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(days=9))
    desk.hears(put_on(days=2, reason="only perhaps"))
    (entry,) = desk.list_entries.values()
    assert (entry.until, entry.reason) == (START + 2 * DAY, "only perhaps")


REFUSED = [
    (put_on(days=0), RefusalReason.ALREADY_OVER),
    (put_on(days=-1), RefusalReason.ALREADY_OVER),
    (taken_off(), RefusalReason.ENTRY_UNKNOWN),
    (taken_off(on="watched"), RefusalReason.ENTRY_UNKNOWN),
    (taken_off(CREDITOR), RefusalReason.ENTRY_UNKNOWN),
]


@pytest.mark.parametrize(("command", "reason"), REFUSED)
def test_what_is_refused_changes_nothing(command: AddListEntry | RemoveListEntry, reason: RefusalReason) -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(DEVICE, device_entity_id("phone")))
    before = dict(desk.list_entries)
    assert desk.refuses(command) == reason
    assert desk.list_entries == before


def test_every_refusal_is_in_the_table() -> None:
    assert {reason for _, reason in REFUSED} == set(RefusalReason)


def test_what_is_over_can_not_be_taken_off() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(days=1))
    desk.now += DAY
    assert desk.refuses(taken_off()) == RefusalReason.ENTRY_UNKNOWN


def test_additions_and_removals_of_an_entry_are_numbered_and_those_of_another_by_themselves() -> None:
    desk = Desk(Judge(RULES))
    numbers = []
    for message in (put_on(), taken_off(), put_on(), put_on(on="watched")):
        desk.hears(message)
        numbers += desk.numbers
    assert numbers == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("kind", "id_"), [(DEBTOR, ANN), (CREDITOR, SHOP), (DEVICE, device_entity_id("phone"))], ids=str
)
def test_a_rule_asks_who_of_a_payment_is_on_a_list(kind: EntityKind, id_: str) -> None:
    desk = Desk(Judge(RULES))
    assert desk.assess(1, order(device_id="phone")).outcome is FraudOutcome.ALLOW
    desk.hears(put_on(kind, id_))
    verdict = desk.assess(2, order(device_id="phone"))
    assert (verdict.outcome, [finding.rule for finding in verdict.findings]) == (FraudOutcome.BLOCK, ["blocked"])


def test_an_account_on_a_list_as_payer_is_not_on_it_as_payee() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(DEBTOR, SHOP))
    assert desk.assess(1, order()).outcome is FraudOutcome.ALLOW


def test_who_is_blocked_stays_so_whatever_other_list_says() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(CREDITOR, SHOP, on="trusted"), put_on())
    assert desk.assess(1, order()).outcome is FraudOutcome.BLOCK


def test_what_lists_said_is_kept_with_the_assessment() -> None:
    desk = Desk(Judge(RULES))
    desk.hears(put_on(CREDITOR, SHOP, on="trusted"), put_on(CREDITOR, SHOP, on="watched"))
    desk.assess(1, order())
    assert desk.values(1)["creditor_lists"] == frozenset({"trusted", "watched"})
