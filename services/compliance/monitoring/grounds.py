"""The movements that a finding rests on, to be kept with its alert: what an examiner asks for years later. Pure."""

from collections.abc import Collection

from services.compliance.monitoring.alerts import AlertMovement
from services.compliance.monitoring.cycles import Chain
from services.compliance.monitoring.history import History
from services.compliance.monitoring.movements import moment_of


def grounds_of(customer_id: str, history: History, payment_ids: Collection[str]) -> tuple[AlertMovement, ...]:
    """Those of a customer's movements; none of what came too late, or was too much, to be kept one by one."""
    wanted = set(payment_ids)
    places = ((place, history.payment_id(place)) for place in range(len(history.times)))
    return tuple(
        AlertMovement(
            payment_id=payment_id,
            at=moment_of(history.times[place]),
            cents=history.cents[place],
            is_cash=history.is_cash(place),
            debtor_customer_id=customer_id if history.is_out(place) else None,
            creditor_customer_id=None if history.is_out(place) else customer_id,
            counterpart=history.counterparts[place],
        )
        for place, payment_id in places
        if payment_id in wanted
    )


def grounds_of_chain(chain: Chain) -> tuple[AlertMovement, ...]:
    """The hops of a cycle, most of them between others."""
    return tuple(
        AlertMovement(
            payment_id=hop.payment_id,
            at=moment_of(hop.at_micros),
            cents=hop.cents,
            debtor_customer_id=hop.debtor_customer_id,
            creditor_customer_id=hop.creditor_customer_id,
        )
        for hop in chain
    )
