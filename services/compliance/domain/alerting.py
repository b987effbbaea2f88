"""What movements of money raise: alerts, and cases of those whose money it is. Nothing is stopped by them. Pure.

    payment, refund, transfer ─► histories of both sides ─► findings ─► alerts ─┬─► one case a customer, until it ends
                                                                                └─► held back, or kept silent

What moved between customers is looked at once, in its own window of event time, whenever it comes.
"""

from collections.abc import Sequence
from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.accounts.events import TransfersPosted
from schemas.compliance.events import CaseOpened
from services.compliance.domain.case import SYSTEM, ActKind, Case, CustomerFacts
from services.compliance.domain.monitored import AlertMove, Hop
from services.compliance.domain.work import Work
from services.compliance.matching.screening import CLEAR
from services.compliance.monitoring.alerts import SNOOZED_MAX, Alert, AlertState, CaseAlert, SilenceKind, Watched
from services.compliance.monitoring.cycles import Chain, edge_of, finding_of, may_be_hop
from services.compliance.monitoring.grounds import grounds_of, grounds_of_chain
from services.compliance.monitoring.links import link_of
from services.compliance.monitoring.movements import Moved, Movement, Profile, moment_of, movements_of
from services.compliance.monitoring.outsiders import NOBODY
from services.compliance.monitoring.watching import Told, quieten, watch

CASE_ALERTS_MAX = 100
"""What a case shows of its alerts, the newest; all of them are kept."""

_STATES = {SilenceKind.SNOOZE: AlertState.SNOOZED, SilenceKind.SUPPRESS: AlertState.SUPPRESSED}


class LookForCycle(Command):
    """A movement has been known for long enough for others before it to have come: does it close a cycle?"""

    payment_id: str
    customer_id: str
    """To whom the money went, and perhaps came back."""


class WakeAlerts(Command):
    """A snooze is over."""

    customer_id: str


def watch_money(work: Work, event: Moved, at: datetime) -> Sequence[Event]:
    """Take what has moved into the histories of both sides, and raise what the scenarios find."""
    payment_id = "" if isinstance(event, TransfersPosted) else event.payment_id
    known = work.screenings.get(payment_id)
    movements = movements_of(event, known.outsiders if known is not None else NOBODY)
    return [told for movement in movements for told in _watch(work, movement, at)]


def _watch(work: Work, movement: Movement, at: datetime) -> Sequence[Event]:
    monitored, events = work.monitored, list[Event]()
    is_new = False
    for customer_id in movement.customer_ids:
        before = monitored.watched[customer_id]
        watched, told = watch(before, movement, monitored.known, monitored.standards)
        is_new |= watched.history is not before.history
        events += _raise(work, watched, told, movement.payment_id, at)
    if is_new:
        monitored.links.append(link_of(movement))
    _keep_hop(work, movement)
    return events


def look_for_cycle(work: Work, command: LookForCycle, at: datetime) -> Sequence[Event]:
    """Raise the cycle that a movement closes, if it does; each movement is looked at once."""
    monitored = work.monitored
    hop = monitored.hops.get(command.payment_id)
    if hop is None or hop.is_looked_at:
        return []
    monitored.hops.put(hop.payment_id, replace(hop, is_looked_at=True))
    chain = monitored.chains.get(hop.payment_id)
    if chain is None:
        return []
    customer_id = hop.edge.creditor_customer_id
    found = finding_of(chain, monitored.standards, _profile(work, customer_id))
    watched, told = quieten(monitored.watched[customer_id], [] if found is None else [found])
    return _raise(work, watched, told, hop.payment_id, at, chain) if told else []


def wake(work: Work, command: WakeAlerts, at: datetime) -> Sequence[Event]:
    """Show in a case what was held back by snoozes that are over."""
    monitored = work.monitored
    watched = monitored.watched[command.customer_id]
    due = tuple(alert for alert in watched.snoozed if watched.silence(alert.scenario, at) is None)
    if not due:
        return []
    silences = tuple(silence for silence in watched.silences if at < silence.until)
    waiting = tuple(alert for alert in watched.snoozed if alert not in due)
    watched, events = _join_case(work, replace(watched, snoozed=waiting, silences=silences), due, at)
    monitored.watched.put(watched.customer_id, watched)
    assert watched.case_id is not None
    for alert in due:
        monitored.moves.append(AlertMove(alert_id=alert.alert_id, case_id=watched.case_id))
    return events


