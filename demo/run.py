"""The demo itself: open accounts, bring money, stream payments, wait for their ends, take stock."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg

from demo.analysts import Analysts
from demo.client import Opened, WeirClient, line
from demo.story import Kind, Order, Party, Story
from libs.common import ids
from libs.common.record import Record
from stack.settings import StackSettings

SEGMENT = 1_000
"""Orders in one file: a stream goes as a row of files, so that labels can come in between."""
LOOK_SECONDS = 0.25
STALLED_SECONDS = 6.0
"""Accounts that have not been opened for so long wait for a person, or never will be."""
END_SECONDS_MAX = 600.0
LABEL_DELAY = timedelta(days=7)
LABELS_PAGE = 1_000


class Ordered(Record):
    """An order, and the payment it became or the reason why it didn't."""

    order: Order
    payment_id: str
    refusal: str | None


class Result(Record):
    """What happened."""

    began_at: datetime
    parties: int
    opened: int
    funded: int
    ordered: tuple[Ordered, ...]
    labels: int
    streamed_seconds: float
    """From the first order to the last one's being accepted."""
    settled_seconds: float
    """Until every payment that no person had to look at had ended."""
    first_settled_seconds: float
    decided: dict[str, int]
    left_alone: int


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
        self._labelled = 0
        self._labelled_until = 0

    def run(self, analysts: Analysts | None) -> Result:
        """Everything, to the end of every payment, or, without analysts, of every one that needs none."""
        began_at = datetime.now(UTC)
        parties = self._story.parties()
        if analysts is not None:
            analysts.start()
        try:
            opened = self._open(parties)
            self._watch.stage("bringing money in", 1)
            funded = self._client.fund(parties, opened, self._story.currency)
            started = time.monotonic()
            first = self._first_settlement(started)
            self._stream(parties, opened)
            streamed_seconds = time.monotonic() - started
            self._wait_for_ends("payments to end", _WITHOUT_REVIEWS)
            settled_seconds = time.monotonic() - started
            if analysts is not None:
                self._wait_for_ends("reviews to end", _ALL)
        finally:
            if analysts is not None:
                analysts.stop()
            self._client.close()
        return Result(
            began_at=began_at,
            parties=len(parties),
            opened=self._count_opened(opened),
            funded=funded,
            ordered=tuple(self._ordered),
            labels=self._labelled,
            streamed_seconds=streamed_seconds,
            settled_seconds=settled_seconds,
            first_settled_seconds=first(),
            decided=dict(analysts.decided) if analysts else {},
            left_alone=len(analysts.left_alone) if analysts else 0,
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
                self._report_labels(segment[-1])
        except Exception as error:
            self._failure = error

    def _take_note(self, segment: Sequence[Order], answer: dict[str, Any]) -> None:
        refusals = {refusal["line"]: refusal["reason"] for refusal in answer["refusals"]}
        self._batch_ids.append(answer["batch_id"])
        self._ordered += [
            Ordered(
                order=order, payment_id=ids.derive(answer["batch_id"], "line", number), refusal=refusals.get(number)
            )
            for number, order in enumerate(segment, 1)
        ]

    def _report_labels(self, newest: Order) -> None:
        """Report what has turned out by now, in the time of the events: labels come a week late."""
        if newest.instructed_at is None:
            return
        known_until = datetime.fromisoformat(newest.instructed_at) - LABEL_DELAY
        due = []
        for ordered in self._ordered[self._labelled_until :]:
            if datetime.fromisoformat(ordered.order.instructed_at or newest.instructed_at) > known_until:
                break
            due.append(ordered)
        self._labelled_until += len(due)
        known = [ordered for ordered in due if ordered.order.label is not None and ordered.refusal is None]
        for page in _pages(known, LABELS_PAGE):
            body = {"labels": [_label(ordered) for ordered in page]}
            answer = self._client.post("fraud", "/v1/labels", f"labels-{page[0].payment_id}", body)
            self._labelled += sum("reason" not in label for label in answer["labels"])

    # Ends

    def _wait_for_ends(self, what: str, query: str) -> None:
        total = self._one("payments", "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[])", self._batches)
        self._watch.stage(f"waiting for {what}", int(total))
        deadline = time.monotonic() + END_SECONDS_MAX
        while left := int(self._one("payments", query, self._batches)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{left} payments did not end in {END_SECONDS_MAX:.0f} s")
            self._watch.tick(int(total) - left)
            time.sleep(LOOK_SECONDS)
        self._watch.tick(int(total))

    def _count_ended(self) -> int:
        query = "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[]) AND check_at IS NULL"
        return int(self._one("payments", query, self._batches))

    def _count_refused(self) -> int:
        return sum(ordered.refusal is not None for ordered in self._ordered)

    def _first_settlement(self, started: float) -> Callable[[], float]:
        """Watch for the first settlement; the result tells when it came."""
        found: list[float] = []

        def watch() -> None:
            query = "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[]) AND state = 'settled'"
            while not found and time.monotonic() - started < END_SECONDS_MAX:
                if self._batch_ids and self._one("payments", query, self._batches):
                    found.append(time.monotonic() - started)
                time.sleep(LOOK_SECONDS)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        return lambda: found[0] if found else float("nan")

    @property
    def _batches(self) -> tuple[list[str]]:
        return (list(self._batch_ids),)

    def _one(self, service: str, query: str, parameters: Sequence[Any] = ()) -> Any:
        dsn = self._settings.database_url(service).replace("+psycopg", "")
        with psycopg.connect(dsn) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
            assert row is not None
            return row[0]


_WITHOUT_REVIEWS = """SELECT count(*) FROM payments
                       WHERE batch_id = ANY(%b::uuid[]) AND check_at IS NOT NULL AND state <> 'suspended'"""
_ALL = "SELECT count(*) FROM payments WHERE batch_id = ANY(%b::uuid[]) AND check_at IS NOT NULL"


def _label(ordered: Ordered) -> dict[str, Any]:
    label = {"payment_id": ordered.payment_id, "label": "fraud" if ordered.order.label else "genuine"}
    return {**label, **({"scenario": str(ordered.order.scenario)} if ordered.order.scenario else {})}


def _segments(orders: Iterator[Order]) -> Iterator[list[Order]]:
    while segment := list(islice(orders, SEGMENT)):
        yield segment


def _pages(ordered: Sequence[Ordered], length: int) -> Iterator[Sequence[Ordered]]:
    for start in range(0, len(ordered), length):
        yield ordered[start : start + length]


EXPECTED_ENDS: dict[Kind, frozenset[str]] = {
    Kind.GOOD: frozenset({"settled"}),
    Kind.SUSPICIOUS: frozenset({"settled after review", "rejected", "rejected after review"}),
    Kind.LISTED: frozenset({"blocked"}),
    Kind.ALIKE: frozenset({"settled after review", "rejected after review"}),
    Kind.UNDERFUNDED: frozenset({"rejected"}),
    Kind.MALFORMED: frozenset({"refused"}),
}
"""What should become of a payment that was made to be something."""
