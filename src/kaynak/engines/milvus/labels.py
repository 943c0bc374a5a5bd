"""What an index is, and which revision it reflects, as a row of its first collection: its label.

It is a row, as Milvus 2.3 forgets the last change of a collection's properties when it is started again; and one of the
first collection, so that it comes and goes with it. Each is written under a new id and the newest one counts: whoever
reads a row while it is replaced may get any of its former versions from Milvus 2.3.
"""

from __future__ import annotations

import time
from typing import Any

from kaynak.domain import CorruptIndex
from kaynak.engines.milvus.filters import SHEETS, TERMS, WORDS
from kaynak.engines.milvus.form import Form
from kaynak.engines.milvus.library import LoadState, MilvusClient, MilvusException
from kaynak.engines.milvus.store import Store

SPEC, REVISION, WRITTEN, COUNTS = "kaynak_spec", "kaynak_revision", "kaynak_written", "kaynak_counts"

_FIRST = -(2**63) + 1
_MOST = 1000
_MISSING, _NO_INDEX, _NOT_LOADED = 100, 700, 101

_present: dict[tuple[str, str], tuple[int, ...]] = {}
"""Ids of the labels that an index was last seen to have, by store and first collection."""

_written: dict[tuple[str, str], int] = {}
"""When that was written which the newest label speaks of that this process has seen, by the server's clock."""

_newest: dict[tuple[str, str], tuple[dict[str, Any], float]] = {}
"""The newest label that this process has seen, and when, by its own clock."""


def read(store: Store, client: MilvusClient, main: str) -> dict[str, Any]:
    """Returns the label of an index. It is read with a wait for the server's clock.

    Raises:
        CorruptIndex: There is no such index, or it was never finished.
    """
    found = find(store, client, main)
    if found is None:
        raise CorruptIndex(f"There is no index “{main}” in Milvus.")
    return found


def find(store: Store, client: MilvusClient, main: str) -> dict[str, Any] | None:
    """Returns the label, or None: there is no such index, or it was never finished."""
    try:
        try:
            return _look(store, client, main)
        except MilvusException as exc:
            if exc.code != _NOT_LOADED:
                raise
            # Files that were just opened are in memory only when they are asked to be.
            load(store, client, main)
            return _look(store, client, main)
    except MilvusException as exc:
        if exc.code in {_MISSING, _NO_INDEX}:
            return None
        raise


def recent(store: Store, client: MilvusClient, main: str, seconds: float) -> dict[str, Any]:
    """Returns the newest label that this process knows; asks for it where it was last seen longer ago than that.

    Raises:
        CorruptIndex: There is no such index.
    """
    label, seen = _newest.get((store.place, main), ({}, 0.0))
    return label if label and seen + seconds > time.monotonic() else read(store, client, main)


def _look(store: Store, client: MilvusClient, main: str) -> dict[str, Any] | None:
    rows = client.query(
        main,
        filter=f"id < {SHEETS}",
        output_fields=["id", SPEC, REVISION, WRITTEN, COUNTS],
        limit=_MOST,
        consistency_level="Strong",
        timeout=store.options.seconds,
    )
    if not rows:
        return None
    _present[store.place, main] = tuple(int(row["id"]) for row in rows)
    newest = dict(max(rows, key=lambda row: int(row["id"])))
    _note(store, main, newest, int(newest.get(WRITTEN) or 0))
    return newest


def written(store: Store, main: str) -> int:
    """Returns what reads have to wait for, so that what this process knows of an index is true of what they find.

    It is a time of the server's clock, which has passed but where a server was just started again and is still
    reading its log.
    """
    return _written.get((store.place, main), 1)


def _note(store: Store, main: str, label: dict[str, Any], moment: int) -> None:
    place = store.place, main
    _written[place] = max(moment, written(store, main))
    # Who reads while another one writes must not bring back what was there before.
    if int(label["id"]) >= int(_newest.get(place, (label, 0.0))[0]["id"]):
        _newest[place] = label, time.monotonic()


def forget(store: Store, main: str) -> None:
    """Forgets the label of an index that was removed."""
    _newest.pop((store.place, main), None)


def keep(store: Store, client: MilvusClient, form: Form, revision: int, counts: str = "") -> None:
    """Writes a new label, and removes those before. One at a time for each index.

    Args:
        store: Where to.
        client: Connected to it.
        form: Of the index.
        revision: That it reflects now.
        counts: What is known of its words, see `kaynak.engines.milvus.counting`.
    """
    former = _present.get((store.place, form.main), ())
    key = max(_FIRST + time.time_ns() // 1_000_000, *(one + 1 for one in former), _FIRST)
    label = {SPEC: form.stored(), REVISION: revision, COUNTS: counts}
    label[WRITTEN] = store.written_until(client, form.collections)
    row = blank_row(store, form, key) | label
    client.insert(form.main, [row], timeout=store.options.seconds)
    _note(store, form.main, {"id": key, **label}, store.written_until(client, form.collections))
    _present[store.place, form.main] = (key,)
    if former:
        store.drain()
        client.delete(form.main, ids=list(former), timeout=store.options.seconds)


def blank_row(store: Store, form: Form, key: int) -> dict[str, Any]:
    """Returns a row that is no point, and that no search finds."""
    row: dict[str, Any] = {"id": key, "document": "", TERMS: [], **form.blank}
    if store.embedded:
        row[WORDS] = ""
    return row


def load(store: Store, client: MilvusClient, collection: str) -> None:
    """Has a collection loaded into memory, without which nothing can be read from it."""
    seconds = store.options.seconds
    # It may be there in more or fewer copies than would be made today, which is no reason to load it again.
    if client.get_load_state(collection, timeout=seconds)["state"] != LoadState.Loaded:
        replicas = 1 if store.embedded else store.options.replicas
        client.load_collection(collection, timeout=seconds, replica_number=replicas)
