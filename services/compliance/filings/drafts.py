"""What a report begins with: as much of it as a case, its alerts and its customers tell. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from libs.common.record import Record, replace
from schemas.accounts.events import CustomerKind
from schemas.payments.events import EncryptedPersonalData, Institution, Party, PartyKind, PaymentOrder
from services.compliance.domain.business_days import business_day_of, day_of
from services.compliance.domain.case import Case
from services.compliance.domain.screenings import subject_of
from services.compliance.domain.work import Customer
from services.compliance.filings.ctr import CashParty, CtrReport
from services.compliance.filings.efiling import Address, PartyCode, Person
from services.compliance.filings.filing import Filing
from services.compliance.filings.sar import ACCOUNTS_MAX, SarReport, Suspicion, SuspiciousKind
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.alerts import Alert
from services.compliance.monitoring.history import EMPTY, History
from services.compliance.monitoring.movements import moment_of
from services.compliance.monitoring.parameters import Scenario

SUSPECTED: Mapping[Scenario, SuspiciousKind] = {
    Scenario.STRUCTURING: SuspiciousKind.BELOW_CTR_THRESHOLD,
    Scenario.RAPID_MOVEMENT: SuspiciousKind.EFT_TRANSFERS,
    Scenario.FAN_IN: SuspiciousKind.FUNNEL_ACCOUNT,
    Scenario.FAN_OUT: SuspiciousKind.EFT_TRANSFERS,
    Scenario.CYCLE: SuspiciousKind.NO_APPARENT_PURPOSE,
    Scenario.DORMANCY: SuspiciousKind.OUT_OF_PATTERN,
    Scenario.MIRRORED_AMOUNTS: SuspiciousKind.NO_APPARENT_PURPOSE,
    Scenario.OWN_MAXIMUM: SuspiciousKind.OUT_OF_PATTERN,
    Scenario.HIGH_RISK_COUNTRY: SuspiciousKind.HIGH_RISK_JURISDICTION,
    Scenario.ROUND_AMOUNTS: SuspiciousKind.NO_APPARENT_PURPOSE,
    Scenario.NEW_ACCOUNT: SuspiciousKind.EFT_TRANSFERS,
}
"""What each scenario's finding is suspected to be; one that is missing here is no suspicion."""
NARRATIVE_LENGTH_MAX = 8_000
"""What a draft tells of alerts: officers have room for their own words."""
_AMOUNTS = ("total_cents", "inflow_cents", "amount_cents", "first_cents")
"""Where an alert says how much moved. What came in and went out again is counted once."""
_REPORTED_CENTS = 10_000_00
_EPOCH = date(1970, 1, 1)


class Known(Record):
    """What a draft is made of."""

    case: Case
    customers: Mapping[str, Customer] = {}
    """Those whom the case is about, by their ids."""
    alerts: tuple[Alert, ...] = ()
    orders: Mapping[str, PaymentOrder] = {}
    """Of the alerts' payments, those still kept; by payment."""
    history: History = EMPTY
    """Of the customer that the alerts are about."""
    reported_days: frozenset[date] = frozenset()
    """Those on whose cash a report of this case stands already."""
    today: date

    @property
    def detected_on(self) -> date:
        return day_of(self.case.opened_at) if self.case.opened_at else self.today


def draft_sar(known: Known) -> SarReport:
    """A report on what made the case suspicious."""
    alerts = [alert for alert in known.alerts if alert.scenario in SUSPECTED]
    days = _days(known, alerts)
    return SarReport(
        subjects=tuple(_subjects(known)),
        suspicions=tuple(Suspicion(kind=kind) for kind in dict.fromkeys(SUSPECTED[one.scenario] for one in alerts)),
        began_on=min(days, default=known.detected_on),
        ended_on=max(days, default=known.detected_on),
        dollars=_dollars_involved(known, alerts),
        narrative=_narrative(alerts),
    )


