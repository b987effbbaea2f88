"""How good screening is, and how fast: measured, together, on whole lists.

    .venv/bin/python -m services.compliance.evaluation FOLDER

A speed without its recall means nothing, so `screenings_per_second` refuses to give one where recall is below
RECALL_MIN, or with one treatment below TREATMENT_RECALL_MIN. FOLDER holds the lists (see `load_parties`) and files of
customers that are not listed; without it, the fictional list shipped here is hidden among generated names.
"""

import csv
import os
import random
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from libs.common.record import Record, replace
from schemas.compliance.events import ScreeningOutcome
from services.compliance.filler import filler_customers, filler_parties
from services.compliance.lists.countries import country_code
from services.compliance.lists.listed import NameStrength
from services.compliance.lists.ofac import parse_ofac
from services.compliance.lists.shipped import shipped_parties
from services.compliance.lists.un import parse_un
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import screen
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.subject import Subject
from services.compliance.treatments import REQUIRED, Treatment, treat

RECALL_MIN = 0.99
"""Of listed names as others write them, all treatments together. Below it, figures of speed are void."""
TREATMENT_RECALL_MIN = 0.98
"""Of each of them that counts."""
NAMES_PER_TREATMENT = 4_000
SPEED_NAMES = 8_000
SEED = 20_260_227
PROCESSES = 2

UN_FILE, OFAC_FOLDER = "un_consolidated.xml", "ofac_2019"
CUSTOMER_FILES = ("clean_customers_global.csv", "clean_customers_us.csv")


class RecallTooLow(Exception):
    """Too many listed names were not found: no speed is worth anything then."""


class Recall(Record):
    """How many of the names that were written some way were found."""

    treatment: Treatment
    names: int
    found: int
    """The listed party itself is among the hits."""

    @property
    def share(self) -> float:
        return self.found / self.names if self.names else 1.0


class FalseAlarms(Record):
    """How many customers that are on no list were not cleared."""

    source: str
    customers: int
    by_name: int
    with_birth: int
    """Known besides."""
    with_birth_and_country: int

    @property
    def rate_by_name(self) -> float:
        return self.by_name / self.customers

    @property
    def rate_with_birth(self) -> float:
        return self.with_birth / self.customers

    @property
    def rate(self) -> float:
        return self.with_birth_and_country / self.customers


class Speed(Record):
    """How fast names are screened: distinct ones, half of customers, half of listed parties with a typo."""

    names: int
    per_second: float
    """With PROCESSES processes at work."""
    per_second_single: float
    p50_ms: float
    p99_ms: float


class Evaluation(Record):
    """Quality and speed of one matcher on one set of lists."""

    listed_names: int
    recalls: tuple[Recall, ...]
    false_alarms: tuple[FalseAlarms, ...]
    speed: Speed

    @property
    def recall(self) -> float:
        """Over the treatments that count: typos, other orders, other spellings and alphabets, middle names."""
        counted = [recall for recall in self.recalls if recall.treatment in REQUIRED]
        return sum(recall.found for recall in counted) / sum(recall.names for recall in counted)


def screenings_per_second(folder: Path | None = None) -> Evaluation:
    """Measure. Raises RecallTooLow when what is fast does not find what it must."""
    evaluation = evaluate(folder)
    if evaluation.recall < RECALL_MIN:
        raise RecallTooLow(f"recall {evaluation.recall:.4f} is below {RECALL_MIN}")
    for recall in evaluation.recalls:
        if recall.treatment in REQUIRED and recall.share < TREATMENT_RECALL_MIN:
            raise RecallTooLow(f"{recall.treatment.value}: recall {recall.share:.4f} is below {TREATMENT_RECALL_MIN}")
    return evaluation


def evaluate(folder: Path | None = None, *, names_per_treatment: int = NAMES_PER_TREATMENT) -> Evaluation:
    """Measure quality and speed on the lists of a folder, or on the fictional one."""
    index = NameIndex(load_parties(folder), version=1)
    customers = load_customers(folder)
    return Evaluation(
        listed_names=len(index.names),
        recalls=tuple(measure_recall(index, treatment, names_per_treatment) for treatment in Treatment),
        false_alarms=tuple(count_false_alarms(index, source, found) for source, found in customers.items()),
        speed=measure_speed(folder, [subject.name for found in customers.values() for subject in found]),
    )


# Lists and customers


def load_parties(folder: Path | None) -> list[SourcedParty]:
    """The UN and OFAC lists of a folder; without them, the shipped list among invented names."""
    if folder is None or not (folder / UN_FILE).exists():
        sources = {"fictional": (*shipped_parties(), *filler_parties())}
    else:
        files = {path.name: path.read_bytes() for path in (folder / OFAC_FOLDER).iterdir()}
        sources = {"un": parse_un((folder / UN_FILE).read_bytes()), "ofac": parse_ofac(files)}
    return [
        SourcedParty(list_name=name, import_id=number, party=party)
        for number, (name, parties) in enumerate(sources.items(), start=1)
        for party in parties
    ]


def load_customers(folder: Path | None) -> dict[str, list[Subject]]:
    """Customers that are on no list, by the file they come from."""
    if folder is None or not (folder / CUSTOMER_FILES[0]).exists():
        return {"invented": list(filler_customers())}
    return {name: list(_read_customers(folder / name)) for name in CUSTOMER_FILES}


