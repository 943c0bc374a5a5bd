"""`kaynak add https://…`: fetched first, then added like a file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/leave.txt" else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"Leave")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_address_is_kept_under_its_own_name(kaynak, services, site, monkeypatch):
    monkeypatch.setenv("KAYNAK_URLS__PRIVATE", '["127.0.0.1"]')
    done = kaynak("add", f"{site}/leave.txt", "-c", "handbook", "--json")
    assert done.exit_code == 0, done.output
    (document,) = services.store.documents.values()
    assert document.external_id == f"{site}/leave.txt"
    assert document.title == "leave.txt"
    assert services.store.bytes[document.id] == b"Leave"


def test_what_is_not_fetched_is_a_failure_of_its_own(kaynak, services, site, tmp_path, monkeypatch):
    monkeypatch.setenv("KAYNAK_URLS__PRIVATE", '["127.0.0.1"]')
    file = tmp_path / "a.txt"
    file.write_text("A file beside it.")
    done = kaynak("add", f"{site}/nothing", file, "-c", "handbook", "--json")
    assert done.exit_code == 1
    assert [item["external_id"] for item in done.document["failures"]] == [f"{site}/nothing"]
    assert [document.external_id for document in services.store.documents.values()] == ["a.txt"]


def test_addresses_inside_are_refused_without_the_setting(kaynak, services, site):
    done = kaynak("add", f"{site}/leave.txt", "-c", "handbook")
    assert done.exit_code == 1
    assert "not public" in done.output
    assert services.store.documents == {}


def test_prune_is_for_folders(kaynak, site):
    done = kaynak("add", f"{site}/leave.txt", "--prune")
    assert done.exit_code != 0
    assert "--prune" in done.output
