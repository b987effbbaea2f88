"""Signing in by an OpenID provider: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0).

    /desk/sign-in/oidc ─► the provider ─► …/callback: code for tokens ─► the id token's claims ─► a session

What ties the answer to the question is in a cookie of its own, for some minutes. That cookie has to come along from
another site, and so is the one that is not `strict`.
"""

import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

import httpx
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

from libs.common.record import Record
from services.compliance.domain.people import Role, is_username
from services.compliance.settings import ComplianceSettings

FLOW_SECONDS = 600
TIMEOUT_SECONDS = 5.0
METADATA_SECONDS = 600
"""How long the provider's addresses and keys are taken for known."""
AWAY_SECONDS = 10
"""How long a provider that was away is taken to be so: nobody waits for it, and it is not asked for everybody."""
LEEWAY_SECONDS = 60
ALGORITHMS = ["RS256", "ES256", "PS256"]


class OidcFault(Exception):
    """Somebody can't be let in by the provider, and why."""


class ProviderFault(OidcFault):
    """The provider is away, or not the one it is said to be: nobody has failed to sign in."""


class Flow(Record):
    """What is asked of the provider, as the browser keeps it until the answer comes."""

    state: str
    nonce: str
    verifier: str
    goes_to: str

    def as_cookie(self) -> str:
        return urlsafe_b64encode(msgspec.json.encode(self)).decode()


class Person(Record):
    """Who the provider says somebody is."""

    subject: str
    username: str
    role: Role


class Provider:
    """An OpenID provider, by configuration."""

    def __init__(self, settings: ComplianceSettings) -> None:
        assert settings.desk_oidc_issuer is not None
        self._issuer = settings.desk_oidc_issuer.rstrip("/")
        self._client_id = settings.desk_oidc_client_id
        secret = settings.desk_oidc_client_secret
        self._secret = secret.get_secret_value() if secret is not None else None
        self._role_claim = settings.desk_oidc_role_claim
        self._roles = dict(settings.desk_oidc_roles) or {role.value: role for role in Role}
        self._username_claim = settings.desk_oidc_username_claim
        self._known_until = 0.0
        self._away: tuple[float, str] = 0.0, ""
        self._metadata: Mapping[str, Any] = {}
        self._keys: Any = None
        # Once: to read all of the world's authorities takes 30 ms, and with each client they would be read anew.
        self._trusted = httpx.create_ssl_context()

    def begin(self, redirect_uri: str, goes_to: str) -> tuple[str, Flow]:
        """Where to send somebody, and what to remember of it. Raises OidcFault."""
        self._learn()
        flow = Flow(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            goes_to=goes_to,
        )
        with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                self._metadata["authorization_endpoint"],
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.verifier,
            )
        return str(address), flow

    def finish(self, redirect_uri: str, flow: Flow, *, state: str, code: str) -> Person:
        """Who has come back from the provider. Raises OidcFault."""
        if not compare_digest(state.encode(), flow.state.encode()):
            raise OidcFault("what came back does not belong to this browser")
        self._learn()
        try:
            with self._client(redirect_uri) as client:
                tokens = client.fetch_token(
                    self._metadata["token_endpoint"],
                    code=code,
                    code_verifier=flow.verifier,
                    grant_type="authorization_code",
                )
            return self._person(self._claims(str(tokens.get("id_token", "")), flow.nonce))
        except httpx.HTTPError as error:
            raise ProviderFault(f"the provider is away: {error}") from error
        except (AuthlibBaseError, ValueError, KeyError) as error:
            raise OidcFault(f"the provider's answer was not accepted: {error}") from error

    def _claims(self, id_token: str, nonce: str) -> CodeIDToken:
        claims = JsonWebToken(ALGORITHMS).decode(
            id_token,
            self._keys,
            claims_cls=CodeIDToken,
            claims_options={
                "iss": {"essential": True, "value": self._metadata["issuer"]},
                "aud": {"essential": True, "value": self._client_id},
                "exp": {"essential": True},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": nonce},
            },
            claims_params={"nonce": nonce, "client_id": self._client_id},
        )
        claims.validate(leeway=LEEWAY_SECONDS)
        return claims

    def _person(self, claims: Mapping[str, Any]) -> Person:
        username = str(claims.get(self._username_claim, "")).strip().lower()
        if not is_username(username):
            raise OidcFault(f"the provider gives no user name that the desk takes: {username[:40]!r}")
        given = claims.get(self._role_claim) or []
        named = [given] if isinstance(given, str) else given
        roles = {self._roles[name] for name in named if isinstance(name, str) and name in self._roles}
        if len(roles) != 1:
            raise OidcFault(f"the provider names {len(roles) or 'no'} roles for {username}, and must name one")
        return Person(subject=str(claims["sub"]), username=username, role=roles.pop())

    def _client(self, redirect_uri: str) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._client_id,
            client_secret=self._secret,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            redirect_uri=redirect_uri,
            scope="openid profile",
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            verify=self._trusted,
        )

    def _learn(self) -> None:
        """Ask the provider for its addresses and keys, now and then. Raises ProviderFault."""
        if time.monotonic() < self._known_until:
            return
        away_until, why = self._away
        if time.monotonic() < away_until:
            raise ProviderFault(why)
        try:
            metadata = self._fetch(f"{self._issuer}/.well-known/openid-configuration")
            if str(metadata["issuer"]).rstrip("/") != self._issuer:
                raise ValueError("it says that it is another")
            keys = JsonWebKey.import_key_set(self._fetch(metadata["jwks_uri"]))
            self._metadata, self._keys = metadata, keys
        except (httpx.HTTPError, ValueError, KeyError) as error:
            fault = ProviderFault(f"the provider is away: {error}")
            self._away = time.monotonic() + AWAY_SECONDS, str(fault)
            raise fault from error
        self._known_until = time.monotonic() + METADATA_SECONDS

    def _fetch(self, address: str) -> Any:
        answer = httpx.get(address, timeout=TIMEOUT_SECONDS, verify=self._trusted)
        answer.raise_for_status()
        return answer.json()


def flow_of(cookie: str | None) -> Flow:
    """What was remembered. Raises OidcFault."""
    try:
        return msgspec.json.decode(urlsafe_b64decode((cookie or "").encode()), type=Flow)
    except (ValueError, msgspec.MsgspecError) as error:
        raise OidcFault("it took too long, or was begun in another browser") from error
