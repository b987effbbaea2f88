"""Knowing customers: how they are rated, what documents prove, and when people look at them again."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from libs.common import ids
from libs.common.record import replace
from schemas.accounts.events import AccountOpened, CustomerClosed, CustomerKind
from schemas.compliance.events import CaseDecision, CaseOpened, CustomerRefused, CustomerVerified
from services.compliance.defaults.travel import FOLDER
from services.compliance.diligence.documents import (
    Checked,
    Document,
    DocumentKind,
    DocumentStatus,
    HandedDocument,
    RefusedBecause,
    Unavailable,
    ask_again_at,
)
from services.compliance.diligence.providers import NobodyChecks, SimulatedChecks, provider_of
from services.compliance.diligence.rating import Factor, Known, RiskLevel, RiskTable, rate, read_table, tier_of
from services.compliance.domain.case import CaseStatus
from services.compliance.domain.customers import RescreenCustomer
from services.compliance.domain.diligence import (
    DiligenceRefusal,
    HandInDocument,
    RateCustomer,
    RecordCheck,
    ReviewCustomer,
    TakeDocument,
)
from services.compliance.domain.people import Role
from services.compliance.domain.work import CustomerStatus
from services.compliance.monitoring.countries import CountryList, CountryLists, Listing
from tests.unit.compliance.office import ALIKE, CUSTOMER, HEADER, ORDINARY, SETTINGS, START, Office, registered
from tests.unit.compliance.test_customers import decide

TABLE = SETTINGS.policy.risk
ON = date(2026, 1, 5)
LISTS = CountryLists(
    [
        Listing(country="KP", list_name=CountryList.CALL_FOR_ACTION, listed_from=date(2011, 1, 1)),
        Listing(country="VN", list_name=CountryList.INCREASED_MONITORING, listed_from=date(2023, 1, 1)),
    ]
)
KNOWN = Known(kind=CustomerKind.PERSON, country="DE", currencies=("EUR",), document_status=None, is_whole=True)
PASSPORT = Document(kind=DocumentKind.PASSPORT, number="P1234567", country="DE", name=ORDINARY, birth_date="1980-05-17")
HANDED = ids.named("document")


@pytest.mark.parametrize(
    ("of", "factors", "level"),
    [
        ({}, (), RiskLevel.LOW),
        ({"country": None}, (Factor.COUNTRY_UNKNOWN,), RiskLevel.LOW),
        ({"country": "VN"}, (Factor.INCREASED_MONITORING,), RiskLevel.MEDIUM),
        ({"country": "KP"}, (Factor.CALL_FOR_ACTION,), RiskLevel.HIGH),
        ({"kind": CustomerKind.COMPANY}, (Factor.COMPANY,), RiskLevel.LOW),
        ({"kind": CustomerKind.UNKNOWN}, (Factor.KIND_UNKNOWN,), RiskLevel.LOW),
        ({"kind": CustomerKind.COMPANY, "currencies": ("BTC",)}, (Factor.COMPANY, Factor.CRYPTO), RiskLevel.MEDIUM),
        ({"document_status": DocumentStatus.REFUSED}, (Factor.DOCUMENT_REFUSED,), RiskLevel.MEDIUM),
        ({"document_status": DocumentStatus.PENDING}, (), RiskLevel.LOW),
        (
            {"country": "VN", "kind": CustomerKind.COMPANY, "currencies": ("ETH",)},
            (Factor.INCREASED_MONITORING, Factor.COMPANY, Factor.CRYPTO),
            RiskLevel.HIGH,
        ),
    ],
)
def test_a_rating_adds_up_what_speaks_for_risk(
    of: dict[str, Any], factors: tuple[Factor, ...], level: RiskLevel
) -> None:
    rating = rate(replace(KNOWN, **of), LISTS, TABLE, ON)
    assert (rating.factors, rating.level) == (factors, level)
    assert rating.points == sum(TABLE.weights[factor] for factor in factors)


@pytest.mark.parametrize(("programme", "factor"), [("SDGT", Factor.RESEMBLES_LISTED), ("PEP", Factor.PEP)])
def test_a_hit_counts_though_people_have_ruled_it_out(programme: str, factor: Factor) -> None:
    office = Office(HEADER + f'1,person,"VARKOSKY, Dmitrun",,,1968-03-14,RU,{programme},\n')
    office.decide(registered(ALIKE, country="DE"))
    decide(office, CaseDecision.APPROVE)
    rating = office.customers[CUSTOMER].rating
    assert rating is not None
    assert rating.factors == (factor,)
    # It goes on to count when lists change, for as long as the entry is there.
    listed = f'1,person,"VARKOSKY, Dmitrun",,,1968-03-14,RU,{programme},\n'
    office.switch_to(HEADER + listed + "2,person,Somebody Else,,,,,,\n")
    assert office.decide(RescreenCustomer(customer_id=CUSTOMER)) == []
    assert office.customers[CUSTOMER].rating == rating
    office.switch_to(HEADER + "2,person,Somebody Else,,,,,,\n")
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    after = office.customers[CUSTOMER].rating
    assert after is not None
    assert after.factors == ()
    office.switch_to(HEADER + listed)
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    assert office.customers[CUSTOMER].rating == rating


def test_who_is_listed_as_exposed_later_is_of_more_risk_at_once() -> None:
    office = Office(HEADER + "2,person,Somebody Else,,,,,,\n")
    office.decide(registered(ALIKE, country="DE"))
    office.switch_to(HEADER + '1,person,"VARKOSKY, Dmitrun",,,1968-03-14,RU,PEP,\n')
    office.decide(RescreenCustomer(customer_id=CUSTOMER))
    rating = office.customers[CUSTOMER].rating
    assert rating is not None
    assert rating.factors == (Factor.PEP,)


@pytest.mark.parametrize(
    ("is_whole", "document", "level", "tier"),
    [
        (False, None, RiskLevel.LOW, 1),
        (True, None, RiskLevel.LOW, 2),
        (True, DocumentStatus.PENDING, RiskLevel.LOW, 2),
        (True, DocumentStatus.REFUSED, RiskLevel.MEDIUM, 2),
        (True, DocumentStatus.PASSED, RiskLevel.MEDIUM, 3),
        (False, DocumentStatus.PASSED, RiskLevel.LOW, 1),
        (True, DocumentStatus.PASSED, RiskLevel.HIGH, 2),
        (True, None, RiskLevel.HIGH, 1),
        (False, None, RiskLevel.HIGH, 1),
    ],
)
def test_the_tier_goes_by_what_is_proven_and_by_the_risk(
    is_whole: bool, document: DocumentStatus | None, level: RiskLevel, tier: int
) -> None:
    known = replace(KNOWN, is_whole=is_whole, document_status=document, is_proven=document is DocumentStatus.PASSED)
    assert tier_of(known, level) == tier


def test_a_house_that_has_configured_nobody_proves_nobody() -> None:
    assert SETTINGS.document_provider == "none"


@pytest.mark.parametrize(
    ("kind", "of", "is_proof"),
    [
        (CustomerKind.PERSON, {}, True),
        (CustomerKind.UNKNOWN, {}, True),
        (CustomerKind.COMPANY, {}, False),
        (CustomerKind.COMPANY, {"kind": DocumentKind.REGISTER_EXTRACT}, True),
        (CustomerKind.PERSON, {"kind": DocumentKind.REGISTER_EXTRACT}, False),
        (CustomerKind.PERSON, {"expires_on": ON}, True),
        (CustomerKind.PERSON, {"expires_on": ON - timedelta(days=1)}, False),
    ],
)
def test_a_document_proves_a_customer_of_its_kind_until_it_expires(
    kind: CustomerKind, of: dict[str, Any], is_proof: bool
) -> None:
    handed = HandedDocument(
        document_id=HANDED,
        document=replace(PASSPORT, **of),
        handed_by="ann",
        handed_at=START,
        status=DocumentStatus.PASSED,
    )
    assert handed.proves(kind, ON) is is_proof
    assert not replace(handed, status=DocumentStatus.PENDING).proves(kind, ON)


SHIPPED = (FOLDER / "risk.toml").read_text()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("pep = 40\n", "", "weights.pep is missing"),
        ("pep = 40", "pop = 40", "pop"),
        ("medium = 25", "medium = 50", "high above medium"),
        ("pep = 40", "pep = -1", "not below zero"),
        ("low = 1826", "low = 1827", "between 1 and 1826"),
        ("high = 365", "high = 366", r"review_days\.high is 365 at most"),
        ("[levels]", "[levels", "line|expected|Expected"),
    ],
)
def test_a_file_of_weights_with_a_fault_is_refused(before: str, after: str, told: str) -> None:
    with pytest.raises(msgspec.MsgspecError, match=told):
        read_table(SHIPPED.replace(before, after), type=RiskTable)


# What the simulated provider says


@pytest.mark.parametrize(
    ("of", "because"),
    [
        ({}, None),
        ({"expires_on": ON}, None),
        ({"expires_on": ON - timedelta(days=1)}, RefusedBecause.EXPIRED),
        ({"number": "FORGED1"}, RefusedBecause.FORGED),
        ({"number": "ABC"}, RefusedBecause.UNREADABLE),
        ({"name": "Ann"}, None),
        ({"name": "Jane Doe"}, RefusedBecause.NAME_DIFFERS),
        ({"birth_date": "1980-05-18"}, RefusedBecause.BIRTH_DATE_DIFFERS),
        ({"birth_date": None}, None),
    ],
)
def test_the_simulated_provider_says_the_same_every_time(of: dict[str, Any], because: RefusedBecause | None) -> None:
    for _ in range(2):
        answer = SimulatedChecks().check(replace(PASSPORT, **of), ORDINARY, "1980-05-17", on=ON, asked=0)
        assert answer.refused_because == because


def test_the_simulated_provider_is_down_for_as_long_as_the_number_says() -> None:
    document = replace(PASSPORT, number="DOWN2-77")
    for asked in range(2):
        with pytest.raises(Unavailable):
            SimulatedChecks().check(document, ORDINARY, None, on=ON, asked=asked)
    assert SimulatedChecks().check(document, ORDINARY, None, on=ON, asked=2).refused_because is None


def test_where_there_is_no_provider_nothing_is_proven() -> None:
    assert isinstance(provider_of("none", 0), NobodyChecks)
    with pytest.raises(Unavailable):
        provider_of("none", 0).check(PASSPORT, ORDINARY, None, on=ON, asked=0)
    assert isinstance(provider_of("simulated", 0), SimulatedChecks)


def test_it_is_asked_again_later_and_later() -> None:
    waits = [(ask_again_at(asked, START) - START).total_seconds() for asked in (1, 2, 3, 8, 100)]
    assert waits == [30, 60, 120, 3600, 3600]


# At the office


def taken_on(**of: Any) -> Office:
    """An office with a customer who is served."""
    office = Office()
    office.decide(registered(country="DE", birth_date="1980-05-17", **of))
    return office


def hand_in(document: Document = PASSPORT, document_id: str = HANDED) -> TakeDocument:
    return TakeDocument(customer_id=CUSTOMER, document_id=document_id, document=document, by="onboarding")


def checked(because: RefusedBecause | None = None) -> RecordCheck:
    answer = Checked(refused_because=because, reference="7")
    return RecordCheck(customer_id=CUSTOMER, document_id=HANDED, checked=answer)


UNANSWERED = RecordCheck(customer_id=CUSTOMER, document_id=HANDED, checked=None)


def test_a_customer_is_rated_when_it_registers_and_has_a_day_for_its_review() -> None:
    customer = taken_on().customers[CUSTOMER]
    assert customer.rating is not None
    assert (customer.rating.level, customer.tier) == (RiskLevel.LOW, 2)
    assert customer.review_on == ON + timedelta(days=1_826)


def test_a_document_that_passes_lifts_the_tier_and_accounts_is_told() -> None:
    office = taken_on()
    assert office.decide(hand_in()) == []
    (event,) = office.decide(checked())
    assert isinstance(event, CustomerVerified)
    assert event.tier == 3
    assert office.decide(checked(RefusedBecause.FORGED)) == [], "the answer was given"


def test_a_document_nobody_says_anything_about_proves_nothing_and_is_asked_about_again() -> None:
    office = taken_on()
    office.decide(hand_in())
    for asked in (1, 2):
        assert office.decide(UNANSWERED) == []
        handed = office.customers[CUSTOMER].document
        assert handed is not None
        assert (handed.status, handed.asked) == (DocumentStatus.PENDING, asked)
        assert handed.ask_at is not None
        assert handed.ask_at > office.now
    assert office.customers[CUSTOMER].tier == 2
    (event,) = office.decide(checked())
    assert isinstance(event, CustomerVerified)


def test_a_document_that_is_refused_is_for_people_to_look_at() -> None:
    office = taken_on()
    office.decide(hand_in())
    (event,) = office.decide(checked(RefusedBecause.FORGED))
    assert isinstance(event, CaseOpened)
    assert office.case().reasons == ("document_refused",)
    assert office.customers[CUSTOMER].status is CustomerStatus.VERIFIED
    _, refused = decide(office, CaseDecision.REJECT)
    assert isinstance(refused, CustomerRefused)


def test_what_is_said_about_another_document_is_nothing_to_this_one() -> None:
    office = taken_on()
    office.decide(hand_in())
    assert office.decide(replace(checked(), document_id=ids.named("another"))) == []
    assert office.decide(replace(checked(), customer_id=ids.named("stranger"))) == []
    handed = office.customers[CUSTOMER].document
    assert handed is not None
    assert handed.status is DocumentStatus.PENDING


def test_of_a_customer_in_doubt_a_document_tells_nobody_until_people_have_decided() -> None:
    office = Office()
    office.decide(registered(ALIKE, country="DE", birth_date="1990-01-01"))
    office.decide(hand_in())
    assert office.decide(checked()) == []
    *_, verified = decide(office, CaseDecision.APPROVE)
    assert isinstance(verified, CustomerVerified)
    assert verified.tier == 3


def closed() -> Office:
    office = taken_on()
    office.decide(CustomerClosed(customer_id=CUSTOMER, closed_at=START))
    return office


def pending() -> Office:
    office = taken_on()
    office.decide(hand_in())
    return office


@pytest.mark.parametrize(
    ("reason", "office"),
    [
        (DiligenceRefusal.CUSTOMER_UNKNOWN, Office()),
        (DiligenceRefusal.CUSTOMER_CLOSED, closed()),
        (DiligenceRefusal.KIND_WRONG, taken_on(kind=CustomerKind.COMPANY)),
        (DiligenceRefusal.DOCUMENT_PENDING, pending()),
    ],
)
def test_a_document_is_refused_for_the_first_reason_that_applies(reason: str, office: Office) -> None:
    before = list(office.audit)
    assert office.refusal(hand_in()) == reason
    at_the_desk = HandInDocument(
        customer_id=CUSTOMER, document_id=HANDED, document=PASSPORT, actor="ann", role=Role.ANALYST
    )
    assert office.refusal(at_the_desk) == reason
    assert office.audit == before


@pytest.mark.parametrize(
    ("command", "by"),
    [
        (
            HandInDocument(customer_id=CUSTOMER, document_id=HANDED, document=PASSPORT, actor="ann", role=Role.ANALYST),
            ("ann", "analyst"),
        ),
        (hand_in(), ("onboarding", "client")),
    ],
)
def test_whoever_hands_in_a_document_the_log_says_so_without_its_number(
    command: HandInDocument | TakeDocument, by: tuple[str, str]
) -> None:
    office = taken_on()
    office.decide(command)
    (entry,) = office.audit
    assert (entry.actor, entry.role) == by
    assert (entry.verb, entry.object_id, entry.details) == ("document_handed_in", CUSTOMER, "passport; DE")
    assert PASSPORT.number not in str(entry)


def test_an_account_in_crypto_is_part_of_the_risk_and_brings_the_review_nearer() -> None:
    office = taken_on(kind=CustomerKind.COMPANY)
    before = office.customers[CUSTOMER].review_on
    account = AccountOpened(account_id=ids.named("a"), customer_id=CUSTOMER, currency="BTC", opened_at=START)
    assert office.decide(account) == []
    customer = office.customers[CUSTOMER]
    assert customer.rating is not None
    assert customer.rating.level is RiskLevel.MEDIUM
    assert before is not None
    assert customer.review_on == ON + timedelta(days=730) < before
    assert office.decide(replace(account, account_id=ids.named("b"))) == []
    assert office.decide(replace(account, customer_id=ids.named("stranger"))) == []


def test_a_customer_of_high_risk_is_served_a_step_less_far() -> None:
    office = Office()
    (event,) = office.decide(registered(country="KP", birth_date="1980-05-17"))
    assert isinstance(event, CustomerVerified)
    assert event.tier == 1
    assert office.customers[CUSTOMER].review_on == ON + timedelta(days=365)


REVIEW = ReviewCustomer(customer_id=CUSTOMER)


def test_when_it_is_time_people_look_at_a_customer_again_who_is_served_meanwhile() -> None:
    office = taken_on()
    assert office.decide(REVIEW) == [], "it is not time yet"
    office.now += timedelta(days=1_826)
    (event,) = office.decide(REVIEW)
    assert isinstance(event, CaseOpened)
    assert office.case().reasons == ("review_due",)
    assert office.customers[CUSTOMER].status is CustomerStatus.VERIFIED
    assert office.decide(REVIEW) == [], "people look at it already"
    decide(office, CaseDecision.APPROVE)
    assert office.case().status is CaseStatus.RESOLVED
    assert office.customers[CUSTOMER].review_on == office.now.date() + timedelta(days=1_826)


def test_a_customer_that_waits_for_people_anyway_is_not_asked_about_twice() -> None:
    office = Office()
    office.decide(registered(ALIKE, country="DE"))
    office.now += timedelta(days=2_000)
    assert office.decide(REVIEW) == []
    assert len(office.cases) == 1


def test_when_its_document_has_expired_a_customer_is_proven_no_more_and_people_look() -> None:
    office = taken_on()
    office.decide(hand_in(replace(PASSPORT, expires_on=ON + timedelta(days=10))))
    office.decide(checked())
    customer = office.customers[CUSTOMER]
    assert (customer.tier, customer.review_on) == (3, ON + timedelta(days=11))
    office.now += timedelta(days=11)
    verified, opened = office.decide(REVIEW)
    assert isinstance(verified, CustomerVerified)
    assert verified.tier == 2
    assert isinstance(opened, CaseOpened)


def listed(since: date, until: date | None = None, *, version: int = 0) -> CountryLists:
    """Germany, on the graver list for a time."""
    call = Listing(country="DE", list_name=CountryList.CALL_FOR_ACTION, listed_from=since, listed_until=until)
    return CountryLists([call], version=version)


RATE = RateCustomer(customer_id=CUSTOMER)


def test_when_a_country_comes_upon_a_list_its_customers_are_rated_anew_on_the_day() -> None:
    office = Office()
    begins = ON + timedelta(days=30)
    office.countries = listed(begins)
    office.decide(registered(country="DE", birth_date="1980-05-17"))
    before = office.customers[CUSTOMER]
    assert before.rating is not None
    assert before.rating.level is RiskLevel.LOW
    office.now += timedelta(days=29)
    assert office.decide(RATE) == []
    assert office.customers[CUSTOMER] == before
    office.now += timedelta(days=1)
    (event,) = office.decide(RATE)
    after = office.customers[CUSTOMER]
    assert after.rating is not None
    assert (after.rating.level, after.rating.factors) == (RiskLevel.HIGH, (Factor.CALL_FOR_ACTION,))
    assert isinstance(event, CustomerVerified)
    assert event.tier == 1, "accounts is told"
    assert after.review_on == begins + timedelta(days=365), "people look at it sooner"
    (entry,) = office.audit
    assert (entry.actor, entry.verb, entry.object_id) == ("weir", "rated", CUSTOMER)
    assert "low (0) is high (60); for call_for_action" in entry.details
    assert office.decide(RATE) == []
    assert office.customers[CUSTOMER] == after
    assert len(office.audit) == 1


def test_when_a_country_leaves_a_list_the_rating_falls_and_people_look_no_later() -> None:
    office = Office()
    office.countries = listed(ON - timedelta(days=9), ON + timedelta(days=30))
    office.decide(registered(country="DE", birth_date="1980-05-17"))
    review_on = office.customers[CUSTOMER].review_on
    office.now += timedelta(days=31)
    office.decide(RATE)
    customer = office.customers[CUSTOMER]
    assert customer.rating is not None
    assert (customer.rating.level, customer.review_on) == (RiskLevel.LOW, review_on)


def test_other_lists_of_countries_are_gone_by_as_soon_as_they_are_imported_and_nobody_who_is_closed_is_rated() -> None:
    office = taken_on()
    office.countries = listed(ON - timedelta(days=9), version=7)
    office.decide(RATE)
    rated = office.customers[CUSTOMER]
    assert rated.rating is not None
    assert rated.rating.level is RiskLevel.HIGH
    office.decide(CustomerClosed(customer_id=CUSTOMER, closed_at=START))
    office.countries = listed(ON - timedelta(days=9), ON - timedelta(days=1), version=8)
    assert office.decide(RATE) == []
    assert office.customers[CUSTOMER].rating == rated.rating


def test_who_is_being_looked_at_has_no_day_by_a_new_rating_until_people_have_decided() -> None:
    office = taken_on()
    office.customers[CUSTOMER] = replace(office.customers[CUSTOMER], review_on=None)
    office.countries = listed(ON - timedelta(days=9), version=7)
    office.decide(RATE)
    assert office.customers[CUSTOMER].review_on is None


def test_customers_from_before_there_were_ratings_are_rated() -> None:
    office = taken_on()
    customer = replace(office.customers[CUSTOMER], rating=None, review_on=None, tier=0)
    office.customers[CUSTOMER] = customer
    (event,) = office.decide(RateCustomer(customer_id=CUSTOMER))
    assert isinstance(event, CustomerVerified)
    assert event.tier == 2
    assert office.decide(RateCustomer(customer_id=CUSTOMER)) == []
