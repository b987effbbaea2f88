"""Cases: opened by what is suspended, decided by two people, and every refusal in its order."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from libs.common.record import Record
from schemas.accounts.events import PropertyBlocked
from schemas.compliance.events import CaseConcern, CaseDecision, CaseOpened, CaseResolved, CaseTaken
from schemas.payments.events import (
    InternalReason,
    PaymentBlocked,
    PaymentCancelled,
    PaymentEvidence,
    PaymentRefusalExplained,
    PaymentResumed,
)
from services.compliance.domain.acts import (
    ConfirmDecision,
    ProposeDecision,
    RefusalReason,
    ReleaseCase,
    ReturnCase,
    TakeCase,
    TakeOverCase,
)
from services.compliance.domain.case import ActKind, CaseStatus
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.people import Role
from tests.unit.compliance.office import (
    ACCOUNT,
    CREDITOR_ACCOUNT,
    CUSTOMER,
    DECIDE_BY,
    PAYMENT,
    START,
    Office,
    suspended,
)

CASE = payment_case_id(PAYMENT)
LISTED = PaymentEvidence(compliance_outcome="block")
LATER = START + timedelta(days=1)

RESUMED = PaymentResumed(payment_id=PAYMENT, debtor_account_id=ACCOUNT, resumed_at=START)
CANCELLED = PaymentCancelled(payment_id=PAYMENT, debtor_account_id=ACCOUNT, cancelled_at=START)
EXPLAINED = PaymentRefusalExplained(
    payment_id=PAYMENT,
    debtor_account_id=ACCOUNT,
    reason=InternalReason.REVIEW_TIMED_OUT,
    evidence=PaymentEvidence(),
    explained_at=START,
)


def take(actor: str = "ann", version: int = 1) -> TakeCase:
    return TakeCase(case_id=CASE, actor=actor, role=Role.SUPERVISOR, version=version)


def take_over(actor: str = "ben", version: int = 2, note: str = "ann is away") -> TakeOverCase:
    return TakeOverCase(case_id=CASE, actor=actor, role=Role.SUPERVISOR, version=version, note=note)


def release(actor: str = "ann", version: int = 2, note: str = "on leave") -> ReleaseCase:
    return ReleaseCase(case_id=CASE, actor=actor, role=Role.SUPERVISOR, version=version, note=note)


def propose(
    decision: CaseDecision = CaseDecision.APPROVE, actor: str = "ann", version: int = 2, note: str = "known customer"
) -> ProposeDecision:
    return ProposeDecision(
        case_id=CASE, actor=actor, role=Role.SUPERVISOR, version=version, decision=decision, note=note
    )


def confirm(actor: str = "ben", version: int = 3, note: str = "") -> ConfirmDecision:
    return ConfirmDecision(case_id=CASE, actor=actor, role=Role.SUPERVISOR, version=version, note=note)


def send_back(actor: str = "ben", version: int = 3, note: str = "look again") -> ReturnCase:
    return ReturnCase(case_id=CASE, actor=actor, role=Role.SUPERVISOR, version=version, note=note)


def nothing(_: Office) -> None: ...


def opened(office: Office) -> None:
    office.decide(suspended())


def opened_listed(office: Office) -> None:
    office.decide(suspended(evidence=LISTED))


def taken(office: Office) -> None:
    opened(office)
    office.decide(take())


def taken_without_data(office: Office) -> None:
    evidence = PaymentEvidence(compliance_outcome="incomplete", compliance_missing=("debtor.address",))
    office.decide(suspended(evidence=evidence))
    office.decide(take())


def taken_listed(office: Office) -> None:
    opened_listed(office)
    office.decide(take())


def proposed(office: Office) -> None:
    taken(office)
    office.decide(propose())


def resolved(office: Office) -> None:
    proposed(office)
    office.decide(confirm())


def closed(office: Office) -> None:
    opened(office)
    office.decide(RESUMED)


def never_opened(office: Office) -> None:
    office.decide(CANCELLED)


@pytest.mark.parametrize(
    ("given", "command", "reason"),
    [
        (nothing, take(), RefusalReason.CASE_UNKNOWN),
        (never_opened, take(), RefusalReason.CASE_UNKNOWN),
        (resolved, take(version=4), RefusalReason.NOT_OPEN),
        (closed, take(version=2), RefusalReason.NOT_OPEN),
        (taken, take("ben", 2), RefusalReason.ALREADY_TAKEN),
        (taken, take("ann", 2), RefusalReason.ALREADY_TAKEN),
        (opened, take(version=0), RefusalReason.STALE),
        (nothing, take_over(), RefusalReason.CASE_UNKNOWN),
        (taken, take_over(note=" "), RefusalReason.NOTE_MISSING),
        (resolved, take_over(version=4), RefusalReason.NOT_OPEN),
        (taken, take_over("ann"), RefusalReason.ALREADY_TAKEN),
        (opened, take_over(version=1), RefusalReason.NOT_TAKEN),
        (proposed, take_over(version=3), RefusalReason.ALREADY_PROPOSED),
        (taken, take_over(version=1), RefusalReason.STALE),
        (nothing, release(), RefusalReason.CASE_UNKNOWN),
        (taken, release(note="  "), RefusalReason.NOTE_MISSING),
        (resolved, release(version=4), RefusalReason.NOT_OPEN),
        (taken, release("ben"), RefusalReason.NOT_TAKEN),
        (opened, release(version=1), RefusalReason.NOT_TAKEN),
        (proposed, release(version=3), RefusalReason.ALREADY_PROPOSED),
        (taken, release(version=1), RefusalReason.STALE),
        (nothing, propose(), RefusalReason.CASE_UNKNOWN),
        (taken, propose(note=" \n"), RefusalReason.NOTE_MISSING),
        (resolved, propose(version=4), RefusalReason.NOT_OPEN),
        (closed, propose(), RefusalReason.NOT_OPEN),
        (opened, propose(version=1), RefusalReason.NOT_TAKEN),
        (taken, propose(actor="ben"), RefusalReason.NOT_TAKEN),
        (proposed, propose(version=3), RefusalReason.ALREADY_PROPOSED),
        (taken_listed, propose(), RefusalReason.LISTED_PARTY),
        (taken_without_data, propose(), RefusalReason.DATA_MISSING),
        (taken, propose(version=1), RefusalReason.STALE),
        (nothing, confirm(), RefusalReason.CASE_UNKNOWN),
        (resolved, confirm(version=4), RefusalReason.NOT_OPEN),
        (taken, confirm(version=2), RefusalReason.NOTHING_PROPOSED),
        (proposed, confirm("ann"), RefusalReason.OWN_PROPOSAL),
        (proposed, confirm(version=2), RefusalReason.STALE),
        (nothing, send_back(), RefusalReason.CASE_UNKNOWN),
        (proposed, send_back(note=""), RefusalReason.NOTE_MISSING),
        (resolved, send_back(version=4), RefusalReason.NOT_OPEN),
        (taken, send_back(version=2), RefusalReason.NOTHING_PROPOSED),
        (proposed, send_back("ann"), RefusalReason.OWN_PROPOSAL),
        (proposed, send_back(version=2), RefusalReason.STALE),
    ],
)
def test_an_act_that_may_not_be_is_refused_and_changes_nothing(
    given: Callable[[Office], None], command: Record, reason: RefusalReason
) -> None:
    office = Office()
    given(office)
    before = dict(office.cases), list(office.acts)
    assert office.refusal(command) == reason
    assert (dict(office.cases), list(office.acts)) == before


def test_a_suspended_payment_becomes_a_case_with_what_is_known_about_it() -> None:
    office = Office()
    (event,) = office.decide(suspended(InternalReason.COMPLIANCE_REVIEW, InternalReason.FRAUD_REVIEW))
    assert isinstance(event, CaseOpened)
    assert (event.case_id, event.payment_id, event.partition_key) == (CASE, PAYMENT, ACCOUNT)
    case = office.case()
    assert (case.status, case.decide_by, case.reasons) == (
        CaseStatus.OPEN,
        DECIDE_BY,
        ("compliance_review", "fraud_review"),
    )


@pytest.mark.parametrize("decision", [CaseDecision.APPROVE, CaseDecision.REJECT, CaseDecision.BLOCK])
def test_two_people_decide_a_case(decision: CaseDecision) -> None:
    office = Office()
    opened(office)
    (told,) = office.decide(take())
    assert isinstance(told, CaseTaken)
    assert told.taken_by == "ann"
    assert office.decide(propose(decision)) == []
    (event,) = office.decide(confirm())
    assert isinstance(event, CaseResolved)
    assert (event.decision, event.proposed_by, event.confirmed_by) == (decision, "ann", "ben")
    assert office.timeline() == ["opened", "taken", "proposed", "confirmed"]
    assert [(act.number, act.actor) for act in office.acts] == [(1, "weir"), (2, "ann"), (3, "ann"), (4, "ben")]


@pytest.mark.parametrize(
    ("reasons", "concerns"),
    [
        ((InternalReason.FRAUD_REVIEW,), (CaseConcern.FRAUD,)),
        ((InternalReason.FRAUD_REVIEW, InternalReason.FRAUD_BLOCK), (CaseConcern.FRAUD,)),
        ((InternalReason.COMPLIANCE_REVIEW,), (CaseConcern.SCREENING,)),
        (
            (InternalReason.COMPLIANCE_REVIEW, InternalReason.FRAUD_REVIEW),
            (CaseConcern.SCREENING, CaseConcern.FRAUD),
        ),
        ((InternalReason.ANSWER_MISSING,), (CaseConcern.OTHER,)),
    ],
)
def test_a_decision_tells_what_it_was_about(
    reasons: tuple[InternalReason, ...], concerns: tuple[CaseConcern, ...]
) -> None:
    office = Office()
    office.decide(suspended(*reasons))
    office.decide(take())
    office.decide(propose())
    (event,) = office.decide(confirm())
    assert isinstance(event, CaseResolved)
    assert event.concerns == concerns


def test_a_listed_partys_payment_may_still_be_rejected_or_blocked() -> None:
    office = Office()
    taken_listed(office)
    assert office.refusal(propose(CaseDecision.BLOCK)) is None


def test_a_returned_case_goes_on_with_whoever_proposed() -> None:
    office = Office()
    proposed(office)
    office.decide(send_back())
    assert (office.case().status, office.case().taken_by, office.case().proposal) == (CaseStatus.TAKEN, "ann", None)
    office.decide(propose(CaseDecision.REJECT, version=4, note="rightly so"))
    (event,) = office.decide(confirm(version=5))
    assert isinstance(event, CaseResolved)
    assert event.decision is CaseDecision.REJECT


def test_a_case_that_was_put_back_can_be_taken_by_another() -> None:
    office = Office()
    taken(office)
    office.decide(release())
    office.decide(take("ben", 3))
    assert office.case().taken_by == "ben"


def test_a_case_whose_person_is_away_is_taken_over_and_its_timeline_says_from_whom() -> None:
    office = Office()
    taken(office)
    (told,) = office.decide(take_over())
    assert isinstance(told, CaseTaken)
    assert (told.taken_by, office.case().status, office.case().taken_by) == ("ben", CaseStatus.TAKEN, "ben")
    act = office.acts[-1]
    assert (act.kind, act.actor, act.taken_from, act.note) == (ActKind.TAKEN_OVER, "ben", "ann", "ann is away")
    assert office.refusal(propose(version=3)) == RefusalReason.NOT_TAKEN


def test_who_has_taken_a_case_over_and_proposes_does_not_confirm_and_who_had_it_before_may() -> None:
    office = Office()
    taken(office)
    office.decide(take_over())
    office.decide(propose(actor="ben", version=3))
    assert office.refusal(confirm("ben", version=4)) == RefusalReason.OWN_PROPOSAL
    (event,) = office.decide(confirm("ann", version=4))
    assert isinstance(event, CaseResolved)
    assert (event.proposed_by, event.confirmed_by) == ("ben", "ann")


def test_who_proposed_and_is_away_is_sent_the_case_back_and_then_it_is_taken_over() -> None:
    office = Office()
    proposed(office)
    office.decide(send_back())
    office.decide(take_over(version=4))
    office.decide(propose(CaseDecision.REJECT, "ben", version=5))
    assert office.refusal(confirm("ben", version=6)) == RefusalReason.OWN_PROPOSAL


def test_of_two_who_act_at_once_the_second_is_told() -> None:
    office = Office()
    opened(office)
    assert office.refusal(take("ann")) is None
    assert office.refusal(take("ben")) == RefusalReason.ALREADY_TAKEN
    office.decide(propose())
    assert office.refusal(confirm("ben")) is None
    assert office.refusal(send_back("eve")) == RefusalReason.NOT_OPEN


def test_news_takes_a_proposal_back_for_it_was_made_without_it() -> None:
    office = Office()
    proposed(office)
    office.decide(suspended(InternalReason.COMPLIANCE_REVIEW, InternalReason.FRAUD_REVIEW))
    assert (office.case().status, office.case().proposal) == (CaseStatus.TAKEN, None)
    assert office.refusal(confirm(version=4)) == RefusalReason.NOTHING_PROPOSED


def test_the_same_told_again_changes_nothing_that_people_see() -> None:
    office = Office()
    proposed(office)
    assert office.decide(suspended()) == []
    assert office.case().status is CaseStatus.PROPOSED
    assert office.refusal(confirm()) is None


@pytest.mark.parametrize("event", [RESUMED, CANCELLED, EXPLAINED], ids=["resumed", "cancelled", "refused"])
@pytest.mark.parametrize("given", [opened, taken, proposed])
def test_what_settles_itself_closes_the_case(given: Callable[[Office], None], event: Record) -> None:
    office = Office()
    given(office)
    assert office.decide(event) == []
    assert (office.case().status, office.timeline()[-1]) == (CaseStatus.CLOSED, "closed")


@pytest.mark.parametrize("given", [nothing, taken, closed])
def test_a_case_stays_open_though_it_is_told_late_that_the_payment_went_on_before(
    given: Callable[[Office], None],
) -> None:
    """A dead letter may be replayed after the payment was suspended again: then people are still asked."""
    office = Office()
    given(office)
    office.decide(suspended(InternalReason.POSTING_REFUSED, at=LATER))
    before = office.case()
    assert office.decide(RESUMED) == []
    assert office.case() == before


@pytest.mark.parametrize("event", [RESUMED, CANCELLED, EXPLAINED], ids=["resumed", "cancelled", "refused"])
def test_what_ends_a_decided_payment_leaves_the_decision_on_record(event: Record) -> None:
    office = Office()
    resolved(office)
    office.decide(event)
    assert (office.case().status, office.case().decision) == (CaseStatus.RESOLVED, CaseDecision.APPROVE)


@pytest.mark.parametrize("given", [resolved, closed])
def test_a_payment_suspended_again_opens_its_case_again(given: Callable[[Office], None]) -> None:
    office = Office()
    given(office)
    (event,) = office.decide(suspended(InternalReason.POSTING_REFUSED, at=LATER))
    assert isinstance(event, CaseOpened)
    case = office.case()
    assert (case.status, case.taken_by, case.decision, case.reasons) == (
        CaseStatus.OPEN,
        None,
        None,
        ("posting_refused",),
    )
    assert office.timeline()[-1] == "reopened"


@pytest.mark.parametrize("told_at", [START, LATER], ids=["sooner by our clock", "later by our clock"])
def test_news_that_was_on_its_way_while_people_decided_opens_nothing_again(told_at: datetime) -> None:
    office = Office()
    resolved(office)
    assert office.decide(suspended(InternalReason.FRAUD_REVIEW, at=told_at, decide_by=DECIDE_BY)) == []
    assert office.case().status is CaseStatus.RESOLVED


@pytest.mark.parametrize("given", [resolved, closed])
def test_a_payment_suspended_again_is_a_case_again_though_its_clock_is_behind_ours(
    given: Callable[[Office], None],
) -> None:
    """Compliance may hear of the end of one suspension after the next has begun: when it heard of it tells nothing."""
    office = Office()
    given(office)
    soon = START + timedelta(milliseconds=5)
    assert soon < office.now
    (event,) = office.decide(suspended(InternalReason.POSTING_REFUSED, at=soon))
    assert isinstance(event, CaseOpened)


def test_what_was_told_before_and_comes_later_does_not_replace_what_people_see() -> None:
    """A dead letter may be replayed after what followed it."""
    office = Office()
    opened(office)
    newer = suspended(InternalReason.FRAUD_REVIEW, at=LATER, decide_by=DECIDE_BY)
    older = suspended(InternalReason.ANSWER_MISSING, at=START + timedelta(seconds=1), decide_by=DECIDE_BY)
    office.decide(newer)
    version = office.case().version
    assert office.decide(older) == []
    assert (office.case().reasons, office.case().version) == (("fraud_review",), version)


def test_a_decision_tells_what_it_was_made_on() -> None:
    office = Office()
    opened(office)
    office.decide(suspended(InternalReason.FRAUD_REVIEW, at=LATER, decide_by=DECIDE_BY))
    office.decide(take(version=2))
    office.decide(propose(version=3))
    (event,) = office.decide(confirm(version=4))
    assert isinstance(event, CaseResolved)
    assert event.evidence_at == LATER


@pytest.mark.parametrize("event", [CANCELLED, EXPLAINED], ids=["cancelled", "refused"])
def test_a_suspension_that_is_told_after_the_end_opens_nothing(event: Record) -> None:
    office = Office()
    closed(office)
    office.decide(event)
    assert office.decide(suspended(at=LATER)) == []
    assert office.case().status is CaseStatus.CLOSED


def test_a_payment_withdrawn_before_its_suspension_is_told_becomes_no_case() -> None:
    office = Office()
    office.decide(CANCELLED)
    assert office.decide(suspended()) == []
    assert office.case().opened_at is None
    assert office.case().ended_at is not None, "it is forgotten in its time"


@pytest.mark.parametrize("event", [RESUMED, EXPLAINED], ids=["resumed", "refused"])
def test_what_never_was_a_case_leaves_nothing_behind(event: Record) -> None:
    office = Office()
    assert office.decide(event) == []
    assert office.cases == {}


def test_blocked_money_is_put_down_with_the_day_its_report_is_due() -> None:
    office = Office()
    office.decide(
        PaymentBlocked(
            payment_id=PAYMENT,
            debtor_account_id=ACCOUNT,
            amount_minor=100,
            currency="EUR",
            transfer_id=CASE,
            blocked_at=START,
        )
    )
    (found,) = office.blocked
    assert found.report_due_on.isoformat() == "2026-01-20"


def test_a_listed_customers_own_money_is_put_down_by_the_transfer_that_blocked_it() -> None:
    office = Office()
    office.decide(
        PropertyBlocked(
            account_id=ACCOUNT,
            customer_id=CUSTOMER,
            blocked_account_id=CREDITOR_ACCOUNT,
            amount_minor=100,
            currency="EUR",
            transfer_id=CASE,
            blocked_at=START,
        )
    )
    (found,) = office.blocked
    assert (found.payment_id, found.customer_id, found.debtor_account_id) == (CASE, CUSTOMER, ACCOUNT)
    assert (found.amount_minor, found.report_due_on.isoformat()) == (100, "2026-01-20")


def test_what_a_refused_payment_had_held_is_put_down_as_that_payments() -> None:
    office = Office()
    office.decide(
        PropertyBlocked(
            account_id=ACCOUNT,
            customer_id=CUSTOMER,
            blocked_account_id=CREDITOR_ACCOUNT,
            amount_minor=100,
            currency="EUR",
            transfer_id=CASE,
            blocked_at=START,
            payment_id=PAYMENT,
        )
    )
    (found,) = office.blocked
    assert (found.payment_id, found.customer_id, found.transfer_id) == (PAYMENT, CUSTOMER, CASE)
