"""Whether a customer may be served, when it registers and whenever a list or the matcher changes. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from libs.common import ids
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.accounts.events import CustomerClosed, CustomerKind, CustomerRegistered, EncryptedPersonalData
from schemas.compliance.events import (
    CaseDecision,
    CaseOpened,
    CustomerRefused,
    CustomerRestricted,
    CustomerVerified,
    ScreeningOutcome,
)
from services.compliance.diligence.documents import DocumentStatus
from services.compliance.diligence.rating import Known, rate, resemblance, review_on, tier_of
from services.compliance.domain.business_days import day_of
from services.compliance.domain.case import (
    SYSTEM,
    ActKind,
    Case,
    CaseReason,
    CustomerFacts,
)
from services.compliance.domain.whitelist import Pair, party_of
from services.compliance.domain.work import Customer, CustomerStatus, Work
from services.compliance.matching.screening import ENCRYPTED, joined, says_the_same
from services.compliance.matching.subject import Subject


class RescreenCustomer(Command):
    """The lists or the matcher have changed since this customer was last looked at."""

    customer_id: str


def customer_case_id(customer_id: str) -> str:
    """A customer has one case, however often it comes up."""
    return ids.derive(customer_id, "compliance", "case")


def subject_of(event: CustomerRegistered) -> Subject | None:
    """Whom to look for, or None if that is encrypted."""
    if isinstance(event.personal, EncryptedPersonalData):
        return None
    return Subject(name=event.personal.name, birth_date=event.personal.birth_date, country=event.personal.country)


def numbers_of(customer: Customer) -> tuple[str, ...]:
    """The official numbers by which a customer has proven who it is, as they are compared; the last one first."""
    handed, numbers = customer.document, customer.numbers_before
    if handed is not None and handed.status is DocumentStatus.PASSED:
        number = handed.document.identifier
        numbers = (number, *(one for one in numbers if one != number)) if number else numbers
    return numbers


def rated(work: Work, customer: Customer, at: datetime, *, keeps_review: bool = False) -> Customer:
    """The customer with the rating, the tier and the day of its next review that what is known comes to.

    A higher risk brings the review nearer, a lower one does not put it off: that takes people who have looked. So does
    a document that expires.
    """
    on, table = day_of(at), work.policy.risk
    known = _known(customer, on)
    rating = rate(known, work.countries, table, on)
    next_on = min(review_on(rating, table, on), _proof_ends_on(customer, known))
    if customer.rating is not None:
        next_on = min(next_on, customer.review_on) if customer.review_on is not None else next_on
    return replace(
        customer,
        rating=rating,
        rated_by=work.countries.edition(on),
        tier=tier_of(known, rating.level),
        review_on=customer.review_on if keeps_review else next_on,
    )


def is_served(customer: Customer) -> bool:
    """Whether nobody has anything against the customer now."""
    return customer.status is CustomerStatus.VERIFIED


def _proof_ends_on(customer: Customer, known: Known) -> date:
    """The first day on which a customer who is proven is so no more."""
    handed = customer.document
    expires_on = handed.document.expires_on if handed is not None and known.is_proven else None
    return expires_on + timedelta(days=1) if expires_on is not None and expires_on < date.max else date.max


def _known(customer: Customer, on: date) -> Known:
    born = customer.subject.born if customer.subject else None
    return Known(
        kind=customer.kind,
        country=customer.subject.country if customer.subject else None,
        resembles=customer.resembles or resemblance(customer.verdict.hits),
        currencies=customer.currencies,
        document_status=customer.document.status if customer.document is not None else None,
        is_proven=customer.document is not None and customer.document.proves(customer.kind, on),
        is_whole=customer.kind is CustomerKind.COMPANY or (born is not None and born.is_exact),
    )


def register(work: Work, event: CustomerRegistered, at: datetime) -> Sequence[Event]:
    """Look a new customer up: serve it, refuse it, or let people decide."""
    if event.customer_id in work.customers:
        return []
    subject = subject_of(event)
    verdict = ENCRYPTED if subject is None else work.parties.verdict(subject, at)
    matcher_version, catalogue_version = work.parties.versions
    customer = Customer(
        customer_id=event.customer_id,
        kind=event.kind,
        subject=subject,
        status=_STATUS_BY_OUTCOME[verdict.outcome],
        verdict=verdict,
        resembles=None if subject is None else resemblance(work.parties.resembled(subject, verdict)),
        catalogue_version=catalogue_version,
        matcher_version=matcher_version,
        registered_at=event.registered_at,
    )
    customer = rated(work, customer, at)
    work.customers.put(customer.customer_id, customer)
    match customer.status:
        case CustomerStatus.VERIFIED:
            return [_verified(customer, at)]
        case CustomerStatus.REFUSED:
            return _refuse(work, customer, at, is_listed=True)
        case _:
            reason = CaseReason.NOT_SCREENABLE if verdict.unscreenable else CaseReason.RESEMBLES_LISTED
            return _ask_people(work, customer, reason, at)


def close(work: Work, event: CustomerClosed, _: datetime) -> Sequence[Event]:
    """The customer is served no more. A case that people have been asked about stays theirs."""
    customer = work.customers[event.customer_id]
    work.customers.put(customer.customer_id, replace(customer, status=CustomerStatus.CLOSED))
    return []


_STATUS_BY_OUTCOME = {
    ScreeningOutcome.CLEAR: CustomerStatus.VERIFIED,
    ScreeningOutcome.REVIEW: CustomerStatus.IN_REVIEW,
    ScreeningOutcome.BLOCK: CustomerStatus.REFUSED,
}


def rescreen(work: Work, command: RescreenCustomer, at: datetime) -> Sequence[Event]:
    """Look a customer up again after the lists or the matcher have changed: only what nobody has decided on counts.

    Whoever waits for people because of an entry is shown to them without it when it is gone: else nobody could
    approve a customer that was restricted by a mistake in a list.
    """
    customer = work.customers.get(command.customer_id)
    if customer is None or customer.status is CustomerStatus.CLOSED:
        return []
    if (customer.matcher_version, customer.catalogue_version) >= work.parties.versions:
        return []
    return _screen_again(work, customer, work.why_again(customer.catalogue_version), at)


def pair_ended(work: Work, pair: Pair, at: datetime) -> Sequence[Event]:
    """A pair of the whitelist rules nothing out any more: those of whom it did are looked at again at once."""
    return [
        event
        for customer in work.customers.values()
        if customer.subject is not None
        and customer.status is not CustomerStatus.CLOSED
        and party_of(customer.subject) == pair.party
        for event in _screen_again(work, customer, CaseReason.PAIR_ENDED, at, but_for=pair.pair_id)
    ]


def _screen_again(
    work: Work, customer: Customer, reason: CaseReason, at: datetime, *, but_for: str | None = None
) -> Sequence[Event]:
    before = customer
    if before.status is CustomerStatus.REFUSED and before.is_told_listed:
        # By which entry its property was blocked stays known: reports name that, whatever lists say since.
        work.customers.put(before.customer_id, _seen(work, before))
        return []
    customer = _looked_up(work, before, at, but_for=but_for)
    verdict = customer.verdict
    work.customers.put(customer.customer_id, customer)
    if customer.status is CustomerStatus.REFUSED:
        # Refused for another reason, or before this was told: what it owns is blocked property now.
        return _refuse(work, customer, at, is_listed=True) if verdict.outcome is ScreeningOutcome.BLOCK else []
    if customer.status is not CustomerStatus.VERIFIED:
        return _ask_people(work, customer, reason, at)
    if not verdict.hits:
        # That a name can't be read people knew who let the customer be served.
        return [_verified(customer, at)] if customer.tier != before.tier else []
    work.customers.put(customer.customer_id, replace(customer, status=CustomerStatus.RESTRICTED))
    return [
        CustomerRestricted(customer_id=customer.customer_id, restricted_at=at),
        *_ask_people(work, customer, reason, at),
    ]


def learn_number(work: Work, customer: Customer, at: datetime) -> Sequence[Event]:
    """Look a customer up anew who has just proven to have an official number that was not known before."""
    if customer.status is CustomerStatus.CLOSED:
        return []
    return _screen_again(work, customer, CaseReason.RESEMBLES_LISTED, at)


def _looked_up(work: Work, before: Customer, at: datetime, *, but_for: str | None = None) -> Customer:
    """A customer as lists say it is now, by its name and its numbers, and as that has it rated.

    Whoever has cleared a customer of an entry by their names has said nothing of one that has the entry's number.
    """
    subject, numbers, parties = before.subject, numbers_of(before), work.parties
    if subject is None:
        return _seen(work, before)
    verdict = parties.verdict(subject, at, cleared=before.cleared, but_for=but_for)
    resembled = [*parties.resembled(subject, verdict, cleared=before.cleared), *parties.by_number(subject, numbers)]
    by_number = parties.by_number(subject, numbers, ruled_out=before.cleared_by_number)
    customer = replace(_seen(work, before), verdict=joined(verdict, by_number), resembles=resemblance(resembled))
    if before.rating is not None and _known(customer, day_of(at)).resembles != _known(before, day_of(at)).resembles:
        # While people look at it there is no day: they set the next one.
        return rated(work, customer, at, keeps_review=before.review_on is None)
    return customer


def _seen(work: Work, customer: Customer) -> Customer:
    """A customer who need not be looked up again until lists or the matcher change."""
    matcher_version, catalogue_version = work.parties.versions
    return replace(customer, matcher_version=matcher_version, catalogue_version=catalogue_version)


def resolve(work: Work, case: Case, decision: CaseDecision, at: datetime) -> Sequence[Event]:
    """Do what two people have decided about a customer. Nothing if the case is about a payment, or about alerts:
    what money has done is reported or explained, and says nothing of whether the customer is served.
    """
    if case.customer_id is None or case.customer is None or case.alerts:
        return []
    customer = work.customers[case.customer_id]
    if customer.status is CustomerStatus.CLOSED:
        # There is nobody any more whom it would let be served.
        return []
    if decision is not CaseDecision.APPROVE:
        # What belongs to somebody listed is blocked, in whichever words people refuse to serve them.
        return _refuse(work, customer, at, is_listed=decision is CaseDecision.BLOCK or case.is_about_listed_party)
    hits = case.customer.verdict.hits
    # People have looked at it: it is looked at again when its risk says so, counted from now.
    served = replace(
        customer,
        status=CustomerStatus.VERIFIED,
        is_told_listed=False,
        cleared=tuple(dict.fromkeys((*customer.cleared, *(hit.reference for hit in hits)))),
        cleared_by_number=tuple(dict.fromkeys((*customer.cleared_by_number, *case.customer.numbers_listed))),
        review_on=None,
    )
    customer = rated(work, served, at)
    work.customers.put(customer.customer_id, customer)
    return [_verified(customer, at)]


def _refuse(work: Work, customer: Customer, at: datetime, *, is_listed: bool) -> Sequence[Event]:
    """Serve the customer no more; what somebody listed owns becomes blocked property, by accounts."""
    is_told_listed = is_listed or customer.is_told_listed
    refused = replace(customer, status=CustomerStatus.REFUSED, is_told_listed=is_told_listed)
    work.customers.put(customer.customer_id, refused)
    return [CustomerRefused(customer_id=customer.customer_id, is_listed=is_listed, refused_at=at)]


def doubt(work: Work, case: Case, at: datetime) -> Sequence[Event]:
    """People look again at a customer on whom two had decided: until they have decided anew nothing of that stands.

    A customer who was let be served is restricted meanwhile, as when a list changes, and its hits count again.
    """
    if case.customer_id is None or case.customer is None or case.alerts:
        return []
    customer = work.customers[case.customer_id]
    hits = {hit.reference for hit in case.customer.verdict.hits}
    was_served = customer.status is CustomerStatus.VERIFIED
    doubted = replace(
        customer,
        status=CustomerStatus.RESTRICTED if was_served else CustomerStatus.IN_REVIEW,
        cleared=tuple(entry for entry in customer.cleared if entry not in hits),
        cleared_by_number=tuple(one for one in customer.cleared_by_number if one.reference not in hits),
    )
    # Others may have come to be listed since, or a number to be known, of which nobody was asked.
    now = _looked_up(work, doubted, at)
    reasons = (*case.customer.reasons, *((CaseReason.RESEMBLES_LISTED,) if now.verdict.hits else ()))
    _show(work, case, _facts(now, *reasons), at)
    # Whatever is shown: by which entry its property was blocked stays known.
    now = replace(now, verdict=customer.verdict) if customer.is_told_listed else now
    work.customers.put(customer.customer_id, now)
    return [CustomerRestricted(customer_id=customer.customer_id, restricted_at=at)] if was_served else []


def ask_people(work: Work, customer: Customer, reason: CaseReason, at: datetime) -> Sequence[Event]:
    """Have people look at a customer for another reason than a list: nothing if they look at it already."""
    known = work.cases.get(customer_case_id(customer.customer_id))
    if known is not None and not known.has_ended:
        return []
    return _ask_people(work, customer, reason, at)


def _ask_people(work: Work, customer: Customer, reason: CaseReason, at: datetime) -> Sequence[Event]:
    """Open the customer's case, or show in it what is new."""
    is_read = customer.verdict.unscreenable is None
    facts = _facts(customer, *(() if is_read else (CaseReason.NOT_SCREENABLE,)), reason)
    known = work.cases.get(customer_case_id(customer.customer_id))
    if known is not None and not known.has_ended:
        _show(work, known, facts, at)
        return []
    case = Case(
        case_id=customer_case_id(customer.customer_id),
        partition_key=customer.customer_id,
        customer_id=customer.customer_id,
        customer=facts,
        opened_at=at,
        decide_by=at + work.policy.review_customers_within,
        version=known.version if known else 0,
        sequence=known.sequence if known else 0,
    )
    case = work.act(case, ActKind.REOPENED if known else ActKind.OPENED, SYSTEM, at, note=reason.value)
    return [
        CaseOpened(
            case_id=case.case_id,
            partition_key=case.partition_key,
            customer_id=customer.customer_id,
            opened_at=at,
        )
    ]


def _facts(customer: Customer, *reasons: CaseReason) -> CustomerFacts:
    return CustomerFacts(
        kind=customer.kind,
        subject=customer.subject,
        verdict=customer.verdict,
        numbers=numbers_of(customer),
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _show(work: Work, case: Case, facts: CustomerFacts, at: datetime) -> None:
    """Put into a case what is known of its customer, if people have not seen that."""
    known = case.customer
    if known is None or not says_the_same(facts.verdict, known.verdict) or facts.numbers_listed != known.numbers_listed:
        work.change_evidence(replace(case, customer=facts), at)


def _verified(customer: Customer, at: datetime) -> CustomerVerified:
    return CustomerVerified(customer_id=customer.customer_id, tier=customer.tier, verified_at=at)
