"""The default input: a few thousand payments made from a seed, with known shares of good and bad ones."""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from demo import people
from demo.story import Kind, Order, Party
from libs.common import ids
from stack.settings import REPOSITORY

PERSONS = 300
PERSONS_TO_A_MERCHANT = 5
PENNILESS_EVERY = 10
"""One person in so many has next to no money, and gives the underfunded orders."""
DAYS = 28
FICTIONAL_LIST = REPOSITORY / "services" / "compliance" / "lists" / "fictional.csv"

SHARES: Mapping[Kind, float] = {
    Kind.GOOD: 0.84,
    Kind.SUSPICIOUS: 0.03,
    Kind.LISTED: 0.01,
    Kind.ALIKE: 0.01,
    Kind.UNDERFUNDED: 0.04,
    Kind.SHIPPED_IN_PART: 0.02,
    Kind.RETURNED: 0.02,
    Kind.MALFORMED: 0.03,
}


class Generated:
    """A month of card payments of some people at some merchants, a fifth as many."""

    currency = "EUR"

    def __init__(self, *, payments: int, seed: int, persons: int = PERSONS) -> None:
        self.title = f"{payments:,} generated payments (seed {seed})"
        self._payments = payments
        self._seed = seed
        self._listed = _listed_persons()
        self._persons, self._merchants = persons, persons // PERSONS_TO_A_MERCHANT
        self._parties = _parties(Random(seed), self._persons, self._merchants)

    def count(self) -> int:
        return self._payments

    def parties(self) -> list[Party]:
        return self._parties

    def orders(self) -> Iterator[Order]:
        chance = Random(self._seed + 1)
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)
        makers: Mapping[Kind, Callable[[Random, datetime], Order]] = {
            Kind.GOOD: self._good,
            Kind.SUSPICIOUS: self._suspicious,
            Kind.LISTED: self._listed_name,
            Kind.ALIKE: self._name_alike,
            Kind.UNDERFUNDED: self._underfunded,
            Kind.SHIPPED_IN_PART: self._shipped_in_part,
            Kind.RETURNED: self._returned,
            Kind.MALFORMED: self._malformed,
        }
        for n in range(self._payments):
            (kind,) = chance.choices(list(SHARES), list(SHARES.values()))
            yield makers[kind](chance, _at_daytime(chance, start, n / self._payments))

    def _good(self, chance: Random, at: datetime) -> Order:
        return self._order(chance, at, Kind.GOOD, self._payer(chance), _euros(chance, 4, 45), label=False)

    def _suspicious(self, chance: Random, at: datetime) -> Order:
        """Far more than anyone here pays, now and then from abroad."""
        payer = self._payer(chance)
        abroad = chance.choice(("BR", "NG", "VN", None))
        origin = {"ip_country": abroad} if abroad else {}
        return self._order(chance, at, Kind.SUSPICIOUS, payer, _euros(chance, 300, 900), label=True, **origin)

    def _listed_name(self, chance: Random, at: datetime) -> Order:
        """Paid to someone with the name and the date of birth of a listed person."""
        listed = chance.choice(self._listed)
        return self._order(
            chance,
            at,
            Kind.LISTED,
            self._payer(chance),
            _euros(chance, 10, 45),
            creditor_name=listed["name"],
            creditor_birth_date=listed["birth_date"],
            creditor_country=listed["country"],
        )

    def _name_alike(self, chance: Random, at: datetime) -> Order:
        """Paid to someone with nearly the name of a listed person, and nothing else known."""
        name = chance.choice(self._listed)["name"]
        spot = chance.randrange(1, len(name) - 1)
        alike = name[:spot] + name[spot + 1 :]
        return self._order(chance, at, Kind.ALIKE, self._payer(chance), _euros(chance, 10, 45), creditor_name=alike)

    def _underfunded(self, chance: Random, at: datetime) -> Order:
        poor = chance.randrange(self._persons // PENNILESS_EVERY) * PENNILESS_EVERY
        return self._order(chance, at, Kind.UNDERFUNDED, poor, _euros(chance, 10, 45))

    def _shipped_in_part(self, chance: Random, at: datetime) -> Order:
        """The shop captures what it could ship, and no more."""
        payer, amount = self._payer(chance), _euros(chance, 4, 45)
        return self._order(chance, at, Kind.SHIPPED_IN_PART, payer, amount, label=False, capture="manual")

    def _returned(self, chance: Random, at: datetime) -> Order:
        """The shop gives the money back once it has it."""
        return self._order(chance, at, Kind.RETURNED, self._payer(chance), _euros(chance, 4, 45), label=False)

    def _malformed(self, chance: Random, at: datetime) -> Order:
        order = self._order(chance, at, Kind.MALFORMED, self._payer(chance), "10.00")
        spoilt: dict[str, Any] = chance.choice(
            [
                {"amount": "0"},
                {"amount": "-5.00"},
                {"amount": "10.005"},
                {"amount": 10},
                {"amount": "a lot"},
                {"currency": "XYZ"},
                {"currency": None},
                {"debtor": {"account_id": ids.named("nobody", str(chance.random())), "name": "Nobody"}},
                {"debtor": {"account_id": "12345", "name": "Nobody"}},
                {"reference": "two\nlines"},
                {"channel": "pigeon"},
                {"colour": "red"},
            ]
        )
        return Order(**{**_fields(order), "spoilt": spoilt})

    def _payer(self, chance: Random) -> int:
        number = chance.randrange(self._persons)
        return number + 1 if number % PENNILESS_EVERY == 0 else number

    def _order(self, chance: Random, at: datetime, kind: Kind, debtor: int, amount: str, **more: Any) -> Order:
        return Order(
            **{
                "kind": kind,
                "debtor": debtor,
                "creditor": self._persons + chance.randrange(self._merchants),
                "amount": amount,
                "device_id": f"phone-{debtor}",
                "ip_country": self._parties[debtor].country,
                "reference": f"order {chance.randrange(10**6)}",
                "instructed_at": at.isoformat(),
                **more,
            }
        )


def _parties(chance: Random, of_persons: int, of_merchants: int) -> list[Party]:
    persons = [
        Party(
            number=number,
            name=people.person(chance),
            is_company=False,
            country=chance.choice(people.COUNTRIES),
            birth_date=people.birth_date(chance),
            funds_minor=100 if number % PENNILESS_EVERY == 0 else 50_000_00,
        )
        for number in range(of_persons)
    ]
    merchants = [
        Party(
            number=of_persons + number,
            name=people.merchant(chance),
            is_company=True,
            country=chance.choice(people.COUNTRIES),
        )
        for number in range(of_merchants)
    ]
    return [*persons, *merchants]


def _listed_persons() -> list[dict[str, str]]:
    """Invented persons of the list that ships, with one full date of birth and one country each."""
    with FICTIONAL_LIST.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "person"]
    return [
        {
            "name": " ".join(reversed(row["name"].split(", "))),
            "birth_date": row["birth_dates"],
            "country": row["countries"].split("|")[0],
        }
        for row in rows
        if len(row["birth_dates"]) == len("2000-01-01") and row["countries"]
    ]


def _at_daytime(chance: Random, start: datetime, share: float) -> datetime:
    """A time by day, later for later shares of the stream."""
    day = start + timedelta(days=int(share * DAYS))
    seconds = (share * DAYS % 1) * 11 * 3_600 + chance.random() * 60
    return day.replace(hour=8, minute=0, second=0) + timedelta(seconds=int(seconds))


def _euros(chance: Random, low: int, high: int) -> str:
    cents = chance.randint(low * 100, high * 100)
    return f"{cents // 100}.{cents % 100:02}"


def _fields(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__struct_fields__}
