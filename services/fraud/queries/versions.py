"""Rulebooks and models as they are kept: pages of them, one of them whole, who released it and why."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import fetch, transaction
from libs.common.record import Record
from schemas.fraud.events import VersionKind, VersionState
from services.fraud import rulebooks
from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.knowledge import Version
from services.fraud.domain.model import Card, ModelFault
from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.domain.versions import version_key
from services.fraud.store.versions import load_model

CHANGES_MAX = 200
"""Of one version, the newest."""


class CardOnly(Record):
    """As much of a stored model as its card."""

    card: Card


def list_versions(engine: Engine, kind: VersionKind, *, after: str | None, limit: int) -> dict[str, Any]:
    """A page of versions, newest first, after the version that the page before ended with."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT version, name, state, added_by, added_at FROM versions
                WHERE kind = %s AND (%s::text IS NULL OR (added_at, version_id) < (
                  SELECT added_at, version_id FROM versions WHERE version_id = %s))
                ORDER BY added_at DESC, version_id DESC LIMIT %s""",
            (kind.value, after, after and version_key(kind, after), limit + 1),
        )
    page = [_summary(*row) for row in rows[:limit]]
    return {"versions": page, "next_cursor": page[-1]["version"] if len(rows) > limit else None}


def find_rulebook(engine: Engine, version: str) -> dict[str, Any] | None:
    """A rulebook with its rules and all that was done with it."""
    return _find_whole(engine, VersionKind.RULEBOOK, version, _rulebook_view)


def find_model(engine: Engine, version: str) -> dict[str, Any] | None:
    """A model's card and all that was done with it."""
    return _find_whole(engine, VersionKind.MODEL, version, _model_view)


def find_state(engine: Engine, kind: VersionKind, version: str) -> str | None:
    """What a version is used for; None if there is none."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT state FROM versions WHERE version_id = %s", (version_key(kind, version),))
    return str(rows[0][0]) if rows else None


def why_unfit(engine: Engine, kind: VersionKind, version: str) -> str | None:
    """Why a version that is kept can't judge; None if it can, or if there is none."""
    found = (find_rulebook if kind is VersionKind.RULEBOOK else find_model)(engine, version)
    return None if found is None else cast("str | None", found["fault"])


def version_view(version: Version) -> dict[str, Any]:
    """A version as the state of a batch holds it."""
    return _summary(version.version, version.name, version.state.value, version.added_by, version.added_at)


def checked_view(rulebook: Rulebook) -> dict[str, Any]:
    """What a rulebook without faults says."""
    return {
        "version": rulebook.version,
        "thresholds": msgspec.to_builtins(rulebook.thresholds),
        "fields": list(rulebook.fields),
        "rules": [
            {
                "rule": rule.name,
                "meaning": rule.meaning,
                "action": rule.action.value,
                "score": rule.score,
                "fields": list(rule.fields),
                "reason": rule.reason.text,
                "source": rule.source,
                "line": rule.line,
            }
            for rule in rulebook.rules
        ],
    }


def live_rulebook(tx: Connection) -> str:
    """The version that judges: the shipped one until the first payment has come."""
    rows = fetch(
        tx,
        "SELECT version FROM versions WHERE kind = %s AND state = %s",
        (VersionKind.RULEBOOK.value, VersionState.LIVE.value),
    )
    return str(rows[0][0]) if rows else rulebooks.shipped().version


def read_rulebook(tx: Connection, version: str) -> Rulebook | None:
    """A rulebook, if it is known and can still be read."""
    if version == rulebooks.shipped().version:
        return rulebooks.shipped()
    row = _find(tx, VersionKind.RULEBOOK, version)
    if row is None:
        return None
    try:
        return compile_rulebook(bytes(row[-1]).decode(errors="replace"), CATALOGUE)
    except RulebookFaulty:
        return None


def fields_of_rulebook(tx: Connection, version: str) -> tuple[str, ...] | None:
    """The features that a rulebook goes by, if it is known. They are known even where it can't be read any more."""
    if version == rulebooks.shipped().version:
        return rulebooks.shipped().fields
    return fields_of(tx, VersionKind.RULEBOOK, version)


def fields_of(tx: Connection, kind: VersionKind, version: str) -> tuple[str, ...] | None:
    """The features that a version goes by, in its order, if it is known."""
    rows = fetch(tx, "SELECT fields FROM versions WHERE version_id = %s", (version_key(kind, version),))
    return tuple(rows[0][0]) if rows else None


def content_of_model(tx: Connection, version: str) -> bytes | None:
    """A model as it was brought."""
    row = _find(tx, VersionKind.MODEL, version)
    return bytes(row[-1]) if row else None


def find_content(engine: Engine, kind: VersionKind, name: str) -> bytes | None:
    """What is kept under a version or, of those that bear this name, the newest; as it was brought."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT content FROM versions WHERE kind = %s AND %s IN (version, name)
                ORDER BY version = %s DESC, added_at DESC, version_id DESC LIMIT 1""",
            (kind.value, name, name),
            binary=True,
        )
    return bytes(rows[0][0]) if rows else None


def _find_whole(
    engine: Engine, kind: VersionKind, version: str, view: Callable[[str, bytes], dict[str, Any]]
) -> dict[str, Any] | None:
    with transaction(engine) as tx:
        row, changes = _find(tx, kind, version), _changes(tx, kind, version)
    if row is None:
        return None
    *summary, fields, content = row
    return {**view(version, bytes(content)), **_summary(*summary), "fields": fields, "changes": changes}


def _rulebook_view(_: str, content: bytes) -> dict[str, Any]:
    text = content.decode(errors="replace")
    try:
        return {**checked_view(compile_rulebook(text, CATALOGUE)), "text": text, "fault": None}
    except RulebookFaulty as faulty:
        return {"thresholds": None, "rules": [], "text": text, "fault": str(faulty)}


def _model_view(version: str, content: bytes) -> dict[str, Any]:
    return {"card": _card(content), "fault": _model_fault(version, content)}


def _find(tx: Connection, kind: VersionKind, version: str) -> Any | None:
    rows = fetch(
        tx,
        "SELECT version, name, state, added_by, added_at, fields, content FROM versions WHERE version_id = %s",
        (version_key(kind, version),),
        binary=True,
    )
    return rows[0] if rows else None


def _changes(tx: Connection, kind: VersionKind, version: str) -> list[Mapping[str, Any]]:
    rows = fetch(
        tx,
        """SELECT state, changed_by, reason, changed_at FROM version_changes WHERE version_id = %s
            ORDER BY change_id DESC LIMIT %s""",
        (version_key(kind, version), CHANGES_MAX),
    )
    return [dict(zip(("state", "changed_by", "reason", "changed_at"), row, strict=True)) for row in rows]


def _summary(version: str, name: str, state: str, by: str, at: Any) -> dict[str, Any]:
    return {"version": version, "name": name, "state": state, "added_by": by, "added_at": at}


def _model_fault(version: str, content: bytes) -> str | None:
    try:
        load_model(version, content)
    except ModelFault as fault:
        return str(fault)
    return None


def _card(content: bytes) -> Any:
    try:
        return msgspec.to_builtins(msgspec.json.decode(content, type=CardOnly).card)
    except msgspec.MsgspecError:
        return None
