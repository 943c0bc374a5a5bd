"""Parsing of real documents: outcome and speed of every file, and how much of the expected words came out.

Word F1: Markdown marks are stripped from the expected text and from ours, both are case-folded and split into runs of
letters and digits, and the two multisets of words are compared: F1 = 2·shared / (ours + expected). Order, white space
and layout do not count, every repetition does. Three expectations that belong to another document are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from common import DATA, machine
from kaynak.domain import ParsedDocument, UnreadableDocument
from kaynak.parsing import ParseLimits, ParserPool, Source
from kaynak.parsing.ocr import ocr_available

FOLDER = DATA / "documents"
MISMATCHED = frozenset({"markitdown__test.epub", "markitdown__test.pptx", "markitdown__test.xls"})
"""Their expectation is, byte for byte, that of markitdown__test.docx, a different document."""
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|nbsp|#\d+);")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<!--.*?-->", re.DOTALL)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Result:
    """What became of one file."""

    name: str
    type: str
    outcome: str
    seconds: float
    pages: int
    characters: int
    f1: float | None
    note: str


def words(text: str) -> Counter[str]:
    """Returns the words of a text as the F1 counts them."""
    text = _LINK.sub(r"\1", _ENTITY.sub(" ", text))
    return Counter(_WORD.findall(text.casefold()))


def word_f1(ours: str, expected: str) -> float:
    """Returns the F1 of two multisets of words."""
    mine, theirs = words(ours), words(expected)
    shared = sum((mine & theirs).values())
    return 2 * shared / max(1, sum(mine.values()) + sum(theirs.values()))


async def parse(pool: ParserPool, entry: dict[str, str]) -> Result:
    path = FOLDER / entry["file"]
    begin = time.perf_counter()
    try:
        parsed = await pool.parse(Source(path, path.name, None, entry.get("password")))
    except UnreadableDocument as error:
        took = time.perf_counter() - begin
        return Result(path.name, path.suffix[1:], error.reason.value, took, 0, 0, None, error.message)
    took = time.perf_counter() - begin
    return Result(
        path.name,
        path.suffix[1:],
        "text",
        took,
        len(parsed.pages),
        len(parsed.text),
        expected_f1(path.name, parsed),
        "; ".join(parsed.warnings),
    )


def expected_f1(name: str, parsed: ParsedDocument) -> float | None:
    expected = FOLDER / "expected" / f"{name}.md"
    if name in MISMATCHED or not expected.exists():
        return None
    return word_f1(parsed.text, expected.read_text(errors="replace"))


async def all_files(pool: ParserPool) -> list[Result]:
    lines = (FOLDER / "manifest.jsonl").read_text().splitlines()
    entries = sorted((json.loads(line) for line in lines), key=lambda entry: entry["file"])
    await pool.parse(Source(FOLDER / "files/pypdf__toy.pdf", "warm-up.pdf"))  # starting a process is not parsing
    return [await parse(pool, entry) for entry in entries]


async def pages_per_second(pool: ParserPool, results: Iterable[Result], repeat: int) -> tuple[float, int]:
    """Returns pages per second through one process over all PDFs with text, and how many pages that were."""
    chosen = [
        FOLDER / "files" / one.name
        for one in results
        if one.type == "pdf" and one.outcome == "text" and one.note.find("recognition") < 0 and one.seconds < 60
    ]
    passwords = {
        Path(entry["file"]).name: entry.get("password")
        for entry in map(json.loads, (FOLDER / "manifest.jsonl").read_text().splitlines())
    }
    pages = 0
    begin = time.perf_counter()
    for _ in range(repeat):
        for path in chosen:
            pages += len((await pool.parse(Source(path, path.name, None, passwords[path.name]))).pages)
    return pages / (time.perf_counter() - begin), pages


async def small_files(pool: ParserPool, count: int) -> float:
    """Returns milliseconds per file of a few words: what the guarded process costs."""
    path = FOLDER / "files/docling__escaped_characters.md"
    begin = time.perf_counter()
    for _ in range(count):
        await pool.parse(Source(path, path.name))
    return (time.perf_counter() - begin) / count * 1000


def table(results: list[Result]) -> str:
    lines = [
        "| file | outcome | seconds | pages | pages/s | characters | word F1 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in results:
        speed = f"{one.pages / one.seconds:.0f}" if one.pages else ""
        f1 = f"{one.f1:.3f}" if one.f1 is not None else ""
        counts = f"{one.pages or ''} | {speed} | {one.characters or ''}"
        lines.append(f"| {one.name} | {one.outcome} | {one.seconds:.3f} | {counts} | {f1} |")
    return "\n".join(lines)


def summary(results: list[Result]) -> str:
    by_type: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        by_type[one.type].append(one)
    lines = [
        "| type | files | with text | failures by reason | median ms | mean word F1 (files) |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for kind, group in sorted(by_type.items()):
        lines.append(_summary_row(kind, group))
    lines.append(_summary_row("**all**", results))
    return "\n".join(lines)


def _summary_row(kind: str, group: list[Result]) -> str:
    failures = Counter(one.outcome for one in group if one.outcome != "text")
    f1 = [one.f1 for one in group if one.f1 is not None]
    return (
        f"| {kind} | {len(group)} | {sum(one.outcome == 'text' for one in group)} "
        f"| {', '.join(f'{reason} {count}' for reason, count in sorted(failures.items()))} "
        f"| {statistics.median(one.seconds for one in group) * 1000:.0f} "
        f"| {f'{statistics.mean(f1):.3f} ({len(f1)})' if f1 else ''} |"
    )


async def main(arguments: argparse.Namespace) -> None:
    pool = ParserPool(ParseLimits(memory_mb=2048), processes=1, ocr=arguments.ocr)
    try:
        results = await all_files(pool)
        speed, pages = await pages_per_second(pool, results, arguments.repeat)
        overhead = await small_files(pool, 200)
    finally:
        await pool.close()
    recognition = "with" if arguments.ocr and ocr_available() else "without"
    print(f"# Parsing: {len(results)} real files, {recognition} text recognition\n")
    print(f"{machine()}, {os.cpu_count()} cores; one guarded process.\n")
    print(f"Text PDFs, process included: **{speed:.0f} pages/s** over {pages} pages (all sizes and kinds of page).  ")
    print(f"A file of a few words: **{overhead:.2f} ms**, process included.\n")
    print(summary(results) + "\n")
    print(table(results))
    failed = [one for one in results if one.outcome != "text"]
    print("\nWhat people are told:\n")
    print("\n".join(f"- {one.name}: {one.note}" for one in failed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print Markdown (the only format; kept for make bench)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of the pages-per-second run")
    parser.add_argument("--no-ocr", dest="ocr", action="store_false", help="leave text recognition out")
    asyncio.run(main(parser.parse_args()))
