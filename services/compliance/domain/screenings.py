"""Whether a payment is allowed: both its parties against all lists, again while it waits for people. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.common.events import Event
from libs.common.message import Command
from libs.common.personal_data import Keys
from libs.common.record import replace
from schemas.compliance.events import (
    ComplianceScreened,
    PartyRole,
    ScreeningHit,
    ScreeningOutcome,
    UnscreenableReason,
)
from schemas.payments.events import (
    Answer,
    EncryptedPersonalData,
    Party,
    PaymentAnswerOverdue,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
)
from services.compliance.domain.case import Rescreened
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.work import ScreenedRole, Screening, Work
from services.compliance.matching.screening import ENCRYPTED, says_the_same, worst
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.outsiders import Outsiders, outsiders_of
from services.compliance.travel.linked import LinkedTransfers, Transfer, pair_id_of, sums_of, with_transfer
from services.compliance.travel.record import TravelRecord, completed, missing
from services.compliance.travel.rules import Sum


def screen_payment(work: Work, event: PaymentInitiated, at: datetime) -> Sequence[Event]:
    """Answer whether a payment is allowed."""
    return _answer(work, event.payment_id, event.order, at)


def answer_again(work: Work, event: PaymentAnswerOverdue, at: datetime) -> Sequence[Event]:
    """Payments has not heard from us: say again what was answered, or answer now."""
    if Answer.COMPLIANCE not in event.awaited:
        return []
    return _answer(work, event.payment_id, event.order, at)


class RescreenPayment(Command):
    """The lists or the matcher may have changed since the parties of a waiting payment were last looked at."""

    payment_id: str


def rescreen(work: Work, command: RescreenPayment, at: datetime) -> Sequence[Event]:
    """Look again at the parties of a payment that waits for people: they, and payments, are told what is new."""
    case, known = work.cases.get(payment_case_id(command.payment_id)), work.screenings.get(command.payment_id)
    if case is None or case.payment is None or case.has_ended or case.is_second_look or known is None:
        return []
    if (case.matcher_version, case.catalogue_version) >= work.parties.versions:
        return []
    reason, order = work.why_again(case.catalogue_version), case.payment.order
    matcher_version, catalogue_version = work.parties.versions
    case = replace(case, matcher_version=matcher_version, catalogue_version=catalogue_version)
    work.cases.put(case.case_id, case)
    found = later(work, command.payment_id, order, known, at)
    if _says_the_same(found, known):
        return []
    work.screenings.put(command.payment_id, found)
    work.change_evidence(replace(case, rescreened=Rescreened(outcome=found.outcome, reason=reason)), at)
    return [_told(found)]


def look_again(work: Work, payment_id: str, order: PaymentOrder, at: datetime) -> Sequence[Event]:
    """More is known about the parties of a payment: answer anew, unless that says the same as before."""
    known = work.screenings.get(payment_id)
    if known is None:
        return _answer(work, payment_id, order, at)
    found = later(work, payment_id, order, known, at)
    if not isinstance(order.personal, EncryptedPersonalData):
        found = replace(found, outsiders=_outsiders(work, payment_id, order))
    if _says_the_same(found, known):
        if found.outsiders != known.outsiders:
            work.screenings.put(payment_id, replace(known, outsiders=found.outsiders))
        return []
    work.screenings.put(payment_id, found)
    return [_told(found)]


def later(work: Work, payment_id: str, order: PaymentOrder, known: Screening, at: datetime) -> Screening:
    """What there is to say now, later than what was answered before, whatever the clock says: payments goes by it."""
    after = max(at, known.screened_at + timedelta.resolution)
    found = screened(work, payment_id, order, at)
    kept = {"order": known.order, "settled_at": known.settled_at, "is_to_look_at": known.is_to_look_at}
    return replace(found, screened_at=after, sequence=known.sequence, outsiders=known.outsiders, **kept)


def subjects_of(order: PaymentOrder) -> tuple[Subject, ...]:
    """Whom an order names. None if that is encrypted."""
    if isinstance(order.personal, EncryptedPersonalData):
        return ()
    return subject_of(order.personal.debtor), subject_of(order.personal.creditor)


def opened(known: Screening, keys: Keys) -> PaymentOrder | None:
    """The order that is kept, with its parties readable; as it is if one of them was erased."""
    order = known.order
    if order is None:
        return None
    return replace(order, personal=keys.unseal(PaymentPersonalData, order.personal, about=known.payment_id))


def _answer(work: Work, payment_id: str, order: PaymentOrder, at: datetime) -> Sequence[Event]:
    screening = work.screenings.get(payment_id)
    if screening is None:
        found = screened(work, payment_id, order, at)
        screening = replace(found, outsiders=_outsiders(work, payment_id, order))
        work.screenings.put(payment_id, screening)
    return [_told(screening)]


def screened(work: Work, payment_id: str, order: PaymentOrder, at: datetime) -> Screening:
    """What screening says about a payment now."""
    record = _travel_record(work, payment_id, order, at)
    lacking = () if record is None else _missing(work, record)
    roles = _screened_roles(work, order if record is None else completed(record), at)
    found = worst([role.verdict.outcome for role in roles])
    matcher_version, catalogue_version = work.parties.versions
    is_kept = bool(work.policy.look_back_for) and not isinstance(order.personal, EncryptedPersonalData)
    return Screening(
        payment_id=payment_id,
        debtor_account_id=order.debtor_account_id,
        outcome=ScreeningOutcome.INCOMPLETE if lacking and found is ScreeningOutcome.CLEAR else found,
        missing=lacking,
        roles=tuple(role for role in roles if role.verdict.outcome is not ScreeningOutcome.CLEAR),
        lists_version=work.lists_version,
        screened_at=at,
        order=order if is_kept else None,
        matcher_version=matcher_version,
        catalogue_version=catalogue_version,
    )


def _outsiders(work: Work, payment_id: str, order: PaymentOrder) -> Outsiders:
    """Who of the parties is elsewhere, by all that was told of them."""
    record = work.travel.get(payment_id)
    return outsiders_of(payment_id, order if record is None else completed(record), work.pseudonym_keys)


def _travel_record(work: Work, payment_id: str, order: PaymentOrder, at: datetime) -> TravelRecord | None:
    """What is known of a payment that rules ask about; None if none does. Which do, its first screening settles."""
    known = work.travel.get(payment_id)
    if known is not None or payment_id in work.screenings:
        return known
    linked = _linked(work, payment_id, order, at)
    rules = tuple(rule.rule for rule in work.policy.travel.applicable(order, at.date(), linked))
    if not rules:
        return None
    record = TravelRecord(payment_id=payment_id, order=order, rules=rules, asked_on=at.date(), linked=linked)
    work.travel.put(payment_id, record)
    return record


def _linked(work: Work, payment_id: str, order: PaymentOrder, at: datetime) -> tuple[Sum, ...]:
    """What went between the same two parties shortly before, if a rule asks; from now on this payment is part of it."""
    travel, pair_id = work.policy.travel, pair_id_of(order)
    if pair_id is None or not travel.may_be_linked(order, at.date()):
        return ()
    transfer = Transfer(payment_id=payment_id, at=at, currency=order.currency, amount_minor=order.amount_minor)
    known = work.linked.get(pair_id) or LinkedTransfers(pair_id=pair_id)
    linked = with_transfer(known, transfer, travel.linked_within)
    work.linked.put(pair_id, linked)
    return sums_of(linked.transfers[:-1])


def _missing(work: Work, record: TravelRecord) -> tuple[str, ...]:
    return missing(record, work.policy.travel.applicable(record.order, record.asked_on, record.linked))


def _screened_roles(work: Work, order: PaymentOrder, at: datetime) -> list[ScreenedRole]:
    if isinstance(order.personal, EncryptedPersonalData):
        # Nobody can tell whose money it is: a person who may read it must.
        return [ScreenedRole(role=role, subject=None, verdict=ENCRYPTED) for role in _ROLES]
    return [
        ScreenedRole(role=role, subject=subject, verdict=work.parties.verdict(subject, at))
        for role, subject in zip(_ROLES, subjects_of(order), strict=True)
    ]


def _says_the_same(screening: Screening, known: Screening) -> bool:
    verdicts, others = ({role.role: role.verdict for role in found.roles} for found in (screening, known))
    if screening.missing != known.missing:
        return False
    return verdicts.keys() == others.keys() and all(says_the_same(verdicts[role], others[role]) for role in verdicts)


_ROLES = (PartyRole.DEBTOR, PartyRole.CREDITOR)


def subject_of(party: Party) -> Subject:
    """Whom to look for."""
    subject = Subject(name=party.name, birth_date=party.birth_date, country=party.country)
    return subject if party.document_number is None else subject.with_number(party.document_number)


def _told(screening: Screening) -> ComplianceScreened:
    hits = [
        ScreeningHit(
            role=role.role,
            list_name=hit.list_name,
            entity_id=hit.entity_id,
            listed_name=hit.listed_name,
            score=hit.score,
            explanation=hit.published_explanation,
        )
        for role in screening.roles
        for hit in role.verdict.hits
    ]
    return ComplianceScreened(
        payment_id=screening.payment_id,
        debtor_account_id=screening.debtor_account_id,
        outcome=screening.outcome,
        hits=tuple(sorted(hits, key=lambda hit: -hit.score)),
        unscreenable=_unscreenable(screening),
        missing=screening.missing,
        lists_version=screening.lists_version,
        screened_at=screening.screened_at,
    )


def _unscreenable(screening: Screening) -> tuple[UnscreenableReason, ...]:
    reasons = (role.verdict.unscreenable for role in screening.roles)
    return tuple(dict.fromkeys(reason for reason in reasons if reason is not None))
