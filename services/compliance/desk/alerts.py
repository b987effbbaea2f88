"""What a case shows of what monitoring has raised: the payments it rests on, its values, the parameters it went by."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from libs.common.money import in_dollars
from libs.common.record import Record
from services.compliance.desk.render import parameter, parameter_name, plain, words
from services.compliance.monitoring.alerts import Alert, AlertMovement
from services.compliance.monitoring.parameters import Parameters, values_of
from services.compliance.monitoring_queries import Counterpart, ReadableAlerts

VALUES = {
    "count": "Payments",
    "total_cents": "Together",
    "inflow_cents": "Came in",
    "outflow_cents": "Went out",
    "counterparts": "Counterparties",
    "pairs": "Pairs of amounts",
    "idle_days": "Days without a movement",
    "amount_cents": "Amount",
    "highest_cents": "The most before",
    "payments": "Payments before",
    "age_days": "Days since registration",
    "business_day": "Business day",
    "direction": "Paid",
    "country": "Country",
    "list": "FATF list",
    "hops": "Hops",
    "first_cents": "First hop",
    "last_cents": "Last hop",
}
"""What a scenario calls its values, and what people do."""
PARAMETERS = {
    "low_cents": "Each from",
    "high_cents": "Each up to",
    "above_cents": "More than",
    "count": "Payments, at least",
    "pairs": "Pairs, at least",
    "payers": "Payers, at least",
    "payees": "Payees, at least",
    "payments_min": "Payments before, at least",
    "days": "Within days",
    "hours": "Within hours",
    "zeros": "Zeros at the end, at least",
    "inflow_cents_min": "Coming in, at least",
    "total_cents_min": "Together, at least",
    "amount_cents_min": "Each at least",
    "share_percent": "Share, at least %",
    "tolerance_percent": "Amounts may differ by %",
    "commission_percent": "Kept back, at most %",
    "hops_min": "Hops, at least",
    "hops_max": "Hops, at most",
    "call_for_action_cents_min": "From (call for action)",
    "increased_monitoring_cents_min": "From (increased monitoring)",
    "watches": "Looks at",
    "quiet_hours": "Quiet for hours after an alert",
}
"""What a scenario goes by, and what people call it."""

Rows = tuple[tuple[str, str], ...]


class AlertPayment(Record):
    """A payment that an alert rests on, as far as it was kept."""

    payment_id: str
    at: datetime | None
    amount: str
    direction: str
    is_cash: bool
    counterparty: str
    counterparty_id: str | None
    """None if there is no page of it: compliance doesn't know it, or there is more than one."""


class AlertView(Record):
    """What monitoring has raised, and what it rests on."""

    what: str
    reason: str
    occurred_at: datetime
    values: Rows
    payments: tuple[AlertPayment, ...]
    payment_ids: tuple[str, ...]
    parameters: Rows
    """Empty if the version it went by is not known here."""
    parameters_version: str


def alert_views(found: ReadableAlerts, called: Callable[[str], str]) -> tuple[AlertView, ...]:
    """Each alert of a case; `called` tells what a scenario looks for."""
    return tuple(_view(alert, called(alert.scenario.value), found) for alert in found.alerts)


def _view(alert: Alert, what: str, found: ReadableAlerts) -> AlertView:
    version = found.versions.get((alert.scenario, alert.parameters_version))
    known = {movement.payment_id: movement for movement in alert.movements}
    # In order of time; what was not kept one by one comes last.
    ordered = (*known, *(payment_id for payment_id in alert.payment_ids if payment_id not in known))
    return AlertView(
        what=what,
        reason=alert.reason,
        occurred_at=alert.occurred_at,
        values=_values(alert.values),
        payments=tuple(
            _payment(payment_id, known.get(payment_id), alert.customer_id, found.counterparts) for payment_id in ordered
        ),
        payment_ids=alert.payment_ids,
        parameters=_parameters(version.parameters) if version else (),
        parameters_version=alert.parameters_version,
    )


def _values(values: Mapping[str, int | str]) -> Rows:
    return tuple((VALUES.get(name, parameter_name(name)), _in_words(value, name)) for name, value in values.items())


def _parameters(parameters: Parameters) -> Rows:
    return tuple(
        (PARAMETERS.get(name, parameter_name(name)), _in_words(value, name))
        for name, value in values_of(parameters).items()
        if name != "is_on"
    )


def _in_words(value: Any, name: str) -> str:
    return words(parameter(value, name)) if isinstance(value, str) else parameter(value, name)


def _payment(
    payment_id: str, movement: AlertMovement | None, customer_id: str, counterparts: Mapping[int | str, Counterpart]
) -> AlertPayment:
    if movement is None:
        return AlertPayment(
            payment_id=payment_id,
            at=None,
            amount="",
            direction="",
            is_cash=False,
            counterparty="",
            counterparty_id=None,
        )
    debtor, creditor = movement.debtor_customer_id, movement.creditor_customer_id
    if customer_id in (debtor, creditor):
        is_out = debtor == customer_id
        other = counterparts.get((creditor if is_out else debtor) or movement.counterpart)
        direction, name = "out" if is_out else "in", _name(other)
    else:
        ends = (counterparts.get(end or "") for end in (debtor, creditor))
        direction, name, other = "between others", " → ".join(map(_name, ends)), None
    return AlertPayment(
        payment_id=payment_id,
        at=movement.at,
        amount=in_dollars(movement.cents),
        direction=direction,
        is_cash=movement.is_cash,
        counterparty=name,
        counterparty_id=other.customer_id if other and other.is_known else None,
    )


def _name(counterpart: Counterpart | None) -> str:
    if counterpart is None:
        return "not known any more"
    return plain(counterpart.name) if counterpart.name else f"…{counterpart.customer_id[-8:]}"
