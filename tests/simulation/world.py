"""A small world in memory: services that decide with their real domains, and a bus that misbehaves.

Everything is driven by one seeded source of chance: which messages arrive when, in what batches, how
often; which commits are lost to a crash before or after they happened; who is away for how long. A
failure prints its seed, and the same seed plays the same world again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from libs.common import envelope, ids
from libs.common.batch import Decided, Handlers, decide_all
from libs.common.events import Event
from libs.common.inbox import Outcome
from libs.common.message import Command, Message, Trace
from libs.common.record import Record
from libs.common.state import Aggregates, State

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
BATCH_MAX = 6


class Memory(Protocol):
    """What stands for a service's database."""

    def load(self, messages: Sequence[Message]) -> State:
        """The state that a batch may touch."""

    def absorb(self, state: Any) -> None:
        """What a commit does."""


class Published(Record):
    """An event on the bus."""

    event_id: str
    number: int
    event: Event
    causation_id: str


class Service:
    """One service: its real handlers over a memory, an inbox, and what it has published."""

    def __init__(self, world: "World", handlers: Handlers, memory: Memory) -> None:
        self.name = handlers.service
        self.handlers = handlers
        self.memory = memory
        self.inbox: set[str] = set()
        self.is_away = False
        self._world = world
        self._events: list[Event] = []

    def run(self, messages: Sequence[Message], *, is_from_bus: bool) -> list[Decided]:
        """One batch in the one shape; chance decides whether it crashes before or after its commit."""
        chance = self._world.chance
        fresh = [m for m in messages if m.message_id not in self.inbox] if is_from_bus else list(messages)
        fresh = list({message.message_id: message for message in fresh}.values())
        state = self.memory.load(fresh)
        self._events = []
        decided = decide_all(self.handlers, state, fresh, self._encode)
        for result in decided:
            if result.error is not None:
                raise AssertionError(f"{self.name} could not decide on {result.message.body}") from result.error
        if is_from_bus and chance.random() < self._world.crash_share:
            return []
        self.memory.absorb(state)
        if is_from_bus:
            self.inbox |= {message.message_id for message in fresh}
        rows = [row for result in decided for row in result.rows]
        # A relay that dies between acknowledgement and deletion sends everything again.
        for _ in range(2 if chance.random() < self._world.repeat_share else 1):
            for row in rows:
                event = self._events[int(row.value or b"0")]
                self._world.bus[row.topic, row.key].append(
                    Published(
                        event_id=row.headers[envelope.ID],
                        number=int(row.headers[envelope.SEQUENCE]),
                        event=event,
                        causation_id=row.headers[envelope.CAUSATION_ID],
                    )
                )
        return decided

    def _encode(self, event: Event) -> bytes:
        self._events.append(event)
        return str(len(self._events) - 1).encode()


class World:
    """The bus, the clock, and the services on it."""

    def __init__(self, seed: int, *, crash_share: float = 0.05, repeat_share: float = 0.1) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.crash_share = crash_share
        self.repeat_share = repeat_share
        self.now = START
        self.bus: dict[tuple[str, str], list[Published]] = defaultdict(list)
        self.services: dict[str, Service] = {}
        self._positions: dict[tuple[str, str, str], int] = defaultdict(int)
        self._made = 0

    def add(self, handlers: Handlers, memory: Memory) -> Service:
        service = self.services[handlers.service] = Service(self, handlers, memory)
        return service

    def new_id(self) -> str:
        """An id that the seed decides."""
        self._made += 1
        return ids.derive(ids.named("simulation", str(self.seed)), self._made)

    def command(self, service: str, *commands: Command) -> list[Decided]:
        """Ask a service for something, as its edge would."""
        return self.services[service].run([self.message(command) for command in commands], is_from_bus=False)

    def message(self, body: Any, message_id: str | None = None) -> Message:
        message_id = message_id or self.new_id()
        return Message(
            message_id=message_id,
            body=body,
            received_at=self.now,
            trace=Trace(correlation_id=message_id, traceparent=""),
        )

    def step(self) -> bool:
        """Deliver one batch to one service, or return False when nobody waits for anything."""
        waiting = self._waiting()
        if not waiting:
            return False
        service = self.chance.choice(sorted({name for name, _ in waiting}))
        queues = [queue for name, queue in waiting if name == service]
        self.chance.shuffle(queues)
        self._deliver(self.services[service], queues[: self.chance.randint(1, 4)])
        self.now += timedelta(milliseconds=self.chance.randint(1, 50))
        return True

    def settle_down(self, *, steps_max: int = 100_000) -> None:
        """Go on until nobody waits for anything. Raises AssertionError if that never comes."""
        for _ in range(steps_max):
            if not self.step():
                return
        raise AssertionError(f"seed {self.seed}: the world does not come to rest")

    def events(self, *kinds: type[Event]) -> list[Published]:
        """What was published of some kinds, each once however often it was sent."""
        unique = {p.event_id: p for queue in self.bus.values() for p in queue if isinstance(p.event, kinds)}
        return list(unique.values())

    def _waiting(self) -> list[tuple[str, tuple[str, str]]]:
        return [
            (name, queue)
            for name, service in sorted(self.services.items())
            if not service.is_away
            for queue in sorted(self.bus)
            if self._positions[name, *queue] < len(self.bus[queue])
            and any(kind.contract.topic.name == queue[0] for kind in service.handlers.reads)
        ]

    def _deliver(self, service: Service, queues: Iterable[tuple[str, str]]) -> None:
        """A batch from several queues: in order within each, and some of it again."""
        messages, ends = [], {}
        for queue in queues:
            start = self._positions[service.name, *queue]
            if self.chance.random() < self.repeat_share:
                start = max(0, start - 2)
            end = min(len(self.bus[queue]), max(start, self._positions[service.name, *queue]) + BATCH_MAX)
            ends[queue] = end
            messages += [
                self.message(published.event, published.event_id)
                for published in self.bus[queue][start:end]
                if type(published.event) in service.handlers.decisions
            ]
        before = len(service.inbox)
        service.run(messages, is_from_bus=True)
        if len(service.inbox) > before or all(message.message_id in service.inbox for message in messages):
            for queue, end in ends.items():
                self._positions[service.name, *queue] = max(self._positions[service.name, *queue], end)


def absorb(stored: dict[str, Any], aggregates: Aggregates[Any], id_of: Callable[[Any], str]) -> None:
    """Write back what a batch has changed."""
    for value in (*aggregates.inserted, *aggregates.updated):
        stored[id_of(value)] = value


def select(stored: Mapping[str, Any], wanted: Iterable[str | None]) -> dict[str, Any]:
    """What a batch loads: those of the wanted that exist."""
    return {id_: stored[id_] for id_ in set(wanted) if id_ is not None and id_ in stored}


def assert_applied(decided: Sequence[Decided]) -> None:
    assert all(result.outcome is Outcome.APPLIED for result in decided)
