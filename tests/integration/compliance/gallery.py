"""A desk with something on every page, all of it fictional, and where each page is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import prod
from random import Random
from typing import Any

from sqlalchemy import Connection

from libs.common import ids
from libs.common.record import Record, replace
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision, ScreeningOutcome
from schemas.payments.events import (
    Finding,
    InternalReason,
    PaymentEvidence,
    PaymentInitiated,
    PaymentOrder,
    PaymentSettled,
    PaymentSuspended,
)
from services.compliance import list_changes
from services.compliance.domain.acts import ConfirmDecision, ProposeDecision, TakeCase
from services.compliance.domain.audit import Signature
from services.compliance.domain.casework import AddNote, AddTask, AssignCase, FinishTask, LinkPayment
from services.compliance.domain.evidence import AddFile
from services.compliance.domain.people import Role
from services.compliance.domain.silencing import SetParameters, SilenceScenario
from services.compliance.domain.whitelist import pair_id_of
from services.compliance.domain.whitelisting import ProposePair
from services.compliance.importing import import_list, parse_list
from services.compliance.matching.subject import Subject
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import SilenceKind
from services.compliance.monitoring.parameters import Scenario
from services.compliance.queries import find_screening
from tests.deciding import decide
from tests.integration.compliance.reports import filing_on, property_report_on
from tests.integration.compliance.scene import (
    ALIKE,
    ALIKE_BORN,
    LISTED,
    NOW,
    blocked,
    case_of,
    initiated,
    order,
    registered,
    rows,
    settlement,
    suspended,
    to_another_bank,
)

MISSING = ("debtor.birth_date", "debtor.birth_place", "creditor.kind", "creditor.account_number")
REASONS = {
    ScreeningOutcome.REVIEW: InternalReason.COMPLIANCE_REVIEW,
    ScreeningOutcome.BLOCK: InternalReason.COMPLIANCE_BLOCK,
}
"""For what of screening a payment is stopped."""
FIRST_NAMES = ("Mara", "Tomas", "Ines", "Otto", "Lena", "Pavel", "Noor", "Hugo", "Signe", "Dario")
LAST_NAMES = ("Lindqvist", "Okafor", "Delacroix", "Brandt", "Moreau", "Novak", "Haddad", "Costa", "Berg", "Rossi")
SIGNS = (
    Finding(source="device", score=0.71, reason="first payment from this device, at night"),
    Finding(source="amount", score=0.44, reason="seven times what this payer has ever paid before"),
)
LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
"""As nobody is called, but somebody might write."""
HOSTILE = f"<img src=x onerror=alert(1)> \u202eevil {LONG}"


class Scene(Record):
    """What pages are asked about."""

    case_id: str
    customer_id: str
    filing_id: str
    property_filing_id: str
    payment_id: str
    travel_case_id: str
    monitored_case_id: str
    hostile_case_id: str
    before: int
    after: int


class Shown(Record):
    """A page: whose role sees most of it, and where it is."""

    name: str
    role: Role
    route: str
    """As the application declares it."""
    of: str = "case_id"
    """What of the scene stands in the route's only parameter."""
    query: str = ""

    def address(self, scene: Scene) -> str:
        known = {name: getattr(scene, name) for name in scene.__struct_fields__}
        path = self.route.replace("{case_id}", known[self.of]).replace("{customer_id}", scene.customer_id)
        return path.replace("{filing_id}", known[self.of]) + self.query.format(**known)


