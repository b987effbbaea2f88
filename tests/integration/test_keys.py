"""The key store: keys are made once, wrapped, rotated, destroyed, and waited for while it is away."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from libs.common import database
from libs.common.errors import Outage
from libs.common.keys import KeyStore, MasterKeys
from libs.common.vault import Vault
from schemas.payments.events import EncryptedPersonalData, Party, PaymentPersonalData
from tests.parts import Parts

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
DATA = PaymentPersonalData(debtor=Party(name="Ann"), creditor=Party(name="Ben"))
BY = {"actor": "operator", "reason": "asked for"}


@pytest.fixture(scope="module")
def address(parts: Parts) -> Iterator[str]:
    with parts.database("keys") as found:
        yield found


@pytest.fixture
def store(address: str) -> Iterator[KeyStore]:
    with opened(address, OLD) as found:
        yield found


class opened:  # noqa: N801
    """A key store for as long as the block lasts, as a process with these master keys has it."""

    def __init__(self, address: str, masters: dict[str, bytes]) -> None:
        self._engine = database.create(address, pool_size=2)
        self._masters = MasterKeys(masters)

    def __enter__(self) -> KeyStore:
        store = KeyStore(self._engine, self._masters)
        store.prepare()
        return store

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()


def vault(store: KeyStore) -> Vault:
    return Vault(store, cache_seconds=60)


def sealed(found: Vault, owner: str) -> EncryptedPersonalData:
    personal = found.keys(owners=[owner]).seal(EncryptedPersonalData, DATA, owners=[owner], about="p")
    assert isinstance(personal, EncryptedPersonalData)
    return personal


def unsealed(found: Vault, personal: EncryptedPersonalData) -> PaymentPersonalData | EncryptedPersonalData:
    return found.unseal(PaymentPersonalData, {"p": personal})["p"]


def test_what_one_process_seals_another_opens(store: KeyStore) -> None:
    assert unsealed(vault(store), sealed(vault(store), "ann")) == DATA


def test_many_who_make_a_key_at_once_have_the_same(store: KeyStore) -> None:
    found: list[str] = []
    owners = [f"owner-{number}" for number in range(50)]
    threads = [
        threading.Thread(target=lambda: found.append(str(vault(store).keys(owners=owners).current))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4 and len(set(found)) == 1


def test_who_reads_the_store_alone_reads_no_key(store: KeyStore, address: str) -> None:
    data_key = vault(store).keys(owners=["bob"]).data_keys["bob.1"]
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        ((wrapped,),) = connection.execute("SELECT wrapped FROM data_keys WHERE owner_id = 'bob'").fetchall()
    assert data_key is not None and data_key not in bytes(wrapped)


def test_a_key_that_is_rotated_still_opens_and_seals_no_more(store: KeyStore) -> None:
    before = sealed(vault(store), "carl")
    assert store.rotate("carl", **BY) == 2
    after = sealed(vault(store), "carl")
    assert (before.key_id, after.key_id) == ("carl.1", "carl.2")
    assert unsealed(vault(store), before) == unsealed(vault(store), after) == DATA


def test_a_key_that_is_destroyed_opens_nothing_any_more_in_any_of_its_versions(store: KeyStore) -> None:
    first = sealed(vault(store), "dora")
    store.rotate("dora", **BY)
    second = sealed(vault(store), "dora")
    assert store.destroy("dora", **BY) == 2
    assert unsealed(vault(store), first) == first
    assert unsealed(vault(store), second) == second
    assert store.destroy("dora", **BY) == 0


def test_a_process_that_had_a_destroyed_key_uses_it_for_the_age_of_its_cache_at_most(store: KeyStore) -> None:
    had, hasty = vault(store), Vault(store, cache_seconds=0.0001)
    personal = sealed(had, "emil")
    assert unsealed(hasty, personal) == DATA
    store.destroy("emil", **BY)
    assert unsealed(had, personal) == DATA
    assert unsealed(hasty, personal) == personal


def test_whoever_comes_after_all_gets_a_new_key_which_opens_nothing_old(store: KeyStore) -> None:
    before = sealed(vault(store), "fay")
    store.destroy("fay", **BY)
    after = sealed(vault(store), "fay")
    assert after.key_id == "fay.2"
    assert unsealed(vault(store), after) == DATA
    assert unsealed(vault(store), before) == before


def test_a_new_master_key_takes_over_and_the_old_one_may_be_forgotten(parts: Parts) -> None:
    with parts.database("keys") as address:
        with opened(address, OLD) as store:
            personal = sealed(vault(store), "gus")
        with opened(address, NEW | OLD) as store:
            assert unsealed(vault(store), personal) == DATA
            assert store.rewrap(**BY) == 1
            assert store.rewrap(**BY) == 0
            assert store.count_by_master() == {"new": 1}
        with opened(address, NEW) as store:
            assert unsealed(vault(store), personal) == DATA
        with opened(address, OLD) as store, pytest.raises(Outage, match="has no 'new'"):
            unsealed(vault(store), personal)


def test_a_wrong_master_key_is_an_outage_and_no_fault_of_any_message(store: KeyStore, address: str) -> None:
    personal = sealed(vault(store), "hal")
    with opened(address, {"old": b"x" * 32}) as other, pytest.raises(Outage, match="is not the one of that name"):
        unsealed(vault(other), personal)


def test_a_store_that_is_away_is_an_outage_and_what_is_at_hand_still_opens(store: KeyStore) -> None:
    found = vault(store)
    personal = sealed(found, "ida")
    found.store = KeyStore(database.create("postgresql+psycopg://weir@127.0.0.1:1/nowhere"), MasterKeys(OLD))
    assert unsealed(found, personal) == DATA
    assert sealed(found, "ida") == personal
    with pytest.raises(Outage):
        sealed(found, "jo")
