"""What movements are held against, in the database: parameters in versions, and the lists of countries."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.record import Record
from libs.common.writes import Table, writing
from services.compliance.monitoring import parameters
from services.compliance.monitoring.countries import CountryList, CountryLists, Listing
from services.compliance.monitoring.parameters import Scenario, Version

VERSIONS = Table(
    "scenario_versions",
    key={"scenario": "text", "version": "text"},
    fixed={
        "body": "text",
        "effective_from": "timestamptz",
        "reason": "text",
        "set_by": "text",
        "set_at": "timestamptz",
    },
    on_conflict="DO NOTHING",
)
_LISTINGS = Table(
    "country_listings",
    fixed={
        "import_id": "bigint",
        "country": "text",
        "list_name": "text",
        "listed_from": "date",
        "listed_until": "date",
    },
)


class Stamp(Record):
    """By what it is seen that something has changed."""

    versions: int
    import_id: int


class CountryImport(Record):
    """A file of country listings, and who brought it."""

    source: str
    content_hash: str
    imported_by: str
    listings: tuple[Listing, ...]


def find_stamp(tx: Connection) -> Stamp:
    """What changes with every version that is set, and every file that is imported."""
    rows = fetch(
        tx,
        """SELECT (SELECT count(*) FROM scenario_versions),
                  (SELECT coalesce(max(import_id), 0) FROM country_imports)""",
    )
    ((versions, import_id),) = rows
    return Stamp(versions=versions, import_id=import_id)


def load_versions(tx: Connection) -> list[Version]:
    """All that people have set: one each time two of them agreed, a few a year."""
    rows = fetch(tx, f"SELECT {VERSIONS.select} FROM scenario_versions")
    return [_version(*row) for row in rows]


def load_countries(tx: Connection) -> CountryLists | None:
    """The lists of the newest import; None if there is none."""
    rows = fetch(
        tx,
        """SELECT i.import_id, l.country, l.list_name, l.listed_from, l.listed_until
             FROM country_imports i LEFT JOIN country_listings l USING (import_id)
            WHERE i.import_id = (SELECT max(import_id) FROM country_imports)""",
    )
    if not rows:
        return None
    listings = [
        Listing(country=country, list_name=CountryList(name), listed_from=since, listed_until=until)
        for _, country, name, since, until in rows
        if country is not None
    ]
    return CountryLists(listings, version=rows[0][0])


def save_import(tx: Connection, imported: CountryImport) -> int:
    """Make these the lists of countries, in place of all that were."""
    ((import_id,),) = fetch(
        tx,
        "INSERT INTO country_imports (source, content_hash, imported_by) VALUES (%s, %s, %s) RETURNING import_id",
        (imported.source, imported.content_hash, imported.imported_by),
    )
    with writing(tx) as writes:
        writes.insert(_LISTINGS, _listing_rows(import_id, imported.listings))
    execute(tx, "DELETE FROM country_listings WHERE import_id < %s", (import_id,))
    return int(import_id)


def version_row(version: Version) -> tuple[Any, ...]:
    """A row of VERSIONS."""
    return (
        version.scenario.value,
        version.version,
        msgspec.json.encode(version.parameters).decode(),
        version.effective_from,
        version.reason,
        version.set_by,
        version.set_at,
    )


def _version(
    scenario: str, version: str, body: str, effective_from: datetime, reason: str, set_by: str, set_at: datetime
) -> Version:
    name = Scenario(scenario)
    return Version(
        scenario=name,
        version=version,
        parameters=parameters.read(name, msgspec.json.decode(body)),
        effective_from=effective_from,
        set_by=set_by,
        reason=reason,
        set_at=set_at,
    )


def _listing_rows(import_id: int, listings: Sequence[Listing]) -> Iterable[tuple[Any, ...]]:
    for one in listings:
        until = one.listed_until and one.listed_until.isoformat()
        yield import_id, one.country, one.list_name.value, one.listed_from.isoformat(), until
