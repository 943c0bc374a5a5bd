from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from uuid import UUID

import pytest

from kaynak.engines import Entry
from kaynak.engines.tantivy import TantivyEngine
from kaynak.testing.engines import NAME
from kaynak.testing.lexical import SPEC


def gain(ranking: list[str], judged: dict[str, int]) -> float:
    """nDCG@10."""
    won = sum(judged.get(key, 0) / math.log2(rank + 2) for rank, key in enumerate(ranking[:10]))
    best = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(sorted(judged.values())[::-1][:10]))
    return won / best


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "language", "floor"),
    [("adi", "en", 0.49), ("medline", "en", 0.685), ("cranfield", "en", 0.36), ("tquad_tr_train", "tr", 0.83)],
)
def test_quality_does_not_fall(shared_data: Path, tmp_path: Path, name: str, language: str, floor: float) -> None:
    """Floors a little below what was reached when the analysis was chosen."""
    corpus = lines(shared_data / name / "corpus.jsonl")
    judgements: dict[str, dict[str, int]] = {}
    for line in (shared_data / name / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, key, grade = line.split("\t")
        judgements.setdefault(query, {})[key] = max(0, int(float(grade)))
    queries = [
        one for one in lines(shared_data / name / "queries.jsonl") if any(judgements.get(one["id"], {}).values())
    ]
    queries = queries[:: max(1, len(queries) // 400)]

    async def work() -> float:
        engine = TantivyEngine(tmp_path)
        try:
            await engine.create(SPEC)
            entries = [
                Entry(key, UUID(int=key), one["text"], one.get("title") or "", language, {})
                for key, one in enumerate(corpus)
            ]
            await engine.apply(NAME, entries, [], 1)
            total = 0.0
            for query in queries:
                found = await engine.search(NAME, query["text"], 10)
                total += gain([corpus[key]["id"] for key in found.ids], judgements[query["id"]])
            return total / len(queries)
        finally:
            await engine.close()

    assert asyncio.run(work()) >= floor
