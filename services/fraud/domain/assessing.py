"""Is a payment suspicious? One decision per payment, made once and told as often as it is asked for. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.fraud.events import FraudAssessed, FraudOutcome
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated, PaymentOrder
from services.fraud.domain import history
from services.fraud.domain.entities import EntityKind, device_entity_id
from services.fraud.domain.history import KEPT_DAYS, MICROS_PER_DAY, MICROS_PER_SECOND
from services.fraud.domain.judging import Judge, Judgement
from services.fraud.domain.knowledge import Arrival, Assessment, Knowledge, ShadowVerdict, Tally
from services.fraud.domain.moment import Lists, Moment


class AssessPayment(Command):
    """Someone asks about a payment that is not made. Made later, it has an id of its own and is judged for itself."""

    payment_id: str
    """What the answer is known by."""
    order: PaymentOrder


def assess(knowledge: Knowledge, event: PaymentInitiated, at: datetime) -> Sequence[Event]:
    """Judge a payment by its parties' past, and add it to that."""
    return [_told(_assessment(knowledge, event.payment_id, event.order, at))]


def assess_ahead(knowledge: Knowledge, command: AssessPayment, at: datetime) -> Sequence[Event]:
    """Judge a payment that someone only thinks of making.

    Nobody's past takes it in and no rule is credited with it, or asking would change the answer, at no cost. Nothing is
    published: as long as nobody makes the payment, nobody waits for the answer.
    """
    if command.payment_id not in knowledge.assessments:
        moment = _moment(knowledge, command.order, at)
        judgement = knowledge.panel.live.judge(moment)
        _keep(knowledge, command.payment_id, moment, judgement, at, is_remembered=False)
    return []


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
    moment = _moment(knowledge, order, at)
    judgement = knowledge.panel.live.judge(moment)
    knowledge.arrivals.append(_arrival(moment))
    if not moment.is_from_future:
        _remember(knowledge, moment, judgement.verdict.outcome)
    for shadow in knowledge.panel.shadows:
        _record_shadow(knowledge, payment_id, shadow, moment, at)
    assessment = _keep(knowledge, payment_id, moment, judgement, at, is_remembered=not moment.is_from_future)
    _tally(knowledge, assessment)
    return assessment


def _moment(knowledge: Knowledge, order: PaymentOrder, at: datetime) -> Moment:
    payer, payee = order.debtor_account_id, order.creditor_account_id
    device_id = device_entity_id(order.device_id) if order.device_id else None
    return Moment(
        order,
        debtor=knowledge.entity(EntityKind.DEBTOR, payer),
        creditor=knowledge.entity(EntityKind.CREDITOR, payee),
        device=knowledge.entity(EntityKind.DEVICE, device_id) if device_id else None,
        now=at,
        lists=Lists(
            debtor=knowledge.lists_of(EntityKind.DEBTOR, payer, at),
            creditor=knowledge.lists_of(EntityKind.CREDITOR, payee, at),
            device=knowledge.lists_of(EntityKind.DEVICE, device_id, at) if device_id else frozenset(),
        ),
    )


def _arrival(moment: Moment) -> Arrival:
    behind_micros = moment.behind_micros
    return Arrival(
        behind_seconds=behind_micros / MICROS_PER_SECOND,
        is_forgotten=behind_micros >= KEPT_DAYS * MICROS_PER_DAY,
        is_late=moment.is_late,
        is_crowded=moment.is_crowded,
        is_from_future=moment.is_from_future,
    )


def _remember(knowledge: Knowledge, moment: Moment, outcome: FraudOutcome) -> None:
    """Make the payment part of each side's past: of what is usual for it, or no more than an attempt."""
    for side in moment.sides:
        field = past_field(outcome)
        longer = history.add(
            getattr(side.entity, field),
            at_micros=moment.at_micros,
            amount_cents=moment.amount_cents,
            counterpart=side.counterpart,
        )
        knowledge.put(replace(side.entity, **{field: longer}))


def past_field(outcome: FraudOutcome) -> str:
    """Which of an entity's two histories a payment is in."""
    return "blocked" if outcome is FraudOutcome.BLOCK else "history"


def _record_shadow(knowledge: Knowledge, payment_id: str, shadow: Judge, moment: Moment, at: datetime) -> None:
    judgement = shadow.judge(moment)
    knowledge.shadow_verdicts.append(
        ShadowVerdict(
            payment_id=payment_id,
            rules_version=shadow.rulebook.version,
            model_version=shadow.model.version if shadow.model else None,
            model_score=judgement.model_score,
            outcome=judgement.verdict.outcome,
            score=judgement.verdict.score,
            rules=tuple(finding.rule for finding in judgement.verdict.findings),
            judged_at=at,
        )
    )


def _keep(
    knowledge: Knowledge,
    payment_id: str,
    moment: Moment,
    judgement: Judgement,
    at: datetime,
    *,
    is_remembered: bool,
) -> Assessment:
    order, judge, verdict = moment.order, knowledge.panel.live, judgement.verdict
    assessment = Assessment(
        payment_id=payment_id,
        debtor_account_id=order.debtor_account_id,
        creditor_account_id=order.creditor_account_id,
        device_entity_id=device_entity_id(order.device_id) if order.device_id else None,
        amount_minor=order.amount_minor,
        currency=order.currency,
        channel=order.channel,
        instructed_at=order.instructed_at,
        outcome=verdict.outcome,
        score=verdict.score,
        findings=verdict.findings,
        rules_version=judge.rulebook.version,
        model_version=judge.model.version if judge.model else None,
        model_score=judgement.model_score,
        values=judgement.values,
        debtor_snapshot_version=moment.debtor.snapshot_version,
        creditor_snapshot_version=moment.creditor.snapshot_version,
        is_remembered=is_remembered,
        assessed_at=at,
    )
    knowledge.assessments.put(payment_id, assessment)
    return assessment


def _tally(knowledge: Knowledge, assessment: Assessment) -> None:
    for counted in (assessment.outcome.value, *(finding.rule for finding in assessment.findings)):
        knowledge.tallies.append(Tally(rules_version=assessment.rules_version, counted=counted, payments=1))


def _told(assessment: Assessment) -> FraudAssessed:
    return FraudAssessed(
        payment_id=assessment.payment_id,
        debtor_account_id=assessment.debtor_account_id,
        outcome=assessment.outcome,
        score=assessment.score,
        findings=assessment.findings,
        rules_version=assessment.rules_version,
        model_version=assessment.model_version,
        model_score=assessment.model_score,
        debtor_snapshot_version=assessment.debtor_snapshot_version,
        creditor_snapshot_version=assessment.creditor_snapshot_version,
        assessed_at=assessment.assessed_at,
    )
