"""Documents from addresses of the web, over HTTP and from the command line's side of the same thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kaynak.api import deps
from kaynak.domain import OWNER


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/inside":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, body = (200, b"Leave is 26 days.") if self.path == "/leave.txt" else (404, b"")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def add(api: Any, url: str, **more: Any) -> Any:
    return api("POST", "/v1/collections/handbook/documents/url", json={"url": url, **more})


def test_a_document_is_fetched_and_added(api, services, handbook, site):
    answer = add(api, f"{site}/leave.txt#top", metadata={"team": "hr"})
    assert answer.status_code == 202
    (item,) = answer.json()["items"]
    assert item["external_id"] == f"{site}/leave.txt"
    (document,) = services.store.documents.values()
    assert services.store.bytes[document.id] == b"Leave is 26 days."
    assert document.metadata == {"team": "hr"}
    assert add(api, f"{site}/leave.txt").status_code == 200
    assert (
        add(api, f"{site}/leave.txt", external_id="leave", title="Leave").json()["items"][0]["external_id"] == "leave"
    )
    assert list((services.settings.data_dir / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "status", "kind"),
    [
        ("{site}/inside", 422, "url-refused"),
        ("http://169.254.169.254/latest/meta-data/", 422, "url-refused"),
        ("http://[::1]:8000/", 422, "url-refused"),
        ("file:///etc/passwd", 422, "url-refused"),
        ("http://user:secret@127.0.0.1/", 422, "url-refused"),
        ("{site}/nothing", 502, "url-failed"),
        ("", 422, "invalid-request"),
    ],
)
def test_what_cannot_be_fetched_says_why_and_keeps_nothing(api, services, handbook, site, url, status, kind):
    answer = add(api, url.format(site=site))
    assert answer.status_code == status
    assert answer.json()["type"] == f"urn:kaynak:error:{kind}"
    assert answer.json()["hint"]
    assert "secret" not in answer.text
    assert services.store.documents == {}
    uploads = services.settings.data_dir / "uploads"
    assert not uploads.exists() or list(uploads.iterdir()) == []


def test_an_unknown_collection_is_not_fetched_for(api, site):
    assert add(api, f"{site}/leave.txt").status_code == 404


def test_where_people_sign_in_it_must_be_allowed(api, app, services, handbook, site):
    person = replace(OWNER, subject="user:1")
    app.dependency_overrides[deps._current_scope] = lambda: person
    try:
        refused = add(api, f"{site}/leave.txt")
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:kaynak:error:forbidden"
        urls = services.settings.urls.model_copy(update={"allow": True})
        services.settings = services.settings.model_copy(update={"urls": urls})
        assert add(api, f"{site}/leave.txt").status_code == 202
        # Who may only read adds nothing, and has nothing fetched.
        reader = replace(person, editable=frozenset())
        app.dependency_overrides[deps._current_scope] = lambda: reader
        assert add(api, f"{site}/nothing").status_code == 403
    finally:
        app.dependency_overrides.clear()
