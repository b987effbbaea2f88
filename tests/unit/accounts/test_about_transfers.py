"""What a client says of a transfer is in the books, whichever way it moves money: what for, and when it counts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from libs.common.message import Command
from libs.common.record import Record
from services.accounts.domain.journal import Transfer, digest_of
from services.accounts.domain.transfers import Book
from services.accounts.requests import Funding, HoldPosting, NewConversion, NewTransfer, Reversal
from tests.unit.accounts.books import ANNS, BENS, BENS_DOLLARS, START, Books, Reserve, book, booking

About = dict[str, Any]
MONEY = {"currency": "EUR", "amount": "30.00"}
BETWEEN = MONEY | {"debit_account_id": ANNS, "credit_account_id": BENS}
CONVERTED = BETWEEN | {"credit_account_id": BENS_DOLLARS, "credited_currency": "USD", "rate": "1.5"}
BEFORE = datetime(2026, 1, 2, tzinfo=UTC)
ABOUT: About = {"reference": "march", "metadata": {"ticket": "4711"}, "effective_at": BEFORE.isoformat()}


def funding(about: About) -> Command:
    return Funding.model_validate(MONEY | {"account_id": ANNS} | about).command(None)


def transfer(about: About) -> Command:
    return Book(bookings=(NewTransfer.model_validate(BETWEEN | about).booking(),))


def converting(about: About) -> Command:
    return NewConversion.model_validate(CONVERTED | about).command()


def taking_back(about: About) -> Command:
    return Reversal.model_validate(about).command(booking().transfer_id, None, by_staff=True)


def posting(about: About) -> Command:
    return HoldPosting.model_validate(about).command(Reserve().hold_id, None)


WAYS: list[tuple[list[Record], Callable[[About], Command]]] = [
    ([], funding),
    ([], transfer),
    ([], converting),
    ([book()], taking_back),
    ([Reserve().placed], posting),
]


def moved(before: list[Record], body: Record) -> list[Transfer]:
    books = Books()
    books.hears(*before)
    known = len(books.transfers)
    books.hears(body)
    return books.transfers[known:]


@pytest.mark.parametrize(("before", "way"), WAYS)
def test_it_is_recorded_and_the_hashes_cover_it(before: list[Record], way: Callable[[About], Command]) -> None:
    found, plain = moved(before, way(ABOUT)), moved(before, way({}))
    assert found
    for told, silent in zip(found, plain, strict=True):
        assert told.reference == "march"
        assert (told.metadata or {})["ticket"] == "4711"
        assert (told.effective_at, told.recorded_at) == (BEFORE, START)
        assert (silent.reference, "ticket" in (silent.metadata or {}), silent.effective_at) == (None, False, START)
        assert digest_of(told) != digest_of(silent)


def test_a_conversion_says_its_rate_and_remainder_beside_what_was_asked_for() -> None:
    for found in moved([], converting(ABOUT)):
        assert found.metadata == {"ticket": "4711", "rate": "1.5", "remainder": "0"}


@pytest.mark.parametrize("name", ["rate", "remainder"])
def test_nobody_says_of_a_conversion_what_the_books_say_themselves(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} is what the books say themselves"):
        NewConversion.model_validate(CONVERTED | {"metadata": {name: "1"}})
