"""The demo itself: open accounts, bring money, stream payments, wait for their ends, take stock."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import psycopg

from demo.analysts import Analysts
from demo.client import Opened, WeirClient, line
from demo.labels import Labels
from demo.shop import Shop
from demo.story import Order, Ordered, Party, Story
from libs.common import ids
from libs.common.record import Record
from stack import postgres
from stack.settings import StackSettings

SEGMENT = 1_000
"""Orders in one file: a stream goes as a row of files, so that labels can come in between."""
LOOK_SECONDS = 0.25
STALLED_SECONDS = 6.0
"""Accounts that have not been opened for so long wait for a person, or never will be."""
END_SECONDS_MAX = 120.0
"""Without one more payment's coming to its end."""


class Unended(Exception):
    """Payments go on for longer than a demo waits; the message says how many."""


class Result(Record):
    """What happened."""

    began_at: datetime
    parties: int
    opened: int
    to_fund: int
    """Parties who begin with money."""
    funded: int
    ordered: tuple[Ordered, ...]
    labels: int
    streamed_seconds: float
    """From the first order to the last one's being accepted."""
    settled_seconds: float
    """Until every payment that no person had to look at had ended."""
    first_settled_seconds: float | None
    """From the very beginning, installation included; None if no payment settled."""
    decided: dict[str, int]
    left_alone: int
    captured: int
    """Payments that a shop took only a part of."""
    refunded: int


class Watch:
    """Tells a progress bar what has been done so far."""

    def stage(self, what: str, total: int) -> None:
        """A new stage begins."""

    def tick(self, done: int) -> None:
        """So much of the stage is done."""


