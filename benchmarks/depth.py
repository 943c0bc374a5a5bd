"""What it brings, and costs, to look harder: each way of looking against one search, through the whole product.

Documents are asked for, and compared with the judgements: nDCG@10, and the share of the judged documents that is
found. Then two questions of SQuAD each are made one, and both paragraphs have to be among ten passages. A model's
help is scripted: that says what it costs, and nothing about what it brings.

    python benchmarks/depth.py --sets medline,cranfield --queries 100
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import ir_measures
from ir_measures import R, nDCG

from common import DATA, corpus, machine, percentile
from kaynak.app import Kaynak
from kaynak.domain import OWNER, AskRequest, Depth, GroupBy, Hit, SearchMode, SearchRequest, TokenUsage
from kaynak.engines.analysis.stopwords import ENGLISH, TURKISH
from kaynak.generation.deepening.evidence import Evidence
from kaynak.generation.protocol import Found
from kaynak.settings import Settings
from kaynak.testing.scripted_model import ScriptedModel
from quality import ingest, questions

SETS = ("medline", "cranfield", "scifact", "tquad_tr_train")
MOST = 300
PAIRS = 200
SQUAD = "squad2_dev_half"
_WORD = re.compile(r"\w[\w’'.-]*")
_JOINS = re.compile(r"\s*(?:[;,?]|\b(?:and|or|ve|veya|versus|as well as)\b)\s*", re.IGNORECASE)
_STOP = frozenset(f"{ENGLISH} {TURKISH} are is does has been have".split())

Look = Callable[[SearchRequest], Awaitable[Sequence[Hit]]]


@asynccontextmanager
async def product(*, remember: bool = False) -> AsyncIterator[Kaynak]:
    """Opens Kaynak on a scratch directory, with a worker, and with its caches if it is to remember."""
    with tempfile.TemporaryDirectory(prefix="kaynak-depth-") as scratch:
        settings = Settings(
            data_dir=Path(scratch),
            log={"level": "WARNING"},  # type: ignore[arg-type]
            cache={"answers": remember, "searches": remember},  # type: ignore[arg-type]
        )  # type: ignore[call-arg]
        async with Kaynak.open(settings, worker=True) as kaynak:
            stop = asyncio.Event()
            worker = asyncio.create_task(kaynak.worker.run(stop))
            try:
                yield kaynak
            finally:
                stop.set()
                await worker


async def found(kaynak: Kaynak, search: SearchRequest, depth: Depth, model: ScriptedModel | None = None) -> Found:
    """Returns what the product finds at a depth."""
    async for step in kaynak.finder.find(AskRequest(search), OWNER, depth=depth, model=model):
        if isinstance(step, Found):
            return step
    raise RuntimeError("nothing was found, and nothing said so")


def ways(kaynak: Kaynak) -> dict[str, Look]:
    """Returns the ways of looking by name; the first is what all others are compared with."""

    def at(depth: Depth) -> Look:
        async def look(search: SearchRequest) -> Sequence[Hit]:
            return (await found(kaynak, search, depth)).result.hits

        return look

    async def words_only(search: SearchRequest) -> Sequence[Hit]:
        return (await kaynak.searcher.search(replace(search, mode=SearchMode.LEXICAL), OWNER)).hits

    async def fused(search: SearchRequest, others: Sequence[str]) -> Sequence[Hit]:
        main = await kaynak.searcher.search(search, OWNER)
        beside = [await kaynak.searcher.search(replace(search, query=query), OWNER) for query in others]
        return Evidence(main, beside).hits(search.limit)

    async def keywords(search: SearchRequest) -> Sequence[Hit]:
        words = [word for word in _WORD.findall(search.query) if word.lower() not in _STOP]
        return await fused(search, [" ".join(words)] if words else [])

    async def pieces(search: SearchRequest) -> Sequence[Hit]:
        cut = [piece for piece in _JOINS.split(search.query) if len(_WORD.findall(piece)) >= 3]
        return await fused(search, cut[:4] if len(cut) > 1 else [])

    return {
        "normal": at(Depth.NORMAL),
        "quick": at(Depth.QUICK),
        "deep, no model": at(Depth.DEEP),
        "words alone": words_only,
        "and its keywords": keywords,
        "and each piece": pieces,
    }


@dataclass(frozen=True)
class Score:
    """How a way of looking did on a set."""

    ndcg: float
    recall: float
    milliseconds: float


async def score(look: Look, collection: str, asked: dict[str, str], judged: dict[str, dict[str, int]]) -> Score:
    """Asks all questions of a set for documents."""
    run: dict[str, dict[str, float]] = {}
    spent = []
    for key, text in asked.items():
        search = SearchRequest(text, (collection,), limit=10, group_by=GroupBy.DOCUMENT)
        begin = time.perf_counter()
        hits = await look(search)
        spent.append((time.perf_counter() - begin) * 1000)
        documents = list(dict.fromkeys(hit.external_id for hit in hits))
        run[key] = {name: float(len(documents) - rank) for rank, name in enumerate(documents)}
    measured: dict[object, float] = ir_measures.calc_aggregate([nDCG @ 10, R @ 10], judged, run)
    return Score(measured[nDCG @ 10], measured[R @ 10], percentile(spent, 50))


def pairs() -> list[tuple[str, frozenset[str]]]:
    """Returns questions that are two, and the two paragraphs that answer them; always the same."""
    texts = [json.loads(line) for line in (DATA / SQUAD / "queries.jsonl").read_text().splitlines()]
    rows = {row["query_id"]: row for row in map(json.loads, (DATA / SQUAD / "answers.jsonl").read_text().splitlines())}
    good = [one for one in texts if one["id"] in rows and not rows[one["id"]]["is_impossible"]]
    chosen = random.Random(5).sample(good, 3 * PAIRS)
    made = []
    for first, second in zip(chosen[::2], chosen[1::2], strict=True):
        documents = frozenset(rows[one["id"]]["doc_id"] for one in (first, second))
        if len(documents) == 2 and len(made) < PAIRS:
            text = second["text"]
            made.append((f"{first['text'].strip(' ?')} and {text[0].lower()}{text[1:]}", documents))
    return made


async def both(look: Look, asked: Sequence[tuple[str, frozenset[str]]]) -> float:
    """Returns the share of double questions of which both paragraphs are among ten passages."""
    right = 0
    for text, wanted in asked:
        hits = await look(SearchRequest(text, ("squad",), limit=10))
        right += wanted <= {hit.external_id for hit in hits}
    return right / len(asked)


async def cost_of_help(kaynak: Kaynak, asked: Sequence[tuple[str, frozenset[str]]]) -> str:
    """Returns what a model's help takes, as if it searched twice more and read on once."""
    expansion = json.dumps({"queries": ["a", "b"], "parts": [], "passage": "It is so."})
    calls = tokens = 0
    spent = []
    for number, (text, _) in enumerate(asked[:50]):
        steps = [
            json.dumps({"action": "search", "query": f"{text} {number}"}),
            json.dumps({"action": "read", "passage": 1}),
            json.dumps({"action": "search", "query": f"{text} again"}),
            json.dumps({"action": "done"}),
        ]
        model = ScriptedModel(expansion, *steps, usage=TokenUsage(0, 0))
        begin = time.perf_counter()
        await found(kaynak, SearchRequest(text, ("squad",), limit=10), Depth.DEEP, model)
        spent.append((time.perf_counter() - begin) * 1000)
        calls += len(model.messages)
        tokens += sum(len(message.content) for messages in model.messages for message in messages) // 4
    count = len(spent)
    return (
        f"{calls / count:.1f} calls, about {tokens // count:,} tokens sent, {percentile(spent, 50):.0f} ms of our own"
    )


