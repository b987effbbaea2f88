"""Money that moves between a few people, kept in memory, and short words for what monitoring makes of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from libs.common import ids
from libs.common.record import Record
from schemas.accounts.events import CustomerKind
from services.compliance.defaults import shipped_versions
from services.compliance.matching.subject import Subject
from services.compliance.monitoring import history, parameters
from services.compliance.monitoring.alerts import Watched
from services.compliance.monitoring.countries import CountryList, CountryLists, Listing
from services.compliance.monitoring.movements import Movement, Profile, micros_of
from services.compliance.monitoring.parameters import BEGINNING, Scenario, Version, version_of
from services.compliance.monitoring.scenarios import Finding
from services.compliance.monitoring.standards import Standards
from services.compliance.monitoring.watching import watch

START = datetime(2026, 1, 7, 15, tzinfo=UTC)
"""A Wednesday, ten in the morning where reports are due."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANN = "ann"

COUNTRIES = CountryLists(
    (
        Listing(country="KP", list_name=CountryList.CALL_FOR_ACTION, listed_from=date(2011, 2, 25)),
        Listing(
            country="DZ",
            list_name=CountryList.INCREASED_MONITORING,
            listed_from=date(2024, 10, 25),
            listed_until=date(2026, 1, 10),
        ),
    )
)


class Move(Record):
    """Money from one to another, so long after the start."""

    debtor: str
    creditor: str
    dollars: float
    after: timedelta
    is_cash: bool = False
    currency: str = "USD"


def gets(dollars: float, after: timedelta, *, of: str = "bob", is_cash: bool = False, currency: str = "USD") -> Move:
    """Ann is paid."""
    return Move(debtor=of, creditor=ANN, dollars=dollars, after=after, is_cash=is_cash, currency=currency)


def pays(dollars: float, after: timedelta, *, to: str = "carl", is_cash: bool = False, currency: str = "USD") -> Move:
    """Ann pays."""
    return Move(debtor=ANN, creditor=to, dollars=dollars, after=after, is_cash=is_cash, currency=currency)


def movement(move: Move, number: int) -> Movement:
    minor = round(move.dollars * 100)
    return Movement(
        payment_id=payment_id(number),
        debtor_customer_id=move.debtor,
        creditor_customer_id=move.creditor,
        amount_minor=minor,
        currency=move.currency,
        cents=minor,
        is_cash=move.is_cash,
        at_micros=micros_of(START + move.after),
    )


def payment_id(number: int) -> str:
    return ids.named("payment", str(number))


def standards(scenario: Scenario | None = None, **changed: object) -> Standards:
    """What is shipped, with some parameters of a scenario changed."""
    versions = [version for version in shipped_versions() if version.scenario is not scenario]
    versions += [_changed(version, changed) for version in shipped_versions() if version.scenario is scenario]
    return Standards(versions, COUNTRIES)


def _changed(version: Version, changed: Mapping[str, object]) -> Version:
    return version_of(
        version.scenario,
        parameters.read(version.scenario, {**parameters.values_of(version.parameters), **changed}),
        effective_from=BEGINNING,
        set_by="ann",
        reason="a test",
        set_at=BEGINNING,
    )


def person(
    customer_id: str = ANN,
    *,
    country: str | None = None,
    registered_at: datetime | None = None,
    kind: CustomerKind = CustomerKind.PERSON,
) -> Profile:
    subject = Subject(name=customer_id, country=country)
    return Profile(customer_id=customer_id, kind=kind, subject=subject, registered_at=registered_at)


def found(
    moves: Sequence[Move],
    *,
    known: Iterable[Profile] = (),
    held_against: Standards | None = None,
    about: str = ANN,
    stored: bool = True,
) -> list[Finding]:
    """What is told about one of them, in order, after all has moved; histories go through their stored bytes."""
    parties = {party.customer_id: party for party in known}
    held_against = held_against or standards()
    watched = Watched(customer_id=about)
    findings: list[Finding] = []
    for number, move in enumerate(moves):
        if about in (move.debtor, move.creditor):
            watched, told = watch(watched, movement(move, number), parties, held_against)
            findings += [finding for finding, _ in told]
            if stored:
                packed = history.pack(watched.history)
                watched = Watched(
                    customer_id=about, history=history.unpack(packed), marks=watched.marks, case_id=watched.case_id
                )
    return findings


def scenarios(findings: Iterable[Finding]) -> set[Scenario]:
    return {finding.scenario for finding in findings}
