"""Parties of payments whose accounts are held elsewhere, recognised again without their names. Pure.

    the order, while it is readable ─► pseudonym and countries, beside the answer ─► PaymentSettled ─► both histories

A pseudonym is a keyed hash: who has no key can neither read whom it stands for nor find out by trying names.
"""

import re

from libs.common import ids
from libs.common.personal_data import Keys
from libs.common.record import Record
from schemas.payments.events import EncryptedPersonalData, Institution, Party, PaymentOrder

KEY_OWNER = ids.named("compliance", "outsiders")
"""The owner, in the key store, of the key that pseudonyms are made with. Once it is destroyed they lead to nobody."""

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
"""A number that says by itself which institution holds the account (ISO 13616)."""


class Outsider(Record, omit_defaults=True):
    """Somebody elsewhere."""

    party_id: str
    """A pseudonym: the same for the same account, and no id of any customer."""
    countries: tuple[str, ...] = ()
    """Where the party is and where its account is held, as far as that was told."""


class Outsiders(Record, omit_defaults=True):
    """The sides of a payment that are held elsewhere; the customers who stand for them here are none of its parties."""

    debtor: Outsider | None = None
    creditor: Outsider | None = None


NOBODY = Outsiders()


def are_named(order: PaymentOrder) -> bool:
    """Whether a side of it is held elsewhere."""
    return order.debtor_institution is not None or order.creditor_institution is not None


def outsiders_of(payment_id: str, order: PaymentOrder, keys: Keys) -> Outsiders:
    """Who of an order's parties is elsewhere. `keys`: with that of KEY_OWNER, if there is a key store."""
    if not are_named(order):
        return NOBODY
    debtor = creditor = None
    if not isinstance(order.personal, EncryptedPersonalData):
        debtor, creditor = order.personal.debtor, order.personal.creditor
    return Outsiders(
        debtor=_outsider(keys, f"{payment_id} debtor", debtor, order.debtor_institution),
        creditor=_outsider(keys, f"{payment_id} creditor", creditor, order.creditor_institution),
    )


def _outsider(keys: Keys, place: str, party: Party | None, held_by: Institution | None) -> Outsider | None:
    if held_by is None:
        return None
    # Who can't be read is taken for somebody else each time: that hides nothing from people.
    words = ("sealed", place) if party is None else _words(party, held_by)
    told = (party.country if party is not None else None, held_by.country)
    return Outsider(
        party_id=keys.pseudonym(KEY_OWNER, "\x1f".join(words)),
        countries=tuple(dict.fromkeys(country for country in told if country)),
    )


def _words(party: Party, held_by: Institution) -> tuple[str, ...]:
    """What is the same whenever it is the same party: its account, and its name only where no account is told."""
    number = "".join(filter(str.isalnum, party.account_number or "")).upper()
    if number and (held_by.is_self_hosted or _IBAN.fullmatch(number)):
        return "account", number
    where = held_by.lei or _folded(held_by.name or "")
    return ("account", where, number) if number else ("name", where, _folded(party.name))


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
