"""Fixtures every tier shares."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from libs.common.service import tune_interpreter
from tests.parts import Parts, running_parts

# How long an example takes says how busy the machine is, and nothing about what it shows.
settings.register_profile("weir", deadline=None)
settings.load_profile("weir")


def pytest_collection_finish() -> None:
    """What runs in this process is to run as in a service's: all that is loaded by now need not be gone through again.

    Without this the garbage collector took an eighth of what unit tests take.
    """
    tune_interpreter()


@pytest.fixture(scope="session")
def parts() -> Iterator[Parts]:
    """Real Kafka, Postgres and registry. Never skipped: without them the tests that need them fail."""
    with running_parts() as found:
        yield found
