"""Second chances: dead letters applied after all, and parked keys worked off, inside the service that failed.

A replay never publishes the failed message again, for its topic is shared: it runs the stored bytes
through the one shape, and the inbox remembers that the dead one has now been applied.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from libs.common import dead_letters, ids, inbox, interventions, parking
from libs.common.batch import Decided, Handlers, UnitOfWork, Unreadable
from libs.common.database import execute, fetch
from libs.common.inbox import Outcome
from libs.common.interventions import By
from libs.common.message import Message, Source
from libs.common.outbox import OutboxRow
from libs.common.parking import Parked
from libs.common.receiver import Receiver
from libs.common.record import Record, replace
from libs.common.writes import Writes

RELEASE_BATCH_MAX = 500


class ReplayRefused(Exception):
    """What was asked can't be done; the message says why."""


class StillFails(Exception):
    """The message can't be applied this time either; nothing was changed."""


class DeadLetter(Record):
    """A message that could not be applied, as the table keeps it."""

    event_id: str
    status: str
    source: Source
    error_type: str
    error: str
    stack: str
    failed_at: datetime
    settled_at: datetime | None
    settled_by: str | None


class Wanted(Record):
    """Which dead letters are meant; without any of these, all of them."""

    key: bytes | None = None
    since: datetime | None = None
    until: datetime | None = None
    """When they failed."""


