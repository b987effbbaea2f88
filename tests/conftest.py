"""Fixtures every tier shares."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.parts import Parts, running_parts

# How long an example takes says how busy the machine is, and nothing about what it shows.
settings.register_profile("weir", deadline=None)
settings.load_profile("weir")


@pytest.fixture(scope="session")
def parts() -> Iterator[Parts]:
    """Real Kafka, Postgres and registry. Never skipped: without them the tests that need them fail."""
    with running_parts() as found:
        yield found