PAGES: Sequence[Shown] = (
    Shown(name="queue", role=Role.SUPERVISOR, route="/desk"),
    Shown(name="queue-filtered", role=Role.ANALYST, route="/desk", query="?priority=P1&older_than_days=900"),
    Shown(name="queue-proposed", role=Role.SUPERVISOR, route="/desk", query="?queue=proposed"),
    Shown(name="queue-closed", role=Role.AUDITOR, route="/desk", query="?queue=closed"),
    Shown(name="queue-snoozed", role=Role.ANALYST, route="/desk", query="?queue=snoozed"),
    Shown(name="search", role=Role.ANALYST, route="/desk/search", query="?q=miller"),
    Shown(name="search-nothing", role=Role.ANALYST, route="/desk/search", query="?q=zzz"),
    Shown(name="case", role=Role.OFFICER, route="/desk/cases/{case_id}"),
    Shown(name="case-travel", role=Role.ANALYST, route="/desk/cases/{case_id}", of="travel_case_id"),
    Shown(name="case-monitored", role=Role.OFFICER, route="/desk/cases/{case_id}", of="monitored_case_id"),
    Shown(name="case-hostile", role=Role.AUDITOR, route="/desk/cases/{case_id}", of="hostile_case_id"),
    Shown(name="alike", role=Role.SUPERVISOR, route="/desk/alike/{case_id}", of="hostile_case_id"),
    Shown(name="customer", role=Role.OFFICER, route="/desk/customers/{customer_id}"),
    Shown(name="blocked", role=Role.OFFICER, route="/desk/blocked"),
    Shown(name="overview", role=Role.SUPERVISOR, route="/desk/overview"),
    Shown(name="whitelist", role=Role.SUPERVISOR, route="/desk/whitelist"),
    Shown(name="silences", role=Role.SUPERVISOR, route="/desk/silences"),
    Shown(name="scenarios", role=Role.OFFICER, route="/desk/scenarios"),
    Shown(name="lists", role=Role.ADMINISTRATOR, route="/desk/lists"),
    Shown(name="lists-analyst", role=Role.ANALYST, route="/desk/lists"),
    Shown(
        name="list-changes",
        role=Role.ADMINISTRATOR,
        route="/desk/lists/changes",
        query="?before={before}&after={after}",
    ),
    Shown(name="filings", role=Role.OFFICER, route="/desk/filings"),
    Shown(name="filing-new", role=Role.OFFICER, route="/desk/filings/new", query="?case_id={case_id}"),
    Shown(name="filing-new-ctr", role=Role.OFFICER, route="/desk/filings/new", query="?case_id={case_id}&kind=ctr"),
    Shown(name="filing", role=Role.OFFICER, route="/desk/filings/{filing_id}", of="filing_id"),
    Shown(name="filing-edit", role=Role.OFFICER, route="/desk/filings/{filing_id}/edit", of="filing_id"),
    Shown(
        name="property-new",
        role=Role.OFFICER,
        route="/desk/property-reports/new",
        query="?kind=blocked&payment_id={payment_id}",
    ),
    Shown(
        name="property-edit",
        role=Role.OFFICER,
        route="/desk/property-reports/{filing_id}/edit",
        of="property_filing_id",
    ),
    Shown(name="audit", role=Role.AUDITOR, route="/desk/audit"),
    Shown(name="users", role=Role.ADMINISTRATOR, route="/desk/users"),
)


def settled(
    debtor: str, creditor: str, dollars: int, *, days_ago: float = 1, is_cash: bool = False, at: datetime | None = None
) -> PaymentSettled:
    """Money that went from one customer to another."""
    at = at or NOW - timedelta(days=days_ago)
    return settlement(dollars, debtor=debtor, creditor=creditor, at=at, is_cash=is_cash)


def held(
    runtime: Runtime,
    ordered: PaymentOrder,
    *,
    hours_ago: float,
    signs: Sequence[Finding] = (),
    besides: Sequence[InternalReason] = (),
) -> PaymentInitiated:
    """A payment that was stopped so long ago, for what screening really says of it and for signs of fraud."""
    at = NOW - timedelta(hours=hours_ago)
    payment_id = ids.new(at_seconds=at.timestamp())
    event = PaymentInitiated(payment_id=payment_id, order=replace(ordered, instructed_at=at), initiated_at=at)
    decide(runtime, event, at=at)
    decide(runtime, _told(runtime, event, at, signs, besides), at=at + timedelta(seconds=2))
    return event


