"""Personal data, sealed: readable for as long as the keys of everybody whom they are about exist. Pure.

    data key of each owner ─► HMAC-SHA-256 over what the data belong to ─► AES-256-GCM-SIV ─► Encrypted

Data about two people are sealed under the keys of both together, so that destroying either key erases them: whoever is
erased is erased wherever they had a part. What the data belong to (their kind and the id of the aggregate) is
authenticated: a ciphertext that is moved to another record can't be opened there. Sealing the same data for the same
record gives the same bytes: decisions stay free of chance.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from libs.common import ids
from libs.common.errors import Poison
from libs.common.record import Record

KEY_BYTES = 32
SEPARATOR = "+"
"""Between the ids of the keys that data are sealed under together."""
_NONCE = bytes(12)
"""The same for all: each record has a cipher key of its own, and GCM-SIV (RFC 8452) is safe even where that repeats."""


class Encrypted(Record):
    """Personal data that only the holder of the keys can read."""

    key_id: str
    """The keys, with SEPARATOR between them."""
    ciphertext: bytes

    @property
    def key_ids(self) -> list[str]:
        return self.key_id.split(SEPARATOR)


R = TypeVar("R", bound=Record)
E = TypeVar("E", bound=Encrypted)
P = TypeVar("P")


class Unsealable(Poison):
    """Sealed data that no key opens, though none of theirs was destroyed: they are not what was sealed for this."""


class Keys(Record):
    """The data keys that a batch works with."""

    data_keys: Mapping[str, bytes | None] = {}
    """By key id; None: destroyed."""
    current: Mapping[str, str] | None = None
    """The key that each owner's data are sealed under now; None: nothing is sealed here, and nothing opened."""

    def seal(self, kind: type[E], personal: R, *, owners: Iterable[str], about: str) -> R | E:
        """Personal data that belong to the aggregate `about`, sealed under the keys of all their owners."""
        if self.current is None:
            return personal
        key_ids = [self.current[owner] for owner in dict.fromkeys(owners)]
        place = _place(type(personal), about)
        cipher = self._cipher(key_ids, place)
        assert cipher is not None, "a key that is current was destroyed"
        plain = msgspec.json.encode(personal)
        return kind(key_id=SEPARATOR.join(key_ids), ciphertext=cipher.encrypt(_NONCE, plain, place))

    def pseudonym(self, owner: str, text: str) -> str:
        """An id for a text, the same under the same key: the owner's current one. Without keys anybody can make it."""
        data_key: bytes | None = b""
        if self.current is not None:
            data_key = self.data_keys[self.current[owner]]
        assert data_key is not None, "a key that is current was destroyed"
        return ids.pseudonym(hmac.digest(data_key, text.encode(errors="replace"), "sha256"))

    def unseal(self, kind: type[R], personal: P, *, about: str) -> R | P:
        """What was sealed; as it is if it was not, if a key of it was destroyed, or if there are no keys here at all.

        Raises Unsealable.
        """
        if not isinstance(personal, Encrypted) or self.current is None:
            return personal
        place = _place(kind, about)
        cipher = self._cipher(personal.key_ids, place)
        if cipher is None:
            return personal
        try:
            return msgspec.json.decode(cipher.decrypt(_NONCE, personal.ciphertext, place), type=kind)
        except (InvalidTag, msgspec.MsgspecError) as error:
            raise Unsealable(f"not what was sealed for {place.decode()}: {type(error).__name__}") from error

    def _cipher(self, key_ids: Iterable[str], place: bytes) -> AESGCMSIV | None:
        """The cipher of one record; None if a key of it was destroyed."""
        data_keys: list[bytes] = []
        for key_id in key_ids:
            if key_id not in self.data_keys:
                raise Unsealable(f"the key store knows no key {key_id!r}")
            data_key = self.data_keys[key_id]
            if data_key is None:
                return None
            data_keys.append(data_key)
        return AESGCMSIV(hmac.digest(b"".join(data_keys), place, "sha256"))


READABLE = Keys()
"""Where no key store is configured."""


class KeysWanted(Record):
    """The keys that a batch will need."""

    key_ids: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    """Whose current keys; made where there are none."""


NO_KEYS = KeysWanted()


def key_ids_of(found: Iterable[object]) -> frozenset[str]:
    """The keys of what is sealed among these."""
    return frozenset(key_id for personal in found if isinstance(personal, Encrypted) for key_id in personal.key_ids)


def _place(kind: type[Record], about: str) -> bytes:
    """What data belong to: the full name of their record in the contract, and the aggregate."""
    return f"{kind.__struct_config__.tag}:{about}".encode()
