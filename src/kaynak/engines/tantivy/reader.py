from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaynak.domain import CorruptIndex
from kaynak.engines.tantivy.faults import translated
from kaynak.engines.tantivy.filters import FilterCompiler
from kaynak.engines.tantivy.integrity import check_files, check_sizes
from kaynak.engines.tantivy.schema import FILTER, HEADER, LANGUAGE, REVISION

if TYPE_CHECKING:
    from tantivy import DocAddress, Index, Query, Searcher

_CHECK_EVERY = 1.0
"""Seconds between looks at the sizes of files that are mapped."""

_MAX_LANGUAGES = 8
"""A query is analysed in the most frequent languages of the index, at most this many."""

_ATTEMPTS = 5

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit of an index, opened for reading.

    Attributes:
        index: For building queries.
        searcher: Sees exactly this commit.
        filters: Compiles filters.
        revision: The collection revision the commit reflects.
        entries: How many entries it has.
        weighed: How many records tantivy's own BM25 counts: with the header, and with those that are deleted
            and not yet merged away.
        languages: Most frequent first; None stands for undetermined.
    """

    index: Index
    searcher: Searcher
    filters: FilterCompiler
    revision: int
    entries: int
    weighed: int
    languages: tuple[str | None, ...]

    def column(self, name: str, addresses: Sequence[DocAddress]) -> list[Any]:
        """Returns the values of a column for some entries."""
        return self.searcher.fast_field_values(name, list(addresses))

    def count(self, query: Query) -> int:
        """Returns how many entries match."""
        result: Any = self.searcher.search(query, 1, count=True)  # the stubs forget its count
        return int(result.count)


class Reader:
    """Follows the commits of one index directory. Thread-safe."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._directory = directory
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._snapshot: Snapshot | None = None
        self._sizes: dict[str, int] = {}
        self._checked = 0.0

    def snapshot(self) -> Snapshot:
        """Returns the newest commit; costs one file status if it is open already.

        Raises:
            CorruptIndex: The index is missing or damaged.
            EngineUnavailable: Its files cannot be opened now.
        """
        with translated(self._name, self._directory), self._lock:
            for attempt in range(_ATTEMPTS):
                now = self._now()
                try:
                    return self._fresh(now)
                except Exception:
                    # Another process may have committed and removed the old files between two of our steps.
                    if attempt == _ATTEMPTS - 1 or now == self._now():
                        self._forget()
                        raise
        raise AssertionError

    def _forget(self) -> None:
        self._snapshot, self._stamp, self._sizes = None, None, {}

    def _now(self) -> Stamp:
        status = (self._directory / "meta.json").stat()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _fresh(self, now: Stamp) -> Snapshot:
        clock = time.monotonic()
        if self._snapshot is None or now != self._stamp:
            self._sizes = check_files(self._name, self._directory, self._sizes)
            self._snapshot = _open(self._directory)
            self._stamp, self._checked = now, clock
        elif clock - self._checked > _CHECK_EVERY:
            check_sizes(self._name, self._directory, self._sizes)
            self._checked = clock
        return self._snapshot


def _open(directory: Path) -> Snapshot:
    import tantivy

    index = tantivy.Index.open(str(directory))
    # The default policy watches the files from a thread per index; we look before each search instead.
    index.config_reader("manual", 0)
    index.reload()
    searcher = index.searcher()
    header = searcher.search(tantivy.Query.term_query(index.schema, FILTER, HEADER, "basic"), 2, count=False).hits
    if len(header) != 1:
        raise CorruptIndex(f"Index “{directory.name}” has lost its revision.")
    (revision,) = searcher.fast_field_values(REVISION, [header[0][1]])
    languages = sorted(searcher.terms_with_prefix(FILTER, LANGUAGE), key=lambda item: (-item[1], item[0]))
    return Snapshot(
        index=index,
        searcher=searcher,
        filters=FilterCompiler(index, searcher),
        revision=int(revision or 0),
        entries=searcher.num_docs - 1,
        weighed=sum(one["max_doc"] for one in json.loads((directory / "meta.json").read_bytes())["segments"]),
        languages=tuple(key[len(LANGUAGE) :] or None for key, _ in languages[:_MAX_LANGUAGES]),
    )
