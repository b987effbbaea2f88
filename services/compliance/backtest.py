"""A run over history: a file of movements through the very functions that look at live ones, and what they would raise.

| column | |
|---|---|
| TRANSACTION_ID | whatever names it |
| TX_DATETIME | ISO 8601, or a parquet timestamp; UTC where it names no offset |
| CUSTOMER_ID, TERMINAL_ID | who pays, and who is paid |
| TX_AMOUNT | in units of the currency, rounded to its minor unit; 0 moves nothing |
| CURRENCY, CHANNEL, IS_CASH | optional, and may be empty: EUR, card, false |
| CUSTOMER_COUNTRY, TERMINAL_COUNTRY | optional: two letters |
| CUSTOMER_KIND, TERMINAL_KIND | optional: person or company; where a card pays, who is paid is a company |
| CUSTOMER_SINCE, TERMINAL_SINCE | optional: when they were registered, as TX_DATETIME |
| CUSTOMER_ELSEWHERE, TERMINAL_ELSEWHERE | optional: whether it is no customer of ours, who then is not watched |

They are those of fraud's files, and more; columns of other names are passed over. Where a card pays,
terminals are named apart from customers; else who is paid may pay another time, under the same name.
Who is elsewhere may have several countries, with spaces between them. A TRANSACTION_ID that is a UUID, as Weir's own
are, counts once, however often it is there. `monitoring export` writes what Weir has moved as such a file.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from libs.common import ids
from libs.common.money import AMOUNT_MINOR_MAX, SCALES
from libs.common.record import Record
from libs.common.rough import dollar_cents
from schemas.accounts.events import CustomerKind
from schemas.payments.events import Channel
from services.compliance.defaults import read_versions, shipped_listings, shipped_versions
from services.compliance.matching.subject import Subject
from services.compliance.monitoring.alerts import Watched
from services.compliance.monitoring.countries import CountryLists
from services.compliance.monitoring.cycles import Edge, among, edge_of, finding_of, may_be_hop, search
from services.compliance.monitoring.movements import Movement, Profile, micros_of, moment_of
from services.compliance.monitoring.outsiders import Outsider, Outsiders
from services.compliance.monitoring.parameters import Scenario
from services.compliance.monitoring.standards import Standards
from services.compliance.monitoring.watching import Told, quieten, watch

NEEDED = ("TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT")
OPTIONAL = (
    *("CURRENCY", "CHANNEL", "IS_CASH", "CUSTOMER_COUNTRY", "TERMINAL_COUNTRY"),
    *("CUSTOMER_KIND", "TERMINAL_KIND", "CUSTOMER_SINCE", "TERMINAL_SINCE"),
    *("CUSTOMER_ELSEWHERE", "TERMINAL_ELSEWHERE"),
)
ALERT_COLUMNS = ("SCENARIO", "CUSTOMER_ID", "TX_DATETIME", "REASON", "PARAMETERS_VERSION", "TRANSACTION_IDS")
_CHUNK = 1_000
"""Last hops that cycles are looked for at once."""


class BacktestFault(Exception):
    """A file that can't be read as movements, or an output that can't be written: why, in which row."""


class Raised(Record):
    """What would have been an alert."""

    customer_id: str
    told: Told


class File(Record):
    """A file of movements, in order of time."""

    names: Sequence[str]
    """What the file calls each row."""
    movements: Sequence[Movement]
    known: Mapping[str, Profile]


def run_backtest(
    input_path: Path, output: Path, parameters_path: Path | None, in_force: Standards | None = None
) -> dict[str, int]:
    """Write alerts.csv and counts.csv to a folder; the counts. Raises BacktestFault and ParametersFault.

    `in_force`: what movements are held against, but for scenarios of the file; None for what is shipped.
    """
    standards = in_force or Standards(shipped_versions(), CountryLists(shipped_listings()))
    if parameters_path is not None:
        standards = standards.with_others(read_versions(parameters_path))
    file = read(input_path)
    raised = list(replay(file.movements, file.known, standards))
    try:
        output.mkdir(parents=True, exist_ok=True)
        _write(output, file, raised)
        counts = _counts(file, raised)
        _write_rows(output / "counts.csv", ("NAME", "COUNT"), counts.items())
    except OSError as fault:
        raise BacktestFault(f"{output} can't be written: {fault}") from fault
    return counts


def replay(movements: Sequence[Movement], known: Mapping[str, Profile], standards: Standards) -> Iterator[Raised]:
    """What the scenarios raise about movements in order of time, each customer's as live; cycles come last."""
    watched: dict[str, Watched] = {}
    for movement in movements:
        for customer_id in movement.customer_ids:
            before = watched.get(customer_id) or Watched(customer_id=customer_id)
            watched[customer_id], told = watch(before, movement, known, standards)
            yield from (Raised(customer_id=customer_id, told=one) for one in told)
    yield from _cycles(movements, watched, known, standards)


