"""Every route of every API, with every scope there is: whoever lacks one of those it asks for gets nowhere."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from docs.catalogue import SERVICES
from docs.readmes import wired
from libs.common import scopes
from libs.common.clients import Client
from libs.common.errors import Outage
from libs.common.record import replace
from libs.common.scopes import Scope, UndeclaredRoute
from libs.common.service import Role, Runtime


class _Nothing:
    """A database that is away."""

    def connect(self) -> Any:
        raise Outage("there is no database here")


class _Bearers:
    """Lets everybody in with the scopes that stand in place of a key."""

    def cached(self, key: str) -> Client:
        return Client(client_id="shop", scopes=frozenset(key.split(",")) - {""})


def statuses(name: str, asked: list[tuple[str, str]]) -> list[int]:
    """What an API answers to requests without a body: route and scopes of each, `-` for no key at all."""
    runtime: Runtime = wired(name)
    runtime.__dict__ |= {"engine": _Nothing(), "clients": _Bearers()}
    transport = httpx.ASGITransport(runtime.app([Role.API], dict))

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return [(await client.request(*_request(route), headers=_headers(key))).status_code for route, key in asked]

    return asyncio.run(ask())


def _request(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    return method, re.sub(r"\{\w+\}", "no-id", path)


def _headers(key: str) -> dict[str, str]:
    return {} if key == "-" else {"Authorization": f"Bearer {key}"}


def _cases(table: scopes.Scopes) -> Iterator[tuple[str, str, bool]]:
    known = scopes.known(table)
    for route, needed in table.items():
        assert needed, f"{route} is open to whoever asks"
        for scope in known:
            yield route, scope, False if len(needed) > 1 else scopes.allows([scope], needed)
        for lacking in needed:
            yield route, ",".join(set(known) - {lacking, lacking.rpartition(":")[2]}), False
        yield route, ",".join(needed), True
        yield route, ",".join(known), True


@pytest.mark.parametrize("name", SERVICES)
def test_every_route_asks_for_its_scopes(name: str) -> None:
    cases = list(_cases(wired(name).service.scopes))
    for (route, key, is_let_in), status in zip(cases, statuses(name, [case[:2] for case in cases]), strict=True):
        assert (status not in (401, 403, 404, 405, 429)) == is_let_in, f"{route} with {key}: {status}"


@pytest.mark.parametrize("name", SERVICES)
def test_no_route_is_there_without_a_key(name: str) -> None:
    asked = [(route, "-") for route in wired(name).service.scopes]
    assert set(statuses(name, asked)) == {401}


@pytest.mark.parametrize("name", SERVICES)
def test_what_reads_is_no_scope_to_write_with(name: str) -> None:
    """By the words alone: what changes nothing may be asked with POST, but no GET asks for a scope that writes."""
    for route, needed in wired(name).service.scopes.items():
        assert not (route.startswith("GET") and any(scope.endswith("write") for scope in needed)), route


@pytest.mark.parametrize("name", SERVICES)
def test_an_api_with_a_route_that_nobody_gave_a_scope_does_not_start(name: str) -> None:
    runtime = wired(name)
    forgotten, *others = runtime.service.scopes
    table = {route: runtime.service.scopes[route] for route in others}
    runtime.service = replace(runtime.service, scopes=table | {"GET /v1/gone": (Scope.READ,)})
    with pytest.raises(UndeclaredRoute, match=f"without scopes: {re.escape(forgotten)}; not there: GET /v1/gone"):
        runtime.app([Role.API], dict)


def test_read_and_write_stand_for_all_that_reads_and_writes() -> None:
    assert scopes.allows([Scope.READ], ["refunds:read"])
    assert scopes.allows(["refunds:read"], ["refunds:read"])
    assert not scopes.allows([Scope.READ], ["refunds:write"])
    assert not scopes.allows([Scope.READ], ["books:read", Scope.STAFF])
    assert not scopes.allows(["read:refunds", "payments"], ["refunds:read"])
