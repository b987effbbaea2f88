"""Clients and their keys, on a real database and by the commands that operators have: what works, and until when."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from libs.common import cli, clients
from libs.common.api_keys import is_key
from libs.common.clients import Client
from libs.common.database import execute
from libs.common.service import Runtime
from services.payments.__main__ import SERVICE
from tests.parts import Parts
from tests.serving import Api, listening, problem, rows


@pytest.fixture(scope="module")
def wired(parts: Parts) -> Iterator[Runtime]:
    with parts.runtime(SERVICE) as runtime:
        yield runtime


@pytest.fixture
def runtime(wired: Runtime) -> Runtime:
    wired.unit.administer(lambda tx: execute(tx, "TRUNCATE clients CASCADE"))
    return wired


@pytest.fixture(scope="module")
def address(wired: Runtime) -> Iterator[str]:
    with listening(wired) as found:
        yield found


@pytest.fixture
def api(runtime: Runtime, address: str) -> Iterator[Api]:
    found = Api(runtime, address)
    yield found
    found.close()


class Commands:
    """`payments clients …`, with --json."""

    def __init__(self, runtime: Runtime) -> None:
        self._app = cli.app(SERVICE, None, lambda: runtime)

    def __call__(self, *words: str, given: str | None = None) -> list[dict[str, Any]]:
        result = CliRunner().invoke(self._app, ["clients", *words, "--json"], input=given)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def refused(self, *words: str, given: str | None = None) -> str:
        result = CliRunner().invoke(self._app, ["clients", *words], input=given)
        assert result.exit_code != 0
        return result.output


@pytest.fixture
def run(runtime: Runtime) -> Commands:
    return Commands(runtime)


def known(runtime: Runtime, key: str) -> Client | None:
    """Whom a key lets in, as a process sees it that has just begun."""
    return clients.Clients(runtime.unit.administer).find(key)


def test_a_client_has_several_keys_each_with_its_own_scopes(runtime: Runtime, run: Commands) -> None:
    (till,) = run("add", "shop", "payments:write", "--name", "till")
    (office,) = run("add", "shop", "read", "refunds:write", "--name", "office", "--expires-in-days", "30")
    assert is_key(till["key"])
    found = known(runtime, till["key"]), known(runtime, office["key"])
    assert [(client.client_id, sorted(client.scopes)) for client in found if client] == [
        ("shop", ["payments:write"]),
        ("shop", ["read", "refunds:write"]),
    ]
    listed = run("list", "shop")
    assert [(key["name"], key["scopes"], key["hint"]) for key in listed] == [
        ("till", "payments:write", "…" + till["key"][-4:]),
        ("office", "read refunds:write", "…" + office["key"][-4:]),
    ]
    assert listed[0]["last_used_on"] == str(datetime.now(UTC).date())
    assert till["key"] not in str(rows(runtime, "SELECT clients::text, client_keys::text FROM clients, client_keys"))


def test_a_key_that_was_rotated_works_on_for_the_overlap_and_no_longer(runtime: Runtime, run: Commands) -> None:
    (first,) = run("add", "shop", "payments:read")
    (second,) = run("rotate", "shop", "--overlap-hours", "1")
    assert known(runtime, first["key"]) == known(runtime, second["key"]) is not None
    (third,) = run("rotate", "shop", "--overlap-hours", "0")
    assert known(runtime, second["key"]) is None
    assert known(runtime, third["key"]) is not None
    first_ends, _, third_ends = (key["expires_at"] for key in run("list"))
    assert datetime.fromisoformat(first_ends) < datetime.now(UTC) + timedelta(hours=1)
    assert third_ends is None


def test_what_expired_or_was_revoked_lets_nobody_in(runtime: Runtime, run: Commands) -> None:
    (till,) = run("add", "shop", "read", "--name", "till")
    (office,) = run("add", "shop", "read", "--name", "office")
    (spare,) = run("add", "shop", "read", "--name", "spare", "--expires-in-days", "1")
    runtime.unit.administer(
        lambda tx: execute(tx, "UPDATE client_keys SET expires_at = now() - interval '1 s' WHERE name = 'spare'")
    )
    assert known(runtime, spare["key"]) is None
    run("revoke", "shop", "--name", "till")
    assert known(runtime, till["key"]) is None
    assert known(runtime, office["key"]) is not None
    run("revoke", "shop")
    assert known(runtime, office["key"]) is None


def test_what_makes_no_sense_is_refused(run: Commands) -> None:
    (key,) = run("add", "shop", "read")
    run("add", "rival", "read")
    assert "'fly' is not one of read, write, staff, captures:write" in run.refused("add", "shop", "fly").replace(
        "\n", " "
    )
    assert "has a key 'main' already" in run.refused("add", "shop", "read")
    assert "another" in run.refused("add", "rival", "read", "--name", "stolen", "--key-stdin", given=key["key"])
    assert "no secret" in run.refused("add", "rival", "read", "--name", "none", "--key-stdin", given="")
    assert "has no key 'none' that works" in run.refused("rotate", "shop", "--name", "none")
    assert "has no key that works" in run.refused("revoke", "nobody")
    assert "no client 'nobody'" in run.refused("limit", "nobody", "--rate", "1")


def test_the_same_key_again_gets_other_scopes(runtime: Runtime, run: Commands) -> None:
    (key,) = run("add", "shop", "read")
    run("add", "shop", "read", "write", "--key-stdin", given=key["key"])
    client = known(runtime, key["key"])
    assert client is not None and client.scopes == {"read", "write"}


def test_who_asks_too_fast_is_told_when_to_come_again(
    api: Api, run: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    first = api.get("/v1/payments")
    assert first.headers["ratelimit-policy"] == '"requests";q=10000;w=5'
    assert first.headers["ratelimit"] == '"requests";r=9999;t=0'
    run("limit", "rival", "--rate", "0.01", "--burst", "2")
    # A command takes the log of its process over.
    logging.getLogger().addHandler(caplog.handler)
    assert [api.get("/v1/payments", by="rival").status_code for _ in range(2)] == [200, 200]
    refused = api.get("/v1/payments", by="rival")
    assert problem(refused) == (429, "rate_limited", None)
    assert 90 <= int(refused.headers["retry-after"]) <= 100
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert problem(api.get("/v1/payments", by="rival")) == (429, "rate_limited", None)
    assert api.get("/v1/payments", by="shop").status_code == 200
    assert [record.client_id for record in caplog.records if "faster than" in record.message] == ["rival"]  # type: ignore[attr-defined]
    assert "http_rate_limited_total 2.0" in api.get("/metrics", by=None).text


def test_a_key_without_the_scope_of_a_route_is_told_which_it_lacks(api: Api, run: Commands) -> None:
    (key,) = run("add", "shop", "payments:read", "--name", "reports")
    api.keys["reports"] = key["key"]
    assert api.get("/v1/payments", by="reports").status_code == 200
    refused = api.post("/v1/payments", {}, by="reports")
    assert problem(refused) == (403, "forbidden", None)
    assert "'payments:write'" in refused.json()["detail"]
