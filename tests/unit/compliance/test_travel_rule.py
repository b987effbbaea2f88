"""The travel rule: what is asked of which payment, what is missing, and who may tell it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.personal_data import READABLE
from libs.common.record import replace
from schemas.compliance.events import CaseDecision, ComplianceScreened, PartyRole, ScreeningOutcome
from schemas.payments.events import (
    EncryptedPersonalData,
    Institution,
    InternalReason,
    Party,
    PartyKind,
    PaymentDataSupplied,
    PaymentEvidence,
    PaymentOrder,
    PaymentPersonalData,
)
from services.compliance.defaults.travel import TravelFault, read_rules, read_worths
from services.compliance.domain.acts import ProposeDecision, RefusalReason, TakeCase
from services.compliance.domain.people import Role
from services.compliance.domain.screenings import RescreenPayment
from services.compliance.domain.travel import SupplyPartyData, TellDetails, TravelRefusal
from services.compliance.matching.subject import Subject
from services.compliance.store.work import subjects_in
from services.compliance.travel.linked import KEPT_MAX, LinkedTransfers, Transfer, sums_of, with_transfer
from services.compliance.travel.record import TOLD_MAX, Details, TravelRecord, completed, known_about, missing
from services.compliance.travel.rules import Sum, TravelRules
from tests.unit.compliance.office import ALIKE, PAYMENT, SETTINGS, START, Office, initiated, order, suspended

RULES = SETTINGS.policy.travel
IN_FORCE = datetime(2026, 1, 5, 9, tzinfo=UTC)
ELSEWHERE = Institution(name="Other Bank", country="US")
IN_UNION, WALLET = Institution(name="Autre Banque", country="FR"), Institution(is_self_hosted=True)


def travelling(
    amount_minor: int = 300_000,
    currency: str = "USD",
    *,
    debtor: Party | None = None,
    creditor: Party | None = None,
    **of: Any,
) -> PaymentOrder:
    """A payment to another institution, unless said otherwise."""
    personal = PaymentPersonalData(
        debtor=debtor or Party(name="Ann Miller"), creditor=creditor or Party(name="Ben Baker")
    )
    held = of or {"creditor_institution": ELSEWHERE}
    return replace(order(), amount_minor=amount_minor, currency=currency, personal=personal, **held)


def lacking(ordered: PaymentOrder) -> tuple[str, ...]:
    """What is missing of a payment as it was ordered."""
    record = TravelRecord(payment_id=PAYMENT, order=ordered, rules=(), asked_on=START.date())
    return missing(record, RULES.applicable(ordered, record.asked_on))


US = ("us_funds",)
EU, EU_OUTSIDE = ("eu_funds",), ("eu_funds", "eu_funds_outside")


@pytest.mark.parametrize(
    ("ordered", "rules"),
    [
        # 31 CFR 1010.410(f): in the amount of $3,000 or more
        (travelling(299_999), EU_OUTSIDE),
        (travelling(300_000), US + EU_OUTSIDE),
        (travelling(300_000, debtor_institution=ELSEWHERE), US + EU_OUTSIDE),
        # Regulation (EU) 2023/1113: exceeding EUR 1,000, outside the Union; within it account numbers alone
        (travelling(100_000, "EUR"), EU),
        (travelling(100_001, "EUR"), EU_OUTSIDE),
        (travelling(100_001, "EUR", creditor_institution=IN_UNION), EU),
        # A currency that nobody has said the worth of is asked about from any amount on
        (travelling(1, "AFN"), US + EU_OUTSIDE),
        (travelling(100, "JPY"), EU),
        # Crypto assets: no floor in the Union; a wallet's ownership above EUR 1,000, and nobody says what BTC is worth
        (travelling(1, "BTC"), ("us_crypto", "eu_crypto")),
        (travelling(1, "BTC", creditor_institution=WALLET), ("eu_self_hosted", "eu_self_hosted_ownership")),
        # Within the house nothing travels
        (order(), ()),
        (replace(order(), amount_minor=10**12, currency="BTC"), ()),
        # What its client says of the day of the order changes nothing
        (replace(travelling(10**9, "EUR"), instructed_at=datetime(1995, 1, 1, tzinfo=UTC)), US + EU_OUTSIDE),
    ],
)
def test_which_rules_ask(ordered: PaymentOrder, rules: tuple[str, ...]) -> None:
    assert tuple(rule.rule for rule in RULES.applicable(ordered, START.date())) == rules


@pytest.mark.parametrize(("on", "rules"), [(date(2024, 12, 29), US), (date(1995, 1, 1), ())])
def test_rules_ask_on_the_days_on_which_they_are_in_force(on: date, rules: tuple[str, ...]) -> None:
    assert tuple(rule.rule for rule in RULES.applicable(travelling(10**9, "EUR"), on)) == rules


BORN: dict[str, Any] = {"birth_date": "1980-02-03", "birth_place": "Ghent"}
THERE: dict[str, Any] = {"kind": PartyKind.COMPANY, "account_number": "BE68539007547034"}
COMPLETE: dict[str, Any] = {"address": "1 Mill Race", "country": "US", **BORN}


@pytest.mark.parametrize(
    ("debtor", "creditor", "fields"),
    [
        (
            {},
            {},
            {"debtor.address", "debtor.country", "debtor.birth_date", "debtor.birth_place"}
            | {"creditor.kind", "creditor.account_number"},
        ),
        ({"address": "1 Mill Race", "country": "US"}, THERE, {"debtor.document_number"}),
        ({"address": "1 Mill Race", "country": "US", "document_number": "P1"}, THERE, set()),
        ({"address": "1 Mill Race", "country": "US", **BORN}, THERE, set()),
        ({"address": "1 Mill Race", "country": "US", "birth_date": "1980-02-03"}, THERE, {"debtor.birth_place"}),
        (
            {"address": "1 Mill Race", "country": "US", "birth_place": "Ghent", "birth_date": "1980"},
            THERE,
            {"debtor.birth_date"},
        ),
        ({"address": " ", "country": "US", **BORN}, THERE, {"debtor.address"}),
        ({"address": "1 Mill Race", "country": "ZZ", **BORN}, THERE, {"debtor.country"}),
        (COMPLETE | {"birth_date": "1980-02-31"}, THERE, {"debtor.birth_date"}),
        (COMPLETE | {"birth_date": "2026-01-05"}, THERE, {"debtor.birth_date"}),
        (
            {"kind": PartyKind.COMPANY},
            THERE,
            {"debtor.address", "debtor.country", "debtor.document_number"},
        ),
    ],
)
def test_what_is_missing(debtor: dict[str, Any], creditor: dict[str, Any], fields: set[str]) -> None:
    ordered = travelling(debtor=Party(name="Ann Miller", **debtor), creditor=Party(name="Ben Baker", **creditor))
    assert set(lacking(ordered)) == fields


def test_of_a_wallet_its_ownership_is_asked_of_whoever_holds_it() -> None:
    ordered = travelling(
        10**8,
        "BTC",
        debtor=Party(name="Ann Miller", **BORN),
        creditor=Party(name="Ann Miller", kind=PartyKind.PERSON, account_number="bc1q"),
        creditor_institution=WALLET,
    )
    assert lacking(ordered) == ("creditor.wallet_ownership",)


def test_of_encrypted_parties_nothing_is_missing_for_a_person_looks_anyway() -> None:
    encrypted = replace(travelling(), personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    assert lacking(encrypted) == ()


HEADER = "rule,jurisdiction,assets,held_by,outside,at_least,above,currency,from,until,debtor,creditor,source\n"
ROW = "r,US,funds,institution,,3000,,USD,2020-01-01,,address,,law\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no rows"),
        ("rule,x\n1,2\n", "columns must be"),
        (HEADER + ROW + ROW, "named twice"),
        (HEADER + ROW.replace("3000,,", "3000,2000,"), "row 1: an amount"),
        (HEADER + ROW.replace("USD", "QQQ"), "row 1: 'QQQ' is no currency"),
        (HEADER + ROW.replace("3000", "-1"), "row 1: -1 is not above zero"),
        (HEADER + ROW.replace("address", "shoe_size"), "row 1: 'shoe_size'"),
        (HEADER + ROW.replace("2020-01-01", "soon"), "row 1: Invalid isoformat"),
        (HEADER + ROW.replace(",law", ","), "row 1: a rule has a name and a source"),
        (HEADER + "r,US\n", "row 1:"),
        ("\xff", "columns must be|no rows"),
    ],
)
def test_a_file_of_rules_with_a_fault_is_refused_with_its_place(content: str, told: str) -> None:
    with pytest.raises(TravelFault, match=told):
        read_rules(content.encode())


def test_a_worth_is_above_zero() -> None:
    with pytest.raises(TravelFault, match="row 1: 0 is not above zero"):
        read_worths(b"currency,per_euro,on,source\nUSD,0,2026-01-01,x\n")


HEAD = "currency,per_euro,on,source\n"


@pytest.mark.parametrize(
    ("on", "rules"),
    [
        # Before anybody has said what it was worth all is asked.
        (date(2025, 12, 31), EU_OUTSIDE),
        # 150,000 yen: a thousand euros on the day, and more since.
        (date(2026, 1, 1), EU),
        (date(2026, 1, 31), EU),
        (date(2026, 2, 1), EU_OUTSIDE),
        (date(2027, 1, 1), EU_OUTSIDE),
    ],
)
def test_the_newest_worth_that_is_not_after_the_day_counts(on: date, rules: tuple[str, ...]) -> None:
    worths = read_worths(f"{HEAD}EUR,1,1999-01-01,x\nJPY,140,2026-02-01,x\nJPY,150,2026-01-01,x\n".encode())
    found = TravelRules(RULES.rules, worths, ["EU"])
    assert tuple(rule.rule for rule in found.applicable(travelling(150_000, "JPY"), on)) == rules


def test_a_worth_is_given_once_for_a_day() -> None:
    with pytest.raises(TravelFault, match="given twice"):
        read_worths(f"{HEAD}JPY,140,2026-02-01,x\nJPY,150,2026-02-01,x\n".encode())


# Linked transfers


def sent(office: Office, number: int, amount_minor: int, currency: str = "EUR", **of: Any) -> tuple[str, ...]:
    """The rules that ask about one more payment."""
    payment_id = ids.named(f"transfer {number}")
    office.decide(initiated(travelling(amount_minor, currency, **of), payment_id=payment_id))
    return office.travel[payment_id].rules


def test_transfers_that_appear_to_be_linked_are_taken_together() -> None:
    office = Office()
    assert sent(office, 1, 60_000) == EU
    assert sent(office, 2, 40_000) == EU, "a thousand euros are not above a thousand"
    assert sent(office, 3, 1) == EU_OUTSIDE
    office.now += timedelta(hours=25)
    assert sent(office, 4, 60_000) == EU, "what is longer ago than a day is not linked"
    assert sent(office, 5, 45_000, "USD") == EU
    assert sent(office, 6, 10_000, "USD") == EU_OUTSIDE, "each by what its currency is worth"


def test_many_small_transfers_hide_no_large_one() -> None:
    known, day = LinkedTransfers(pair_id=PAYMENT), timedelta(days=1)

    def transfer(number: int, currency: str, minor: int) -> Transfer:
        at = START + timedelta(seconds=number)
        return Transfer(payment_id=ids.named(f"transfer {number}"), at=at, currency=currency, amount_minor=minor)

    known = with_transfer(known, transfer(0, "USD", 99_000), day)
    for number in range(1, 3 * KEPT_MAX):
        known = with_transfer(known, transfer(number, "EUR", 1), day)
        assert len(known.transfers) <= KEPT_MAX
    eur, usd = sums_of(known.transfers)
    assert (eur.amount_minor, usd.amount_minor) == (3 * KEPT_MAX - 1, 99_000)
    assert list(known.transfers) == sorted(known.transfers, key=lambda one: one.at)
    late = with_transfer(known, transfer(3 * 86_400, "EUR", 1), day)
    assert sums_of(late.transfers) == (Sum(currency="EUR", amount_minor=1),)


def test_only_what_went_between_the_same_two_is_linked_and_a_payment_only_once() -> None:
    office = Office()
    sent(office, 1, 90_000)
    assert sent(office, 2, 20_000, creditor=Party(name="Somebody Else")) == EU
    assert sent(office, 3, 9_000, creditor=Party(name="  ben  BAKER ")) == EU
    again = initiated(travelling(90_000, "EUR"), payment_id=ids.named("transfer 1"))
    office.decide(again)
    office.decide(again)
    assert office.travel[ids.named("transfer 1")].rules == EU
    assert sent(office, 4, 1_000) == EU
    assert sent(office, 5, 1) == EU_OUTSIDE


def test_what_was_linked_at_its_first_screening_stays_so_however_it_is_looked_at_again() -> None:
    office = Office()
    sent(office, 1, 60_000)
    sent(office, 2, 60_000)
    second = ids.named("transfer 2")
    missing_before = office.screenings[second].missing
    assert "debtor.address" in missing_before or "debtor.birth_date" in missing_before
    office.now += timedelta(days=9)
    told = travelling(60_000, "EUR", debtor=Party(name="Ann Miller", **COMPLETE))
    office.decide(PaymentDataSupplied(payment_id=second, order=told, supplied_at=START))
    assert not [name for name in office.screenings[second].missing if name.startswith("debtor")]
    assert office.travel[second].linked == (Sum(currency="EUR", amount_minor=60_000),)


def test_a_floor_of_dollars_and_encrypted_parties_are_linked_to_nothing() -> None:
    office = Office()
    assert not set(sent(office, 1, 290_000, "USD")) & set(US)
    assert not set(sent(office, 2, 290_000, "USD")) & set(US)
    hidden = replace(order(is_encrypted=True), creditor_institution=ELSEWHERE, amount_minor=90_000)
    before = office.linked
    office.decide(initiated(hidden, payment_id=ids.named("hidden")))
    assert office.linked == before


# At the office

SUPPLIED = Details(**COMPLETE)
OTHER_SIDE = Details(kind=PartyKind.COMPANY, account_number="BE68539007547034")


def answer(office: Office, ordered: PaymentOrder) -> ComplianceScreened:
    (event,) = office.decide(initiated(ordered))
    assert isinstance(event, ComplianceScreened)
    return event


def waiting(ordered: PaymentOrder | None = None) -> Office:
    """An office with a payment that waits for data."""
    office = Office()
    event = answer(office, ordered or travelling())
    evidence = PaymentEvidence(compliance_outcome=event.outcome, compliance_missing=event.missing)
    told = suspended(InternalReason.PARTY_DATA_MISSING, evidence=evidence)
    office.decide(replace(told, order=ordered or travelling()))
    return office


def supply(office: Office, actor: str = "ann", **of: Any) -> SupplyPartyData:
    case = office.case()
    given: dict[str, Any] = {"debtor": SUPPLIED, "creditor": OTHER_SIDE, "version": case.version} | of
    return SupplyPartyData(case_id=case.case_id, actor=actor, role=Role.ANALYST, payment_id=PAYMENT, **given)


def test_the_answer_says_what_is_missing_and_nothing_is_missing_within_the_house() -> None:
    event = answer(Office(), travelling())
    assert event.outcome is ScreeningOutcome.INCOMPLETE
    assert "debtor.address" in event.missing
    assert answer(Office(), order()).missing == ()


def test_rules_are_those_of_the_first_screening_whatever_its_client_says_and_however_late_it_is_looked_at_again() -> (
    None
):
    office = Office()
    office.now = datetime(2024, 12, 20, tzinfo=UTC)
    ordered = replace(travelling(10**9, "EUR"), instructed_at=datetime(1995, 1, 1, tzinfo=UTC))
    assert answer(office, ordered).outcome is ScreeningOutcome.INCOMPLETE
    assert office.travel[PAYMENT].rules == US
    office.now += timedelta(days=400)
    told = replace(ordered, personal=travelling(debtor=Party(name="Ann Miller", **COMPLETE)).personal)
    office.decide(PaymentDataSupplied(payment_id=PAYMENT, order=told, supplied_at=START))
    assert office.travel[PAYMENT].rules == US
    assert "creditor.country" not in office.screenings[PAYMENT].missing
    assert "debtor.address" not in office.screenings[PAYMENT].missing


def test_whoever_resembles_someone_listed_is_for_review_though_data_are_missing_too() -> None:
    event = answer(Office(), travelling(debtor=Party(name=ALIKE)))
    assert event.outcome is ScreeningOutcome.REVIEW
    assert event.missing


def test_complete_data_are_clear() -> None:
    event = answer(
        Office(),
        travelling(
            debtor=Party(name="Ann Miller", **COMPLETE),
            creditor=Party(name="Ben Baker", kind=PartyKind.COMPANY, account_number="BE68"),
        ),
    )
    assert (event.outcome, event.missing) == (ScreeningOutcome.CLEAR, ())


def test_what_its_client_tells_payments_is_taken_into_account() -> None:
    office = waiting()
    more = travelling(debtor=Party(name="Ann Miller", **COMPLETE), creditor=Party(name="Ben Baker", **THERE))
    (event,) = office.decide(PaymentDataSupplied(payment_id=PAYMENT, order=more, supplied_at=START))
    assert isinstance(event, ComplianceScreened)
    assert (event.outcome, event.missing) == (ScreeningOutcome.CLEAR, ())
    assert office.decide(PaymentDataSupplied(payment_id=PAYMENT, order=more, supplied_at=START)) == []


def test_data_of_a_payment_that_no_rule_asks_about_change_nothing() -> None:
    office = Office()
    answer(office, order())
    assert office.decide(PaymentDataSupplied(payment_id=PAYMENT, order=order(), supplied_at=START)) == []


def test_a_person_at_the_desk_supplies_what_is_missing_without_taking_the_case() -> None:
    office = waiting()
    (event,) = office.decide(supply(office))
    assert isinstance(event, ComplianceScreened)
    assert (event.outcome, event.missing) == (ScreeningOutcome.CLEAR, ())
    assert office.timeline() == ["opened", "data_supplied"]
    assert office.audit[-1].actor == "ann"
    assert office.travel[PAYMENT].tellings[0].by == "ann"


def test_the_log_and_the_timeline_name_fields_and_no_data() -> None:
    office = waiting()
    office.decide(supply(office))
    written = f"{office.audit} {office.acts}"
    assert "debtor.birth_place" in written
    assert "Ghent" not in written


def test_parties_are_screened_by_what_was_told_too() -> None:
    office = waiting(travelling(debtor=Party(name=ALIKE, country="US", birth_date="1968-03-14")))
    before = office.screenings[PAYMENT].roles[0].verdict.hits[0].score
    office.decide(supply(office, debtor=Details(birth_place="Ghent", address="1 Mill Race")))
    assert completed(office.travel[PAYMENT]).personal.debtor.birth_place == "Ghent"  # type: ignore[union-attr]
    assert office.screenings[PAYMENT].roles[0].verdict.hits[0].score == before


def test_a_message_told_by_a_program_is_kept_with_the_payment() -> None:
    office = waiting()
    told = TellDetails(payment_id=PAYMENT, by="gate", role="client", debtor=SUPPLIED, creditor=OTHER_SIDE, message="{}")
    (event,) = office.decide(told)
    assert isinstance(event, ComplianceScreened)
    assert event.missing == ()
    assert office.travel[PAYMENT].message == "{}"
    (entry,) = office.audit
    assert (entry.actor, entry.role, entry.verb, entry.object_id) == ("gate", "client", "details_told", PAYMENT)
    assert "debtor.birth_place" in entry.details
    assert not any(told in entry.details for told in ("Ghent", "CH93"))


def test_nobody_may_approve_before_the_data_are_there() -> None:
    office = waiting()
    case = office.case()
    ann: dict[str, Any] = {"case_id": case.case_id, "actor": "ann", "role": Role.ANALYST}
    office.decide(TakeCase(**ann, version=case.version))
    proposal = ProposeDecision(
        **ann, version=office.case().version, decision=CaseDecision.APPROVE, note="it is well known"
    )
    assert office.refusal(proposal) == RefusalReason.DATA_MISSING
    office.decide(replace(proposal, decision=CaseDecision.REJECT))


def taken_by_ben() -> Office:
    office = waiting()
    case = office.case()
    office.decide(TakeCase(case_id=case.case_id, actor="ben", role=Role.SUPERVISOR, version=case.version))
    return office


def told_often() -> Office:
    office = waiting()
    record = office.travel[PAYMENT]
    office.decide(supply(office, creditor=Details(), debtor=Details(country="US")))
    (telling,) = office.travel[PAYMENT].tellings
    office.travel[PAYMENT] = replace(record, tellings=(telling,) * TOLD_MAX)
    return office


def encrypted() -> Office:
    office = waiting()
    record = office.travel[PAYMENT]
    hidden = replace(record.order, personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    office.travel[PAYMENT] = replace(record, order=hidden)
    return office


@pytest.mark.parametrize(
    ("reason", "office", "of"),
    [
        (RefusalReason.ALREADY_TAKEN, taken_by_ben(), {"payment_id": "other", "version": 0}),
        (TravelRefusal.ENCRYPTED, encrypted(), {"debtor": Details(), "creditor": Details()}),
        (TravelRefusal.TOLD_TOO_OFTEN, told_often(), {"debtor": Details(), "creditor": Details()}),
        (TravelRefusal.NOTHING_TOLD, waiting(), {"debtor": Details(), "creditor": Details(), "version": 0}),
        (
            TravelRefusal.ALREADY_KNOWN,
            waiting(travelling(debtor=Party(name="Ann Miller", country="US"))),
            {"debtor": Details(country="FR"), "version": 0},
        ),
        (RefusalReason.STALE, waiting(), {"version": 0}),
    ],
)
def test_what_is_told_is_refused_for_the_first_reason_that_applies(
    reason: str, office: Office, of: dict[str, Any]
) -> None:
    command = supply(office, **{name: value for name, value in of.items() if name != "payment_id"})
    assert office.refusal(command) == reason
    unknown = replace(command, payment_id="other")
    if reason not in set(RefusalReason):
        assert office.refusal(unknown) == TravelRefusal.PAYMENT_UNKNOWN


def test_a_day_of_birth_says_more_than_a_year() -> None:
    office = waiting(travelling(debtor=Party(name="Ann Miller", birth_date="1980")))
    assert "debtor.birth_date" in office.screenings[PAYMENT].missing
    (event,) = office.decide(supply(office))
    assert isinstance(event, ComplianceScreened)
    assert event.missing == ()


def test_of_both_sides_held_elsewhere_it_is_asked_what_they_are_for_a_message_says_so() -> None:
    held = replace(travelling(debtor_institution=IN_UNION, creditor_institution=ELSEWHERE), amount_minor=1)
    rules = tuple(rule for rule in RULES.rules if rule.rule == "us_funds")
    record = TravelRecord(payment_id=PAYMENT, order=held, rules=US, asked_on=START.date())
    assert {"debtor.kind", "creditor.kind"} <= set(missing(record, rules))
    assert missing(record, ()) == ()


def test_what_could_not_stand_in_a_message_may_be_put_right() -> None:
    office = waiting(travelling(debtor=Party(name="Ann Miller", country="ZZ", birth_date="2980-02-03", address=" ")))
    (event,) = office.decide(supply(office))
    assert isinstance(event, ComplianceScreened)
    assert event.missing == ()
    debtor = completed(office.travel[PAYMENT]).personal.debtor  # type: ignore[union-attr]
    assert (debtor.country, debtor.birth_date, debtor.address) == ("US", "1980-02-03", "1 Mill Race")


@pytest.mark.parametrize(
    ("ordered", "told", "birth_date"),
    [("1980", "1980-02-03", "1980-02-03"), ("1980-02-03", "1980", "1980-02-03"), ("1981", "1980", "1980")],
)
def test_parties_are_screened_by_the_same_data_that_the_message_names(ordered: str, told: str, birth_date: str) -> None:
    record = TravelRecord(
        payment_id=PAYMENT,
        order=travelling(debtor=Party(name="Ann Miller", country="FR", birth_date=ordered, address="2 Quay")),
        rules=US,
        asked_on=START.date(),
        debtor=Details(country="US", birth_date=told, kind=PartyKind.PERSON),
    )
    known, screened = known_about(record, PartyRole.DEBTOR), completed(record).personal.debtor  # type: ignore[union-attr]
    assert (known.country, known.birth_date, known.address, known.kind) == (
        *("US", birth_date, "2 Quay", PartyKind.PERSON),
    )
    for name in ("country", "birth_date", "address", "kind"):
        assert getattr(known, name) == getattr(screened, name)


def test_a_batch_fetches_whom_it_will_screen_by_what_is_told() -> None:
    office = waiting()
    told = Details(country="FR", birth_date="1980-02-03")
    by_program = TellDetails(payment_id=PAYMENT, by="gate", role="client", debtor=told, creditor=Details())
    by_client = travelling(debtor=Party(name="Ann Miller", country="FR", birth_date="1980-02-03"))
    subject = Subject(name="Ann Miller", country="FR", birth_date="1980-02-03")
    for body in (
        by_program,
        supply(office, debtor=told),
        PaymentDataSupplied(payment_id=PAYMENT, order=by_client, supplied_at=START),
    ):
        assert subject in subjects_in([body], {}, {}, {}, office.travel, READABLE)
    office.decide(by_program)
    again = RescreenPayment(payment_id=PAYMENT)
    assert subject in subjects_in([again], {}, office.cases, {}, office.travel, READABLE)


def test_the_field_that_is_known_otherwise_is_named() -> None:
    office = waiting(travelling(debtor=Party(name="Ann Miller", country="US")))
    told = TellDetails(payment_id=PAYMENT, by="gate", role="client", debtor=Details(country="FR"), creditor=Details())
    ((result, _),) = office._run([told])
    assert result.refusal is not None
    assert result.refusal.field == "debtor.country"
