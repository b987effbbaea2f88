"""Is a payment suspicious? One decision per payment, made once and told as often as it is asked for. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.events import Event
from libs.common.record import replace
from schemas.fraud.events import FraudAssessed, FraudOutcome
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated, PaymentOrder
from services.fraud.domain import history
from services.fraud.domain.entities import Entity, EntityKind, device_entity_id, fingerprint
from services.fraud.domain.facts import Facts, gather, micros_of
from services.fraud.domain.knowledge import Assessment, Knowledge, Tally
from services.fraud.domain.rule_set import Verdict, judge


def assess(knowledge: Knowledge, event: PaymentInitiated, at: datetime) -> Sequence[Event]:
    """Judge a payment by its parties' past, and add it to that."""
    return [_told(_assessment(knowledge, event.payment_id, event.order, at))]


def assess_again(knowledge: Knowledge, event: PaymentAnswerOverdue, at: datetime) -> Sequence[Event]:
    """Tell the answer once more, if it is fraud's that is missed."""
    if Answer.FRAUD not in event.awaited:
        return []
    return [_told(_assessment(knowledge, event.payment_id, event.order, at))]


def _assessment(knowledge: Knowledge, payment_id: str, order: PaymentOrder, at: datetime) -> Assessment:
    """The answer about a payment. Given before, it stands: nobody's history counts the payment twice."""
    known = knowledge.assessments.get(payment_id)
    if known is not None:
        return known
    debtor = knowledge.entity(EntityKind.DEBTOR, order.debtor_account_id)
    creditor = knowledge.entity(EntityKind.CREDITOR, order.creditor_account_id)
    device = knowledge.entity(EntityKind.DEVICE, device_entity_id(order.device_id)) if order.device_id else None
    limits = knowledge.rule_set.limits
    facts = gather(order, debtor=debtor, creditor=creditor, device=device, now=at, limits=limits)
    verdict = judge(facts, knowledge.rule_set)
    if not facts.is_from_future:
        _remember(knowledge, order, verdict.outcome, debtor, creditor, device)
    return _answer(knowledge, payment_id, order, facts, verdict, at)


def _remember(
    knowledge: Knowledge,
    order: PaymentOrder,
    outcome: FraudOutcome,
    debtor: Entity,
    creditor: Entity,
    device: Entity | None,
) -> None:
    payer = fingerprint(order.debtor_account_id)
    knowledge.put(_with_payment(debtor, order, fingerprint(order.creditor_account_id), outcome))
    knowledge.put(_with_payment(creditor, order, payer, outcome))
    if device is not None:
        knowledge.put(_with_payment(device, order, payer, outcome))


def _with_payment(entity: Entity, order: PaymentOrder, counterpart: int, outcome: FraudOutcome) -> Entity:
    """The entity with one more payment: part of what is usual for it, or no more than an attempt."""
    is_blocked = outcome is FraudOutcome.BLOCK
    longer = history.add(
        entity.blocked if is_blocked else entity.history,
        at_micros=micros_of(order.instructed_at),
        amount_minor=order.amount_minor,
        counterpart=counterpart,
    )
    return replace(entity, blocked=longer) if is_blocked else replace(entity, history=longer)


def _answer(
    knowledge: Knowledge, payment_id: str, order: PaymentOrder, facts: Facts, verdict: Verdict, at: datetime
) -> Assessment:
    version = knowledge.rule_set.version
    assessment = Assessment(
        payment_id=payment_id,
        debtor_account_id=order.debtor_account_id,
        creditor_account_id=order.creditor_account_id,
        instructed_at=order.instructed_at,
        outcome=verdict.outcome,
        score=verdict.score,
        findings=verdict.findings,
        rules_version=version,
        risk_version=facts.creditor.risk.version if facts.creditor.risk else None,
        assessed_at=at,
    )
    knowledge.assessments.put(payment_id, assessment)
    for counted in (verdict.outcome.value, *(finding.rule for finding in verdict.findings)):
        knowledge.tallies.append(Tally(rules_version=version, counted=counted, payments=1))
    return assessment


def _told(assessment: Assessment) -> FraudAssessed:
    return FraudAssessed(
        payment_id=assessment.payment_id,
        debtor_account_id=assessment.debtor_account_id,
        outcome=assessment.outcome,
        score=assessment.score,
        findings=assessment.findings,
        rules_version=assessment.rules_version,
        assessed_at=assessment.assessed_at,
    )
