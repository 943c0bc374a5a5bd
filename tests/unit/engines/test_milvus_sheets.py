"""Sheets of counts, as numbers and as text."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines.milvus import labels, sheets
from kaynak.engines.milvus.reading import Reads
from kaynak.engines.milvus.sheets import SHEET, Counts, Numbers, Sheet, Tally, read, texts_of, total

TOP = 2**32 - 1


def numbers(**changes: int) -> Numbers:
    """Returns changes of words, named w1, w2 ..."""
    words = np.array([int(key[1:]) for key in changes], np.uint32)
    return Numbers(words, np.array(list(changes.values()), np.int32))


class Rows:
    """Rows of sheets by id."""

    def __init__(self, texts: dict[int, str]) -> None:
        self._texts = texts

    def rows(self, expression: str, fields: list[str]) -> list[dict[str, Any]]:
        asked = [int(one) for one in expression.removeprefix("id in [").removesuffix("]").split(",")]
        return [{"id": key, SHEET: self._texts[key]} for key in asked if key in self._texts]


def test_sums_leave_out_what_comes_to_nothing() -> None:
    summed = total([numbers(w9=2, w1=1), numbers(w1=-1, w4=3), numbers(w9=5)])
    assert (summed.words.tolist(), summed.changes.tolist()) == ([4, 9], [3, 7])
    assert [summed.of(word) for word in (0, 1, 4, 9, TOP)] == [0, 0, 3, 7, 0]
    assert len(total([]).words) == 0


def test_a_sheet_is_read_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_WORDS", 2)
    monkeypatch.setattr(sheets, "_ROWS", 2)
    whole = total([numbers(**{f"w{TOP}": -7, "w0": 100_000, "w5": 1, "w6": 2, "w7": 3})])
    texts = texts_of(whole)
    assert len(texts) == 3
    rows = Rows({10 + at: text for at, text in enumerate(texts)} | {20: texts_of(total([]))[0]})
    found = read(cast("Reads", rows), [Sheet(10, 3, 5), Sheet(20, 1, 0), Sheet(12, 2, 9)])
    assert sorted(found) == [10, 20]  # of the third one a row is missing
    assert (found[10].words.tolist(), found[10].changes.tolist()) == (whole.words.tolist(), whole.changes.tolist())
    assert len(found[20].words) == 0


def test_a_full_row_is_within_what_milvus_takes() -> None:
    words = np.arange(5001, dtype=np.uint32)
    texts = texts_of(Numbers(words, np.ones(5001, np.int32)))
    assert len(texts) == 2
    assert max(map(len, texts)) < 65_000


def test_what_a_label_says() -> None:
    counts = Counts(3, {"en": 2, "": 1}, (Sheet(10, 2, 7), Sheet(15, 1, 0)))
    assert Counts.of({labels.COUNTS: counts.stored()}) == counts
    assert counts.ids == {10, 11, 15}
    assert Counts.of({}) == Counts.of({labels.COUNTS: ""}) == Counts()


def test_frequencies_are_those_of_entries_that_there_are() -> None:
    tally = Tally(Counts(4), {1: numbers(w1=9, w2=2), 2: numbers(w2=1, w3=-1)})
    assert [tally.frequency(word) for word in (1, 2, 3, 4)] == [4, 3, 0, 0]
