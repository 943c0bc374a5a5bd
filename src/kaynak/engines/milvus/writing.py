"""Writes. Milvus has none of several steps, so their order keeps what is found true at every moment.

New points come first, then what they replace goes, then the revision is stored: whoever searches meanwhile finds a
document as it was, as it is, or both, and after a crash the revision is that of before, and the same write is repeated.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from kaynak.domain import Conflict, CorruptIndex
from kaynak.engines.milvus.filters import EVERYTHING, LABEL
from kaynak.engines.milvus.library import MilvusClient, MilvusException
from kaynak.engines.milvus.rows import REVISION, SPEC, label_of, rows_of, schema_of
from kaynak.engines.milvus.spec import METRICS, Layout, layout_from, main_collection
from kaynak.engines.milvus.store import Store, each
from kaynak.engines.protocol import DenseSpec, Point

T = TypeVar("T")

_MISSING, _NO_INDEX, _NOT_LOADED = 100, 700, 101
_MESSAGE_BYTES = 8 << 20
_DOCUMENTS = 500

# Of one index, one write at a time: milvus-lite asks for it, and revisions would overtake each other.
_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


def lock_of(store: Store, name: str) -> threading.Lock:
    """Returns the lock of an index, which all engines of this process share."""
    return _locks[store.place, name]


def label(store: Store, client: MilvusClient, name: str) -> dict[str, Any]:
    """Returns the row that says what an index is, and which revision it reflects.

    It is a row, as Milvus 2.3 forgets the last change of a collection's properties when it is started again, and the
    first collection's own, so that it goes with it. It is read with a wait for the server's clock.

    Raises:
        CorruptIndex: There is no such index, or it was never finished.
    """
    found = _label(store, client, name)
    if found is None:
        raise CorruptIndex(f"There is no index “{name}”.")
    return found


def _label(store: Store, client: MilvusClient, name: str) -> dict[str, Any] | None:
    main = main_collection(name)

    def look() -> dict[str, Any] | None:
        rows = client.query(
            main,
            filter=f"id in [{LABEL}]",
            output_fields=[SPEC, REVISION],
            consistency_level="Strong",
            timeout=store.options.seconds,
        )
        return dict(rows[0]) if rows else None

    try:
        try:
            return look()
        except MilvusException as exc:
            if exc.code != _NOT_LOADED:
                raise
            # Files that were just opened are in memory only when they are asked to be.
            load(store, client, main)
            return look()
    except MilvusException as exc:
        if exc.code in {_MISSING, _NO_INDEX}:
            return None
        raise


def make(store: Store, client: MilvusClient, layout: Layout, spec: DenseSpec) -> None:
    """Makes the collections of an index, and says with the last step that it is there.

    Raises:
        Conflict: There is one of this name that is built differently.
    """
    known = _label(store, client, layout.name)
    if known is not None:
        if not layout_from(layout.name, known[SPEC]).fits(spec, layout):
            raise Conflict(f"Index “{layout.name}” exists and is built differently.")
        return
    remove(store, client, layout.name)  # what was left half made
    each(layout.collections, lambda name: _make_collection(store, client, layout, name))
    _keep(store, client, layout, 0)


def _make_collection(store: Store, client: MilvusClient, layout: Layout, name: str) -> None:
    options = store.options
    field = layout.fields[layout.collections.index(name)]
    # Strong is what whoever else reads the collection gets.
    client.create_collection(
        name,
        schema=schema_of(field, words=store.embedded),
        num_shards=1 if store.embedded else options.shards,
        consistency_level="Strong",
        timeout=options.seconds,
    )
    index = client.prepare_index_params()
    # The inner name is what milvus-lite reads them by; servers do too.
    params = {"params": layout.build_params}
    index.add_index("vector", index_type=layout.index_type, metric_type=METRICS[field.metric], params=params)
    # Not waiting for it: there is nothing to index yet.
    client.create_index(name, index, timeout=options.seconds, sync=False)
    load(store, client, name)


def load(store: Store, client: MilvusClient, collection: str) -> None:
    """Has a collection loaded into memory, without which nothing can be read from it."""
    replicas = 1 if store.embedded else store.options.replicas
    client.load_collection(collection, timeout=store.options.seconds, replica_number=replicas)


def remove(store: Store, client: MilvusClient, name: str) -> None:
    """Removes the collections of an index, the one that says that it is there first."""
    main = main_collection(name)
    for one in sorted(client.list_collections(timeout=store.options.seconds)):
        if one == main or one.startswith(f"{main}_"):
            client.drop_collection(one, timeout=store.options.seconds)


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
    each(layout.collections, lambda name: _clear(store, client, name, rows[name], points, deletes))
    store.sync(layout.collections)
    waits = not store.embedded and not layout.strong
    if waits and (len(layout.collections) > 1 or store.options.shards > 1):
        # Only within one shard does who sees the revision see all that was written before it.
        _see(store, client, layout)
    _keep(store, client, layout, revision)
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
            filter=f"id in [{LABEL}]",
            output_fields=["id"],
            consistency_level="Strong",
            timeout=store.options.seconds,
        )

    each(layout.collections, look)


def _keep(store: Store, client: MilvusClient, layout: Layout, revision: int) -> None:
    row = label_of(layout, revision, words=store.embedded)
    client.upsert(layout.main, [row], timeout=store.options.seconds)


def _row_bytes(layout: Layout) -> int:
    # A guess of what a row has beside its vector; servers take messages of 64 MiB.
    return 4 * max(one.dimensions for one in layout.fields) + 4096


def _parts(items: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
