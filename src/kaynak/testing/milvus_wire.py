"""milvus-lite behind a port, as a server that has sparse vectors: for tests, as no wheel has a newer real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 5.0


@contextmanager
def milvus_wire(folder: Path) -> Iterator[str]:
    """Serves files on loopback while the block runs; yields where.

    It has one clock and one copy, and so shows at once what a real server shows after a tick.
    """
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, database, _ = start_server_in_thread(str(folder), "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(grace=_SECONDS).wait()
        database.close()
