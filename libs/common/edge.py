"""The edge: turns requests into commands, and many concurrent ones into one batch (group commit).

    request ─► queue ─► claim of its Idempotency-Key ─► the one shape ─► its own answer

While one batch commits, the next gathers: nobody waits for company, and a busy edge pays one fsync
for hundreds of requests.
"""

import asyncio
import logging
import queue
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Event as Flag
from typing import Any

import anyio.to_thread
from sqlalchemy import Connection

from libs.common import idempotency, tracing
from libs.common.batch import Decided, Refusal, UnitOfWork
from libs.common.errors import KeysAway, Outage, TooSlow
from libs.common.idempotency import Answer, RequestKey, Stored
from libs.common.inbox import Outcome
from libs.common.message import Message
from libs.common.metrics import EdgeMetrics
from libs.common.outbox import OutboxRow
from libs.common.writes import Writes

QUEUE_LENGTH_MAX = 2_000
POLL_SECONDS = 0.2
RETRY_SECONDS = 0.2

log = logging.getLogger(__name__)

Respond = Callable[[Any, Sequence[Refusal | None]], Answer]
"""(state, a refusal or None for each command) -> the answer.

Called when the whole batch is decided, so that an answer tells the state as it is committed, with what
concurrent requests have changed; stored in the same transaction.
"""


class KeyReused(Exception):
    """The Idempotency-Key was used for another body."""


class KeyInUse(Exception):
    """The first request with this Idempotency-Key is still running."""


class Busy(Exception):
    """More requests wait than can be worked off in time."""


class Failed(Exception):
    """A command could not be carried out, through a fault of ours; nothing of it was stored."""


class Submission:
    """A request on its way: its commands, and whoever waits for the answer."""

    def __init__(self, key: RequestKey, body_hash: bytes, messages: Sequence[Message], respond: Respond) -> None:
        self.key = key
        self.body_hash = body_hash
        self.messages = messages
        self.respond = respond
        self.expires_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Answer] = self._loop.create_future()

    async def wait(self) -> Answer:
        return await self._future

    def settle(self, result: Answer | Exception) -> None:
        """Hand over the answer. Called from the edge's thread, once; later calls change nothing."""
        self._loop.call_soon_threadsafe(self._settle, result)

    def _settle(self, result: Answer | Exception) -> None:
        if self._future.done():
            return
        if isinstance(result, Exception):
            self._future.set_exception(result)
        else:
            self._future.set_result(result)


