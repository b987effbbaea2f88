"""Comparing a file of pairs: how alike the two names of each row are, and why. No list is needed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from services.compliance.files.rows import FileFault, find_columns, read_table, with_own_columns, written
from services.compliance.files.screen import KINDS
from services.compliance.lists.birth import parse_birth
from services.compliance.lists.countries import country_code
from services.compliance.lists.identifiers import identifier_of
from services.compliance.lists.listed import ListedName, ListedParty, PartyKind
from services.compliance.matching.pairs import Likeness, compare_parties
from services.compliance.matching.subject import Subject

COLUMNS = {
    "query_name": ("query_name",),
    "candidate_name": ("candidate_name",),
    "schema": ("schema", "type", "kind"),
    "query_extra": ("query_extra",),
    "candidate_extra": ("candidate_extra",),
}
OWN_COLUMNS = ("score", "explanation")
TOLD_EVERY = 100

Extras = Mapping[str, str]


def compare_file(pairs: Path, output: Path, told: Callable[[int, int], None]) -> int:
    """Write the score of every pair of a file, and why. Returns how many there are. Raises FileFault.

    The extras are JSON objects with what else is known of the two: `dob`, `nat`, `id`.
    """
    table = read_table(pairs)
    places = find_columns(pairs, table, COLUMNS, required=["query_name", "candidate_name"])
    with written(output) as writer:
        writer.writerow(with_own_columns(table.columns, OWN_COLUMNS))
        for number, row in enumerate(table.rows, start=2):
            cells = {meaning: row[place] for meaning, place in places.items()}
            likeness = likeness_of(cells, f"{pairs} row {number}")
            writer.writerow([*row, f"{likeness.score:.4f}", likeness.explanation])
            if number % TOLD_EVERY == 0 or number == len(table) + 1:
                told(number - 1, len(table))
    return len(table)


def likeness_of(cells: Mapping[str, str], place: str) -> Likeness:
    """How alike the two of a row are. Raises FileFault, naming the place, if its extras are no JSON."""
    asked = _extras(cells.get("query_extra", ""), f"{place}, query_extra")
    other = _extras(cells.get("candidate_extra", ""), f"{place}, candidate_extra")
    kind = KINDS.get(cells.get("schema", "").strip().casefold())
    subject = Subject(
        name=cells["query_name"],
        birth_date=asked.get("dob") or None,
        country=country_code(asked.get("nat", "")),
        kind=kind,
        identifier=identifier_of(asked.get("id", "")),
    )
    born, country = parse_birth(other.get("dob", "")), country_code(other.get("nat", ""))
    identifier = identifier_of(other.get("id", ""))
    party = ListedParty(
        entity_id="candidate",
        kind=kind or PartyKind.PERSON,
        names=(ListedName(name=cells["candidate_name"]),),
        births=() if born is None else (born,),
        countries=() if country is None else (country,),
        identifiers=() if identifier is None else (identifier,),
    )
    return compare_parties(subject, party)


def _extras(text: str, place: str) -> Extras:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileFault(f"{place}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise FileFault(f'{place}: an object is expected, as {{"dob": "1962-03-05", "nat": "fr"}}')
    return {key: str(value) for key, value in found.items()}
