"""Texts of like length together, so that little is computed for padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

LENGTH_STEP = 16
"""Batches are padded to a multiple of this: each new shape costs the runtime time and memory, once."""


def plan_batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yields positions of texts, longest first, in batches of at most ``tokens`` tokens with padding.

    A single text may exceed the budget; then it is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    start = 0
    while start < len(order):
        size = max(1, tokens // padded(lengths[order[start]]))
        yield order[start : start + size]
        start += size


def padded(length: int) -> int:
    """Returns the length of a batch whose longest text has ``length`` tokens."""
    return -(-max(1, length) // LENGTH_STEP) * LENGTH_STEP


def to_arrays(rows: Sequence[Sequence[int]], padding: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns token ids and mask, each of shape ``(len(rows), width)``."""
    ids = np.full((len(rows), width), padding, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    return ids, mask
