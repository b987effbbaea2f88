"""Whose a key is: clients are let in however many keys are made up, and what is made up hardly reaches the database."""

from collections.abc import Callable, Sequence
from threading import Event, Lock

import anyio
import pytest

from libs.common.clients import CACHE_SECONDS, Client, Clients
from libs.common.errors import Outage
from libs.common.key_lookup import LOOKUPS_MAX, UNKNOWN, UNKNOWN_SECONDS, KeyLookup, TooManyUnknownKeys


class FakeClients(Clients):
    """A database that knows some keys, and how often and by how many at once it was asked."""

    def __init__(self, *known: str, seconds: float = 0.0) -> None:
        super().__init__(lambda _: None)
        self.known, self.asked, self.at_once_max = set(known), 0, 0
        self._seconds, self._at_once, self._lock = seconds, 0, Lock()
        self._found: dict[str, float] = {}
        self.now, self.is_away = 0.0, False

    def cached(self, key: str) -> Client | None:
        return _client(key) if self._found.get(key, -1.0) > self.now else None

    def has_known(self, key: str) -> bool:
        return key in self._found

    def find(self, key: str) -> Client | None:
        with self._lock:
            self.asked, self._at_once = self.asked + 1, self._at_once + 1
            self.at_once_max = max(self.at_once_max, self._at_once)
        Event().wait(self._seconds)
        with self._lock:
            self._at_once -= 1
        if self.is_away:
            raise Outage("the database")
        if key not in self.known:
            self._found.pop(key, None)
            return None
        self._found[key] = self.now + CACHE_SECONDS
        return _client(key)


def _client(key: str) -> Client:
    return Client(client_id=key, scopes=frozenset())


Answer = Client | TooManyUnknownKeys | None


def ask(lookup: KeyLookup, keys: Sequence[str]) -> list[Answer]:
    """What becomes of requests with these keys, all at once."""
    answers: list[Answer] = [None] * len(keys)

    async def one(place: int, key: str) -> None:
        try:
            answers[place] = await lookup.find(key)
        except TooManyUnknownKeys as error:
            answers[place] = error

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for place, key in enumerate(keys):
                group.start_soon(one, place, key)

    anyio.run(all_of_them)
    return answers


def made_up(number: int) -> list[str]:
    return [f"wrong-{place}" for place in range(number)]


@pytest.fixture
def clients() -> FakeClients:
    return FakeClients("shop")


@pytest.fixture
def lookup(clients: FakeClients) -> KeyLookup:
    return KeyLookup(clients, clock=clock_of(clients))


def clock_of(clients: FakeClients) -> Callable[[], float]:
    return lambda: clients.now


def test_of_keys_made_up_no_more_are_looked_up_than_there_is_room_for(clients: FakeClients, lookup: KeyLookup) -> None:
    answers = ask(lookup, made_up(1_000))
    assert clients.asked == UNKNOWN.burst
    refused = [answer for answer in answers if isinstance(answer, TooManyUnknownKeys)]
    assert len(refused) == 1_000 - clients.asked
    assert all(0 < error.wait_seconds <= 0.2 for error in refused)


def test_as_time_passes_no_more_are_looked_up_than_may_be_also_where_two_are_under_way(
    clients: FakeClients, lookup: KeyLookup
) -> None:
    ask(lookup, made_up(UNKNOWN.burst))
    seconds = 30
    for turn in range(10 * seconds):
        clients.now += 0.1
        ask(lookup, [f"{turn}-{place}" for place in range(10)])
    assert clients.asked - UNKNOWN.burst <= UNKNOWN.per_second * seconds + 1


def test_what_an_outage_kept_from_being_found_out_takes_no_room(clients: FakeClients, lookup: KeyLookup) -> None:
    clients.is_away = True
    for number in range(2 * UNKNOWN.burst):
        with pytest.raises(Outage):
            anyio.run(lookup.find, f"shop-{number}")
    clients.is_away = False
    assert ask(lookup, ["shop"]) == [_client("shop")]


def test_who_is_known_is_let_in_meanwhile_also_when_its_key_is_to_be_looked_up_again(
    clients: FakeClients, lookup: KeyLookup
) -> None:
    ask(lookup, ["shop"])
    for now in (0.0, CACHE_SECONDS + 1):
        clients.now = now
        ask(lookup, made_up(500))
        assert isinstance(ask(lookup, ["another"])[0], TooManyUnknownKeys)
        assert ask(lookup, ["shop"] * 10) == [_client("shop")] * 10


def test_a_key_that_was_revoked_is_one_of_those_made_up(clients: FakeClients, lookup: KeyLookup) -> None:
    ask(lookup, ["shop"])
    clients.known.clear()
    clients.now = CACHE_SECONDS + 1
    assert ask(lookup, ["shop"]) == [None]
    asked = clients.asked
    clients.now += UNKNOWN_SECONDS + 1
    ask(lookup, ["shop"] * 100)
    assert clients.asked - asked <= LOOKUPS_MAX


def test_a_key_that_was_tried_before_it_was_made_works_seconds_later(clients: FakeClients, lookup: KeyLookup) -> None:
    assert ask(lookup, ["late"]) == [None]
    clients.known.add("late")
    assert ask(lookup, ["late"]) == [None]
    assert clients.asked == 1
    clients.now = UNKNOWN_SECONDS
    assert ask(lookup, ["late"]) == [_client("late")]


def test_however_many_clients_come_at_once_few_connections_are_taken_and_all_get_in() -> None:
    keys = [f"shop-{place}" for place in range(300)]
    clients = FakeClients(*keys, seconds=0.001)
    assert ask(KeyLookup(clients, clock=clock_of(clients)), keys * 2) == [_client(key) for key in keys * 2]
    assert clients.at_once_max <= LOOKUPS_MAX
    assert clients.asked == len(keys), "one lookup for all that come with a key at once"
