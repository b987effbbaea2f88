"""Payments that the travel rule asks about: locked and loaded, and how they become rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.writes import Table, lock_rows
from schemas.payments.events import PaymentAnswerOverdue, PaymentDataSupplied, PaymentInitiated
from services.compliance.domain.looking_back import LookBack
from services.compliance.domain.screenings import RescreenPayment
from services.compliance.domain.travel import SupplyPartyData, TellDetails
from services.compliance.travel.record import TravelRecord

RECORDS = Table("travel_records", key={"payment_id": "uuid"}, fixed={"asked_on": "date"}, changing={"body": "text"})

_ABOUT_ONE_PAYMENT = (LookBack, PaymentDataSupplied, RescreenPayment, SupplyPartyData, TellDetails)
_WITH_ORDERS = (PaymentAnswerOverdue, PaymentInitiated)

_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(TravelRecord).decode


def lock_records(tx: Connection, bodies: Sequence[Any]) -> dict[str, TravelRecord]:
    """Those that a batch may touch; nothing is asked for payments within the house."""
    payment_ids = {body.payment_id for body in bodies if isinstance(body, _ABOUT_ONE_PAYMENT)}
    payment_ids |= {body.payment_id for body in bodies if isinstance(body, _WITH_ORDERS) and _travels(body)}
    rows = lock_rows(tx, RECORDS, payment_ids, "payment_id, body")
    return {payment_id: decode(body) for payment_id, body in rows}


def record_row(record: TravelRecord) -> tuple[Any, ...]:
    """A row of RECORDS."""
    return record.payment_id, record.asked_on.isoformat(), _encode(record).decode()


def _travels(body: PaymentAnswerOverdue | PaymentInitiated) -> bool:
    return body.order.debtor_institution is not None or body.order.creditor_institution is not None
