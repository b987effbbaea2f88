"""Who paid whom: sums by the month, by which a customer's counterparties, and theirs, are found again. Pure."""

from collections.abc import Iterable
from datetime import date

from libs.common.record import Record, replace
from services.compliance.monitoring.movements import Movement, moment_of


class Link(Record):
    """What one customer paid another in a month."""

    debtor_customer_id: str
    creditor_customer_id: str
    month_on: date
    """The first day of the month."""
    payments: int
    cents: int


def link_of(movement: Movement) -> Link:
    """A movement's own share in what the one paid the other."""
    return Link(
        debtor_customer_id=movement.debtor_customer_id,
        creditor_customer_id=movement.creditor_customer_id,
        month_on=moment_of(movement.at_micros).date().replace(day=1),
        payments=1,
        cents=movement.cents,
    )


def added_up(links: Iterable[Link]) -> list[Link]:
    """One link for each pair and month, in the order of their keys: two batches may add to the same."""
    found: dict[tuple[str, date, str], Link] = {}
    for link in links:
        key = link.debtor_customer_id, link.month_on, link.creditor_customer_id
        known = found.get(key)
        if known is not None:
            link = replace(link, payments=known.payments + link.payments, cents=known.cents + link.cents)
        found[key] = link
    return [found[key] for key in sorted(found)]
