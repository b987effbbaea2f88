"""The services' databases, as dictionaries: load what a batch may touch, absorb what it changed.

Each loads as much as its service's store, and no more: a decision that touches what was not loaded
must fail here as it would on the real parts.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from libs.common import ids
from libs.common.message import Message, Trace
from libs.common.record import replace
from schemas.accounts.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    CustomerClosed,
    CustomerRegistered,
    RefundPosted,
    RefundRefused,
)
from schemas.compliance.events import CaseResolved, CustomerRefused, CustomerRestricted, CustomerVerified
from schemas.fraud.events import PartyRiskUpdated
from schemas.payments.events import (
    Answer,
    PaymentAnswerOverdue,
    PaymentCancelled,
    PaymentInitiated,
    PaymentRefusalExplained,
    PaymentResumed,
    PaymentSettled,
    PaymentSuspended,
    RefundAnswerOverdue,
    RefundRequested,
    RefundSettled,
)
from services.accounts.domain.chart import house_accounts
from services.accounts.domain.customers import CloseCustomer, OpenAccount, RegisterCustomer, Thaw
from services.accounts.domain.holds import ExpireHold, PostHold, PostHolds, VoidHold
from services.accounts.domain.journal import Entry, Transfer
from services.accounts.domain.ledger import Account, Hold, Ledger, house_account
from services.accounts.domain.ledger import Customer as AccountsCustomer
from services.accounts.domain.ledger import Refund as AccountsRefund
from services.accounts.domain.transfers import Reverse, reversal_id
from services.accounts.store import blocked_funds_of, named_accounts
from services.compliance.catalogue import shipped_import
from services.compliance.defaults import shipped_listings, shipped_versions
from services.compliance.domain.acts import CaseCommand
from services.compliance.domain.case import Act, Case
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.customers import RescreenCustomer, customer_case_id
from services.compliance.domain.forgetting import ForgetParties
from services.compliance.domain.monitored import Hop, Monitored
from services.compliance.domain.parties import Parties, ScreenedParty
from services.compliance.domain.screenings import RescreenPayment
from services.compliance.domain.work import BlockedProperty, Customer, Screening, Work
from services.compliance.domain.work import Policy as CompliancePolicy
from services.compliance.lists.own import parse_own
from services.compliance.matching.index import NameIndex
from services.compliance.matching.sourced import SourcedParty
from services.compliance.monitoring import history as money
from services.compliance.monitoring.alerts import Alert, Watched
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.movements import Profile
from services.compliance.monitoring.standards import Standards
from services.compliance.store import watching
from services.fraud import rulebooks
from services.fraud.domain import history
from services.fraud.domain.entities import Entity, EntityKind, device_entity_id
from services.fraud.domain.judging import CATALOGUE, Judge
from services.fraud.domain.knowledge import Assessment, Knowledge, Panel, ShadowVerdict, Tally
from services.fraud.domain.labelling import LabelPayment, party_of
from services.fraud.domain.rulebook.rulebook import compile_rulebook
from services.payments.domain.answers import DeadlinePassed, deadline_message_id
from services.payments.domain.fees import FeeSchedule
from services.payments.domain.intake import CompleteBatch, InitiatePayment, RefuseLine
from services.payments.domain.payment import Batch, KnownAccount, Payment, Payments, Policy, RefusedLine
from services.payments.domain.refund import Refund
from services.payments.domain.refunds import RefundDeadlinePassed
from tests.simulation.world import absorb, select

RECORDED_AT = datetime(2026, 1, 5, tzinfo=UTC)
ALIKE = "Zynovislav Ostroverkenko"
"""One letter from a listed name: people must look. At times the list has this very name as well."""
LISTED_AT_TIMES = "Karelian Ondravicky"
"""On the list, spelled so, or not at all."""
ALIKE_AT_TIMES = "Tamerik Uluvandre"
"""One letter from a name that is on the list at times: then people must look."""


class PaymentsMemory:
    """What payments keeps."""

    def __init__(self, policy: Policy, fees: FeeSchedule) -> None:
        self.policy = policy
        self.fees = fees
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.accounts: dict[str, KnownAccount] = {}
        self.batches: dict[str, Batch] = {}
        self.refused_lines: list[RefusedLine] = []

    def load(self, messages: Sequence[Message]) -> Payments:
        bodies = [message.body for message in messages]
        orders = _of(bodies, InitiatePayment)
        named = {order.debtor_account_id for order in orders} | {order.creditor_account_id for order in orders}
        named |= {body.account_id for body in _of(bodies, AccountFrozen, AccountThawed, AccountClosed)}
        about_refunds = _of(bodies, RefundPosted, RefundRefused, RefundDeadlinePassed)
        in_files = _of(bodies, InitiatePayment, RefuseLine, CompleteBatch)
        return Payments(
            payments=select(self.payments, _payment_ids(bodies) - {order.payment_id for order in orders}),
            refunds=select(self.refunds, {body.refund_id for body in about_refunds}),
            accounts=select(self.accounts, named),
            batches=select(self.batches, {body.batch_id for body in in_files}),
            policy=self.policy,
            fees=self.fees,
        )

    def absorb(self, state: Payments) -> None:
        absorb(self.payments, state.payments, lambda payment: payment.payment_id)
        absorb(self.refunds, state.refunds, lambda refund: refund.refund_id)
        absorb(self.accounts, state.accounts, lambda account: account.account_id)
        absorb(self.batches, state.batches, lambda batch: batch.batch_id)
        self.refused_lines += state.refused_lines

    def due(self, now: datetime) -> list[Message]:
        looks: list[tuple[datetime, str, str, DeadlinePassed | RefundDeadlinePassed]] = [
            (at, id_, id_, DeadlinePassed(payment_id=id_, check_at=at))
            for id_, payment in self.payments.items()
            if (at := payment.check_at) and at <= now
        ]
        looks += [
            (at, id_, r.payment_id, RefundDeadlinePassed(refund_id=id_, payment_id=r.payment_id, check_at=at))
            for id_, r in self.refunds.items()
            if (at := r.check_at) and at <= now
        ]
        return [
            _tick(body, payment_id, deadline_message_id(id_, check_at), now)
            for check_at, id_, payment_id, body in sorted(looks, key=lambda look: look[:2])
        ]

    @property
    def everything(self) -> object:
        return self.payments, self.refunds, self.accounts, self.batches, self.refused_lines


class AccountsMemory:
    """What accounts keeps."""

    def __init__(self, hold_lifetime: timedelta) -> None:
        self.hold_lifetime = hold_lifetime
        self.customers: dict[str, AccountsCustomer] = {}
        self.accounts: dict[str, Account] = {}
        self.holds: dict[str, Hold] = {}
        self.refunds: dict[str, AccountsRefund] = {}
        self.transfers: list[Transfer] = []
        self.entries: list[Entry] = []

    def load(self, messages: Sequence[Message]) -> Ledger:
        bodies = [message.body for message in messages]
        about_customers = _of(bodies, CustomerVerified, CustomerRefused, CustomerRestricted, OpenAccount, CloseCustomer)
        customer_ids = {body.customer_id for body in about_customers}
        thawed = select(self.accounts, {body.account_id for body in _of(bodies, Thaw)})
        customer_ids |= {account.owner_id for account in thawed.values()}
        about_holds = _of(bodies, ExpireHold, PostHold, VoidHold)
        hold_ids = _payment_ids(bodies) | {body.hold_id for body in about_holds}
        hold_ids |= {posting.hold_id for body in _of(bodies, PostHolds) for posting in body.postings}
        holds = select(self.holds, hold_ids)
        transfers = self._reversible({body.transfer_id for body in _of(bodies, Reverse)})
        account_ids = {account.account_id for account in self.accounts.values() if account.customer_id in customer_ids}
        account_ids |= {account_id for body in bodies for account_id in named_accounts(body)}
        for hold in holds.values():
            account_ids |= {hold.debtor_account_id, hold.creditor_account_id or hold.debtor_account_id}
        for transfer in transfers.values():
            account_ids |= {transfer.debit_account_id, transfer.credit_account_id}
        known, refused = select(self.accounts, account_ids).values(), _of(bodies, CustomerRefused)
        opening = _of(bodies, OpenAccount, RegisterCustomer)
        account_ids |= blocked_funds_of(known, refused, select(self.customers, customer_ids), opening)
        for id_ in sorted(account_ids & house_accounts().keys() - self.accounts.keys()):
            house = house_accounts()[id_]
            self.accounts[id_] = house_account(id_, house.kind, house.currency)
        return Ledger(
            customers=select(self.customers, customer_ids),
            accounts=select(self.accounts, account_ids),
            holds=holds,
            refunds=select(
                self.refunds, {body.refund_id for body in _of(bodies, RefundRequested, RefundAnswerOverdue)}
            ),
            transfers=transfers,
            hold_lifetime=self.hold_lifetime,
            # The database's clock stands still here: what is told must not hang on how messages fall into batches.
            recorded_at=RECORDED_AT,
        )

    def _reversible(self, transfer_ids: set[str]) -> dict[str, Transfer]:
        """Transfers, those linked to them, and those that took them back."""
        if not transfer_ids:
            return {}
        asked = transfer_ids | set(map(reversal_id, transfer_ids))
        link_ids = {t.link_id for t in self.transfers if t.link_id and t.transfer_id in asked}
        return {t.transfer_id: t for t in self.transfers if t.transfer_id in asked or (t.link_id or "") in link_ids}

    def absorb(self, state: Ledger) -> None:
        absorb(self.customers, state.customers, lambda customer: customer.customer_id)
        absorb(self.accounts, state.accounts, lambda account: account.account_id)
        absorb(self.holds, state.holds, lambda hold: hold.hold_id)
        absorb(self.refunds, state.refunds, lambda refund: refund.refund_id)
        self.transfers += state.transfers.inserted
        self.entries += state.entries

    def due(self, now: datetime) -> list[Message]:
        expired = [(h.expires_at, h.hold_id) for h in self.holds.values() if h.expires_at and h.expires_at <= now]
        return [
            _tick(ExpireHold(hold_id=id_), id_, ids.derive(id_, "accounts", "expiry", expires_at.isoformat()), now)
            for expires_at, id_ in sorted(expired)
        ]

    @property
    def everything(self) -> object:
        # Whether an account of the house was opened on which nothing is booked hangs on batches, and nothing on that.
        accounts = {
            id_: account for id_, account in self.accounts.items() if account.customer_id or account.entry_count
        }
        return self.customers, accounts, self.holds, self.refunds, self.transfers, self.entries


class FraudMemory:
    """What fraud keeps; histories with their labels go through the bytes that are stored of them."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.entities: dict[tuple[EntityKind, str], Entity] = {}
        self.assessments: dict[str, Assessment] = {}
        self.tallies: list[Tally] = []
        self.shadow_verdicts: list[ShadowVerdict] = []

    def load(self, messages: Sequence[Message]) -> Knowledge:
        bodies = [message.body for message in messages]
        asked = {
            body.payment_id: body.order
            for body in _of(bodies, PaymentInitiated, PaymentAnswerOverdue)
            if isinstance(body, PaymentInitiated) or Answer.FRAUD in body.awaited
        }
        labels = {body.payment_id for body in _of(bodies, LabelPayment, CaseResolved) if body.payment_id is not None}
        labelled = select(self.assessments, labels)
        keys = {key for body in _of(bodies, PartyRiskUpdated) if (key := party_of(body))}
        for paid in (*asked.values(), *labelled.values()):
            keys |= {(EntityKind.DEBTOR, paid.debtor_account_id), (EntityKind.CREDITOR, paid.creditor_account_id)}
        keys |= {(EntityKind.DEVICE, device_entity_id(o.device_id)) for o in asked.values() if o.device_id}
        keys |= {(EntityKind.DEVICE, known.device_entity_id) for known in labelled.values() if known.device_entity_id}
        found = {key: self.entities.get(key) or Entity(kind=key[0], entity_id=key[1]) for key in sorted(keys)}
        return Knowledge(
            panel=self.panel,
            debtors={id_: entity for (kind, id_), entity in found.items() if kind is EntityKind.DEBTOR},
            creditors={id_: entity for (kind, id_), entity in found.items() if kind is EntityKind.CREDITOR},
            devices={id_: entity for (kind, id_), entity in found.items() if kind is EntityKind.DEVICE},
            assessments=select(self.assessments, asked.keys() | labelled.keys()),
            listed={},
            list_entries={},
            versions={},
        )

    def absorb(self, state: Knowledge) -> None:
        for entity in state.changed_entities:
            self.entities[entity.kind, entity.entity_id] = _stored(entity)
        absorb(self.assessments, state.assessments, lambda assessment: assessment.payment_id)
        self.tallies += state.tallies
        self.shadow_verdicts += state.shadow_verdicts

    def due(self, now: datetime) -> list[Message]:
        return []

    @property
    def everything(self) -> object:
        return self.entities, self.assessments, self.tallies, self.shadow_verdicts


