"""Payments, on real parts and over HTTP: one wiring for a file of tests, emptied before each."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from libs.common.service import Runtime
from services.payments.__main__ import SERVICE
from services.payments.settings import FeeTerms
from tests.integration.payments.scene import BODY_BYTES_MAX, FILE_BYTES_MAX, know_accounts
from tests.parts import Parts
from tests.serving import Api, serving

_EMPTIED = (
    *("payments", "refunds", "batches", "refused_lines", "known_accounts"),
    *("outbox", "inbox", "dead_letters", "idempotency_keys"),
)


@pytest.fixture(scope="module")
def wired(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(
        SERVICE,
        http_body_bytes_max=BODY_BYTES_MAX,
        batch_bytes_max=FILE_BYTES_MAX,
        fees=(FeeTerms(currency="EUR", fixed="0.10", percentage=Decimal(1)),),
    ) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def served(wired: Runtime) -> Iterator[Api]:
    with serving(wired) as found:
        yield found


@pytest.fixture
def api(parts: Parts, served: Api) -> Api:
    """Payments as if nothing had ever been ordered, with a few accounts it knows of."""
    parts.empty(served.runtime, *_EMPTIED)
    know_accounts(served.runtime)
    return served