def continue_sar(known: Known, filing: Filing) -> SarReport:
    """A report on what has gone on since another was filed."""
    before = filing.sar
    assert before is not None and filing.document_number is not None
    news = tuple(alert for alert in known.alerts if day_of(alert.occurred_at) > before.ended_on)
    fresh = draft_sar(replace(known, alerts=news))
    since = before.ended_on + timedelta(days=1)
    reported = before.dollars if before.cumulative_dollars is None else before.cumulative_dollars
    kinds = {suspicion.kind for suspicion in before.suspicions}
    return replace(
        fresh,
        subjects=before.subjects or fresh.subjects,
        suspicions=(*before.suspicions, *(new for new in fresh.suspicions if new.kind not in kinds)),
        began_on=since,
        ended_on=max(since, fresh.ended_on if news else known.today),
        dollars=fresh.dollars if news else None,
        cumulative_dollars=None if reported is None else reported + ((fresh.dollars or 0) if news else 0),
        prior_document_number=int(filing.document_number) if filing.document_number.isdecimal() else None,
        prior_filed_on=filing.filed_on,
    )


def draft_ctr(known: Known) -> CtrReport:
    """A report on the cash of one business day: the first that is not reported yet."""
    by_day: dict[date, list[Alert]] = {}
    for alert in known.alerts:
        if alert.scenario is Scenario.CASH_REPORT:
            by_day.setdefault(date.fromisoformat(str(alert.values["business_day"])), []).append(alert)
    waiting = sorted(by_day.keys() - known.reported_days) or sorted(by_day)[-1:]
    paid_on = waiting[0] if waiting else _usual_day(known)
    alerts = by_day.get(paid_on, [])
    cash_in, cash_out = (_cash(known, alerts, paid_on, is_out=is_out) for is_out in (False, True))
    # What a person brought of it is known where it is one alone.
    share = (cash_in, cash_out) if known.case.customer_id is not None else (0, 0)
    return CtrReport(
        parties=tuple(
            CashParty(person=person, code=PartyCode.CONDUCTOR, cash_in_dollars=share[0], cash_out_dollars=share[1])
            for person in _subjects(known)
        ),
        transacted_on=paid_on,
        cash_in_dollars=cash_in,
        cash_out_dollars=cash_out,
        is_aggregated=_is_aggregated(known, alerts),
    )


def _subjects(known: Known) -> Iterator[Person]:
    """Whom a case is about: the customer; or who pays and who is paid."""
    case = known.case
    if case.payment is not None:
        yield from _parties(known, case.payment.order)
    elif case.customer_id is not None:
        customer = known.customers.get(case.customer_id)
        kind = customer.kind if customer is not None else case.customer.kind if case.customer is not None else None
        subject = customer.subject if customer is not None else case.customer.subject if case.customer else None
        yield _person(
            subject,
            is_entity=kind is CustomerKind.COMPANY,
            is_customer=True,
            accounts=_accounts(known, case.customer_id),
        )


def _accounts(known: Known, customer_id: str) -> tuple[str, ...]:
    """Those that the alerts' money moved through; all that are known where that isn't."""
    moved = [
        account_id
        for order in known.orders.values()
        for owner, account_id in (
            (order.debtor_customer_id, order.debtor_account_id),
            (order.creditor_customer_id, order.creditor_account_id),
        )
        if owner == customer_id
    ]
    customer = known.customers.get(customer_id)
    return tuple(dict.fromkeys(moved or (customer.account_ids if customer is not None else ())))[:ACCOUNTS_MAX]


def _parties(known: Known, order: PaymentOrder) -> Iterator[Person]:
    if isinstance(order.personal, EncryptedPersonalData):
        return
    personal = order.personal
    yield _party(known, personal.debtor, order.debtor_institution, order.debtor_customer_id, order.debtor_account_id)
    yield _party(
        known, personal.creditor, order.creditor_institution, order.creditor_customer_id, order.creditor_account_id
    )


def _party(known: Known, party: Party, elsewhere: Institution | None, customer_id: str, account_id: str) -> Person:
    """Whose account is with another institution is no customer, and is known there by the account's number; the
    account and the customer that the order names are what we hold for that institution."""
    customer = known.customers.get(customer_id) if elsewhere is None else None
    is_company = party.kind is PartyKind.COMPANY or (customer is not None and customer.kind is CustomerKind.COMPANY)
    account = account_id if elsewhere is None else party.account_number
    person = _person(
        subject_of(party),
        is_entity=is_company,
        is_customer=elsewhere is None,
        accounts=(account,) if account else (),
    )
    return replace(person, address=replace(person.address, street=party.address)) if party.address else person