class ComplianceMemory:
    """What compliance keeps, and the list it screens against."""

    def __init__(self, policy: CompliancePolicy) -> None:
        self.policy = policy
        self.index = list_of_version(1)
        self.customers: dict[str, Customer] = {}
        self.screenings: dict[str, Screening] = {}
        self.cases: dict[str, Case] = {}
        self.acts: list[Act] = []
        self.blocked: list[BlockedProperty] = []
        self.remembered: dict[str, ScreenedParty] = {}
        self.watched: dict[str, Watched] = {}
        self.hops: dict[str, Hop] = {}
        self.alerts: dict[str, Alert] = {}

    def load(self, messages: Sequence[Message]) -> Work:
        bodies = [message.body for message in messages]
        case_ids = {body.case_id for body in _of(bodies, CaseCommand)}
        about_customers = (AccountOpened, CustomerClosed, CustomerRegistered, RescreenCustomer)
        customer_ids = {body.customer_id for body in _of(bodies, *about_customers)}
        acted_on = select(self.cases, case_ids)
        case_ids |= {customer_case_id(customer_id) for customer_id in customer_ids}
        case_ids |= {
            payment_case_id(body.payment_id)
            for body in _of(
                bodies, PaymentSuspended, PaymentResumed, PaymentRefusalExplained, PaymentCancelled, RescreenPayment
            )
        }
        asked = {
            body.payment_id
            for body in _of(bodies, PaymentInitiated, PaymentAnswerOverdue)
            if isinstance(body, PaymentInitiated) or Answer.COMPLIANCE in body.awaited
        } | {body.payment_id for body in _of(bodies, RescreenPayment, PaymentSettled, RefundSettled)}
        now = max((message.received_at for message in messages), default=datetime.min.replace(tzinfo=UTC))
        monitored = self._monitored(bodies)
        case_ids |= watching.case_ids(monitored)
        return Work(
            customers=select(self.customers, customer_ids | {case.customer_id for case in acted_on.values()}),
            screenings=select(self.screenings, asked),
            cases=select(self.cases, case_ids),
            filings={},
            parties=Parties(
                self.index,
                {key: party.verdict for key, party in self.remembered.items() if party.expires_at > now},
                remember_for=self.policy.remember_for,
            ),
            lists_version=f"simulated:{self.index.version}",
            policy=self.policy,
            monitored=monitored,
            countries=shipped_standards().countries,
        )

    def _monitored(self, bodies: Sequence[Any]) -> Monitored:
        """Cycles are the sweep's, which waits longer than a simulated story lasts."""
        customer_ids = watching.customer_ids(bodies, self.screenings)
        return Monitored(
            watched={id_: self.watched.get(id_) or Watched(customer_id=id_) for id_ in sorted(customer_ids)},
            known={
                id_: Profile(customer_id=id_, kind=one.kind, subject=one.subject, registered_at=one.registered_at)
                for id_, one in select(self.customers, customer_ids).items()
            },
            standards=shipped_standards(),
        )

    def absorb(self, state: Work) -> None:
        absorb(self.customers, state.customers, lambda customer: customer.customer_id)
        absorb(self.screenings, state.screenings, lambda screening: screening.payment_id)
        absorb(self.cases, state.cases, lambda case: case.case_id)
        self.acts += state.acts
        self.blocked += state.blocked
        for watched in state.monitored.watched.updated:
            past = money.unpack(money.pack(watched.history))
            self.watched[watched.customer_id] = replace(watched, history=past)
        absorb(self.hops, state.monitored.hops, lambda hop: hop.payment_id)
        for alert in state.monitored.alerts:
            assert alert.alert_id not in self.alerts, "an alert was raised twice"
            self.alerts[alert.alert_id] = alert
        self.remembered |= {party.party_key: party for party in state.parties.screened}
        before = state.forgets_before
        if before is not None:
            self.remembered = {key: party for key, party in self.remembered.items() if party.expires_at > before}

    def due(self, now: datetime) -> list[Message]:
        version = self.index.version
        waiting = [case.payment_id for case in self.cases.values() if case.opened_at and not case.has_ended]
        payment_ids = {
            id_
            for id_ in waiting
            if id_ in self.screenings and self.cases[payment_case_id(id_)].catalogue_version < version
        }
        customer_ids = {id_ for id_, customer in self.customers.items() if customer.catalogue_version < version}
        again = {id_: RescreenPayment(payment_id=id_) for id_ in sorted(payment_ids)} | {
            id_: RescreenCustomer(customer_id=id_) for id_ in sorted(customer_ids)
        }
        due = [_tick(body, id_, ids.derive(id_, "rescreen", version), now) for id_, body in again.items()]
        if not due and any(party.expires_at <= now for party in self.remembered.values()):
            id_ = ids.named("compliance", "forget", now.isoformat())
            due.append(_tick(ForgetParties(before=now), id_, id_, now))
        return due

    @property
    def everything(self) -> object:
        # Not whom it remembers: until when depends on which batch met a party first, and no decision on that.
        return (
            self.customers, self.screenings, self.cases, self.acts, self.blocked, self.watched, self.hops, self.alerts
        )  # fmt: skip


