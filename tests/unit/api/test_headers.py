"""What browsers are told, what pages of other origins may, and whose word counts for who asks."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from kaynak.api import create_app
from kaynak.api.proxies import TrustedProxies
from kaynak.domain import Misconfigured
from kaynak.settings import load_settings


def calling(app: Any, method: str, path: str, *, base: str = "http://127.0.0.1:8000", **options: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **options)

    return asyncio.run(run())


def app_with(services: Any, **changes: Any) -> FastAPI:
    services.settings = services.settings.model_copy(update=changes)
    app = create_app(services)
    app.state.kaynak = services
    return app


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/collections", 200), ("/health", 200), ("/nothing", 404), ("/docs", 200), ("/", 307)]
)
def test_every_answer_is_armoured(api, path, status):
    answer = api("GET", path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    for name in ("content-security-policy", "cache-control", "x-content-type-options"):
        assert len(answer.headers.get_list(name)) == 1
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


def test_refusals_and_defects_are_armoured_too(api, services, handbook):
    services.searcher.failure = RuntimeError("a defect")
    for answer in (
        api("GET", "/health", headers={"Host": "evil.example"}),
        api("POST", "/v1/search", json={"query": "x", "collections": [handbook]}),
    ):
        assert answer.status_code in (400, 500)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"


def test_the_documentation_loads_nothing_that_its_policy_forbids(api):
    page = api("GET", "/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|javascript:", page.text)
    script = api("GET", "/docs/docs.js").text
    assert not re.search(
        r"\beval\(|new Function|\.style\s*=|setAttribute\(\s*[\"']style|innerHTML|document\.write", script
    )


def test_under_tls_browsers_are_told_to_stay_there(api):
    answer = calling(api.app, "GET", "/health", base="https://127.0.0.1:8000")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


ORIGIN = "https://app.example.org"


def test_pages_of_other_origins_may_nothing_unless_they_are_named(api, services):
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    refused = calling(api.app, "OPTIONS", "/v1/search", headers=preflight)
    assert refused.status_code == 403
    assert not any(name.startswith("access-control") for name in refused.headers)
    app = app_with(services, cors_origins=(ORIGIN,))
    allowed = calling(
        app, "OPTIONS", "/v1/search", headers={**preflight, "Access-Control-Request-Headers": "authorization"}
    )
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in allowed.headers
    answer = calling(app, "GET", "/v1/collections", headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "origin" in answer.headers["vary"].lower()
    for other in ("http://app.example.org", "https://app.example.org:8443", "https://evil.example", "null"):
        answer = calling(app, "GET", "/v1/collections", headers={"Origin": other})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_with_any_host_a_page_must_still_be_our_own(services):
    app = app_with(services, allowed_hosts=("*",))
    ours = {"Host": "search.example.org", "Origin": "https://search.example.org"}
    assert calling(app, "GET", "/v1/collections", headers=ours).status_code == 200
    assert calling(app, "GET", "/v1/collections", headers={**ours, "Origin": "https://evil.example"}).status_code == 403


def seen_by(proxies: list[str], peer: str, *headers: tuple[str, str]) -> tuple[str, str]:
    """Returns the address and the scheme that the application sees."""
    found: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append((scope["client"][0], scope["scheme"]))

    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "client": (peer, 5), "scheme": "http", "headers": raw}
    asyncio.run(TrustedProxies(app, proxies=proxies)(scope, None, None))  # type: ignore[arg-type]
    return found[0]


FOR, PROTO = "X-Forwarded-For", "X-Forwarded-Proto"


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("10.0.0.1", [], ("10.0.0.1", "http")),
        ("10.0.0.1", [(FOR, "198.51.100.7"), (PROTO, "https")], ("198.51.100.7", "https")),
        ("::ffff:10.0.0.1", [(FOR, "198.51.100.7")], ("198.51.100.7", "http")),
        ("203.0.113.1", [(FOR, "198.51.100.7"), (PROTO, "https")], ("203.0.113.1", "http")),
        ("10.0.0.1", [(FOR, "127.0.0.1, 198.51.100.7")], ("198.51.100.7", "http")),
        ("10.0.0.1", [(FOR, "127.0.0.1"), (FOR, "198.51.100.7, 10.0.0.2")], ("198.51.100.7", "http")),
        ("10.0.0.1", [(FOR, "nonsense, 198.51.100.7")], ("198.51.100.7", "http")),
        ("10.0.0.1", [(FOR, "198.51.100.7, nonsense")], ("10.0.0.1", "http")),
        ("10.0.0.1", [(FOR, "[2001:db8::1]:443")], ("2001:db8::1", "http")),
        ("10.0.0.1", [(FOR, "198.51.100.7:999")], ("198.51.100.7", "http")),
        ("10.0.0.1", [(PROTO, "https, http")], ("10.0.0.1", "http")),
        ("10.0.0.1", [(PROTO, "gopher")], ("10.0.0.1", "http")),
        ("10.0.0.1", [(FOR, "1.2.3.4," * 100_000 + "198.51.100.7")], ("198.51.100.7", "http")),
    ],
)
def test_only_trusted_proxies_say_who_asks(peer, headers, expected):
    assert seen_by(["10.0.0.0/8"], peer, *headers) == expected


def test_without_proxies_nobody_says_who_asks():
    assert seen_by([], "127.0.0.1", (FOR, "198.51.100.7"), (PROTO, "https")) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trusted_proxies", ["not-an-address"]),
        ("trusted_proxies", ["10.0.0.0/99"]),
        ("cors_origins", ["*"]),
        ("cors_origins", ["https://*.example.org"]),
        ("cors_origins", ["https://app.example.org/"]),
        ("cors_origins", ["app.example.org"]),
    ],
)
def test_settings_that_would_open_more_than_meant_are_refused(tmp_path, name, value):
    with pytest.raises(Misconfigured, match=f"KAYNAK_{name.upper()}"):
        load_settings(data_dir=tmp_path, **{name: value})
