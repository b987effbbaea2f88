"""Personal data are opened by all the keys they were sealed under, for what they belong to, and by nothing else."""

import msgspec
import pytest

from libs.common.personal_data import READABLE, Keys, Unsealable
from libs.common.record import replace
from schemas.accounts.events import CustomerPersonalData
from schemas.accounts.events import EncryptedPersonalData as EncryptedCustomer
from schemas.payments.events import EncryptedPersonalData, Party, PaymentPersonalData

ANN, BEN = b"a" * 32, b"b" * 32
KEYS = Keys(data_keys={"ann.1": ANN, "ben.1": BEN}, current={"ann": "ann.1", "ben": "ben.1"})
DATA = PaymentPersonalData(debtor=Party(name="Ann Müller", address="1 Mill Race"), creditor=Party(name="Ben"))


def sealed(keys: Keys = KEYS, *, about: str = "payment-1") -> EncryptedPersonalData:
    found = keys.seal(EncryptedPersonalData, DATA, owners=["ann", "ben"], about=about)
    assert isinstance(found, EncryptedPersonalData)
    return found


def test_what_was_sealed_is_read_again_and_shows_nothing_meanwhile() -> None:
    found = sealed()
    assert found.key_id == "ann.1+ben.1"
    assert b"Ann" not in msgspec.json.encode(found) and b"Ann" not in found.ciphertext
    assert KEYS.unseal(PaymentPersonalData, found, about="payment-1") == DATA


def test_the_same_data_of_the_same_record_are_sealed_alike_and_of_another_differently() -> None:
    assert sealed() == sealed()
    assert sealed().ciphertext != sealed(about="payment-2").ciphertext


@pytest.mark.parametrize("erased", ["ann.1", "ben.1"])
def test_whoever_is_erased_the_whole_is(erased: str) -> None:
    keys = replace(KEYS, data_keys={**KEYS.data_keys, erased: None})
    assert keys.unseal(PaymentPersonalData, sealed(), about="payment-1") == sealed()


def test_an_older_key_still_opens_what_was_sealed_under_it() -> None:
    rotated = Keys(data_keys={**KEYS.data_keys, "ann.2": b"c" * 32}, current={"ann": "ann.2", "ben": "ben.1"})
    assert sealed(rotated).key_id == "ann.2+ben.1"
    assert rotated.unseal(PaymentPersonalData, sealed(), about="payment-1") == DATA
    assert rotated.unseal(PaymentPersonalData, sealed(rotated), about="payment-1") == DATA


def test_one_who_pays_oneself_has_one_key() -> None:
    found = KEYS.seal(EncryptedPersonalData, DATA, owners=["ann", "ann"], about="payment-1")
    assert isinstance(found, EncryptedPersonalData)
    assert found.key_id == "ann.1"
    assert KEYS.unseal(PaymentPersonalData, found, about="payment-1") == DATA


def test_data_that_were_moved_to_another_record_are_not_opened() -> None:
    with pytest.raises(Unsealable):
        KEYS.unseal(PaymentPersonalData, sealed(), about="payment-2")


def test_data_of_another_kind_are_not_opened() -> None:
    moved = EncryptedCustomer(key_id=sealed().key_id, ciphertext=sealed().ciphertext)
    with pytest.raises(Unsealable):
        KEYS.unseal(CustomerPersonalData, moved, about="payment-1")


def test_changed_bytes_are_not_opened() -> None:
    found = sealed()
    with pytest.raises(Unsealable):
        KEYS.unseal(PaymentPersonalData, replace(found, ciphertext=found.ciphertext[:-1] + b"?"), about="payment-1")


def test_a_key_that_nobody_knows_is_not_one_that_was_destroyed() -> None:
    with pytest.raises(Unsealable, match=r"knows no key 'ben\.1'"):
        replace(KEYS, data_keys={"ann.1": ANN}).unseal(PaymentPersonalData, sealed(), about="payment-1")


def test_without_a_key_store_nothing_is_sealed_and_nothing_opened() -> None:
    assert READABLE.seal(EncryptedPersonalData, DATA, owners=["ann", "ben"], about="payment-1") is DATA
    assert READABLE.unseal(PaymentPersonalData, sealed(), about="payment-1") == sealed()
    assert READABLE.unseal(PaymentPersonalData, DATA, about="payment-1") is DATA
