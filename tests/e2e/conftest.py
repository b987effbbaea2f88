"""One installation and one stream of payments for the whole tier."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from chaos.installation import Installation
from chaos.shop import Shop
from stack.settings import REPOSITORY
from tests.parts import TEST_FOLDER, TEST_PORT_BASE

FOLDER = TEST_FOLDER.with_name(f"{TEST_FOLDER.name}-e2e")
PORT_BASE = TEST_PORT_BASE + 200
"""Apart from the parts that other tiers run on, which know nothing of services."""
DEMO_SECONDS_MAX = 280
ORDER = (
    *("test_demo", "test_money_back", "test_travel_rule", "test_erasing", "test_alerts", "test_traces", "test_operate"),
    *("test_killed", "test_ledger_killed", "test_zombie", "test_faults"),
    *("test_consuming", "test_logs", "test_restored"),
)
"""The demo begins with an empty installation; whoever reads the topics or the logs late meets all that the deaths left
there; and what a restore from an old backup leaves behind stays. What runs apart has an installation of its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else -1)


class DemoRuns:
    """Runs `python -m demo` as a newcomer would, against the tier's installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "demo", "--keep", *options],
            cwd=REPOSITORY,
            env=self._installation.environment,
            capture_output=True,
            text=True,
            timeout=DEMO_SECONDS_MAX,
        )


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoRuns]:
    """The demo, which starts an empty installation; everything is removed in the end."""
    installation = Installation(FOLDER, PORT_BASE)
    was_up = installation.stack.is_up
    if not was_up:
        installation.down()
    try:
        yield DemoRuns(installation)
    finally:
        if not was_up:
            installation.down()


@pytest.fixture(scope="session")
def installation(demo: DemoRuns) -> Installation:
    """Everything running, ready to be killed."""
    installation = Installation(FOLDER, PORT_BASE)
    installation.up()
    return installation


@pytest.fixture(scope="session")
def shop(installation: Installation) -> Shop:
    """A client whose customers have accounts and money."""
    shop = Shop(installation)
    shop.open()
    return shop