def _person(subject: Subject | None, *, is_entity: bool, is_customer: bool, accounts: tuple[str, ...]) -> Person:
    if subject is None:
        return Person(last_name=None, is_entity=is_entity, is_customer=is_customer, accounts=accounts)
    last, first = (subject.name, None) if is_entity else _names(subject.name)
    return Person(
        last_name=last,
        first_name=first,
        is_entity=is_entity,
        birth_date=subject.birth_date,
        address=Address(country=subject.country),
        accounts=accounts,
        is_customer=is_customer,
    )


def _names(name: str) -> tuple[str | None, str | None]:
    """The last name and the first, as far as a name in one says so."""
    if "," in name:
        last, _, first = name.partition(",")
        return last.strip() or None, first.strip() or None
    *before, last = name.split() or [""]
    return last or None, " ".join(before) or None


def _days(known: Known, alerts: Iterable[Alert]) -> set[date]:
    """When what was found moved."""
    if known.case.payment is not None:
        return {day_of(known.case.payment.order.instructed_at)}
    history = known.history
    moved = {history.payment_id(place): history.times[place] for place in range(len(history.times))}
    found = {day_of(alert.occurred_at) for alert in alerts}
    for alert in alerts:
        for payment_id in alert.payment_ids:
            if payment_id in moved:
                found.add(day_of(moment_of(moved[payment_id])))
            elif payment_id in known.orders:
                found.add(day_of(known.orders[payment_id].instructed_at))
    return found


def _dollars_involved(known: Known, alerts: Sequence[Alert]) -> int | None:
    """Whole dollars, rounded up as the form asks; of alerts on the same payments the largest, and what others add."""
    if known.case.payment is not None:
        order = known.case.payment.order
        return _dollars(order.amount_minor) if order.currency == "USD" else None
    counted, cents = set[str](), 0
    for alert in sorted(alerts, key=_cents_of, reverse=True):
        if counted.isdisjoint(alert.payment_ids):
            cents += _cents_of(alert)
        else:
            more = sum(movement.cents for movement in alert.movements if movement.payment_id not in counted)
            cents += min(more, _cents_of(alert))
        counted.update(alert.payment_ids)
    return _dollars(cents) if cents else None


def _cents_of(alert: Alert) -> int:
    return int(next((alert.values[name] for name in _AMOUNTS if name in alert.values), 0))


def _cash(known: Known, alerts: Iterable[Alert], on: date, *, is_out: bool) -> int:
    """The cash of a day, in whole dollars: alerts tell what it was when they were raised, and not of the other way."""
    direction = "out" if is_out else "in"
    told = [_cents_of(alert) for alert in alerts if alert.values["direction"] == direction]
    return _dollars(max(*told, 0, known.history.cash_of((on - _EPOCH).days, is_out=is_out)))


def _is_aggregated(known: Known, alerts: Iterable[Alert]) -> bool:
    payment_ids = {payment_id for alert in alerts for payment_id in alert.payment_ids}
    amounts = [known.orders[id_].amount_minor for id_ in payment_ids if id_ in known.orders]
    return len(payment_ids) > 1 and all(amount <= _REPORTED_CENTS for amount in amounts)


def _usual_day(known: Known) -> date:
    payment = known.case.payment
    return business_day_of(day_of(payment.order.instructed_at)) if payment is not None else known.detected_on


def _narrative(alerts: Sequence[Alert]) -> str:
    """What monitoring has raised, in its words, the first first."""
    lines, length = list[str](), 0
    for alert in sorted(alerts, key=lambda one: (one.occurred_at, one.alert_id)):
        line = f"{day_of(alert.occurred_at)}: {alert.reason}."
        if length + len(line) >= NARRATIVE_LENGTH_MAX:
            lines.append(f"And {len(alerts) - len(lines)} more alerts.")
            break
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)


def _dollars(cents: int) -> int:
    return -(-cents // 100)
