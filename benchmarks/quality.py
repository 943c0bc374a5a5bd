"""nDCG@10 of search over retrieval sets, through the whole product with its defaults.

Every document is uploaded as text with its title, parsed, chunked, embedded and indexed; every query asks for
documents by words, by meaning, and by both.

    python benchmarks/quality.py --sets adi,medline --queries 100
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import ir_measures
from ir_measures import nDCG

from common import DATA, corpus, machine
from kaynak.app import Kaynak
from kaynak.domain import OWNER, GroupBy, JobState, SearchMode, SearchRequest
from kaynak.ingestion import Upload
from kaynak.settings import Settings

SETS = ("adi", "medline", "cranfield", "scifact", "cisi", "pubmedqa_l", "tquad_tr_train")
MODES = (SearchMode.LEXICAL, SearchMode.DENSE, SearchMode.HYBRID)
BATCH = 500
MOST = {"tquad_tr_train": 800}
"""Queries of large sets: a sample, always the same."""

Judgements = dict[str, dict[str, int]]


def questions(name: str, most: int | None) -> tuple[dict[str, str], Judgements]:
    """Returns the judged queries of a set and their judgements."""
    lines = (DATA / name / "queries.jsonl").read_text().splitlines()
    rows = [line.split("\t") for line in (DATA / name / "qrels.tsv").read_text().splitlines()[1:]]
    judged: Judgements = {}
    for query, document, grade in rows:
        judged.setdefault(query, {})[document] = int(grade)
    queries = {one["id"]: one["text"] for one in map(json.loads, lines) if one["id"] in judged}
    limit = most or MOST.get(name)
    if limit is not None and limit < len(queries):
        kept = random.Random(7).sample(sorted(queries), limit)
        queries = {key: queries[key] for key in kept}
    return queries, {key: judged[key] for key in queries}


@asynccontextmanager
async def product() -> AsyncIterator[Kaynak]:
    """Opens Kaynak on a scratch directory, with a worker."""
    with tempfile.TemporaryDirectory(prefix="kaynak-quality-") as scratch:
        settings = Settings(data_dir=Path(scratch), log={"level": "WARNING"})  # type: ignore[call-arg,arg-type]
        async with Kaynak.open(settings, worker=True) as kaynak:
            stop = asyncio.Event()
            worker = asyncio.create_task(kaynak.worker.run(stop))
            try:
                yield kaynak
            finally:
                stop.set()
                await worker


async def ingest(kaynak: Kaynak, collection: str, documents: Sequence[dict[str, str]]) -> None:
    """Uploads documents with text and waits until they are searchable."""
    await kaynak.collections.create(OWNER, collection)
    uploads = [
        Upload(one["id"], f"{one['id']}.txt", one["text"].encode(), "text/plain", title=one["title"] or None)
        for one in documents
        if one["text"].strip()
    ]
    for start in range(0, len(uploads), BATCH):
        submitted = await kaynak.intake.submit(OWNER, collection, uploads[start : start + BATCH])
        if submitted.job is None:
            continue
        job = submitted.job
        async for state in kaynak.jobs.watch(OWNER, job.id):
            job = state
        if job.state is not JobState.SUCCEEDED:
            raise RuntimeError(f"ingesting {collection} ended {job.state}")
    state = await kaynak.collections.get(OWNER, collection)
    await kaynak.followers.catch_up(state.id, state.revision, 600)


async def ndcg(kaynak: Kaynak, collection: str, queries: dict[str, str], judged: Judgements, mode: SearchMode) -> float:
    """Returns the mean nDCG@10 over the queries."""
    run: dict[str, dict[str, float]] = {}
    for key, text in queries.items():
        request = SearchRequest(text, (collection,), mode=mode, limit=10, group_by=GroupBy.DOCUMENT)
        hits = (await kaynak.searcher.search(request, OWNER)).hits
        # By rank: equal scores must not be put in an order of the measure's own.
        run[key] = {hit.external_id: float(len(hits) - rank) for rank, hit in enumerate(hits)}
    found: dict[object, float] = ir_measures.calc_aggregate([nDCG @ 10], judged, run)
    return found[nDCG @ 10]


async def main(sets: Sequence[str], most: int | None) -> None:
    print(
        f"{machine()}\n\n| set | documents | queries | words | meaning | both |\n|---|---|---|---|---|---|", flush=True
    )
    totals = [0.0] * len(MODES)
    async with product() as kaynak:
        for name in sets:
            documents = corpus(name)
            queries, judged = questions(name, most)
            collection = name.replace("_", "-")
            await ingest(kaynak, collection, documents)
            scores = [await ndcg(kaynak, collection, queries, judged, mode) for mode in MODES]
            totals = [total + score for total, score in zip(totals, scores, strict=True)]
            cells = " | ".join(f"{score:.4f}" for score in scores)
            print(f"| {name} | {len(documents):,} | {len(queries):,} | {cells} |", flush=True)
    means = " | ".join(f"{total / len(sets):.4f}" for total in totals)
    print(f"| **mean** | | | {means} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=",".join(SETS), help="names, separated by commas")
    parser.add_argument("--queries", type=int, default=None, help="at most this many of each set")
    options = parser.parse_args()
    asyncio.run(main(options.sets.split(","), options.queries))
