"""What is read is opened where a service asks for it, what can't be is poison, and master keys are told apart."""

import base64
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from cachetools import TTLCache
from pydantic import ValidationError

from libs.common import ids
from libs.common.batch import Unreadable
from libs.common.errors import KeysAway, Outage
from libs.common.events import ContractError, personal_place
from libs.common.keys import DataKey, KeyStore, MasterKeys
from libs.common.message import Message, Trace
from libs.common.metrics import KeyMetrics, Metrics
from libs.common.personal_data import Keys, KeysWanted
from libs.common.record import Record, replace
from libs.common.settings import Settings
from libs.common.vault import Vault
from schemas.accounts.events import CustomerKind, CustomerPersonalData, CustomerRegistered, EncryptedPersonalData
from schemas.payments.events import PaymentInitiated, PaymentPersonalData, PaymentSettled

KEY, OTHER = b"k" * 32, b"o" * 32
KEYS = Keys(data_keys={"ann.1": KEY}, current={"ann": "ann.1"})
SEALED = KEYS.seal(EncryptedPersonalData, CustomerPersonalData(name="Ann"), owners=["ann"], about="ann")
EVENT = CustomerRegistered(
    customer_id="ann", kind=CustomerKind.PERSON, personal=SEALED, registered_at=datetime(2026, 1, 1, tzinfo=UTC)
)
ADDRESS = "postgresql+psycopg://keys@nowhere/keys"
MASTER = base64.b64encode(KEY).decode()


class Shelf:
    """A key store in memory, which counts how often it is asked."""

    def __init__(self, **keys: bytes | None) -> None:
        self.keys = [
            DataKey(key_id=f"{owner}.1", owner_id=owner, version=1, data_key=data_key)
            for owner, data_key in keys.items()
        ]
        self.asked = 0
        self.is_away = False

    def find(self, *, key_ids: Collection[str], owners: Collection[str]) -> list[DataKey]:
        self.asked += 1
        if self.is_away:
            raise Outage("away")
        return [key for key in self.keys if key.key_id in key_ids or key.owner_id in owners]

    def make(self, owners: Collection[str]) -> list[DataKey]:
        made = [DataKey(key_id=f"{owner}.2", owner_id=owner, version=2, data_key=OTHER) for owner in sorted(owners)]
        self.keys += made
        return made


def vault_of(shelf: Shelf) -> Vault:
    return Vault(cast(KeyStore, shelf), cache_seconds=60)


def message(body: Record) -> Message:
    trace = Trace(correlation_id="c", traceparent="")
    return Message(message_id=ids.new(), body=body, received_at=datetime(2026, 1, 1, tzinfo=UTC), trace=trace)


def opened(shelf: Shelf, *bodies: Record) -> list[Record]:
    return [found.body for found in vault_of(shelf).opener([CustomerRegistered])([message(body) for body in bodies])]


def test_what_is_asked_for_is_opened_by_one_question_and_the_rest_left_as_it_is() -> None:
    shelf, other = Shelf(ann=KEY), replace(EVENT, personal=CustomerPersonalData(name="Ben"))
    assert opened(shelf, EVENT, other, EVENT) == [
        replace(EVENT, personal=CustomerPersonalData(name="Ann")),
        other,
        replace(EVENT, personal=CustomerPersonalData(name="Ann")),
    ]
    assert shelf.asked == 1


def test_a_service_that_does_not_ask_asks_no_store() -> None:
    shelf = Shelf(ann=KEY)
    given = [message(EVENT)]
    assert vault_of(shelf).opener([])(given) == given
    assert shelf.asked == 0


def test_whoever_was_erased_stays_sealed_and_is_no_poison() -> None:
    assert opened(Shelf(ann=None), EVENT) == [EVENT]


@pytest.mark.parametrize(("shelf", "why"), [(Shelf(), "knows no key"), (Shelf(ann=OTHER), "not what was sealed")])
def test_what_no_key_opens_is_poison_and_its_neighbours_are_not(shelf: Shelf, why: str) -> None:
    readable = replace(EVENT, personal=CustomerPersonalData(name="Ben"))
    poison, neighbour = opened(shelf, EVENT, readable)
    assert isinstance(poison, Unreadable) and why in poison.reason and "Ann" not in poison.reason
    assert neighbour == readable


