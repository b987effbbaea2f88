"""Screening on real parts: asked through Kafka, remembered in Postgres, answered once."""

import threading
from collections.abc import Collection
from datetime import timedelta

import pytest

from libs.common import ids
from libs.common.service import Runtime
from schemas.compliance.events import (
    CaseOpened,
    ComplianceScreened,
    CustomerRefused,
    CustomerVerified,
    ScreeningOutcome,
)
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated
from services.compliance.catalogue import live_catalogue
from services.compliance.domain import parties
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import Verdict, screen
from services.compliance.matching.subject import Subject
from services.compliance.settings import ComplianceSettings
from tests.deciding import Announcer, decide
from tests.integration.compliance.scene import ALIKE, LISTED, NOW, initiated, order, registered, rows
from tests.serving import running, told
from tests.waiting import wait_until


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were searched for, rather than remembered."""
    names: list[str] = []

    def counted(index: NameIndex, subject: Subject, *, ruled_out: Collection[str] = ()) -> Verdict:
        names.append(subject.name)
        return screen(index, subject, ruled_out=ruled_out)

    monkeypatch.setattr(parties, "screen", counted)
    return names


def answers(runtime: Runtime) -> list[ComplianceScreened]:
    return [event for event in told(runtime) if isinstance(event, ComplianceScreened)]


def test_a_payment_asked_about_on_its_topic_is_answered(compliance: Runtime) -> None:
    payments = Announcer(compliance, PaymentInitiated)
    clear, alike, listed = (initiated(order(creditor=name)) for name in ("Ben Baker", ALIKE, LISTED))
    payments.announce(clear, alike, listed)
    with running(compliance.consumer.run):
        wait_until(lambda: len(rows(compliance, "SELECT 1 FROM outbox")) == 3)
    outcomes = {event.payment_id: event.outcome for event in answers(compliance)}
    assert outcomes == {
        clear.payment_id: ScreeningOutcome.CLEAR,
        alike.payment_id: ScreeningOutcome.REVIEW,
        listed.payment_id: ScreeningOutcome.BLOCK,
    }


def test_a_party_that_is_known_is_not_searched_for_again(compliance: Runtime, searches: list[str]) -> None:
    decide(compliance, initiated(order("Ann Miller", ALIKE, country="DE")))
    again = (order("ANN MILLER", ALIKE, country="DE"), order(ALIKE, "Ann  Miller", country="DE"))
    decide(compliance, *map(initiated, again))
    assert sorted(searches) == sorted(["Ann Miller", ALIKE])
    assert [event.outcome for event in answers(compliance)] == [ScreeningOutcome.REVIEW] * 3
    assert len({event.hits[0].explanation for event in answers(compliance)}) == 1


def test_what_is_remembered_names_nobody(compliance: Runtime) -> None:
    decide(compliance, initiated())
    ((stored,),) = rows(compliance, "SELECT string_agg(p::text, ' ') FROM screened_parties p")
    assert "Ann" not in stored and "Miller" not in stored
    # But for the order itself, for as long as it may be looked back at.
    ((stored,),) = rows(compliance, "SELECT string_agg((to_jsonb(s) - 'ordered')::text, ' ') FROM screenings s")
    assert "Ann" not in stored and "Miller" not in stored


def test_what_was_remembered_too_long_ago_is_searched_for_again(compliance: Runtime, searches: list[str]) -> None:
    decide(compliance, initiated(order("Ann Miller", "Ann Miller", country="DE")))
    compliance.unit.administer(
        lambda tx: tx.exec_driver_sql("UPDATE screened_parties SET expires_at = now() - interval '1 second'")
    )
    decide(compliance, initiated(order("Ann Miller", "Ann Miller", country="DE")))
    assert searches == ["Ann Miller", "Ann Miller"]
    ((expires_at,),) = rows(compliance, "SELECT expires_at FROM screened_parties")
    assert expires_at > NOW + timedelta(days=29)


def test_expired_parties_are_forgotten_by_the_sweep(compliance: Runtime) -> None:
    decide(compliance, initiated())
    compliance.unit.administer(
        lambda tx: tx.exec_driver_sql("UPDATE screened_parties SET expires_at = now() - interval '1 second'")
    )
    # When nothing else is due: payments are looked back at first.
    while compliance.sweep.run_once():
        pass
    assert rows(compliance, "SELECT 1 FROM screened_parties") == []


def test_asked_again_it_says_the_same_again(compliance: Runtime, searches: list[str]) -> None:
    event = initiated(order(creditor=ALIKE))
    overdue = PaymentAnswerOverdue(
        payment_id=event.payment_id, order=event.order, awaited=(Answer.COMPLIANCE,), overdue_at=NOW
    )
    decide(compliance, event)
    decide(compliance, overdue)
    first, second = answers(compliance)
    assert first == second
    assert len(searches) == 2
    numbers = rows(compliance, "SELECT headers::json ->> 'ce_sequence' FROM outbox ORDER BY id")
    assert numbers == [("1",), ("2",)]


def test_batches_that_meet_over_the_same_parties_neither_fail_nor_wait_for_ever(compliance: Runtime) -> None:
    names = [f"Person Number{number}" for number in range(40)]
    barrier = threading.Barrier(2, timeout=20)
    failures = []

    def work(ordered: list[str]) -> None:
        try:
            barrier.wait()
            decide(compliance, *(initiated(order(name, name, country="DE")) for name in ordered))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(ordered,)) for ordered in (names, names[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(answers(compliance)) == 80
    assert rows(compliance, "SELECT count(*) FROM screened_parties") == [(40,)]


def test_a_new_customer_is_answered_as_its_name_deserves(compliance: Runtime) -> None:
    ann, alike, listed = registered("Ann Miller", birth_date="1980-05-17"), registered(ALIKE), registered(LISTED)
    decide(compliance, ann, alike, listed)
    verified, opened, refused = told(compliance)
    assert isinstance(verified, CustomerVerified)
    assert (verified.customer_id, verified.tier) == (ann.customer_id, 2)
    assert isinstance(opened, CaseOpened)
    assert opened.customer_id == alike.customer_id
    assert isinstance(refused, CustomerRefused)
    assert refused.customer_id == listed.customer_id


def test_a_service_without_any_list_begins_with_the_fictional_one(compliance: Runtime) -> None:
    settings = compliance.settings
    assert isinstance(settings, ComplianceSettings)
    decide(compliance, initiated(payment_id=ids.new()))
    held = live_catalogue(settings).held
    assert held is not None
    assert held.label.startswith("fictional:")
    assert len(held.index.parties) >= 60
