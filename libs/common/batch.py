"""The one shape of work: a batch is claimed, loaded and locked, decided, and written with its events; one commit.

    claim ─► load ─► decide ─► save + record + outbox: one statement ─► COMMIT

Everything that changes anything in Weir goes through `UnitOfWork.run`: requests, files, events from
topics, clock ticks, replays. What differs between them is the claim: an inbox for events, an
idempotency key for requests.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, Engine

from libs.common import envelope, ids, outbox, tracing
from libs.common.codec import Codec
from libs.common.database import transaction
from libs.common.errors import Outage, Poison
from libs.common.events import Event
from libs.common.fault_points import reach_in_role
from libs.common.inbox import Outcome
from libs.common.message import Message
from libs.common.outbox import OutboxRow
from libs.common.personal_data import NO_KEYS, KeysWanted
from libs.common.record import Record
from libs.common.state import State
from libs.common.tracing import Tracer, Work
from libs.common.writes import Writes, writing

T = TypeVar("T")

Decision = Callable[[Any, Any, datetime], "Sequence[Event] | Refusal"]
"""(state, body, now) -> what happened. Pure: no clock, no I/O, no chance. Raising means poison."""


class Refusal(Record):
    """A business "no": a value, never an exception. Nothing is stored but the answer itself."""

    reason: str
    """A member of the service's closed list."""
    detail: str
    field: str | None = None
    """The field of the request that is to blame, if one is."""


def refusal(reason: StrEnum, field: str | None) -> Refusal:
    """A refusal in the words of its reason, with the field of the request that is to blame."""
    return Refusal(reason=reason, detail=reason.replace("_", " "), field=field)


class Unreadable(Record):
    """The body of a message that could not be decoded."""

    reason: str


class Handlers(Record):
    """A service's table of contents: what it reads and is asked, and what it decides then."""

    service: str
    load: Callable[[Connection, Sequence[Message]], Any]
    """(tx, messages) -> State: locks in one fixed order and reads all that this batch can touch."""
    save: Callable[[Writes, Any], None]
    """(writes, State): says what is to be written of what changed."""
    decisions: Mapping[type, Decision]
    writes: tuple[type[Event], ...]
    opens: tuple[type[Event], ...] = ()
    """Of what it reads, the events whose personal data it needs readable. All others stay sealed."""
    wanted_keys: Callable[[Connection, Sequence[Message]], KeysWanted] = lambda *_: NO_KEYS
    """(tx, messages) -> the keys that `load` will ask the vault for. Locks nothing: the key store may take its time."""
    parks_keys: bool = False
    """Whether what follows a message that can't be applied must wait for it (a ledger's choice)."""

    @property
    def reads(self) -> tuple[type[Event], ...]:
        return tuple(kind for kind in self.decisions if issubclass(kind, Event))


class Decided(Record, gc=True):
    """What became of one message. An error leads, by its traceback, back to what holds it."""

    message: Message
    outcome: Outcome
    rows: tuple[OutboxRow, ...] = ()
    refusal: Refusal | None = None
    error: Exception | None = None


Observe = Callable[[Any, Sequence[Decided]], None]
"""(state, what was decided) -> nothing: counts what a batch has changed. Called after its commit, so never for what was
rolled back."""


class Claim(Protocol):
    """How a kind of work makes sure that nothing happens twice."""

    def claim(self, tx: Connection, messages: Sequence[Message]) -> Sequence[Message]:
        """Take the messages, in this transaction; return those still to be decided."""

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        """Say what is to be written of what became of them; return what is to be published about that."""


class KeyRing(Protocol):
    """Where batches have their keys from (`vault.Vault`)."""

    def holding(self, wanted: KeysWanted) -> AbstractContextManager[None]:
        """Have these keys at hand for all that this thread does within. Raises KeysAway."""

    def has(self, wanted: KeysWanted) -> bool:
        """Whether these keys are at hand, so that the store need not be asked."""


def decide_all(
    handlers: Handlers, state: State, messages: Iterable[Message], encode: Callable[[Event], bytes]
) -> list[Decided]:
    """Decide a batch in order. Pure: the simulation runs this very function without a database."""
    decided: list[Decided] = []
    parked: set[str] = set()
    for message in messages:
        if message.key in parked:
            result = Decided(message=message, outcome=Outcome.PARKED)
        else:
            result = _decide(handlers, state, message, encode)
            if result.outcome is Outcome.DEAD and handlers.parks_keys and message.parks_key:
                parked.add(message.key)
        decided.append(result)
    return decided


