"""A small world in memory: services that decide with their real domains, and a bus that misbehaves.

    commands, ticks ─► Service.run ─► decide_all (the real one) ─► memory ─► bus ─► deliver ─► Service.run …

Everything is driven by one seeded source of chance: which messages arrive when, in what batches, how
often; which commits are lost to a crash before or after they happened; which messages are buried and
replayed long after; who is away for how long. The same seed plays the same world again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from libs.common import envelope, ids
from libs.common.batch import Decided, Handlers, decide_all
from libs.common.events import Event
from libs.common.message import Command, Message, Trace
from libs.common.outbox import OutboxRow
from libs.common.record import Record, replace
from libs.common.state import Aggregates, State

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
BATCH_MAX = 6
SWEEPS_MAX = 20
BEHIND_MAX = timedelta(seconds=2)
"""How much machines' clocks differ. Not across midnight: limits a day are counted by them."""

Queue = tuple[str, str]
"""A topic and a key: what keeps its order."""


class Memory(Protocol):
    """What stands for a service's database."""

    def load(self, messages: Sequence[Message]) -> State:
        """The state that a batch may touch: as much as the real store loads, and no more."""

    def absorb(self, state: Any) -> None:
        """What a commit does."""

    def due(self, now: datetime) -> list[Message]:
        """What time has made due."""

    @property
    def everything(self) -> object:
        """All that decisions depend on, to compare two memories by."""


class Misfortunes(Record):
    """How often what goes wrong."""

    crash: float = 0.05
    """A batch is decided, and its commit never happens."""
    lost_answer: float = 0.05
    """A batch is committed, and its consumer dies before it knows: all of it comes again."""
    repeat: float = 0.1
    """A relay sends everything again, or a consumer reads some of it again."""
    burial: float = 0.015
    """A message about a payment becomes a dead letter, to be replayed some time later."""
    slow_clock: float = 0.1
    """A batch is decided on a machine whose clock is behind."""


NOTHING_GOES_WRONG = Misfortunes(crash=0, lost_answer=0, repeat=0, burial=0, slow_clock=0)


class Published(Record):
    """An event on the bus."""

    event_id: str
    number: int
    event: Event
    causation_id: str
    queue: Queue


class Service:
    """One service: its real handlers over a memory, and all that it has committed, in order."""

    def __init__(self, handlers: Handlers, memory: Memory) -> None:
        self.name = handlers.service
        self.handlers = handlers
        self.memory = memory
        self.topics = {kind.contract.topic.name for kind in handlers.reads}
        self.inbox: set[str] = set()
        self.is_away = False
        self.buried: list[Message] = []
        """Dead letters and, where keys are parked, what came after them."""
        self.committed: list[Message | Callable[[Any], None]] = []
        """The messages in order of decision, and what else changed the memory between them."""
        self.published: list[Published] = []

    def decide(self, messages: Sequence[Message]) -> tuple[State, list[Decided], list[Published]]:
        """What one batch leads to. Raises AssertionError where the real service would bury a message."""
        events: list[Event] = []

        def encode(event: Event) -> bytes:
            events.append(event)
            return b""

        state = self.memory.load(messages)
        decided = decide_all(self.handlers, state, messages, encode)
        for result in decided:
            if result.error is not None:
                raise AssertionError(f"{self.name} could not decide on {result.message.body}") from result.error
        rows = [row for result in decided for row in result.rows]
        return state, decided, [_published(row, event) for row, event in zip(rows, events, strict=True)]

    def commit(self, messages: Sequence[Message], state: State, published: Sequence[Published]) -> None:
        self.memory.absorb(state)
        self.committed += messages
        self.published += published


