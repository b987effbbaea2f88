"""The journal: transfers, their entries, and the chain of hashes that shows when one was changed later. Pure.

Each account's entries form a chain: an entry's hash covers the hash before it, its own place, amount and balance, and
its whole transfer. Who changes, adds, removes or reorders anything, anywhere, must write every later hash anew, and the
newest of them stands on the account, and in the statements that were ever given out.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial

import msgspec

from libs.common.chain import NO_HASH, link
from libs.common.record import Record, replace


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
    return link(NO_HASH, msgspec.structs.astuple(transfer))


def hash_of(
    hash_before: bytes,
    digest: bytes,
    account_id: str,
    lane: int,
    number: int,
    amount_minor: int,
    balance_minor: int,
) -> bytes:
    """The hash of an entry: of the one before it, its transfer's digest, and its own fields."""
    return link(hash_before + digest, (account_id, lane, number, amount_minor, balance_minor))


class Fault(Record):
    """The first place of a lane where the journal is not what was once written."""

    account_id: str
    lane: int
    number: int
    what: str


class Reached(Record):
    """How far a lane was found to be what was written."""

    number: int = 0
    balance_minor: int = 0
    hash: bytes = NO_HASH


def first_fault(
    account_id: str,
    lane: int,
    lines: Iterable[tuple[Entry, Transfer | None]],
    *,
    entry_count: int,
    entry_hash: bytes,
) -> Fault | None:
    """Compute the hashes of a lane anew: its entries in order, each with its transfer; count and newest hash as they
    stand on the account. What comes after the first fault proves nothing."""
    reached = follow(account_id, lane, lines)
    if isinstance(reached, Fault):
        return reached
    return fault_at_end(account_id, lane, reached, entry_count=entry_count, entry_hash=entry_hash)


def follow(
    account_id: str, lane: int, lines: Iterable[tuple[Entry, Transfer | None]], reached: Reached = Reached()
) -> Reached | Fault:
    """Compute the hashes of the next entries of a lane anew: how far it is what was written then, or where it is
    not."""
    number, balance_minor, hash_before = reached.number, reached.balance_minor, reached.hash
    for entry, transfer in lines:
        number, balance_minor = number + 1, balance_minor + entry.amount_minor
        fault = partial(Fault, account_id=account_id, lane=lane, number=number)
        if entry.number != number:
            return fault(what="is missing")
        if transfer is None:
            return fault(what="has no transfer")
        digest = digest_of(transfer)
        hash_before = hash_of(hash_before, digest, account_id, lane, number, entry.amount_minor, balance_minor)
        written = replace(
            entry,
            account_id=account_id,
            lane=lane,
            balance_minor=balance_minor,
            effective_at=transfer.effective_at,
            recorded_at=transfer.recorded_at,
            hash=hash_before,
        )
        if entry != written:
            return fault(what="is not what was written, or its transfer is not")
    return Reached(number=number, balance_minor=balance_minor, hash=hash_before)


def fault_at_end(account_id: str, lane: int, reached: Reached, *, entry_count: int, entry_hash: bytes) -> Fault | None:
    """Whether a lane ends where its account says that it does."""
    if (reached.number, reached.hash) == (entry_count, entry_hash):
        return None
    return Fault(account_id=account_id, lane=lane, number=reached.number + 1, what="is missing at the end")
