"""What payments turned out to be: labels, and the snapshots of risk that are made of them elsewhere. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from libs.common.rough import euro_cents
from schemas.compliance.events import CaseConcern, CaseDecision, CaseResolved
from schemas.fraud.events import DebtorPaymentLabelled, Label, PartyRiskUpdated, PartyRole, PaymentLabelled
from services.fraud.domain import history
from services.fraud.domain.assessing import past_field
from services.fraud.domain.entities import Entity, EntityKind, Risk, fingerprint
from services.fraud.domain.knowledge import Assessment, EntityKey, Knowledge, Tally
from services.fraud.domain.moment import is_from_future, micros_of


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
    if is_from_future(known.instructed_at, at):
        return Refusal(
            reason=RefusalReason.PAYMENT_IN_FUTURE, detail="the payment is dated in the future", field="payment_id"
        )
    return _labelled(knowledge, known, command.label, command.scenario, at)


def learn_from_case(knowledge: Knowledge, event: CaseResolved, at: datetime) -> Sequence[Event]:
    """Take what people decided about a suspicion of fraud for what the payment turned out to be.

    What was reported after they decided, such as a chargeback, stands.
    """
    found = label_of(event)
    known = knowledge.assessments.get(event.payment_id) if event.payment_id else None
    if found is None or known is None or is_from_future(known.instructed_at, at):
        return []
    if known.labelled_at is not None and known.labelled_at > event.resolved_at:
        return []
    # As of when people decided: of two decisions the later one counts, whichever comes first.
    return _labelled(knowledge, known, found, known.scenario, event.resolved_at)


def label_of(event: CaseResolved) -> Label | None:
    """What a decision says about fraud: who lets a suspicious payment go on holds it for genuine. Refused for more than
    one concern, it may have been for another than fraud; and a match with a list says nothing about fraud."""
    if CaseConcern.FRAUD not in event.concerns:
        return None
    match event.decision:
        case CaseDecision.APPROVE:
            return Label.GENUINE
        case CaseDecision.REJECT | CaseDecision.BLOCK if len(event.concerns) == 1:
            return Label.FRAUD
    return None


def _labelled(
    knowledge: Knowledge, known: Assessment, after: Label, scenario: str | None, at: datetime
) -> Sequence[Event]:
    if known.label is after and known.scenario == scenario:
        return []
    for entity, counterpart in _sides(knowledge, known):
        # Put though nothing changes where the payment is in nobody's past: labels are numbered by who (was) paid.
        knowledge.put(_relabelled(entity, known, fingerprint(counterpart), after) if known.is_remembered else entity)
    knowledge.assessments.put(known.payment_id, replace(known, label=after, scenario=scenario, labelled_at=at))
    _tally(knowledge, known, after)
    return [
        PaymentLabelled(
            payment_id=known.payment_id,
            debtor_account_id=known.debtor_account_id,
            creditor_account_id=known.creditor_account_id,
            label=after,
            previous_label=known.label,
            scenario=scenario,
            transacted_at=known.instructed_at,
            labelled_at=at,
        ),
        DebtorPaymentLabelled(
            payment_id=known.payment_id,
            debtor_account_id=known.debtor_account_id,
            creditor_account_id=known.creditor_account_id,
            label=after,
            previous_label=known.label,
            transacted_at=known.instructed_at,
            labelled_at=at,
        ),
    ]


def take_snapshot(knowledge: Knowledge, event: PartyRiskUpdated, _: datetime) -> Sequence[Event]:
    """Keep the newest snapshot of a payer's or a payee's risk. Snapshots are absolute: an older one says nothing."""
    key = party_of(event)
    if key is None:
        return []
    party = knowledge.entity(*key)
    if party.risk is not None and party.risk.version >= event.version:
        return []
    risk = Risk(
        version=event.version,
        labelled_count=event.labelled_count,
        fraud_count=event.fraud_count,
        counterpart_count=event.counterpart_count,
        is_counterpart_count_exact=event.is_counterpart_count_exact,
        window_days=event.window_days,
        as_of_micros=micros_of(event.as_of),
    )
    knowledge.put(replace(party, risk=risk))
    return []


def party_of(event: PartyRiskUpdated) -> EntityKey | None:
    """Whom a snapshot is about. None for a role that a later version may know."""
    match event.role:
        case PartyRole.DEBTOR:
            return EntityKind.DEBTOR, event.account_id
        case PartyRole.CREDITOR:
            return EntityKind.CREDITOR, event.account_id
    return None


def _sides(knowledge: Knowledge, known: Assessment) -> Iterator[tuple[Entity, str]]:
    """Everyone in a payment, each with the counterpart that its history knows the payment by."""
    payer, payee = known.debtor_account_id, known.creditor_account_id
    yield knowledge.entity(EntityKind.DEBTOR, payer), payee
    yield knowledge.entity(EntityKind.CREDITOR, payee), payer
    if known.device_entity_id is not None:
        yield knowledge.entity(EntityKind.DEVICE, known.device_entity_id), payer


def _relabelled(entity: Entity, known: Assessment, counterpart: int, after: Label) -> Entity:
    field = past_field(known.outcome)
    past = history.relabel(
        getattr(entity, field),
        at_micros=micros_of(known.instructed_at),
        amount_cents=euro_cents(known.amount_minor, known.currency),
        counterpart=counterpart,
        before=known.label,
        after=after,
    )
    return replace(entity, **{field: past})


def _tally(knowledge: Knowledge, known: Assessment, after: Label) -> None:
    """Count for the outcome and every rule that fired how its payments turned out."""
    frauds = (after is Label.FRAUD) - (known.label is Label.FRAUD)
    genuine = (after is Label.GENUINE) - (known.label is Label.GENUINE)
    for counted in (known.outcome.value, *(finding.rule for finding in known.findings)):
        knowledge.tallies.append(
            Tally(rules_version=known.rules_version, counted=counted, frauds=frauds, genuine=genuine)
        )
