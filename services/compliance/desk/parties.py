"""What a case's page shows of those it is about, and of the listed entries they are held against."""

from collections.abc import Collection, Sequence

from libs.common.record import Record
from schemas.accounts.events import CustomerKind
from schemas.compliance.events import PartyRole, ScreeningOutcome, UnscreenableReason
from schemas.payments.events import EncryptedPersonalData, Party, PaymentOrder
from services.compliance.desk.country_words import country_in_words
from services.compliance.desk.sides import Side, sides
from services.compliance.domain.case import Case
from services.compliance.domain.screenings import subject_of
from services.compliance.domain.whitelist import is_distinct, pair_id_of
from services.compliance.domain.work import Screening
from services.compliance.lists.listed import NameStrength
from services.compliance.matching.owned import Ownership
from services.compliance.matching.screening import Hit, Verdict
from services.compliance.matching.subject import Subject

ALIASES_SHOWN_MAX = 8

_UNSCREENABLE = {
    UnscreenableReason.UNKNOWN: "This party could not be screened.",
    UnscreenableReason.ENCRYPTED: "This party's data is encrypted, or was erased, and could not be screened.",
    UnscreenableReason.NAME_UNREADABLE: "This name has no letters that could be compared with any list.",
}


class PartyView(Record):
    """One side, as the order or the customer's data give it."""

    role: str
    name: str
    facts: tuple[tuple[str, str], ...]
    unscreenable: str | None
    hits: tuple["HitView", ...]


class HitView(Record):
    """A hit, with the listed entry to be held against the party."""

    list_name: str
    list_version: int
    entity_id: str
    listed_name: str
    score_percent: int
    outcome: str
    pair_id: str | None
    """What it is whitelisted as; None if that can't be: its data is encrypted, or it blocks."""
    is_distinct: bool
    """Whether enough is known of the party for that."""
    is_proven: bool
    """Whether the party has proven that it has the entry's official number: no pair speaks against that."""
    reasons: tuple[str, ...]
    sides: tuple[Side, ...]
    """The party and the entry, side by side."""
    facts: tuple[tuple[str, str], ...]
    """What else the entry says, and who owns what by the ownership files."""
    remarks: str


def payment_parties(order: PaymentOrder, screening: Screening | None, owned: Ownership) -> tuple[PartyView, ...]:
    personal = order.personal
    verdicts = {role.role: role.verdict for role in screening.roles} if screening else {}
    if isinstance(personal, EncryptedPersonalData):
        return tuple(
            _party_view(role, "Encrypted", (), None, verdicts.get(role), owned)
            for role in (PartyRole.DEBTOR, PartyRole.CREDITOR)
        )
    return (
        _party_view(
            PartyRole.DEBTOR,
            personal.debtor.name,
            _party_facts(personal.debtor, order.debtor_account_id),
            subject_of(personal.debtor),
            verdicts.get(PartyRole.DEBTOR),
            owned,
            _numbers(personal.debtor),
        ),
        _party_view(
            PartyRole.CREDITOR,
            personal.creditor.name,
            _party_facts(personal.creditor, order.creditor_account_id),
            subject_of(personal.creditor),
            verdicts.get(PartyRole.CREDITOR),
            owned,
            _numbers(personal.creditor),
        ),
    )


def customer_party(case: Case, owned: Ownership) -> tuple[PartyView, ...]:
    if case.customer is None:
        return ()
    subject, kind = case.customer.subject, case.customer.kind
    facts = (("Kind", "Company" if kind is CustomerKind.COMPANY else "Person"), *_subject_facts(subject))
    name = subject.name if subject else "Encrypted"
    numbers = case.customer.numbers
    told = (("Proven numbers", ", ".join(numbers)),) if numbers else ()
    facts = (*facts, *told, ("Customer", case.customer_id or ""))
    proven = {one.reference for one in case.customer.numbers_listed}
    return (_party_view(None, name, facts, subject, case.customer.verdict, owned, numbers, proven),)


def _party_view(
    role: PartyRole | None,
    name: str,
    facts: tuple[tuple[str, str], ...],
    subject: Subject | None,
    verdict: Verdict | None,
    owned: Ownership,
    numbers: Sequence[str] = (),
    proven: Collection[str] = (),
) -> PartyView:
    hits = verdict.hits if verdict else ()
    return PartyView(
        role={PartyRole.DEBTOR: "Payer", PartyRole.CREDITOR: "Payee"}.get(role, "Customer") if role else "Customer",
        name=name,
        facts=facts,
        unscreenable=_UNSCREENABLE[verdict.unscreenable] if verdict and verdict.unscreenable else None,
        hits=tuple(_hit_view(hit, subject, owned, numbers, proven) for hit in hits),
    )


def _numbers(party: Party) -> Sequence[str]:
    return (party.document_number,) if party.document_number else ()


def _party_facts(party: Party, account_id: str) -> tuple[tuple[str, str], ...]:
    subject = subject_of(party)
    told = (("Address", party.address), ("Document number", party.document_number))
    known = ((label, value) for label, value in told if value)
    return (*_subject_facts(subject), *known, ("Account", account_id))


def _subject_facts(subject: Subject | None) -> tuple[tuple[str, str], ...]:
    if subject is None:
        return ()
    return (
        ("Born", subject.birth_date or "not known"),
        ("Country", country_in_words(subject.country) if subject.country else "not known"),
    )


def _hit_view(
    hit: Hit, subject: Subject | None, owned: Ownership, numbers: Sequence[str], proven: Collection[str]
) -> HitView:
    listed = hit.listed
    aliases = [name.name for name in listed.names[1:] if name.strength is not NameStrength.WEAK]
    weak = [name.name for name in listed.names[1:] if name.strength is NameStrength.WEAK]
    owners = [f"{holding.owner} {holding.percent:g} %" for holding in listed.owners]
    owns = [f"{share.company} {share.percent:g} %" for share in owned.owned_by(hit.list_name, listed)]
    facts = (
        ("Listed as", listed.primary_name if listed.primary_name != hit.listed_name else ""),
        ("Also known as", _some(aliases)),
        ("Weak names", _some(weak)),
        ("Programme", listed.programme),
        ("Owned by", _some(owners)),
        ("Owns", _some(owns)),
    )
    return HitView(
        list_name=hit.list_name,
        list_version=hit.import_id,
        entity_id=hit.entity_id,
        listed_name=hit.listed_name,
        score_percent=round(hit.score * 100),
        outcome=hit.outcome.value,
        pair_id=pair_id_of(subject, hit.reference) if subject and hit.outcome is not ScreeningOutcome.BLOCK else None,
        is_distinct=subject is not None and is_distinct(subject),
        reasons=hit.reasons,
        is_proven=hit.reference in proven,
        sides=sides(hit, subject, numbers),
        facts=tuple((label, value) for label, value in facts if value),
        remarks=listed.remarks,
    )


def _some(names: list[str]) -> str:
    shown = " · ".join(names[:ALIASES_SHOWN_MAX])
    more = len(names) - ALIASES_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown
