"""What payments turned out to be: labels, and the snapshots of risk that are made of them elsewhere. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.fraud.events import CreditorRiskUpdated, Label, PaymentLabelled
from services.fraud.domain import label_days
from services.fraud.domain.entities import CreditorRisk, Entity, EntityKind
from services.fraud.domain.facts import micros_of
from services.fraud.domain.knowledge import Assessment, Knowledge, Tally


class RefusalReason(StrEnum):
    """Why a label is refused, in order of precedence."""

    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_IN_FUTURE = "payment_in_future"


class LabelPayment(Command):
    """Someone reports what a payment turned out to be."""

    payment_id: str
    label: Label
    scenario: str | None = None


def label(knowledge: Knowledge, command: LabelPayment, at: datetime) -> Sequence[Event] | Refusal:
    """Note what a payment turned out to be, for it and for both its parties. A second label corrects the first."""
    known = knowledge.assessments.get(command.payment_id)
    if known is None:
        return Refusal(
            reason=RefusalReason.PAYMENT_UNKNOWN, detail="fraud has not assessed such a payment", field="payment_id"
        )
    if known.instructed_at - at > timedelta(seconds=knowledge.rule_set.limits.future_seconds_max):
        return Refusal(
            reason=RefusalReason.PAYMENT_IN_FUTURE, detail="the payment is dated in the future", field="payment_id"
        )
    before, after = known.label, command.label
    if before is after and known.scenario == command.scenario:
        return []
    debtor = knowledge.entity(EntityKind.DEBTOR, known.debtor_account_id)
    creditor = knowledge.entity(EntityKind.CREDITOR, known.creditor_account_id)
    knowledge.put(_relabelled(debtor, known.instructed_at, before, after))
    knowledge.put(_relabelled(creditor, known.instructed_at, before, after))
    knowledge.assessments.put(known.payment_id, replace(known, label=after, scenario=command.scenario, labelled_at=at))
    _tally(knowledge, known, after)
    return [
        PaymentLabelled(
            payment_id=known.payment_id,
            debtor_account_id=known.debtor_account_id,
            creditor_account_id=known.creditor_account_id,
            label=after,
            previous_label=before,
            scenario=command.scenario,
            transacted_at=known.instructed_at,
            labelled_at=at,
        )
    ]


def take_snapshot(knowledge: Knowledge, event: CreditorRiskUpdated, _: datetime) -> Sequence[Event]:
    """Keep the newest snapshot of a payee's risk. Snapshots are absolute: an older one says nothing."""
    creditor = knowledge.entity(EntityKind.CREDITOR, event.creditor_account_id)
    if creditor.risk is not None and creditor.risk.version >= event.version:
        return []
    risk = CreditorRisk(
        version=event.version,
        labelled_count=event.labelled_count,
        fraud_count=event.fraud_count,
        window_days=event.window_days,
        as_of_micros=micros_of(event.as_of),
    )
    knowledge.put(replace(creditor, risk=risk))
    return []


def _relabelled(entity: Entity, at: datetime, before: Label | None, after: Label) -> Entity:
    day = label_days.day_of(micros_of(at))
    return replace(entity, label_days=label_days.relabel(entity.label_days, day=day, before=before, after=after))


def _tally(knowledge: Knowledge, known: Assessment, after: Label) -> None:
    """Count for the outcome and every rule that fired how its payments turned out."""
    frauds = (after is Label.FRAUD) - (known.label is Label.FRAUD)
    genuine = (after is Label.GENUINE) - (known.label is Label.GENUINE)
    for counted in (known.outcome.value, *(finding.rule for finding in known.findings)):
        knowledge.tallies.append(
            Tally(rules_version=known.rules_version, counted=counted, frauds=frauds, genuine=genuine)
        )