async def main(sets: Sequence[str], most: int) -> None:
    print(f"{machine()}\n\n| set | way | nDCG@10 | recall | p50 ms |\n|---|---|---|---|---|", flush=True)
    async with product() as kaynak:
        looks = ways(kaynak)
        for name in sets:
            asked, judged = questions(name, most)
            collection = name.replace("_", "-")
            await ingest(kaynak, collection, corpus(name))
            base: Score | None = None
            for way, look in looks.items():
                one = await score(look, collection, asked, judged)
                base = base or one
                print(
                    f"| {name} | {way} | {one.ndcg:.4f} ({one.ndcg - base.ndcg:+.4f}) | "
                    f"{one.recall:.4f} ({one.recall - base.recall:+.4f}) | {one.milliseconds:.0f} |",
                    flush=True,
                )
        await ingest(kaynak, "squad", corpus(SQUAD))
        doubled = pairs()
        print(f"\n{len(doubled)} double questions: share of which both paragraphs are found", flush=True)
        for way, look in looks.items():
            print(f"| {way} | {await both(look, doubled):.3f} |", flush=True)
        print(f"\nWith a model: {await cost_of_help(kaynak, doubled)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS), help="comma-separated names")
    parser.add_argument("--queries", type=int, default=MOST, help="at most so many queries per set")
    arguments = parser.parse_args()
    asyncio.run(main([name for name in arguments.sets.split(",") if name], arguments.queries))
