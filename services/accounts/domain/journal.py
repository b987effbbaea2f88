"""The journal: transfers, their entries, and the chain of hashes that shows when one was changed later. Pure.

Each account's entries form a chain: an entry's hash covers the hash before it, its own place, amount and balance, and
its whole transfer. Who changes, adds, removes or reorders anything, anywhere, must write every later hash anew, and the
newest of them stands on the account and in every statement that was ever given out.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from libs.common.record import Record

NO_HASH = b""
"""What stands before an account's first entry."""

_pack = msgspec.msgpack.Encoder(order="deterministic").encode


class TransferKind(StrEnum):
    """What a transfer is for."""

    FUNDING = "funding"
    PAYMENT = "payment"
    FEE = "fee"
    BLOCKING = "blocking"
    REFUND = "refund"
    BOOKING = "booking"
    """Asked for by a client of the ledger itself."""
    CAPTURE = "capture"
    """Of what a client of the ledger had held."""
    CONVERSION = "conversion"
    REVERSAL = "reversal"


OF_PAYMENTS = frozenset({TransferKind.PAYMENT, TransferKind.FEE, TransferKind.BLOCKING, TransferKind.REFUND})
"""What moves by payments' word only."""


class Transfer(Record):
    """Money moved from one account to another: balanced by construction."""

    transfer_id: str
    kind: TransferKind
    link_id: str | None = None
    """What it shares with the transfers that were made with it, all or none."""
    link_number: int = 0
    """Its place among them."""
    payment_id: str | None = None
    hold_id: str | None = None
    reversed_transfer_id: str | None = None
    """The transfer that this one takes back."""
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    effective_at: datetime
    """When it counts: in interest, in statements by value date. May lie before it was recorded."""
    recorded_at: datetime
    """When it was entered in the books. Never earlier than what stands before it on either account."""


class Entry(Record):
    """One leg of a transfer, as an account's statement shows it."""

    account_id: str
    lane: int
    """Which of the account's lanes it stands in (docs/decisions/0013-ledger.md); 0 but for accounts of the house."""
    number: int
    """Its place in the lane, from 1 without a gap."""
    transfer_id: str
    amount_minor: int
    """Credits are positive, debits negative."""
    balance_minor: int
    """What is posted in the lane after it."""
    effective_at: datetime
    recorded_at: datetime
    hash: bytes
    """Of this entry and all that came before it in its lane: SHA-256."""


def digest_of(transfer: Transfer) -> bytes:
    """What of a transfer goes into the hashes of its entries: all there is."""
    return hashlib.sha256(_pack(msgspec.structs.astuple(transfer))).digest()


def hash_of(
    hash_before: bytes,
    digest: bytes,
    *,
    account_id: str,
    lane: int,
    number: int,
    amount_minor: int,
    balance_minor: int,
) -> bytes:
    """The hash of an entry: of the one before it, its transfer's digest, and its own fields."""
    return hashlib.sha256(
        hash_before + digest + _pack((account_id, lane, number, amount_minor, balance_minor))
    ).digest()
