"""Files of the FATF's lists: a row for each time that a country was on one.

| column | |
|---|---|
| country | two letters, ISO 3166-1 |
| list | call_for_action or increased_monitoring |
| from | the day it was put there, as 2026-06-19 |
| until | the day it was taken off; empty while it is on it |
| source | where both stand; may be left out |

The file that ships goes by the FATF's public statements: the days are those on which its plenaries published them. What
could not be held against a page that quotes the statement says `not verified`: check it before you rest on it.
"""

import csv
import io
from datetime import date

from libs.common.countries import is_country
from services.compliance.monitoring.countries import CountryList, Listing

COLUMNS = ("country", "list", "from", "until")
SOURCE = "source"


class ListingsFault(Exception):
    """A file that can't be read as lists of countries: what is wrong, in which row below the header."""


def read_listings(content: bytes) -> tuple[Listing, ...]:
    """The listings of a file. Raises ListingsFault; nothing of a file with a fault is taken."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise ListingsFault(f"it is no CSV in UTF-8: {fault}") from fault
    if not rows:
        raise ListingsFault("it has no rows")
    if tuple(rows[0]) not in (COLUMNS, (*COLUMNS, SOURCE)):
        raise ListingsFault(f"its columns must be {', '.join(COLUMNS)}, and {SOURCE} if it is known")
    listings = tuple(_listing(number, row) for number, row in enumerate(rows, 1))
    if len({(one.country, one.list_name, one.listed_from) for one in listings}) < len(listings):
        raise ListingsFault("a country is put on a list twice on one day")
    return listings


def _listing(number: int, row: dict[str, str]) -> Listing:
    try:
        country, since, until = row["country"], date.fromisoformat(row["from"]), row["until"]
        listing = Listing(
            country=country,
            list_name=CountryList(row["list"]),
            listed_from=since,
            listed_until=date.fromisoformat(until) if until else None,
        )
    except (ValueError, TypeError) as fault:
        raise ListingsFault(f"row {number}: {fault}") from fault
    if not is_country(country):
        raise ListingsFault(f"row {number}: {country!r} is no country's two letters as ISO 3166-1 has them")
    if listing.listed_until is not None and listing.listed_until <= since:
        raise ListingsFault(f"row {number}: it ends before it begins")
    return listing
