"""What people and programs ask about payments under the travel rule: read-only SQL, and the shapes of the answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Engine

from libs.common.database import array, fetch, transaction
from schemas.accounts.events import CustomerKind
from schemas.compliance.events import PartyRole
from schemas.payments.events import EncryptedPersonalData, Institution, PartyKind
from services.compliance.domain.business_days import day_of
from services.compliance.domain.work import Customer, Policy
from services.compliance.store.travel import decode
from services.compliance.travel.messages import message_of
from services.compliance.travel.record import SIDES, TravelRecord, held_by, known_about, missing
from services.compliance.travel.rules import TravelRule, TravelRules

_decode_customer = msgspec.json.Decoder(Customer).decode
_KINDS = {CustomerKind.PERSON: PartyKind.PERSON, CustomerKind.COMPANY: PartyKind.COMPANY}


def find_record(engine: Engine, payment_id: str) -> TravelRecord | None:
    """What is known of a payment that a rule asks about."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM travel_records WHERE payment_id = %s", (payment_id,))
    return decode(rows[0][0]) if rows else None


def record_view(record: TravelRecord, rules: TravelRules) -> dict[str, Any]:
    """A payment as rules ask about it: which do, what is known, what is missing, and who told what."""
    asking = rules.applicable(record.order, record.asked_on, record.linked)
    return {
        "payment_id": record.payment_id,
        "rules": [rule_view(rule) for rule in asking],
        "missing": list(missing(record, asking)),
        "debtor": _side_view(record, PartyRole.DEBTOR),
        "creditor": _side_view(record, PartyRole.CREDITOR),
        "tellings": _tellings(record),
        "has_message": record.message is not None,
    }


def taken_view(record: TravelRecord, rules: TravelRules) -> dict[str, Any]:
    """What is answered to who tells something: kept for its Idempotency-Key, so without what was told."""
    asking = rules.applicable(record.order, record.asked_on, record.linked)
    return {
        "payment_id": record.payment_id,
        "missing": list(missing(record, asking)),
        "tellings": _tellings(record),
    }


def _tellings(record: TravelRecord) -> list[dict[str, Any]]:
    return [{"by": one.by, "at": one.at, "fields": list(one.fields)} for one in record.tellings]


def rule_view(rule: TravelRule) -> dict[str, Any]:
    """A rule in words that a file of rules would have."""
    floor = rule.floor
    return {
        "rule": rule.rule,
        "jurisdiction": rule.jurisdiction,
        "assets": rule.assets,
        "held_by": rule.held_by,
        "outside": sorted(rule.outside),
        "at_least": str(floor.amount) if floor is not None and floor.is_included else None,
        "above": str(floor.amount) if floor is not None and not floor.is_included else None,
        "currency": floor and floor.currency,
        "applies_from": rule.applies_from,
        "applies_until": rule.applies_until,
        "debtor": list(rule.debtor),
        "creditor": list(rule.creditor),
        "source": rule.source,
    }


def written_message(engine: Engine, record: TravelRecord, policy: Policy) -> bytes:
    """The message that goes with a payment, as it is known now. Raises IvmsFault."""
    own = policy.institution
    ours = Institution(name=own.name, country=own.address.country) if own is not None else None
    return message_of(record, _kinds(engine, record), ours, day_of(datetime.now(UTC)))


def _side_view(record: TravelRecord, side: PartyRole) -> dict[str, Any]:
    held = held_by(record.order, side)
    is_readable = not isinstance(record.order.personal, EncryptedPersonalData)
    return {
        "institution": held and held.name,
        "is_self_hosted": held is not None and held.is_self_hosted,
        "known": msgspec.to_builtins(known_about(record, side)) if is_readable else {},
    }


def _kinds(engine: Engine, record: TravelRecord) -> Mapping[PartyRole, PartyKind]:
    """What those parties are who are our customers."""
    order = record.order
    ids = {PartyRole.DEBTOR: order.debtor_customer_id, PartyRole.CREDITOR: order.creditor_customer_id}
    own = {side: ids[side] for side in SIDES if held_by(order, side) is None}
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            "SELECT customer_id, body FROM customers WHERE customer_id = ANY(%b::uuid[])",
            (array("uuid", own.values()),),
        )
    kinds = {customer_id: _KINDS.get(_decode_customer(body).kind) for customer_id, body in rows}
    found = {side: kinds.get(customer_id) for side, customer_id in own.items()}
    return {side: kind for side, kind in found.items() if kind is not None}