def _told(
    runtime: Runtime,
    event: PaymentInitiated,
    at: datetime,
    signs: Sequence[Finding],
    besides: Sequence[InternalReason],
) -> PaymentSuspended:
    screening = find_screening(runtime.engine, event.payment_id)
    assert screening is not None
    hits = [
        Finding(
            source=hit.reference,
            score=hit.score,
            reason=f"{role.role.value} resembles {hit.listed_name}: {hit.published_explanation}",
        )
        for role in screening.roles
        for hit in role.verdict.hits
    ]
    evidence = PaymentEvidence(
        fraud_outcome="review" if signs else "allow",
        fraud_score=round(1 - prod(1 - sign.score for sign in signs), 2),
        fraud_findings=tuple(signs),
        compliance_outcome=screening.outcome.value,
        compliance_hits=tuple(hits),
        funds_outcome="held",
    )
    of_screening = REASONS.get(screening.outcome)
    reasons = (of_screening, InternalReason.FRAUD_REVIEW if signs else None, *besides)
    return PaymentSuspended(
        payment_id=event.payment_id,
        order=event.order,
        reasons=tuple(filter(None, reasons)),
        evidence=evidence,
        decide_by=at + timedelta(days=5),
        suspended_at=at + timedelta(seconds=2),
    )


def busy_payment(runtime: Runtime) -> PaymentInitiated:
    """A payment that waits, between two whose money has moved a good deal, and another of the same payer's."""
    payer, payee = ids.new(), ids.new()
    chance = Random(3)
    near, far = [ids.new() for _ in range(18)], [ids.new() for _ in range(70)]
    decide(runtime, registered("Ann Miller", customer_id=payer), registered(ALIKE, customer_id=payee))
    decide(runtime, *(registered(_name(number), customer_id=id_) for number, id_ in enumerate((*near, *far))))
    movements = []
    for customer_id in near:
        middle = payer if chance.random() < 0.6 else payee
        for _ in range(chance.randrange(1, 5)):
            ends = (customer_id, middle) if chance.random() < 0.5 else (middle, customer_id)
            movements.append(settled(*ends, chance.randrange(40, 9_000), days_ago=chance.random() * 80))
    for customer_id in far:
        ends = (customer_id, chance.choice(near))
        ends = ends if chance.random() < 0.5 else ends[::-1]
        movements.append(settled(*ends, chance.randrange(20, 3_000), days_ago=chance.random() * 80))
    decide(runtime, *movements)
    again = replace(order("Ann Miller", "Ben Baker", minor=24_000), debtor_customer_id=payer)
    held(runtime, again, hours_ago=26, signs=SIGNS[:1])
    asked = order(
        "Ann Miller", ALIKE, creditor_born="1957-09-09", country="RS", reference="Invoice 2208", minor=1_840_000
    )
    asked = replace(asked, debtor_customer_id=payer, creditor_customer_id=payee)
    return held(runtime, asked, hours_ago=3, signs=SIGNS)


def _name(number: int) -> str:
    """One of a hundred, each somebody else's."""
    return f"{FIRST_NAMES[number % 10]} {LAST_NAMES[(number + number // 10) % 10]}"


def set_up(runtime: Runtime, *, payer: str = HOSTILE) -> Scene:
    """Have something on every page; `payer` is who one of the payments is by."""
    busy = busy_payment(runtime)
    case_id = case_of(busy)
    _work_on(runtime, case_id)
    _decided(runtime)
    blocked_payment = _blocked(runtime, 2_750_000)
    customer_id, monitored_case_id = _monitored(runtime)
    before, after = _rules(runtime, customer_id)
    return Scene(
        case_id=case_id,
        customer_id=customer_id,
        filing_id=filing_on(runtime, case_id),
        property_filing_id=property_report_on(runtime, blocked_payment),
        payment_id=_blocked(runtime, 412_000),
        travel_case_id=_travel(runtime),
        monitored_case_id=monitored_case_id,
        hostile_case_id=_alike(runtime, payer),
        before=before,
        after=after,
    )