def _decide(handlers: Handlers, state: State, message: Message, encode: Callable[[Event], bytes]) -> Decided:
    try:
        if isinstance(message.body, Unreadable):
            raise Poison(message.body.reason)
        events = handlers.decisions[type(message.body)](state, message.body, message.received_at)
        if isinstance(events, Refusal):
            state.forget()
            return Decided(message=message, outcome=Outcome.APPLIED, refusal=events)
        rows = tuple(
            envelope.seal(
                event,
                encode(event),
                event_id=_event_id(event, message, handlers.service, ordinal),
                number=number,
                cause=message,
                service=handlers.service,
            )
            for ordinal, (event, number) in enumerate(zip(events, state.number(events), strict=True))
        )
        for row in rows:
            outbox.require_size(row)
    except (Outage, MemoryError):
        # A machine that is out of memory says nothing about the message.
        raise
    except Exception as error:
        state.forget()
        return Decided(message=message, outcome=Outcome.DEAD, error=error)
    state.keep()
    return Decided(message=message, outcome=Outcome.APPLIED, rows=rows)


def _event_id(event: Event, cause: Message, service: str, ordinal: int) -> str:
    """Derived from what caused it, but for an end, of which there is one.

    A service that reads its topics again after a restore may meet the answers in another order, so that another of
    them comes last.
    """
    contract = event.contract
    if contract.is_end:
        return ids.derive(contract.subject_of(event), service, "end")
    return ids.derive(cause.message_id, service, type(event).__name__, ordinal)


class UnitOfWork:
    """Runs batches against one service's database. The only place where anything is committed."""

    def __init__(
        self,
        engine: Engine,
        handlers: Handlers,
        codec: Codec,
        *,
        shards: int,
        on_commit: Callable[[], None],
        observe: Observe = lambda *_: None,
        tracer: Tracer | None = None,
        open_each: Callable[[Sequence[Message]], Sequence[Message]] = lambda messages: messages,
        keys: KeyRing | None = None,
    ) -> None:
        """`open_each` makes readable what came sealed (`vault.py`). Without `keys` nothing is sealed."""
        self._engine = engine
        self._handlers = handlers
        self._codec = codec
        self._shards = shards
        self._on_commit = on_commit
        self._observe = observe
        self._tracer = tracer
        self._open_each = open_each
        self._keys = keys

    def run(self, messages: Sequence[Message], claim: Claim) -> list[Decided]:
        """One batch, one transaction.

        Raises Outage when nothing, or nothing known, was committed; psycopg.Error of SQLSTATE classes 22
        and 23 when a message of the batch can't be stored, with nothing committed either.
        """
        try:
            return self._run(messages, claim)
        except UniqueViolation:
            # Another transaction may have inserted the same row meanwhile. If so it has been committed by now, and
            # whoever looks again finds it; only what is refused a second time is the message's own fault.
            return self._run(messages, claim)

    def _run(self, messages: Sequence[Message], claim: Claim) -> list[Decided]:
        handlers = self._handlers
        # Before anything is locked: the key store may take its time.
        messages = self._open_each(messages)
        reach_in_role("before_claim")
        started = time.time_ns()
        with transaction(self._engine) as tx:
            fresh = claim.claim(tx, messages)
            if self._tracer is not None:
                fresh = self._tracer.enter_each(fresh)
            # Nothing that others need is locked yet.
            with self._keys.holding(handlers.wanted_keys(tx, fresh)) if self._keys else nullcontext():
                state = handlers.load(tx, fresh)
            decided = decide_all(handlers, state, fresh, self._codec.encode)
            with writing(tx) as writes:
                handlers.save(writes, state)
                rows = [row for result in decided for row in result.rows]
                rows += claim.record(tx, writes, state, decided)
                outbox.append(writes, rows, shards=self._shards)
            reach_in_role("before_commit")
            tx.commit()
            reach_in_role("after_commit")
        if rows:
            self._on_commit()
        self._observe(state, decided)
        if self._tracer is not None:
            _trace(self._tracer, messages, decided, tracing.since(started))
        return decided

    def have_keys(self, parts: Sequence[Sequence[Message]]) -> list[bool]:
        """For each part of a batch, whether it can do without the key store. Raises Outage like `run`."""
        keys = self._keys
        if keys is None:
            return [True] * len(parts)
        return self.administer(lambda tx: [keys.has(self._handlers.wanted_keys(tx, messages)) for messages in parts])

    def administer(self, work: Callable[[Connection], T]) -> T:
        """A transaction of housekeeping, outside the life of any message. Raises Outage like `run`."""
        with transaction(self._engine) as tx:
            result = work(tx)
            tx.commit()
        return result


def _trace(tracer: Tracer, messages: Sequence[Message], decided: Sequence[Decided], work: Work) -> None:
    """Write the spans of a batch, and of each of its messages that had effects."""
    causes = {message.message_id: message.trace for message in messages}
    for result in decided:
        if result.rows:
            tracer.message(result.message, causes[result.message.message_id], work, len(result.rows))
    effective = [result.message.trace.traceparent for result in decided if result.rows]
    tracer.batch("batch", effective, work, **{"weir.messages": len(messages), "weir.decided": len(decided)})
