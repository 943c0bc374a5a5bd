"""Span recall and IoU of each chunker at equal retrieved text, through the whole product.

Ingests the five corpora of ``chunking_eval`` into a collection for each chunker, asks all questions, and takes
ranked passages until their text reaches the budget in the embedder's tokens; the passage that does not fit is
cut. Recall is the share of the relevant characters that were retrieved; IoU divides by all that is relevant or
retrieved. One question in seven is about text that stands in its corpus several times, while the data set knows the
first place only: "any copy" is the recall when the same words elsewhere count as well, since a product that drops
duplicates may show any of them.

    python benchmarks/chunking.py --data ../shared/data/chunking_eval --retrieval hybrid
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.app import Kaynak
from kaynak.domain import OWNER, GenerationSpec, Hit, PartSpec, SearchMode, SearchRequest
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.locate import locate
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.ingestion import Upload
from kaynak.settings import Settings

MODES = {"bm25": SearchMode.LEXICAL, "dense": SearchMode.DENSE, "hybrid": SearchMode.HYBRID}
SPECS = {
    "fixed, 1,200 characters": PartSpec("fixed", {"unit": "characters", "size": 1200}),
    "fixed, 200 tokens": PartSpec("fixed", {"size": 200}),
    "fixed, 200 tokens, overlap 50": PartSpec("fixed", {"size": 200, "overlap": 50}),
    "sentence, 100 tokens": PartSpec("sentence", {"target_tokens": 100}),
    "recursive, 100 tokens": PartSpec("recursive", {"target_tokens": 100}),
    "recursive, 150 tokens": PartSpec("recursive", {"target_tokens": 150}),
    "structure, 60 tokens": PartSpec("structure", {"target_tokens": 60}),
    "structure (default)": PartSpec("structure"),
    "structure, 150 tokens": PartSpec("structure", {"target_tokens": 150}),
    "structure, 200 tokens": PartSpec("structure", {"target_tokens": 200}),
}
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """A question with the spans of its corpus that answer it."""

    corpus: str
    text: str
    spans: tuple[tuple[int, int], ...]

    def nearest(self, original: str, found: Flags) -> Question:
        """Returns the question with each span moved to the copy of its text that was retrieved best."""
        moved = []
        for start, end in self.spans:
            copies = [match.span() for match in re.finditer(re.escape(original[start:end]), original)]
            moved.append(max(copies, key=lambda copy: int(found[copy[0] : copy[1]].sum())))
        return Question(self.corpus, self.text, tuple(moved))


@dataclass
class Corpus:
    """A corpus as ingested: ``places[i]`` is where character ``i`` of the canonical text is in the file."""

    name: str
    length: int
    places: NDArray[np.int64]


def read_questions(data: Path) -> list[Question]:
    lines = (data / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Question(
            entry["corpus_id"],
            entry["text"],
            tuple((part["start_index"], part["end_index"]) for part in entry["references"]),
        )
        for entry in map(json.loads, lines)
    ]


def read_corpus(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def align(name: str, original: str, canonical: str) -> Corpus:
    """Maps the canonical text to the file by their characters other than white space, which parsing keeps."""
    dense_original = np.array([at for at, char in enumerate(original) if not char.isspace()], dtype=np.int64)
    dense_canonical = np.array([at for at, char in enumerate(canonical) if not char.isspace()], dtype=np.int64)
    if "".join(original.split()) != "".join(canonical.split()):
        raise SystemExit(f"{name}: the canonical text has other characters than the file")
    nearest = dense_canonical.searchsorted(np.arange(len(canonical) + 1)).clip(max=len(dense_original) - 1)
    return Corpus(name, len(original), dense_original[nearest])


@asynccontextmanager
async def working(kaynak: Kaynak) -> AsyncIterator[None]:
    """Runs the worker for as long as the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(kaynak.worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def ingest(kaynak: Kaynak, collection: str, spec: PartSpec, data: Path) -> dict[UUID, Corpus]:
    await kaynak.collections.create(OWNER, collection, spec=GenerationSpec(chunker=spec))
    paths = sorted((data / "corpora").glob("*.md"))
    uploads = [
        # Plain text by content; the corpora's names end in .md, but nothing in them is Markdown.
        Upload(external_id=path.stem, filename=f"{path.stem}.txt", content=path, media_type="text/plain")
        for path in paths
    ]
    submission = await kaynak.intake.submit(OWNER, collection, uploads)
    if submission.job is not None:
        async for job in kaynak.jobs.watch(OWNER, submission.job.id):
            last = job
        if last.counts and any(outcome.value == "failed" and count for outcome, count in last.counts.items()):
            raise SystemExit(f"{collection}: ingestion failed: {last.error}")
    corpora = {}
    for path in paths:
        document = await kaynak.documents.find(OWNER, collection, path.stem)
        stored = await kaynak.documents.text(OWNER, document.id)
        corpora[document.id] = align(path.stem, read_corpus(path), stored.text)
    return corpora


def retrieved(
    hits: tuple[Hit, ...], corpora: dict[UUID, Corpus], counter: TokenCounter, budget: int
) -> dict[str, Flags]:
    """Returns which characters of each corpus the ranked hits bring within the budget."""
    flags: dict[str, Flags] = {}
    left = budget
    for hit in hits:
        corpus = corpora[hit.document_id]
        offsets = counter.offsets(hit.text)
        length = len(hit.text) if len(offsets) <= left else offsets[left - 1][1]
        first = corpus.places[hit.span.start]
        last = corpus.places[hit.span.start + length - 1]
        flags.setdefault(corpus.name, np.zeros(corpus.length, dtype=bool))[first : last + 1] = True
        left -= min(left, len(offsets))
        if left == 0:
            break
    return flags


def score(question: Question, flags: dict[str, Flags], lengths: dict[str, int]) -> tuple[float, float]:
    relevant = np.zeros(lengths[question.corpus], dtype=bool)
    for start, end in question.spans:
        relevant[start:end] = True
    found = flags.get(question.corpus, np.zeros_like(relevant))
    both = int((relevant & found).sum())
    total = sum(int(part.sum()) for part in flags.values())
    return both / int(relevant.sum()), both / (int(relevant.sum()) + total - both)


async def measure(
    kaynak: Kaynak, name: str, spec: PartSpec, arguments: argparse.Namespace, counter: TokenCounter
) -> dict[str, object]:
    questions = read_questions(arguments.data)[: arguments.limit]
    collection = "c" + "".join(char if char.isalnum() else "-" for char in name.lower()).strip("-")
    started = time.perf_counter()
    corpora = await ingest(kaynak, collection, spec, arguments.data)
    seconds = time.perf_counter() - started
    lengths = {corpus.name: corpus.length for corpus in corpora.values()}
    originals = {name: read_corpus(arguments.data / "corpora" / f"{name}.md") for name in lengths}
    scores: dict[str, list[tuple[float, float]]] = {}
    anywhere: list[float] = []
    for question in questions:
        request = SearchRequest(question.text, (collection,), mode=MODES[arguments.retrieval], limit=100)
        result = await kaynak.searcher.search(request, OWNER)
        flags = retrieved(result.hits, corpora, counter, arguments.budget)
        scores.setdefault(question.corpus, []).append(score(question, flags, lengths))
        found = flags.get(question.corpus, np.zeros(lengths[question.corpus], dtype=bool))
        anywhere.append(score(question.nearest(originals[question.corpus], found), flags, lengths)[0])
    everything = [one for part in scores.values() for one in part]
    info = await kaynak.collections.get(OWNER, collection)
    return {
        "chunker": name,
        "passages": info.chunks,
        "recall": float(np.mean([recall for recall, _ in everything])),
        "recall_any_copy": float(np.mean(anywhere)),
        "iou": float(np.mean([iou for _, iou in everything])),
        "whole": float(np.mean([recall > 0.999 for recall, _ in everything])),
        "by_corpus": {corpus: float(np.mean([one[0] for one in part])) for corpus, part in sorted(scores.items())},
        "ingest_seconds": round(seconds, 1),
    }


async def run(arguments: argparse.Namespace) -> None:
    directory = locate("minilm")
    counter = ModelTokenizer.load(directory, padding_id=0)
    chosen = {name: spec for name, spec in SPECS.items() if arguments.only in name}
    rows = []
    print("| chunker | passages | recall | any copy | IoU | all of it | worst corpus | ingest, s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |")
    with tempfile.TemporaryDirectory(prefix="kaynak-bench-") as folder:
        async with Kaynak.open(Settings(data_dir=Path(folder)), worker=True) as kaynak, working(kaynak):
            for name, spec in chosen.items():
                row = await measure(kaynak, name, spec, arguments, counter)
                rows.append(row)
                worst = min(row["by_corpus"].items(), key=lambda pair: pair[1])  # type: ignore[attr-defined]
                print(
                    f"| {name} | {row['passages']} | {row['recall']:.3f} | {row['recall_any_copy']:.3f} "
                    f"| {row['iou']:.3f} | {row['whole']:.3f} | {worst[0]} {worst[1]:.3f} | {row['ingest_seconds']} |",
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "chunking_eval"
    parser.add_argument("--data", type=Path, default=beside, help="the data set's directory")
    parser.add_argument("--retrieval", choices=sorted(MODES), default="hybrid", help="which sides look")
    parser.add_argument("--budget", type=int, default=1500, help="retrieved text per question, tokens")
    parser.add_argument("--limit", type=int, default=None, help="questions to ask; all by default")
    parser.add_argument("--only", default="", help="chunkers whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
