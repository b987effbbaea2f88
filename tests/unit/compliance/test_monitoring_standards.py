"""What movements are held against: shipped files without faults, versions in force by their day, lists of countries."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.compliance.defaults import shipped_listings, shipped_versions
from services.compliance.defaults.countries import ListingsFault, read_listings
from services.compliance.domain.case import CaseReason
from services.compliance.importing import lost_listings
from services.compliance.monitoring import parameters
from services.compliance.monitoring.countries import CountryList, CountryLists, Listing
from services.compliance.monitoring.parameters import BEGINNING, Scenario, Version, version_of
from services.compliance.monitoring.scenarios import JUDGES
from services.compliance.monitoring.standards import Standards

DAY = timedelta(days=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def version(above_cents: int, effective_from: datetime, *, is_on: bool = True, set_at: datetime = NEW_YEAR) -> Version:
    values = {"above_cents": above_cents, "is_on": is_on}
    return version_of(
        Scenario.CASH_REPORT,
        parameters.read(Scenario.CASH_REPORT, values),
        effective_from=effective_from,
        set_by="ann",
        reason="",
        set_at=set_at,
    )


def test_every_scenario_ships_with_parameters_has_a_judge_and_names_a_reason() -> None:
    assert {shipped.scenario for shipped in shipped_versions()} == set(Scenario)
    assert JUDGES.keys() == set(Scenario) - {Scenario.CYCLE}
    assert {scenario.value for scenario in Scenario} <= {reason.value for reason in CaseReason}


def test_the_law_is_what_ships() -> None:
    (report,) = (shipped for shipped in shipped_versions() if shipped.scenario is Scenario.CASH_REPORT)
    assert isinstance(report.parameters, parameters.CashReport)
    assert report.parameters.above_cents == 10_000_00


def test_a_version_is_in_force_from_its_moment_until_the_next_is() -> None:
    first, second = version(1, NEW_YEAR), version(2, NEW_YEAR + DAY)
    off = version(2, NEW_YEAR + 2 * DAY, is_on=False)
    standards = Standards([second, off, first], CountryLists(()))

    def in_force(at: datetime) -> Version | None:
        return standards.in_force(Scenario.CASH_REPORT, at)

    assert in_force(NEW_YEAR - DAY) is None
    assert in_force(NEW_YEAR) is first
    assert in_force(NEW_YEAR + DAY - timedelta(microseconds=1)) is first
    assert in_force(NEW_YEAR + DAY) is second
    assert in_force(NEW_YEAR + 2 * DAY) is None
    assert standards.to_come(Scenario.CASH_REPORT, NEW_YEAR + DAY) == [off, second]


def test_of_two_versions_from_one_moment_on_the_later_set_counts() -> None:
    first, second = version(1, NEW_YEAR), version(2, NEW_YEAR, set_at=NEW_YEAR + DAY)
    for order in ([first, second], [second, first]):
        assert Standards(order, CountryLists(())).in_force(Scenario.CASH_REPORT, NEW_YEAR) is second


def test_a_version_is_named_by_what_it_says() -> None:
    assert version(1, BEGINNING).version == version(1, BEGINNING, set_at=NEW_YEAR + DAY).version
    assert version(1, BEGINNING).version != version(2, BEGINNING).version
    assert version(1, BEGINNING).version != version(1, NEW_YEAR).version


@pytest.mark.parametrize(
    ("country", "on", "list_name"),
    [
        ("KP", date(2026, 1, 1), CountryList.CALL_FOR_ACTION),
        ("IQ", date(2026, 6, 18), None),
        ("IQ", date(2026, 6, 19), CountryList.INCREASED_MONITORING),
        ("DZ", date(2026, 6, 18), CountryList.INCREASED_MONITORING),
        ("DZ", date(2026, 6, 19), None),
        ("DE", date(2026, 1, 1), None),
    ],
)
def test_a_country_is_on_a_list_from_one_day_until_another(
    country: str, on: date, list_name: CountryList | None
) -> None:
    listing = CountryLists(shipped_listings()).listing_of(country, on)
    assert (listing and listing.list_name) == list_name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no rows"),
        (b"land,list,from,until\nKP,call_for_action,2011-01-01,\n", "columns"),
        (b"country,list,from,until\nkp,call_for_action,2011-01-01,\n", "row 1"),
        (b"country,list,from,until\nKP,call_for_help,2011-01-01,\n", "row 1"),
        (b"country,list,from,until\nKP,call_for_action,once,\n", "row 1"),
        (b"country,list,from,until\nKP,call_for_action,2011-01-02,2011-01-02\n", "row 1"),
        (b"country,list,from,until\n" + 2 * b"KP,call_for_action,2011-01-01,\n", "twice"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_of_countries_with_a_fault_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ListingsFault, match=words):
        read_listings(content)


# What new lists of countries leave out


def listed(country: str, since: str, until: str | None = None, *, is_call: bool = True) -> Listing:
    return Listing(
        country=country,
        list_name=CountryList.CALL_FOR_ACTION if is_call else CountryList.INCREASED_MONITORING,
        listed_from=date.fromisoformat(since),
        listed_until=date.fromisoformat(until) if until else None,
    )


@pytest.mark.parametrize(
    ("before", "after", "is_lost"),
    [
        (listed("KP", "2011-02-25"), listed("KP", "2011-02-25"), False),
        (listed("KP", "2011-02-25"), listed("KP", "2012-02-25"), False),
        (listed("KP", "2011-02-25"), listed("IR", "2011-02-25"), True),
        (listed("KP", "2011-02-25"), listed("KP", "2011-02-25", is_call=False), True),
        (listed("KP", "2011-02-25"), listed("KP", "2011-02-25", "2027-01-01"), True),
        (listed("KP", "2011-02-25", "2027-01-01"), listed("KP", "2011-02-25", "2026-12-31"), True),
        (listed("KP", "2011-02-25", "2027-01-01"), listed("KP", "2011-02-25"), False),
        (listed("KP", "2011-02-25"), listed("KP", "2026-01-06"), True),
        (listed("KP", "2011-02-25", "2026-01-05"), listed("IR", "2011-02-25"), False),
        (listed("KP", "2026-02-01"), listed("KP", "2026-03-01"), True),
        (listed("KP", "2026-02-01"), listed("KP", "2026-01-01"), False),
    ],
)
def test_a_country_that_leaves_a_list_or_leaves_it_sooner_is_found(
    before: Listing, after: Listing, is_lost: bool
) -> None:
    assert lost_listings([before], [after], date(2026, 1, 5)) == ([before] if is_lost else [])
