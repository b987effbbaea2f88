"""People silence scenarios about a customer for a time, and set what they look for; never without a reason. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from services.compliance.domain import rule_change
from services.compliance.domain.audit import AuditVerb, ObjectKind, Signature
from services.compliance.domain.rule_change import ChangeKind, ChangeRefusal, ChangeStatus, RuleChange
from services.compliance.domain.work import Work
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import SILENCE_DAYS_MAX, Silence, SilenceChange, SilenceKind
from services.compliance.monitoring.parameters import Parameters, Scenario, Version, values_of, version_of


class RefusalReason(StrEnum):
    """Why it is refused, in order of precedence."""

    CUSTOMER_UNKNOWN = "customer_unknown"
    REASON_MISSING = "reason_missing"
    END_PASSED = "end_passed"
    END_TOO_FAR = "end_too_far"
    NOT_SILENT = "not_silent"
    ALREADY_DECIDED = "already_decided"


_IN_WORDS = {
    RefusalReason.CUSTOMER_UNKNOWN: ("there is no such customer", "customer_id"),
    RefusalReason.REASON_MISSING: ("a reason must say why", "reason"),
    RefusalReason.END_PASSED: ("it must end later than now", "until"),
    RefusalReason.END_TOO_FAR: (f"it must end within {SILENCE_DAYS_MAX} days: then people look anew", "until"),
    RefusalReason.NOT_SILENT: ("the customer is not left alone by this scenario", "scenario"),
    RefusalReason.ALREADY_DECIDED: (
        "parameters are in force from now on or later: what was decided by others stands",
        "effective_from",
    ),
}


class RuleCommand(Command):
    """Something a person wants of monitoring, at the desk, by a program, or on the command line."""

    by: str
    role: str
    """At the desk theirs; else how they came."""
    reason: str

    @property
    def signature(self) -> Signature:
        return Signature(actor=self.by, role=self.role)


class SilenceScenario(RuleCommand):
    """Leave a customer alone by a scenario until a time, whatever was said before."""

    customer_id: str
    scenario: Scenario
    kind: SilenceKind
    until: datetime


class EndSilence(RuleCommand):
    """Leave the customer alone no more. What a snooze has held back comes up."""

    customer_id: str
    scenario: Scenario


class SetParameters(RuleCommand):
    """Have a scenario look for something else from a moment on, once another person agrees."""

    scenario: Scenario
    parameters: Parameters
    effective_from: datetime | None
    """None: from when it is confirmed."""


class DecideChange(RuleCommand):
    """Something a second person says of what a scenario is to look for."""

    change_id: str


class ConfirmParameters(DecideChange):
    """Agree: it looks for that from its moment on."""


class TurnDownParameters(DecideChange):
    """Have it look for what it does, or withdraw what one has proposed."""


def silence(work: Work, command: SilenceScenario, at: datetime) -> Sequence[Event] | Refusal:
    """From now on alerts of this scenario about this customer are kept silent, or held back until the end."""
    if command.customer_id not in work.monitored.known:
        return _refusal(RefusalReason.CUSTOMER_UNKNOWN)
    if not command.reason.strip():
        return _refusal(RefusalReason.REASON_MISSING)
    if command.until <= at:
        return _refusal(RefusalReason.END_PASSED)
    if command.until - at > timedelta(days=SILENCE_DAYS_MAX):
        return _refusal(RefusalReason.END_TOO_FAR)
    new = Silence(
        scenario=command.scenario,
        kind=command.kind,
        until=command.until,
        reason=command.reason.strip(),
        by=command.by,
        since=at,
    )
    _put(work, command.customer_id, command.scenario, new)
    _note(work, command.customer_id, command.scenario, command.kind, command.until, command.reason, command.by, at)
    said = f"{command.kind.value} {command.scenario.value} until {command.until:%Y-%m-%d %H:%M} UTC; {new.reason}"
    _put_down(work, command, at, AuditVerb.SILENCED, ObjectKind.SILENCE, command.customer_id, said)
    return []


def end_silence(work: Work, command: EndSilence, at: datetime) -> Sequence[Event] | Refusal:
    """From now on alerts are seen again."""
    known = work.monitored.watched[command.customer_id].silence(command.scenario, at)
    if known is None:
        return _refusal(RefusalReason.NOT_SILENT)
    if not command.reason.strip():
        return _refusal(RefusalReason.REASON_MISSING)
    # It ends now, rather than that it were gone: what it holds back is woken by its end.
    _put(work, command.customer_id, command.scenario, replace(known, until=at))
    _note(work, command.customer_id, command.scenario, None, at, command.reason, command.by, at)
    said = f"{command.scenario.value}; {command.reason.strip()}"
    _put_down(work, command, at, AuditVerb.SILENCE_ENDED, ObjectKind.SILENCE, command.customer_id, said)
    return []


def set_parameters(work: Work, command: SetParameters, at: datetime) -> Sequence[Event] | Refusal:
    """Propose what a scenario is to look for: another person has to confirm it."""
    since = command.effective_from
    if not command.reason.strip():
        return _refusal(RefusalReason.REASON_MISSING)
    if since is not None and since < at:
        return _refusal(RefusalReason.ALREADY_DECIDED)
    values = values_of(command.parameters)
    when = "now" if since is None else f"{since:%Y-%m-%d %H:%M} UTC"
    before = _in_force(work, command.scenario, since or at)
    said = f"from {when} on: {_difference(values, values_of(before.parameters) if before is not None else values)}"
    change = RuleChange(
        change_id=ids.named("compliance", "parameters", command.scenario, command.by, at.isoformat(), said),
        kind=ChangeKind.SET_PARAMETERS,
        about=command.scenario.value,
        said=said,
        reason=command.reason.strip(),
        values=values,
        effective_from=since,
        based_on=before.version if before is not None else None,
        proposed_by=command.by,
        proposer_role=command.role,
        proposed_at=at,
    )
    work.changes.put(change.change_id, change)
    _put_down_change(work, command, at, AuditVerb.CHANGE_PROPOSED, change, f"{said}; {change.reason}")
    return []


def confirm_parameters(work: Work, command: ConfirmParameters, at: datetime) -> Sequence[Event] | Refusal:
    """Keep a version, in force from its moment on, or propose in one's own name what came from outside the desk.

    Refused where others have set something since: it would be undone by people who did not know of it.
    """
    change = rule_change.confirmed(_parameters_change(work, command), command.signature, at)
    if isinstance(change, Refusal):
        return change
    scenario, effective_from = Scenario(change.about), change.effective_from or at
    before = _in_force(work, scenario, effective_from)
    if change.based_on != (before.version if before is not None else None):
        return rule_change.refusal(ChangeRefusal.OVERTAKEN)
    if change.status is ChangeStatus.PROPOSED:
        work.changes.put(change.change_id, change)
        said = f"{change.said}; {change.reason}; proposed by {change.adopted_from} outside the desk"
        _put_down_change(work, command, at, AuditVerb.CHANGE_ADOPTED, change, said)
        return []
    version = version_of(
        scenario,
        parameters.read(scenario, change.values or {}),
        effective_from=effective_from,
        set_by=f"{change.proposed_by}, confirmed by {command.by}",
        reason=change.reason,
        set_at=at,
    )
    work.changes.put(change.change_id, change)
    work.monitored.versions.append(version)
    said = f"version {version.version} {change.said}; {version.reason}; proposed by {change.proposed_by}"
    _put_down_change(work, command, at, AuditVerb.PARAMETERS_SET, change, said)
    return []


def turn_down_parameters(work: Work, command: TurnDownParameters, at: datetime) -> Sequence[Event] | Refusal:
    """Have a scenario look for what it does."""
    change = rule_change.turned_down(_parameters_change(work, command), command.signature, at)
    if isinstance(change, Refusal):
        return change
    work.changes.put(change.change_id, change)
    said = f"{change.said}; proposed by {change.proposed_by}"
    _put_down_change(work, command, at, AuditVerb.CHANGE_TURNED_DOWN, change, said)
    return []


def _in_force(work: Work, scenario: Scenario, moment: datetime) -> Version | None:
    """What a scenario looks for at a moment, also where that is nothing; with what this batch has set."""
    just_set = [one for one in work.monitored.versions if one.scenario is scenario and one.effective_from <= moment]
    known = [one for one in work.monitored.standards.to_come(scenario, moment) if one.effective_from <= moment]
    return max((*known, *just_set), key=lambda one: (one.effective_from, one.set_at, one.version), default=None)


def _difference(values: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """All parameters, with what they were where that is something else."""
    return ", ".join(
        f"{name}={value}" if before.get(name) == value else f"{name}={value} (was {before.get(name)})"
        for name, value in values.items()
    )


def _parameters_change(work: Work, command: DecideChange) -> RuleChange | None:
    """None for a change of something else, too: who may decide on that is another."""
    found = work.changes.get(command.change_id)
    return found if found is not None and found.kind is ChangeKind.SET_PARAMETERS else None


def _put_down_change(
    work: Work, command: RuleCommand, at: datetime, verb: AuditVerb, change: RuleChange, said: str
) -> None:
    _put_down(work, command, at, verb, ObjectKind.SCENARIO, change.about, said)


def _put(work: Work, customer_id: str, scenario: Scenario, new: Silence) -> None:
    watched = work.monitored.watched[customer_id]
    others = tuple(one for one in watched.silences if one.scenario is not scenario)
    work.monitored.watched.put(customer_id, replace(watched, silences=(*others, new)))


def _note(
    work: Work,
    customer_id: str,
    scenario: Scenario,
    kind: SilenceKind | None,
    until: datetime,
    reason: str,
    by: str,
    at: datetime,
) -> None:
    work.monitored.silences.append(
        SilenceChange(
            customer_id=customer_id, scenario=scenario, kind=kind, until=until, reason=reason.strip(), by=by, at=at
        )
    )


def _put_down(
    work: Work, command: RuleCommand, at: datetime, verb: AuditVerb, kind: ObjectKind, object_id: str, said: str
) -> None:
    work.audit.append(command.signature.happening(at, verb, kind, object_id, said))


def _refusal(reason: RefusalReason) -> Refusal:
    detail, field = _IN_WORDS[reason]
    return Refusal(reason=reason, detail=detail, field=field)
