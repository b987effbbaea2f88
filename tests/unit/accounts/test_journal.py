"""The journal: a chain of hashes that breaks where anything was changed, in books whose time never runs backwards."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.chain import NO_HASH
from libs.common.record import replace
from services.accounts.domain.journal import Entry, Transfer, TransferKind, digest_of, hash_of
from tests.unit.accounts.audit import first_faults, require_balance, require_journal
from tests.unit.accounts.books import (
    ANNS,
    BENS,
    BENS_DOLLARS,
    START,
    SUSPENSE,
    Books,
    Pay,
    Reserve,
    book,
    booking,
    convert,
    fund,
    reverse,
)

DAY = timedelta(days=1)


def written() -> Books:
    """Books in which every kind of transfer stands."""
    books = Books()
    paid, blocked = Pay(1, 20_00, fee_minor=1_00), Pay(2, 3_00)
    books.hears(book(booking(1, 10_00, reference="rent", metadata={"month": "5"}, effective_at=START - DAY)))
    books.hears(book(booking(2, 2_00), booking(3, 1_00, credit=SUSPENSE), by_staff=True))
    books.hears(convert(5_00), Reserve(1, 6_00).placed, Reserve(1).posted(2_00), Reserve(1).posted(part=2))
    books.hears(paid.initiated, paid.approved, paid.refund(4_00), blocked.initiated, blocked.block_requested)
    books.hears(reverse(booking(2).transfer_id))
    assert {transfer.kind for transfer in books.transfers} == set(TransferKind)
    return books


WRITTEN = written()
"""Only ever read."""


def other(value: Any) -> Any:
    """Any other value of the same kind."""
    match value:
        case StrEnum():
            return next(member for member in type(value) if member is not value)
        case None:
            return WRITTEN.transfers[0].transfer_id
        case bytes():
            return bytes(reversed(value))
        case int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case datetime():
            return value + timedelta(microseconds=1)
        case Mapping():
            return {**value, "more": "of it"}
    raise AssertionError(f"nothing else than {value!r} is known")


def places_of(transfer: Transfer) -> set[tuple[str, int]]:
    return {(entry.account_id, entry.number) for entry in WRITTEN.entries if entry.transfer_id == transfer.transfer_id}


def faults(entries: list[Entry] | None = None, transfers: list[Transfer] | None = None) -> set[tuple[str, int]]:
    """The first faults that are found when the journal has become this."""
    return first_faults(entries or WRITTEN.entries, transfers or WRITTEN.transfers, WRITTEN.accounts)


def test_what_was_written_is_what_is_found() -> None:
    require_balance(WRITTEN)
    require_journal(WRITTEN)


def test_an_accounts_newest_hash_is_that_of_its_newest_entry() -> None:
    newest = {entry.account_id: entry for entry in WRITTEN.entries}
    for account in WRITTEN.accounts.values():
        entry = newest.get(account.account_id)
        assert (account.entry_hash, account.recorded_at) == (
            (entry.hash, entry.recorded_at) if entry else (NO_HASH, None)
        )
    assert len({entry.hash for entry in WRITTEN.entries}) == len(WRITTEN.entries)


@pytest.mark.parametrize("field", Transfer.__struct_fields__)
def test_any_change_of_any_transfer_is_found_on_both_its_accounts(field: str) -> None:
    for index, transfer in enumerate(WRITTEN.transfers):
        changed = replace(transfer, **{field: other(getattr(transfer, field))})
        found = faults(transfers=[*WRITTEN.transfers[:index], changed, *WRITTEN.transfers[index + 1 :]])
        assert found == places_of(transfer), f"{field} of {transfer}"


@pytest.mark.parametrize("field", Entry.__struct_fields__)
def test_any_change_of_any_entry_is_found_where_it_stands(field: str) -> None:
    for index, entry in enumerate(WRITTEN.entries):
        value = getattr(entry, field)
        changed = replace(
            entry, **{field: (ANNS if value != ANNS else BENS) if field == "account_id" else other(value)}
        )
        found = faults([*WRITTEN.entries[:index], changed, *WRITTEN.entries[index + 1 :]])
        assert (entry.account_id, entry.number) in found, f"{field} of {entry}"


def test_a_transfer_that_is_gone_is_missed_on_both_its_accounts() -> None:
    for index, transfer in enumerate(WRITTEN.transfers):
        assert faults(transfers=WRITTEN.transfers[:index] + WRITTEN.transfers[index + 1 :]) == places_of(transfer)


def test_an_entry_that_is_gone_is_missed_where_it_stood_and_at_the_end_too() -> None:
    for index, entry in enumerate(WRITTEN.entries):
        found = faults(WRITTEN.entries[:index] + WRITTEN.entries[index + 1 :])
        assert found == {(entry.account_id, entry.number)}


def test_entries_that_have_changed_places_are_found_at_the_first_of_them() -> None:
    of_ann = [entry for entry in WRITTEN.entries if entry.account_id == ANNS]
    others = [entry for entry in WRITTEN.entries if entry.account_id != ANNS]
    for first in range(len(of_ann)):
        for second in range(first + 1, len(of_ann)):
            swapped = list(of_ann)
            swapped[first] = replace(of_ann[second], number=first + 1)
            swapped[second] = replace(of_ann[first], number=second + 1)
            assert faults(others + swapped) == {(ANNS, first + 1)}


def test_an_entry_that_was_added_is_found_at_the_end() -> None:
    last = [entry for entry in WRITTEN.entries if entry.account_id == ANNS][-1]
    added = replace(last, number=last.number + 1)
    assert faults([*WRITTEN.entries, added]) == {(ANNS, last.number + 1)}


def test_who_changes_something_and_writes_all_later_hashes_anew_is_found_by_the_newest_hash() -> None:
    """It stands on the account, and in every statement that was given out."""
    transfers = [
        replace(t, reference="forged") if t.transfer_id == booking(1).transfer_id else t for t in WRITTEN.transfers
    ]
    by_id, hashes, forged = {t.transfer_id: t for t in transfers}, dict[str, bytes](), []
    for entry in WRITTEN.entries:
        hashes[entry.account_id] = hash_of(
            hashes.get(entry.account_id, NO_HASH),
            digest_of(by_id[entry.transfer_id]),
            account_id=entry.account_id,
            lane=entry.lane,
            number=entry.number,
            amount_minor=entry.amount_minor,
            balance_minor=entry.balance_minor,
        )
        forged.append(replace(entry, hash=hashes[entry.account_id]))
    counts = {id_: WRITTEN.accounts[id_].entry_count for id_ in (ANNS, BENS)}
    assert faults(forged, transfers) == {(id_, count + 1) for id_, count in counts.items()}


@pytest.mark.parametrize(
    "changed", [{"account_id": BENS}, {"lane": 1}, {"number": 2}, {"amount_minor": -2}, {"balance_minor": 6}]
)
def test_a_hash_covers_the_place_the_amount_and_the_balance(changed: Mapping[str, Any]) -> None:
    about: dict[str, Any] = {"account_id": ANNS, "lane": 0, "number": 1, "amount_minor": -1, "balance_minor": 5}
    digest = digest_of(WRITTEN.transfers[0])
    assert hash_of(NO_HASH, digest, **about) != hash_of(NO_HASH, digest, **{**about, **changed})
    assert hash_of(NO_HASH, digest, **about) != hash_of(digest, digest, **about), "and the hash before it"


def test_a_digest_does_not_hang_on_how_a_moment_or_a_mapping_is_written() -> None:
    """As it may be after it was stored and read again."""
    transfer = replace(WRITTEN.transfers[1], metadata={"a": "1", "b": "2"})
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    same = replace(
        transfer,
        metadata={"b": "2", "a": "1"},
        effective_at=transfer.effective_at.astimezone(elsewhere),
        recorded_at=transfer.recorded_at.astimezone(elsewhere),
    )
    assert digest_of(same) == digest_of(transfer)


def test_the_form_of_hashes_is_a_promise_to_every_hash_there_is() -> None:
    """Who changes it makes every journal that was ever written look forged."""
    transfer = WRITTEN.transfers[1]
    assert transfer.transfer_id == booking(1).transfer_id
    assert digest_of(transfer).hex() == "c64d14851fb6bdccecaea8c7cda7d8c4bd67bea4c1b4cc63b103ba01d606eb18"
    assert (
        next(entry for entry in WRITTEN.entries if entry.account_id == BENS).hash.hex()
        == "92ab70a2ef3f6bfe6ac2a193c379a72a442447fd40ff5966e6df4aae1cb50c21"
    )


# Time


def test_in_an_accounts_books_time_never_runs_backwards_though_a_clock_does() -> None:
    books = Books()
    books.hears(book(booking(1, 1_00)))
    books.now = START - timedelta(hours=1)
    books.hears(book(booking(2, 1_00)), fund(BENS_DOLLARS, 1, "USD"))
    booked, funded = books.transfers[-2:]
    assert (booked.recorded_at, booked.effective_at) == (START, START)
    assert funded.recorded_at == START - timedelta(hours=1), "where nothing stands yet, the clock is believed"
    require_balance(books)


def test_a_transfer_is_recorded_no_earlier_than_what_stands_on_either_account() -> None:
    books = Books()
    books.now = START + DAY
    books.hears(fund(BENS, 1_00))
    books.now = START
    books.hears(book(booking(1, 1_00)))
    assert [entry.recorded_at for entry in books.entries[-2:]] == [START + DAY] * 2
    books.hears(book(booking(2, 1_00, credit=SUSPENSE), by_staff=True))
    assert books.transfers[-1].recorded_at == START + DAY, "which the one has passed on to the other"


def test_when_something_counts_is_left_as_it_was_asked_for_when_the_clock_has_run_back() -> None:
    books = Books()
    books.now = START - DAY
    books.hears(book(booking(1, 1_00, effective_at=START - 2 * DAY)))
    assert (books.transfers[-1].effective_at, books.transfers[-1].recorded_at) == (START - 2 * DAY, START)


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([(ANNS, BENS), (BENS, ANNS), (ANNS, SUSPENSE)]))))
def test_whatever_the_clocks_say_each_moment_has_one_balance(steps: list[tuple[int, tuple[str, str]]]) -> None:
    books = Books()
    for number, (hours, (debit, credit)) in enumerate(steps):
        books.now += timedelta(hours=hours)
        books.run([book(booking(number, 1_00, debit=debit, credit=credit), by_staff=True)])
    require_balance(books)
    require_journal(books)
