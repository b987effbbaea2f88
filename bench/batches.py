"""Batches through a service's own unit of work: inbox, load, decide, save, outbox, commit; no broker in between."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from libs.common import ids, tracing
from libs.common.consumer import InboxClaim
from libs.common.events import Event
from libs.common.message import Command, Message
from libs.common.service import Runtime
from libs.common.sweep import NoClaim


def ask(runtime: Runtime, commands: Sequence[Command], *, batch_size: int) -> None:
    """Have commands decided, as preparation. Raises AssertionError if one is refused."""
    for start in range(0, len(commands), batch_size):
        for result in runtime.unit.run(_messages(commands[start : start + batch_size]), NoClaim()):
            assert result.refusal is None and result.error is None, result


def apply(runtime: Runtime, events: Sequence[Event], *, batch_size: int) -> list[float]:
    """Apply events once; the seconds each batch took. Raises AssertionError if one would be a dead letter."""
    seconds = []
    for start in range(0, len(events), batch_size):
        messages = _messages(events[start : start + batch_size])
        began = time.perf_counter()
        decided = runtime.unit.run(messages, InboxClaim(runtime.handlers, []))
        seconds.append(time.perf_counter() - began)
        assert all(result.error is None for result in decided)
    return seconds


def _messages(bodies: Sequence[Event] | Sequence[Command]) -> list[Message]:
    return [
        Message(
            message_id=ids.new(),
            body=body,
            received_at=datetime.now(UTC),
            trace=tracing.begin(),
            key=type(body).contract.key_of(body) if isinstance(body, Event) else "",
        )
        for body in bodies
    ]
