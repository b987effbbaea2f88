"""Rulebooks and models come in versions: tried in the shadow, released, and taken back at once. Pure.

    draft ─► shadow ─► live ─► retired        from any of them to any other, but never back to draft

One version of each kind is live. What is released takes its place, and who was live is retired; to
roll back is to release an earlier version. Its content never changes: another text is another version.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.fraud.events import VersionAdded, VersionKind, VersionMoved, VersionState
from services.fraud.domain.knowledge import Knowledge, Version, VersionChange

SHADOWS_MAX = 3
"""Of each kind: every one of them is another judge of every payment."""


class RefusalReason(StrEnum):
    """Why a version is not added or moved, in order of precedence."""

    VERSION_UNKNOWN = "version_unknown"
    BACK_TO_DRAFT = "back_to_draft"
    LIVE_NEEDS_ANOTHER = "live_needs_another"
    TOO_MANY_SHADOWS = "too_many_shadows"


class AddVersion(Command):
    """Someone brings a new rulebook or model, as a draft. The edge has read it, and found it without faults."""

    kind: VersionKind
    version: str
    name: str
    content: bytes
    fields: tuple[str, ...]
    by: str


class MoveVersion(Command):
    """Someone tries a version in the shadow, releases it, or retires it."""

    kind: VersionKind
    version: str
    state: VersionState
    by: str
    reason: str


def add(knowledge: Knowledge, command: AddVersion, at: datetime) -> Sequence[Event]:
    """Keep a new version as a draft. The same content again changes nothing."""
    key = version_key(command.kind, command.version)
    if knowledge.versions.get(key) is not None:
        return []
    knowledge.versions.put(
        key,
        Version(
            key=key,
            kind=command.kind,
            version=command.version,
            name=command.name,
            state=VersionState.DRAFT,
            content=command.content,
            fields=command.fields,
            added_by=command.by,
            added_at=at,
        ),
    )
    return [
        VersionAdded(version_id=key, kind=command.kind, version=command.version, name=command.name, added_by=command.by,
                     added_at=at)
    ]  # fmt: skip


def move(knowledge: Knowledge, command: MoveVersion, at: datetime) -> Sequence[Event] | Refusal:
    """Give a version another state; whoever was live before the one that is released is retired."""
    known = knowledge.versions.get(version_key(command.kind, command.version))
    if known is None:
        return refusal(RefusalReason.VERSION_UNKNOWN, "version")
    if known.state is command.state:
        return []
    if (reason := _refused(knowledge, known, command.state)) is not None:
        return refusal(reason, "state")
    moved = [(known, command.state)]
    if command.state is VersionState.LIVE:
        moved = [*((other, VersionState.RETIRED) for other in _in_state(knowledge, known, VersionState.LIVE)), *moved]
    return [_moved(knowledge, version, state, command, at) for version, state in moved]


def version_key(kind: VersionKind, version: str) -> str:
    """What a version is known by."""
    return f"{kind.value}:{version}"


def _refused(knowledge: Knowledge, known: Version, state: VersionState) -> RefusalReason | None:
    if state is VersionState.DRAFT:
        return RefusalReason.BACK_TO_DRAFT
    # Without a rulebook nothing could be judged; without a model, rules judge alone.
    if known.state is VersionState.LIVE and known.kind is VersionKind.RULEBOOK:
        return RefusalReason.LIVE_NEEDS_ANOTHER
    shadows = len(list(_in_state(knowledge, known, VersionState.SHADOW)))
    if state is VersionState.SHADOW and shadows >= SHADOWS_MAX:
        return RefusalReason.TOO_MANY_SHADOWS
    return None


def _in_state(knowledge: Knowledge, like: Version, state: VersionState) -> Iterator[Version]:
    """Other versions of the same kind."""
    for version in knowledge.versions.values():
        if version.kind is like.kind and version.key != like.key and version.state is state:
            yield version


def _moved(
    knowledge: Knowledge, version: Version, state: VersionState, command: MoveVersion, at: datetime
) -> VersionMoved:
    knowledge.versions.put(version.key, replace(version, state=state))
    knowledge.version_changes.append(
        VersionChange(version_id=version.key, state=state, changed_by=command.by, reason=command.reason, changed_at=at)
    )
    return VersionMoved(
        version_id=version.key,
        kind=version.kind,
        version=version.version,
        state=state,
        previous_state=version.state,
        moved_by=command.by,
        reason=command.reason,
        moved_at=at,
    )
