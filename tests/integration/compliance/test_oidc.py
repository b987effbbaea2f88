"""Signing in by an OpenID provider that runs as a process of its own: PKCE, state, nonce, roles from a claim."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlparse

import httpx
import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from libs.common.service import Runtime
from services.compliance.__main__ import SERVICE
from services.compliance.desk import oidc
from services.compliance.desk.sessions import FAILURES_FROM_ADDRESS_MAX
from services.compliance.domain.people import Role
from services.compliance.settings import ComplianceSettings
from tests import in_the_clear
from tests.in_the_clear import IN_THE_CLEAR
from tests.integration.compliance.browsing import Desk
from tests.integration.compliance.oidc_provider import CLIENT_SECRET
from tests.integration.compliance.scene import add_person, rows
from tests.integration.compliance.test_desk import signed_in
from tests.parts import Parts
from tests.serving import listening, problem


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.integration.compliance.oidc_provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(scope="module")
def desk(parts: Parts, provider: str) -> Iterator[tuple[Runtime, str]]:
    with (
        parts.runtime(
            SERVICE,
            desk_oidc_issuer=provider,
            desk_oidc_client_secret=SecretStr(CLIENT_SECRET),
            desk_oidc_role_claim="groups",
            desk_oidc_roles=(("aml-analysts", Role.ANALYST), ("aml-officers", Role.OFFICER)),
        ) as runtime,
        listening(runtime) as address,
    ):
        yield runtime, address


def come_back(address: str, http: httpx.Client, **form: str) -> httpx.Response:
    """What the desk says to somebody whom the provider sends back."""
    sent = http.get(f"{address}/desk/sign-in/oidc", params={"next": "/desk/blocked"})
    assert sent.status_code == 303
    asked = parse_qs(urlparse(sent.headers["location"]).query)
    assert {"state", "nonce", "code_challenge", "redirect_uri"} <= asked.keys()
    assert asked["code_challenge_method"] == ["S256"]
    allowed = http.post(sent.headers["location"], data=form)
    return http.get(allowed.headers["location"])


def test_a_person_is_let_in_in_the_role_that_the_provider_names(
    desk: tuple[Runtime, str], browser: Browser, provider: str
) -> None:
    runtime, address = desk
    person = Desk(browser, address, "maria")
    person.page.goto("/desk/blocked")
    person.page.get_by_role("link", name="Sign in with your organisation").click()
    person.page.get_by_label("Name").fill("Maria")
    person.page.get_by_label("Roles").fill("everybody aml-officers")
    person.page.get_by_role("button", name="Allow").click()
    expect(person.page).to_have_url(f"{address}/desk/blocked")
    expect(person.page.locator(".who")).to_contain_text("maria")
    expect(person.page.locator(".who")).to_contain_text("Officer")
    assert person.complaints == []
    person.context.close()
    found = rows(
        runtime, "SELECT verb, role FROM audit_entries WHERE actor = 'maria' AND verb <> 'looked' ORDER BY number"
    )
    assert found == [("user_added", "officer"), ("signed_in", "officer")]
    # No password is theirs, whatever is tried.
    for password in ("", "!", "the password of nobody"):
        answer = in_the_clear.post(f"{address}/desk/sign-in", json={"username": "maria", "password": password})
        assert answer.status_code == 401


def test_another_role_counts_from_the_next_time_on(desk: tuple[Runtime, str]) -> None:
    runtime, address = desk
    for group, role in (("aml-analysts", "analyst"), ("aml-officers", "officer")):
        with httpx.Client(verify=IN_THE_CLEAR) as http:
            assert come_back(address, http, username="tom", roles=group).status_code == 200
            assert http.get(f"{address}/desk/api/session").json()["role"] == role
    changed = rows(runtime, "SELECT details FROM audit_entries WHERE verb = 'role_changed' AND actor = 'tom'")
    assert changed == [("officer, was analyst, by the OpenID provider",)]


def test_what_the_provider_says_of_a_role_is_not_set_at_the_desk(desk: tuple[Runtime, str]) -> None:
    runtime, address = desk
    add_person(runtime, "root", Role.ADMINISTRATOR)
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        assert come_back(address, http, username="vera", roles="aml-analysts").status_code == 200
        with signed_in(address, "root") as root:
            headers = {"X-CSRF-Token": root.csrf_token}
            answer = root.http.post("/desk/api/users/vera/role", json={"role": "officer"}, headers=headers)
            assert problem(answer)[:2] == (409, "role_by_provider")
            assert "says what they are" not in root.http.get("/desk/users").text
            assert "Their role is what the OpenID provider says" in root.http.get("/desk/users").text
        assert http.get(f"{address}/desk/api/session").json()["role"] == "analyst"


@pytest.mark.parametrize("fault", ["state", "nonce", "audience", "issuer", "expired", "key"])
def test_an_answer_that_is_not_what_was_asked_for_lets_nobody_in(desk: tuple[Runtime, str], fault: str) -> None:
    runtime, address = desk
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        answer = come_back(address, http, username="eve", roles="aml-analysts", fault=fault)
        assert answer.status_code == 403
        assert "You were not let in" in answer.text
        assert http.get(f"{address}/desk/api/session").status_code == 401
    assert rows(runtime, "SELECT FROM desk_users WHERE username = 'eve'") == []


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"username": "eve", "roles": ""}, "names no roles"),
        ({"username": "eve", "roles": "strangers"}, "names no roles"),
        ({"username": "eve", "roles": "aml-analysts aml-officers"}, "names 2 roles"),
        ({"username": "Weir", "roles": "aml-analysts"}, "no user name that the desk takes"),
        ({"username": "<b>", "roles": "aml-analysts"}, "no user name that the desk takes"),
    ],
)
def test_who_has_no_role_or_no_name_is_told_so(desk: tuple[Runtime, str], form: dict[str, str], why: str) -> None:
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        answer = come_back(desk[1], http, **form)
        assert answer.status_code == 403
        assert why in answer.text


def test_a_name_stays_the_first_ones_and_who_was_disabled_stays_out(desk: tuple[Runtime, str]) -> None:
    runtime, address = desk
    runtime.unit.administer(
        lambda tx: tx.exec_driver_sql(
            "INSERT INTO desk_users (username, password_hash, role) VALUES ('local', 'x', 'analyst')"
        )
    )
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        assert come_back(address, http, username="nina", sub="1", roles="aml-analysts").status_code == 200
        taken = come_back(address, http, username="nina", sub="2", roles="aml-analysts")
        assert (taken.status_code, "somebody else" in taken.text) == (403, True)
        assert come_back(address, http, username="local", sub="3", roles="aml-analysts").status_code == 403
        runtime.unit.administer(
            lambda tx: tx.exec_driver_sql("UPDATE desk_users SET disabled_at = now() WHERE username = 'nina'")
        )
        assert come_back(address, http, username="nina", sub="1", roles="aml-analysts").status_code == 403


def test_a_person_is_one_at_the_desk_whatever_the_provider_calls_them(desk: tuple[Runtime, str]) -> None:
    runtime, address = desk
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        assert come_back(address, http, username="olga", sub="7", roles="aml-officers").status_code == 200
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        renamed = come_back(address, http, username="olga.married", sub="7", roles="aml-officers")
        assert (renamed.status_code, "you are olga at the desk" in renamed.text) == (403, True)
        assert http.get(f"{address}/desk/api/session").status_code == 401
    assert rows(runtime, "SELECT username FROM desk_users WHERE oidc_subject = '7'") == [("olga",)]
    told = rows(runtime, "SELECT count(*) FROM audit_entries WHERE details LIKE '%calls you olga.married now%'")
    assert told == [(1,)]
    with pytest.raises(IntegrityError):
        runtime.unit.administer(
            lambda tx: tx.exec_driver_sql(
                "INSERT INTO desk_users (username, password_hash, role, oidc_subject) VALUES ('o', '!', 'officer', '7')"
            )
        )


def test_an_answer_in_another_browser_or_a_second_time_lets_nobody_in(desk: tuple[Runtime, str]) -> None:
    _, address = desk
    with httpx.Client(verify=IN_THE_CLEAR) as http, httpx.Client(verify=IN_THE_CLEAR) as other:
        sent = http.get(f"{address}/desk/sign-in/oidc")
        allowed = http.post(sent.headers["location"], data={"username": "ida", "roles": "aml-analysts"})
        assert other.get(allowed.headers["location"]).status_code == 403
        assert http.get(allowed.headers["location"]).status_code == 200
        assert http.get(allowed.headers["location"]).status_code == 403


def failures(runtime: Runtime) -> int:
    ((count,),) = rows(runtime, "SELECT count(*) FROM audit_entries WHERE verb = 'sign_in_failed'")
    assert isinstance(count, int)
    return count


def test_who_was_not_sent_to_the_provider_is_not_put_down_and_others_so_often_only(desk: tuple[Runtime, str]) -> None:
    runtime, address = desk
    callback, denied = f"{address}/desk/sign-in/oidc/callback", {"error": "access_denied"}
    runtime.unit.administer(lambda tx: tx.exec_driver_sql("DELETE FROM desk_failures"))
    before = failures(runtime)
    assert in_the_clear.get(callback, params=denied).status_code == 403
    assert failures(runtime) == before
    said = []
    for _ in range(FAILURES_FROM_ADDRESS_MAX + 2):
        with httpx.Client(verify=IN_THE_CLEAR) as http:
            http.get(f"{address}/desk/sign-in/oidc")
            said.append(http.get(callback, params=denied))
    assert "access_denied" in said[0].text
    assert [answer.status_code for answer in said] == [403] * FAILURES_FROM_ADDRESS_MAX + [429] * 2
    assert failures(runtime) == before + FAILURES_FROM_ADDRESS_MAX
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        assert come_back(address, http, username="ida", roles="aml-analysts").status_code == 429
    runtime.unit.administer(lambda tx: tx.exec_driver_sql("DELETE FROM desk_failures"))
    with httpx.Client(verify=IN_THE_CLEAR) as http:
        assert come_back(address, http, username="ida", roles="aml-analysts").status_code == 200


def test_a_provider_that_is_away_leaves_the_password_form(parts: Parts) -> None:
    with (
        parts.runtime(SERVICE, desk_oidc_issuer="http://127.0.0.1:9") as runtime,
        listening(runtime) as address,
    ):
        answer = in_the_clear.get(f"{address}/desk/sign-in/oidc")
        assert answer.status_code == 403
        assert "the provider is away" in answer.text
        assert 'name="password"' in answer.text
        assert rows(runtime, "SELECT FROM audit_entries WHERE verb = 'sign_in_failed' AND details LIKE '%away%'") == []


@pytest.mark.parametrize(("seconds", "count"), [(oidc.AWAY_SECONDS, 1), (0, 3)])
def test_a_provider_that_was_away_is_not_asked_for_everybody(
    monkeypatch: pytest.MonkeyPatch, seconds: float, count: int
) -> None:
    asked: list[str] = []

    class Away(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None: ...

    monkeypatch.setattr(oidc, "AWAY_SECONDS", seconds)
    with ThreadingHTTPServer(("127.0.0.1", 0), Away) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        issuer = f"http://127.0.0.1:{server.server_port}"
        provider = oidc.Provider(ComplianceSettings(database_url="postgresql://nowhere", desk_oidc_issuer=issuer))
        for _ in range(3):
            with pytest.raises(oidc.ProviderFault, match="the provider is away"):
                provider.begin("http://desk/callback", "")
        server.shutdown()
    assert asked == ["/.well-known/openid-configuration"] * count
