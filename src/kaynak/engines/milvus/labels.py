"""What an index is, and which revision it reflects, as a row of its first collection: its label.

It is a row, as Milvus 2.3 forgets the last change of a collection's properties when it is started again; and one of the
first collection, so that it comes and goes with it. Each is written under a new id and the newest one counts: whoever
reads a row while it is replaced may get any of its former versions from Milvus 2.3.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from kaynak.domain import CorruptIndex
from kaynak.engines.milvus.filters import LABELS, TERMS, WORDS
from kaynak.engines.milvus.library import LoadState, MilvusClient, MilvusException
from kaynak.engines.milvus.spec import Layout, main_collection
from kaynak.engines.milvus.store import Store

SPEC, REVISION, WRITTEN = "kaynak_spec", "kaynak_revision", "kaynak_written"

_FIRST = -(2**63) + 1
_MOST = 1000
_MISSING, _NO_INDEX, _NOT_LOADED = 100, 700, 101

_present: dict[tuple[str, str], tuple[int, ...]] = {}
"""Ids of the labels that an index was last seen to have, by store and name."""

_written: dict[tuple[str, str], int] = {}
"""When that was written which the newest label speaks of that this process has seen, by the server's clock."""


def read(store: Store, client: MilvusClient, name: str) -> dict[str, Any]:
    """Returns the label of an index. It is read with a wait for the server's clock.

    Raises:
        CorruptIndex: There is no such index, or it was never finished.
    """
    found = find(store, client, name)
    if found is None:
        raise CorruptIndex(f"There is no index “{name}”.")
    return found


def find(store: Store, client: MilvusClient, name: str) -> dict[str, Any] | None:
    """Returns the label, or None: there is no such index, or it was never finished."""
    main = main_collection(store.options.prefix, name)
    try:
        try:
            return _newest(store, client, name)
        except MilvusException as exc:
            if exc.code != _NOT_LOADED:
                raise
            # Files that were just opened are in memory only when they are asked to be.
            load(store, client, main)
            return _newest(store, client, name)
    except MilvusException as exc:
        if exc.code in {_MISSING, _NO_INDEX}:
            return None
        raise


def _newest(store: Store, client: MilvusClient, name: str) -> dict[str, Any] | None:
    rows = client.query(
        main_collection(store.options.prefix, name),
        filter=f"id <= {LABELS}",
        output_fields=["id", SPEC, REVISION, WRITTEN],
        limit=_MOST,
        consistency_level="Strong",
        timeout=store.options.seconds,
    )
    if not rows:
        return None
    _present[store.place, name] = tuple(int(row["id"]) for row in rows)
    newest = dict(max(rows, key=lambda row: int(row["id"])))
    _note(store, name, int(newest.get(WRITTEN) or 0))
    return newest


def written(store: Store, name: str) -> int:
    """Returns what reads have to wait for, so that what this process knows of an index is true of what they find.

    It is a time of the server's clock, which has passed but where a server was just started again and is still
    reading its log.
    """
    return _written.get((store.place, name), 1)


def _note(store: Store, name: str, moment: int) -> None:
    _written[store.place, name] = max(moment, written(store, name))


def keep(store: Store, client: MilvusClient, layout: Layout, revision: int) -> None:
    """Writes a new label, and removes those before. One at a time for each index."""
    former = _present.get((store.place, layout.name), ())
    key = max(_FIRST + time.time_ns() // 1_000_000, *(one + 1 for one in former), _FIRST)
    row: dict[str, Any] = {"id": key, "document": "", "first": False, TERMS: []}
    if store.embedded:
        row[WORDS] = ""
    row["vector"] = np.zeros(layout.fields[0].dimensions, dtype=np.float32)
    row |= {SPEC: layout.stored(), REVISION: revision, WRITTEN: store.written_until(client, layout.collections)}
    client.insert(layout.main, [row], timeout=store.options.seconds)
    _note(store, layout.name, store.written_until(client, layout.collections))
    _present[store.place, layout.name] = (key,)
    if former:
        store.drain()
        client.delete(layout.main, ids=list(former), timeout=store.options.seconds)


def load(store: Store, client: MilvusClient, collection: str) -> None:
    """Has a collection loaded into memory, without which nothing can be read from it."""
    seconds = store.options.seconds
    # It may be there in more or fewer copies than would be made today, which is no reason to load it again.
    if client.get_load_state(collection, timeout=seconds)["state"] != LoadState.Loaded:
        replicas = 1 if store.embedded else store.options.replicas
        client.load_collection(collection, timeout=seconds, replica_number=replicas)
