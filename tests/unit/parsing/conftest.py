"""Reading small files that tests make, with the invariants of every parsed document checked on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kaynak.domain import ParsedDocument
from kaynak.parsing.dispatch import parse_file
from kaynak.parsing.protocol import ParseLimits, Source

Read = Callable[..., ParsedDocument]


def assert_well_formed(parsed: ParsedDocument) -> None:
    end = 0
    for block in parsed.blocks:
        assert end <= block.start < block.end <= len(parsed.text)
        assert not parsed.text[end : block.start].strip()
        assert not parsed.text[block.end - 1].isspace()
        end = block.end
    assert not parsed.text[end:].strip()
    end = 0
    for number, page in enumerate(parsed.pages, 1):
        assert page.number == number
        assert end <= page.start <= page.end <= len(parsed.text)
        end = page.end
    assert not set(parsed.text) & {"\x00", "\r", "\ufeff"}
    parsed.text.encode("utf-8")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes bytes or text to a file and parses it."""

    def read_file(
        name: str, content: bytes | str, *, password: str | None = None, limits: ParseLimits | None = None
    ) -> ParsedDocument:
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        parsed = parse_file(Source(path, name, None, password), limits or ParseLimits())
        assert_well_formed(parsed)
        return parsed

    return read_file