def _read_customers(path: Path) -> Iterable[Subject]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Subject(
                name=row["full_name"], birth_date=row["date_of_birth"], country=country_code(row["nationality"])
            )


# Quality


def measure_recall(index: NameIndex, treatment: Treatment, names: int) -> Recall:
    """Write listed names (primary and strong ones) some way, and look whether their parties are found."""
    rng = random.Random(f"{SEED}/{treatment}")
    asked = [
        (number, written)
        for number, written in _treated(index, treatment, rng)
        if written.split() != index.names[number].listed.name.split() or treatment is Treatment.NONE
    ][:names]
    found = sum(_finds(index, written, index.names[number].party_number) for number, written in asked)
    return Recall(treatment=treatment, names=len(asked), found=found)


def _treated(index: NameIndex, treatment: Treatment, rng: random.Random) -> Iterable[tuple[int, str]]:
    numbers = [n for n, name in enumerate(index.names) if name.words and name.listed.strength is not NameStrength.WEAK]
    rng.shuffle(numbers)
    for number in numbers:
        name = index.names[number]
        written = treat(name.listed.name, index.parties[name.party_number].party.kind, treatment, rng)
        if written is not None:
            yield number, written


def _finds(index: NameIndex, name: str, party_number: int) -> bool:
    source = index.parties[party_number]
    references = {hit.reference for hit in screen(index, Subject(name=name)).hits}
    return f"{source.list_name}/{source.party.entity_id}" in references


def count_false_alarms(index: NameIndex, source: str, customers: Sequence[Subject]) -> FalseAlarms:
    by_name = sum(_alarms(index, Subject(name=customer.name)) for customer in customers)
    with_birth = sum(_alarms(index, replace(customer, country=None)) for customer in customers)
    in_full = sum(_alarms(index, customer) for customer in customers)
    return FalseAlarms(
        source=source,
        customers=len(customers),
        by_name=by_name,
        with_birth=with_birth,
        with_birth_and_country=in_full,
    )


def _alarms(index: NameIndex, subject: Subject) -> bool:
    return screen(index, subject).outcome is not ScreeningOutcome.CLEAR


# Speed


def measure_speed(folder: Path | None, customers: Sequence[str]) -> Speed:
    """Screen names in one process, one by one, and then in several at once; each with an index of its own."""
    index = NameIndex(load_parties(folder), version=1)
    rng = random.Random(SEED)
    half = SPEED_NAMES // 2
    typos = [written for _, written in _treated(index, Treatment.ONE_TYPO, rng)][:half]
    names = [*rng.sample(list(customers), min(half, len(customers))), *typos]
    rng.shuffle(names)
    seconds = _timed(index, names)
    share = len(names) // PROCESSES
    shares = [names[number * share : (number + 1) * share] for number in range(PROCESSES)]
    with ProcessPoolExecutor(
        PROCESSES, mp_context=get_context("spawn"), initializer=_start, initargs=(folder,)
    ) as pool:
        # Every worker has its index before any is timed.
        list(pool.map(_screen_all, [["warm up"]] * PROCESSES * 4))
        started = time.perf_counter()
        list(pool.map(_screen_all, shares))
        elapsed = time.perf_counter() - started
    seconds.sort()
    return Speed(
        names=len(names),
        per_second=share * PROCESSES / elapsed,
        per_second_single=len(names) / sum(seconds),
        p50_ms=seconds[len(seconds) // 2] * 1_000,
        p99_ms=seconds[len(seconds) * 99 // 100] * 1_000,
    )


def _timed(index: NameIndex, names: Iterable[str]) -> list[float]:
    index.warm_up()
    seconds = []
    for name in names:
        started = time.perf_counter()
        screen(index, Subject(name=name))
        seconds.append(time.perf_counter() - started)
    return seconds


_index: NameIndex | None = None


def _start(folder: Path | None) -> None:
    global _index
    _index = NameIndex(load_parties(folder), version=1)
    _index.warm_up()


def _screen_all(names: Sequence[str]) -> None:
    assert _index is not None
    for name in names:
        screen(_index, Subject(name=name))


# Telling


def report(evaluation: Evaluation) -> Iterable[str]:
    """The figures, a line each."""
    yield f"listed names: {evaluation.listed_names}"
    yield f"recall: {evaluation.recall:.4f} (must {RECALL_MIN})"
    for recall in evaluation.recalls:
        yield f"  {recall.treatment.value}: {recall.share:.4f} of {recall.names}"
    for alarms in evaluation.false_alarms:
        yield (
            f"false alarms among {alarms.customers} of {alarms.source}: {alarms.rate_by_name:.2%} by name, "
            f"{alarms.rate_with_birth:.2%} with date of birth, {alarms.rate:.2%} with country as well"
        )
    speed = evaluation.speed
    yield f"names screened a second: {speed.per_second:.0f} in {PROCESSES} processes on {os.cpu_count()} cores"
    yield f"  {speed.per_second_single:.0f} in one; a name p50 {speed.p50_ms:.2f} ms, p99 {speed.p99_ms:.2f} ms"


if __name__ == "__main__":
    print("\n".join(report(evaluate(Path(sys.argv[1]) if len(sys.argv) > 1 else None))))
