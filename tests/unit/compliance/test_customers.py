"""Customers: served, refused, or left to people; and looked at again whenever a list or the matcher changes."""

import pytest

from libs.common.record import replace
from schemas.accounts.events import CustomerClosed, CustomerKind, EncryptedPersonalData
from schemas.compliance.events import (
    CaseDecision,
    CaseOpened,
    CaseResolved,
    CustomerRefused,
    CustomerRestricted,
    CustomerVerified,
)
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, RefusalReason, TakeCase
from services.compliance.domain.case import CaseStatus
from services.compliance.domain.customers import RescreenCustomer
from services.compliance.domain.meanings import choices
from services.compliance.domain.people import Role
from services.compliance.domain.work import CustomerStatus
from services.compliance.matching.screening import CLEAR, MATCHER_VERSION
from services.compliance.store.customers import word_rows
from tests.unit.compliance.office import ALIKE, CUSTOMER, HEADER, LIST, LISTED, ORDINARY, START, Office, registered

RESCREEN = RescreenCustomer(customer_id=CUSTOMER)
NEWLY_LISTED = LIST + '3,person,"MILLER, Anne",,,,,,\n'
NEWLY_BLOCKED = LIST + "3,person,Zarifan Qandarus,,,,,,\n"


def status(office: Office) -> CustomerStatus:
    return office.customers[CUSTOMER].status


def decide(office: Office, decision: CaseDecision) -> list[object]:
    """Two people decide the one case."""
    case_id = office.case().case_id
    office.decide(TakeCase(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=office.case().version))
    office.decide(
        ProposeDecision(
            case_id=case_id,
            actor="ann",
            role=Role.SUPERVISOR,
            version=office.case().version,
            decision=decision,
            note="seen",
        )
    )
    return list(
        office.decide(
            ConfirmDecision(case_id=case_id, actor="ben", role=Role.SUPERVISOR, version=office.case().version, note="")
        )
    )


@pytest.mark.parametrize(
    ("kind", "birth_date", "tier"),
    [
        (CustomerKind.PERSON, "1980-05-17", 2),
        (CustomerKind.PERSON, "1980-05", 1),
        (CustomerKind.PERSON, None, 1),
        (CustomerKind.COMPANY, None, 2),
        (CustomerKind.UNKNOWN, None, 1),
    ],
)
def test_a_customer_resembling_nobody_is_verified_as_far_as_it_is_identified(
    kind: CustomerKind, birth_date: str | None, tier: int
) -> None:
    (event,) = Office().decide(registered(kind=kind, birth_date=birth_date))
    assert isinstance(event, CustomerVerified)
    assert event.tier == tier


def test_a_listed_customer_is_refused() -> None:
    office = Office()
    (event,) = office.decide(registered(LISTED))
    assert isinstance(event, CustomerRefused) and event.is_listed
    assert office.cases == {}


def test_a_customer_in_doubt_becomes_a_case() -> None:
    office = Office()
    (event,) = office.decide(registered(ALIKE))
    assert isinstance(event, CaseOpened)
    assert (event.customer_id, event.partition_key, event.payment_id) == (CUSTOMER, CUSTOMER, None)
    assert office.case().reasons == ("resembles_listed",)
    assert status(office) is CustomerStatus.IN_REVIEW


