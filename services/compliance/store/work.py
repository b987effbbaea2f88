"""What compliance works on: customers, screenings, cases and acts, loaded and locked, and written back in bulk."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from libs.common import ids
from libs.common.message import Message, Trace
from libs.common.personal_data import NO_KEYS, READABLE, Keys, KeysWanted, Unsealable
from libs.common.record import replace
from libs.common.vault import Vault
from libs.common.writes import Writes
from schemas.accounts.events import AccountOpened, CustomerClosed, CustomerRegistered
from schemas.payments.events import (
    Answer,
    PaymentAnswerOverdue,
    PaymentCancelled,
    PaymentDataSupplied,
    PaymentInitiated,
    PaymentRefusalExplained,
    PaymentResumed,
    PaymentSettled,
    PaymentSuspended,
    RefundSettled,
)
from services.compliance.catalogue import Catalogue, LiveCatalogue
from services.compliance.domain.acts import CaseCommand
from services.compliance.domain.alike import AlikeCommand
from services.compliance.domain.business_days import day_of
from services.compliance.domain.case import Case
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.casework import AssignCase, LinkPayment, NextCase, ReopenCase, WakeCase
from services.compliance.domain.customers import RescreenCustomer, customer_case_id, subject_of
from services.compliance.domain.diligence import (
    HandInDocument,
    RateCustomer,
    RecordCheck,
    ReviewCustomer,
    TakeDocument,
)
from services.compliance.domain.filings import DraftFiling
from services.compliance.domain.forgetting import ForgetParties
from services.compliance.domain.looking_back import GoOn, LookBack
from services.compliance.domain.parties import Parties, Whitelist, pairs_of, party_key
from services.compliance.domain.screenings import RescreenPayment, opened, subjects_of
from services.compliance.domain.travel import SupplyPartyData, TellDetails
from services.compliance.domain.whitelist import party_of
from services.compliance.domain.whitelisting import ExpirePair, ProposePair
from services.compliance.domain.work import Customer, Policy, Screening, Work
from services.compliance.matching.screening import MATCHER_VERSION, Verdict
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.outsiders import KEY_OWNER, are_named
from services.compliance.standards import LiveStandards, current_countries
from services.compliance.store import (
    audit,
    cases,
    customers,
    filings,
    lists,
    looking_back,
    parties,
    people,
    rule_changes,
    screenings,
    travel,
    watching,
    whitelist,
)
from services.compliance.travel.record import TravelRecord, completed, merged

_WITH_ORDERS = (PaymentInitiated, PaymentAnswerOverdue)
_ABOUT_CUSTOMERS = (
    AccountOpened,
    CustomerClosed,
    CustomerRegistered,
    HandInDocument,
    RateCustomer,
    RecordCheck,
    RescreenCustomer,
    ReviewCustomer,
    TakeDocument,
)
_SCREENED_AGAIN = (
    LookBack,
    PaymentDataSupplied,
    PaymentSettled,
    RefundSettled,
    RescreenPayment,
    SupplyPartyData,
    TellDetails,
)
_ABOUT_PAYMENT_CASES = (
    PaymentSuspended,
    PaymentResumed,
    PaymentRefusalExplained,
    PaymentCancelled,
    PaymentDataSupplied,
    RescreenPayment,
    LookBack,
    TellDetails,
)


def load_work(
    tx: Connection,
    messages: Sequence[Message],
    *,
    live: LiveCatalogue,
    live_standards: LiveStandards,
    policy: Policy,
    vault: Vault,
) -> Work:
    """Lock and read all that a batch can touch.

    Order of locks: customers, screenings, travel records, linked transfers, watched customers, hops, cases, filings,
    whitelisted pairs, changes of rules; each by id; then how far looking back has come. `save_work` takes the last one,
    the end of the audit log. The key store is asked before: it may take its time.
    """
    bodies = [message.body for message in messages]
    case_ids = {body.case_id for body in bodies if isinstance(body, CaseCommand | DraftFiling)}
    case_ids |= {seen.case_id for body in bodies if isinstance(body, AlikeCommand) for seen in body.cases}
    concerned = whitelist.find_concerned(tx, bodies)
    customer_ids = {body.customer_id for body in bodies if isinstance(body, _ABOUT_CUSTOMERS)} | concerned
    found_customers = customers.lock_customers(tx, customer_ids | cases.find_customers(tx, case_ids))
    screened = {body.payment_id for body in bodies if isinstance(body, _SCREENED_AGAIN) or _asks_for_screening(body)}
    screened |= cases.find_payments(tx, {body.case_id for body in bodies if isinstance(body, ProposePair)})
    screened |= {body.payment_id for body in bodies if isinstance(body, LinkPayment)}
    screened |= {id_ for body in bodies if isinstance(body, GoOn) for id_ in body.payment_ids}
    found_screenings = screenings.lock_screenings(tx, screened)
    rates = bool(found_customers) or any(isinstance(body, CustomerRegistered) for body in bodies)
    travelling = travel.lock_records(tx, bodies)
    linked = travel.lock_linked(tx, bodies, policy.travel, _now(messages).date())
    monitored = watching.load(tx, bodies, live_standards, found_screenings)
    case_ids |= watching.case_ids(monitored)
    case_ids |= {payment_case_id(body.payment_id) for body in bodies if isinstance(body, _ABOUT_PAYMENT_CASES)}
    case_ids |= {customer_case_id(customer_id) for customer_id in customer_ids}
    case_ids |= {body.case_id for body in bodies if isinstance(body, WakeCase)}
    found_cases = cases.lock_cases(tx, case_ids)
    # After those that are waited for: it waits for none.
    asking = [body for body in bodies if isinstance(body, NextCase)]
    offered = cases.lock_offered(tx, {body.role for body in asking}, len(asking) + len(found_cases))
    found_cases |= {case_id: case for case_id, case in offered.items() if case_id not in found_cases}
    wanted = _wanted_keys(bodies, found_screenings, policy)
    all_keys = vault.keys(owners=wanted.owners, key_ids=wanted.key_ids)
    keys = all_keys if policy.look_back_for else READABLE
    subjects = subjects_in(bodies, found_customers, found_cases, found_screenings, travelling, keys)
    subjects += [one.subject for id_ in concerned if (one := found_customers.get(id_)) and one.subject is not None]
    now = _now(messages)
    whitelisted = whitelist.find_in_force(tx, sorted(set(map(party_of, subjects))), now) if subjects else {}
    catalogue, known = _find_parties(tx, live, subjects, whitelisted, now)
    found_filings, found_pairs = filings.lock_filings(tx, bodies), whitelist.lock_pairs(tx, bodies)
    found_changes = rule_changes.lock_changes(tx, bodies)
    found_mark = looking_back.lock_mark(tx, bodies)
    return Work(
        customers=found_customers,
        screenings=found_screenings,
        cases=found_cases,
        filings=found_filings,
        parties=Parties(catalogue.index, known, remember_for=policy.remember_for, whitelist=whitelisted),
        lists_version=catalogue.label,
        policy=policy,
        lock_audit_head=partial(audit.lock_head, tx),
        offered=tuple(offered),
        workers=people.find_workers(tx, {body.assignee for body in bodies if isinstance(body, AssignCase)}),
        monitored=monitored,
        travel=travelling,
        linked=linked,
        countries=live_standards.current(tx).countries if rates else None,
        pairs=found_pairs,
        looking_back=found_mark,
        changes=found_changes,
        keys=keys,
        pseudonym_keys=all_keys,
    )


def save_work(writes: Writes, work: Work) -> None:
    """Say what is to be written of what changed."""
    writes.save(customers.CUSTOMERS, work.customers, customers.customer_row)
    words = (row for change in work.customers.changes for row in customers.word_rows(*change))
    writes.insert(customers.WORDS, sorted(words))
    writes.save(screenings.SCREENINGS, work.screenings, partial(screenings.screening_row, work.keys))
    writes.save(travel.RECORDS, work.travel, travel.record_row)
    writes.save(travel.LINKED, work.linked, travel.linked_row)
    writes.save(cases.CASES, work.cases, cases.case_row)
    writes.insert(cases.WORDS, sorted(row for change in work.cases.changes for row in cases.word_rows(*change)))
    writes.insert(cases.ACTS, map(cases.act_row, work.acts))
    writes.insert(cases.FILES, ((found.case_id, found.number, found.content) for found in work.files))
    # In the order of their keys, for others may be adding the same.
    writes.insert(cases.BLOCKED_PROPERTY, sorted(map(cases.blocked_property_row, work.blocked)))
    writes.save(filings.FILINGS, work.filings, filings.filing_row)
    writes.insert(filings.FILING_ACTS, map(filings.act_row, work.filing_acts))
    writes.save(rule_changes.CHANGES, work.changes, rule_changes.change_row)
    writes.save(looking_back.MARKS, work.looking_back, looking_back.mark_row)
    writes.save(whitelist.PAIRS, work.pairs, whitelist.pair_row)
    watching.save(writes, work.monitored)
    writes.insert(parties.PARTIES, map(parties.party_row, work.parties.screened))
    if work.audit:
        # The last lock, when all is decided, and only for what is put in the log: whoever has it waits for nobody.
        audit.put(writes, work.lock_audit_head(), list(work.audit))
    if work.forgets_before is not None:
        parties.forget_expired(writes, work.forgets_before)


def find_due(tx: Connection, now: datetime, at_most: int) -> list[Message]:
    """Cases that come back, who was not looked at since the lists or the matcher changed, what monitoring has waited
    for, payments that have settled, and parties to be forgotten.

    Payments that wait for people come first: someone may be about to decide. Those that have settled come last: after
    a list has changed there may be millions, for which nothing else is to stand still.
    """
    versions = MATCHER_VERSION, lists.find_catalogue_version(tx)
    awake = cases.find_snoozed(tx, now, at_most)
    payment_ids = cases.find_outdated_payments(tx, versions, at_most - len(awake))
    customer_ids = customers.find_outdated_customers(tx, versions, at_most - len(awake) - len(payment_ids))
    again = {id_: RescreenPayment(payment_id=id_) for id_ in payment_ids} | {
        id_: RescreenCustomer(customer_id=id_) for id_ in customer_ids
    }
    due = [_due(WakeCase(case_id=id_), id_, ids.derive(id_, "wake", now.isoformat()), now) for id_ in awake]
    due += [_due(body, id_, ids.derive(id_, "rescreen", *versions), now) for id_, body in again.items()]
    due += [
        _due(ExpirePair(pair_id=id_), id_, ids.derive(id_, "expire", now.isoformat()), now)
        for id_ in whitelist.find_expired(tx, now, at_most - len(due))
    ]
    due += _due_customers(tx, now, at_most - len(due))
    due += [
        _due(body, id_, ids.derive(id_, *why), now) for body, id_, why in watching.find_due(tx, now, at_most - len(due))
    ]
    due += [
        _due(body, id_, ids.derive(id_, *why), now)
        for body, id_, why in looking_back.find_due(tx, versions, at_most - len(due))
    ]
    if not due and parties.has_expired(tx, now):
        id_ = ids.named("compliance", "forget", now.isoformat())
        due.append(_due(ForgetParties(before=now), id_, id_, now))
    return due


def _due_customers(tx: Connection, now: datetime, at_most: int) -> list[Message]:
    on = day_of(now)
    reviews = customers.find_to_review(tx, on, at_most)
    due = [
        _due(ReviewCustomer(customer_id=id_), id_, ids.derive(id_, "review", on.isoformat()), now) for id_ in reviews
    ]
    edition = current_countries(tx).edition(on)
    to_rate = customers.find_to_rate(tx, edition, at_most - len(due))
    why = "rate", edition.version, edition.changed_on
    return due + [_due(RateCustomer(customer_id=id_), id_, ids.derive(id_, *why), now) for id_ in to_rate]


def _due(body: Any, correlation_id: str, message_id: str, now: datetime) -> Message:
    trace = Trace(correlation_id=correlation_id, traceparent="")
    return Message(message_id=message_id, body=body, received_at=now, trace=trace)


# Loading


def wanted_keys(tx: Connection, messages: Sequence[Message], *, policy: Policy) -> KeysWanted:
    """The keys that `load_work` asks for, but for what others write meanwhile."""
    bodies = [message.body for message in messages]
    again = {body.payment_id for body in bodies if isinstance(body, LookBack)}
    return _wanted_keys(bodies, screenings.find_screenings(tx, again) if policy.look_back_for else {}, policy)


def _wanted_keys(bodies: Sequence[Any], screened: Mapping[str, Screening], policy: Policy) -> KeysWanted:
    """The keys to open the orders with that are looked back at, to seal those with that are to be kept, and to make
    pseudonyms with.
    """
    of_orders = _wanted_keys_of_orders(bodies, screened) if policy.look_back_for else NO_KEYS
    of_outsiders = frozenset((KEY_OWNER,) if any(map(_may_name_outsiders, bodies)) else ())
    return replace(of_orders, owners=of_orders.owners | of_outsiders)


def _may_name_outsiders(body: Any) -> bool:
    if isinstance(body, PaymentDataSupplied | PaymentInitiated | PaymentAnswerOverdue):
        return are_named(body.order)
    return isinstance(body, SupplyPartyData | TellDetails)


def _wanted_keys_of_orders(bodies: Sequence[Any], screened: Mapping[str, Screening]) -> KeysWanted:
    again = {body.payment_id for body in bodies if isinstance(body, LookBack)}
    return screenings.wanted_keys(
        written=[
            *(body.order for body in bodies if isinstance(body, _WITH_ORDERS)),
            *(known.order for known in screened.values() if known.order is not None),
        ],
        read=[known.order for id_ in again if (known := screened.get(id_)) is not None and known.order is not None],
    )


def _asks_for_screening(body: Any) -> bool:
    return isinstance(body, _WITH_ORDERS) and (isinstance(body, PaymentInitiated) or Answer.COMPLIANCE in body.awaited)


def subjects_in(
    bodies: Iterable[Any],
    customers_known: Mapping[str, Customer],
    waiting: Mapping[str, Case],
    screened: Mapping[str, Screening],
    travelling: Mapping[str, TravelRecord],
    keys: Keys,
) -> list[Subject]:
    """Everybody that this batch may have to screen, by what was told of them too."""
    found: list[Subject | None] = []
    for body in bodies:
        if _asks_for_screening(body) or isinstance(body, PaymentDataSupplied):
            found += subjects_of(body.order)
        elif isinstance(body, CustomerRegistered):
            found.append(subject_of(body))
        elif isinstance(body, RescreenCustomer | RecordCheck) and body.customer_id in customers_known:
            found.append(customers_known[body.customer_id].subject)
        elif isinstance(body, ReopenCase):
            case = waiting.get(body.case_id)
            customer = customers_known.get(case.customer_id or "") if case is not None else None
            found.append(customer.subject if customer is not None else None)
        elif isinstance(body, RescreenPayment):
            case = waiting.get(payment_case_id(body.payment_id))
            found += subjects_of(case.payment.order) if case is not None and case.payment is not None else ()
        elif isinstance(body, LookBack):
            found += _subjects_kept(screened.get(body.payment_id), keys)
        record = travelling.get(getattr(body, "payment_id", ""))
        if record is not None:
            found += subjects_of(completed(_with_told(record, body)))
    return [subject for subject in found if subject is not None]


def _subjects_kept(known: Screening | None, keys: Keys) -> Sequence[Subject]:
    try:
        order = opened(known, keys) if known is not None else None
    except Unsealable:
        # The decision about this message says so, and that costs this message alone; here it would cost the batch.
        return ()
    return subjects_of(order) if order is not None else ()


def _with_told(record: TravelRecord, body: Any) -> TravelRecord:
    if isinstance(body, TellDetails | SupplyPartyData):
        return replace(
            record, debtor=merged(record.debtor, body.debtor), creditor=merged(record.creditor, body.creditor)
        )
    return replace(record, order=body.order) if isinstance(body, PaymentDataSupplied) else record


def _find_parties(
    tx: Connection, live: LiveCatalogue, subjects: Sequence[Subject], whitelisted: Whitelist, now: datetime
) -> tuple[Catalogue, Mapping[str, Verdict]]:
    """The catalogue as it is now, and who is known under it."""
    catalogue = live.held or live.current(tx)
    remembered = _find_remembered(tx, catalogue, subjects, whitelisted, now)
    if remembered.catalogue_version != catalogue.version:
        catalogue = live.of_version(tx, remembered.catalogue_version)
        remembered = _find_remembered(tx, catalogue, subjects, whitelisted, now)
    return catalogue, remembered.verdicts


def _find_remembered(
    tx: Connection, catalogue: Catalogue, subjects: Sequence[Subject], whitelisted: Whitelist, now: datetime
) -> parties.Remembered:
    keys = {party_key(subject, catalogue.version, pairs_of(whitelisted, subject)) for subject in subjects}
    return parties.find_remembered(tx, sorted(keys), now)


def _now(messages: Sequence[Message]) -> datetime:
    return max((message.received_at for message in messages), default=datetime.min.replace(tzinfo=UTC))
