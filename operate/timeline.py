"""A payment's whole journey, as the topics of all services tell it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from docs import catalogue
from libs.common.settings import MessagingSettings
from operate import topics
from operate.topics import Recorded

SECONDS_BEFORE = 60
"""Clocks differ, and the id was made before the event."""


def timeline(settings: MessagingSettings, payment_id: str) -> Sequence[Recorded]:
    """Every event about a payment, each once, in the order of their causes.

    Read from the time its id was made on, so that it costs what happened since and not what happened ever.
    """
    since = made_at(payment_id) - timedelta(seconds=SECONDS_BEFORE)
    read = topics.read(settings, list(catalogue.topics()), since=since)
    # What has no type is no event, whatever it is about.
    found = {event.event_id: event for event in read if event.event_type and event.subject == payment_id}
    correlations = {event.correlation_id for event in found.values()}
    if any(event.topic.startswith("payments.payment") for event in found.values()):
        # What it led to elsewhere under ids of its own: cases, movements of its refunds.
        read = topics.read(settings, list(catalogue.topics()), since=since)
        found |= {event.event_id: event for event in read if event.event_type and event.correlation_id in correlations}
    return sorted(found.values(), key=lambda event: event.caused_at)


def made_at(payment_id: str) -> datetime:
    """When an id was made: it is a UUIDv7, or derived from the line of a file, which tells nothing."""
    uuid = UUID(payment_id)
    if uuid.version != 7:
        return datetime.fromtimestamp(SECONDS_BEFORE, UTC)
    return datetime.fromtimestamp((uuid.int >> 80) / 1000, UTC)