def _cycles(
    movements: Sequence[Movement], watched: dict[str, Watched], known: Mapping[str, Profile], standards: Standards
) -> Iterator[Raised]:
    large = [movement for movement in movements if may_be_hop(movement, standards)]
    into: dict[str, list[Edge]] = defaultdict(list)
    for movement in large:
        into[movement.creditor_customer_id].append(edge_of(movement))
    edges_into = among(into)
    # What is back with somebody elsewhere closes no cycle of a customer's, here as live.
    last_hops = [edge_of(movement) for movement in large if movement.outsiders.creditor is None]
    for start in range(0, len(last_hops), _CHUNK):
        for chain in search(last_hops[start : start + _CHUNK], standards, edges_into).values():
            customer_id = chain[-1].creditor_customer_id
            found = finding_of(chain, standards, known.get(customer_id) or Profile(customer_id=customer_id))
            watched[customer_id], told = quieten(watched[customer_id], [] if found is None else [found])
            yield from (Raised(customer_id=customer_id, told=one) for one in told)


def _counts(file: File, raised: Sequence[Raised]) -> dict[str, int]:
    by_scenario = Counter(one.told[0].scenario for one in raised)
    return {
        "movements": len(file.movements),
        "customers": len({id_ for one in file.movements for id_ in (one.debtor_customer_id, one.creditor_customer_id)}),
        "customers_alerted": len({one.customer_id for one in raised}),
        **{scenario.value: by_scenario[scenario] for scenario in Scenario},
    }


def _write(output: Path, file: File, raised: Sequence[Raised]) -> None:
    rows = (
        (
            finding.scenario.value,
            one.customer_id,
            moment_of(finding.at_micros).isoformat(),
            finding.reason,
            version.version,
            " ".join(_name_of(payment_id, file) for payment_id in finding.payment_ids),
        )
        for one in raised
        for finding, version in (one.told,)
    )
    _write_rows(output / "alerts.csv", ALERT_COLUMNS, rows)


def _write_rows(path: Path, columns: Sequence[str], rows: Any) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


# Reading


def read(path: Path) -> File:
    """The movements of a CSV or parquet file. Raises BacktestFault."""
    if not path.is_file():
        raise BacktestFault(f"there is no file {path}")
    rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    names: list[str] = []
    movements: list[Movement] = []
    known: dict[str, Profile] = {}
    for number, row in enumerate(rows):
        try:
            movement, profiles = _movement(number, row)
        except (ValueError, InvalidOperation, KeyError, TypeError, OverflowError) as fault:
            raise BacktestFault(f"row {number + 1}: {fault!r} in {row}") from fault
        names.append(str(row["TRANSACTION_ID"]))
        movements.append(movement)
        for profile in profiles:
            known.setdefault(profile.customer_id, profile)
    if not movements:
        raise BacktestFault(f"{path.name} has no rows")
    movements.sort(key=lambda one: one.at_micros)
    # Own money is no movement between customers, here as live.
    between = [one for one in movements if one.cents and one.debtor_customer_id != one.creditor_customer_id]
    return File(names=names, movements=list({one.payment_id: one for one in between}.values()), known=known)


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _require_columns(path, reader.fieldnames or ())
            yield from reader
    except (UnicodeDecodeError, csv.Error, OSError) as fault:
        raise BacktestFault(f"{path.name} can't be read: {fault}") from fault


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    # Takes a second to import, and only this needs it.
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            _require_columns(path, file.schema_arrow.names)
            columns = [name for name in (*NEEDED, *OPTIONAL) if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=columns):
                yield from batch.to_pylist()
    except (ArrowException, OSError) as fault:
        raise BacktestFault(f"{path.name} can't be read: {fault}") from fault


