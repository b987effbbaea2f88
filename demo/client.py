"""What a client of Weir does over HTTP: open accounts, bring money, order payments by the file."""

import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import httpx

from demo.story import Order, Party
from libs.common.money import format_amount
from libs.common.record import Record
from stack import services
from stack.settings import REPOSITORY, StackSettings

CLIENT_ID = "demo"
SERVICES_WITH_CLIENTS = ("payments", "accounts", "fraud", "compliance")
PAGE = 1_000
RETRY_SECONDS = 0.5
TRIES_MAX = 240


class Opened(Record):
    """Someone's account."""

    customer_id: str
    account_id: str


def register_client(settings: StackSettings) -> str:
    """Let the demo in everywhere, under one key. Returns the key."""
    key = settings.secrets.get("api-key/demo")
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"services.{service}",
                "clients",
                "add",
                CLIENT_ID,
                "read",
                "write",
                "staff",
                "--key-stdin",
            ],
            env={**os.environ, **services.environment(settings, service)},
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for service in SERVICES_WITH_CLIENTS
    ]
    for process in running:
        output, _ = process.communicate(key)
        if process.returncode != 0:
            raise RuntimeError(f"the demo's API key could not be registered:\n{output[-2000:]}")
    return key


class WeirClient:
    """Speaks to the services; repeats a request under its key until it has an answer."""

    def __init__(self, settings: StackSettings, key: str, *, run: str) -> None:
        """`run` begins every Idempotency-Key: the same run repeated does nothing twice."""
        self._run = run
        self._http = {
            service: httpx.Client(
                base_url=f"http://{settings.host}:{settings.service_port(service)}",
                headers={"Authorization": f"Bearer {key}"},
                timeout=120,
            )
            for service in SERVICES_WITH_CLIENTS
        }

    def get(self, service: str, path: str, **parameters: Any) -> Any:
        """A GET, tried again while the service is away. Raises httpx.HTTPStatusError for a refusal."""
        return self._patiently(lambda: self._http[service].get(path, params=parameters)).json()

    def post(self, service: str, path: str, key: str, body: Any) -> Any:
        """A POST of JSON, under an Idempotency-Key of this run."""
        return self._post(service, path, key, json.dumps(body).encode(), "application/json")

    def register(self, parties: Sequence[Party], currency: str, tick: Callable[[int], None]) -> list[Opened]:
        """Register customers with an account each, in the order of the parties."""
        opened: list[Opened] = []
        for page in _pages(parties):
            body = {"customers": [_customer(party, currency) for party in page]}
            answer = self.post("accounts", "/v1/customer-batches", f"customers-{len(opened)}", body)
            opened += [
                Opened(customer_id=c["customer_id"], account_id=c["accounts"][0]["account_id"])
                for c in answer["customers"]
            ]
            tick(len(page))
        return opened

    def fund(self, parties: Sequence[Party], opened: Sequence[Opened], currency: str) -> int:
        """Bring everyone's first money in from outside; how many were funded."""
        wanted = [party for party in parties if party.funds_minor]
        funded = 0
        for number, page in enumerate(_pages(wanted)):
            body = {
                "fundings": [
                    {
                        "account_id": opened[party.number].account_id,
                        "currency": currency,
                        "amount": format_amount(party.funds_minor, currency),
                        "reference": "first deposit",
                    }
                    for party in page
                ]
            }
            answer = self.post("accounts", "/v1/funding-batches", f"fundings-{number}", body)
            funded += sum(funding["status"] == "posted" for funding in answer["fundings"])
        return funded

    def order(self, lines: Iterable[bytes], key: str) -> Any:
        """Order a file of payments as JSON lines; returns what payments says became of its lines."""
        body = b"\n".join(lines)
        return self._post("payments", "/v1/payment-batches", key, body, "application/x-ndjson")

    def close(self) -> None:
        for client in self._http.values():
            client.close()

    def _post(self, service: str, path: str, key: str, body: bytes, media_type: str) -> Any:
        headers = {"Idempotency-Key": f"{self._run}/{key}", "Content-Type": media_type}
        return self._patiently(lambda: self._http[service].post(path, content=body, headers=headers)).json()

    def _patiently(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send until there is an answer: what was done before is not done again."""
        for _ in range(TRIES_MAX):
            try:
                response = send()
            except httpx.TransportError:
                time.sleep(RETRY_SECONDS)
                continue
            if response.status_code not in (409, 503) or "retry-after" not in response.headers:
                response.raise_for_status()
                return response
            time.sleep(RETRY_SECONDS)
        raise TimeoutError("a service did not come back")


def line(order: Order, parties: Sequence[Party], opened: Sequence[Opened], currency: str) -> bytes:
    """An order as a line of a file of payments."""
    debtor, creditor = parties[order.debtor], parties[order.creditor]
    fields = {
        "currency": currency,
        "amount": order.amount,
        "debtor": _party(debtor, opened),
        "creditor": _named_creditor(order, creditor, opened) if order.creditor_name else _party(creditor, opened),
        "channel": order.channel,
        "device_id": order.device_id and _device(order.device_id, opened[order.debtor]),
        "ip_country": order.ip_country,
        "reference": order.reference,
        "instructed_at": order.instructed_at,
        "capture": order.capture,
        **order.spoilt,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def _device(name: str, owner: Opened) -> str:
    """Everyone's own: one that a run shared with runs before would soon be a device of many payers, and suspicious."""
    return f"{name.partition('-')[0]}-{zlib.crc32(f'{name}/{owner.account_id}'.encode()):08x}"


def _named_creditor(order: Order, creditor: Party, opened: Sequence[Opened]) -> dict[str, Any]:
    """A creditor as the payer wrote it: what the account holder is known by says nothing about that name."""
    return {
        "account_id": opened[creditor.number].account_id,
        "name": order.creditor_name,
        **({"birth_date": order.creditor_birth_date} if order.creditor_birth_date else {}),
        **({"country": order.creditor_country} if order.creditor_country else {}),
    }


def _party(party: Party, opened: Sequence[Opened]) -> dict[str, Any]:
    described = {"account_id": opened[party.number].account_id, "name": party.name, "country": party.country}
    return {**described, **({"birth_date": party.birth_date} if party.birth_date else {})}


def _customer(party: Party, currency: str) -> dict[str, Any]:
    return {
        "name": party.name,
        "kind": "company" if party.is_company else "person",
        "country": party.country,
        "birth_date": party.birth_date,
        "currencies": [currency],
    }


def _pages(parties: Sequence[Party]) -> Iterator[Sequence[Party]]:
    for start in range(0, len(parties), PAGE):
        yield parties[start : start + PAGE]
