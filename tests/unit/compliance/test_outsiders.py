"""Monitoring and who is elsewhere: each is told from the others, and none is the customer who stands for them here."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from libs.common import ids
from libs.common.personal_data import READABLE, Keys
from libs.common.record import replace
from schemas.payments.events import (
    EncryptedPersonalData,
    Institution,
    Party,
    PaymentAnswerOverdue,
    PaymentDataSupplied,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentSettled,
)
from services.compliance.domain.alerting import LookForCycle
from services.compliance.monitoring.outsiders import KEY_OWNER, Outsider, outsiders_of
from services.compliance.monitoring.parameters import Scenario
from services.compliance.store import watching
from tests.unit.compliance.office import ACCOUNT, CREDITOR_ACCOUNT, CUSTOMER, START, Office

NOSTRO, EVE, FAY = ids.named("nostro"), ids.named("eve"), ids.named("fay")
BANK = Institution(name="Bank of Elsewhere", country="FR")
KEYS = Keys(data_keys={"one": b"1" * 32, "two": b"2" * 32}, current={KEY_OWNER: "one"})
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def elsewhere(name: str, country: str | None = "FR", number: str | None = None) -> Party:
    return Party(name=name, country=country, account_number=number)


def order(
    debtor: str | Party,
    creditor: str | Party,
    dollars: int = 6_000,
    *,
    bank: Institution = BANK,
    at: timedelta = 0 * DAY,
) -> PaymentOrder:
    """Of customers by their ids, and of others by what is told of them: the nostro stands for these."""
    sides = [
        (NOSTRO, one, bank) if isinstance(one, Party) else (one, Party(name="A"), None) for one in (debtor, creditor)
    ]
    (debtor_id, paying, debtor_bank), (creditor_id, paid, creditor_bank) = sides
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=ACCOUNT,
        creditor_account_id=CREDITOR_ACCOUNT,
        debtor_customer_id=debtor_id,
        creditor_customer_id=creditor_id,
        amount_minor=dollars * 100,
        currency="USD",
        channel="api",  # type: ignore[arg-type]
        instructed_at=START + at,
        personal=PaymentPersonalData(debtor=paying, creditor=paid),
        debtor_institution=debtor_bank,
        creditor_institution=creditor_bank,
    )


def settled(payment_id: str, ordered: PaymentOrder) -> PaymentSettled:
    return PaymentSettled(
        payment_id=payment_id,
        debtor_account_id=ACCOUNT,
        creditor_account_id=CREDITOR_ACCOUNT,
        debtor_customer_id=ordered.debtor_customer_id,
        creditor_customer_id=ordered.creditor_customer_id,
        amount_minor=ordered.amount_minor,
        currency=ordered.currency,
        instructed_at=ordered.instructed_at,
        transfer_id=payment_id,
        settled_at=ordered.instructed_at + timedelta(minutes=1),
    )


def move(office: Office, *orders: PaymentOrder) -> list[str]:
    """All of them are screened, and then they settle; the ids of the payments."""
    payments = [(ids.new(), ordered) for ordered in orders]
    for id_, ordered in payments:
        office.decide(PaymentInitiated(payment_id=id_, order=ordered, initiated_at=ordered.instructed_at))
    for id_, ordered in payments:
        office.decide(settled(id_, ordered))
    return [id_ for id_, _ in payments]


def raised(*orders: PaymentOrder) -> set[tuple[str, Scenario]]:
    office = Office()
    move(office, *orders)
    return {(alert.customer_id, alert.scenario) for alert in office.alerts.values()}


@pytest.mark.parametrize(
    ("payees", "is_one"),
    [
        ([elsewhere(f"Payee {n}") for n in range(5)], True),
        ([elsewhere(f"Payee {n}") for n in range(4)], False),
        ([elsewhere("Payee")] * 5, False),
        # An account is one payee, however it is spelt.
        ([elsewhere(f"Payee {n}", number="FR14 2004 1010 0505 0001 3M02 606") for n in range(5)], False),
        ([elsewhere("Payee", number=f"{n}234") for n in range(5)], True),
        # Who is elsewhere counts as customers do.
        ([*(elsewhere(f"Payee {n}") for n in range(3)), EVE, FAY], True),
    ],
)
def test_many_payees_elsewhere_are_many_payees(payees: Sequence[str | Party], is_one: bool) -> None:
    orders = [order(CUSTOMER, payee, 900, at=n * HOUR) for n, payee in enumerate(payees)]
    assert ((CUSTOMER, Scenario.FAN_OUT) in raised(*orders)) is is_one


@pytest.mark.parametrize(("count", "is_one"), [(5, True), (4, False)])
def test_many_payers_elsewhere_are_many_payers(count: int, is_one: bool) -> None:
    orders = [order(elsewhere(f"Payer {n}"), CUSTOMER, 900, at=n * HOUR) for n in range(count)]
    found = raised(*orders)
    assert ((CUSTOMER, Scenario.FAN_IN) in found) is is_one
    assert not [customer_id for customer_id, _ in found if customer_id == NOSTRO]


@pytest.mark.parametrize(("to", "is_one"), [("Quint", True), ("Paul", False)])
def test_what_comes_from_elsewhere_and_goes_on_elsewhere_passes_through(to: str, is_one: bool) -> None:
    orders = [
        order(elsewhere("Paul"), CUSTOMER, 700),
        order(CUSTOMER, elsewhere(to), 700, at=HOUR),
        order(elsewhere("Paul"), CUSTOMER, 900, at=2 * HOUR),
        order(CUSTOMER, elsewhere(to), 900, at=3 * HOUR),
    ]
    assert ((CUSTOMER, Scenario.MIRRORED_AMOUNTS) in raised(*orders)) is is_one


@pytest.mark.parametrize(
    ("party", "bank", "is_one"),
    [
        (elsewhere("Kim", "KP"), BANK, True),
        (elsewhere("Kim", None), replace(BANK, country="KP"), True),
        (elsewhere("Kim", "FR"), replace(BANK, country="KP"), True),
        (elsewhere("Kim", "FR"), BANK, False),
        (elsewhere("Kim", None), Institution(name="Bank"), False),
    ],
)
def test_a_country_is_the_partys_or_its_institutions(party: Party, bank: Institution, is_one: bool) -> None:
    out, back = order(CUSTOMER, party, 100, bank=bank), order(party, EVE, 100, bank=bank)
    expected = {(CUSTOMER, Scenario.HIGH_RISK_COUNTRY), (EVE, Scenario.HIGH_RISK_COUNTRY)} if is_one else set()
    assert raised(out, back) == expected


@pytest.mark.parametrize(("back_from", "is_one"), [("Paul", True), ("Quint", False)])
def test_money_comes_back_over_an_account_elsewhere_and_not_over_the_one_that_stands_for_all(
    back_from: str, is_one: bool
) -> None:
    office = Office()
    *_, last = move(
        office,
        order(CUSTOMER, EVE, 2_000),
        order(EVE, elsewhere("Paul"), 2_000, at=HOUR),
        order(elsewhere(back_from), CUSTOMER, 2_000, at=2 * HOUR),
    )
    office.decide(LookForCycle(payment_id=last, customer_id=CUSTOMER))
    found = {alert.customer_id for alert in office.alerts.values() if alert.scenario is Scenario.CYCLE}
    assert found == ({CUSTOMER} if is_one else set())


def test_what_is_back_with_somebody_elsewhere_is_looked_for_no_more() -> None:
    office = Office()
    out, back = move(office, order(CUSTOMER, elsewhere("Paul"), 2_000), order(elsewhere("Paul"), EVE, 2_000))
    assert (office.hops[out].is_looked_at, office.hops[back].is_looked_at) == (True, False)


def test_who_stands_for_others_is_neither_watched_nor_locked() -> None:
    office = Office()
    out = order(CUSTOMER, elsewhere("Paul"))
    (payment_id,) = move(office, out)
    assert office.watched.keys() == {CUSTOMER}
    assert watching.customer_ids([settled(payment_id, out)], office.screenings) == {CUSTOMER}
    # Between two others it is nobody's history.
    move(office, order(elsewhere("Paul"), elsewhere("Quint")))
    assert office.watched.keys() == {CUSTOMER}


def test_it_makes_no_difference_whether_a_payment_settles_in_the_batch_that_screens_it() -> None:
    office, out = Office(), order(CUSTOMER, elsewhere("Paul"), 2_000)
    id_ = ids.new()
    office.decide(PaymentInitiated(payment_id=id_, order=out, initiated_at=START), settled(id_, out))
    (edge,) = [hop.edge for hop in office.hops.values()]
    assert ids.is_pseudonym(edge.creditor_customer_id)
    assert not len(office.watched[NOSTRO].history.times)


def test_an_account_that_is_told_later_counts_once_it_is_told() -> None:
    office, out = Office(), order(CUSTOMER, elsewhere("Paul"))
    id_, told = ids.new(), order(CUSTOMER, elsewhere("Paul", number="FR1420041010050500013M02606"))
    office.decide(PaymentInitiated(payment_id=id_, order=out, initiated_at=START))
    by_name = office.screenings[id_].outsiders
    office.decide(PaymentDataSupplied(payment_id=id_, order=told, supplied_at=START))
    assert office.screenings[id_].outsiders == outsiders_of(id_, told, READABLE) != by_name
    office.decide(PaymentAnswerOverdue(payment_id=id_, order=out, awaited=(), overdue_at=START))
    assert office.screenings[id_].outsiders.creditor is not None


def test_a_pseudonym_takes_the_key_and_tells_no_name() -> None:
    ordered = order(CUSTOMER, elsewhere("Paul Quint"))
    keyed, unkeyed = outsiders_of("p", ordered, KEYS).creditor, outsiders_of("p", ordered, READABLE).creditor
    another = outsiders_of("p", ordered, replace(KEYS, current={KEY_OWNER: "two"})).creditor
    assert keyed is not None and unkeyed is not None and another is not None
    assert len({keyed.party_id, unkeyed.party_id, another.party_id}) == 3
    assert ids.is_id(keyed.party_id) and ids.is_pseudonym(keyed.party_id) and not ids.is_pseudonym(ids.new())
    assert keyed == outsiders_of("q", ordered, KEYS).creditor
    with pytest.raises(KeyError):
        outsiders_of("p", ordered, Keys(data_keys={}, current={}))


def test_parties_that_nobody_can_read_are_each_somebody_else_of_the_institutions_country() -> None:
    sealed = replace(order(CUSTOMER, elsewhere("Paul")), personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    one, other = outsiders_of("p", sealed, READABLE).creditor, outsiders_of("q", sealed, READABLE).creditor
    assert isinstance(one, Outsider) and isinstance(other, Outsider)
    assert one.party_id != other.party_id
    assert one.countries == ("FR",)
