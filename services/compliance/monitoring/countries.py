"""Countries on the lists of the FATF, by the days on which they were put there and taken off."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from libs.common.record import Record


class CountryList(StrEnum):
    """Which list of the FATF."""

    CALL_FOR_ACTION = "call_for_action"
    """High-risk jurisdictions subject to a call for action."""
    INCREASED_MONITORING = "increased_monitoring"
    """Jurisdictions under increased monitoring."""


_GRAVER = list(CountryList)


class Listing(Record):
    """A country's time on a list."""

    country: str
    """Two letters, ISO 3166-1."""
    list_name: CountryList
    listed_from: date
    listed_until: date | None = None
    """The first day on which it was on the list no more."""

    def holds(self, on: date) -> bool:
        return self.listed_from <= on and (self.listed_until is None or on < self.listed_until)


class Edition(Record, order=True):
    """Which lists of countries count on a day: what was rated by an earlier one is to be rated anew."""

    version: int
    """The import that they came with; 0: those that ship."""
    changed_on: date
    """The last day on which a country was put on one, or taken off."""


class CountryLists:
    """All of them, to be asked about one country on one day."""

    def __init__(self, listings: Iterable[Listing], *, version: int = 0) -> None:
        self.version = version
        self._by_country: dict[str, list[Listing]] = defaultdict(list)
        # Whoever is on both lists is on the graver.
        self.listings = sorted(listings, key=lambda one: (_GRAVER.index(one.list_name), one.country, one.listed_from))
        for listing in self.listings:
            self._by_country[listing.country].append(listing)

    def edition(self, on: date) -> Edition:
        """Which ones count on a day."""
        days = [day for one in self.listings for day in (one.listed_from, one.listed_until) if day is not None]
        return Edition(version=self.version, changed_on=max((day for day in days if day <= on), default=date.min))

    def listing_of(self, country: str | None, on: date) -> Listing | None:
        """Why a country is one to look at, if it was on that day."""
        if country is None or country not in self._by_country:
            return None
        return next((listing for listing in self._by_country[country] if listing.holds(on)), None)

    def gravest_of(self, countries: Iterable[str], on: date) -> Listing | None:
        """Of several countries the listing of the one on the graver list; of equals, the first."""
        found = [listing for country in countries if (listing := self.listing_of(country, on)) is not None]
        return min(found, key=lambda listing: _GRAVER.index(listing.list_name), default=None)
