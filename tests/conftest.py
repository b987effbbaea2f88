"""Fixtures every tier shares."""

from collections.abc import Iterator

import pytest

from tests.parts import Parts, running_parts


@pytest.fixture(scope="session")
def parts() -> Iterator[Parts]:
    """Real Kafka, Postgres and registry. Never skipped: without them the tests that need them fail."""
    with running_parts() as found:
        yield found
