"""One movement, looked at from one side: the customer's history takes it in, and every scenario is asked. Pure.

The one way for what happens now and for what is replayed.
"""

from collections.abc import Mapping
from itertools import islice

from libs.common.record import replace
from services.compliance.monitoring.alerts import Mark, Watched
from services.compliance.monitoring.history import (
    LATE_DAYS_MAX,
    MICROS_PER_DAY,
    MICROS_PER_HOUR,
    WINDOW_DAYS_MAX,
    Entry,
    add,
    counterpart_of,
)
from services.compliance.monitoring.movements import Movement, Profile, moment_of, zeros_of
from services.compliance.monitoring.parameters import Version
from services.compliance.monitoring.scenarios import Finding, Moment
from services.compliance.monitoring.standards import Standards

MARKS_MAX = 64
_MARK_MICROS = (WINDOW_DAYS_MAX + LATE_DAYS_MAX) * MICROS_PER_DAY

Told = tuple[Finding, Version]


def watch(
    watched: Watched, movement: Movement, known: Mapping[str, Profile], standards: Standards
) -> tuple[Watched, list[Told]]:
    """The customer with one more movement, and what is to be told. One that is known changes nothing."""
    history = watched.history
    if history.knows(movement.payment_id, movement.at_micros):
        return watched, []
    moment = _moment(watched, movement, known, standards)
    watched = replace(watched, history=moment.history)
    told: list[Told] = []
    at, entry = moment_of(movement.at_micros), moment.entry
    for judge, version in standards.judges(at, moment.profile.kind, is_out=entry.is_out, is_cash=entry.is_cash):
        finding = judge(moment, version.parameters)
        if finding is not None:
            told.append((finding, version))
    return quieten(watched, told) if told else (watched, told)


def quieten(watched: Watched, told: list[Told]) -> tuple[Watched, list[Told]]:
    """What of it is new, and the customer with a mark for each."""
    new: list[Told] = []
    for finding, version in told:
        if not _is_known(watched, finding, version):
            new.append((finding, version))
            watched = replace(watched, marks=_marked(watched, Mark(key=finding.key, at_micros=finding.at_micros)))
    return watched, new


def _moment(watched: Watched, movement: Movement, known: Mapping[str, Profile], standards: Standards) -> Moment:
    is_out = movement.debtor_customer_id == watched.customer_id
    other = movement.profile_of_other(is_out=is_out, known=known)
    entry = Entry(
        payment_id=movement.payment_id,
        at_micros=movement.at_micros,
        cents=movement.cents,
        is_out=is_out,
        is_cash=movement.is_cash,
        zeros=zeros_of(movement.amount_minor, movement.currency),
        counterpart=counterpart_of(other.customer_id),
    )
    return Moment(
        profile=known.get(watched.customer_id) or Profile(customer_id=watched.customer_id),
        other=other,
        before=watched.history,
        history=add(watched.history, entry),
        entry=entry,
        countries=standards.countries,
    )


def _is_known(watched: Watched, finding: Finding, version: Version) -> bool:
    quiet_micros = version.parameters.quiet_hours * MICROS_PER_HOUR
    return any(
        mark.key == finding.key and abs(mark.at_micros - finding.at_micros) < quiet_micros for mark in watched.marks
    )


def _marked(watched: Watched, mark: Mark) -> tuple[Mark, ...]:
    """The newest marks that may still matter, in order of time."""
    newest = max(mark.at_micros, watched.history.newest_micros)
    kept = (one for one in (*watched.marks, mark) if one.at_micros > newest - _MARK_MICROS)
    return tuple(islice(sorted(kept, key=lambda one: -one.at_micros), MARKS_MAX))
