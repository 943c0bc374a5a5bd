from __future__ import annotations

import base64
import json
import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kaynak.testing.arangodb.database import Database
from kaynak.testing.arangodb.refusals import Refusal
from kaynak.testing.arangodb.routes import Asked, Routes

NEWEST = (3, 12, 9)


@dataclass(frozen=True, slots=True)
class Failing:
    """What goes wrong with some requests.

    Attributes:
        path: Regular expression for the paths it goes wrong with, of the requests with ``method``.
        refusal: What is answered.
        method: Of HTTP.
    """

    path: str
    refusal: Refusal
    method: str = "POST"


class ArangoServer:
    """Serves on a free port of the loopback address while its block lasts.

    It knows the requests that Kaynak makes, and of AQL what is documented for them: statements are read and run, not
    looked up. What depends on the version is as the documentation of that version says. All of it lies in memory.

    Args:
        version: From 3.12.4 on.
        vectors: Whether it was started with vector indexes.
        user: Who may come in.
        password: With what.
        servers: How many there are for replicas.

    Attributes:
        database: What it keeps.
        failing: What goes wrong.
        delay: Seconds before each answer.
        statements: Texts of the statements that came, oldest first.
    """

    def __init__(
        self,
        version: tuple[int, int, int] = NEWEST,
        *,
        vectors: bool = True,
        user: str = "root",
        password: str = "open-sesame",  # noqa: S107 - of a server that lives for a test
        servers: int = 1,
    ) -> None:
        self.database = Database(version, vectors=vectors, servers=servers)
        self.user, self.password = user, password
        self.failing: list[Failing] = []
        self.delay = 0.0
        self.statements: list[str] = []
        self._routes = Routes(self.database)
        self._jobs: dict[str, tuple[int, Any, bool]] = {}
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ArangoServer:
        """Starts."""
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.arango = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops."""
        assert self._http is not None
        assert self._thread is not None
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Where it serves."""
        assert self._http is not None, "the server runs inside its block"
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def answer(self, method: str, target: str, headers: dict[str, str], content: bytes) -> tuple[int, Any, str | None]:
        """Returns status and body of an answer, and the number of the job it is about."""
        time.sleep(self.delay)
        try:
            path = self._admitted(target, headers)
            if match := re.fullmatch("/_api/job/([^/]+)", path):
                return self._job(method, match[1])
            if headers.get("x-arango-async") == "store":
                number = self.database.number()
                status, body = self._plain(method, path, target, headers, content)
                self._jobs[number] = status, body, False
                return 202, {}, number
            return *self._plain(method, path, target, headers, content), None
        except Refusal as refusal:
            return *_refused(refusal), None

    def _admitted(self, target: str, headers: dict[str, str]) -> str:
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if headers.get("authorization") != f"Basic {expected}":
            raise Refusal(401, 11, "not authorized to execute this request")
        path = unquote(urlsplit(target).path)
        match = re.fullmatch("/_db/([^/]+)(/.*)", path)
        if match is None or match[1] != "_system":
            raise Refusal(404, 1228, "database not found")
        return match[2]

    def _plain(self, method: str, path: str, target: str, headers: dict[str, str], content: bytes) -> tuple[int, Any]:
        try:
            for one in self.failing:
                if one.method == method and re.fullmatch(one.path, path):
                    raise one.refusal
            route, parts = self._routes.find(method, path)
            body = json.loads(content) if content else {}
            if path == "/_api/cursor":
                self.statements.append(body.get("query", ""))
            number = headers.get("x-arango-trx-id")
            transaction = self.database.transaction(number) if number else None
            asked = Asked(parts, dict(parse_qsl(urlsplit(target).query)), body, transaction)
            if path == "/_api/transaction/begin" or path.startswith(("/_api/cursor", "/_api/document")):
                return route(asked)  # may have to wait for locks of collections
            with self.database.lock:
                return route(asked)
        except Refusal as refusal:
            return _refused(refusal)

    def _job(self, method: str, number: str) -> tuple[int, Any, str | None]:
        if number not in self._jobs:
            raise Refusal(404, 404, "job not found")
        status, body, asked = self._jobs[number]
        if not asked:
            # Takes a while.
            self._jobs[number] = status, body, True
            return 204, {}, None
        if method == "GET":
            return 200, {}, None
        del self._jobs[number]
        return status, body, number


def _refused(refusal: Refusal) -> tuple[int, Any]:
    return refusal.status, {
        "error": True,
        "code": refusal.status,
        "errorNum": refusal.number,
        "errorMessage": refusal.message,
    }


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    arango: ArangoServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go together, or the other side waits before it confirms the first.
    wbufsize = -1
    server: _Http

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        content = self.rfile.read(int(headers.get("content-length", "0")))
        status, body, job = self.server.arango.answer(self.command, self.path, headers, content)
        data = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if status != 204:
            self.send_header("content-length", str(len(data)))
        if job is not None:
            self.send_header("x-arango-async-id", job)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that the base class looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Says nothing."""