@cache
def shipped_standards() -> Standards:
    """What movements are held against as long as nobody has set anything else."""
    return Standards(shipped_versions(), CountryLists(shipped_listings()))


def names_on_list(version: int) -> tuple[str, ...]:
    """Who is on some version of the list besides those that are on all of them."""
    return (LISTED_AT_TIMES, ALIKE, "Tamerik Uluvandra") if version % 2 == 0 else ()


@cache
def list_of_version(version: int) -> NameIndex:
    """The fictional list as some version of it."""
    rows = "".join(f'N-{number},person,"{name}"\n' for number, name in enumerate(names_on_list(version)))
    added = parse_own(f"entity_id,kind,name\n{rows}".encode()) if rows else ()
    parties = (*shipped_import().parties, *added)
    return NameIndex(
        [SourcedParty(list_name="simulated", import_id=version, party=p) for p in parties], version=version
    )


@cache
def stricter_panel() -> Panel:
    """The shipped rules judge, with a lower threshold so that some are blocked; in the shadow, rules that block all."""
    stricter = rulebooks.TEXT.replace("threshold block 0.9", "threshold block 0.75")
    assert stricter != rulebooks.TEXT
    all_blocked = """threshold review 0.5
        threshold block 0.9
        rule everything "Whatever it is." when amount >= 0 block because "{amount} EUR"
        """
    return Panel(
        live=Judge(compile_rulebook(stricter, CATALOGUE)), shadows=(Judge(compile_rulebook(all_blocked, CATALOGUE)),)
    )


def _stored(entity: Entity) -> Entity:
    return replace(
        entity,
        history=history.unpack(history.pack(entity.history)),
        blocked=history.unpack(history.pack(entity.blocked)),
    )


def _of(bodies: Iterable[Any], *kinds: type) -> list[Any]:
    return [body for body in bodies if isinstance(body, kinds)]


def _payment_ids(bodies: Iterable[Any]) -> set[str]:
    return {body.payment_id for body in bodies if getattr(body, "payment_id", None)}


def _tick(body: Any, correlation_id: str, message_id: str, now: datetime) -> Message:
    return Message(
        message_id=message_id, body=body, received_at=now, trace=Trace(correlation_id=correlation_id, traceparent="")
    )
