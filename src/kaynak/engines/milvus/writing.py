"""Writes. Milvus has none of several steps, so their order keeps what is found true at every moment.

New points come first, then what they replace goes, then the revision is stored: whoever searches meanwhile finds a
document as it was, as it is, or both, and after a crash the revision is that of before, and the same write is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from kaynak.engines.milvus import labels
from kaynak.engines.milvus.filters import EVERYTHING, LABELS
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.rows import rows_of
from kaynak.engines.milvus.spec import Layout
from kaynak.engines.milvus.store import Store, each
from kaynak.engines.protocol import Point

T = TypeVar("T")

_MESSAGE_BYTES = 8 << 20
_DOCUMENTS = 500


def write(
    store: Store,
    client: MilvusClient,
    layout: Layout,
    upserts: Sequence[Point],
    deletes: Sequence[UUID],
    revision: int,
) -> None:
    """Writes points, removes what they replace, and then stores the revision."""
    points = list({one.id: one for one in upserts}.values())
    rows = rows_of(layout, points, words=store.embedded)
    for name, some in rows.items():
        for part in _parts(some, max(1, _MESSAGE_BYTES // _row_bytes(layout))):
            client.upsert(name, part, timeout=store.options.seconds)
            store.wrote(client, name, len(part))
    store.drain()
    each(layout.collections, lambda name: _clear(store, client, name, rows[name], points, deletes))
    store.sync(layout.collections)
    waits = not store.strong(layout)
    if waits and (len(layout.collections) > 1 or store.options.shards > 1):
        # Only within one shard does who sees the revision see all that was written before it.
        _see(store, client, layout)
    labels.keep(store, client, layout, revision)
    if waits:
        _see(store, client, layout)


def _clear(
    store: Store,
    client: MilvusClient,
    collection: str,
    rows: Sequence[dict[str, Any]],
    points: Sequence[Point],
    deletes: Sequence[UUID],
) -> None:
    """Deletes what documents had before, and the vectors that points have no longer."""
    new = {row["id"] for row in rows}
    kept = f"not (id in {sorted(new)})" if new else EVERYTHING
    for documents in _parts(sorted(map(str, deletes)), _DOCUMENTS):
        listed = ", ".join(f'"{one}"' for one in documents)
        client.delete(collection, filter=f"document in [{listed}] and {kept}", timeout=store.options.seconds)
    gone = [one.id for one in points if one.id not in new]
    for ids in _parts(gone, _DOCUMENTS):
        client.delete(collection, ids=ids, timeout=store.options.seconds)


def _see(store: Store, client: MilvusClient, layout: Layout) -> None:
    """Waits until the server shows what was written: for a tick of its clock, 200 ms by default.

    The writer waits for that, so that no reader has to: what anybody has seen, everybody sees.
    """

    def look(collection: str) -> None:
        client.query(
            collection,
            filter=f"id == {LABELS}",
            output_fields=["id"],
            consistency_level="Strong",
            timeout=store.options.seconds,
        )

    each(layout.collections, look)


def _row_bytes(layout: Layout) -> int:
    # A guess of what a row has beside its vector; servers take messages of 64 MiB.
    return 4 * max(one.dimensions for one in layout.fields) + 4096


def _parts(items: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
