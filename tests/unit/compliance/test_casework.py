"""Casework: shared out, written down, put off, passed up, looked at again; and every refusal."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.common import ids
from libs.common.record import Record, replace
from schemas.accounts.events import CustomerClosed
from schemas.compliance.events import (
    CaseDecision,
    CaseOpened,
    CaseResolved,
    CaseTaken,
    CustomerRefused,
    CustomerRestricted,
    CustomerVerified,
    ScreeningOutcome,
)
from schemas.payments.events import Finding, InternalReason, PaymentEvidence, PaymentPersonalData
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, RefusalReason, TakeCase
from services.compliance.domain.alike import ConfirmAlike, ProposeAlike, SeenCase, likeness_of
from services.compliance.domain.case import ActKind, Case, CaseReason, CaseStatus, Rescreened
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.casework import (
    LINKED_MAX,
    AddNote,
    AddTask,
    AssignCase,
    EscalateCase,
    FinishTask,
    LinkPayment,
    NextCase,
    ReopenCase,
    SnoozeCase,
    UnlinkPayment,
    WakeCase,
)
from services.compliance.domain.customers import customer_case_id
from services.compliance.domain.evidence import FILE_BYTES_MAX, AddFile, media_type_of
from services.compliance.domain.meanings import choices
from services.compliance.domain.people import Role
from services.compliance.domain.priority import PRIORITIES, Priority, due_at, priority_of
from services.compliance.domain.searching import customer_words, gained_words, id_in, query_words, search_words
from services.compliance.domain.work import CustomerStatus
from services.compliance.matching.folding import fold
from services.compliance.store.customers import word_rows
from tests.unit.compliance.office import (
    ALIKE,
    CUSTOMER,
    DECIDE_BY,
    PAYMENT,
    START,
    Office,
    initiated,
    registered,
    suspended,
)
from tests.unit.compliance.test_cases import (
    CANCELLED,
    CASE,
    EXPLAINED,
    LATER,
    LISTED,
    RESUMED,
    closed,
    confirm,
    nothing,
    opened,
    propose,
    proposed,
    resolved,
    send_back,
    take,
    taken,
)
from tests.unit.compliance.test_cases import (
    test_an_act_that_may_not_be_is_refused_and_changes_nothing as _acts_refused,
)

CUSTOMER_CASE = customer_case_id(CUSTOMER)
BY_BEN: dict[str, Any] = {"case_id": CASE, "actor": "ben", "role": Role.SUPERVISOR}
BY_ANN: dict[str, Any] = {"case_id": CASE, "actor": "ann", "role": Role.ANALYST}
OF_BEN: dict[str, Any] = {"actor": "ben", "role": Role.SUPERVISOR}
OTHER_PAYMENT = ids.named("another payment")
TOMORROW = START + timedelta(days=1)


def assign(assignee: str = "olga", version: int = 1, note: str = "") -> AssignCase:
    return AssignCase(**BY_BEN, version=version, assignee=assignee, note=note)


def snooze(
    until: datetime = TOMORROW, version: int = 2, note: str = "papers asked for", by: Any = BY_ANN
) -> SnoozeCase:
    return SnoozeCase(**by, version=version, until=until, note=note)


def escalate(to: Role = Role.OFFICER, version: int = 2, note: str = "too large", by: Any = BY_ANN) -> EscalateCase:
    return EscalateCase(**by, version=version, to=to, note=note)


def reopen(version: int = 4, note: str = "a newspaper says otherwise", case_id: str = CASE) -> ReopenCase:
    return ReopenCase(case_id=case_id, actor="ben", role=Role.SUPERVISOR, version=version, note=note)


def next_case(actor: str = "ann", role: Role = Role.ANALYST) -> NextCase:
    return NextCase(actor=actor, role=role, request_id=ids.new())


def add_file(name: str, content: bytes) -> AddFile:
    return AddFile(**BY_ANN, version=1, name=name, content=content, note="from the branch")


def escalated(office: Office) -> None:
    taken(office)
    office.decide(escalate(Role.OFFICER))


def with_task(office: Office) -> None:
    opened(office)
    office.decide(AddTask(**BY_ANN, version=1, note="ask the branch"))


def link(payment_id: str = "", version: int = 1, note: str = "the same device", by: Any = BY_ANN) -> LinkPayment:
    return LinkPayment(**by, version=version, payment_id=payment_id or OTHER_PAYMENT, note=note)


def unlink(payment_id: str = "", version: int = 2, note: str = "another device", by: Any = BY_BEN) -> UnlinkPayment:
    return UnlinkPayment(**by, version=version, payment_id=payment_id or OTHER_PAYMENT, note=note)


def with_link(office: Office) -> None:
    opened(office)
    office.decide(initiated(payment_id=OTHER_PAYMENT))
    office.decide(link())


def with_links(office: Office) -> None:
    opened(office)
    for number in range(LINKED_MAX):
        payment_id = ids.derive(PAYMENT, number)
        office.decide(initiated(payment_id=payment_id))
        office.decide(link(payment_id, number + 1))
    office.decide(initiated(payment_id=OTHER_PAYMENT))


def served_no_more(office: Office) -> None:
    decided_customer(office)
    office.decide(CustomerClosed(customer_id=CUSTOMER, closed_at=START))


def decided_customer(office: Office, decision: CaseDecision = CaseDecision.APPROVE) -> None:
    office.decide(registered(ALIKE))
    about: dict[str, Any] = {"case_id": CUSTOMER_CASE, "role": Role.SUPERVISOR}
    first = office.case().version
    office.decide(TakeCase(**about, actor="ann", version=first))
    office.decide(ProposeDecision(**about, actor="ann", version=first + 1, decision=decision, note="seen"))
    office.decide(ConfirmDecision(**about, actor="ben", version=first + 2, note=""))


@pytest.mark.parametrize(
    ("given", "command", "reason"),
    [
        (nothing, assign(), RefusalReason.CASE_UNKNOWN),
        (resolved, assign(version=4), RefusalReason.NOT_OPEN),
        (taken, assign("ann", 2), RefusalReason.ALREADY_TAKEN),
        (proposed, assign(version=3), RefusalReason.ALREADY_PROPOSED),
        (opened, assign("nobody"), RefusalReason.ASSIGNEE_UNFIT),
        (escalated, assign("ann", 3), RefusalReason.ASSIGNEE_UNFIT),
        (opened, assign(version=0), RefusalReason.STALE),
        (opened, AddNote(**BY_ANN, version=1, note=" "), RefusalReason.NOTE_MISSING),
        (resolved, AddNote(**BY_ANN, version=4, note="late"), RefusalReason.NOT_OPEN),
        (opened, AddTask(**BY_ANN, version=1, note=""), RefusalReason.NOTE_MISSING),
        (opened, FinishTask(**BY_ANN, version=1, task=1), RefusalReason.TASK_UNKNOWN),
        (with_task, FinishTask(**BY_ANN, version=2, task=2), RefusalReason.TASK_UNKNOWN),
        (opened, link(note=" "), RefusalReason.NOTE_MISSING),
        (resolved, link(version=4), RefusalReason.NOT_OPEN),
        (opened, link(ids.new()), RefusalReason.PAYMENT_UNFIT),
        (opened, link(PAYMENT), RefusalReason.PAYMENT_UNFIT),
        (with_link, link(version=2), RefusalReason.PAYMENT_UNFIT),
        (with_links, link(version=LINKED_MAX + 1), RefusalReason.PAYMENT_UNFIT),
        (opened, unlink(version=1), RefusalReason.LINK_UNKNOWN),
        (with_link, unlink(note=""), RefusalReason.NOTE_MISSING),
        (taken, snooze(note=""), RefusalReason.NOTE_MISSING),
        (taken, snooze(by=BY_BEN), RefusalReason.NOT_TAKEN),
        (proposed, snooze(version=3), RefusalReason.ALREADY_PROPOSED),
        (taken, snooze(START), RefusalReason.SNOOZE_OUT_OF_RANGE),
        (taken, snooze(DECIDE_BY + timedelta(seconds=1)), RefusalReason.SNOOZE_OUT_OF_RANGE),
        (taken, snooze(version=1), RefusalReason.STALE),
        (taken, escalate(note=""), RefusalReason.NOTE_MISSING),
        (opened, escalate(version=1), RefusalReason.NOT_TAKEN),
        (proposed, escalate(version=3), RefusalReason.ALREADY_PROPOSED),
        (taken, escalate(Role.ANALYST), RefusalReason.NOT_HIGHER),
        (taken, escalate(Role.ADMINISTRATOR), RefusalReason.NOT_HIGHER),
        (taken, escalate(version=1), RefusalReason.STALE),
        (escalated, TakeCase(**BY_ANN, version=3), RefusalReason.ESCALATED),
        (escalated, TakeCase(**BY_BEN, version=3), RefusalReason.ESCALATED),
        (nothing, reopen(), RefusalReason.CASE_UNKNOWN),
        (resolved, reopen(note=" "), RefusalReason.NOTE_MISSING),
        (proposed, reopen(3), RefusalReason.NOT_ENDED),
        (resolved, reopen(3), RefusalReason.STALE),
        (served_no_more, reopen(case_id=CUSTOMER_CASE), RefusalReason.CUSTOMER_CLOSED),
        (opened, ConfirmAlike(**OF_BEN, cases=(SeenCase(case_id=CASE, version=1),), note=""), RefusalReason.NOT_ALIKE),
        (opened, add_file("a.pdf", b"<script>"), RefusalReason.FILE_UNFIT),
        (nothing, next_case(), RefusalReason.NOTHING_WAITS),
        (taken, next_case("ben"), RefusalReason.NOTHING_WAITS),
        (escalated, next_case("ann"), RefusalReason.NOTHING_WAITS),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(
    given: Callable[[Office], None], command: Record, reason: RefusalReason
) -> None:
    office = Office()
    given(office)
    before = dict(office.cases), list(office.acts), list(office.audit)
    assert office.refusal(command) == reason
    assert (office.cases, office.acts, office.audit) == before


def test_the_tables_have_a_row_for_every_refusal() -> None:
    tables = (
        _acts_refused,
        test_what_is_refused_says_why_and_changes_nothing,
    )
    marks = [mark for table in tables for mark in table.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {reason for mark in marks for _, _, reason in mark.args[1]} == set(RefusalReason)


# How urgent


@pytest.mark.parametrize(
    ("reasons", "outcome", "priority"),
    [
        ((InternalReason.COMPLIANCE_BLOCK,), "block", Priority.P1),
        ((InternalReason.FRAUD_BLOCK, InternalReason.FRAUD_REVIEW), "clear", Priority.P1),
        ((InternalReason.ANSWER_MISSING,), "block", Priority.P1),
        ((InternalReason.COMPLIANCE_REVIEW,), "review", Priority.P2),
        ((InternalReason.POSTING_REFUSED, InternalReason.FRAUD_REVIEW), "clear", Priority.P2),
        ((InternalReason.POSTING_REFUSED,), "clear", Priority.P3),
        ((InternalReason.REVIEWER_REJECTED,), "clear", Priority.P2),
    ],
)
def test_the_most_urgent_reason_counts(reasons: tuple[InternalReason, ...], outcome: str, priority: Priority) -> None:
    office = Office()
    office.decide(suspended(*reasons, evidence=PaymentEvidence(compliance_outcome=outcome)))
    assert priority_of(office.case()) is priority


def test_every_reason_of_compliances_own_has_its_priority() -> None:
    assert set(CaseReason) <= PRIORITIES.keys()


@pytest.mark.parametrize(
    ("evidence", "within"),
    [(LISTED, timedelta(hours=24)), (PaymentEvidence(), timedelta(days=7))],
    ids=["P1 in 24 hours", "P2 in five business days"],
)
def test_a_case_is_due_by_its_priority(evidence: PaymentEvidence, within: timedelta) -> None:
    office = Office()
    office.decide(suspended(evidence=evidence, decide_by=START + timedelta(days=60)))
    assert due_at(office.case()) == office.case().opened_at + within  # type: ignore[operator]


def test_what_time_decides_earlier_is_due_earlier() -> None:
    office = Office()
    office.decide(suspended(decide_by=START + timedelta(hours=5)))
    assert due_at(office.case()) == START + timedelta(hours=5)


# Shared out


def test_the_most_urgent_case_is_handed_out_first_and_to_one_person_only() -> None:
    office = Office()
    payments = [ids.named("payment", str(number)) for number in range(3)]
    office.decide(*(suspended(payment_id=payment_id) for payment_id in payments[:2]))
    office.decide(suspended(payment_id=payments[2], evidence=LISTED))
    events = office.decide(next_case("ann"), next_case("ben"), next_case("olga"))
    assert all(isinstance(event, CaseTaken) for event in events)
    owners = {payment_id: office.cases[payment_case_id(payment_id)].taken_by for payment_id in payments}
    assert owners[payments[2]] == "ann"
    assert sorted(owners.values(), key=str) == ["ann", "ben", "olga"]
    assert office.refusal(next_case("carl")) == RefusalReason.NOTHING_WAITS


def test_a_supervisor_says_who_works_on_a_case() -> None:
    office = Office()
    taken(office)
    (event,) = office.decide(assign("olga", 2, "she knows the customer"))
    assert isinstance(event, CaseTaken)
    assert (event.taken_by, office.case().taken_by, office.case().status) == ("olga", "olga", CaseStatus.TAKEN)
    assert office.acts[-1].taken_from == "ann"
    assert office.acts[-1].note == "to olga\nshe knows the customer"


def test_a_case_passed_up_waits_for_that_role_or_a_higher_one() -> None:
    office = Office()
    taken(office)
    office.decide(escalate(Role.SUPERVISOR))
    assert (office.case().status, office.case().taken_by) == (CaseStatus.OPEN, None)
    assert office.refusal(next_case("ann")) == RefusalReason.NOTHING_WAITS
    office.decide(next_case("ben", Role.SUPERVISOR))
    office.decide(escalate(Role.OFFICER, 4, by=BY_BEN))
    assert office.refusal(next_case("ben", Role.SUPERVISOR)) == RefusalReason.NOTHING_WAITS
    office.decide(next_case("olga", Role.OFFICER))
    assert office.case().taken_by == "olga"


# Written down


def test_a_payment_is_linked_to_what_it_has_to_do_with_and_taken_away_again() -> None:
    office = Office()
    with_link(office)
    (linked,) = office.case().linked
    assert (linked.payment_id, linked.note, linked.linked_by) == (OTHER_PAYMENT, "the same device", "ann")
    assert OTHER_PAYMENT in search_words(office.case())
    assert office.decide(unlink()) == []
    assert office.case().linked == ()
    acts = [(act.kind, act.note) for act in office.acts[-2:]]
    assert acts == [
        (ActKind.PAYMENT_LINKED, f"{OTHER_PAYMENT}\nthe same device"),
        (ActKind.PAYMENT_UNLINKED, f"{OTHER_PAYMENT}\nanother device"),
    ]


def test_a_note_is_kept_and_nobody_confirms_without_having_seen_it() -> None:
    office = Office()
    proposed(office)
    office.decide(AddNote(**BY_BEN, version=3, note="the branch called"))
    assert office.timeline()[-1] == "noted"
    assert office.refusal(confirm(version=3)) == RefusalReason.STALE
    office.decide(confirm(version=4))


def test_a_task_is_done_once_by_somebody_at_some_time() -> None:
    office = Office()
    with_task(office)
    office.decide(FinishTask(**BY_BEN, version=2, task=1))
    (task,) = office.case().tasks
    assert (task.title, task.added_by, task.done_by, task.done_at) == ("ask the branch", "ann", "ben", office.now)
    assert office.refusal(FinishTask(**BY_BEN, version=3, task=1)) == RefusalReason.TASK_UNKNOWN


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("passport.PDF", b"%PDF-1.7 ...", "application/pdf"),
        ("face.png", b"\x89PNG\r\n\x1a\n....", "image/png"),
        ("face.jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("calls.csv", "née,1\n".encode(), "text/csv"),
        ("page.html", b"<script>", None),
        ("face.svg", b"<svg onload='alert(1)'/>", None),
        ("passport.pdf", b"MZ\x90", None),
        ("note.txt", b"\x00\x01", None),
        ("note.txt", b"\xff\xfe", None),
        ("pdf", b"%PDF-1.7", None),
    ],
)
def test_a_file_is_what_its_first_bytes_and_its_name_say(name: str, content: bytes, media_type: str | None) -> None:
    assert media_type_of(name, content) == media_type
    office = Office()
    opened(office)
    if media_type is None:
        assert office.refusal(add_file(name, content)) == RefusalReason.FILE_UNFIT
        return
    office.decide(add_file(name, content))
    (file,) = office.case().files
    assert (file.name, file.media_type, file.size_bytes) == (name, media_type, len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.sha256 in office.audit[-1].details


@pytest.mark.parametrize("name", ["", "a/b.txt", "a\nb.txt", "x" * 200 + ".txt"])
def test_a_file_has_a_plain_name(name: str) -> None:
    office = Office()
    opened(office)
    assert office.refusal(add_file(name, b"text")) == RefusalReason.FILE_UNFIT
    assert office.refusal(add_file("large.txt", b"x" * (FILE_BYTES_MAX + 1))) == RefusalReason.FILE_UNFIT


# Put off


def test_a_case_that_was_put_off_comes_back_by_itself_to_the_same_person() -> None:
    office = Office()
    taken(office)
    before = due_at(office.case())
    office.decide(snooze())
    assert (office.case().snoozed_until, due_at(office.case())) == (TOMORROW, before)
    office.decide(WakeCase(case_id=CASE))
    assert office.case().snoozed_until == TOMORROW
    office.now = TOMORROW
    office.decide(WakeCase(case_id=CASE))
    assert (office.case().snoozed_until, office.case().taken_by) == (None, "ann")
    assert office.timeline()[-2:] == ["snoozed", "awakened"]
    office.decide(WakeCase(case_id=CASE))
    assert office.timeline()[-1] == "awakened"


@pytest.mark.parametrize(
    "news",
    [
        lambda: suspended(InternalReason.FRAUD_BLOCK, at=LATER, decide_by=DECIDE_BY),
        lambda: assign("olga", 3),
        lambda: propose(version=3),
        lambda: RESUMED,
    ],
    ids=["evidence", "assigned", "proposed", "settled"],
)
def test_whatever_happens_to_a_case_that_was_put_off_brings_it_back(news: Callable[[], Record]) -> None:
    office = Office()
    taken(office)
    office.decide(snooze())
    office.decide(news())
    assert office.case().snoozed_until is None


# Alike


def alike_cases(office: Office, source: str = "un/1", count: int = 3) -> tuple[SeenCase, ...]:
    """Payments that resemble the same listed party."""
    hits = (Finding(source=source, score=0.9, reason="resembles"),)
    evidence = PaymentEvidence(compliance_outcome="review", compliance_hits=hits)
    payments = [ids.named("alike", source, str(number)) for number in range(count)]
    office.decide(*(suspended(payment_id=payment_id, evidence=evidence) for payment_id in payments))
    return seen_now(office, *map(payment_case_id, payments))


def seen_now(office: Office, *case_ids: str) -> tuple[SeenCase, ...]:
    return tuple(SeenCase(case_id=case_id, version=office.cases[case_id].version) for case_id in case_ids)


def propose_alike(seen: tuple[SeenCase, ...], actor: str = "ann") -> ProposeAlike:
    return ProposeAlike(
        actor=actor, role=Role.SUPERVISOR, cases=seen, decision=CaseDecision.APPROVE, note="a namesake, as before"
    )


def test_alike_cases_are_proposed_by_one_person_and_confirmed_by_another_each_on_record() -> None:
    office = Office()
    seen = alike_cases(office)
    office.decide(propose_alike(seen))
    proposals = seen_now(office, *(case.case_id for case in seen))
    mine = ConfirmAlike(actor="ann", role=Role.OFFICER, cases=proposals, note="")
    assert office.refusal(mine) == RefusalReason.OWN_PROPOSAL
    events = office.decide(ConfirmAlike(**OF_BEN, cases=proposals, note=""))
    assert [type(event) for event in events] == [CaseResolved] * 3
    kinds = [act.kind.value for act in office.acts if act.case_id == seen[0].case_id]
    assert kinds == ["opened", "taken", "proposed", "confirmed"]
    assert len([entry for entry in office.audit if entry.verb == "confirmed"]) == 3


def test_payments_that_fraud_detection_alone_has_stopped_are_alike_by_the_same_signs() -> None:
    office = Office()

    def likeness(*sources: str, reason: InternalReason = InternalReason.FRAUD_REVIEW) -> str | None:
        findings = tuple(Finding(source=source, score=0.5, reason="odd") for source in sources)
        told = suspended(payment_id=ids.new(), evidence=PaymentEvidence(fraud_findings=findings))
        office.decide(replace(told, reasons=(reason,)))
        return likeness_of(office.cases[payment_case_id(told.payment_id)])

    assert likeness("device", "amount") == likeness("amount", "device") is not None
    assert likeness("device") != likeness("device", "amount")
    assert likeness() is None
    assert likeness("device", reason=InternalReason.ANSWER_MISSING) is None


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (lambda: _second_look(CaseReason.FOUND_LATER), {"explained": "approve", "suspicious": "reject"}),
        (lambda: _second_look(None), {"approve": "approve", "reject": "reject", "block": "block"}),
    ],
)
def test_what_has_settled_is_explained_or_suspicious_when_it_is_found_later(
    case: Callable[[], Case], words: dict[str, str]
) -> None:
    assert {choice.word: choice.decision.value for choice in choices(case())} == words


def test_where_only_blocking_may_be_said_of_what_has_settled_suspicious_stands_for_that() -> None:
    found = _second_look(CaseReason.FOUND_LATER, ScreeningOutcome.BLOCK)
    assert [choice.decision for choice in choices(found) if found.may_end_in(choice.decision)] == [CaseDecision.BLOCK]
    assert [choice.word for choice in choices(found)] == ["explained", "suspicious"]


def _second_look(reason: CaseReason | None, outcome: ScreeningOutcome = ScreeningOutcome.REVIEW) -> Case:
    office = Office()
    office.decide(suspended())
    rescreened = Rescreened(outcome=outcome, reason=reason) if reason else None
    return replace(office.case(), is_second_look=True, rescreened=rescreened)


def test_nothing_is_done_to_any_of_several_cases_if_it_may_not_be_done_to_one() -> None:
    office = Office()
    seen, others = alike_cases(office), alike_cases(office, "un/2")
    before = dict(office.cases)
    assert office.refusal(propose_alike((*seen, others[0]))) == RefusalReason.NOT_ALIKE
    assert office.refusal(propose_alike((*seen, seen[0]))) == RefusalReason.NOT_ALIKE
    stale = (*seen[:2], SeenCase(case_id=seen[2].case_id, version=0))
    assert office.refusal(propose_alike(stale)) == RefusalReason.STALE
    assert office.cases == before
    assert not office.audit
    # One of them proposed by whoever is to confirm: none is confirmed.
    office.decide(propose_alike(seen[:2]), propose_alike(seen[2:], "ben"))
    proposals = seen_now(office, *(case.case_id for case in seen))
    assert office.refusal(ConfirmAlike(**OF_BEN, cases=proposals, note="")) == RefusalReason.OWN_PROPOSAL
    assert {office.cases[case.case_id].status for case in seen} == {CaseStatus.PROPOSED}


# Looked at again


def test_a_payment_that_is_looked_at_again_is_decided_by_two_people_and_nobody_else_hears_of_it() -> None:
    office = Office()
    resolved(office)
    assert office.decide(reopen()) == []
    case = office.case()
    assert (case.status, case.is_second_look, case.decision, priority_of(case)) == (
        CaseStatus.OPEN,
        True,
        None,
        Priority.P3,
    )
    assert due_at(case) == office.now + timedelta(days=30)
    assert office.decide(take(version=5)) == []
    assert office.decide(propose(CaseDecision.REJECT, version=6)) == []
    assert office.refusal(confirm("ann", 7)) == RefusalReason.OWN_PROPOSAL
    assert office.decide(confirm(version=7)) == []
    assert (office.case().status, office.case().decision) == (CaseStatus.RESOLVED, CaseDecision.REJECT)
    decisions = [act.decision for act in office.acts if act.kind.value == "confirmed"]
    assert decisions == [CaseDecision.APPROVE, CaseDecision.REJECT]


@pytest.mark.parametrize("event", [RESUMED, EXPLAINED, CANCELLED], ids=["resumed", "refused", "withdrawn"])
def test_the_end_of_the_payment_does_not_end_a_second_look(event: Record) -> None:
    office = Office()
    resolved(office)
    office.decide(reopen())
    office.decide(event)
    assert office.case().status is CaseStatus.OPEN


def test_a_payment_that_is_suspended_anew_is_no_second_look_any_more() -> None:
    office = Office()
    closed(office)
    office.decide(reopen(2))
    office.decide(take(version=3))
    (event,) = office.decide(suspended(at=LATER))
    assert isinstance(event, CaseOpened)
    assert (office.case().is_second_look, office.case().taken_by) == (False, None)
    office.decide(take(version=5), propose(version=6))
    assert [type(event) for event in office.decide(confirm(version=7))] == [CaseResolved]


def test_a_customer_who_is_looked_at_again_is_restricted_until_two_people_have_decided_anew() -> None:
    office = Office()
    decided_customer(office)
    assert office.customers[CUSTOMER].cleared
    events = office.decide(reopen(case_id=CUSTOMER_CASE))
    assert [type(event) for event in events] == [CaseOpened, CustomerRestricted]
    customer = office.customers[CUSTOMER]
    assert (customer.status, customer.cleared) == (CustomerStatus.RESTRICTED, ())
    assert not office.case().is_second_look
    about: dict[str, Any] = {"case_id": CUSTOMER_CASE, "role": Role.SUPERVISOR}
    office.decide(TakeCase(**about, actor="ben", version=5))
    office.decide(ProposeDecision(**about, actor="ben", version=6, decision=CaseDecision.REJECT, note="it is him"))
    assert office.refusal(ConfirmDecision(**about, actor="ben", version=7, note="")) == RefusalReason.OWN_PROPOSAL
    events = office.decide(ConfirmDecision(**about, actor="ann", version=7, note=""))
    assert [type(event) for event in events] == [CaseResolved, CustomerRefused]


def test_a_customer_who_was_refused_by_mistake_can_be_served_after_all() -> None:
    office = Office()
    decided_customer(office, CaseDecision.REJECT)
    events = office.decide(reopen(case_id=CUSTOMER_CASE))
    assert [type(event) for event in events] == [CaseOpened]
    assert office.customers[CUSTOMER].status is CustomerStatus.IN_REVIEW
    about: dict[str, Any] = {"case_id": CUSTOMER_CASE, "role": Role.SUPERVISOR}
    office.decide(TakeCase(**about, actor="ben", version=5))
    office.decide(ProposeDecision(**about, actor="ben", version=6, decision=CaseDecision.APPROVE, note="someone else"))
    events = office.decide(ConfirmDecision(**about, actor="ann", version=7, note=""))
    assert [type(event) for event in events] == [CaseResolved, CustomerVerified]


def test_sending_back_still_takes_another_person_however_a_case_was_shared_out() -> None:
    office = Office()
    opened(office)
    office.decide(assign("ann", 1))
    office.decide(propose(version=2))
    assert office.refusal(send_back("ann", 3)) == RefusalReason.OWN_PROPOSAL
    office.decide(send_back("ben", 3))


# Found again


def test_a_case_is_found_by_its_ids_and_by_words_as_they_are_written_or_sound() -> None:
    office = Office()
    office.decide(suspended())
    words = search_words(office.case())
    assert {CASE, PAYMENT, CUSTOMER, "ann", "miller", "baker"} <= words
    assert query_words(f"  {PAYMENT.upper()} ") == ((PAYMENT, PAYMENT),)
    assert [word for word, _ in query_words("Ann Miller x")] == ["ann", "miller"]
    assert query_words(" % _ ") == ()


def test_a_case_that_changes_gains_what_finds_it_now_and_did_not_before() -> None:
    office = Office()
    opened(office)
    before = office.case()
    assert gained_words(None, before) == search_words(before)
    assert gained_words(before, replace(before, taken_by="olga", is_payment_over=True)) == frozenset()
    assert before.payment is not None
    order = before.payment.order
    assert isinstance(order.personal, PaymentPersonalData)
    parties = replace(order.personal, creditor=replace(order.personal.creditor, name="Zita Miller"))
    renamed = replace(before, payment=replace(before.payment, order=replace(order, personal=parties)))
    assert {"zita"} <= gained_words(before, renamed) <= {"zita", fold("zita")}
    office.decide(initiated(payment_id=OTHER_PAYMENT))
    office.decide(link())
    assert gained_words(before, office.case()) == {OTHER_PAYMENT}


def test_a_customer_is_found_by_the_words_of_its_name_until_that_is_gone() -> None:
    office = Office()
    office.decide(registered())
    customer = office.customers[CUSTOMER]
    assert {"ann", "miller"} <= customer_words(customer)
    assert {id_ for _, id_ in word_rows(None, customer)} == {CUSTOMER}
    assert word_rows(customer, replace(customer, tier=2)) == []
    assert customer_words(replace(customer, subject=None)) == frozenset()
    assert (id_in(f" {CUSTOMER.upper()} "), id_in("ann")) == (CUSTOMER, None)
