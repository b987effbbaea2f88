"""A message: something to decide on, be it an event from a topic or a command from the edge."""

from datetime import datetime
from typing import Any

from libs.common.record import Record


class Command(Record):
    """What someone asks this service to do. Unlike an event, it never leaves the service."""


class Trace(Record):
    """The thread that leads through every service a journey touches."""

    correlation_id: str
    """The id of the request that began the journey."""
    traceparent: str
    """W3C trace context, handed on unchanged: the whole journey is one trace."""


class Source(Record):
    """Where a message came from, byte for byte, for the day it can't be applied."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Message(Record):
    """A body to decide on, with what is known about it."""

    message_id: str
    """The event's id, or the command's: what new ids are derived from."""
    body: Any
    received_at: datetime
    """When this process took it up (UTC): the clock that deadlines run by."""
    trace: Trace
    key: str = ""
    """The record's key, by which a ledger parks what can't be applied yet."""
    parks_key: bool = False
    """Whether it comes from a service of ours: only then may its failure hold up others of its key."""
    source: Source | None = None
    """Only for what came from a topic."""
