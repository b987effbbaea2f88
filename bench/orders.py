"""Orders to pay as benchmarks give them: made from a seed, many payers, some dozen payees."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from demo import people
from libs.common import ids
from schemas.payments.events import Channel, Party, PaymentInitiated, PaymentOrder, PaymentPersonalData

MERCHANTS = 100
START = datetime(2026, 1, 1, tzinfo=UTC)


def initiated(count: int, *, payers: Sequence[str], payees: Sequence[str], seed: int) -> list[PaymentInitiated]:
    """Payments a second apart, between accounts chosen by chance."""
    chance = Random(seed)
    owners = {account_id: ids.derive(account_id, "owner") for account_id in (*payers, *payees)}
    names = {account_id: people.person(chance) for account_id in payers}
    names |= {account_id: people.merchant(chance) for account_id in payees}
    found = []
    for n in range(count):
        debtor, creditor, at = chance.choice(payers), chance.choice(payees), START + timedelta(seconds=n)
        order = PaymentOrder(
            client_id="bench",
            debtor_account_id=debtor,
            creditor_account_id=creditor,
            debtor_customer_id=owners[debtor],
            creditor_customer_id=owners[creditor],
            amount_minor=chance.randint(400, 4_500),
            currency="EUR",
            channel=Channel.CARD,
            device_id=f"phone-{debtor}",
            ip_country="DE",
            instructed_at=at,
            personal=PaymentPersonalData(
                debtor=Party(name=names[debtor], country="DE"),
                creditor=Party(name=names[creditor], country="DE"),
                reference=f"order {n}",
            ),
        )
        found.append(PaymentInitiated(payment_id=ids.new(), order=order, initiated_at=at))
    return found
