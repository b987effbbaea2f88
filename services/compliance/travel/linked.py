"""Transfers that appear to be linked: between the same two parties, one soon after another. Pure.

Regulation (EU) 2023/1113, articles 5(2) and 6(2): what does not exceed EUR 1,000 by itself is asked about like what
does if it appears to be linked to others with which it does. It names no time: the house says how long
(WEIR_LINKED_HOURS).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from libs.common.record import Record, replace
from schemas.payments.events import EncryptedPersonalData, Institution, Party, PaymentOrder
from services.compliance.travel.rules import Sum

KEPT_MAX = 500
"""Transfers between two parties; of more, the older ones are put together: many small ones hide no large one."""


class Transfer(Record):
    """One that was screened."""

    payment_id: str
    """Empty for several together."""
    at: datetime
    currency: str
    amount_minor: int


class LinkedTransfers(Record, omit_defaults=True):
    """What went between two parties lately, whatever became of it."""

    pair_id: str
    transfers: tuple[Transfer, ...] = ()
    """In the order of their screening; the first may stand for several of their currency, as of the last of them."""


def pair_id_of(order: PaymentOrder) -> str | None:
    """Who pays whom, as a hash: no name. None if their data came encrypted: nobody can tell here."""
    if isinstance(order.personal, EncryptedPersonalData):
        return None
    personal = order.personal
    words = (
        *_words(personal.debtor, order.debtor_customer_id or order.debtor_account_id, order.debtor_institution),
        *_words(personal.creditor, order.creditor_customer_id or order.creditor_account_id, order.creditor_institution),
    )
    return str(UUID(bytes=blake2b("\x1f".join(words).encode(errors="replace"), digest_size=16).digest()))


def with_transfer(known: LinkedTransfers, transfer: Transfer, within: timedelta) -> LinkedTransfers:
    """The transfers that one more may be linked to, and this one."""
    lately = (one for one in known.transfers if one.at > transfer.at - within and one.payment_id != transfer.payment_id)
    transfers = (*lately, transfer)
    if len(transfers) > KEPT_MAX:
        # Half of them, so that this is seldom done. It counts them for longer than they were linked, never for less.
        transfers = (*_together(transfers[: KEPT_MAX // 2]), *transfers[KEPT_MAX // 2 :])
    return LinkedTransfers(pair_id=known.pair_id, transfers=transfers)


def _together(transfers: Sequence[Transfer]) -> list[Transfer]:
    """One for each currency, as of the last of them."""
    found: dict[str, Transfer] = {}
    for one in transfers:
        before = found.get(one.currency)
        if before is not None:
            one = replace(one, payment_id="", amount_minor=before.amount_minor + one.amount_minor)
        found[one.currency] = one
    return sorted(found.values(), key=lambda one: one.at)


def sums_of(transfers: Iterable[Transfer]) -> tuple[Sum, ...]:
    """What they come to, by currency."""
    found: dict[str, int] = {}
    for one in transfers:
        found[one.currency] = found.get(one.currency, 0) + one.amount_minor
    return tuple(Sum(currency=currency, amount_minor=minor) for currency, minor in sorted(found.items()))


def _words(party: Party, our_id: str, held_by: Institution | None) -> tuple[str, str]:
    """Who a party is: our own customer, or somebody of that name elsewhere, whatever account is named."""
    if held_by is None:
        return "ours", our_id
    return "elsewhere", " ".join(party.name.casefold().split())
