"""A small OpenID provider, as a process of its own: `python -m tests.integration.compliance.oidc_provider`.

Prints its address. Its sign-in form says who somebody is, and what is to be wrong with the answer.
"""

import base64
import hashlib
import html
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlparse

from authlib.jose import JsonWebKey, JsonWebToken

CLIENT_ID, CLIENT_SECRET = "weir-desk", "a secret of theirs"
KEY = JsonWebKey.generate_key("RSA", 2048, {"kid": "1"}, is_private=True)
OTHER_KEY = JsonWebKey.generate_key("RSA", 2048, {"kid": "1"}, is_private=True)


class Provider(BaseHTTPRequestHandler):
    """Discovery, keys, a sign-in form, and tokens for codes."""

    codes: ClassVar[dict[str, dict[str, str]]] = {}

    @property
    def issuer(self) -> str:
        return f"http://{self.headers['Host']}"

    def do_GET(self) -> None:
        match urlparse(self.path).path:
            case "/.well-known/openid-configuration":
                self._json(
                    {
                        "issuer": self.issuer,
                        "authorization_endpoint": f"{self.issuer}/authorize",
                        "token_endpoint": f"{self.issuer}/token",
                        "jwks_uri": f"{self.issuer}/keys",
                    }
                )
            case "/keys":
                self._json({"keys": [KEY.as_dict(is_private=False, use="sig", alg="RS256")]})
            case "/authorize":
                asked = html.escape(urlparse(self.path).query)
                self._answer(
                    200,
                    "text/html",
                    f'<form method="post" action="/authorize?{asked}"><label>Name <input name="username"></label>'
                    '<label>Roles <input name="roles"></label><label>Subject <input name="sub"></label>'
                    '<label>Fault <input name="fault"></label><button>Allow</button></form>',
                )
            case _:
                # The browser's wish for an icon, for instance.
                self._answer(200, "text/plain", "")

    def do_POST(self) -> None:
        form = _first(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if urlparse(self.path).path == "/authorize":
            asked = _first(urlparse(self.path).query)
            assert asked["code_challenge_method"] == "S256"
            assert asked["response_type"] == "code"
            code = secrets.token_urlsafe()
            self.codes[code] = {**asked, **form}
            state = "forged" if form.get("fault") == "state" else asked["state"]
            self.send_response(303)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': state})}")
            self.end_headers()
        else:
            self._token(form)

    def _token(self, form: dict[str, str]) -> None:
        known = self.codes.pop(form.get("code", ""), None)
        given = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_client = self.headers.get("Authorization") in (f"Basic {given}", f"Basic {plain}")
        if known is None or not is_client or challenge != known["code_challenge"]:
            self._json({"error": "invalid_grant"}, status=400)
            return
        fault, now = known.get("fault"), int(time.time())
        claims: dict[str, Any] = {
            "iss": "http://elsewhere" if fault == "issuer" else self.issuer,
            "aud": "another" if fault == "audience" else CLIENT_ID,
            "sub": known.get("sub") or f"subject of {known['username']}",
            "iat": now,
            "exp": now - 600 if fault == "expired" else now + 300,
            "nonce": "forged" if fault == "nonce" else known["nonce"],
            "preferred_username": known["username"],
            "groups": known.get("roles", "").split(),
        }
        key = OTHER_KEY if fault == "key" else KEY
        token = JsonWebToken(["RS256"]).encode({"alg": "RS256", "kid": "1"}, claims, key).decode()
        self._json({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _json(self, body: Any, *, status: int = 200) -> None:
        self._answer(status, "application/json", json.dumps(body))

    def _answer(self, status: int, media_type: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None: ...


def _first(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
