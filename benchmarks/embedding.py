"""Embedding throughput and query latency of the built-in model, in each precision the CPU has.

    python benchmarks/embedding.py --data ../shared/data/scifact
    python benchmarks/embedding.py --reference-python /path/to/venv/bin/python

With ``--reference-python`` the same texts go through sentence-transformers in that interpreter, in the same run
and alternating with ours, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from kaynak.embedding import LocalEmbedder
from kaynak.embedding.locate import locate
from kaynak.embedding.runtime import Precision

REFERENCE = """
import json, sys, time
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = json.load(sys.stdin)
model.encode(texts[:32], batch_size=32)
started = time.perf_counter()
model.encode(texts, batch_size=32)
print(json.dumps(len(texts) / (time.perf_counter() - started)))
"""


def words(count: int, tokens: int) -> list[str]:
    """Returns texts of exactly ``tokens`` tokens with the two that frame them: one per word of the vocabulary."""
    common = ["time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school"]
    random = np.random.default_rng(0)
    return [" ".join(random.choice(common, tokens - 2)) for _ in range(count)]


def abstracts(data: Path, count: int) -> list[str]:
    path = data / "corpus.jsonl.gz"
    content = gzip.decompress(path.read_bytes()) if path.exists() else (data / "corpus.jsonl").read_bytes()
    entries = [json.loads(line) for line in content.splitlines()[:count]]
    return [f"{entry.get('title') or ''}\n{entry['text']}" for entry in entries]


async def throughput(embedder: LocalEmbedder, texts: list[str], rounds: int) -> list[float]:
    await embedder.embed(texts[:64], "document")
    speeds = []
    for _ in range(rounds):
        started = time.perf_counter()
        await embedder.embed(texts, "document")
        speeds.append(len(texts) / (time.perf_counter() - started))
    return speeds


async def latency(embedder: LocalEmbedder, rounds: int) -> tuple[float, float]:
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        await embedder.embed([f"what does section {number} of the handbook say about leave"], "query")
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), sorted(times)[int(len(times) * 0.99)]


def reference(python: str, texts: list[str]) -> float:
    command = [python, "-c", REFERENCE, str(locate("minilm"))]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the reference failed:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def resident_mb() -> float:
    if sys.platform != "linux":
        return float("nan")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def run(arguments: argparse.Namespace) -> dict[str, object]:
    sets = {"32 × 128 tokens": words(32 * 4, 128)}
    if arguments.data.is_dir():
        sets["scifact abstracts"] = abstracts(arguments.data, arguments.texts)
    report: dict[str, object] = {}
    precisions: list[Precision] = ["auto", "f32"]
    print("| texts | precision | texts/s, median | best | reference | ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for precision in precisions:
        before = resident_mb()
        embedder = LocalEmbedder.load(locate("minilm"), threads=arguments.threads, precision=precision)
        for name, texts in sets.items():
            speeds = await throughput(embedder, texts, arguments.rounds)
            ours = statistics.median(speeds)
            theirs = reference(arguments.reference_python, texts) if arguments.reference_python else None
            ratio = "" if theirs is None else f"{ours / theirs:.2f}"
            shown = "" if theirs is None else f"{theirs:.1f}"
            print(f"| {name} | {embedder.precision} | {ours:.1f} | {max(speeds):.1f} | {shown} | {ratio} |", flush=True)
            report[f"{name}, {precision}"] = {"ours": speeds, "reference": theirs}
        middle, late = await latency(embedder, 300)
        print(f"| one query | {embedder.precision} | {middle:.2f} ms p50 | {late:.2f} ms p99 | | |")
        print(f"| memory above what was there | {embedder.precision} | {resident_mb() - before:.0f} MB | | | |")
        report[f"query, {precision}"] = {"p50_ms": middle, "p99_ms": late}
        await embedder.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "scifact"
    parser.add_argument("--data", type=Path, default=beside, help="directory with corpus.jsonl(.gz)")
    parser.add_argument("--texts", type=int, default=1000, help="abstracts to embed")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions")
    parser.add_argument("--threads", type=int, default=0, help="of the model; 0 for all cores")
    parser.add_argument("--reference-python", help="interpreter with sentence-transformers")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    report = asyncio.run(run(arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
