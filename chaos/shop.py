"""A client that goes on ordering payments, and moving money, whatever happens."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

from chaos.asking import PAUSE_SECONDS, Asking, Sent
from chaos.clerk import CAPTURED, REFUNDED, WITHDRAWN, Clerk
from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from chaos.savings import DEPOSITED, POSTED, TRANSFERRED, VOIDED, Savings
from demo.client import Opened, WeirClient, line
from demo.generated import PERSONS, Generated
from demo.story import Kind, Party
from tests.waiting import wait_until

FILE_SECONDS, DEPOSIT_SECONDS, MOVE_SECONDS, SERVE_SECONDS = 2.0, 0.6, 1.5, 1.5
"""Between two of each: enough that something is always under way, and no more, for restarts need the machine too."""
SINGLE_PAYERS = 2
FILE_LINES = 10
ORDERED, ORDERED_BY_FILE = "ordered", "ordered by file"
SORTS = (ORDERED, ORDERED_BY_FILE, CAPTURED, WITHDRAWN, REFUNDED, DEPOSITED, TRANSFERRED, POSTED, VOIDED)
"""All that a client has done while it trades."""
GIVEN_MINOR = 50_000_00


class Shop:
    """Customers with money, and what they want done: payments by single POSTs and by files, some of them captured,
    withdrawn and given back later, and money moved past payments."""

    currency = "EUR"

    def __init__(self, installation: Installation, *, persons: int = PERSONS) -> None:
        self._installation = installation
        self._asking = Asking(installation)
        self._story = Generated(payments=1_000_000, seed=7, persons=persons)
        payers = self._story.parties()
        giver = Party(
            number=len(payers),
            name="Otto Sparsam",
            is_company=False,
            country="DE",
            birth_date="1955-02-11",
            funds_minor=GIVEN_MINOR,
        )
        saver = Party(number=len(payers) + 1, name="Ida Sparsam", is_company=False, country="DE")
        self._parties: Sequence[Party] = [*payers, giver, saver]
        self._orders = (order for order in self._story.orders() if order.kind is not Kind.MALFORMED)
        self._lock = threading.Lock()
        self._opened: Sequence[Opened] = []
        self._stored_before: set[str] = set()
        self._ordered: dict[str, Sent] = {}
        self._ordered_at: dict[str, float] = {}
        self._files: set[str] = set()

    def open(self) -> None:
        """Open everyone's account and bring their money in; return when payments knows them."""
        settings = self._installation.settings
        client = WeirClient(settings, settings.secrets.get("api-key/demo"), run=self._asking.run)
        self._opened = client.register(self._parties, self.currency, lambda _: None)
        account_ids = [account.account_id for account in self._opened]
        wait_until(
            lambda: {*account_ids} <= self._known_accounts(), seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS
        )
        client.fund(self._parties, self._opened, self.currency)
        client.close()
        self._stored_before = self._stored_singles()
        *payers, giver, saver = account_ids
        self._clerk = Clerk(self._installation, self._asking, frozenset(payers), self.currency, self.pay)
        self._savings = Savings(self._installation, self._asking, giver=giver, saver=saver, currency=self.currency)

    @property
    def seen(self) -> Counter[str]:
        """Every answer so far, as `Asking.seen` says."""
        return self._asking.seen

    @property
    def personal_data(self) -> list[str]:
        """What nobody may find in a log: everybody's name."""
        return [party.name for party in self._parties]

    # Ordering

    def pay(self, url: str | None = None, *, kind: Kind | None = None, traceparent: str | None = None) -> str:
        """One payment by a POST of its own, of this kind or whichever is next; its id."""
        at = time.monotonic()
        sent = self._asking.ask(
            ORDERED,
            "payments",
            "/v1/payments",
            self._line(kind),
            url=url,
            trace={"traceparent": traceparent} if traceparent else None,
        )
        return self._note_ordered(sent, at)

    def order_again(self, payment_id: str) -> str:
        """Send the very request again that a payment came of; the id that it is answered with."""
        at = time.monotonic()
        return self._note_ordered(self._asking.ask_again(self._ordered.pop(payment_id)), at)

    def paid_since(self, at: float) -> list[str]:
        """The single payments whose first request was sent after this moment of the monotonic clock."""
        with self._lock:
            return [payment_id for payment_id, sent_at in self._ordered_at.items() if sent_at > at]

    def pay_many(self, count: int, url: str | None = None, *, kind: Kind | None = None) -> list[str]:
        return [self.pay(url, kind=kind) for _ in range(count)]

    def pay_until(self, condition: Callable[[], bool], *, urls: Sequence[str | None] = (None,)) -> None:
        """Pay, at each address in turn, until the condition holds."""
        turns = cycle(urls)

        def is_met() -> bool:
            self.pay(next(turns))
            return condition()

        wait_until(is_met, seconds_max=REST_SECONDS_MAX, every_seconds=PAUSE_SECONDS)

    def pay_by_file(self) -> None:
        """A small file of payments."""
        body = b"\n".join(self._line() for _ in range(FILE_LINES))
        path = "/v1/payment-batches"
        told = self._asking.ask(ORDERED_BY_FILE, "payments", path, body, media_type="application/x-ndjson").told
        assert told["accepted"] == FILE_LINES, told
        self._files.add(told["batch_id"])

    # What comes besides

    def deposit(self) -> None:
        """Money that comes in from outside."""
        self._savings.deposit()

    def move_money(self) -> None:
        """Money that is moved past payments."""
        self._savings.move()

    def serve(self) -> None:
        """What there is to do about payments that were ordered: to capture, withdraw and refund some of them."""
        self._clerk.serve()

    @contextmanager
    def trading(self) -> Iterator[None]:
        """All of it, side by side, for as long as the block lasts; fails if any of it was refused."""
        stop = threading.Event()
        work: list[tuple[Callable[[], object], float]] = [
            *[(self.pay, PAUSE_SECONDS)] * SINGLE_PAYERS,
            (self.pay_by_file, FILE_SECONDS),
            (self.deposit, DEPOSIT_SECONDS),
            (self.move_money, MOVE_SECONDS),
            (self.serve, SERVE_SECONDS),
        ]
        with ThreadPoolExecutor(len(work)) as pool:
            running = [pool.submit(_again_and_again, once, pause, stop) for once, pause in work]
            try:
                yield
            finally:
                stop.set()
                # Who has failed is often why the block has.
                for thread in running:
                    thread.result()

    def done(self) -> Counter[str]:
        """How often each of SORTS was acknowledged so far."""
        return Counter({sort: self._asking.done[sort] for sort in SORTS})

    # Whether it was done once

    def require_once(self) -> None:
        """Every request since the last look, sent again, gets the answer it got; the databases hold each thing once."""
        self._asking.require_same_answers()
        assert self._stored_singles() - self._stored_before == self._ordered.keys()
        lines = dict(
            self._installation.rows(
                "payments", "SELECT batch_id::text, count(*) FROM payments WHERE batch_id IS NOT NULL GROUP BY batch_id"
            )
        )
        assert all(lines[batch_id] == FILE_LINES for batch_id in self._files)
        self._clerk.require_done()
        self._savings.require_balances()

    def _note_ordered(self, sent: Sent, at: float) -> str:
        payment_id: str = sent.told["payment_id"]
        with self._lock:
            self._ordered[payment_id] = sent
            self._ordered_at[payment_id] = at
        return payment_id

    def _line(self, kind: Kind | None = None) -> bytes:
        with self._lock:
            order = next(order for order in self._orders if kind in (None, order.kind))
        return line(order, self._parties, self._opened, self.currency)

    def _stored_singles(self) -> set[str]:
        rows = self._installation.rows("payments", "SELECT payment_id::text FROM payments WHERE batch_id IS NULL")
        return {payment_id for (payment_id,) in rows}

    def _known_accounts(self) -> set[str]:
        return {i for (i,) in self._installation.rows("payments", "SELECT account_id::text FROM known_accounts")}


def _again_and_again(once: Callable[[], object], pause_seconds: float, stop: threading.Event) -> None:
    while not stop.wait(pause_seconds):
        once()
