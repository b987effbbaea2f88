"""A client that goes on ordering payments whatever happens, and repeats each request until it is answered."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

import httpx

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from demo.client import Opened, WeirClient, line
from demo.generated import Generated
from demo.story import Kind, Party
from libs.common import ids
from tests.waiting import wait_until

PAUSE_SECONDS = 0.4
FILE_SECONDS, MONEY_SECONDS = 2.0, 0.6
"""Between two of each: enough that something is always under way, and no more, for restarts need the machine too."""
ANSWER_SECONDS_MAX = 120
SINGLE_PAYERS = 2
FILE_LINES = 10
PENCE = "1.00"


class Shop:
    """Customers with money, and the orders they give: by single POSTs, by files, and money brought in besides."""

    currency = "EUR"

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._story = Generated(payments=1_000_000, seed=7)
        saver = Party(number=len(self._story.parties()), name="Ida Sparsam", is_company=False, country="DE")
        self._parties: Sequence[Party] = [*self._story.parties(), saver]
        self._orders = (order for order in self._story.orders() if order.kind is not Kind.MALFORMED)
        self._lock = threading.Lock()
        self._http = httpx.Client(timeout=30)
        self._opened: Sequence[Opened] = []
        self._run = ids.new()
        self._stored_before: set[str] = set()
        self._paid: dict[str, tuple[bytes, str]] = {}
        self._paid_at: dict[str, float] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        self._funded: dict[str, bytes] = {}
        self._repeated: set[str] = set()
        self.seen: Counter[str] = Counter()
        """Every answer so far, by its status; `broken` where the connection broke instead."""

    def open(self) -> None:
        """Open everyone's account and bring their money in; return when payments knows them."""
        settings = self._installation.settings
        client = WeirClient(settings, settings.secrets.get("api-key/demo"), run=self._run)
        self._opened = client.register(self._parties, self.currency, lambda _: None)
        wanted = {account.account_id for account in self._opened}
        wait_until(lambda: wanted <= self._known_accounts(), seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
        client.fund(self._parties, self._opened, self.currency)
        client.close()
        self._stored_before = self._stored_singles()

    # Ordering

    @property
    def personal_data(self) -> list[str]:
        """What nobody may find in a log: everybody's name."""
        return [party.name for party in self._parties]

    def pay(self, url: str | None = None, *, kind: Kind | None = None, traceparent: str | None = None) -> str:
        """One payment by a POST of its own, of this kind or whichever is next; its id."""
        key, body, trace = self._key(), self._line(kind), {"traceparent": traceparent} if traceparent else {}
        at = time.monotonic()
        response = self._post(f"{url or self._installation.url('payments')}/v1/payments", key, body, more=trace)
        assert response.status_code == 202, response.text
        payment_id: str = response.json()["payment_id"]
        self._paid[key] = body, payment_id
        with self._lock:
            self._paid_at[payment_id] = at
        return payment_id

    def order_again(self, payment_id: str) -> str:
        """Send the very request again that a payment came of; the id that it is answered with."""
        key, body = next((key, body) for key, (body, known) in self._paid.items() if known == payment_id)
        response = self._post(f"{self._installation.url('payments')}/v1/payments", key, body)
        assert response.status_code == 202, response.text
        again: str = response.json()["payment_id"]
        self._paid[key] = body, again
        return again

    def paid_since(self, at: float) -> list[str]:
        """The single payments whose first request was sent after this moment of the monotonic clock."""
        with self._lock:
            return [payment_id for payment_id, sent_at in self._paid_at.items() if sent_at > at]

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
        key, body = self._key(), b"\n".join(self._line() for _ in range(FILE_LINES))
        self._files[key] = body, self._send_file(key, body)

    def bring_money(self) -> None:
        """A deposit to the account that does nothing but save."""
        key = self._key()
        account_id = self._opened[-1].account_id
        body = f'{{"account_id": "{account_id}", "currency": "{self.currency}", "amount": "{PENCE}"}}'.encode()
        response = self._post(f"{self._installation.url('accounts')}/v1/fundings", key, body)
        assert response.status_code == 201, response.text
        self._funded[key] = body

    @contextmanager
    def trading(self) -> Iterator[None]:
        """All of it, side by side, for as long as the block lasts; fails if any of it was refused."""
        stop = threading.Event()
        work: list[tuple[Callable[[], object], float]] = [
            *[(self.pay, PAUSE_SECONDS)] * SINGLE_PAYERS,
            (self.pay_by_file, FILE_SECONDS),
            (self.bring_money, MONEY_SECONDS),
        ]
        with ThreadPoolExecutor(len(work)) as pool:
            running = [pool.submit(_again_and_again, once, pause, stop) for once, pause in work]
            try:
                yield
            finally:
                stop.set()
        for thread in running:
            thread.result()

    # Whether it was done once

    def require_once(self) -> None:
        """Every request since the last look, sent again, gets the answer it got; the databases hold each thing once."""
        with ThreadPoolExecutor(4) as pool:
            for sent, require_same in (
                (self._paid, self._require_same_payment),
                (self._files, self._require_same_file),
                (self._funded, self._require_same_deposit),
            ):
                list(pool.map(require_same, sent.keys() - self._repeated))
                self._repeated |= sent.keys()
        assert self._stored_singles() - self._stored_before == {payment_id for _, payment_id in self._paid.values()}
        lines = dict(
            self._installation.rows(
                "payments", "SELECT batch_id::text, count(*) FROM payments WHERE batch_id IS NOT NULL GROUP BY batch_id"
            )
        )
        assert all(lines[batch_id] == FILE_LINES for _, batch_id in self._files.values())
        saver = self._opened[-1].account_id
        ((posted,),) = self._installation.rows(
            "accounts", f"SELECT posted_minor FROM accounts WHERE account_id = '{saver}'"
        )
        assert posted == 100 * len(self._funded)

    def _require_same_payment(self, key: str) -> None:
        body, payment_id = self._paid[key]
        again = self._post(f"{self._installation.url('payments')}/v1/payments", key, body)
        assert again.status_code == 202 and again.json()["payment_id"] == payment_id

    def _require_same_file(self, key: str) -> None:
        body, batch_id = self._files[key]
        assert self._send_file(key, body) == batch_id

    def _require_same_deposit(self, key: str) -> None:
        again = self._post(f"{self._installation.url('accounts')}/v1/fundings", key, self._funded[key])
        assert again.status_code == 201

    # Requests

    def _send_file(self, key: str, body: bytes) -> str:
        url = f"{self._installation.url('payments')}/v1/payment-batches"
        response = self._post(url, key, body, "application/x-ndjson")
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["accepted"] == FILE_LINES, answer
        return str(answer["batch_id"])

    def _post(
        self,
        url: str,
        key: str,
        body: bytes,
        media_type: str = "application/json",
        *,
        more: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send until there is an answer. What is put off must say so properly."""
        given = {"Idempotency-Key": key, "Content-Type": media_type, **(more or {})}
        headers = {**self._installation.authorization, **given}
        deadline, pause = time.monotonic() + ANSWER_SECONDS_MAX, threading.Event()
        while time.monotonic() < deadline:
            try:
                response = self._http.post(url, content=body, headers=headers)
            except httpx.TransportError:
                self.seen["broken"] += 1
                pause.wait(PAUSE_SECONDS)
                continue
            self.seen[str(response.status_code)] += 1
            if response.status_code not in (409, 503):
                return response
            assert int(response.headers["retry-after"]) > 0
            pause.wait(PAUSE_SECONDS)
        raise AssertionError("waited in vain for an answer")

    def _key(self) -> str:
        return f"{self._run}/{ids.new()}"

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
