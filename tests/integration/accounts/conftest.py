"""Accounts, on real parts and over HTTP: one wiring for a file of tests, emptied before each."""

from collections.abc import Iterator

import pytest

from libs.common.service import Runtime
from services.accounts.__main__ import SERVICE
from tests.parts import Parts
from tests.serving import Api, serving

_EMPTIED = (
    *("customers", "accounts", "holds", "refunds", "transfers", "entries"),
    *("outbox", "inbox", "dead_letters", "idempotency_keys"),
)
GUARDED = ("accounts", "holds", "refunds", "transfers", "entries")
"""What triggers watch over."""


@pytest.fixture(scope="module")
def wired(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(SERVICE) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def served(wired: Runtime) -> Iterator[Api]:
    with serving(wired) as found:
        yield found


@pytest.fixture
def api(parts: Parts, served: Api) -> Api:
    """Accounts as if nothing had ever happened."""
    parts.empty(served.runtime, *_EMPTIED)
    return served
