"""What one batch of compliance's work may touch. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum

from libs.common.personal_data import READABLE, Keys
from libs.common.record import Record, replace
from libs.common.state import Aggregates, Journal, Numbered, State
from schemas.accounts.events import CustomerKind
from schemas.compliance.events import (
    CASE,
    CUSTOMER_CHECK,
    SCREENING,
    CaseDecision,
    PartyRole,
    ScreeningOutcome,
)
from schemas.payments.events import PaymentOrder
from services.compliance.diligence.documents import HandedDocument
from services.compliance.diligence.rating import Factor, Rating, RiskTable
from services.compliance.domain.audit import EMPTY, AuditHead, Happening
from services.compliance.domain.case import SYSTEM, Act, ActKind, Case, CaseReason, CaseStatus, act_of
from services.compliance.domain.monitored import Monitored
from services.compliance.domain.parties import Parties
from services.compliance.domain.people import Role
from services.compliance.domain.rule_change import RuleChange
from services.compliance.domain.whitelist import Pair
from services.compliance.filings.efiling import Institution
from services.compliance.filings.filing import Filing, FilingAct
from services.compliance.matching.screening import SharedNumber, Verdict
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.countries import CountryLists, Edition
from services.compliance.monitoring.outsiders import NOBODY, Outsiders
from services.compliance.travel.linked import LinkedTransfers
from services.compliance.travel.record import TravelRecord
from services.compliance.travel.rules import TravelRules


class CustomerStatus(StrEnum):
    """How far compliance lets a customer be served."""

    IN_REVIEW = "in_review"
    VERIFIED = "verified"
    REFUSED = "refused"
    RESTRICTED = "restricted"
    CLOSED = "closed"
    """Served no more, and so neither looked up again nor verified. What is known about it is kept."""


class Policy(Record):
    """How long things last, and in whose name reports are filed."""

    remember_for: timedelta
    review_customers_within: timedelta
    look_back_for: timedelta = timedelta(0)
    """How long payments are looked at again after they settled, when a list changes; not at all if 0."""
    institution: Institution | None = None
    """Who files reports; None until the installation says."""
    travel: TravelRules
    """Which data must go with payments that leave the house or come in."""
    risk: RiskTable
    """How customers are rated."""


class ScreenedRole(Record, omit_defaults=True):
    """One side of a payment, and what screening says about it. Kept only where there is something to say."""

    role: PartyRole
    subject: Subject | None
    """None if its data came encrypted."""
    verdict: Verdict


class Screening(Record, omit_defaults=True):
    """The answer given about a payment, the last time if it was looked at again while people decide about it."""

    payment_id: str
    debtor_account_id: str
    outcome: ScreeningOutcome
    roles: tuple[ScreenedRole, ...] = ()
    missing: tuple[str, ...] = ()
    """Data about the parties that the travel rule asks for and that are not there, as `debtor.address`."""
    lists_version: str
    screened_at: datetime
    order: PaymentOrder | None = None
    """What was ordered, as long as it may be looked back at; None if that is over, and if its parties are encrypted."""
    settled_at: datetime | None = None
    matcher_version: int = 0
    catalogue_version: int = 0
    """The version of all lists that it was answered with."""
    is_to_look_at: bool = False
    """Whether it is to be looked back at, whatever was looked at already."""
    outsiders: Outsiders = NOBODY
    """Who of its parties is elsewhere, for monitoring: it hears of a payment that settled by its id."""
    sequence: int = 0

    @property
    def versions(self) -> tuple[int, int]:
        """Of the matcher and of all lists, as those of `Parties`."""
        return self.matcher_version, self.catalogue_version


class Mark(Record):
    """Up to where something is done, in the order of when payments were screened."""

    at: datetime
    payment_id: str


class LookingBack(Record):
    """How far the payments whose orders are kept were looked at again with some versions."""

    matcher_version: int
    catalogue_version: int
    mark: Mark | None
    """None: at none yet."""
    is_done: bool

    @property
    def versions(self) -> tuple[int, int]:
        return self.matcher_version, self.catalogue_version


class Looked(Record):
    """A payment that this batch has looked back at."""

    payment_id: str


class Customer(Record, omit_defaults=True):
    """A customer as compliance knows it."""

    customer_id: str
    kind: CustomerKind
    subject: Subject | None
    """None if its data came encrypted: such a customer can't be screened again either."""
    status: CustomerStatus
    is_told_listed: bool = False
    """Whether accounts has been told that what it owns is blocked property."""
    verdict: Verdict
    cleared: tuple[str, ...] = ()
    """Entries that people have decided are someone else, though the names are alike."""
    cleared_by_number: tuple[SharedNumber, ...] = ()
    """Entries that they have decided are someone else although they have an official number of the customer's."""
    resembles: Factor | None = None
    """What it is rated by: whom it resembles on the lists, those among them that people have ruled out."""
    catalogue_version: int
    """The version of all lists it was last screened against."""
    matcher_version: int
    """The version of the matcher it was last screened by."""
    registered_at: datetime | None = None
    """None for those that were registered before this was kept."""
    currencies: tuple[str, ...] = ()
    """What it has accounts in."""
    account_ids: tuple[str, ...] = ()
    """Its accounts, as many as a report may name; those that were opened before this was kept are not here."""
    document: HandedDocument | None = None
    """The last one that was handed in."""
    numbers_before: tuple[str, ...] = ()
    """The official numbers of accepted documents before that one, the last first: a passport has another each time."""
    rating: Rating | None = None
    """None for those that were registered before customers were rated."""
    rated_by: Edition | None = None
    """The lists of countries that it was rated by."""
    tier: int = 0
    """How far it is verified, or would be if it were served; 0 as long as there is no rating."""
    review_on: date | None = None
    """When people look at it again; None while they do."""
    sequence: int = 0