def _work_on(runtime: Runtime, case_id: str) -> None:
    """What two analysts have done about a case so far."""
    ann: dict[str, Any] = {"case_id": case_id, "actor": "analyst1", "role": Role.ANALYST}
    ben: dict[str, Any] = {"case_id": case_id, "actor": "supervisor", "role": Role.SUPERVISOR}
    decide(runtime, TakeCase(**ann, version=1))
    decide(
        runtime, AddNote(**ann, version=2, note="The payee gave another year of birth\nwhen the account was opened.")
    )
    decide(runtime, AddTask(**ann, version=3, note="Ask the payer what the invoice is for"))
    decide(runtime, AddTask(**ann, version=4, note="Compare with the register of companies"))
    decide(runtime, FinishTask(**ann, version=5, task=1))
    content = b"%PDF-1.7\nan invoice"
    decide(runtime, AddFile(**ann, version=6, name="invoice-2208.pdf", content=content, note="From the payer"))
    other = held(runtime, order("Ola Nord", "Ben Baker", minor=732_050), hours_ago=6 * 24, signs=SIGNS[1:])
    why = "The same device, and the same invoice number a week before."
    decide(runtime, LinkPayment(**ann, version=7, payment_id=other.payment_id, note=why))
    why = "The same name, date of birth and country as the listed entry."
    decide(runtime, ProposeDecision(**ann, version=8, decision=CaseDecision.REJECT, note=why))
    dollars = replace(order("Ivo Lund", "Ben Baker", minor=99_000), currency="USD")
    second = held(runtime, dollars, hours_ago=49, signs=SIGNS[1:])
    listed = order("Noor Haddad", LISTED, creditor_born="1974-11-02", country="IQ", minor=615_000)
    held(runtime, listed, hours_ago=9)
    failed = replace(order("Marit Aas", "Ben Baker", minor=5_200_000), currency="USD")
    held(runtime, failed, hours_ago=101, besides=(InternalReason.POSTING_REFUSED,))
    decide(
        runtime,
        AssignCase(**{**ben, "case_id": case_of(second)}, version=1, assignee="analyst2", note="You know them."),
    )


def _blocked(runtime: Runtime, minor: int) -> str:
    """The payment whose money was blocked, for it is a listed party's."""
    event = initiated(order(LISTED, minor=minor))
    decide(runtime, event, blocked(event.payment_id, minor=minor))
    return event.payment_id


def _monitored(runtime: Runtime) -> tuple[str, str]:
    """A customer about whom monitoring has raised something, and the case of it."""
    customer_id, till = ids.new(), ids.new()
    decide(runtime, registered("Casimir Holt", birth_date="1971-06-30", customer_id=customer_id))
    decide(runtime, registered("Corner Exchange", customer_id=till))
    at = NOW - timedelta(days=2)
    paid = [settled(till, customer_id, dollars, at=at, is_cash=True) for dollars in (6_000, 4_800)]
    decide(runtime, *paid, at=at + timedelta(minutes=5))
    ((case_id,),) = rows(runtime, "SELECT case_id FROM cases WHERE customer_id = %s", customer_id)
    return customer_id, case_id


def _travel(runtime: Runtime) -> str:
    """A payment to another bank about whose parties too little is known."""
    at = NOW - timedelta(hours=5)
    event = initiated(replace(to_another_bank(minor=400_000), instructed_at=at))
    decide(runtime, event, at=at)
    evidence = PaymentEvidence(fraud_outcome="allow", compliance_outcome="incomplete", compliance_missing=MISSING)
    told = replace(suspended(event, at=at), reasons=(InternalReason.PARTY_DATA_MISSING,), evidence=evidence)
    decide(runtime, told, at=at)
    return case_of(event)