class World:
    """The bus, the clock, and the services on it."""

    def __init__(self, seed: int, misfortunes: Misfortunes | None = None) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.misfortunes = misfortunes or Misfortunes()
        self.now = START
        self.bus: dict[Queue, list[Published]] = defaultdict(list)
        self.services: dict[str, Service] = {}
        self.log: list[Published] = []
        """Everything published, once however often it was sent, in the order of commits."""
        self.replayed: dict[str, set[str]] = defaultdict(set)
        """The payments of which something was replayed out of its order, by service."""
        self._by_id: dict[str, Published] = {}
        self._positions: dict[tuple[str, Queue], int] = defaultdict(int)
        self._made = 0

    def add(self, handlers: Handlers, memory: Memory) -> Service:
        service = self.services[handlers.service] = Service(handlers, memory)
        return service

    def happens(self, share: float) -> bool:
        """Whether something that happens in this share of cases happens now."""
        return self.chance.random() < share

    @property
    def is_anything_buried(self) -> bool:
        return any(service.buried for service in self.services.values())

    def new_id(self) -> str:
        """An id that the seed decides."""
        self._made += 1
        return ids.derive(ids.named("simulation", str(self.seed)), self._made)

    def command(self, service: str, *commands: Command) -> list[Decided]:
        """Ask a service for something, as its edge would."""
        return self._run(self.services[service], [self._message(command, self.new_id()) for command in commands])

    def change(self, service: str, change: Callable[[Any], None]) -> None:
        """Change a memory in a way that is no decision, such as an import of a list."""
        change(self.services[service].memory)
        self.services[service].committed.append(change)

    def sweep(self, service: Service) -> None:
        """Do all that time has made due. Two workers may see the same, and one may crash on it.

        Raises AssertionError if that never ends.
        """
        for _ in range(SWEEPS_MAX):
            due = service.memory.due(self.now)
            if not due:
                return
            if not self.happens(self.misfortunes.crash):
                self._run(service, due)
                if self.happens(self.misfortunes.repeat):
                    self._run(service, due)
        raise AssertionError(f"{service.name} finds the same due again and again: {due}")

    def replay(self, service: Service) -> None:
        """Give what was buried first a second chance; with it, in order, what was parked behind it."""
        if not service.buried:
            return
        first = service.buried[0]
        group = [m for m in service.buried if m.key == first.key] if service.handlers.parks_keys else [first]
        service.buried = [message for message in service.buried if message not in group]
        self.replayed[service.name] |= {message.body.payment_id for message in group}
        self._run(service, [replace(message, received_at=self.now) for message in group])

    def step(self, only: str | None = None) -> bool:
        """Deliver one batch to one service, or return False when nobody (or not that one) waits for anything."""
        waiting = self._waiting()
        if not waiting or (only is not None and only not in waiting):
            return False
        service = only or self.chance.choice(list(waiting))
        queues = waiting[service]
        self.chance.shuffle(queues)
        self._deliver(self.services[service], queues[: self.chance.randint(1, 4)])
        self.now += timedelta(milliseconds=self.chance.randint(1, 50))
        return True

    def _waiting(self) -> dict[str, list[Queue]]:
        """The queues in which there is something new, by who waits for it."""
        return {
            name: queues
            for name, service in self.services.items()
            if not service.is_away
            and (
                queues := [
                    queue
                    for queue, sent in self.bus.items()
                    if queue[0] in service.topics and self._positions[name, queue] < len(sent)
                ]
            )
        }

    def _deliver(self, service: Service, queues: Iterable[Queue]) -> None:
        """A batch from several queues: in order within each, and some of it again."""
        messages, ends, at = list[Message](), dict[Queue, int](), self._clock()
        for queue in queues:
            position = self._positions[service.name, queue]
            start = max(0, position - 2) if self.happens(self.misfortunes.repeat) else position
            ends[queue] = min(len(self.bus[queue]), position + self.chance.randint(1, BATCH_MAX))
            messages += self._fresh(service, self.bus[queue][start : ends[queue]], at)
        messages = list({message.message_id: message for message in messages}.values())
        buried = self._buried(service, messages)
        alive = [message for message in messages if message not in buried]
        state, _, published = service.decide(alive)
        if self.happens(self.misfortunes.crash):
            return
        service.buried += buried
        service.inbox |= {message.message_id for message in messages}
        service.commit(alive, state, published)
        self._publish(published)
        if not self.happens(self.misfortunes.lost_answer):
            for queue, end in ends.items():
                self._positions[service.name, queue] = max(self._positions[service.name, queue], end)

    def _clock(self) -> datetime:
        """What time it is on some machine."""
        if not self.happens(self.misfortunes.slow_clock):
            return self.now
        return max(self.now - BEHIND_MAX * self.chance.random(), self.now.replace(hour=0, minute=0, second=0))

    def _fresh(self, service: Service, sent: Sequence[Published], at: datetime) -> list[Message]:
        return [
            self._message(published.event, published.event_id, key=published.queue[1], at=at)
            for published in sent
            if type(published.event) in service.handlers.decisions and published.event_id not in service.inbox
        ]

    def _buried(self, service: Service, messages: Sequence[Message]) -> list[Message]:
        """Those that can't be applied now, and where keys are parked, those that have to wait for them."""
        parked = {message.key for message in service.buried} if service.handlers.parks_keys else set()
        buried = []
        for message in messages:
            is_bad = hasattr(message.body, "payment_id") and self.happens(self.misfortunes.burial)
            if is_bad or message.key in parked:
                buried.append(message)
                parked |= {message.key} if service.handlers.parks_keys else set()
        return buried

    def _run(self, service: Service, messages: Sequence[Message]) -> list[Decided]:
        state, decided, published = service.decide(messages)
        service.commit(messages, state, published)
        self._publish(published)
        return decided

    def _publish(self, published: Sequence[Published]) -> None:
        for one in published:
            assert one.event_id not in self._by_id, f"{self._by_id[one.event_id]} has the id of {one}"
            self._by_id[one.event_id] = one
        self.log += published
        # A relay that dies between acknowledgement and deletion sends everything again.
        for one in (*published, *(published if self.happens(self.misfortunes.repeat) else ())):
            self.bus[one.queue].append(one)

    def _message(self, body: Any, message_id: str, *, key: str = "", at: datetime | None = None) -> Message:
        trace = Trace(correlation_id=message_id, traceparent="")
        return Message(message_id=message_id, body=body, received_at=at or self.now, trace=trace, key=key)


def _published(row: OutboxRow, event: Event) -> Published:
    return Published(
        event_id=row.headers[envelope.ID],
        number=int(row.headers[envelope.SEQUENCE]),
        event=event,
        causation_id=row.headers[envelope.CAUSATION_ID],
        queue=(row.topic, row.key),
    )


def absorb(stored: dict[str, Any], aggregates: Aggregates[Any], id_of: Callable[[Any], str]) -> None:
    """Write back what a batch has changed."""
    for value in (*aggregates.inserted, *aggregates.updated):
        stored[id_of(value)] = value


def select(stored: Mapping[str, Any], wanted: Iterable[str | None]) -> dict[str, Any]:
    """What a batch loads, in order of ids as the real stores do: those of the wanted that exist."""
    return {id_: stored[id_] for id_ in sorted({id_ for id_ in wanted if id_ is not None}) if id_ in stored}