def _raise(
    work: Work, watched: Watched, told: Sequence[Told], payment_id: str, at: datetime, chain: Chain = ()
) -> Sequence[Event]:
    """Keep the customer as it now is, with an alert for each finding; have people look at those that may be seen."""
    alerts = [_alert(watched, one, payment_id, at, chain) for one in told]
    held_back = tuple(alert.in_case for alert in alerts if alert.state is AlertState.SNOOZED)
    if held_back:
        watched = replace(watched, snoozed=(*watched.snoozed, *held_back)[-SNOOZED_MAX:])
    seen = tuple(alert.in_case for alert in alerts if alert.state is AlertState.OPEN)
    events: Sequence[Event] = []
    if seen:
        watched, events = _join_case(work, watched, seen, at)
    work.monitored.watched.put(watched.customer_id, watched)
    for alert in alerts:
        is_open = alert.state is AlertState.OPEN
        work.monitored.alerts.append(replace(alert, case_id=watched.case_id) if is_open else alert)
    return events


def _alert(watched: Watched, told: Told, payment_id: str, at: datetime, chain: Chain) -> Alert:
    finding, version = told
    silence = watched.silence(finding.scenario, at)
    return Alert(
        # Of what was looked at: a repeated message makes the same alert, and no second one.
        alert_id=ids.derive(payment_id, "alert", watched.customer_id, finding.key),
        scenario=finding.scenario,
        customer_id=watched.customer_id,
        payment_ids=finding.payment_ids,
        reason=finding.reason,
        values=finding.values,
        parameters_version=version.version,
        occurred_at=moment_of(finding.at_micros),
        raised_at=at,
        state=AlertState.OPEN if silence is None else _STATES[silence.kind],
        movements=grounds_of_chain(chain)
        if chain
        else grounds_of(watched.customer_id, watched.history, finding.payment_ids),
    )


def _join_case(
    work: Work, watched: Watched, alerts: tuple[CaseAlert, ...], at: datetime
) -> tuple[Watched, Sequence[Event]]:
    """Put alerts into the customer's case, or into a new one if there is none or people have decided it."""
    known = work.cases.get(watched.case_id) if watched.case_id is not None else None
    if known is not None and not known.has_ended:
        shown = (*known.alerts, *alerts)[-CASE_ALERTS_MAX:]
        work.change_evidence(replace(known, alerts=shown), at)
        return watched, []
    case = Case(
        case_id=ids.derive(alerts[0].alert_id, "compliance", "case"),
        partition_key=watched.customer_id,
        customer_id=watched.customer_id,
        customer=_facts(work, watched.customer_id),
        alerts=alerts,
        opened_at=at,
        decide_by=at + work.policy.review_customers_within,
    )
    case = work.act(case, ActKind.OPENED, SYSTEM, at, note=", ".join(case.reasons))
    opened = CaseOpened(
        case_id=case.case_id, partition_key=case.partition_key, customer_id=case.customer_id, opened_at=at
    )
    return replace(watched, case_id=case.case_id), [opened]


def _facts(work: Work, customer_id: str) -> CustomerFacts | None:
    """Who it is. Of screening the case says nothing: it is not about that."""
    profile = _profile(work, customer_id)
    if profile.kind is None:
        return None
    return CustomerFacts(kind=profile.kind, subject=profile.subject, verdict=CLEAR, reasons=())


def _profile(work: Work, customer_id: str) -> Profile:
    return work.monitored.known.get(customer_id) or Profile(customer_id=customer_id)


def _keep_hop(work: Work, movement: Movement) -> None:
    monitored = work.monitored
    if movement.payment_id not in monitored.hops and may_be_hop(movement, monitored.standards):
        # What is back with somebody elsewhere closes no cycle of a customer's: it is only part of others.
        is_back = movement.outsiders.creditor is None
        hop = Hop(payment_id=movement.payment_id, edge=edge_of(movement), is_looked_at=not is_back)
        monitored.hops.put(movement.payment_id, hop)
