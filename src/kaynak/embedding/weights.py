"""Tensors out of files of safetensors and torch, as views of mapped pages: nothing is copied before it is needed."""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import Misconfigured
from kaynak.embedding.torch_file import read_entries

Floats = NDArray[np.float32]

_OF_TORCH = {".bin", ".pt", ".pth"}
_HEADER_LIMIT = 100 * 1024 * 1024
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


class Weights(Mapping[str, Floats]):
    """The tensors of a model by name, float32, with the prefix of a wrapping class (``bert.``) removed.

    Float32 tensors are read-only views of the file; others are converted each time they are asked for.
    """

    def __init__(self, files: list[Path]) -> None:
        self._tensors: dict[str, tuple[mmap.mmap, str, tuple[int, ...], int, int]] = {}
        for path in files:
            self._add(path)
        self._prefix = _common_prefix(self._tensors)

    def _add(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            if path.suffix in _OF_TORCH:
                for one in read_entries(path):
                    self._tensors[one.name] = (pages, one.dtype, one.shape, one.start, one.end)
                return
            (size,) = struct.unpack("<Q", pages[:8])
            if size > min(_HEADER_LIMIT, len(pages) - 8):
                raise ValueError("the header is longer than the file")
            header: dict[str, Any] = json.loads(pages[8 : 8 + size])
            for name, entry in header.items():
                if name != "__metadata__":
                    self._tensors[name] = _entry(pages, 8 + size, entry)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as exc:
            raise Misconfigured(
                f"The weights in {path.name} cannot be read: {exc}", hint="Fetch the model again."
            ) from exc

    def __getitem__(self, name: str) -> Floats:
        # A head on top of the wrapped model stands beside it, without its prefix.
        full = self._prefix + name
        pages, dtype, shape, start, end = self._tensors[full if full in self._tensors else name]
        raw = np.frombuffer(
            pages, dtype=_TYPES[dtype], count=(end - start) // np.dtype(_TYPES[dtype]).itemsize, offset=start
        )
        if dtype == "BF16":
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        return raw.astype(np.float32, copy=False).reshape(shape)

    def release(self) -> None:
        """Gives the mapped pages back to the system; those used again are read from the file again.

        A runtime that has packed its own copy of the weights would otherwise keep both in memory.
        """
        for pages in {id(entry[0]): entry[0] for entry in self._tensors.values()}.values():
            if hasattr(mmap, "MADV_DONTNEED"):
                pages.madvise(mmap.MADV_DONTNEED)

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self._prefix) for name in self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _entry(pages: mmap.mmap, base: int, entry: dict[str, Any]) -> tuple[mmap.mmap, str, tuple[int, ...], int, int]:
    dtype, shape = entry["dtype"], tuple(int(size) for size in entry["shape"])
    start, end = (base + int(offset) for offset in entry["data_offsets"])
    if dtype not in _TYPES:
        raise ValueError(f"tensors of type {dtype} are not supported")
    wanted = np.dtype(_TYPES[dtype]).itemsize * int(np.prod(shape, dtype=np.int64))
    if not base <= start <= end <= len(pages) or end - start != wanted:
        raise ValueError("a tensor lies outside the file")
    return pages, dtype, shape, start, end


def _common_prefix(names: Mapping[str, object]) -> str:
    anchor = "embeddings.word_embeddings.weight"
    for name in names:
        if name.endswith(anchor):
            return name[: -len(anchor)]
    return ""
