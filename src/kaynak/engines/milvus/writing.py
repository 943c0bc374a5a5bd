"""Writes. Milvus has none of several steps, so their order keeps what is found true at every moment.

New points come first, then what they replace goes, then the revision is stored: whoever searches meanwhile finds a
document as it was, as it is, or both, and after a crash the revision is that of before, and the same write is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from kaynak.engines.milvus import labels
from kaynak.engines.milvus.filters import EVERYTHING, LABELS
from kaynak.engines.milvus.form import Form
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.store import Store, each

T = TypeVar("T")

_MESSAGE_BYTES = 8 << 20
_OTHER_BYTES = 4096
"""A guess of what a row has beside its vector."""

NAMES = 500
"""Documents or ids in one expression."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a write changes.

    Attributes:
        rows: New ones, by collection.
        ids: Of all points that are written.
        deletes: Documents whose other points go.
        row_bytes: A guess of what the vector of a row takes.
    """

    rows: Mapping[str, Sequence[dict[str, Any]]]
    ids: Sequence[int]
    deletes: Sequence[UUID]
    row_bytes: int


def write(store: Store, client: MilvusClient, form: Form, changes: Changes, revision: int, counts: str = "") -> None:
    """Writes points, removes what they replace, and then stores the revision.

    Args:
        store: Where to.
        client: Connected to it.
        form: Of the index.
        changes: What to write and remove.
        revision: That the index reflects then.
        counts: See `labels.keep`.
    """
    for name, some in changes.rows.items():
        # Servers take messages of 64 MiB.
        for part in parts(some, max(1, _MESSAGE_BYTES // (changes.row_bytes + _OTHER_BYTES))):
            client.upsert(name, part, timeout=store.options.seconds)
            store.wrote(client, name, len(part))
    store.drain()
    each(form.collections, lambda name: _clear(store, client, name, changes))
    store.sync(form.collections)
    waits = not store.strong(form)
    if waits and (len(form.collections) > 1 or store.options.shards > 1):
        # Only within one shard does who sees the revision see all that was written before it.
        _see(store, client, form)
    labels.keep(store, client, form, revision, counts)
    if waits:
        _see(store, client, form)


def _clear(store: Store, client: MilvusClient, collection: str, changes: Changes) -> None:
    """Deletes what documents had before, and the vectors that points have no longer."""
    new = {row["id"] for row in changes.rows[collection]}
    kept = f"not (id in {sorted(new)})" if new else EVERYTHING
    for documents in parts(sorted(map(str, changes.deletes)), NAMES):
        listed = ", ".join(f'"{one}"' for one in documents)
        client.delete(collection, filter=f"document in [{listed}] and {kept}", timeout=store.options.seconds)
    gone = [one for one in changes.ids if one not in new]
    for ids in parts(gone, NAMES):
        client.delete(collection, ids=ids, timeout=store.options.seconds)


def _see(store: Store, client: MilvusClient, form: Form) -> None:
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

    each(form.collections, look)


def parts(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Yields items, so many at a time."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
