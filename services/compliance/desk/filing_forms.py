"""The form in which officers write a report: filled in with what is known, and read back. Pure.

Fields have flat names, `subjects.0.last_name`; several values in one are divided by commas.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date

from schemas.payments.events import EncryptedPersonalData
from services.compliance.domain.case import Case
from services.compliance.filings.ctr import CashParty, CtrReport
from services.compliance.filings.efiling import Address, Identification, IdentificationKind, PartyCode, Person
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.filing import Filing, FilingKind
from services.compliance.filings.sar import SarReport, Suspicion, SuspiciousKind
from services.compliance.matching.subject import Subject

SUBJECTS_ON_FORM = 3
CASH_CODES = {
    PartyCode.CONDUCTOR.value: "brought or took it for themselves",
    PartyCode.CONDUCTOR_FOR_OTHER.value: "did so for another",
    PartyCode.ON_WHOSE_BEHALF.value: "is whom it was for",
}
"""What a person may be in a report on cash."""
_ADDRESS = ("street", "city", "state", "postal_code", "country")
_ABBREVIATED = re.compile(r"\b(ach|ctr|eft)\b", re.IGNORECASE)
_DOLLARS = re.compile(r"[$\s,]")


def suspicion_words() -> dict[str, str]:
    """The kinds of suspicious activity as people read them."""
    return {kind.value: _ABBREVIATED.sub(_upper, kind.name.replace("_", " ").capitalize()) for kind in SuspiciousKind}


def suggested(known: Case | Filing, kind: FilingKind, today: date) -> dict[str, str]:
    """What the form begins with: what a case knows, or what was written before."""
    if isinstance(known, Filing):
        values = _of_sar(known.sar) if known.sar is not None else _of_ctr(known.ctr)
        return {**values, "detected_on": known.detected_on.isoformat()}
    values = {"detected_on": (known.opened_at.date() if known.opened_at else today).isoformat()}
    for number, person in enumerate(_persons(known)):
        values |= _of_person(f"subjects.{number}", person)
    if known.payment is not None:
        day = known.payment.order.instructed_at.date().isoformat()
        values |= {"began_on": day, "ended_on": day, "transacted_on": day}
    return values if kind is FilingKind.SAR else {**values, "cash_out_dollars": "0"}


def read_sar(form: Mapping[str, str]) -> SarReport:
    """What was written. Raises FilingFault, which names the field."""
    kinds = [kind for kind in form.get("suspicions", "").split(",") if kind]
    other = form.get("other", "").strip() or None
    prior = form.get("prior_document_number", "").strip()
    return SarReport(
        subjects=tuple(person for _, person in _read_persons(form)),
        suspicions=tuple(_suspicion(kind, other) for kind in kinds),
        began_on=read_day(form, "began_on"),
        ended_on=read_day(form, "ended_on"),
        dollars=_dollars(form, "dollars"),
        cumulative_dollars=_dollars(form, "cumulative_dollars"),
        narrative=form.get("narrative", "").replace("\r\n", "\n"),
        prior_document_number=_number(prior, "prior_document_number") if prior else None,
        prior_filed_on=read_day(form, "prior_filed_on") if form.get("prior_filed_on") else None,
    )


def read_ctr(form: Mapping[str, str]) -> CtrReport:
    """What was written. Raises FilingFault, which names the field."""
    cash_in, cash_out = (_dollars(form, f"cash_{way}_dollars") or 0 for way in ("in", "out"))
    persons = list(_read_persons(form))
    return CtrReport(
        parties=tuple(
            _cash_party(form, f"subjects.{number}", person, None if len(persons) > 1 else (cash_in, cash_out))
            for number, person in persons
        ),
        transacted_on=read_day(form, "transacted_on"),
        cash_in_dollars=cash_in,
        cash_out_dollars=cash_out,
        is_aggregated=form.get("is_aggregated") == "yes",
    )


def _cash_party(form: Mapping[str, str], prefix: str, person: Person, of_only_one: tuple[int, int] | None) -> CashParty:
    """A person, with what of the cash was theirs: of the only one all of it, of one among several what is written."""
    cash_in, cash_out = (_dollars(form, f"{prefix}.cash_{way}_dollars") for way in ("in", "out"))
    if cash_in is None and cash_out is None:
        if of_only_one is None:
            raise FilingFault(f"{prefix}.cash_in_dollars", "is missing: what of the cash was this person's")
        cash_in, cash_out = of_only_one
    written = form.get(f"{prefix}.code") or PartyCode.CONDUCTOR.value
    if written not in CASH_CODES:
        raise FilingFault(f"{prefix}.code", "is none of those that the form offers")
    return CashParty(
        person=person, code=PartyCode(written), cash_in_dollars=cash_in or 0, cash_out_dollars=cash_out or 0
    )


def _of_sar(report: SarReport) -> dict[str, str]:
    values = {
        "suspicions": ",".join(suspicion.kind for suspicion in report.suspicions),
        "other": next((suspicion.other for suspicion in report.suspicions if suspicion.other), "") or "",
        "began_on": report.began_on.isoformat(),
        "ended_on": report.ended_on.isoformat(),
        "dollars": _shown(report.dollars),
        "cumulative_dollars": _shown(report.cumulative_dollars),
        "narrative": report.narrative,
        "prior_document_number": _shown(report.prior_document_number),
        "prior_filed_on": report.prior_filed_on.isoformat() if report.prior_filed_on else "",
    }
    for number, person in enumerate(report.subjects[:SUBJECTS_ON_FORM]):
        values |= _of_person(f"subjects.{number}", person)
    return values


def _of_ctr(report: CtrReport | None) -> dict[str, str]:
    assert report is not None
    values = {
        "transacted_on": report.transacted_on.isoformat(),
        "cash_in_dollars": str(report.cash_in_dollars),
        "cash_out_dollars": str(report.cash_out_dollars),
        "is_aggregated": "yes" if report.is_aggregated else "",
    }
    for number, party in enumerate(report.parties[:SUBJECTS_ON_FORM]):
        prefix = f"subjects.{number}"
        values |= _of_person(prefix, party.person)
        values |= {
            f"{prefix}.code": party.code.value,
            f"{prefix}.cash_in_dollars": str(party.cash_in_dollars),
            f"{prefix}.cash_out_dollars": str(party.cash_out_dollars),
        }
    return values


def _of_person(prefix: str, person: Person) -> dict[str, str]:
    values = {
        "last_name": person.last_name,
        "first_name": person.first_name,
        "is_entity": "yes" if person.is_entity else "",
        "birth_date": person.birth_date,
        "tin": person.tin.number if person.tin else "",
        "accounts": ", ".join(person.accounts),
        "occupation": person.occupation,
        "is_customer": "yes" if person.is_customer else "",
        **{field: getattr(person.address, field) for field in _ADDRESS},
    }
    return {f"{prefix}.{field}": value or "" for field, value in values.items()}


def _persons(case: Case) -> Iterable[Person]:
    """Whom a case is about: the customer; or who pays and who is paid."""
    if case.customer is not None:
        yield _person(case.customer.subject, case.customer_id)
    if case.payment is not None:
        order = case.payment.order
        if isinstance(order.personal, EncryptedPersonalData):
            return
        for party, account_id in (
            (order.personal.debtor, order.debtor_account_id),
            (order.personal.creditor, order.creditor_account_id),
        ):
            subject = Subject(name=party.name, birth_date=party.birth_date, country=party.country)
            yield _person(subject, account_id)


def _person(subject: Subject | None, account_id: str | None) -> Person:
    accounts = (account_id,) if account_id else ()
    if subject is None:
        return Person(last_name=None, accounts=accounts)
    *first, last = subject.name.split() or [""]
    return Person(
        last_name=last or None,
        first_name=" ".join(first) or None,
        birth_date=subject.birth_date,
        address=Address(country=subject.country),
        accounts=accounts,
    )


def _read_persons(form: Mapping[str, str]) -> Iterable[tuple[int, Person]]:
    """Those of whom anything was written, with their places on the form."""
    for number in range(SUBJECTS_ON_FORM):
        written = {
            field: form.get(f"subjects.{number}.{field}", "").strip() or None
            for field in ("last_name", "first_name", "birth_date", "tin", "accounts", "occupation", *_ADDRESS)
        }
        if not any(written.values()):
            continue
        is_entity = form.get(f"subjects.{number}.is_entity") == "yes"
        tin = written["tin"]
        kind = IdentificationKind.EIN if is_entity else IdentificationKind.SSN_ITIN
        yield (
            number,
            Person(
                last_name=written["last_name"],
                first_name=None if is_entity else written["first_name"],
                is_entity=is_entity,
                birth_date=written["birth_date"],
                address=Address(**{field: written[field] for field in _ADDRESS}),
                occupation=written["occupation"],
                tin=Identification(kind=kind, number=tin) if tin else None,
                accounts=tuple(
                    account.strip() for account in (written["accounts"] or "").split(",") if account.strip()
                ),
                is_customer=form.get(f"subjects.{number}.is_customer") == "yes",
            ),
        )


def _suspicion(kind: str, other: str | None) -> Suspicion:
    try:
        known = SuspiciousKind(kind)
    except ValueError:
        raise FilingFault("suspicions", f"has no kind {kind!r}") from None
    return Suspicion(kind=known, other=other if known.endswith("999") else None)


def read_day(form: Mapping[str, str], field: str) -> date:
    """A day that was written. Raises FilingFault, which names the field."""
    try:
        return date.fromisoformat(form.get(field, ""))
    except ValueError:
        raise FilingFault(field, "is no date") from None


def _dollars(form: Mapping[str, str], field: str) -> int | None:
    text = _DOLLARS.sub("", form.get(field, ""))
    return _number(text, field) if text else None


def _number(text: str, field: str) -> int:
    if not text.isdecimal() or len(text) > 15:
        raise FilingFault(field, "is no whole number")
    return int(text)


def _upper(word: re.Match[str]) -> str:
    return word[0].upper()


def _shown(number: int | None) -> str:
    return "" if number is None else str(number)
