"""Qdrant's REST interface on the loopback address, over the real engine (qdrant-edge) as storage.

It knows the calls that `kaynak.engines.qdrant` makes, takes only what Qdrant's documentation says they may hold, and
insists on what is left to chance otherwise: the key, ``wait=true`` with every write. Not here: clusters, optimizers,
and whatever the server does that the engine within it does not.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import qdrant_edge as edge

from kaynak.testing.qdrant_wire import Refused, config_of, filter_of, index_of, point_of, query_of, take, wire_row

Answer = tuple[int, Any]


@dataclass
class Request:
    """One that came: ``query`` is what stood after the question mark."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Collection:
    """One collection, and how it was asked for."""

    shard: edge.EdgeShard
    asked: dict[str, Any]


@dataclass
class QdrantStandIn:
    """What the server knows, and how it is to behave.

    Attributes:
        root: Where its files are.
        key: What ``api-key`` must be.
        version: What it says it is.
        requests: All that came.
        fault: Called before each request; what it returns is answered instead.
        url: Where it listens.
    """

    root: Path
    key: str | None = None
    version: str = "1.16.0"
    requests: list[Request] = field(default_factory=list)
    fault: Callable[[Request], Answer | None] = lambda request: None
    url: str = ""
    collections: dict[str, Collection] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, request: Request, key: str | None) -> Answer:
        """Returns status and result of a request."""
        self.requests.append(request)
        instead = self.fault(request)
        if instead is not None:
            return instead
        if request.path == "/":
            return 200, {"title": "qdrant - vector search engine", "version": self.version}
        if key != self.key:
            return 401, "Must provide an API key or an Authorization bearer token"
        try:
            with self.lock:
                return 200, self._route(request)
        except Refused as exc:
            return exc.status, str(exc)
        except Exception as exc:
            if type(exc) is not Exception:
                raise
            return 400, f"Wrong input: {exc}"

    def _route(self, request: Request) -> Any:
        _, first, *rest = request.path.split("/")
        if first != "collections":
            raise Refused(404, "Not found")
        if not rest:
            return {"collections": [{"name": name} for name in self.collections]}
        name, call = rest[0], "/".join(rest[1:])
        if request.method == "PUT" and not call:
            return self._make(name, request.body)
        if request.method == "GET" and call == "exists":
            return {"exists": name in self.collections}
        if request.method == "DELETE" and not call:
            return self._remove(name)
        if name not in self.collections:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        shard = self.collections[name].shard
        known: dict[tuple[str, str], Callable[[edge.EdgeShard, Request], Any]] = {
            ("GET", ""): self._info,
            ("PUT", "index"): _index,
            ("PUT", "points"): _upsert,
            ("POST", "points/delete"): _delete,
            ("POST", "points"): _retrieve,
            ("POST", "points/count"): _count,
            ("POST", "points/scroll"): _scroll,
            ("POST", "points/query"): _query,
            ("POST", "facet"): _facet,
        }
        handler = known.get((request.method, call))
        if handler is None:
            raise Refused(404, f"Not found: {request.method} {request.path}")
        if request.query.get("consistency", "majority") not in {"majority", "quorum", "all"}:
            raise Refused(400, "Wrong input: consistency")
        return handler(shard, request)

    def _make(self, name: str, body: dict[str, Any]) -> bool:
        if name in self.collections:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        path = self.root / name
        path.mkdir(parents=True)
        self.collections[name] = Collection(edge.EdgeShard.create(str(path), config_of(body)), body)
        return True

    def _remove(self, name: str) -> bool:
        gone = self.collections.pop(name, None)
        if gone is None:
            return False
        gone.shard.close()
        shutil.rmtree(self.root / name)
        return True

    def _info(self, shard: edge.EdgeShard, request: Request) -> Any:
        schema = shard.info().payload_schema
        types = {key: str(one.data_type).rsplit(".", 1)[-1].lower() for key, one in schema.items()}
        return {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": shard.info().segments_count,
            "points_count": shard.info().points_count,
            "config": {
                "params": {},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5},
            },
            "payload_schema": {key: {"data_type": one, "points": 0} for key, one in types.items()},
        }

    def close(self) -> None:
        """Closes all collections."""
        for name in list(self.collections):
            self.collections.pop(name).shard.close()


