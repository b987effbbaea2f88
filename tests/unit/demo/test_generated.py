"""The generated stream is made to become what is expected of it."""

import json
from collections import Counter

import pytest

from demo.client import Opened, line
from demo.expectations import EXPECTATIONS
from demo.generated import Generated
from demo.story import Kind, Order
from schemas.compliance.events import ScreeningOutcome
from services.compliance.lists.shipped import shipped_parties
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import screen
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.subject import Subject

PAYMENTS = 5_000


@pytest.fixture(scope="module")
def generated() -> Generated:
    return Generated(payments=PAYMENTS, seed=1)


@pytest.fixture(scope="module")
def orders(generated: Generated) -> list[Order]:
    return list(generated.orders())


@pytest.fixture(scope="module")
def index() -> NameIndex:
    return NameIndex(
        [SourcedParty(list_name="own", import_id=1, party=party) for party in shipped_parties()], version=1
    )


def screened(index: NameIndex, orders: list[Order], kind: Kind) -> Counter[ScreeningOutcome]:
    subjects = [
        Subject(name=order.creditor_name or "", birth_date=order.creditor_birth_date, country=order.creditor_country)
        for order in orders
        if order.kind is kind
    ]
    assert subjects
    return Counter(screen(index, subject).outcome for subject in subjects)


def test_listed_names_are_blocked_and_few_names_alike_are_missed(index: NameIndex, orders: list[Order]) -> None:
    assert screened(index, orders, Kind.LISTED).keys() == {ScreeningOutcome.BLOCK}
    alike = screened(index, orders, Kind.ALIKE)
    missed_max = EXPECTATIONS[Kind.ALIKE].exceptions_max(alike.total())
    assert alike[ScreeningOutcome.CLEAR] <= missed_max < alike.total() / 10


def test_nobody_else_resembles_a_listed_name(index: NameIndex, generated: Generated) -> None:
    subjects = (Subject(name=p.name, birth_date=p.birth_date, country=p.country) for p in generated.parties())
    assert {screen(index, subject).outcome for subject in subjects} == {ScreeningOutcome.CLEAR}


def test_a_device_is_its_owners_alone_from_run_to_run(generated: Generated, orders: list[Order]) -> None:
    """Else the fourth run on the same data finds each device used by four payers, and every payment suspicious."""
    parties = generated.parties()
    runs = [[Opened(customer_id="", account_id=f"{run}-{party.number}") for party in parties] for run in range(2)]
    (one, other), (again, _) = ([_device(order, parties, opened) for opened in runs] for order in orders[:2])
    assert len({one, other, again}) == 3
    assert one == _device(orders[0], parties, runs[0])


def _device(order: Order, parties: list, opened: list[Opened]) -> str:  # type: ignore[type-arg]
    return str(json.loads(line(order, parties, opened, "EUR"))["device_id"])
