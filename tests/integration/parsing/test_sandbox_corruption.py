"""Damaged files: whatever is wrong with the bytes, there is text or a reason, in time, and the service lives."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kaynak.domain import ParsedDocument, UnreadableDocument
from kaynak.parsing import ParseLimits, ParserPool, Source

pytestmark = pytest.mark.anyio

_REAL = (
    "pypdf__toy.pdf",
    "docling__2305.03393v1-pg9.pdf",
    "unstructured__korean-text-with-tables.pdf",
    "sample__annotated_pdf.pdf",
)


def damaged(content: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(5)
    place = rng.randrange(len(content))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + content[place + rng.randrange(1, 2000) :]
    if kind == 2:
        return content[:place] + rng.randbytes(rng.randrange(1, 200)) + content[place:]
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 40)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    if kind == 4:
        # Numbers are lengths, counts and references: the part of a file that parsers trust most.
        digits = [index for index, byte in enumerate(content) if 48 <= byte <= 57]
        changed = bytearray(content)
        for index in rng.sample(digits, min(len(digits), 6)):
            changed[index] = 48 + rng.randrange(10)
    return bytes(changed)


def check(parsed: ParsedDocument) -> None:
    end = 0
    for block in parsed.blocks:
        assert end <= block.start < block.end <= len(parsed.text)
        assert not parsed.text[end : block.start].strip()
        end = block.end
    assert not parsed.text[end:].strip()


@pytest.mark.data
async def test_damaged_pdfs_give_text_or_a_reason(shared_data: Path, tmp_path: Path) -> None:
    rng = random.Random(20)
    path = tmp_path / "upload"
    pool = ParserPool(ParseLimits(wall_seconds=20, cpu_seconds=20), 2, ocr=False)
    outcomes = set()
    messages = set()
    try:
        for name in _REAL:
            content = (shared_data / "documents" / "files" / name).read_bytes()
            for _ in range(40):
                path.write_bytes(damaged(content, rng))
                try:
                    check(await pool.parse(Source(path, name)))
                    outcomes.add("text")
                except UnreadableDocument as error:
                    messages.add(error.message)
                    outcomes.add(error.reason.value)
    finally:
        await pool.close()
    assert "text" in outcomes
    assert all(message.endswith(".") for message in messages)
