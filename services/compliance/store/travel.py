"""Payments that the travel rule asks about: locked and loaded, and how they become rows."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute
from libs.common.writes import Table, lock_rows
from schemas.payments.events import PaymentAnswerOverdue, PaymentDataSupplied, PaymentInitiated
from services.compliance.domain.looking_back import LookBack
from services.compliance.domain.screenings import RescreenPayment
from services.compliance.domain.travel import SupplyPartyData, TellDetails
from services.compliance.travel.linked import LinkedTransfers, pair_id_of
from services.compliance.travel.record import TravelRecord
from services.compliance.travel.rules import TravelRules

RECORDS = Table("travel_records", key={"payment_id": "uuid"}, fixed={"asked_on": "date"}, changing={"body": "text"})

LINKED = Table("linked_transfers", key={"pair_id": "uuid"}, changing={"last_at": "timestamptz", "body": "text"})

_ABOUT_ONE_PAYMENT = (LookBack, PaymentDataSupplied, RescreenPayment, SupplyPartyData, TellDetails)
_WITH_ORDERS = (PaymentAnswerOverdue, PaymentInitiated)

_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(TravelRecord).decode
_decode_linked = msgspec.json.Decoder(LinkedTransfers).decode


def lock_records(tx: Connection, bodies: Sequence[Any]) -> dict[str, TravelRecord]:
    """Those that a batch may touch; nothing is asked for payments within the house."""
    payment_ids = {body.payment_id for body in bodies if isinstance(body, _ABOUT_ONE_PAYMENT)}
    payment_ids |= {body.payment_id for body in bodies if isinstance(body, _WITH_ORDERS) and _travels(body)}
    rows = lock_rows(tx, RECORDS, payment_ids, "payment_id, body")
    return {payment_id: decode(body) for payment_id, body in rows}


def lock_linked(tx: Connection, bodies: Sequence[Any], rules: TravelRules, on: date) -> dict[str, LinkedTransfers]:
    """What went between the parties of payments that a rule may ask that about."""
    orders = [body.order for body in bodies if isinstance(body, _WITH_ORDERS) and _travels(body)]
    found = (pair_id_of(order) for order in orders if rules.may_be_linked(order, on))
    pair_ids = {pair_id for pair_id in found if pair_id is not None}
    rows = lock_rows(tx, LINKED, pair_ids, "pair_id, body")
    return {pair_id: _decode_linked(body) for pair_id, body in rows}


def forget_linked(linked_within: timedelta, tx: Connection, at_most: int) -> int:
    """Delete what nothing can be linked to any more."""
    return execute(
        tx,
        """DELETE FROM linked_transfers WHERE pair_id IN (
             SELECT pair_id FROM linked_transfers WHERE last_at < now() - %s ORDER BY last_at LIMIT %s
                FOR UPDATE SKIP LOCKED)""",
        (linked_within, at_most),
    )


def linked_row(linked: LinkedTransfers) -> tuple[Any, ...]:
    """A row of LINKED."""
    return linked.pair_id, linked.transfers[-1].at, _encode(linked).decode()


def record_row(record: TravelRecord) -> tuple[Any, ...]:
    """A row of RECORDS."""
    return record.payment_id, record.asked_on.isoformat(), _encode(record).decode()


def _travels(body: PaymentAnswerOverdue | PaymentInitiated) -> bool:
    return body.order.debtor_institution is not None or body.order.creditor_institution is not None
