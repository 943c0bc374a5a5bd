from __future__ import annotations

import base64
import json
import threading
import time

import httpx
import pytest

from kaynak.client import Client
from kaynak.client.calls import Call
from kaynak.client.signing_in import Credentials
from kaynak.domain import RateLimited, Unauthenticated


def token(number: int, seconds: float = 900) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode().rstrip("=")
    return f"h{number}.{claims}.s"


class Server:
    """Accepts the newest access token, and each refresh token once."""

    def __init__(self) -> None:
        self.number = 0
        self.refreshes: list[str] = []
        self.lock = threading.Lock()
        self.seconds = 900.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            if request.url.path == "/v1/auth/refresh":
                shown = json.loads(request.content)["refresh_token"]
                self.refreshes.append(shown)
                if shown != f"r{self.number}":
                    return httpx.Response(401, json={"type": "urn:kaynak:error:unauthenticated", "detail": "no"})
                self.number += 1
                access = token(self.number, self.seconds)
                return httpx.Response(200, json={"access_token": access, "refresh_token": f"r{self.number}"})
            if request.headers.get("authorization", "").startswith(f"Bearer h{self.number}."):
                return httpx.Response(200, json={"ok": True})
            return httpx.Response(401, json={"type": "urn:kaynak:error:unauthenticated", "detail": "no"})


def client(server, **options) -> Client:
    return Client("http://kaynak.test", transport=httpx.MockTransport(server), **options)


ASK = Call("GET", "/v1/me", dict)


def test_a_refused_token_is_exchanged_and_the_request_sent_again():
    server = Server()
    with client(server, token="stale", refresh_token="r0") as one:
        assert one._run(ASK) == {"ok": True}
        assert one._run(ASK) == {"ok": True}
        assert one.tokens[1] == "r1"
    assert server.refreshes == ["r0"]


def test_a_token_about_to_run_out_is_exchanged_before_it_is_sent():
    server = Server()
    with client(server, token=token(0, 5), refresh_token="r0") as one:
        one._run(ASK)
    assert server.refreshes == ["r0"]


def test_threads_that_share_a_client_exchange_once():
    server = Server()
    with client(server, token="stale", refresh_token="r0") as one:
        results: list[object] = []
        threads = [threading.Thread(target=lambda: results.append(one._run(ASK))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [{"ok": True}] * 8
    assert server.refreshes == ["r0"]


def test_a_refresh_token_that_is_refused_is_not_shown_again():
    server = Server()
    with client(server, token="stale", refresh_token="stolen") as one:
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                one._run(ASK)
    assert server.refreshes == ["stolen"]


def test_a_key_has_nothing_to_refresh():
    server = Server()
    with client(server, api_key="kyn_x", refresh_token="r0") as one, pytest.raises(Unauthenticated):
        one._run(ASK)
    assert server.refreshes == []


def test_what_is_refused_by_rate_is_said_as_such(monkeypatch):
    monkeypatch.setattr("kaynak.client.transport.time.sleep", lambda _: None)
    problem = {"type": "urn:kaynak:error:rate-limited", "detail": "slow", "hint": "wait"}
    with client(lambda _: httpx.Response(429, json=problem)) as one, pytest.raises(RateLimited):
        one._run(ASK)


def test_a_page_in_the_place_of_tokens_changes_nothing():
    credentials = Credentials("http://kaynak", "access", "refresh")
    credentials._taken(httpx.Response(200, content=b"<html>a proxy</html>"))
    assert (credentials.token, credentials.refresh_token) == ("access", "refresh")
