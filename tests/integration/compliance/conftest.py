"""Compliance, on real parts: one wiring for a file of tests, emptied before each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from libs.common.database import execute
from libs.common.service import Runtime
from services.compliance.__main__ import SERVICE
from tests.browser import find
from tests.integration.compliance.browsing import Desk, Shots, at_desk
from tests.integration.compliance.reports import write_institution
from tests.integration.compliance.scene import add_people
from tests.parts import Parts
from tests.serving import listening

_EMPTIED = (
    *("screened_parties", "screenings", "customers", "customer_words", "watched_customers", "travel_records"),
    *("cases", "case_acts", "case_words", "case_files", "filings", "filing_acts", "blocked_property"),
    *("alerts", "alert_silences", "scenario_versions", "hops", "payment_links", "linked_transfers", "looking_back"),
    *("whitelist_pairs", "rule_changes", "rule_change_contents", "country_listings", "country_imports"),
    *("audit_entries", "desk_sessions", "desk_failures", "clients", "client_keys"),
    *("outbox", "inbox", "dead_letters", "idempotency_keys"),
)


@pytest.fixture(scope="module")
def wired(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    institution_file = write_institution(tmp_path_factory.mktemp("institution"))
    with parts.runtime(SERVICE, consumer_session_timeout_ms=6_000, institution_file=institution_file) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def address(wired: Runtime) -> Iterator[str]:
    """Where the service answers, with everybody of PEOPLE let in."""
    add_people(wired)
    with listening(wired) as found:
        yield found


@pytest.fixture
def compliance(parts: Parts, wired: Runtime) -> Runtime:
    """Compliance as if nothing had ever happened, but for its lists and users."""
    parts.empty(wired, *_EMPTIED)
    wired.unit.administer(lambda tx: execute(tx, "UPDATE audit_head SET entry_count = 0, entry_hash = ''"))
    return wired


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all: what somebody does there has a context of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def shots() -> Shots:
    folder = os.environ.get("WEIR_SCREENSHOTS")
    return Shots(Path(folder) if folder else None)


@pytest.fixture
def ann(compliance: Runtime, address: str, browser: Browser) -> Iterator[Desk]:
    with at_desk(browser, address, "analyst1") as desk:
        yield desk


@pytest.fixture
def ben(compliance: Runtime, address: str, browser: Browser) -> Iterator[Desk]:
    with at_desk(browser, address, "analyst2") as desk:
        yield desk