def _require_columns(path: Path, names: Sequence[str]) -> None:
    if missing := [name for name in NEEDED if name not in names]:
        raise BacktestFault(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(names)}")


def _movement(number: int, row: Mapping[str, Any]) -> tuple[Movement, tuple[Profile, ...]]:
    currency = row.get("CURRENCY") or "EUR"
    minor = int((Decimal(str(row["TX_AMOUNT"])) * 10 ** SCALES[currency]).to_integral_value())
    if not 0 <= minor <= AMOUNT_MINOR_MAX:
        raise ValueError("no amount that can be paid")
    is_card = Channel(row.get("CHANNEL") or Channel.CARD) is Channel.CARD
    debtor, creditor = str(row["CUSTOMER_ID"]), str(row["TERMINAL_ID"])
    if is_card:
        creditor = f"terminal {creditor}"
    movement = Movement(
        payment_id=_payment_id(number, str(row["TRANSACTION_ID"])),
        debtor_customer_id=debtor,
        creditor_customer_id=creditor,
        amount_minor=minor,
        currency=currency,
        cents=dollar_cents(minor, currency),
        is_cash=_flag(row.get("IS_CASH")),
        at_micros=micros_of(_instant(row["TX_DATETIME"])),
        outsiders=Outsiders(debtor=_outsider(debtor, row, "CUSTOMER"), creditor=_outsider(creditor, row, "TERMINAL")),
    )
    if not movement.customer_ids:
        raise ValueError("nobody of it is a customer")
    usual = CustomerKind.COMPANY if is_card else None
    sides = (debtor, "CUSTOMER", None), (creditor, "TERMINAL", usual)
    profiles = (
        _profile(party_id, row, side, kind) for party_id, side, kind in sides if party_id in movement.customer_ids
    )
    return movement, tuple(profiles)


def _outsider(party_id: str, row: Mapping[str, Any], side: str) -> Outsider | None:
    if not _flag(row.get(f"{side}_ELSEWHERE")):
        return None
    return Outsider(party_id=party_id, countries=tuple((row.get(f"{side}_COUNTRY") or "").split()))


def _profile(customer_id: str, row: Mapping[str, Any], side: str, usual: CustomerKind | None) -> Profile:
    kind, since, country = row.get(f"{side}_KIND"), row.get(f"{side}_SINCE"), row.get(f"{side}_COUNTRY")
    return Profile(
        customer_id=customer_id,
        kind=CustomerKind(kind) if kind else usual,
        subject=Subject(name="", country=country) if country else None,
        registered_at=_instant(since) if since else None,
    )


def _instant(value: Any) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_FLAGS: Mapping[str, bool] = {"": False, "0": False, "false": False, "1": True, "true": True}


def _flag(value: Any) -> bool:
    return _FLAGS["" if value is None else str(value).lower()]


_OF_ROWS = "00000000-0000-0000-"
"""What ids begin with that are made of a row's number: those of other files are no UUIDs."""


def _payment_id(number: int, name: str) -> str:
    if ids.is_id(name) and not name.startswith(_OF_ROWS):
        return name
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _name_of(payment_id: str, file: File) -> str:
    """What the file calls a movement."""
    if not payment_id.startswith(_OF_ROWS):
        return payment_id
    return file.names[int(payment_id.replace("-", ""), 16)]
