"""Schemas are registered also by a registry that fails for a while, as one does whose own database was away."""

import pytest

from libs.common import registry
from libs.common.errors import Outage
from libs.common.events import Contract
from libs.common.registry import IncompatibleSchema, Registry
from libs.common.settings import MessagingSettings
from schemas.payments.events import PaymentInitiated, PaymentSettled

CONTRACTS = (PaymentInitiated.contract, PaymentSettled.contract)


class Failing(Registry):
    """Fails so many times, for each question."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__(MessagingSettings(registry_url="http://nowhere.example"))
        self.failures = list(failures)
        self.ruled = 0
        self.registered: list[Contract] = []

    def _require_compatibility(self) -> None:
        self._fail()
        self.ruled += 1

    def _register(self, contract: Contract) -> int:
        self._fail()
        self.registered.append(contract)
        return len(self.registered)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "REGISTER_RETRY_SECONDS", 0.0)


def test_each_schema_is_registered_once_though_the_registry_fails_in_between() -> None:
    failing = Failing(Outage("500"), Outage("500"))
    failing.register_all(CONTRACTS)
    assert failing.registered == list(CONTRACTS)
    assert failing.ruled == 1, "the rule is the registry's, and not each schema's"


def test_a_registry_that_goes_on_failing_is_told() -> None:
    with pytest.raises(Outage, match="500"):
        Failing(*[Outage("500")] * 3).register_all(CONTRACTS, seconds_max=-1)


def test_what_would_break_readers_is_told_at_once() -> None:
    failing = Failing(IncompatibleSchema("a field was removed"), Outage("never asked"))
    with pytest.raises(IncompatibleSchema):
        failing.register_all(CONTRACTS)
    assert len(failing.failures) == 1
