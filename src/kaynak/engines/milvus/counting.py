from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from kaynak.engines.milvus.entries import LANGUAGE, MARK, WordsForm
from kaynak.engines.milvus.filters import EVERYTHING, LABELS, SHEETS
from kaynak.engines.milvus.labels import blank_row
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.reading import PAGE, Reads
from kaynak.engines.milvus.sheets import SHEET, Counts, Numbers, Sheet, read, texts_of, total
from kaynak.engines.milvus.store import Store
from kaynak.engines.milvus.writing import NAMES, Changes, parts

_FIELDS = ["vector", LANGUAGE]
_MESSAGE = 100
"""Rows of a sheet in one message."""


class Counting:
    """Keeps the counts of an index true while it is written, see `kaynak.engines.milvus.sheets`.

    The new sheet is there before anything else of a write is. So whoever finds one that the label does not know yet
    knows that a write was cut off: how much of it is there nobody can tell, and everything is counted anew.

    Args:
        store: Where to.
        client: Connected to it.
        form: Of the index.
        counts: What its label says.
    """

    def __init__(self, store: Store, client: MilvusClient, form: WordsForm, counts: Counts) -> None:
        self._store = store
        self._client = client
        self._form = form
        self._reads = Reads(store, client, form, form.main)
        self._counts = counts
        # The label was read with a wait for the server's clock, so that what a cut off write left is seen by now.
        self._there = {int(row["id"]) for row in self._reads.rows(f"id >= {SHEETS} and id <= {LABELS}", [])}

    def prepare(self, changes: Changes) -> Counts:
        """Writes a sheet of what a write is about to change, and returns what the label is to say after it."""
        rows, broken = changes.rows[self._form.main], self._broken()
        if not (rows or changes.deletes or broken):
            return self._counts
        sums = _Sums()
        sums.add(rows, 1)
        if broken:
            sums.add(chain.from_iterable(self._reads.pages(EVERYTHING, _FIELDS, PAGE)), 1)
        if broken or self._counts.total:
            sums.add(self._replaced([row["id"] for row in rows], sorted(map(str, changes.deletes))), -1)
        numbers, former = sums.numbers(), Counts() if broken else self._counts
        sheets = list(former.sheets)
        while sheets and sheets[-1].words <= 2 * len(numbers.words):
            numbers = total([numbers, *read(self._reads, [sheets.pop()]).values()])
        sheets.append(self._written(numbers))
        languages = Counter(former.languages)
        languages.update(sums.languages)
        return Counts(former.total + sums.entries, {key: one for key, one in languages.items() if one}, tuple(sheets))

    def clear(self, counts: Counts) -> None:
        """Removes sheets that do not count any more, once the label says so."""
        for ids in parts(sorted(self._there - counts.ids), NAMES):
            self._client.delete(self._form.main, ids=ids, timeout=self._store.options.seconds)

    def _broken(self) -> bool:
        listed = self._counts.ids
        return not listed <= self._there or max(self._there, default=SHEETS) > max(listed, default=SHEETS)

    def _replaced(self, ids: list[int], documents: list[str]) -> Iterator[Mapping[str, Any]]:
        """Yields the rows that will be replaced or deleted, each once."""
        seen: set[int] = set()
        by_id = (self._reads.rows(f"id in {some}", _FIELDS) for some in parts(ids, NAMES))
        listed = (", ".join(f'"{one}"' for one in some) for some in parts(documents, NAMES))
        by_document = (page for some in listed for page in self._reads.pages(f"document in [{some}]", _FIELDS, PAGE))
        for row in chain.from_iterable(chain(by_id, by_document)):
            if int(row["id"]) not in seen:
                seen.add(int(row["id"]))
                yield row

    def _written(self, numbers: Numbers) -> Sheet:
        """Writes a sheet under ids that none has had before, also of an index of this name that was removed."""
        first = max(SHEETS + (time.time_ns() // 1_000_000 << 10), max(self._there, default=SHEETS) + 1)
        texts = texts_of(numbers)
        rows = [blank_row(self._store, self._form, first + at) | {SHEET: text} for at, text in enumerate(texts)]
        for some in parts(rows, _MESSAGE):
            self._client.upsert(self._form.main, some, timeout=self._store.options.seconds)
            self._store.wrote(self._client, self._form.main, len(some))
        self._store.sync(self._form.collections)
        return Sheet(first, len(rows), len(numbers.words))


class _Sums:
    """What rows add up to."""

    def __init__(self) -> None:
        self.entries = 0
        self.languages: Counter[str] = Counter()
        self._numbers: list[Numbers] = []

    def add(self, rows: Iterable[Mapping[str, Any]], sign: int) -> None:
        """Adds rows, or takes them away."""
        words: Counter[int] = Counter()
        for row in rows:
            self.entries += sign
            self.languages[row[LANGUAGE]] += sign
            words.update(row["vector"].keys())
        del words[MARK]
        self._numbers.append(
            Numbers(
                np.fromiter(words.keys(), np.uint32, len(words)),
                np.fromiter(words.values(), np.int32, len(words)) * np.int32(sign),
            )
        )

    def numbers(self) -> Numbers:
        """Returns changes by word."""
        return total(self._numbers)
