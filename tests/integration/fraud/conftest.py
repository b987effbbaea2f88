"""Fraud, on real parts: one wiring for a file of tests, emptied before each."""

from collections.abc import Iterator

import pytest

from libs.common.service import Runtime
from services.fraud.__main__ import SERVICE
from tests.parts import Parts
from tests.serving import Api, serving

_EMPTIED = (
    *("entities", "assessments", "shadow_verdicts", "tallies", "versions", "version_changes", "list_entries"),
    *("outbox", "inbox", "dead_letters", "idempotency_keys"),
)


@pytest.fixture(scope="module")
def wired(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(SERVICE, consumer_session_timeout_ms=6_000) as runtime:
        yield runtime


@pytest.fixture
def fraud(parts: Parts, wired: Runtime) -> Runtime:
    """Fraud as if nothing had ever happened."""
    parts.empty(wired, *_EMPTIED)
    return wired


@pytest.fixture(scope="module")
def served(wired: Runtime) -> Iterator[Api]:
    with serving(wired) as found:
        yield found


@pytest.fixture
def api(fraud: Runtime, served: Api) -> Api:
    """The API of fraud as if nothing had ever happened."""
    return served