def test_keys_at_hand_are_not_asked_for_again_also_not_to_seal_with() -> None:
    shelf = Shelf(ann=KEY)
    vault = vault_of(shelf)
    vault.keys(owners=["ann"])
    assert vault.keys(owners=["ann"], key_ids=["ann.1"]) == KEYS
    assert shelf.asked == 1


def test_each_question_to_the_store_is_counted_and_timed_and_no_other() -> None:
    metrics, shelf = Metrics(), Shelf(ann=KEY)
    vault = vault_of(shelf)
    vault.watch(KeyMetrics(metrics).count)
    vault.keys(owners=["ann"])
    vault.keys(owners=["ann"])
    shelf.is_away = True
    with pytest.raises(KeysAway):
        vault.keys(owners=["ben"])
    counts = [
        metrics.get_sample_value("key_store_seconds_count", {"result": result}) for result in ("answered", "failed")
    ]
    assert counts == [1, 1]


def test_a_key_that_was_read_under_an_old_version_seals_nothing_new() -> None:
    shelf = Shelf(ann=KEY)
    vault = vault_of(shelf)
    shelf.make(["ann"])
    vault.keys(key_ids=["ann.1"])
    assert vault.keys(owners=["ann"]).current == {"ann": "ann.2"}


def test_a_key_that_expires_while_it_is_looked_up_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    caches = [TTLCache[str, Any](10, 3, timer=lambda: float(next(ticks))) for _ in range(2)]
    monkeypatch.setattr("libs.common.vault.TTLCache", lambda *_: caches.pop())
    vault = vault_of(Shelf(ann=KEY))
    for _ in range(50):
        assert vault.keys(owners=["ann"], key_ids=["ann.1"]) == KEYS


def test_keys_that_are_held_are_at_hand_whatever_expires_meanwhile() -> None:
    shelf, wanted = Shelf(ann=KEY), KeysWanted(owners=frozenset({"ann"}), key_ids=frozenset({"ann.1"}))
    vault = Vault(cast(KeyStore, shelf), cache_seconds=0)
    assert not vault.has(wanted)
    with vault.holding(wanted):
        assert vault.has(wanted)
        assert vault.keys(owners=["ann"], key_ids=["ann.1"]) == KEYS
    assert not vault.has(wanted)
    assert shelf.asked == 1


def test_who_has_no_key_is_given_one_and_who_was_erased_a_new_one() -> None:
    assert vault_of(Shelf()).keys(owners=["eve"]).current == {"eve": "eve.2"}
    assert vault_of(Shelf(ann=None)).keys(owners=["ann"]).current == {"ann": "ann.2"}


def test_where_an_event_has_its_personal_data() -> None:
    assert personal_place(PaymentInitiated) == (("order", "personal"), PaymentPersonalData)
    assert personal_place(CustomerRegistered) == (("personal",), CustomerPersonalData)
    with pytest.raises(ContractError, match="PaymentSettled has no personal data"):
        personal_place(PaymentSettled)


def test_a_wrapped_key_is_bound_to_its_id() -> None:
    masters = MasterKeys({"m": KEY})
    assert masters.unwrap("m", "ann.1", masters.wrap("ann.1", OTHER)) == OTHER
    with pytest.raises(Outage):
        masters.unwrap("m", "ben.1", masters.wrap("ann.1", OTHER))


def settings(**given: object) -> Settings:
    return Settings(database_url="postgresql://nowhere", **given)  # type: ignore[arg-type]


def test_master_keys_come_from_the_environment_or_a_file_the_first_wraps(tmp_path: Path) -> None:
    file = tmp_path / "masters"
    file.write_text(f"new:{MASTER}\n\nold:{MASTER}\n")
    expected = (("new", KEY), ("old", KEY))
    assert settings(keys_url=ADDRESS, master_keys=f"new:{MASTER}, old:{MASTER}").known_master_keys == expected
    assert settings(keys_url=ADDRESS, master_keys_file=file).known_master_keys == expected


@pytest.mark.parametrize(
    "given", [{}, {"master_keys": "new:c2hvcnQ="}, {"master_keys": MASTER}, {"master_keys": "new:?"}]
)
def test_a_key_store_without_master_keys_that_are_some_is_refused_without_telling_them(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(keys_url=ADDRESS, **given)
    told = "; ".join(error["msg"] for error in refused.value.errors(include_input=False))
    assert "WEIR_MASTER_KEYS" in told or "each master key must be" in told
    assert MASTER not in told and "c2hvcnQ" not in told