class Replay:
    """What an operator may do about messages that could not be applied."""

    def __init__(self, handlers: Handlers, unit: UnitOfWork, receiver: Receiver) -> None:
        self._handlers = handlers
        self._unit = unit
        self._receiver = receiver

    def list_dead(self, *, limit: int, status: str = "dead", wanted: "Wanted | None" = None) -> list[DeadLetter]:
        """The oldest dead letters of a status, in the order they failed in."""
        narrowed = wanted or Wanted()
        return self._unit.administer(
            lambda tx: _letters(
                tx,
                """status = %s AND (%s::bytea IS NULL OR key = %s)
                   AND failed_at >= coalesce(%s, '-infinity'::timestamptz)
                   AND failed_at < coalesce(%s, 'infinity'::timestamptz)
                   ORDER BY failed_at, topic, partition, record_offset LIMIT %s""",
                (status, narrowed.key, narrowed.key, narrowed.since, narrowed.until, limit),
            )
        )

    def differences(self, event_id: str) -> list[str]:
        """How the schema that a dead letter was written with differs from the one it is read with here.

        Raises ReplayRefused if there is no such letter or it names no schema, and Outage.
        """
        return self._receiver.differences(self.find(event_id).source)

    def find(self, event_id: str) -> DeadLetter:
        """One dead letter. Raises ReplayRefused if there is none of that id."""
        is_id = ids.is_id(event_id)
        letters = self._unit.administer(lambda tx: _letters(tx, "event_id = %s", (event_id,))) if is_id else []
        if not letters:
            raise ReplayRefused(f"there is no dead letter {event_id}")
        return letters[0]

    def apply(self, event_id: str, by: By) -> None:
        """Apply a dead letter after all. Raises ReplayRefused, or StillFails when it is as dead as before."""
        letter = self.find(event_id)
        message = self._receiver.message(letter.source, datetime.now(UTC))
        if message is None:
            raise ReplayRefused("this service doesn't decide on such messages; discard it")
        if isinstance(message.body, Unreadable):
            raise StillFails(message.body.reason)
        try:
            self._unit.run([message], _ReplayClaim(self._handlers.service, letter, by))
        except (psycopg.Error, SQLAlchemyError) as error:
            raise StillFails(f"can't be stored: {dead_letters.describe(error)}") from error

    def discard(self, event_id: str, by: By) -> None:
        """Decide that a dead letter is never to be applied. It stays in the table, with who decided so."""
        letter = self.find(event_id)

        def discard(tx: Connection) -> None:
            _settle(tx, letter.event_id, "discarded", by.actor)
            interventions.record(tx, "dead-letters discard", by, event_id=event_id)

        self._unit.administer(discard)

    def parked_keys(self) -> list[tuple[str, str, int]]:
        """Each parked key, the message it waits for, and how many messages wait."""
        return self._unit.administer(parking.list_keys)

    def parked_messages(self, key: str, limit: int) -> list[Parked]:
        """The first messages that wait for a key, in order."""
        return self._unit.administer(lambda tx: parking.list_parked(tx, key, limit))

    def release(self, key: str, by: By) -> int:
        """Work off what waits for a key, in order, and return how many messages that was.

        Raises ReplayRefused while the message they wait for is still dead. Should one of them fail in
        its turn, the rest goes on waiting for that one.
        """
        total = 0
        while True:
            claim = self._release(key, RELEASE_BATCH_MAX, by)
            total += claim.applied_count
            if claim.is_finished:
                return total

    def _release(self, key: str, at_most: int, by: By) -> "_ReleaseClaim":
        """Work off the first messages of a key; where one of them can't be stored, those before it, or it alone."""
        waiting = self._unit.administer(lambda tx: parking.list_messages(tx, key, at_most))
        now = datetime.now(UTC)
        messages = {number: self._receiver.message(source, now) for number, source in waiting}
        try:
            return self._run_released(key, messages, by)
        except (psycopg.Error, SQLAlchemyError) as error:
            if len(messages) > 1:
                return self._release(key, len(messages) // 2, by)
            reason = Unreadable(reason=f"can't be stored: {dead_letters.describe(error)}")
            unfit = {number: message and replace(message, body=reason) for number, message in messages.items()}
            return self._run_released(key, unfit, by)

    def _run_released(self, key: str, messages: Mapping[int, Message | None], by: By) -> "_ReleaseClaim":
        claim = _ReleaseClaim(self._handlers.service, key, messages, by)
        self._unit.run([message for message in messages.values() if message is not None], claim)
        return claim


class _ReplayClaim:
    """Takes a dead letter: in the inbox it turns from dead to applied."""

    def __init__(self, consumer: str, letter: DeadLetter, by: By) -> None:
        self._consumer = consumer
        self._letter = letter
        self._by = by

    def claim(self, tx: Connection, messages: Sequence[Message]) -> Sequence[Message]:
        if not _letters(tx, "event_id = %s AND status = 'dead' FOR UPDATE", (self._letter.event_id,)):
            raise ReplayRefused(f"dead letter {self._letter.event_id} has been settled already")
        (message,) = messages
        if message.message_id == self._letter.event_id:
            return messages
        # It was unreadable, and entered under its place. Now that its own id is known, it may turn out to be a
        # repetition of what was applied long ago.
        return [message] if inbox.claim(tx, self._consumer, [message.message_id], []) else []

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        for result in decided:
            if result.outcome is not Outcome.APPLIED:
                raise StillFails(dead_letters.describe(result.error)) from result.error
        inbox.set_outcomes(writes, self._consumer, {self._letter.event_id: Outcome.APPLIED})
        _settle(tx, self._letter.event_id, "applied", self._by.actor)
        interventions.record(tx, "dead-letters replay", self._by, event_id=self._letter.event_id)
        return ()


class _ReleaseClaim:
    """Takes parked messages of one key; the key is free once none is left."""

    def __init__(self, consumer: str, key: str, waiting: Mapping[int, Message | None], by: By) -> None:
        self._consumer = consumer
        self._key = key
        self._waiting = waiting
        self._by = by
        self.applied_count = 0
        self.is_finished = False

    def claim(self, tx: Connection, messages: Sequence[Message]) -> Sequence[Message]:
        because_of = parking.lock_key(tx, self._key)
        if because_of is None:
            raise ReplayRefused(f"the key {self._key} is not parked")
        if _letters(tx, "event_id = %s AND status = 'dead'", (because_of,)):
            raise ReplayRefused(f"dead letter {because_of} must be applied or discarded first")
        # Read before the key was ours: someone else may have worked some of them off meanwhile.
        still_there = parking.still_waiting(tx, list(self._waiting))
        self._waiting = {number: message for number, message in self._waiting.items() if number in still_there}
        return [message for message in self._waiting.values() if message is not None]

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        applied = [result.message for result in decided if result.outcome is Outcome.APPLIED]
        dead = [result for result in decided if result.outcome is Outcome.DEAD]
        outcomes = {message.message_id: Outcome.APPLIED for message in applied}
        outcomes |= {result.message.message_id: Outcome.DEAD for result in dead}
        inbox.set_outcomes(writes, self._consumer, outcomes)
        still_waiting = {result.message.message_id for result in decided if result.outcome is Outcome.PARKED}
        parking.forget_messages(
            tx,
            [n for n, message in self._waiting.items() if message is None or message.message_id not in still_waiting],
        )
        self.applied_count = len(applied)
        interventions.record(tx, "parked-keys release", self._by, key=self._key, applied=len(applied), dead=len(dead))
        if blocking := [result for result in dead if result.message.parks_key]:
            parking.wait_for(tx, self._key, blocking[0].message.message_id)
            self.is_finished = True
        elif not parking.list_messages(tx, self._key, 1):
            parking.free_key(tx, self._key)
            self.is_finished = True
        return dead_letters.bury(writes, self._consumer, dead)


def _letters(tx: Connection, condition: str, parameters: Sequence[Any]) -> list[DeadLetter]:
    rows = fetch(
        tx,
        f"""SELECT event_id, status, topic, partition, record_offset, key, value, headers, error_type, error, stack,
                   failed_at, settled_at, settled_by FROM dead_letters WHERE {condition}""",
        parameters,
        binary=True,
    )
    return [_letter(*row) for row in rows]


def _letter(
    event_id: str,
    status: str,
    topic: str,
    partition: int,
    offset: int,
    key: bytes,
    value: bytes,
    headers: str,
    *rest: Any,
) -> DeadLetter:
    error_type, error, stack, failed_at, settled_at, settled_by = rest
    return DeadLetter(
        event_id=event_id,
        status=status,
        source=Source(
            topic=topic,
            partition=partition,
            offset=offset,
            key=key,
            value=value,
            headers=dead_letters.decode_headers(headers),
        ),
        error_type=error_type,
        error=error,
        stack=stack,
        failed_at=failed_at,
        settled_at=settled_at,
        settled_by=settled_by,
    )


def _settle(tx: Connection, event_id: str, status: str, actor: str) -> None:
    settled = execute(
        tx,
        """UPDATE dead_letters SET status = %s, settled_at = now(), settled_by = %s
            WHERE event_id = %s AND status = 'dead'""",
        (status, actor, event_id),
    )
    if not settled:
        raise ReplayRefused(f"dead letter {event_id} has been settled already")