def _written(request: Request) -> None:
    if request.query.get("wait") != "true":
        raise Refused(400, "Wrong input: a write that does not wait")


def _index(shard: edge.EdgeShard, request: Request) -> Any:
    _written(request)
    body = take(request.body, "field_name", "field_schema")
    shard.update(edge.UpdateOperation.create_field_index(body["field_name"], index_of(body["field_schema"])))
    return {"operation_id": 1, "status": "completed"}


def _upsert(shard: edge.EdgeShard, request: Request) -> Any:
    _written(request)
    body = take(request.body, "points")
    shard.update(edge.UpdateOperation.upsert_points([point_of(one) for one in body["points"]]))
    return {"operation_id": 1, "status": "completed"}


def _delete(shard: edge.EdgeShard, request: Request) -> Any:
    _written(request)
    body = take(request.body, "filter")
    shard.update(edge.UpdateOperation.delete_points_by_filter(filter_of(body["filter"])))
    return {"operation_id": 1, "status": "completed"}


def _retrieve(shard: edge.EdgeShard, request: Request) -> Any:
    body = take(request.body, "ids", "with_payload", "with_vector")
    return [wire_row(one) for one in shard.retrieve(body["ids"], body.get("with_payload"), body.get("with_vector"))]


def _count(shard: edge.EdgeShard, request: Request) -> Any:
    body = take(request.body, "filter", "exact")
    return {"count": shard.count(edge.CountRequest(exact=body.get("exact", True), filter=filter_of(body["filter"])))}


def _scroll(shard: edge.EdgeShard, request: Request) -> Any:
    body = take(request.body, "filter", "limit", "offset", "with_payload", "with_vector")
    found, following = shard.scroll(
        edge.ScrollRequest(
            offset=body.get("offset"),
            limit=body["limit"],
            filter=filter_of(body["filter"]),
            with_payload=body.get("with_payload"),
            with_vector=body.get("with_vector"),
        )
    )
    after = following if following is None or isinstance(following, int) else str(following)
    return {"points": [wire_row(one) for one in found], "next_page_offset": after}


def _query(shard: edge.EdgeShard, request: Request) -> Any:
    return {"points": [wire_row(one) for one in shard.query(query_of(request.body))]}


def _facet(shard: edge.EdgeShard, request: Request) -> Any:
    body = take(request.body, "key", "limit", "exact")
    found = shard.facet(edge.FacetRequest(body["key"], limit=body["limit"], exact=body.get("exact", False)))
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in found.hits]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer go out apart, and would wait for each other's confirmation.
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        state = cast("_Server", self.server).state
        began = time.perf_counter()
        request = Request(self.command, parts.path, query, body)
        status, result = state.answer(request, self.headers.get("api-key"))
        told: Mapping[str, Any] = {"result": result, "status": "ok"} if status < 400 else {"status": {"error": result}}
        if parts.path == "/":
            told = result if status < 400 else told
        data = json.dumps({**told, "time": time.perf_counter() - began}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - the names of the library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the library
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The client opens a connection for each question that it asks at the same time.
    request_queue_size = 128
    state: QdrantStandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that did not wait for an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def qdrant_server(root: Path, *, key: str | None = None, version: str = "1.16.0") -> Iterator[QdrantStandIn]:
    """Runs one on a free port.

    Args:
        root: Where its files are.
        key: What ``api-key`` must be.
        version: What it says it is.
    """
    state = QdrantStandIn(root, key, version)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.state = state
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
            state.close()
