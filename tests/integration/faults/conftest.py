"""One running Kaynak for all faults that do not end it: the real application, reached as a client reaches it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
import pytest

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.catalog import EmbeddedPostgres
from kaynak.logs import configure_logs
from kaynak.settings import LimitSettings, ParsingSettings, Settings
from kaynak.testing.folders import quick_folder

T = TypeVar("T")
UPLOAD_MB = 16
ANCHOR = "The lighthouse keeper counts forty-two steps on the spiral staircase every evening."
_names = itertools.count()


class Service:
    """A Kaynak with its worker on an event loop in a thread of its own, and its API without a socket."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.run(self._open())

    def stop(self) -> None:
        try:
            self.run(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    async def _open(self) -> None:
        self._stack = AsyncExitStack()
        self.kaynak = await self._stack.enter_async_context(Kaynak.open(self.settings, worker=True))
        self._stop = asyncio.Event()
        self._working = asyncio.create_task(self.kaynak.worker.run(self._stop))
        transport = httpx.ASGITransport(create_app(self.kaynak), raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60)
        await self._stack.enter_async_context(self._client)

    async def _close(self) -> None:
        self._stop.set()
        await self._working
        await self._stack.aclose()

    def run(self, work: Awaitable[T], timeout: float = 100.0) -> T:
        """Runs ``work`` on the service's loop."""

        async def waited() -> T:
            return await asyncio.wait_for(work, timeout)

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result(timeout + 5)

    def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Sends a request; only errors that are declared may come back, and each says what to do."""
        return self.run(self.asked(method, path, **body))

    async def asked(self, method: str, path: str, **body: Any) -> httpx.Response:
        answer = await self._client.request(method, path, **body)
        if answer.status_code >= 400:
            problem = answer.json()
            assert answer.status_code < 500 or answer.status_code in {503, 507}, problem
            assert problem["type"].startswith("urn:kaynak:error:"), problem
            assert problem["detail"], problem
            assert "Traceback" not in answer.text
        return answer

    def collection(self, **parts: Any) -> str:
        """Makes a collection with one document, which must be found after every fault; returns its name."""
        name = f"faults-{next(_names)}"
        assert self.ask("POST", "/v1/collections", json={"name": name, **parts}).status_code == 201
        outcomes = self.send(name, {"anchor.txt": ANCHOR.encode()})
        assert outcomes["anchor.txt"]["outcome"] == "added", outcomes
        return name

    def send(self, collection: str, files: dict[str, bytes], **fields: str) -> dict[str, dict[str, Any]]:
        """Uploads files and waits for their job; returns what became of each by its external id."""
        parts = [("file", (name, content)) for name, content in files.items()]
        answer = self.ask("POST", f"/v1/collections/{collection}/documents", files=parts, data=fields)
        assert answer.status_code in {200, 202}, answer.text
        items = answer.json()["items"]
        if answer.status_code == 202:
            job = self.finished(answer.json()["job"]["id"])
            items = self.ask("GET", f"/v1/jobs/{job['id']}/items", params={"limit": 200}).json()["items"]
        assert all(item["outcome"] != "failed" or (item["error"] and item["error_code"]) for item in items), items
        return {item["external_id"]: item for item in items}

    def finished(self, job: str) -> dict[str, Any]:
        """Follows a job through its event stream; it must succeed as a whole."""
        stream = self.ask("GET", f"/v1/jobs/{job}/events")
        last = stream.text.strip().split("\n\n")[-1]
        assert last.startswith("event: done\n"), last
        found: dict[str, Any] = json.loads(last.partition("data: ")[2])
        assert found["state"] == "succeeded", found
        return found

    def found(self, collection: str, query: str, **more: Any) -> list[dict[str, Any]]:
        """Returns the hits of a search."""
        answer = self.ask("POST", "/v1/search", json={"query": query, "collections": [collection], **more})
        assert answer.status_code == 200, answer.text
        hits: list[dict[str, Any]] = answer.json()["hits"]
        return hits

    def documents(self, collection: str) -> list[str]:
        """Returns the external ids of a collection that are readable."""
        answer = self.ask("GET", f"/v1/collections/{collection}/documents", params={"limit": 200})
        return [one["external_id"] for one in answer.json()["items"] if one["version"]]

    def text(self, collection: str, external_id: str) -> str:
        """Returns the canonical text of a document."""
        params = {"external_id": external_id}
        (document,) = self.ask("GET", f"/v1/collections/{collection}/documents", params=params).json()["items"]
        return str(self.ask("GET", f"/v1/documents/{document['id']}/text").json()["text"])

    def works(self, collection: str) -> None:
        """Checks that nothing was lost: what was there is found, and what comes now is found too."""
        assert self.ask("GET", "/ready").status_code == 200
        assert self.found(collection, "steps of the lighthouse")[0]["external_id"] == "anchor.txt"
        assert self.send(collection, {"after.txt": b"Afterwards the zebras graze on the meadow."})
        assert self.found(collection, "grazing zebras")[0]["external_id"] == "after.txt"
        leftovers = [*(self.settings.data_dir / "blobs" / "incoming").iterdir()]
        uploads = self.settings.data_dir / "uploads"
        assert leftovers + ([*uploads.iterdir()] if uploads.exists() else []) == []


@pytest.fixture(scope="module")
def without_ocr() -> Iterator[None]:
    """Parsing processes that find no OCR library, whether or not one is installed here."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder, "sitecustomize.py").write_text("import sys\nsys.modules['rapidocr'] = None\n")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH")))))
        yield


@contextmanager
def opened(data_dir: Path, database_url: str | None) -> Iterator[Service]:
    configure_logs("CRITICAL", "json")
    service = Service(
        Settings(
            data_dir=data_dir,
            database_url=database_url,
            limits=LimitSettings(upload_mb=UPLOAD_MB),
            parsing=ParsingSettings(wall_seconds=60),
            _env_file=None,
        )
    )
    service.start()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def open_service() -> Callable[..., Any]:
    """Opens a Kaynak on a data directory; a context."""
    return opened


@pytest.fixture(scope="module")
def service(postgres: EmbeddedPostgres, without_ocr: None) -> Iterator[Service]:
    """The one that the cheap faults of a module share; each test has a collection of its own.

    It ends with the module: its thread draws random numbers (pauses of its pools and of who listens), and hypothesis
    takes those for a fault of whichever of its tests runs meanwhile.
    """
    name = "faults"
    admin = postgres.url.replace("/kaynak?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE kaynak STRATEGY file_copy")
    with (
        tempfile.TemporaryDirectory(prefix="kf-") as folder,
        opened(Path(folder), postgres.url.replace("/kaynak?", f"/{name}?")) as running,
    ):
        yield running
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def own_data_dir() -> Iterator[Path]:
    """For an embedded database: a short path that its account can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="kf-", dir=quick_folder()))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)
