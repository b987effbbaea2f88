"""An office kept in memory: lists, customers, payments and cases, and short words for what happens to them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.batch import Decided, Observe, decide_all
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Message, Trace
from libs.common.personal_data import READABLE, Keys
from libs.common.record import Record, replace
from schemas.accounts.events import CustomerKind, CustomerPersonalData, CustomerRegistered
from schemas.payments.events import (
    Channel,
    EncryptedPersonalData,
    InternalReason,
    Party,
    PaymentEvidence,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentSuspended,
)
from services.compliance.defaults import shipped_listings, shipped_versions
from services.compliance.domain.audit import Happening
from services.compliance.domain.case import Act, Case, CaseStatus
from services.compliance.domain.looking_back import LOOKING_BACK_ID
from services.compliance.domain.monitored import Hop, Monitored
from services.compliance.domain.parties import Parties
from services.compliance.domain.people import Role
from services.compliance.domain.priority import due_at, priority_of
from services.compliance.domain.rule_change import RuleChange
from services.compliance.domain.whitelist import Pair
from services.compliance.domain.work import BlockedProperty, Customer, LookingBack, Screening, Work
from services.compliance.filings.filing import Filing, FilingAct
from services.compliance.handlers import handlers
from services.compliance.lists.listed import ListedParty
from services.compliance.lists.own import parse_own
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import Verdict
from services.compliance.matching.sourced import SourcedParty
from services.compliance.monitoring.alerts import Alert, AlertState, SilenceChange, Watched
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.cycles import Edge, among, search
from services.compliance.monitoring.movements import Profile
from services.compliance.monitoring.standards import Standards
from services.compliance.settings import ComplianceSettings
from services.compliance.store import watching
from services.compliance.travel.linked import LinkedTransfers
from services.compliance.travel.record import TravelRecord

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
DECIDE_BY = START + timedelta(days=5)
SETTINGS = ComplianceSettings(database_url="postgresql://nowhere")
HANDLERS = handlers(SETTINGS)

PAYMENT, CUSTOMER, ACCOUNT = ids.named("payment"), ids.named("customer"), ids.named("account")
CREDITOR_ACCOUNT = ids.named("creditor's account")

HEADER = "entity_id,kind,name,aliases,weak_aliases,birth_dates,countries,programme,remarks\n"
LIST = HEADER + '1,person,"VARKOSKY, Dmitrun",,,1968-03-14,RU,,\n2,person,"SMITHERINGALE, John",,,,,,\n'
LISTED = "Dmitrun Varkosky"
ALIKE = "Dmitrun Varkoskiy"
ORDINARY = "Ann Miller"


WORKERS = {"ann": Role.ANALYST, "ben": Role.SUPERVISOR, "olga": Role.OFFICER}
"""Who may be assigned a case."""


class Office:
    """Decides as the service does, and keeps what it decided."""

    def __init__(self, listed: str = LIST) -> None:
        self.now = START
        self.customers: dict[str, Customer] = {}
        self.screenings: dict[str, Screening] = {}
        self.cases: dict[str, Case] = {}
        self.acts: list[Act] = []
        self.audit: list[Happening] = []
        self.blocked: list[BlockedProperty] = []
        self.watched: dict[str, Watched] = {}
        self.hops: dict[str, Hop] = {}
        self.alerts: dict[str, Alert] = {}
        self.silences: list[SilenceChange] = []
        self.versions = shipped_versions()
        self.countries = CountryLists(shipped_listings())
        self.remembered: dict[str, Verdict] = {}
        self.filings: dict[str, Filing] = {}
        self.pairs: dict[str, Pair] = {}
        self.looking_back: dict[str, LookingBack] = {}
        self.changes: dict[str, RuleChange] = {}
        self.filing_acts: list[FilingAct] = []
        self.travel: dict[str, TravelRecord] = {}
        self.linked: dict[str, LinkedTransfers] = {}
        self.policy = SETTINGS.policy
        self.keys: Keys = READABLE
        self.pseudonym_keys: Keys = READABLE
        self.searches = 0
        self.observe: Observe = lambda *_: None
        self._version = 0
        self.switch_to(listed)

    def switch_to(self, listed: str) -> None:
        """A new version of the list is live."""
        self._version += 1
        parties: Sequence[ListedParty] = parse_own(listed.encode())
        sourced = [SourcedParty(list_name="test", import_id=self._version, party=party) for party in parties]
        self.index = NameIndex(sourced, version=self._version)

    def decide(self, *bodies: Record) -> list[Event]:
        """The events that some bodies lead to, decided as one batch. Raises what a decision raised."""
        return [event for result, events in self._run(bodies) for event in self._applied(result, events)]

    def refusal(self, body: Record) -> str | None:
        """Why a command is refused, if it is."""
        ((result, _),) = self._run([body])
        return result.refusal.reason if result.refusal else None

    def case(self) -> Case:
        """The one case there is."""
        (case,) = self.cases.values()
        return case

    def timeline(self) -> list[str]:
        return [act.kind.value for act in self.acts]

    def _run(self, bodies: Sequence[Record]) -> list[tuple[Decided, list[Event]]]:
        self.now += timedelta(minutes=1)
        work = Work(
            customers=self.customers,
            screenings=self.screenings,
            cases=self.cases,
            filings=self.filings,
            parties=Parties(
                self.index, self.remembered, remember_for=self.policy.remember_for, whitelist=self._whitelist()
            ),
            pairs=self.pairs,
            looking_back=self.looking_back,
            changes=self.changes,
            lists_version=f"test:{self._version}",
            policy=self.policy,
            offered=self._offered(),
            workers=WORKERS,
            monitored=self._monitored(bodies),
            travel=self.travel,
            linked=self.linked,
            countries=self.countries,
            keys=self.keys,
            pseudonym_keys=self.pseudonym_keys,
        )
        told: list[Event] = []

        def keep(event: Event) -> bytes:
            told.append(event)
            return b""

        results = []
        for result in decide_all(HANDLERS, work, [self._message(body) for body in bodies], keep):
            results.append((result, told[: len(result.rows)]))
            del told[: len(result.rows)]
        self._keep(work)
        self.observe(work, ())
        return results

    def _whitelist(self) -> dict[str, list[Pair]]:
        found: dict[str, list[Pair]] = {}
        for pair in self.pairs.values():
            found.setdefault(pair.party, []).append(pair)
        return found

    def _offered(self) -> list[str]:
        waiting = [case for case in self.cases.values() if case.opened_at and case.status is CaseStatus.OPEN]
        return [case.case_id for case in sorted(waiting, key=lambda case: (priority_of(case), due_at(case)))]

    def _monitored(self, bodies: Sequence[Record]) -> Monitored:
        customer_ids = watching.customer_ids(bodies, self.screenings)
        standards = Standards(self.versions, self.countries)
        last_hops = [hop.edge for hop in self.hops.values() if not hop.is_looked_at]
        into: dict[str, list[Edge]] = {}
        for hop in self.hops.values():
            into.setdefault(hop.edge.creditor_customer_id, []).append(hop.edge)
        return Monitored(
            watched={id_: self.watched.get(id_) or Watched(customer_id=id_) for id_ in customer_ids},
            hops=self.hops,
            known={
                id_: Profile(customer_id=id_, kind=one.kind, subject=one.subject, registered_at=one.registered_at)
                for id_, one in self.customers.items()
            },
            standards=standards,
            chains=search(last_hops, standards, among(into)),
        )

    def _message(self, body: Record) -> Message:
        trace = Trace(correlation_id=PAYMENT, traceparent="")
        return Message(message_id=ids.new(), body=body, received_at=self.now, trace=trace)

    def _applied(self, result: Decided, events: list[Event]) -> list[Event]:
        if result.error is not None:
            raise result.error
        assert result.outcome is Outcome.APPLIED
        assert result.refusal is None, result.refusal
        return events

    def _keep(self, work: Work) -> None:
        self.customers = {**self.customers, **_by(work.customers.values(), "customer_id")}
        self.screenings = {**self.screenings, **_by(work.screenings.values(), "payment_id")}
        self.cases = {**self.cases, **_by(work.cases.values(), "case_id")}
        self.acts += list(work.acts)
        self.audit += list(work.audit)
        self.changes |= _by(work.changes.values(), "change_id")
        if marks := work.looking_back.values():
            self.looking_back[LOOKING_BACK_ID] = marks[0]
        self.pairs = {**self.pairs, **_by(work.pairs.values(), "pair_id")}
        self.filings = {**self.filings, **_by(work.filings.values(), "filing_id")}
        self.filing_acts += list(work.filing_acts)
        self.blocked += list(work.blocked)
        self.travel |= _by(work.travel.values(), "payment_id")
        self.linked |= _by(work.linked.values(), "pair_id")
        self.watched |= _by(work.monitored.watched.values(), "customer_id")
        self.hops |= _by(work.monitored.hops.values(), "payment_id")
        self.alerts |= _by(list(work.monitored.alerts), "alert_id")
        for move in work.monitored.moves:
            moved = replace(self.alerts[move.alert_id], state=AlertState.OPEN, case_id=move.case_id)
            self.alerts[move.alert_id] = moved
        self.silences += work.monitored.silences
        self.versions = (*self.versions, *work.monitored.versions)
        self.searches += len(work.parties.screened)
        self.remembered |= {party.party_key: party.verdict for party in work.parties.screened}


def _by(values: Sequence[Any], field: str) -> Mapping[str, Any]:
    return {getattr(value, field): value for value in values}


def order(
    debtor: str = ORDINARY, creditor: str = "Ben Baker", *, is_encrypted: bool = False, **of: Any
) -> PaymentOrder:
    personal: PaymentPersonalData | EncryptedPersonalData = PaymentPersonalData(
        debtor=Party(name=debtor, **of), creditor=Party(name=creditor)
    )
    if is_encrypted:
        personal = EncryptedPersonalData(key_id="k", ciphertext=b"?")
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=ACCOUNT,
        creditor_account_id=CREDITOR_ACCOUNT,
        debtor_customer_id=CUSTOMER,
        creditor_customer_id=ids.named("creditor"),
        amount_minor=12_345,
        currency="EUR",
        channel=Channel.API,
        instructed_at=START,
        personal=personal,
    )


def initiated(ordered: PaymentOrder | None = None, payment_id: str = PAYMENT) -> PaymentInitiated:
    return PaymentInitiated(payment_id=payment_id, order=ordered or order(), initiated_at=START)


def suspended(
    *reasons: InternalReason,
    payment_id: str = PAYMENT,
    evidence: PaymentEvidence | None = None,
    at: datetime = START,
    decide_by: datetime | None = None,
) -> PaymentSuspended:
    """A suspension; the same one told again, with what is known by then, if `decide_by` is the same."""
    return PaymentSuspended(
        payment_id=payment_id,
        order=order(),
        reasons=reasons or (InternalReason.COMPLIANCE_REVIEW,),
        evidence=evidence or PaymentEvidence(compliance_outcome="review", fraud_outcome="allow", funds_outcome="held"),
        decide_by=decide_by or at + (DECIDE_BY - START),
        suspended_at=at,
    )


def registered(
    name: str = ORDINARY,
    *,
    kind: CustomerKind = CustomerKind.PERSON,
    birth_date: str | None = None,
    country: str | None = None,
) -> CustomerRegistered:
    personal = CustomerPersonalData(name=name, birth_date=birth_date, country=country)
    return CustomerRegistered(customer_id=CUSTOMER, kind=kind, personal=personal, registered_at=START)