def test_an_encrypted_customer_becomes_a_case() -> None:
    office = Office()
    encrypted = replace(registered(), personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    (event,) = office.decide(encrypted)
    assert isinstance(event, CaseOpened)
    assert office.case().reasons == ("not_screenable",)
    assert [type(event) for event in decide(office, CaseDecision.APPROVE)] == [CaseResolved, CustomerVerified]


def test_a_customer_registered_twice_is_answered_once() -> None:
    office = Office()
    office.decide(registered())
    assert office.decide(registered()) == []


def test_people_approve_a_customer_and_it_is_verified() -> None:
    office = Office()
    office.decide(registered(ALIKE, birth_date="1990-01-01"))
    resolved, verified = decide(office, CaseDecision.APPROVE)
    assert isinstance(resolved, CaseResolved)
    assert (resolved.proposed_by, resolved.confirmed_by, resolved.customer_id) == ("ann", "ben", CUSTOMER)
    assert isinstance(verified, CustomerVerified)
    assert verified.tier == 2


@pytest.mark.parametrize("decision", [CaseDecision.REJECT, CaseDecision.BLOCK])
def test_people_reject_a_customer_and_it_is_refused(decision: CaseDecision) -> None:
    office = Office()
    office.decide(registered(ALIKE))
    _, refused = decide(office, decision)
    assert isinstance(refused, CustomerRefused)
    # What a customer owns who is only refused is nobody's but its own.
    assert refused.is_listed is (decision is CaseDecision.BLOCK)
    assert status(office) is CustomerStatus.REFUSED


def test_a_customer_that_a_new_list_resembles_is_restricted_and_becomes_a_case() -> None:
    office = Office()
    office.decide(registered(ORDINARY))
    office.switch_to(NEWLY_LISTED)
    restricted, opened = office.decide(RESCREEN)
    assert isinstance(restricted, CustomerRestricted)
    assert isinstance(opened, CaseOpened)
    assert office.case().reasons == ("list_changed",)
    assert status(office) is CustomerStatus.RESTRICTED


def test_a_customer_is_looked_at_once_for_each_version_of_the_lists() -> None:
    office = Office()
    office.decide(registered(ORDINARY))
    assert office.decide(RESCREEN) == []
    office.switch_to(NEWLY_LISTED)
    assert office.decide(RESCREEN) != []
    assert office.decide(RESCREEN) == []


def looked_at_by(office: Office, matcher_version: int) -> None:
    """As if another version of the matcher had looked at the customer last, and found nothing."""
    known = office.customers[CUSTOMER]
    found = replace(known, matcher_version=matcher_version, verdict=CLEAR, status=CustomerStatus.VERIFIED)
    office.customers = {CUSTOMER: found}
    office.cases = {}


def test_a_customer_is_looked_at_again_when_names_are_compared_anew() -> None:
    office = Office()
    office.decide(registered(ALIKE))
    looked_at_by(office, MATCHER_VERSION - 1)
    restricted, opened = office.decide(RESCREEN)
    assert isinstance(restricted, CustomerRestricted)
    assert isinstance(opened, CaseOpened)
    assert office.case().reasons == ("matcher_changed",)
    assert office.customers[CUSTOMER].matcher_version == MATCHER_VERSION
    assert office.decide(RESCREEN) == []


def test_what_a_newer_matcher_found_is_not_undone_by_an_older_one() -> None:
    office = Office()
    office.decide(registered(ALIKE))
    looked_at_by(office, MATCHER_VERSION + 1)
    office.switch_to(NEWLY_LISTED)
    assert office.decide(RESCREEN) == []
    assert status(office) is CustomerStatus.VERIFIED


def test_a_customer_that_no_list_resembles_goes_on_undisturbed() -> None:
    office = Office()
    office.decide(registered(ORDINARY))
    office.switch_to(LIST + "3,person,Someone Else,,,,,,\n")
    assert office.decide(RESCREEN) == []
    assert status(office) is CustomerStatus.VERIFIED
    assert office.customers[CUSTOMER].catalogue_version == 2


def test_what_people_have_cleared_stays_cleared_when_lists_change() -> None:
    office = Office()
    office.decide(registered(ALIKE))
    decide(office, CaseDecision.APPROVE)
    office.switch_to(LIST + "3,person,Someone Else,,,,,,\n")
    assert office.decide(RESCREEN) == []
    office.switch_to(LIST + '4,person,"VARKOSKIY, Dmitrum",,,,,,\n')
    restricted, opened = office.decide(RESCREEN)
    assert isinstance(restricted, CustomerRestricted)
    assert isinstance(opened, CaseOpened)
    customer = office.case().customer
    assert customer is not None
    assert [hit.entity_id for hit in customer.verdict.hits] == ["4"]


def test_a_customer_who_is_listed_now_can_not_be_approved() -> None:
    office = Office()
    office.decide(registered("Zarifan Qandarus"))
    office.switch_to(NEWLY_BLOCKED)
    office.decide(RESCREEN)
    case_id = office.case().case_id
    office.decide(TakeCase(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=office.case().version))
    approve = ProposeDecision(
        case_id=case_id,
        actor="ann",
        role=Role.SUPERVISOR,
        version=office.case().version,
        decision=CaseDecision.APPROVE,
        note="seen",
    )
    assert office.refusal(approve) == RefusalReason.LISTED_PARTY


@pytest.mark.parametrize("decision", [CaseDecision.REJECT, CaseDecision.BLOCK])
def test_what_a_listed_customer_owns_is_blocked_in_whichever_words_people_refuse_to_serve_it(
    decision: CaseDecision,
) -> None:
    office = Office()
    office.decide(registered("Zarifan Qandarus"))
    office.switch_to(NEWLY_BLOCKED)
    office.decide(RESCREEN)
    assert "blocked" in {choice.decision: choice.meaning for choice in choices(office.case())}[decision]
    _, refused = decide(office, decision)
    assert isinstance(refused, CustomerRefused) and refused.is_listed


def test_whoever_is_listed_after_having_been_refused_is_told_once_so_that_what_it_owns_is_blocked() -> None:
    office = Office()
    office.decide(registered(ALIKE))
    decide(office, CaseDecision.REJECT)
    office.switch_to(LIST + f"3,person,{ALIKE},,,,,,\n")
    (refused,) = office.decide(RESCREEN)
    assert isinstance(refused, CustomerRefused) and refused.is_listed
    office.switch_to(LIST + f"3,person,{ALIKE},,,,,,\n4,person,Someone Else,,,,,,\n")
    assert office.decide(RESCREEN) == []


def test_a_refused_customer_stays_refused_whatever_lists_say_and_by_which_entry_stays_known() -> None:
    office = Office()
    office.decide(registered(LISTED))
    office.switch_to(HEADER + "9,person,Someone Else,,,,,,\n")
    assert office.decide(RESCREEN) == []
    assert status(office) is CustomerStatus.REFUSED
    customer = office.customers[CUSTOMER]
    assert [hit.entity_id for hit in customer.verdict.hits] == ["1"]
    assert customer.catalogue_version == 2


def test_a_customer_is_found_by_all_words_of_its_name_whichever_release_has_put_it_down() -> None:
    office = Office()
    office.decide(registered("José Müller"))
    customer = office.customers[CUSTOMER]
    words = {word for word, _ in word_rows(None, customer)}
    assert {"jose", "muller"} <= words
    assert word_rows(customer, customer) == []
    of_old = replace(customer, matcher_version=MATCHER_VERSION - 1)
    assert {word for word, _ in word_rows(of_old, customer)} == words


def test_news_about_a_customer_under_review_takes_a_proposal_back() -> None:
    office = Office()
    office.decide(registered(ALIKE))
    case_id = office.case().case_id
    office.decide(TakeCase(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=1))
    office.decide(
        ProposeDecision(
            case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=2, decision=CaseDecision.APPROVE, note="seen"
        )
    )
    office.switch_to(LIST + '4,person,"VARKOSKIY, Dmitrum",,,,,,\n')
    assert office.decide(RESCREEN) == []
    assert office.case().status is CaseStatus.TAKEN
    assert office.case().proposal is None


def test_looking_at_a_customer_nobody_knows_changes_nothing() -> None:
    assert Office().decide(RESCREEN) == []


def test_a_customer_with_many_hits_is_shown_all_of_them_and_the_next_one_too() -> None:
    many = HEADER + "".join(f"{number},person,Dmitrun Varkoskiy,,,,,,\n" for number in range(1, 16))
    office = Office(many)
    office.decide(registered("Dmitrum Varkoskiy"))
    assert len(office.case().customer.verdict.hits) == 15  # type: ignore[union-attr]
    decide(office, CaseDecision.APPROVE)
    office.switch_to(many + '99,person,"VARKOSKY, Dmitrun",,,,,,\n')
    restricted, _ = office.decide(RESCREEN)
    assert isinstance(restricted, CustomerRestricted)
    assert [hit.entity_id for hit in office.case().customer.verdict.hits] == ["99"]  # type: ignore[union-attr]


def test_what_people_have_cleared_is_a_case_again_when_it_must_block() -> None:
    office = Office()
    office.decide(registered(ALIKE, birth_date="1968-03-15"))
    decide(office, CaseDecision.APPROVE)
    office.switch_to(LIST.replace("1968-03-14", "1968-03-15").replace('"VARKOSKY, Dmitrun"', ALIKE))
    restricted, _ = office.decide(RESCREEN)
    assert isinstance(restricted, CustomerRestricted)
    assert office.case().is_about_listed_party


@pytest.mark.parametrize("name", [ORDINARY, "Zarifan Qandarus"])
def test_who_was_restricted_by_a_mistake_in_a_list_may_be_approved_once_it_is_mended(name: str) -> None:
    office = Office()
    office.decide(registered(name))
    office.switch_to(NEWLY_BLOCKED + "4,person,Ann Miller,,,,,,\n")
    office.decide(RESCREEN)
    office.switch_to(LIST)
    assert office.decide(RESCREEN) == []
    assert not office.case().is_about_listed_party
    assert isinstance(decide(office, CaseDecision.APPROVE)[1], CustomerVerified)


def test_a_new_version_of_a_list_that_says_the_same_leaves_a_proposal_alone() -> None:
    office = Office()
    office.decide(registered(ALIKE))
    case_id = office.case().case_id
    office.decide(TakeCase(case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=1))
    office.decide(
        ProposeDecision(
            case_id=case_id, actor="ann", role=Role.SUPERVISOR, version=2, decision=CaseDecision.APPROVE, note="seen"
        )
    )
    office.switch_to(LIST + "3,person,Someone Else,,,,,,\n")
    assert office.decide(RESCREEN) == []
    assert office.case().status is CaseStatus.PROPOSED


def test_who_could_not_be_screened_and_was_approved_stays_so_when_lists_change() -> None:
    office = Office()
    office.decide(registered("???"))
    decide(office, CaseDecision.APPROVE)
    office.switch_to(NEWLY_LISTED)
    assert office.decide(RESCREEN) == []
    assert status(office) is CustomerStatus.VERIFIED


CLOSED = CustomerClosed(customer_id=CUSTOMER, closed_at=START)


def test_a_closed_customer_is_looked_up_no_more_and_what_is_known_about_it_is_kept() -> None:
    office = Office()
    office.decide(registered())
    known = office.customers[CUSTOMER]
    assert office.decide(CLOSED) == []
    office.switch_to(NEWLY_LISTED.replace("MILLER, Anne", ORDINARY))
    assert office.decide(RESCREEN) == []
    assert office.customers[CUSTOMER] == replace(known, status=CustomerStatus.CLOSED)
    assert office.cases == {}


@pytest.mark.parametrize("decision", [CaseDecision.APPROVE, CaseDecision.REJECT])
def test_what_people_decide_about_a_closed_customer_is_kept_and_lets_nobody_be_served(decision: CaseDecision) -> None:
    office = Office()
    office.decide(registered(ALIKE))
    office.decide(CLOSED)
    (resolved,) = decide(office, decision)
    assert isinstance(resolved, CaseResolved)
    assert (office.case().status, status(office)) == (CaseStatus.RESOLVED, CustomerStatus.CLOSED)


def test_one_that_is_not_known_cannot_be_closed() -> None:
    with pytest.raises(KeyError):
        Office().decide(CLOSED)
