"""What remembering saves, and how often a question that only looks alike would get another one's answer.

The abstracts of a set are asked twice each: what a search costs without a cache, with one that does not know it, and
with one that does. Then all pairs of SQuAD 2.0 questions are compared as the semantic cache does; half of them were
written to look like an answerable question and be none.

    python benchmarks/caching.py --set medline
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence

import numpy as np

from common import DATA, corpus, machine, percentile
from depth import product
from kaynak.app import Kaynak
from kaynak.domain import OWNER, SearchRequest
from kaynak.generation.caching.agreeing import agree
from quality import ingest, questions

SQUAD = "squad2_dev_half"
THRESHOLDS = (0.9, 0.95, 0.98)
BATCH = 256


async def timed(kaynak: Kaynak, collection: str, asked: Sequence[str], limit: int) -> float:
    """Returns the median milliseconds of a search."""
    spent = []
    for text in asked:
        begin = time.perf_counter()
        await kaynak.searcher.search(SearchRequest(text, (collection,), limit=limit), OWNER)
        spent.append((time.perf_counter() - begin) * 1000)
    return percentile(spent, 50)


async def searches(kaynak: Kaynak, name: str, what: str) -> None:
    """Prints what a search costs the first and the second time; the vectors of the queries are known before."""
    await ingest(kaynak, name, corpus(name))
    asked = list(questions(name, 200)[0].values())
    await timed(kaynak, name, asked, 10)
    first, second = [await timed(kaynak, name, asked, 9) for _ in range(2)]
    print(f"search {what}, p50 ms: the first time {first:.1f}, the second time {second:.1f}", flush=True)


async def alike(kaynak: Kaynak) -> None:
    """Prints, per threshold, the pairs of questions that lie as near, and of how many the answers differ."""
    rows = {row["query_id"]: row for row in map(json.loads, (DATA / SQUAD / "answers.jsonl").read_text().splitlines())}
    asked = [json.loads(line) for line in (DATA / SQUAD / "queries.jsonl").read_text().splitlines()]
    asked = [one for one in asked if one["id"] in rows]
    texts = [one["text"] for one in asked]
    embedder = await kaynak.embedders.get("minilm")
    vectors = np.concatenate(
        [await embedder.embed(texts[at : at + BATCH], "query") for at in range(0, len(texts), BATCH)]
    )
    near = np.triu(vectors @ vectors.T, 1)
    golds = [_gold(rows[one["id"]]) for one in asked]
    print(f"\n{len(texts)} questions\n\n| threshold | pairs as near | other answers | agreeing | other answers |")
    print("|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        pairs = list(zip(*np.nonzero(near >= threshold), strict=True))
        agreeing = [(one, other) for one, other in pairs if agree(texts[one], texts[other])]
        counts = [
            (len(some), sum(not golds[one] & golds[other] and _other(texts[one], texts[other]) for one, other in some))
            for some in (pairs, agreeing)
        ]
        print(f"| {threshold} | {counts[0][0]} | {counts[0][1]} | {counts[1][0]} | {counts[1][1]} |", flush=True)


def _gold(row: dict[str, object]) -> frozenset[str]:
    answers = row["answers"]
    if row["is_impossible"] or not isinstance(answers, list):
        return frozenset([f"none:{row['doc_id']}"])
    return frozenset(str(answer["text"]).casefold().strip(" .") for answer in answers)


def _other(one: str, other: str) -> bool:
    """Whether two texts differ: the same question was put to several paragraphs, one of which may not answer it."""
    return "".join(filter(str.isalnum, one.casefold())) != "".join(filter(str.isalnum, other.casefold()))


async def main(name: str) -> None:
    print(f"{machine()}\n")
    async with product() as kaynak:
        await searches(kaynak, name, "without a cache")
        await alike(kaynak)
    async with product(remember=True) as kaynak:
        await searches(kaynak, name, "with a cache")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="medline", help="a retrieval set")
    asyncio.run(main(parser.parse_args().set))
