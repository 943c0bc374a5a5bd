"""The compact JSON form in which page maps and structure are kept beside a version's text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kaynak.domain import Block, BlockKind, Page


def stored_pages(pages: Iterable[Page]) -> list[list[Any]]:
    """One array per page: number, start, end, label, width, height."""
    return [[p.number, p.start, p.end, p.label, p.width, p.height] for p in pages]


def stored_blocks(blocks: Iterable[Block]) -> list[list[Any]]:
    """One array per block: kind, start, end, level."""
    return [[b.kind, b.start, b.end, b.level] for b in blocks]


def pages_of_json(stored: Sequence[Sequence[Any]] | None) -> tuple[Page, ...]:
    """Reads what `stored_pages` wrote."""
    return tuple(Page(*page) for page in stored or ())


def blocks_of_json(stored: Sequence[Sequence[Any]] | None) -> tuple[Block, ...]:
    """Reads what `stored_blocks` wrote."""
    return tuple(Block(BlockKind(kind), *rest) for kind, *rest in stored or ())
