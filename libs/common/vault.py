"""The vault: data keys at hand. It opens what a service reads, and gives decisions the keys to seal with."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from cachetools import TTLCache
from sqlalchemy.engine import URL

from libs.common import database
from libs.common.batch import Unreadable
from libs.common.errors import KeysAway, Outage
from libs.common.events import Event, personal_place
from libs.common.keys import KeyStore, MasterKeys
from libs.common.message import Message
from libs.common.personal_data import READABLE, Encrypted, Keys, KeysWanted, Unsealable, key_ids_of
from libs.common.record import Record, replace
from libs.common.settings import Settings

CACHED_MAX = 50_000
"""Keys, and owners with their current key."""
POOL_SIZE = 4

R = TypeVar("R", bound=Record)
P = TypeVar("P")
V = TypeVar("V")


class Vault:
    """The keys of a process. Without a store, personal data stay as they are: readable."""

    def __init__(self, store: KeyStore | None, *, cache_seconds: float = 0) -> None:
        self.store = store
        self._keys: TTLCache[str, bytes | None] = TTLCache(CACHED_MAX, cache_seconds)
        self._current: TTLCache[str, str] = TTLCache(CACHED_MAX, cache_seconds)
        self._lock = threading.Lock()
        self._hand = threading.local()
        self._watchers: list[Callable[[float, bool], None]] = []

    def watch(self, watcher: Callable[[float, bool], None]) -> None:
        """Tell from now on of each question to the store: the seconds it took, and whether it was answered."""
        self._watchers.append(watcher)

    def keys(self, *, key_ids: Collection[str] = (), owners: Collection[str] = ()) -> Keys:
        """These keys, and the current ones of these owners, made if there are none. Raises KeysAway."""
        if self.store is None:
            return READABLE
        known, current = self._at_hand(key_ids, owners)
        lacking_owners = {owner for owner in owners if known.get(current.get(owner, "")) is None}
        lacking_ids = set(key_ids) - known.keys()
        if lacking_owners or lacking_ids:
            with self._question():
                self._add(self.store, known, current, lacking_ids, lacking_owners)
        return Keys(data_keys=known, current=current)

    @contextmanager
    def _question(self) -> Iterator[None]:
        began, is_answered = time.monotonic(), False
        try:
            yield
            is_answered = True
        except Outage as outage:
            raise KeysAway(f"the key store: {outage}") from outage
        finally:
            for watcher in self._watchers:
                watcher(time.monotonic() - began, is_answered)

    def has(self, wanted: KeysWanted) -> bool:
        """Whether these keys are at hand: nobody has to be asked for them."""
        if self.store is None:
            return True
        known, current = self._at_hand(wanted.key_ids, wanted.owners)
        return wanted.key_ids <= known.keys() and all(
            known.get(current.get(owner, "")) is not None for owner in wanted.owners
        )

    @contextmanager
    def holding(self, wanted: KeysWanted) -> Iterator[None]:
        """Have these keys at hand for all that this thread does within, whatever expires meanwhile. Raises KeysAway."""
        self._hand.keys = self.keys(key_ids=wanted.key_ids, owners=wanted.owners)
        try:
            yield
        finally:
            del self._hand.keys

    def _at_hand(
        self, key_ids: Collection[str], owners: Collection[str]
    ) -> tuple[dict[str, bytes | None], dict[str, str]]:
        """The keys of these ids, and the current ones of these owners, as far as nobody has to be asked for them."""
        hand = getattr(self._hand, "keys", READABLE)
        with self._lock:
            current = _held(self._current, owners) | _held(hand.current or {}, owners)
            wanted = {*key_ids, *current.values()}
            return _held(self._keys, wanted) | _held(hand.data_keys, wanted), current

    def unseal(self, kind: type[R], sealed: Mapping[str, P]) -> dict[str, R | P]:
        """Personal data by what they belong to, opened; those stay that were erased. Raises Outage, Unsealable."""
        keys = self.keys(key_ids=key_ids_of(sealed.values()))
        return {about: keys.unseal(kind, personal, about=about) for about, personal in sealed.items()}

    def opener(self, kinds: Iterable[type[Event]]) -> Callable[[Sequence[Message]], Sequence[Message]]:
        """A function that opens the personal data of messages whose bodies are events of these kinds."""
        places = {kind: personal_place(kind) for kind in kinds}

        def open_each(messages: Sequence[Message]) -> Sequence[Message]:
            if self.store is None:
                return messages
            found = [_personal(message.body, places) for message in messages]
            key_ids = key_ids_of(found)
            if not key_ids:
                return messages
            keys = self.keys(key_ids=key_ids)
            return [
                _opened(message, places, keys) if isinstance(personal, Encrypted) else message
                for message, personal in zip(messages, found, strict=True)
            ]

        return open_each

    def _add(
        self,
        store: KeyStore,
        known: dict[str, bytes | None],
        current: dict[str, str],
        key_ids: Collection[str],
        owners: Collection[str],
    ) -> None:
        found = store.find(key_ids=key_ids, owners=owners)
        without = set(owners) - {key.owner_id for key in found if key.data_key is not None}
        if without:
            found += store.make(without)
        newest: dict[str, tuple[int, str]] = {}
        for key in found:
            known[key.key_id] = key.data_key
            if key.owner_id in owners and key.data_key is not None:
                newest[key.owner_id] = max(newest.get(key.owner_id, (0, "")), (key.version, key.key_id))
        current |= {owner: key_id for owner, (_, key_id) in newest.items()}
        if without - current.keys():
            # Destroyed in the moment since it was made.
            raise Outage("the key store gave no key to seal with")
        with self._lock:
            self._keys.update((key.key_id, key.data_key) for key in found)
            # Of these owners alone all versions were asked for: a key that was found by its id may be an old one.
            self._current.update((owner, current[owner]) for owner in owners)


def of(settings: Settings) -> Vault:
    """This process's vault, as its settings say."""
    if settings.keys is None:
        return Vault(None)
    return _vault(settings.keys, settings.known_master_keys, settings.keys_cache_seconds)


@lru_cache
def _vault(url: URL, masters: tuple[tuple[str, bytes], ...], cache_seconds: float) -> Vault:
    engine = database.create(url, pool_size=POOL_SIZE, application_name="weir-keys")
    return Vault(KeyStore(engine, MasterKeys(dict(masters))), cache_seconds=cache_seconds)


_Places = Mapping[type, tuple[tuple[str, ...], type[Record]]]


def _held(held: Mapping[str, V], names: Iterable[str]) -> dict[str, V]:
    """What is held by these names. What expires between a look and a grasp must not be an error: so only grasped."""
    found = {}
    for name in names:
        with suppress(KeyError):
            found[name] = held[name]
    return found


def _personal(body: Any, places: _Places) -> Any:
    place = places.get(type(body))
    if place is None:
        return None
    for name in place[0]:
        body = getattr(body, name)
    return body


def _opened(message: Message, places: _Places, keys: Keys) -> Message:
    path, kind = places[type(message.body)]
    try:
        personal = keys.unseal(
            kind, _personal(message.body, places), about=message.body.contract.subject_of(message.body)
        )
    except Unsealable as error:
        return replace(message, body=Unreadable(reason=str(error)))
    return replace(message, body=_with(message.body, path, personal))


def _with(record: Any, path: Sequence[str], value: Any) -> Any:
    name, *rest = path
    return msgspec.structs.replace(record, **{name: _with(getattr(record, name), rest, value) if rest else value})
