"""A collection changes its model for a bad one and back: verifying refuses it, and going back takes no time.

The SciFact abstracts are searched with the default model. A generation with a tiny model of random weights is built
beside it and verified, with the set's own questions: it must not pass. Then it is switched to by force and rolled back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from common import DATA, corpus, machine
from kaynak.app import Kaynak
from kaynak.domain import OWNER, Conflict, PartSpec
from kaynak.indexing import Wanted
from kaynak.ingestion import Upload
from kaynak.logs import configure_logs
from kaynak.retrieval import TestQuestion
from kaynak.settings import LogSettings, Settings
from kaynak.testing.tiny_model import write_tiny_model


def questions(name: str, count: int) -> list[TestQuestion]:
    """Returns the first questions of a set, with the documents that answer them."""
    folder = DATA / name
    answers: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        if float(score) > 0:
            answers.setdefault(query, {})[document] = float(score)
    rows = [json.loads(line) for line in (folder / "queries.jsonl").open()]
    texts = {str(row["id"]): row["text"] for row in rows}
    return [TestQuestion(texts[query], documents) for query, documents in answers.items() if query in texts][:count]


async def filled(kaynak: Kaynak, name: str) -> int:
    """Brings a set in, and returns how many documents it has."""
    rows = corpus(name)
    for start in range(0, len(rows), 500):
        uploads = [
            Upload(row["id"], f"{row['id']}.txt", f"{row['title']}\n\n{row['text']}".encode())
            for row in rows[start : start + 500]
        ]
        sent = await kaynak.intake.submit(OWNER, name, uploads)
        assert sent.job is not None
        async for _ in kaynak.jobs.watch(OWNER, sent.job.id):
            pass
    return len(rows)


async def change(folder: Path, count: int) -> None:
    """Builds, verifies, switches and rolls back; says what came of each."""
    configure_logs("ERROR", "json")
    settings = Settings(data_dir=folder / "data", log=LogSettings(level="ERROR"), _env_file=None)  # type: ignore[call-arg]
    tiny = write_tiny_model(folder / "tiny", max_tokens=128)
    async with Kaynak.open(settings, worker=True) as kaynak:
        stop = asyncio.Event()
        working = asyncio.create_task(kaynak.worker.run(stop))
        await kaynak.collections.create(OWNER, "scifact")
        documents = await filled(kaynak, "scifact")
        print(f"{machine()}; scifact, {documents:,} documents, {count} questions\n")
        begin = time.perf_counter()
        begun = await kaynak.indexes.build(OWNER, "scifact", Wanted(embedder=PartSpec(str(tiny))))
        async for _ in kaynak.indexes.watch(OWNER, "scifact", begun.id):
            pass
        print(f"built with the tiny model in {time.perf_counter() - begin:.1f} s")
        begin = time.perf_counter()
        verdict = await kaynak.verifier.verify(OWNER, "scifact", begun.id, questions=questions("scifact", count))
        print(f"verified in {time.perf_counter() - begin:.1f} s: {'passed' if verdict.passed else 'did not pass'}")
        for one in verdict.checks:
            print(f"- {'ok' if one.passed else 'REFUSED'} {one.name}: {one.detail}")
        try:
            await kaynak.indexes.switch(OWNER, "scifact", begun.id)
        except Conflict as refused:
            print(f"switch: {refused.message}")
        for name, work in (
            ("switch by force", kaynak.indexes.switch(OWNER, "scifact", begun.id, force=True)),
            ("rollback", kaynak.indexes.rollback(OWNER, "scifact")),
        ):
            begin = time.perf_counter()
            now = await work
            print(f"{name}: generation {now.generation.id} after {(time.perf_counter() - begin) * 1000:.0f} ms")
        stop.set()
        await working


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaynak-change-") as scratch:
        asyncio.run(change(Path(scratch), given.questions))


if __name__ == "__main__":
    main()
