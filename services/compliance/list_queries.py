"""What people ask about lists: their versions, and what one has that another has not. Read-only SQL."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import fetch, transaction
from libs.common.record import Record
from services.compliance.importing import ListFormat
from services.compliance.lists.listed import ListedParty
from services.compliance.matching.owned import Ownership

VERSIONS_MAX = 500
CHANGES_SHOWN_MAX = 200
"""Of each kind."""
NAMES_SHOWN_MAX = 5

_decode = msgspec.json.Decoder(ListedParty).decode


class ListVersion(Record):
    """One version of a list that was imported."""

    version: int
    list_name: str
    format: str
    source: str
    sha256: str
    dated_on: str | None
    parties: int
    names: int
    review_score: float
    block_score: float
    imported_by: str
    imported_at: datetime
    checked_at: datetime | None
    """When it was last brought in again, and had not changed."""
    is_live: bool
    previous: int | None
    """The version before it, if that is still kept."""


class CountryVersion(Record):
    """One file of country listings that was imported."""

    version: int
    source: str
    sha256: str
    imported_by: str
    imported_at: datetime


class Change(Record):
    """An entry that one version has and the other has not, or has otherwise."""

    entity_id: str
    name: str
    what: tuple[str, ...] = ()
    """What is different, in words."""


class Changes(Record):
    """What became of a list from one version to another: how much, and the first of each kind."""

    added_count: int
    removed_count: int
    changed_count: int
    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    changed: tuple[Change, ...]


def list_versions(engine: Engine) -> list[ListVersion]:
    """Every version that is kept of every list, the newest of each first."""
    with transaction(engine) as tx:
        return _versions(tx)


def list_country_versions(engine: Engine) -> list[CountryVersion]:
    """The imports of country listings, the newest first."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            """SELECT import_id, source, content_hash, imported_by, imported_at FROM country_imports
                ORDER BY import_id DESC LIMIT 20""",
        )
    names = ("version", "source", "sha256", "imported_by", "imported_at")
    return [CountryVersion(**dict(zip(names, row, strict=True))) for row in rows]


def find_changes(engine: Engine, before: int, after: int) -> tuple[ListVersion, ListVersion, Changes] | None:
    """What one version of a list has that another has not; None unless both are kept, and are of one list."""
    with transaction(engine) as tx:
        versions = {version.version: version for version in _versions(tx)}
        old, new = versions.get(before), versions.get(after)
        if old is None or new is None or old.list_name != new.list_name:
            return None
        return old, new, _changes(tx, before, after)


def _versions(tx: Connection) -> list[ListVersion]:
    rows = fetch(
        tx,
        """SELECT import_id, list_name, format, source, content_hash, dated_on, party_count, name_count, review_score,
                  block_score, imported_by, imported_at, checked_at, is_live,
                  lag(import_id) OVER (PARTITION BY list_name ORDER BY import_id)
             FROM list_imports ORDER BY list_name, import_id DESC LIMIT %s""",
        (VERSIONS_MAX,),
    )
    return [ListVersion(**dict(zip(ListVersion.__struct_fields__, row, strict=True))) for row in rows]


def _changes(tx: Connection, before: int, after: int) -> Changes:
    compared = """(SELECT entity_id, body FROM listed_parties WHERE import_id = %s) AS a
             FULL JOIN (SELECT entity_id, body FROM listed_parties WHERE import_id = %s) AS b USING (entity_id)"""
    ((added_count, removed_count, changed_count),) = fetch(
        tx,
        f"""SELECT count(*) FILTER (WHERE a.body IS NULL), count(*) FILTER (WHERE b.body IS NULL),
                   count(*) FILTER (WHERE a.body <> b.body) FROM {compared}""",
        (before, after),
    )

    def some(condition: str) -> Iterator[Change]:
        rows = fetch(
            tx,
            f"SELECT a.body, b.body FROM {compared} WHERE {condition} ORDER BY entity_id LIMIT %s",
            (before, after, CHANGES_SHOWN_MAX),
        )
        return (_change(*(body and _decode(body) for body in row)) for row in rows)

    return Changes(
        added_count=added_count,
        removed_count=removed_count,
        changed_count=changed_count,
        added=tuple(some("a.body IS NULL")),
        removed=tuple(some("b.body IS NULL")),
        changed=tuple(some("a.body <> b.body")),
    )


def find_ownership(engine: Engine) -> Ownership:
    """Who owns what, by the ownership files that are live."""
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            "SELECT import_id FROM list_imports WHERE is_live AND format = %s ORDER BY import_id",
            (ListFormat.OWNERSHIP.value,),
        )
    return _load_ownership(engine, tuple(import_id for (import_id,) in rows)) if rows else Ownership()


@lru_cache(maxsize=2)
def _load_ownership(engine: Engine, import_ids: tuple[int, ...]) -> Ownership:
    """What these imports say: it never changes, and is read once for all the cases that are looked at."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM listed_parties WHERE import_id = ANY(%s)", (list(import_ids),))
    return Ownership(_decode(body) for (body,) in rows)


def _change(old: ListedParty | None, new: ListedParty | None) -> Change:
    shown = new or old
    assert shown is not None
    what = tuple(_differences(old, new)) if old is not None and new is not None else ()
    return Change(entity_id=shown.entity_id, name=shown.primary_name, what=what)


def _differences(old: ListedParty, new: ListedParty) -> Iterator[str]:
    for label, before, after in (
        ("names", [name.name for name in old.names], [name.name for name in new.names]),
        ("born", map(str, old.births), map(str, new.births)),
        ("countries", old.countries, new.countries),
        ("numbers", old.identifiers, new.identifiers),
        ("owners", map(str, old.owners), map(str, new.owners)),
    ):
        yield from _of_several(label, list(before), list(after))
    for label, was, becomes in (
        ("kind", old.kind.value, new.kind.value),
        ("programme", old.programme, new.programme),
        ("remarks", old.remarks, new.remarks),
    ):
        if was != becomes:
            yield f"{label}: {was or 'nothing'} → {becomes or 'nothing'}"


def _of_several(label: str, before: list[str], after: list[str]) -> Iterator[str]:
    if before == after:
        return
    more, less = (_first(found) for found in (_beyond(after, before), _beyond(before, after)))
    if more:
        yield f"{label} added: {more}"
    if less:
        yield f"{label} removed: {less}"
    if not more and not less:
        yield f"{label}: in another order, or of another strength"


def _beyond(some: Iterable[str], others: list[str]) -> list[str]:
    return [one for one in some if one not in others]


def _first(found: list[str]) -> str:
    more = len(found) - NAMES_SHOWN_MAX
    return " · ".join(found[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