class Demo:
    """One run against a running suite."""

    def __init__(self, settings: StackSettings, story: Story, key: str, watch: Watch) -> None:
        self._settings = settings
        self._story = story
        self._watch = watch
        self._client = WeirClient(settings, key, run=ids.new())
        self._batch_ids: list[str] = []
        self._ordered: list[Ordered] = []
        self._failure: Exception | None = None
        self._labels = Labels(self._client)
        self._shop = Shop(self._client, story.currency)
        self._is_over = False

    def run(self, analysts: Analysts | None, *, began: float) -> Result:
        """Everything, to the end of every payment, or, without analysts, of every one that needs none.

        `began` is when the whole command did, on the monotonic clock.
        """
        began_at = datetime.now(UTC)
        parties = self._story.parties()
        with analysts.at_work() if analysts is not None else nullcontext():
            self._shop.start()
            try:
                opened = self._open(parties)
                self._watch.stage("bringing money in", 1)
                funded = self._client.fund(parties, opened, self._story.currency)
                started = time.monotonic()
                first = self._first_settlement(began)
                self._stream(parties, opened)
                streamed_seconds = time.monotonic() - started
                self._wait_for_ends("payments to end", _WITHOUT_REVIEWS)
                settled_seconds = time.monotonic() - started
                self._labels.report_until(self._ordered[-1].order.instructed_at)
                if analysts is not None:
                    self._wait_for_ends("reviews to end", _ALL)
                self._watch.stage("giving money back", 1)
                self._shop.refund(self._ordered)
                self._watch.tick(1)
            finally:
                self._shop.stop()
                self._client.close()
                self._is_over = True
        return Result(
            began_at=began_at,
            parties=len(parties),
            opened=self._count_opened(opened),
            to_fund=sum(party.funds_minor > 0 for party in parties),
            funded=funded,
            ordered=tuple(self._ordered),
            labels=self._labels.reported,
            streamed_seconds=streamed_seconds,
            settled_seconds=settled_seconds,
            first_settled_seconds=first(),
            decided=dict(analysts.decided) if analysts else {},
            left_alone=len(analysts.left_alone) if analysts else 0,
            captured=self._shop.captured,
            refunded=self._shop.refunded,
        )

    # Accounts

    def _open(self, parties: Sequence[Party]) -> list[Opened]:
        """Register everyone, and wait until their accounts are open and payments knows them."""
        self._watch.stage("opening accounts", len(parties))
        registered = 0

        def count(more: int) -> None:
            nonlocal registered
            registered += more
            self._watch.tick(registered // 2)

        opened = self._client.register(parties, self._story.currency, count)
        known, changed_at = 0, time.monotonic()
        while known < len(parties) and time.monotonic() - changed_at < STALLED_SECONDS:
            now_known = self._count_opened(opened)
            if now_known != known:
                known, changed_at = now_known, time.monotonic()
            self._watch.tick((len(parties) + known) // 2)
            time.sleep(LOOK_SECONDS)
        return opened

    def _count_opened(self, opened: Sequence[Opened]) -> int:
        account_ids = [account.account_id for account in opened]
        query = "SELECT count(*) FROM known_accounts WHERE account_id = ANY(%b::uuid[])"
        return int(self._one("payments", query, (account_ids,)))

    # Payments

    def _stream(self, parties: Sequence[Party], opened: Sequence[Opened]) -> None:
        """Order everything as fast as it is taken, and show how many have ended meanwhile."""
        self._watch.stage("streaming payments", self._story.count())
        thread = threading.Thread(target=self._order_all, args=(parties, opened), name="orders")
        thread.start()
        while thread.is_alive():
            self._watch.tick(self._count_ended() + self._count_refused())
            thread.join(LOOK_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _order_all(self, parties: Sequence[Party], opened: Sequence[Opened]) -> None:
        try:
            for number, segment in enumerate(_segments(self._story.orders())):
                lines = (line(order, parties, opened, self._story.currency) for order in segment)
                answer = self._client.order(lines, f"orders-{number}")
                self._take_note(segment, answer)
                self._labels.report_until(segment[-1].instructed_at)
        except Exception as error:
            self._failure = error

    def _take_note(self, segment: Sequence[Order], answer: dict[str, Any]) -> None:
        refusals = {refusal["line"]: refusal["reason"] for refusal in answer["refusals"]}
        self._batch_ids.append(answer["batch_id"])
        ordered = [
            Ordered(
                order=order, payment_id=ids.derive(answer["batch_id"], "line", number), refusal=refusals.get(number)
            )
            for number, order in enumerate(segment, 1)
        ]
        self._ordered += ordered
        self._labels.expect(ordered)

    # Ends

    def _wait_for_ends(self, what: str, query: str) -> None:
        total = self._one("payments", "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[])", self._batches)
        self._watch.stage(f"waiting for {what}", int(total))
        fewest, moved_at = int(total) + 1, time.monotonic()
        while left := int(self._one("payments", query, self._batches)):
            if left < fewest:
                fewest, moved_at = left, time.monotonic()
            elif time.monotonic() - moved_at > END_SECONDS_MAX:
                raise Unended(
                    f"{left} payments did not end; see `make status`, and the logs in {self._settings.folder}"
                )
            self._watch.tick(int(total) - left)
            time.sleep(LOOK_SECONDS)
        self._watch.tick(int(total))

    def _count_ended(self) -> int:
        query = "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[]) AND check_at IS NULL"
        return int(self._one("payments", query, self._batches))

    def _count_refused(self) -> int:
        return sum(ordered.refusal is not None for ordered in self._ordered)

    def _first_settlement(self, began: float) -> Callable[[], float | None]:
        """Watch for the first settlement; the result tells when it came, if it did."""
        found: list[float] = []

        def watch() -> None:
            query = "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[]) AND state = 'settled'"
            while not found and not self._is_over:
                if self._batch_ids and self._one("payments", query, self._batches):
                    found.append(time.monotonic() - began)
                time.sleep(LOOK_SECONDS)

        threading.Thread(target=watch, daemon=True).start()
        return lambda: found[0] if found else None

    @property
    def _batches(self) -> tuple[list[str]]:
        return (list(self._batch_ids),)

    def _one(self, service: str, query: str, parameters: Sequence[Any] = ()) -> Any:
        dsn = postgres.dsn(self._settings.database_url(service))
        with psycopg.connect(dsn) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
            assert row is not None
            return row[0]


_WITHOUT_REVIEWS = """SELECT count(*) FROM payments
                       WHERE batch_id = ANY(%b::uuid[]) AND check_at IS NOT NULL AND state <> 'suspended'"""
_ALL = "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[]) AND check_at IS NOT NULL"


def _segments(orders: Iterator[Order]) -> Iterator[list[Order]]:
    while segment := list(islice(orders, SEGMENT)):
        yield segment
