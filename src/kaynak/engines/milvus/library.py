"""pymilvus and milvus-lite, imported without what they do to a process as they are imported."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

_OFF = "PYTHON_DOTENV_DISABLED"


@contextmanager
def _own_environment() -> Iterator[None]:
    """Keeps ``.env`` out of the environment, into which pymilvus reads it; it would override what our settings say."""
    before = os.environ.get(_OFF)
    os.environ[_OFF] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_OFF]
        else:
            os.environ[_OFF] = before


# It tells people on the terminal that a process was started while it was at work.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

with _own_environment():
    import grpc
    import pymilvus
    from pymilvus import DataType, MilvusClient, MilvusException
    from pymilvus.client import ts_utils
    from pymilvus.client.types import LoadState
    from pymilvus.exceptions import MilvusUnavailableException

# It prints every error in red with its trace before it raises it; we raise our own.
logging.getLogger(pymilvus.__name__).setLevel(logging.CRITICAL + 1)

__all__ = [
    "DataType",
    "LoadState",
    "MilvusClient",
    "MilvusException",
    "MilvusUnavailableException",
    "grpc",
    "written_until",
]


def written_until(client: MilvusClient, collection: str, database: str) -> int:
    """Returns when this process last wrote to a collection, by the server's clock; 0 if it never did."""
    return int(ts_utils.get_collection_ts(collection, client._get_connection().server_address, database) or 0)
