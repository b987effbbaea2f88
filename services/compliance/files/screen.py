"""Screening a file of names against lists: a row for each hit, in the order of the file, by several processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from libs.common.record import Record
from schemas.compliance.events import ScreeningOutcome
from services.compliance.files.rows import Remarks, Table, find_columns, read_table, with_own_columns, written
from services.compliance.lists.birth import parse_birth
from services.compliance.lists.countries import country_code
from services.compliance.lists.identifiers import identifier_of
from services.compliance.lists.listed import PartyKind
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import Verdict, screen
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.subject import Subject

COLUMNS = {
    "name": ("name", "full_name", "customer_name"),
    "birth_date": ("date_of_birth", "birth_date", "birthdate", "dob"),
    "country": ("country", "country_code", "nationality"),
    "kind": ("type", "kind", "schema"),
    "identifier": ("identifier", "id_number", "document_number"),
}
"""What is read, and the names it goes by in a header. Every other column, an id among them, goes through as it is."""
OWN_COLUMNS = ("outcome", "rank", "list", "entity_id", "listed_name", "score", "explanation")
KINDS = {
    **dict.fromkeys(("person", "individual", "natural person"), PartyKind.PERSON),
    **dict.fromkeys(
        ("organisation", "organization", "company", "entity", "legalentity", "business"), PartyKind.ORGANISATION
    ),
    **dict.fromkeys(("vessel", "ship"), PartyKind.VESSEL),
    **dict.fromkeys(("aircraft", "airplane"), PartyKind.AIRCRAFT),
}
TOLD_OUTCOMES = (ScreeningOutcome.CLEAR, ScreeningOutcome.REVIEW, ScreeningOutcome.BLOCK)
CHUNK_ROWS = 200
ROWS_PER_PROCESS_MIN = 2_000
"""Fewer are screened before another process has its index."""

Cells = tuple[str, ...]
T = TypeVar("T")


class Screened(Record):
    """What came of a file."""

    parties: int
    outcomes: dict[str, int]
    remarks: tuple[str, ...]


def screen_file(
    names: Path,
    output: Path,
    sources: Sequence[SourcedParty],
    *,
    hits_max: int,
    processes: int,
    told: Callable[[int, int], None],
) -> Screened:
    """Write what screening says about every party of a file. Raises FileFault.

    `told` is called with how many of how many are done.
    """
    table = read_table(names)
    remarks = Remarks()
    subjects = list(_subjects(names, table, remarks))
    outcomes: dict[str, int] = dict.fromkeys(TOLD_OUTCOMES, 0)
    with written(output) as writer:
        writer.writerow(with_own_columns(table.columns, OWN_COLUMNS))
        found = _screened(subjects, sources, hits_max=hits_max, processes=processes)
        for done, (row, answers) in enumerate(zip(table.rows, found, strict=True), start=1):
            outcomes[answers[0][0]] += 1
            writer.writerows([*row, *answer] for answer in answers)
            if done % CHUNK_ROWS == 0 or done == len(table):
                told(done, len(table))
    return Screened(parties=len(table), outcomes=outcomes, remarks=tuple(remarks.told()))


def _subjects(path: Path, table: Table, remarks: Remarks) -> Iterator[Subject]:
    places = find_columns(path, table, COLUMNS, required=["name"])
    for number, row in enumerate(table.rows, start=2):
        cells = {meaning: row[place].strip() for meaning, place in places.items() if row[place].strip()}
        yield Subject(
            name=cells.get("name", ""),
            birth_date=_known(cells, "birth_date", _birth_date, number, remarks),
            country=_known(cells, "country", country_code, number, remarks),
            kind=_known(cells, "kind", lambda text: KINDS.get(text.casefold()), number, remarks),
            identifier=_known(cells, "identifier", identifier_of, number, remarks),
        )


def _known(
    cells: dict[str, str], meaning: str, read: Callable[[str], T | None], row: int, remarks: Remarks
) -> T | None:
    """What a cell says; None where it says nothing that is understood: then there is only the name to go by."""
    text = cells.get(meaning)
    if text is None:
        return None
    value = read(text)
    if value is None:
        remarks.add(row, meaning, f"{text[:40]!r} is not understood, and passed over")
    return value


def _birth_date(text: str) -> str | None:
    return text if parse_birth(text) else None


# At work


def _screened(
    subjects: Sequence[Subject], sources: Sequence[SourcedParty], *, hits_max: int, processes: int
) -> Iterator[list[Cells]]:
    """For every party its answers, one for each hit, and one where there is none."""
    workers = min(processes, len(subjects) // ROWS_PER_PROCESS_MIN)
    if workers < 2:
        _start(sources, hits_max)
        yield from (_answers(subject) for subject in subjects)
        return
    # Not forked: a thread that draws the progress may hold a lock by then.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(sources, hits_max)) as pool:
        chunks = [subjects[start : start + CHUNK_ROWS] for start in range(0, len(subjects), CHUNK_ROWS)]
        for answers in pool.map(_answers_of_chunk, chunks):
            yield from answers


class _Work(Record, gc=True):
    index: NameIndex
    hits_max: int


_work: list[_Work] = []


def _start(sources: Sequence[SourcedParty], hits_max: int) -> None:
    index = NameIndex(sources, version=0)
    index.warm_up()
    _work[:] = [_Work(index=index, hits_max=hits_max)]


def _answers_of_chunk(subjects: Iterable[Subject]) -> list[list[Cells]]:
    return [_answers(subject) for subject in subjects]


def _answers(subject: Subject) -> list[Cells]:
    (work,) = _work
    return list(_cells(screen(work.index, subject), work.hits_max))


def _cells(verdict: Verdict, hits_max: int) -> Iterator[Cells]:
    if verdict.unscreenable is not None:
        yield verdict.outcome, "", "", "", "", "", "the name can't be read, or not to its end: somebody must look at it"
    elif not verdict.hits:
        yield verdict.outcome, "", "", "", "", "", ""
    for rank, hit in enumerate(verdict.hits[:hits_max], start=1):
        yield (
            verdict.outcome,
            str(rank),
            hit.list_name,
            hit.entity_id,
            hit.listed_name,
            f"{hit.score:.3f}",
            hit.explanation,
        )
