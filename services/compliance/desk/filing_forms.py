"""The form in which officers write a report: filled in with what is known, and read back. Pure.

Fields have flat names, `subjects.0.last_name`; several values in one are divided by commas.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from libs.common.record import replace
from services.compliance.filings.ctr import CashParty, CtrReport
from services.compliance.filings.efiling import Address, Identification, IdentificationKind, PartyCode, Person
from services.compliance.filings.faults import FilingFault
from services.compliance.filings.sar import SarReport, Suspicion, SuspiciousKind

PLACES_MIN, PLACES_MAX = 3, 20
"""For people on the form. Programs write reports on more."""
CASH_CODES = {
    PartyCode.CONDUCTOR.value: "brought or took it for themselves",
    PartyCode.CONDUCTOR_FOR_OTHER.value: "did so for another",
    PartyCode.ON_WHOSE_BEHALF.value: "is whom it was for",
}
"""What a person may be in a report on cash."""
_WRITTEN = ("last_name", "first_name", "birth_date", "tin", "accounts", "occupation")
_ADDRESS = ("street", "city", "state", "postal_code", "country")
_ABBREVIATED = re.compile(r"\b(ach|ctr|eft)\b", re.IGNORECASE)
_DOLLARS = re.compile(r"[$\s,]")


def suspicion_words() -> dict[str, str]:
    """The kinds of suspicious activity as people read them."""
    return {kind.value: _ABBREVIATED.sub(_upper, kind.name.replace("_", " ").capitalize()) for kind in SuspiciousKind}


def shown(report: SarReport | CtrReport, detected_on: date) -> dict[str, str]:
    """A report as the form shows it."""
    if isinstance(report, SarReport):
        return {**_of_sar(report), "detected_on": detected_on.isoformat()}
    return _of_ctr(report)


def persons_of(report: SarReport | CtrReport | None) -> tuple[Person, ...]:
    """Whom a report names, in their places on the form."""
    match report:
        case SarReport():
            return report.subjects
        case CtrReport():
            return tuple(party.person for party in report.parties)
        case None:
            return ()


def places(count: int) -> int:
    """How many people the form has room for, so many of them known."""
    return min(max(count + 1, PLACES_MIN), PLACES_MAX)


def read_sar(form: Mapping[str, str], before: Sequence[Person] = ()) -> SarReport:
    """What was written, over what was known of the same people. Raises FilingFault, which names the field."""
    kinds = [kind for kind in form.get("suspicions", "").split(",") if kind]
    other = form.get("other", "").strip() or None
    prior = form.get("prior_document_number", "").strip()
    return SarReport(
        subjects=tuple(person for _, person in _read_persons(form, before)),
        suspicions=tuple(_suspicion(kind, other) for kind in kinds),
        began_on=read_day(form, "began_on"),
        ended_on=read_day(form, "ended_on"),
        dollars=_dollars(form, "dollars"),
        cumulative_dollars=_dollars(form, "cumulative_dollars"),
        narrative=form.get("narrative", "").replace("\r\n", "\n"),
        prior_document_number=_number(prior, "prior_document_number") if prior else None,
        prior_filed_on=read_day(form, "prior_filed_on") if form.get("prior_filed_on") else None,
    )


def read_ctr(form: Mapping[str, str], before: Sequence[Person] = ()) -> CtrReport:
    """What was written, over what was known of the same people. Raises FilingFault, which names the field."""
    cash_in, cash_out = (_dollars(form, f"cash_{way}_dollars") or 0 for way in ("in", "out"))
    persons = list(_read_persons(form, before))
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
    for number, person in enumerate(report.subjects[:PLACES_MAX]):
        values |= _of_person(f"subjects.{number}", person)
    return values


def _of_ctr(report: CtrReport) -> dict[str, str]:
    values = {
        "transacted_on": report.transacted_on.isoformat(),
        "cash_in_dollars": str(report.cash_in_dollars),
        "cash_out_dollars": str(report.cash_out_dollars),
        "is_aggregated": "yes" if report.is_aggregated else "",
    }
    for number, party in enumerate(report.parties[:PLACES_MAX]):
        prefix = f"subjects.{number}"
        values |= {**_of_person(prefix, party.person), f"{prefix}.code": party.code.value}
        if party.cash_in_dollars or party.cash_out_dollars:
            values |= {
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


def _read_persons(form: Mapping[str, str], before: Sequence[Person]) -> Iterable[tuple[int, Person]]:
    """Those of whom anything was written, with their places on the form.

    What the form has no field for stays as it was, of somebody who has kept their place and their name.
    """
    for number in range(PLACES_MAX):
        prefix = f"subjects.{number}"
        written = {field: form.get(f"{prefix}.{field}", "").strip() or None for field in (*_WRITTEN, *_ADDRESS)}
        if not any(written.values()):
            continue
        is_entity = form.get(f"{prefix}.is_entity") == "yes"
        last, first = written["last_name"], None if is_entity else written["first_name"]
        known = before[number] if number < len(before) else Person(last_name=None)
        if (known.last_name, known.first_name, known.is_entity) != (last, first, is_entity):
            known = Person(last_name=None)
        accounts = (account.strip() for account in (written["accounts"] or "").split(","))
        yield (
            number,
            replace(
                known,
                last_name=last,
                first_name=first,
                is_entity=is_entity,
                birth_date=written["birth_date"],
                address=Address(**{field: written[field] for field in _ADDRESS}),
                occupation=written["occupation"],
                tin=_tin(written["tin"], known, is_entity=is_entity),
                accounts=tuple(account for account in accounts if account),
                is_customer=form.get(f"{prefix}.is_customer") == "yes",
            ),
        )


def _tin(number: str | None, known: Person, *, is_entity: bool) -> Identification | None:
    if number is None:
        return None
    if known.tin is not None and known.tin.number == number:
        return known.tin
    return Identification(kind=IdentificationKind.EIN if is_entity else IdentificationKind.SSN_ITIN, number=number)


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
