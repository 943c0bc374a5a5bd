"""Files that do not want to be looked at cost themselves, and nothing else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import PageWanted, ParseLimits, ParserPool, Source

pytestmark = pytest.mark.anyio

HANDBOOK = Path(__file__).parents[3] / "examples/company/handbook/employee-handbook.pdf"
SEEN = PageWanted(1, "Welcome", 0, 7, 300)


@pytest.fixture
async def pool():
    made = ParserPool(ParseLimits(wall_seconds=2), 1, ocr=False)
    yield made
    await made.close()


async def sees(pool: ParserPool) -> bool:
    picture = await pool.look(Source(HANDBOOK, "handbook.pdf"), SEEN)
    return picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"%PDF-1.7\n" + b"1 0 obj << /Kids [1 0 R] >> " * 50, b"PK\x03\x04"]
)
async def test_what_is_no_pdf_is_damaged(pool, tmp_path, content):
    path = tmp_path / "bad.pdf"
    path.write_bytes(content)
    with pytest.raises(UnreadableDocument) as caught:
        await pool.look(Source(path, "bad.pdf"), SEEN)
    assert caught.value.reason is UnreadableReason.CORRUPT
    assert await sees(pool)


async def test_a_file_that_never_ends_is_given_up(pool, tmp_path):
    path = tmp_path / "endless"
    os.mkfifo(path)
    with pytest.raises(UnreadableDocument) as caught:
        await pool.look(Source(path, "endless.pdf"), SEEN)
    assert caught.value.reason is UnreadableReason.TOO_COMPLEX
    assert await sees(pool)


async def test_a_reader_who_leaves_does_not_hold_up_the_next(pool, tmp_path):
    path = tmp_path / "endless"
    os.mkfifo(path)
    leaving = asyncio.create_task(pool.look(Source(path, "endless.pdf"), SEEN))
    await asyncio.sleep(0.5)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await sees(pool)


async def test_many_readers_at_once_each_get_their_page(pool):
    source = Source(HANDBOOK, "handbook.pdf")
    widths = [100 + number for number in range(12)]
    found = await asyncio.gather(*(pool.look(source, PageWanted(1, "Welcome", 0, 7, width)) for width in widths))
    assert [int.from_bytes(picture.png[16:20], "big") for picture in found] == widths
