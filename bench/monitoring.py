"""Monitoring: settled payments a second, each looked at from both sides, with both histories updated."""

from datetime import timedelta
from random import Random

from bench import batches, orders
from bench.figures import Figures
from libs.common import ids
from schemas.accounts.events import CustomerKind, CustomerPersonalData, CustomerRegistered
from schemas.payments.events import PaymentSettled
from services.compliance.__main__ import SERVICE
from tests.parts import Parts

PAYERS = 2_000
PAST = 10_000
EVENTS = 10_000
BATCH = 500


def movements(parts: Parts) -> Figures:
    """Look at 10,000 settled payments after as many others, 500 at a time: small ones, as most are, with no alerts."""
    payers = [ids.new() for _ in range(PAYERS)]
    payees = [ids.new() for _ in range(orders.MERCHANTS)]
    events = settled(PAST + EVENTS, payers=payers, payees=payees, seed=1)
    with parts.runtime(SERVICE) as runtime:
        batches.apply(runtime, [_registered(id_, CustomerKind.PERSON) for id_ in payers], batch_size=BATCH)
        batches.apply(runtime, [_registered(id_, CustomerKind.COMPANY) for id_ in payees], batch_size=BATCH)
        batches.apply(runtime, events[:PAST], batch_size=BATCH)
        seconds = batches.apply(runtime, events[PAST:], batch_size=BATCH)
    return {"monitoring_events_per_second": EVENTS / sum(seconds)}


def _registered(customer_id: str, kind: CustomerKind) -> CustomerRegistered:
    personal = CustomerPersonalData(name="Ann Miller", birth_date="1980-05-17", country="DE")
    return CustomerRegistered(customer_id=customer_id, kind=kind, personal=personal, registered_at=orders.START)


def settled(count: int, *, payers: list[str], payees: list[str], seed: int) -> list[PaymentSettled]:
    """Payments a minute apart, between customers chosen by chance: a busy fortnight of a hundred merchants."""
    chance = Random(seed)
    found = []
    for n in range(count):
        debtor, creditor = chance.choice(payers), chance.choice(payees)
        at = orders.START + timedelta(minutes=n)
        found.append(
            PaymentSettled(
                payment_id=ids.new(),
                debtor_account_id=ids.derive(debtor, "account"),
                creditor_account_id=ids.derive(creditor, "account"),
                debtor_customer_id=debtor,
                creditor_customer_id=creditor,
                amount_minor=chance.randint(400, 4_500),
                currency="EUR",
                instructed_at=at,
                transfer_id=ids.new(),
                settled_at=at,
            )
        )
    return found
