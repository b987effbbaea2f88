"""What Weir has moved, from its topics, as the file that a run over history reads.

    PaymentSettled, RefundSettled, TransfersPosted ─► the movements that live monitoring sees ─► a row each

Of customers it says what is known of them now. A movement counts by its own time and is told later, so topics are read
from the beginning asked for to their end.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from libs.common import ids
from libs.common.codec import Undecodable
from libs.common.database import transaction
from libs.common.errors import Outage
from libs.common.events import Event
from libs.common.kafka import client_config, log_bounds
from libs.common.money import SCALES
from libs.common.record import Record
from libs.common.service import Runtime
from schemas.accounts.events import TransfersPosted
from schemas.payments.events import Channel, PaymentSettled, RefundSettled
from services.compliance.backtest import NEEDED, OPTIONAL
from services.compliance.files.rows import written
from services.compliance.monitoring.movements import Moved, Movement, Profile, micros_of, moment_of, movements_of
from services.compliance.monitoring.outsiders import NOBODY, Outsider, Outsiders
from services.compliance.store import monitoring, screenings

EVENTS: tuple[type[Event], ...] = (PaymentSettled, RefundSettled, TransfersPosted)
COLUMNS = (*NEEDED, *OPTIONAL)

_READ_MAX = 1_000
_SECONDS_MAX = 10.0
"""For which a broker is waited."""

Place = tuple[str, int]


class Exported(Record):
    """What was written, and what could not be."""

    movements: int
    unreadable: int
    """Records that are no event that can be read: monitoring has not seen them either."""
    since: datetime | None
    """When the oldest of the movements was; None if there is none."""

    def __str__(self) -> str:
        since = f", the first of {self.since:%Y-%m-%d %H:%M} UTC" if self.since else ""
        lost = f"; {self.unreadable:,} records could not be read" if self.unreadable else ""
        return f"{self.movements:,} movements{since}{lost}"


def export_movements(runtime: Runtime, path: Path, since: datetime, until: datetime | None) -> Exported:
    """Write the movements of [since, until) to a file; all from `since` on if there is no end.

    Raises Outage, FileFault where the file can't be put there, and OSError.
    """
    first, end = micros_of(since), micros_of(until or datetime.max.replace(tzinfo=UTC))
    count, oldest, log = 0, end, _Log(runtime, since)
    with written(path) as file:
        file.writerow(COLUMNS)
        for events in log.read():
            movements, known = _seen(runtime, events)
            for movement in movements:
                if first <= movement.at_micros < end:
                    count, oldest = count + 1, min(oldest, movement.at_micros)
                    file.writerow(row_of(movement, known))
    return Exported(movements=count, unreadable=log.unreadable, since=moment_of(oldest) if count else None)


def _seen(runtime: Runtime, events: Sequence[Moved]) -> tuple[list[Movement], Mapping[str, Profile]]:
    """The movements that events tell of, and what is known of those whose money it was."""
    with transaction(runtime.engine) as tx:
        screened = screenings.find_screenings(
            tx, {event.payment_id for event in events if not isinstance(event, TransfersPosted)}
        )
        movements = [movement for event in events for movement in movements_of(event, _outsiders(screened, event))]
        customer_ids = {customer_id for movement in movements for customer_id in movement.customer_ids}
        return movements, monitoring.find_known(tx, customer_ids)


def _outsiders(screened: Mapping[str, Any], event: Moved) -> Outsiders:
    known = None if isinstance(event, TransfersPosted) else screened.get(event.payment_id)
    return NOBODY if known is None else known.outsiders


def row_of(movement: Movement, known: Mapping[str, Profile]) -> list[str]:
    """A row of the file: COLUMNS. `known`: of those who are customers."""
    amount = Decimal(movement.amount_minor).scaleb(-SCALES[movement.currency])
    debtor = _side(movement.debtor_customer_id, movement.outsiders.debtor, known)
    creditor = _side(movement.creditor_customer_id, movement.outsiders.creditor, known)
    values = {
        "TRANSACTION_ID": movement.payment_id,
        "TX_DATETIME": moment_of(movement.at_micros).isoformat(),
        "CUSTOMER_ID": movement.debtor_customer_id,
        "TERMINAL_ID": movement.creditor_customer_id,
        "TX_AMOUNT": f"{amount:f}",
        "CURRENCY": movement.currency,
        # What it was ordered by is not told; only that no card's terminal is meant.
        "CHANNEL": Channel.UNKNOWN.value,
        "IS_CASH": "true" if movement.is_cash else "",
        **{f"CUSTOMER_{name}": value for name, value in debtor.items()},
        **{f"TERMINAL_{name}": value for name, value in creditor.items()},
    }
    return [values[column] for column in COLUMNS]


def _side(party_id: str, outsider: Outsider | None, known: Mapping[str, Profile]) -> dict[str, str]:
    profile = known.get(party_id) or Profile(customer_id=party_id, elsewhere=outsider)
    return {
        "COUNTRY": " ".join(profile.countries),
        "KIND": profile.kind.value if profile.kind is not None else "",
        "SINCE": profile.registered_at.isoformat() if profile.registered_at is not None else "",
        "ELSEWHERE": "true" if outsider is not None else "",
    }


class _Log:
    """The topics that tell of money that has moved, from a moment on to where they end now. A member of no group."""

    def __init__(self, runtime: Runtime, since: datetime) -> None:
        self.unreadable = 0
        self._runtime = runtime
        self._since_millis = int(since.timestamp() * 1_000)
        self._topics = sorted({kind.contract.topic.name for kind in EVENTS})
        self._kafka = Consumer(
            {
                **client_config(runtime.settings),
                "group.id": f"weir-export-{ids.new()}",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )

    def read(self) -> Iterator[list[Moved]]:
        """What moved, some at a time. Raises Outage."""
        try:
            left = self._places()
            self._kafka.assign([TopicPartition(*place, first) for place, (first, _) in left.items()])
            while left:
                records = self._kafka.consume(_READ_MAX, _SECONDS_MAX)
                if not records:
                    raise Outage("the broker does not answer")
                yield [event for record in records if (event := self._event(record, left)) is not None]
        except KafkaException as error:
            raise Outage(f"the broker: {error}") from error
        finally:
            self._kafka.close()

    def _places(self) -> dict[Place, tuple[int, int]]:
        """Each partition with something to read: from where, and up to where."""
        partitions = [
            TopicPartition(topic, number, self._since_millis)
            for topic in self._topics
            for number in self._kafka.list_topics(topic, timeout=_SECONDS_MAX).topics[topic].partitions
        ]
        bounds = log_bounds(self._runtime.settings, [(one.topic, one.partition) for one in partitions])
        starts = self._kafka.offsets_for_times(partitions, timeout=_SECONDS_MAX)
        found = {}
        for start in starts:
            first, end = bounds[start.topic, start.partition]
            # Below zero: nothing is as young as that.
            if 0 <= start.offset < end:
                found[start.topic, start.partition] = max(start.offset, first), end
        return found

    def _event(self, record: Any, left: dict[Place, tuple[int, int]]) -> Moved | None:
        if record.error() is not None:
            raise Outage(f"the broker: {record.error().str()}")
        place = record.topic(), record.partition()
        if place not in left:
            return None
        end = left[place][1]
        if record.offset() >= end - 1:
            del left[place]
        return self._read(record.value()) if record.offset() < end else None

    def _read(self, value: bytes | None) -> Moved | None:
        try:
            reader = self._runtime.codec.reader_of(value)
            if reader is None or reader.event_type not in EVENTS:
                return None
            event = reader.decode(value or b"")
        except Undecodable:
            self.unreadable += 1
            return None
        assert isinstance(event, Moved)
        return event
