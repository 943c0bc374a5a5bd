"""A provider of OpenID Connect on the loopback address, in a process of its own: honest, or wrong in a chosen way.

It signs in whoever it was told to, without asking. What it signs is really signed: RS256, ES256 or EdDSA.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "kaynak", "a secret: of both"


class State:
    """What the provider knows and how it is to behave."""

    def __init__(self) -> None:
        self.issuer = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.person: dict[str, Any] = {"sub": "1", "email": "ayse@example.org", "email_verified": True}
        self.fault = ""
        self.algorithm = "RS256"
        self.userinfo_only: list[str] = []
        self.keys: dict[str, tuple[str, Any]] = {}
        self.rotate()

    def rotate(self) -> None:
        """Makes new keys, and forgets the old ones."""
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        stamp = secrets.token_hex(4)
        self.keys = {
            "RS256": (f"rsa-{stamp}", rsa.generate_private_key(65537, 2048)),
            "ES256": (f"ec-{stamp}", ec.generate_private_key(ec.SECP256R1())),
            "EdDSA": (f"ed-{stamp}", ed25519.Ed25519PrivateKey.generate()),
        }

    def jwks(self) -> dict[str, Any]:
        """Returns the public keys."""
        import jwt

        found = []
        for algorithm, (kid, key) in self.keys.items():
            public = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
            found.append({**public, "kid": kid, "alg": algorithm, "use": "sig"})
        return {"keys": found}

    def id_token(self, nonce: str) -> str:
        """Returns what is stated about the person, as wrongly as was wished."""
        import jwt

        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **{name: value for name, value in self.person.items() if name not in self.userinfo_only},
        }
        faults: dict[str, dict[str, Any]] = {
            "wrong-nonce": {"nonce": "another"},
            "wrong-audience": {"aud": "another client"},
            "many-audiences": {"aud": [CLIENT_ID, "another client"]},
            "another-party": {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
            "wrong-issuer": {"iss": "https://elsewhere.example.org"},
            "expired": {"iat": now - 900, "exp": now - 600},
            "future": {"iat": now + 900, "exp": now + 1800},
            "no-subject": {"sub": ""},
        }
        claims |= faults.get(self.fault, {})
        if self.fault == "no-nonce":
            del claims["nonce"]
        kid, key = self.keys[self.algorithm]
        if self.fault == "alg-none":
            return jwt.encode(claims, "", algorithm="none", headers={"kid": kid})
        if self.fault == "public-key-as-secret":
            return _signed_with_public_key(claims, kid, key)
        if self.fault == "foreign-key":
            key = State().keys[self.algorithm][1]
        if self.fault == "unknown-kid":
            kid = "unknown"
        return jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": kid})


def _signed_with_public_key(claims: dict[str, Any], kid: str, key: Any) -> str:
    import hmac

    from cryptography.hazmat.primitives import serialization

    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT", "kid": kid}, claims)
    )
    made = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    state: ClassVar[State]

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """Discovery, keys, the sign-in itself, and what else is known about a person."""
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/.well-known/openid-configuration":
            self._discovery()
        elif path == "/jwks":
            self._json(self.state.jwks())
        elif path == "/authorize":
            self._authorize({name: values[0] for name, values in query.items()})
        elif path == "/userinfo":
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            person = self.state.tokens.get(token)
            if person is not None and self.state.fault == "userinfo-of-another":
                person = {**person, "sub": "another"}
            self._json(person or {"error": "invalid_token"}, 200 if person else 401)
        else:
            self._json({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        """The exchange of codes, and how to behave from now on."""
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/control":
            wish = json.loads(content)
            if wish.pop("rotate", False):
                self.state.rotate()
            for name, value in wish.items():
                setattr(self.state, name, value)
            self._json({})
        elif self.path == "/token":
            self._token({name: values[0] for name, values in parse_qs(content.decode()).items()})
        else:
            self._json({"error": "not_found"}, 404)

    def _discovery(self) -> None:
        issuer = self.state.issuer
        self._json(
            {
                "issuer": "https://elsewhere.example.org" if self.state.fault == "another-name" else issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    def _authorize(self, asked: dict[str, str]) -> None:
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
        if any(asked.get(name) != value for name, value in wanted.items()) or "openid" not in asked["scope"].split():
            self._json({"error": "invalid_request"}, 400)
            return
        answer = {"state": asked["state"], "iss": self.state.issuer}
        if self.state.fault == "denied":
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.state.codes[answer["code"]] = asked
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
        self.end_headers()

    def _token(self, form: dict[str, str]) -> None:
        both = f"{quote(CLIENT_ID, safe='')}:{quote(CLIENT_SECRET, safe='')}"
        expected = "Basic " + base64.b64encode(both.encode()).decode()
        asked = self.state.codes.pop(form.get("code", ""), None)
        made = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(made).decode().rstrip("=")
        if self.headers.get("Authorization") != expected:
            self._json({"error": "invalid_client"}, 401)
        elif asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            self._json({"error": "invalid_grant"}, 400)
        else:
            access = secrets.token_urlsafe(16)
            self.state.tokens[access] = dict(self.state.person)
            self._json(
                {"access_token": access, "token_type": "Bearer", "id_token": self.state.id_token(asked["nonce"])}
            )

    def _json(self, value: object, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def oidc_provider() -> Iterator[str]:
    """Starts a provider and yields its issuer; ``POST {issuer}/control`` changes how it behaves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kaynak.testing.oidc_provider"], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line.startswith("http://"):
            raise RuntimeError("the provider did not start")
        yield line
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    """Serves until it is ended."""
    Handler.state = State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.state.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    sys.stdout.write(Handler.state.issuer + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
