"""Lists in the database: every version that was imported, and the one of each that is live."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.record import Record
from libs.common.writes import Table, writing
from services.compliance.lists.listed import ListedParty
from services.compliance.matching.scoring import USUAL, Thresholds
from services.compliance.matching.sourced import SourcedParty

KEPT_VERSIONS = 10
"""Of each list, besides those that new ones are held against. Decisions carry copies of the entries they rest on, so
older ones may go."""

HELD_AGAINST = timedelta(days=90)
"""So long a version counts, after another has taken its place, for what a new one may have lost."""

_LISTED = Table("listed_parties", key={"import_id": "bigint", "entity_id": "text"}, fixed={"body": "text"})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ListedParty).decode


class ListImport(Record):
    """One version of a list: where it came from, and what was in it."""

    list_name: str
    format: str
    source: str
    content_hash: str
    dated_on: str | None
    """The day the list itself gives, if it gives one."""
    imported_by: str
    parties: tuple[ListedParty, ...]
    thresholds: Thresholds = USUAL

    @property
    def name_count(self) -> int:
        return sum(len(party.names) for party in self.parties)


class LiveList(Record):
    """The live version of a list, in short."""

    import_id: int
    list_name: str
    content_hash: str
    party_count: int
    name_count: int
    thresholds: Thresholds


class Yardstick(Record):
    """A version of a list that a new one is held against."""

    import_id: int
    name_count: int
    is_live: bool


class LiveEntries(Record):
    """What there is to be searched."""

    catalogue_version: int
    parties: tuple[SourcedParty, ...]


def find_catalogue_version(tx: Connection) -> int:
    """The version of all lists together."""
    ((version,),) = fetch(tx, "SELECT version FROM catalogue")
    return int(version)


def find_live_lists(tx: Connection) -> list[LiveList]:
    rows = fetch(
        tx,
        """SELECT import_id, list_name, content_hash, party_count, name_count, review_score, block_score
             FROM list_imports WHERE is_live ORDER BY list_name""",
    )
    return [
        LiveList(
            import_id=import_id,
            list_name=list_name,
            content_hash=content_hash,
            party_count=party_count,
            name_count=name_count,
            thresholds=Thresholds(review=review, block=block),
        )
        for import_id, list_name, content_hash, party_count, name_count, review, block in rows
    ]


def find_yardsticks(tx: Connection, list_name: str) -> list[Yardstick]:
    """The live version of a list; and of those that were in force lately, since two people last agreed to one, the
    oldest, and the largest by entries and by names. The live one comes first.
    """
    rows = fetch(
        tx,
        """WITH held AS (
             SELECT import_id, party_count, name_count, is_live FROM list_imports
              WHERE list_name = %s AND (replaced_at IS NULL OR replaced_at > now() - %s)
                AND import_id >= coalesce(
                      (SELECT max(import_id) FROM list_imports WHERE list_name = %s AND is_agreed), 0))
           SELECT import_id, name_count, is_live FROM held
            WHERE is_live OR import_id IN (
                    (SELECT min(import_id) FROM held),
                    (SELECT import_id FROM held ORDER BY party_count DESC, import_id LIMIT 1),
                    (SELECT import_id FROM held ORDER BY name_count DESC, import_id LIMIT 1))
            ORDER BY is_live DESC, import_id""",
        (list_name, HELD_AGAINST, list_name),
    )
    return [Yardstick(import_id=id_, name_count=names, is_live=is_live) for id_, names, is_live in rows]


def find_entity_ids(tx: Connection, import_id: int) -> set[str]:
    """Who is on a version of a list."""
    return {id_ for (id_,) in fetch(tx, "SELECT entity_id FROM listed_parties WHERE import_id = %s", (import_id,))}


def load_live_entries(tx: Connection) -> LiveEntries:
    """Every entry of every live list, of which there is one at least, with the version that they are.

    One statement, and so as of one moment: with an import between two of them, the entries of one version
    would be taken for those of the next, and whoever is new on it would be cleared until the one after that.
    """
    rows = fetch(
        tx,
        """SELECT c.version, i.list_name, i.import_id, i.review_score, i.block_score, p.body
             FROM catalogue c CROSS JOIN list_imports i JOIN listed_parties p USING (import_id)
            WHERE i.is_live ORDER BY i.list_name, p.entity_id""",
    )
    parties = tuple(
        SourcedParty(
            list_name=list_name,
            import_id=import_id,
            party=_decode(body),
            thresholds=Thresholds(review=review, block=block),
        )
        for _, list_name, import_id, review, block, body in rows
    )
    return LiveEntries(catalogue_version=rows[0][0], parties=parties)


def lock_catalogue(tx: Connection) -> None:
    """Let one import at a time happen."""
    execute(tx, "SELECT version FROM catalogue FOR UPDATE")


def save_import(tx: Connection, imported: ListImport, *, is_agreed: bool = False) -> int:
    """Make this the live version of its list, all at once with the transaction. The catalogue must be locked.

    `is_agreed`: nothing that was left out before is missed any more.
    """
    _replace_live(tx, imported.list_name)
    ((import_id,),) = fetch(
        tx,
        """INSERT INTO list_imports (list_name, format, source, content_hash, dated_on, party_count, name_count,
                                     review_score, block_score, imported_by, is_agreed, is_live)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, true) RETURNING import_id""",
        (
            imported.list_name,
            imported.format,
            imported.source,
            imported.content_hash,
            imported.dated_on,
            len(imported.parties),
            imported.name_count,
            imported.thresholds.review,
            imported.thresholds.block,
            imported.imported_by,
            is_agreed,
        ),
    )
    _insert_parties(tx, import_id, imported.parties)
    renew_catalogue(tx)
    _forget_old_versions(tx, imported.list_name)
    return int(import_id)


def note_checked(tx: Connection, import_id: int) -> None:
    """A version is still what its source gives out."""
    execute(tx, "UPDATE list_imports SET checked_at = now() WHERE import_id = %s", (import_id,))


def retire(tx: Connection, list_name: str) -> bool:
    """Search a list no more; False if there is none of that name. The catalogue must be locked."""
    retired = _replace_live(tx, list_name)
    if retired:
        renew_catalogue(tx)
    return retired == 1


def _replace_live(tx: Connection, list_name: str) -> int:
    statement = "UPDATE list_imports SET is_live = false, replaced_at = now() WHERE list_name = %s AND is_live"
    return execute(tx, statement, (list_name,))


def _insert_parties(tx: Connection, import_id: int, parties: Sequence[ListedParty]) -> None:
    with writing(tx) as writes:
        writes.insert(_LISTED, ((import_id, party.entity_id, _encode(party).decode()) for party in parties))


def renew_catalogue(tx: Connection) -> None:
    """Make all lists together another version: everybody is looked up again. The catalogue must be locked."""
    # From a sequence, which no rollback turns back: a version never means two different things.
    execute(tx, "UPDATE catalogue SET version = nextval('catalogue_versions')")


def _forget_old_versions(tx: Connection, list_name: str) -> None:
    execute(
        tx,
        """DELETE FROM list_imports WHERE import_id <> ALL(%s) AND import_id IN (
             SELECT import_id FROM list_imports WHERE list_name = %s ORDER BY import_id DESC OFFSET %s)""",
        ([held.import_id for held in find_yardsticks(tx, list_name)], list_name, KEPT_VERSIONS),
    )
