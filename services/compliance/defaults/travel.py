"""Files of the travel rule: what is asked (`travel_rule.csv`), and what currencies are worth (`worths.csv`).

| column of rules | |
|---|---|
| rule | its name |
| jurisdiction | whose law it is: houses say in which they are |
| assets | funds or crypto |
| held_by | institution or self_hosted: who holds the account on the other side |
| outside | countries, in each of which the rule asks nothing; empty: it asks everywhere |
| at_least, above | from which amount on, in units of `currency`: one of both, or none for any amount |
| linked | yes: transfers between the same two parties within WEIR_LINKED_HOURS are taken together; may be left out |
| from, until | the days on which it is in force; `until` is the first on which it is not, empty while it is |
| debtor, creditor | what is asked: account_number, address, identity, wallet_ownership |
| source | where it is written |

| column of worths | |
|---|---|
| currency | a currency or an asset |
| per_euro | so many units of it are worth a euro |
| on, source | from which day on, and whose word that is |

Of several worths of a currency the newest that is not after a payment's day counts.
"""

import csv
import io
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from libs.common.money import SCALES
from services.compliance.travel.rules import Assets, Datum, Floor, HeldBy, TravelRule, Worth

T = TypeVar("T")

FOLDER = Path(__file__).parent
RULE_COLUMNS = (
    *(
        "rule",
        "jurisdiction",
        "assets",
        "held_by",
        "outside",
        "at_least",
        "above",
        "currency",
        "linked",
        "from",
        "until",
    ),
    *("debtor", "creditor", "source"),
)
WORTH_COLUMNS = ("currency", "per_euro", "on", "source")


class TravelFault(Exception):
    """A file of the travel rule that can't be read: what is wrong, in which row below the header."""


def read_rules(content: bytes) -> tuple[TravelRule, ...]:
    """The rules of a file. Raises TravelFault; nothing of a file with a fault is taken."""
    rules = tuple(
        _of_row(number, row, _rule) for number, row in enumerate(_rows(content, RULE_COLUMNS, optional="linked"), 1)
    )
    if len({rule.rule for rule in rules}) < len(rules):
        raise TravelFault("a rule is named twice")
    return rules


def read_worths(content: bytes) -> tuple[Worth, ...]:
    """What currencies are worth, from day to day. Raises TravelFault."""
    worths = tuple(_of_row(number, row, _worth) for number, row in enumerate(_rows(content, WORTH_COLUMNS), 1))
    if len({(worth.currency, worth.since) for worth in worths}) < len(worths):
        raise TravelFault("a currency's worth on a day is given twice")
    return worths


def _rows(content: bytes, columns: tuple[str, ...], *, optional: str = "") -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise TravelFault(f"it is no CSV in UTF-8: {fault}") from fault
    if not rows:
        raise TravelFault("it has no rows")
    if tuple(rows[0]) not in (columns, tuple(name for name in columns if name != optional)):
        raise TravelFault(f"its columns must be {', '.join(columns)}")
    return rows


def _of_row(number: int, row: dict[str, str], read: Callable[[dict[str, str]], T]) -> T:
    try:
        return read(row)
    except (ValueError, TypeError, ZeroDivisionError, AttributeError) as fault:
        raise TravelFault(f"row {number}: {fault}") from fault


def _rule(row: dict[str, str]) -> TravelRule:
    if not row["rule"] or not row["source"]:
        raise ValueError("a rule has a name and a source")
    return TravelRule(
        rule=row["rule"],
        jurisdiction=row["jurisdiction"],
        assets=Assets(row["assets"]),
        held_by=HeldBy(row["held_by"]),
        outside=frozenset(row["outside"].split()),
        floor=_floor(row),
        is_linked=_yes(row.get("linked", "")),
        applies_from=date.fromisoformat(row["from"]),
        applies_until=date.fromisoformat(row["until"]) if row["until"] else None,
        debtor=tuple(map(Datum, row["debtor"].split())),
        creditor=tuple(map(Datum, row["creditor"].split())),
        source=row["source"],
    )


def _floor(row: dict[str, str]) -> Floor | None:
    least, above, currency = row["at_least"], row["above"], row["currency"]
    if least and above:
        raise ValueError("an amount is asked about from at_least on, or above: one of both")
    if not (least or above):
        return None
    return Floor(amount=_positive(least or above), currency=_a_currency(currency), is_included=bool(least))


def _worth(row: dict[str, str]) -> Worth:
    return Worth(
        currency=_a_currency(row["currency"]),
        since=date.fromisoformat(row["on"]),
        per_euro=_positive(row["per_euro"]),
    )


def _yes(text: str) -> bool:
    if text not in ("yes", ""):
        raise ValueError(f"{text!r} is neither yes nor empty")
    return text == "yes"


def _positive(text: str) -> Fraction:
    found = Fraction(text)
    if found <= 0:
        raise ValueError(f"{text} is not above zero")
    return found


def _a_currency(text: str) -> str:
    if text not in SCALES:
        raise ValueError(f"{text!r} is no currency known here")
    return text
