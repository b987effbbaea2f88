"""What people decide about suspicions of fraud is a label; what they decide about anything else is none."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common import ids
from schemas.compliance.events import CaseConcern, CaseDecision, CaseResolved
from schemas.fraud.events import FraudOutcome, Label, PaymentLabelled
from schemas.payments.events import Channel
from services.fraud import rulebooks
from services.fraud.domain.entities import Entity, EntityKind
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Assessment, Knowledge, Panel
from services.fraud.domain.labelling import LabelPayment, label, learn_from_case

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
PAYMENT, ANN, SHOP = ids.named("payment"), ids.named("ann"), ids.named("shop")
FRAUD, SCREENING, OTHER = CaseConcern.FRAUD, CaseConcern.SCREENING, CaseConcern.OTHER


def knowledge() -> Knowledge:
    """What fraud knows of one payment."""
    assessment = Assessment(
        payment_id=PAYMENT,
        debtor_account_id=ANN,
        creditor_account_id=SHOP,
        amount_minor=1_000,
        currency="EUR",
        channel=Channel.WEB,
        instructed_at=START,
        outcome=FraudOutcome.REVIEW,
        score=0.5,
        rules_version="one",
        assessed_at=START,
    )
    return Knowledge(
        panel=Panel(live=Judge(rulebooks.shipped())),
        debtors={ANN: Entity(kind=EntityKind.DEBTOR, entity_id=ANN)},
        creditors={SHOP: Entity(kind=EntityKind.CREDITOR, entity_id=SHOP)},
        devices={},
        assessments={PAYMENT: assessment},
        listed={},
        list_entries={},
        versions={},
    )


def resolved(
    decision: CaseDecision, *concerns: CaseConcern, payment_id: str | None = PAYMENT, days: int = 1
) -> CaseResolved:
    return CaseResolved(
        case_id=ids.named("case"),
        partition_key=ANN,
        payment_id=payment_id,
        decision=decision,
        concerns=concerns,
        proposed_by="ann",
        confirmed_by="ben",
        resolved_at=START + timedelta(days=days),
    )


@pytest.mark.parametrize(
    ("decision", "concerns", "expected"),
    [
        (CaseDecision.APPROVE, (FRAUD,), Label.GENUINE),
        (CaseDecision.REJECT, (FRAUD,), Label.FRAUD),
        (CaseDecision.BLOCK, (FRAUD,), Label.FRAUD),
        # Whoever lets it go on has weighed all concerns; whoever refuses it, any of them.
        (CaseDecision.APPROVE, (FRAUD, SCREENING), Label.GENUINE),
        (CaseDecision.REJECT, (FRAUD, SCREENING), None),
        (CaseDecision.BLOCK, (SCREENING, FRAUD), None),
        (CaseDecision.REJECT, (FRAUD, OTHER), None),
        (CaseDecision.APPROVE, (SCREENING,), None),
        (CaseDecision.BLOCK, (SCREENING,), None),
        (CaseDecision.REJECT, (OTHER,), None),
        # Told by an earlier version, or by a later one in words that are unknown here.
        (CaseDecision.REJECT, (), None),
        (CaseDecision.UNKNOWN, (FRAUD,), None),
        (CaseDecision.REJECT, (CaseConcern.UNKNOWN,), None),
    ],
)
def test_only_a_decision_about_fraud_is_a_label(
    decision: CaseDecision, concerns: tuple[CaseConcern, ...], expected: Label | None
) -> None:
    known = knowledge()
    events = learn_from_case(known, resolved(decision, *concerns), START + timedelta(days=1))
    assert known.assessments[PAYMENT].label is expected
    assert [event.label for event in events if isinstance(event, PaymentLabelled)] == ([expected] if expected else [])


def test_a_decision_told_again_changes_nothing() -> None:
    known = knowledge()
    event = resolved(CaseDecision.REJECT, FRAUD)
    assert len(learn_from_case(known, event, START + timedelta(days=1))) == 2
    assert learn_from_case(known, event, START + timedelta(days=1)) == []


def test_a_decision_corrects_an_earlier_label_and_keeps_its_scenario() -> None:
    known = knowledge()
    label(known, LabelPayment(payment_id=PAYMENT, label=Label.FRAUD, scenario="stolen card"), START)
    event, _ = learn_from_case(known, resolved(CaseDecision.APPROVE, FRAUD), START + timedelta(days=2))
    assert isinstance(event, PaymentLabelled)
    assert (event.label, event.previous_label, event.scenario) == (Label.GENUINE, Label.FRAUD, "stolen card")


def test_what_was_reported_after_the_decision_stands() -> None:
    known = knowledge()
    label(known, LabelPayment(payment_id=PAYMENT, label=Label.FRAUD), START + timedelta(days=20))
    assert learn_from_case(known, resolved(CaseDecision.APPROVE, FRAUD), START + timedelta(days=21)) == []
    assert known.assessments[PAYMENT].label is Label.FRAUD


def test_a_case_about_a_customer_or_an_unknown_payment_labels_nothing() -> None:
    for payment_id in (None, ids.named("another payment")):
        event = resolved(CaseDecision.REJECT, FRAUD, payment_id=payment_id)
        assert learn_from_case(knowledge(), event, START + timedelta(days=1)) == []