def _alike(runtime: Runtime, payer: str) -> str:
    """Cases that are like each other, the first of them by this payer."""
    events = [
        held(runtime, order(name, ALIKE, creditor_born=ALIKE_BORN, minor=minor), hours_ago=hours_ago)
        for name, minor, hours_ago in ((payer, 31_000, 30), ("Abel Kerr", 127_540, 52), ("Bela Sandor", 8_600, 75))
    ]
    case_id = case_of(events[0])
    pair: dict[str, Any] = {
        "case_id": case_of(events[1]),
        "pair_id": pair_id_of(Subject(name=ALIKE, birth_date=ALIKE_BORN), "fictional/F-007"),
        "until": NOW + timedelta(days=90),
    }
    by: dict[str, Any] = {"actor": "analyst1", "role": Role.ANALYST, "version": 1}
    decide(runtime, ProposePair(**pair, **by, note="Another passport, another year of birth."))
    return case_id


def _decided(runtime: Runtime) -> None:
    """What two people have decided in the last weeks."""
    for number, decision in enumerate((*[CaseDecision.APPROVE] * 6, CaseDecision.REJECT, CaseDecision.REJECT)):
        hours_ago = 24.0 * (3 + 2 * number)
        ordered = order(_name(number + 40), "Ben Baker", minor=37_010 * (number + 1))
        event = held(runtime, ordered, hours_ago=hours_ago, signs=SIGNS[number % 2 :])
        case_id, at = case_of(event), NOW - timedelta(hours=hours_ago - 2 - 7 * number)
        ann: dict[str, Any] = {"case_id": case_id, "actor": "analyst1", "role": Role.ANALYST}
        decide(runtime, TakeCase(**ann, version=1), at=at)
        why = "The payer has confirmed it." if decision is CaseDecision.APPROVE else "The payer knows nothing of it."
        decide(runtime, ProposeDecision(**ann, version=2, decision=decision, note=why), at=at + timedelta(minutes=9))
        by: dict[str, Any] = {"case_id": case_id, "actor": "supervisor", "role": Role.SUPERVISOR}
        decide(runtime, ConfirmDecision(**by, version=3, note=""), at=at + timedelta(minutes=50))


def _rules(runtime: Runtime, customer_id: str) -> tuple[int, int]:
    """A silence, changes of rules that wait for a second person, and two versions of a list."""
    silence: dict[str, Any] = {"customer_id": customer_id, "scenario": Scenario.ROUND_AMOUNTS}
    why = "A market stall: takings are rounded before they are paid in."
    by: dict[str, Any] = {"by": "supervisor", "role": "supervisor", "reason": why}
    until = NOW + timedelta(days=60)
    decide(runtime, SilenceScenario(**silence, **by, kind=SilenceKind.SUPPRESS, until=until))
    lower = parameters.read(Scenario.CASH_REPORT, {"above_cents": 900_000})
    told: dict[str, Any] = {"by": "olga", "role": "officer", "reason": "As the examiner asked in March."}
    decide(runtime, SetParameters(scenario=Scenario.CASH_REPORT, parameters=lower, effective_from=until, **told))
    by_file = Signature(actor="administrator", role="administrator")

    def take_in(tx: Connection, lines: str) -> int:
        file = parse_list({"own.csv": f"entity_id,kind,name,birth_dates\n{lines}".encode()})
        found = import_list(tx, "own", file, by=by_file, shrink_max=0.9)
        assert found.import_id is not None
        return found.import_id

    first = "1,person,Tortov Grimbel,\n2,person,Malvana Sproot,\n"
    # Another day each time: a version with the same content is none.
    born = date(1930, 1, 1) + timedelta(days=datetime.now(UTC).microsecond % 25_000)
    before = runtime.unit.administer(lambda tx: take_in(tx, f"{first}3,person,Ogdun Fenwrick,{born}\n"))
    after = runtime.unit.administer(
        lambda tx: take_in(tx, f"{first.replace('Grimbel,', 'Grimbel,1961')}4,person,Una Wex,\n")
    )
    proposer = Signature(actor="other.administrator", role="administrator")
    runtime.unit.administer(lambda tx: list_changes.propose_retirement(tx, "own", by=proposer))
    return before, after
