"""Batches through a service's own unit of work: inbox, load, decide, save, outbox, commit; no broker in between."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from libs.common import ids, tracing
from libs.common.batch import Claim
from libs.common.consumer import InboxClaim
from libs.common.events import Event
from libs.common.message import Command, Message
from libs.common.service import Runtime
from libs.common.sweep import NoClaim


def ask(runtime: Runtime, commands: Sequence[Command], *, batch_size: int) -> list[float]:
    """Have commands decided; the seconds each batch took. Raises AssertionError if one is refused."""
    return _run(runtime, commands, batch_size, NoClaim)


def apply(runtime: Runtime, events: Sequence[Event], *, batch_size: int) -> list[float]:
    """Apply events once; the seconds each batch took. Raises AssertionError if one would be a dead letter."""
    return _run(runtime, events, batch_size, lambda: InboxClaim(runtime.handlers, []))


def _run(
    runtime: Runtime, bodies: Sequence[Event] | Sequence[Command], batch_size: int, claim: Callable[[], Claim]
) -> list[float]:
    seconds = []
    for start in range(0, len(bodies), batch_size):
        messages = _messages(bodies[start : start + batch_size])
        began = time.perf_counter()
        decided = runtime.unit.run(messages, claim())
        seconds.append(time.perf_counter() - began)
        for result in decided:
            assert result.refusal is None and result.error is None, result
    return seconds


def _messages(bodies: Sequence[Event] | Sequence[Command]) -> list[Message]:
    # One time for all of them, as the consumer and the edge have it.
    received_at = datetime.now(UTC)
    return [
        Message(
            message_id=ids.new(),
            body=body,
            received_at=received_at,
            trace=tracing.begin(),
            key=type(body).contract.key_of(body) if isinstance(body, Event) else "",
        )
        for body in bodies
    ]