class BlockedProperty(Record):
    """Money of a listed party in blocked funds, and when its report to OFAC is due."""

    payment_id: str
    """The payment that had held it; the transfer, if none had and it was a customer's own."""
    customer_id: str | None = None
    """Whose it is, if no payment tells that."""
    debtor_account_id: str
    amount_minor: int
    currency: str
    transfer_id: str
    blocked_at: datetime
    report_due_on: date


class FileContent(Record):
    """What is in a file of a case."""

    case_id: str
    number: int
    content: bytes


class Handed(Record):
    """Which case somebody was given who had asked for any."""

    request_id: str
    case_id: str


class Work(State):
    """Customers, screenings, cases, filings, whitelisted pairs, locked; parties, remembered; acts, blocked property,
    the log, added to; and what monitoring has of its own.
    """

    def __init__(
        self,
        *,
        customers: Mapping[str, Customer],
        screenings: Mapping[str, Screening],
        cases: Mapping[str, Case],
        filings: Mapping[str, Filing],
        parties: Parties,
        lists_version: str,
        policy: Policy,
        lock_audit_head: Callable[[], AuditHead] = lambda: EMPTY,
        offered: Sequence[str] = (),
        workers: Mapping[str, Role] | None = None,
        monitored: Monitored | None = None,
        travel: Mapping[str, TravelRecord] | None = None,
        linked: Mapping[str, LinkedTransfers] | None = None,
        countries: CountryLists | None = None,
        pairs: Mapping[str, Pair] | None = None,
        looking_back: Mapping[str, LookingBack] | None = None,
        changes: Mapping[str, RuleChange] | None = None,
        keys: Keys = READABLE,
        pseudonym_keys: Keys = READABLE,
    ) -> None:
        """`keys`: those to seal the orders with that are remembered; `pseudonym_keys`: for `outsiders_of`.
        `lock_audit_head`: for whoever writes all this.
        """
        self.customers: Aggregates[Customer] = Aggregates(customers)
        self.screenings: Aggregates[Screening] = Aggregates(screenings)
        self.cases: Aggregates[Case] = Aggregates(cases)
        self.acts: Journal[Act] = Journal()
        self.blocked: Journal[BlockedProperty] = Journal()
        self.audit: Journal[Happening] = Journal()
        self.lock_audit_head = lock_audit_head
        self.files: Journal[FileContent] = Journal()
        self.handed: Journal[Handed] = Journal()
        self.offered = offered
        """Cases that wait for anybody, locked, the most urgent first."""
        self.workers = workers or {}
        """Those let in at the desk whom cases may be assigned to by this batch."""
        self.filings: Aggregates[Filing] = Aggregates(filings)
        self.filing_acts: Journal[FilingAct] = Journal()
        self.monitored = monitored or Monitored()
        self.travel: Aggregates[TravelRecord] = Aggregates(travel or {})
        self.linked: Aggregates[LinkedTransfers] = Aggregates(linked or {})
        self.countries = countries or CountryLists(())
        """The FATF's lists; those of a batch that rates customers."""
        self.pairs: Aggregates[Pair] = Aggregates(pairs or {})
        self.looking_back: Aggregates[LookingBack] = Aggregates(looking_back or {})
        self.looked_at: Journal[Looked] = Journal()
        self.changes: Aggregates[RuleChange] = Aggregates(changes or {})
        """Of rules, that wait for a second person."""
        self.keys = keys
        self.pseudonym_keys = pseudonym_keys
        self.parties = parties
        self.lists_version = lists_version
        self.policy = policy
        self.forgets_before: datetime | None = None
        """If set, parties that expired before are forgotten with this batch."""
        super().__init__(
            self.customers,
            self.screenings,
            self.cases,
            self.acts,
            self.blocked,
            self.audit,
            self.files,
            self.handed,
            self.filings,
            self.filing_acts,
            self.travel,
            self.linked,
            self.pairs,
            self.looking_back,
            self.looked_at,
            self.changes,
            *self.monitored.parts,
            numbering={
                SCREENING: Numbered(aggregates=self.screenings),
                CUSTOMER_CHECK: Numbered(aggregates=self.customers),
                CASE: Numbered(aggregates=self.cases),
            },
        )

    def why_again(self, catalogue_version: int) -> CaseReason:
        """Why those are looked at again who were last looked for in this version of all lists."""
        is_list_new = catalogue_version < self.parties.index.version
        return CaseReason.LIST_CHANGED if is_list_new else CaseReason.MATCHER_CHANGED

    def act(
        self,
        case: Case,
        kind: ActKind,
        actor: str,
        at: datetime,
        *,
        decision: CaseDecision | None = None,
        note: str = "",
        taken_from: str | None = None,
    ) -> Case:
        """Put a case as it now is, with what was done; return it."""
        case, act = act_of(case, kind, actor, at, decision=decision, note=note, taken_from=taken_from)
        self.cases.put(case.case_id, case)
        self.acts.append(act)
        return case

    def change_evidence(self, case: Case, at: datetime) -> None:
        """Put an undecided case of which more is known now.

        A proposal stands on the evidence it was made on, and falls with it.
        """
        note = ", ".join(case.reasons)
        # Whoever has put it off has not seen this.
        case = replace(case, snoozed_until=None)
        if case.status is CaseStatus.PROPOSED:
            case = replace(case, status=CaseStatus.TAKEN, proposal=None)
            note = f"{note}; the proposal was withdrawn"
        self.act(case, ActKind.EVIDENCE_CHANGED, SYSTEM, at, note=note)
