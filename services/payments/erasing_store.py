"""What payments has of a customer who is erased: the orders on either side of which the customer stands."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.erasing import Eraser, Erasure, Whom
from libs.common.record import replace
from schemas.payments.events import EncryptedPersonalData, Party, PaymentPersonalData
from services.payments.domain.payment import Payment

SEARCH_TIMEOUT = "20min"
"""Whom a payment was for stands in no index: an operator who erases somebody reads them all."""
_NOBODY = PaymentPersonalData(debtor=Party(name=""), creditor=Party(name=""))

_decode = msgspec.json.Decoder(Payment).decode


def identify(tx: Connection, whom: Whom) -> Whom:
    """With the payments from or to the customer's accounts."""
    execute(tx, f"SET LOCAL statement_timeout = '{SEARCH_TIMEOUT}'")
    accounts = array("uuid", whom.account_ids)
    rows = fetch(
        tx,
        """SELECT payment_id FROM payments
            WHERE debtor_account_id = ANY(%b::uuid[])
               OR (body::json #>> '{order,creditor_account_id}')::uuid = ANY(%b::uuid[]) ORDER BY payment_id""",
        (accounts, accounts),
    )
    return replace(whom, payment_ids=tuple(payment_id for (payment_id,) in rows))


def obstacles(tx: Connection, whom: Whom, _: datetime) -> list[str]:
    """A payment that has not ended needs its parties."""
    ((count,),) = fetch(
        tx,
        "SELECT count(*) FROM payments WHERE payment_id = ANY(%b::uuid[]) AND check_at IS NOT NULL",
        (array("uuid", whom.payment_ids),),
    )
    return [f"{count} payments have not ended"] if count else []


def blank(tx: Connection, erasure: Erasure) -> Mapping[str, int]:
    """What was ordered before there were keys, and so is readable."""
    rows = fetch(
        tx,
        """SELECT payment_id, body FROM payments WHERE payment_id = ANY(%b::uuid[])
              AND body::json #>> '{order,personal,ciphertext}' IS NULL ORDER BY payment_id FOR NO KEY UPDATE""",
        (array("uuid", erasure.whom.payment_ids),),
    )
    blanked = [(payment_id, _blanked(body)) for payment_id, body in rows]
    count = execute(
        tx,
        """UPDATE payments p SET body = v.body
             FROM unnest(%b::uuid[], %b::text[]) AS v (payment_id, body) WHERE p.payment_id = v.payment_id""",
        (array("uuid", [row[0] for row in blanked]), array("text", [row[1] for row in blanked])),
    )
    return {"payments": count}


def _blanked(body: str) -> str:
    payment = _decode(body)
    assert not isinstance(payment.order.personal, EncryptedPersonalData)
    return msgspec.json.encode(replace(payment, order=replace(payment.order, personal=_NOBODY))).decode()


ERASER = Eraser(identify=identify, obstacles=obstacles, blank=blank)
