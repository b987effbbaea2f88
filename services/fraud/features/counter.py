"""What the features worker does with one label: count it for one party, once, and tell that party's risk anew.

    label ─► what was left out before it ─► decode ─► count ─► table (and its changelog) ─► snapshot
       └───► can't be counted ─► dead letter, in fraud's database ─► go on

Nothing gets out of `handle`: Faust would drop the label for good. What is away is waited for; what
can't be counted is kept, with every byte, where operators look for such things.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from libs.common import dead_letters, envelope, ids, outbox
from libs.common.batch import Decided
from libs.common.codec import Codec
from libs.common.errors import Outage, Poison
from libs.common.fault_points import reach
from libs.common.inbox import Outcome
from libs.common.message import Message, Source
from libs.common.outbox import OutboxRow
from libs.common.service import Runtime
from libs.common.text import printable
from libs.common.writes import writing
from schemas.fraud.events import DebtorPaymentLabelled, PartyRiskUpdated, PaymentLabelled
from services.fraud import store
from services.fraud.domain import party_risk
from services.fraud.features import READS
from services.fraud.features.log import Continuity
from services.fraud.features.metrics import FeaturesMetrics
from services.fraud.features.watchdog import Pulse

BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)

Table = MutableMapping[bytes, bytes]
Publish = Callable[[OutboxRow], Awaitable[object]]


class LabelCounter:
    """Counts labels into a table and publishes what the table then says."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        continuity: Continuity,
        table: Table,
        publish: Publish,
        generation: int,
        pulse: Pulse,
        metrics: FeaturesMetrics,
    ) -> None:
        self._codec: Codec = runtime.codec
        self._unit = runtime.unit
        self._shards = runtime.settings.outbox_shards
        self._continuity = continuity
        self._table = table
        self._publish = publish
        self._generation = generation
        self._pulse = pulse
        self._metrics = metrics

    async def handle(self, source: Source) -> None:
        """Count one record of the labels' topics, however long that takes. Raises nothing."""
        delay = BACKOFF_SECONDS_MIN
        while True:
            try:
                await self._count_all_up_to(source)
            except Outage as outage:
                log.warning("waiting for an outage to end", extra={"error": str(outage), "seconds": delay})
                self._pulse.is_waiting = True
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(delay * 2, BACKOFF_SECONDS_MAX)
            else:
                self._pulse.is_waiting = False
                return

    async def _count_all_up_to(self, source: Source) -> None:
        while not self._continuity.is_next(source):
            missing = await asyncio.to_thread(self._continuity.missing_before, source)
            if not missing:
                break
            log.warning("faust has left labels out", extra={"place": _place(missing[0]), "count": len(missing)})
            for left_out in missing:
                await self._count_or_bury(left_out)
                self._metrics.left_out.inc()
        await self._count_or_bury(source)

    async def _count_or_bury(self, source: Source) -> None:
        try:
            await self._count(source)
        except Outage:
            raise
        except Exception as error:
            log.exception("a label can't be counted", extra={"place": _place(source)})
            await asyncio.to_thread(self._unit.administer, partial(self._bury, source, error))
            self._metrics.dead_letters.inc()
        self._continuity.dealt_with(source)

    async def _count(self, source: Source) -> None:
        reader = self._codec.reader_of(source.value)
        if reader is None or reader.event_type not in READS:
            return
        event = reader.decode(source.value or b"")
        assert isinstance(event, PaymentLabelled | DebtorPaymentLabelled)
        label = party_risk.party_label(event)
        headers = {name: (value or b"").decode(errors="replace") for name, value in source.headers}
        key = label.party.party_id.encode()
        known = party_risk.unpack(self._table.get(key))
        counted = party_risk.count(known, label, offset=source.offset, sequence=_sequence(headers))
        if counted is known:
            self._metrics.repeated.inc()
        else:
            self._metrics.counted.inc()
            self._metrics.missed.inc(counted.missed_count - known.missed_count)
            reach("features.before_table")
            self._table[key] = party_risk.pack(counted)
            reach("features.after_table")
        # Told even if it was counted before: perhaps the process died between the two.
        snapshot = party_risk.snapshot(counted, label.party, generation=self._generation)
        await self._publish(self._seal(snapshot, source, headers))
        reach("features.after_snapshot")

    def _seal(self, snapshot: PartyRiskUpdated, source: Source, headers: dict[str, str]) -> OutboxRow:
        cause_id = headers.get(envelope.ID, "")
        if not ids.is_id(cause_id):
            raise Poison(f"header {envelope.ID} must be a UUID, but is {cause_id!r}")
        cause = Message(
            message_id=cause_id,
            body=snapshot,
            received_at=datetime.now(UTC),
            trace=envelope.trace_of(headers, fallback_id=cause_id),
        )
        return envelope.seal(
            snapshot,
            self._codec.encode(snapshot),
            event_id=ids.derive(cause_id, "fraud", type(snapshot).__name__, snapshot.version),
            number=snapshot.version,
            cause=cause,
            service="fraud",
        )

    def _bury(self, source: Source, error: Exception, tx: Connection) -> None:
        """Keep a label that can't be counted, once: it may come again after a crash."""
        letter_id = ids.named("fraud", "features", _place(source), (source.value or b"").hex())
        if store.is_buried(tx, letter_id):
            return
        message = Message(
            message_id=letter_id,
            body=None,
            received_at=datetime.now(UTC),
            trace=envelope.trace_of({}, fallback_id=letter_id),
            key=printable((source.key or b"").decode(errors="replace")),
            source=source,
        )
        with writing(tx) as writes:
            rows = dead_letters.bury(writes, "fraud", [Decided(message=message, outcome=Outcome.DEAD, error=error)])
            outbox.append(writes, rows, shards=self._shards)


def _sequence(headers: dict[str, str]) -> int:
    try:
        return int(headers[envelope.SEQUENCE])
    except (KeyError, ValueError):
        raise Poison(f"header {envelope.SEQUENCE} must be a number") from None


def _place(source: Source) -> str:
    return f"{source.topic}/{source.partition}@{source.offset}"
