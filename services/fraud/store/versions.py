"""Rulebooks and models: the versions that judge, read by every batch and compiled once; and those to be changed."""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from cachetools import LRUCache
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.writes import Table
from schemas.fraud.events import VersionKind, VersionState
from services.fraud import rulebooks
from services.fraud.domain.judging import CATALOGUE, Judge
from services.fraud.domain.knowledge import Panel, Version, VersionChange
from services.fraud.domain.model import Model, ModelFault, version_of
from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from services.fraud.domain.versions import version_key

VERSIONS = Table(
    "versions",
    key={"version_id": "text"},
    fixed={
        "kind": "text",
        "version": "text",
        "name": "text",
        "content": "bytea",
        "fields": "text[]",
        "added_by": "text",
        "added_at": "timestamptz",
    },
    changing={"state": "text", "sequence": "bigint"},
)
CHANGES = Table(
    "version_changes",
    fixed={
        "version_id": "text",
        "state": "text",
        "changed_by": "text",
        "reason": "text",
        "changed_at": "timestamptz",
    },
)
SHIPPED_BY = "weir"
_PANELS_KEPT = 8

log = logging.getLogger(__name__)

InUse = tuple[tuple[str, str, str], ...]
"""Kind, version and state of those that judge."""


class Panels:
    """The judges of every set of versions that is, or lately was, in use: compiled once by each process."""

    def __init__(self) -> None:
        self._known: LRUCache[InUse, Panel] = LRUCache(_PANELS_KEPT)

    def load(self, tx: Connection) -> Panel:
        """Who judges now. One small query, unless something was released since the last batch."""
        in_use = _in_use(tx)
        panel = self._known.get(in_use)
        if panel is None:
            if not any(kind == VersionKind.RULEBOOK and state == VersionState.LIVE for kind, _, state in in_use):
                _keep_shipped(tx)
                in_use = _in_use(tx)
            panel = self._known[in_use] = _panel(tx, in_use)
        return panel


def lock(tx: Connection) -> dict[str, Version]:
    """Every version without its content, locked: there are few, and a release concerns them all."""
    rows = fetch(
        tx,
        """SELECT version_id, kind, version, name, state, fields, added_by, added_at, sequence FROM versions
            ORDER BY version_id FOR NO KEY UPDATE""",
    )
    return {row[0]: _version(*row) for row in rows}


def row_of(version: Version) -> tuple[Any, ...]:
    return (
        version.key,
        version.kind.value,
        version.version,
        version.name,
        version.content,
        f"{{{','.join(version.fields)}}}",
        version.added_by,
        version.added_at,
        version.state.value,
        version.sequence,
    )


def change_rows_of(changes: Iterable[VersionChange]) -> list[tuple[Any, ...]]:
    return [
        (change.version_id, change.state.value, change.changed_by, change.reason, change.changed_at)
        for change in changes
    ]


def _version(
    key: str,
    kind: str,
    version: str,
    name: str,
    state: str,
    fields: Sequence[str],
    by: str,
    at: datetime,
    sequence: int,
) -> Version:
    return Version(
        key=key,
        kind=VersionKind(kind),
        version=version,
        name=name,
        state=VersionState(state),
        content=b"",
        fields=tuple(fields),
        added_by=by,
        added_at=at,
        sequence=sequence,
    )


def _in_use(tx: Connection) -> InUse:
    rows = fetch(
        tx,
        """SELECT kind, version, state FROM versions WHERE state IN ('live', 'shadow')
            ORDER BY kind, state, version""",
    )
    return tuple(tuple(row) for row in rows)


def _keep_shipped(tx: Connection) -> None:
    """Make the shipped rulebook the live one, where there is none: a payment is never judged by nothing.

    One process at a time: two that ship different rulebooks would otherwise make both of them live.
    """
    execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('fraud: the first rulebook', 0))", ())
    shipped = rulebooks.shipped()
    parameters = (
        version_key(VersionKind.RULEBOOK, shipped.version),
        shipped.version,
        shipped.text.encode(),
        list(shipped.fields),
        SHIPPED_BY,
        datetime.now(UTC),
    )
    execute(
        tx,
        """WITH shipped AS (
             INSERT INTO versions
               (version_id, kind, version, name, content, fields, added_by, added_at, state, sequence)
             SELECT %s, 'rulebook', %s, 'shipped', %s, %s, %s, %s, 'live', 0
              WHERE NOT EXISTS (SELECT 1 FROM versions WHERE kind = 'rulebook' AND state = 'live')
             ON CONFLICT (version_id) DO UPDATE SET state = 'live'
             RETURNING version_id, added_by, added_at)
           INSERT INTO version_changes (version_id, state, changed_by, reason, changed_at)
           SELECT version_id, 'live', added_by, 'there was none', added_at FROM shipped""",
        parameters,
    )


def _panel(tx: Connection, in_use: InUse) -> Panel:
    content = {(kind, version): _content(tx, kind, version) for kind, version, _ in in_use}
    books = [(state, _rulebook(version, content[kind, version])) for kind, version, state in _of(in_use, "rulebook")]
    models = [(state, _model(version, content[kind, version])) for kind, version, state in _of(in_use, "model")]
    live_model = next((model for state, model in models if state == VersionState.LIVE), None)
    ((live_version, live_book),) = [
        (version, book)
        for (_, version, _), (state, book) in zip(_of(in_use, "rulebook"), books, strict=True)
        if state == VersionState.LIVE
    ]
    live = Judge(
        live_book or rulebooks.shipped(),
        _usable(live_model),
        missing=str(live_model) if isinstance(live_model, ModelFault) else None,
        instead_of=None if live_book else live_version,
    )
    shadows = [Judge(book, live.model) for state, book in books if state == VersionState.SHADOW and book]
    shadows += [
        Judge(live.rulebook, model)
        for state, model in models
        if state == VersionState.SHADOW and isinstance(model, Model)
    ]
    return Panel(live=live, shadows=tuple(shadows))


def _of(in_use: InUse, kind: str) -> list[tuple[str, str, str]]:
    return [one for one in in_use if one[0] == kind]


def _usable(model: Model | ModelFault | None) -> Model | None:
    return model if isinstance(model, Model) else None


def _content(tx: Connection, kind: str, version: str) -> bytes:
    ((content,),) = fetch(tx, "SELECT content FROM versions WHERE kind = %s AND version = %s", (kind, version))
    return bytes(content)


def _rulebook(version: str, content: bytes) -> Rulebook | None:
    """The rulebook as it was released; None where this code can't read it any more."""
    try:
        return compile_rulebook(content.decode(errors="replace"), CATALOGUE)
    except RulebookFaulty as faulty:
        log.error("rulebook_unreadable", extra={"version": version, "fault": str(faulty)})
        return None


def _model(version: str, content: bytes) -> Model | ModelFault:
    """The model; or why it can't be used, for then rules judge alone, and say so."""
    try:
        return load_model(version, content)
    except ModelFault as fault:
        log.error("model_unusable", extra={"version": version, "fault": str(fault)})
        return fault


def load_model(version: str, content: bytes) -> Model:
    """A model as it is stored under its version. Raises ModelFault."""
    # Trees that were cut off abort the process that reads them.
    if version_of(content) != version:
        raise ModelFault("the stored model is not the one that was brought")
    return Model(content)