class RequestClaim:
    """Lets each request run once: later ones with its key get its answer."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self._submissions = submissions
        self._running: list[Submission] = []
        self.results: dict[Submission, Answer | Exception] = {}

    def claim(self, tx: Connection, messages: Sequence[Message]) -> list[Message]:
        self._running, self.results = [], {}
        keys = list(dict.fromkeys(submission.key for submission in self._submissions))
        free = idempotency.lock(tx, keys)
        known = idempotency.find(tx, keys)
        for submission in self._submissions:
            if stored := known.get(submission.key):
                is_same = stored.body_hash == submission.body_hash
                self.results[submission] = stored.answer if is_same else KeyReused()
            elif submission.key in free:
                free.discard(submission.key)
                self._running.append(submission)
            else:
                self.results[submission] = KeyInUse()
        return [message for submission in self._running for message in submission.messages]

    def record(self, tx: Connection, writes: Writes, state: Any, decided: Sequence[Decided]) -> Iterable[OutboxRow]:
        by_message = {result.message.message_id: result for result in decided}
        answers = {}
        for submission in self._running:
            results = [by_message[message.message_id] for message in submission.messages]
            for result in results:
                if result.outcome is Outcome.DEAD:
                    raise CommandError(submission) from result.error
            try:
                answer = submission.respond(state, [result.refusal for result in results])
            except Exception as error:
                raise CommandError(submission) from error
            self.results[submission] = answer
            if answer.is_kept:
                answers[submission.key] = Stored(body_hash=submission.body_hash, answer=answer)
        idempotency.save(writes, answers)
        return ()


class CommandError(Exception):
    """Deciding on a command, or answering it, raised. The batch is rolled back and run again without its request."""

    def __init__(self, submission: Submission) -> None:
        super().__init__(submission.key)
        self.submission = submission


class Edge:
    """Runs the commands of concurrent requests in batches, on a thread of its own."""

    def __init__(
        self, unit: UnitOfWork, metrics: EdgeMetrics, *, batch_size_max: int, request_seconds_max: float
    ) -> None:
        self._unit = unit
        self._metrics = metrics
        self._batch_size_max = batch_size_max
        self._request_seconds_max = request_seconds_max
        self._queue: queue.Queue[Submission] = queue.Queue(QUEUE_LENGTH_MAX)
        self._held_back: list[Submission] = []
        """What needs keys while the key store is away."""
        self._ask_keys_at = 0.0
        metrics.waiting.set_function(lambda: float(self._queue.qsize() + len(self._held_back)))

    async def submit(self, key: RequestKey, body: bytes, messages: Sequence[Message], respond: Respond) -> Answer:
        """Have a request's commands carried out, together, and get its answer.

        Raises KeyReused, KeyInUse, Busy, Failed, and Outage when there was no answer in time: then the
        same request with the same key finds out what became of it.
        """
        submission = Submission(key, idempotency.hash_body(body), messages, respond)
        submission.expires_at = time.monotonic() + self._request_seconds_max
        try:
            if len(self._held_back) >= QUEUE_LENGTH_MAX:
                raise Busy
            self._queue.put_nowait(submission)
        except queue.Full:
            raise Busy from None
        try:
            return await asyncio.wait_for(submission.wait(), self._request_seconds_max + 1)
        except TimeoutError:
            raise Outage("the commit took too long") from None

    async def recall(self, key: RequestKey, body: bytes) -> Answer | None:
        """The answer that this request was given before, if it was; nothing is carried out.

        Raises KeyReused if its key was used for another body, and Outage.
        """
        known = await anyio.to_thread.run_sync(self._unit.administer, lambda tx: idempotency.find(tx, [key]))
        stored = known.get(key)
        if stored is not None and stored.body_hash != idempotency.hash_body(body):
            raise KeyReused
        return stored.answer if stored is not None else None

    def run(self, stop: Flag) -> None:
        """Work off requests until `stop` is set, then those still waiting."""
        while not stop.is_set() or not self._queue.empty() or self._held_back:
            self.run_once()

    def run_once(self) -> int:
        """Run one batch of what is waiting, and return how many requests that was."""
        submissions = self._gather()
        self._held_back = self._not_expired(self._held_back)
        if self._held_back and time.monotonic() >= self._ask_keys_at:
            again, self._held_back = self._held_back, []
            self._apply(again)
        if submissions:
            self._metrics.batch_requests.observe(len(submissions))
            with self._metrics.batch_seconds.time():
                self._apply(submissions)
        return len(submissions)

    def _gather(self) -> list[Submission]:
        submissions: list[Submission] = []
        size = 0
        try:
            while size < self._batch_size_max:
                submission = self._queue.get(timeout=0 if submissions else POLL_SECONDS)
                submissions.append(submission)
                size += len(submission.messages)
        except queue.Empty:
            pass
        return submissions

    def _apply(self, submissions: Sequence[Submission]) -> None:
        """Run a batch. One request that can't be carried out never fails its neighbours."""
        waiting = list(submissions)
        while waiting := self._able(self._not_expired(waiting)):
            claim, began_at = RequestClaim(waiting), time.monotonic()
            try:
                self._unit.run([message for submission in waiting for message in submission.messages], claim)
            except CommandError as error:
                log.error("a command could not be decided", extra=_ids_of(error.submission, error.__cause__ or error))
                error.submission.settle(Failed())
                waiting.remove(error.submission)
            except KeysAway as outage:
                log.warning("requests wait for keys", extra={"error": str(outage)})
                # What was answered before is known; nothing of the others was begun.
                for submission, result in claim.results.items():
                    submission.settle(result)
                    waiting.remove(submission)
                if began_at < self._ask_keys_at:
                    # Some key is needed that nobody could foresee.
                    time.sleep(RETRY_SECONDS)
                # It is not asked again for as long as it took to fail: meanwhile others have their turn.
                now = time.monotonic()
                self._ask_keys_at = now + max(RETRY_SECONDS, now - began_at)
            except Outage as outage:
                # Whether it was committed may be unclear: the keys tell, the next time round.
                log.warning("requests wait for an outage to end", extra={"error": str(outage)})
                time.sleep(RETRY_SECONDS)
                if isinstance(outage, TooSlow) and len(waiting) > 1:
                    self._halve(waiting)
                    return
            except Exception as error:
                # A value that can't be stored, or a bug of ours that one request has found: nothing was
                # committed, and the others are not to suffer for it.
                self._isolate(waiting, error)
                return
            else:
                for submission, result in claim.results.items():
                    submission.settle(result)
                return

    def _able(self, submissions: Sequence[Submission]) -> list[Submission]:
        """While the key store is away, those that need nothing of it; the others are held back."""
        if not submissions or time.monotonic() >= self._ask_keys_at:
            return list(submissions)
        try:
            has_keys = self._unit.have_keys([submission.messages for submission in submissions])
        except Outage:
            # The database's own: to be waited for where the batch is run.
            return list(submissions)
        able = [submission for submission, has in zip(submissions, has_keys, strict=True) if has]
        self._held_back += [submission for submission, has in zip(submissions, has_keys, strict=True) if not has]
        return able

    def _isolate(self, submissions: Sequence[Submission], error: Exception) -> None:
        """Find the request that can't be stored by halving the batch."""
        if len(submissions) == 1:
            log.error("a command could not be stored", extra=_ids_of(submissions[0], error))
            submissions[0].settle(Failed())
        else:
            self._halve(submissions)

    def _halve(self, submissions: Sequence[Submission]) -> None:
        middle = len(submissions) // 2
        self._apply(submissions[:middle])
        self._apply(submissions[middle:])

    def _not_expired(self, submissions: Sequence[Submission]) -> list[Submission]:
        now = time.monotonic()
        for submission in submissions:
            if submission.expires_at < now:
                submission.settle(Outage("the database did not answer in time"))
        return [submission for submission in submissions if submission.expires_at >= now]


def _ids_of(submission: Submission, error: BaseException) -> dict[str, str]:
    # Not the error's own text, which may tell what the request says.
    trace = submission.messages[0].trace
    return {
        "error_type": type(error).__name__,
        "route": submission.key.route,
        "correlation_id": trace.correlation_id,
        "trace_id": tracing.trace_id_of(trace),
    }
