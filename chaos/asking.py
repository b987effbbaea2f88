"""Who repeats each request until it is answered, keeps the answer, and can ask for all of it once more."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from chaos.installation import Installation
from libs.common import ids
from libs.common.record import Record

PAUSE_SECONDS = 0.4
ANSWER_SECONDS_MAX = 120
ASKED_AT_ONCE = 4
STILL_RUNS = "urn:weir:problem:request_in_progress"
"""The type of the one conflict that ends by itself: any other is the answer."""
JSON = "application/json"


class Sent(Record):
    """A request, and the answer that it got in the end."""

    service: str
    path: str
    body: bytes
    media_type: str
    status: int
    answer: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What the answer says."""
        return dict(msgspec.json.decode(self.answer))

    @property
    def is_refused(self) -> bool:
        return self.status >= HTTPStatus.BAD_REQUEST


class Asking:
    """Requests of one client, each under a key of its own."""

    def __init__(self, installation: Installation, *, transport: httpx.BaseTransport | None = None) -> None:
        self._installation = installation
        self._http = httpx.Client(timeout=30, headers=installation.authorization, transport=transport)
        self._sent: dict[str, Sent] = {}
        self._repeated: set[str] = set()
        self._lock = threading.Lock()
        self.run = ids.new()
        """Begins every key."""
        self.seen: Counter[str] = Counter()
        """Every answer so far, by its status; `broken` where the connection broke instead. Refusals apart."""
        self.refused: Counter[str] = Counter()
        """What came too late, by the reason given."""
        self.done: Counter[str] = Counter()
        """What was acknowledged, by what it was."""

    def ask(
        self,
        what: str,
        service: str,
        path: str,
        body: bytes,
        *,
        media_type: str = JSON,
        url: str | None = None,
        trace: Mapping[str, str] | None = None,
        may_be_refused: Collection[str] = (),
    ) -> Sent:
        """Have something done, and keep what was answered.

        `what` is the word for it in `done`, `url` another address than the service's, `may_be_refused` the reasons for
        which it may come too late. Raises AssertionError for any other refusal, and if there is no answer.
        """
        key = f"{self.run}/{ids.new()}"
        sent = self._post(key, service, path, body, media_type, url=url, trace=trace)
        if sent.is_refused:
            reason = sent.told["reason"]
            assert reason in may_be_refused, f"{path}: {sent.answer!r}"
            self._count(self.refused, reason)
        else:
            self._count(self.done, what)
        self._sent[key] = sent
        return sent

    def ask_again(self, sent: Sent) -> Sent:
        """Send a request again under its key; from now on its answer is the one that it gets now."""
        key = next(key for key, known in self._sent.items() if known is sent)
        self._sent[key] = self._post(key, sent.service, sent.path, sent.body, sent.media_type)
        return self._sent[key]

    def look(self, service: str, path: str, **parameters: str | int) -> Any:
        """What a GET tells, as soon as there is an answer."""
        url = f"{self._installation.url(service)}{path}"
        response = self._patiently(lambda: self._http.get(url, params=parameters))
        assert response.is_success, response.text
        return response.json()

    def require_same_answers(self) -> None:
        """Every request since the last look, sent again, gets the very answer it got."""
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            list(pool.map(self._require_same, self._sent.keys() - self._repeated))
        self._repeated |= self._sent.keys()

    def _require_same(self, key: str) -> None:
        sent = self._sent[key]
        again = self._post(key, sent.service, sent.path, sent.body, sent.media_type)
        assert again == sent, f"{sent.path} was answered {sent.answer!r}, and then {again.answer!r}"

    def _post(
        self,
        key: str,
        service: str,
        path: str,
        body: bytes,
        media_type: str,
        *,
        url: str | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Sent:
        headers = {"Idempotency-Key": key, "Content-Type": media_type, **(trace or {})}
        address = f"{url or self._installation.url(service)}{path}"
        response = self._patiently(lambda: self._http.post(address, content=body, headers=headers))
        return Sent(
            service=service,
            path=path,
            body=body,
            media_type=media_type,
            status=response.status_code,
            answer=response.content,
        )

    def _patiently(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send until there is an answer. What is put off must say so properly."""
        deadline, pause = time.monotonic() + ANSWER_SECONDS_MAX, threading.Event()
        while time.monotonic() < deadline:
            try:
                response = send()
            except httpx.TransportError:
                self._count(self.seen, "broken")
                pause.wait(PAUSE_SECONDS)
                continue
            is_put_off = _is_put_off(response)
            if is_put_off or response.is_success:
                self._count(self.seen, str(response.status_code))
            if not is_put_off:
                return response
            assert int(response.headers["retry-after"]) > 0
            pause.wait(PAUSE_SECONDS)
        raise AssertionError("waited in vain for an answer")

    def _count(self, counter: Counter[str], word: str) -> None:
        with self._lock:
            counter[word] += 1


def _is_put_off(response: httpx.Response) -> bool:
    if response.status_code == HTTPStatus.CONFLICT:
        return bool(response.json()["type"] == STILL_RUNS)
    return response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
