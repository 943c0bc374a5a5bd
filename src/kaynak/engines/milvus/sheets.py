"""How many entries have each word. Milvus does not tell: its own BM25 counts for each segment, and after the filter.

It is kept in sheets: rows beside the entries, each with changes of numbers, to be added up. A write adds one with what
it changes, and takes up into it those sheets that are not much larger, so that there are few of them. The label says
which sheets count, and so is of the same moment as the revision.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import CorruptIndex
from kaynak.engines.milvus import labels
from kaynak.engines.milvus.entries import WordsForm
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.reading import Reads
from kaynak.engines.milvus.store import Store
from kaynak.engines.milvus.writing import parts

SHEET = "kaynak_sheet"

_WORDS = 5000
"""In one row: Milvus takes 65,536 bytes of fields that its schema does not know."""

_ROWS = 200
"""That are asked for at a time."""

_TRIES = 5


class Numbers(NamedTuple):
    """Changes of numbers by word, words ascending."""

    words: NDArray[np.uint32]
    changes: NDArray[np.int32]

    def of(self, word: int) -> int:
        """Returns the change of a word."""
        at = int(np.searchsorted(self.words, word))
        return int(self.changes[at]) if at < len(self.words) and self.words[at] == word else 0


class Sheet(NamedTuple):
    """Where a sheet lies: rows with ids from ``first`` on."""

    first: int
    rows: int
    words: int

    @property
    def ids(self) -> range:
        """Of its rows."""
        return range(self.first, self.first + self.rows)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a label says of words.

    Attributes:
        total: Entries.
        languages: How many of them are in each.
        sheets: Those that count, the oldest first.
    """

    total: int = 0
    languages: Mapping[str, int] = field(default_factory=dict)
    sheets: tuple[Sheet, ...] = ()

    @property
    def ids(self) -> frozenset[int]:
        """Of all rows that count."""
        return frozenset(key for one in self.sheets for key in one.ids)

    def stored(self) -> str:
        """Returns it as the label keeps it."""
        return json.dumps([self.total, dict(self.languages), self.sheets], sort_keys=True)

    @staticmethod
    def of(label: Mapping[str, Any]) -> Counts:
        """Returns what a label says; that of an index that was never written says nothing."""
        if not label.get(labels.COUNTS):
            return Counts()
        total, languages, sheets = json.loads(label[labels.COUNTS])
        return Counts(total, languages, tuple(Sheet(*one) for one in sheets))


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one moment.

    Attributes:
        counts: What the label said.
        sheets: By first id.
    """

    counts: Counts
    sheets: Mapping[int, Numbers]

    def frequency(self, word: int) -> int:
        """Returns how many entries have a word."""
        return max(0, min(self.counts.total, sum(one.of(word) for one in self.sheets.values())))


def tally(store: Store, client: MilvusClient, form: WordsForm, before: Tally | None, seconds: float) -> Tally:
    """Returns the counts of an index.

    Args:
        store: Where to.
        client: Connected to it.
        form: Of the index.
        before: Former ones: sheets never change, and most are those of before.
        seconds: How old what is known of the label may be.

    Raises:
        CorruptIndex: There is no such index, or sheets are missing.
    """
    reads = Reads(store, client, form, form.main)
    for _ in range(_TRIES):
        counts = Counts.of(labels.recent(store, client, form.main, seconds))
        if before is not None and before.counts == counts:
            return before
        known = dict(before.sheets) if before is not None else {}
        missing = [one for one in counts.sheets if one.first not in known]
        known |= read(reads, missing)
        if all(one.first in known for one in counts.sheets):
            return Tally(counts, {one.first: known[one.first] for one in counts.sheets})
        seconds = 0.0  # what was written meanwhile has taken one up
    raise CorruptIndex(f"What index “{form.name}” knows of its words is damaged.")


def read(reads: Reads, sheets: Sequence[Sheet]) -> dict[int, Numbers]:
    """Returns sheets by their first id; those of which rows are missing are left out."""
    texts: dict[int, str] = {}
    for ids in parts([key for one in sheets for key in one.ids], _ROWS):
        texts |= {int(row["id"]): row[SHEET] for row in reads.rows(f"id in {ids}", [SHEET])}
    return {
        one.first: total([_decoded(texts[key]) for key in one.ids])
        for one in sheets
        if all(key in texts for key in one.ids)
    }


def texts_of(numbers: Numbers) -> list[str]:
    """Returns what the rows of a sheet hold; at least one row."""
    starts = range(0, max(1, len(numbers.words)), _WORDS)
    return [_encoded(numbers.words[at : at + _WORDS], numbers.changes[at : at + _WORDS]) for at in starts]


def total(several: Sequence[Numbers]) -> Numbers:
    """Adds up; leaves out words of which nothing is left."""
    words, places = np.unique(np.concatenate([_NO_WORDS, *(one.words for one in several)]), return_inverse=True)
    changes = np.zeros(len(words), np.int32)
    np.add.at(changes, places, np.concatenate([_NO_CHANGES, *(one.changes for one in several)]))
    left = changes != 0
    return Numbers(words[left], changes[left])


_NO_WORDS, _NO_CHANGES = np.zeros(0, np.uint32), np.zeros(0, np.int32)


def _encoded(words: NDArray[np.uint32], changes: NDArray[np.int32]) -> str:
    return base64.b64encode(words.astype("<u4").tobytes() + changes.astype("<i4").tobytes()).decode()


def _decoded(text: str) -> Numbers:
    data = base64.b64decode(text)
    half = len(data) // 2
    return Numbers(
        np.frombuffer(data[:half], "<u4").astype(np.uint32), np.frombuffer(data[half:], "<i4").astype(np.int32)
    )
