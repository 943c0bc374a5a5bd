"""Where originals are kept: by their content, so that the same bytes lie there once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from kaynak.catalog.blob_writing import Draft, Places, Portion
from kaynak.domain import Misconfigured, NotFound

_STALE_AFTER = 24 * 3600.0
_log = structlog.get_logger(__name__)


class BlobStore(Protocol):
    """Bytes under their SHA-256. A local directory does it, and so does any object store.

    A blob is visible whole or not at all, and never changes. Errors of the store are translated:
    `StorageFull` if there is no room, `Unavailable` if it does not answer.
    """

    async def put(self, content: bytes | Path | AsyncIterator[bytes], *, limit: int | None = None) -> tuple[bytes, int]:
        """Stores the content durably, unless it is there; returns its SHA-256 and its size in bytes.

        Args:
            content: The bytes, a local file that has them, or a stream of pieces of any size.
            limit: Most bytes taken.

        Raises:
            TooLarge: It is over the limit; nothing was stored.
            StorageFull: There is no room; nothing was stored.
        """
        ...

    async def put_many(self, contents: Sequence[bytes], *, limit: int | None = None) -> list[tuple[bytes, int]]:
        """As `put`, for small contents that come together; if one fails, some of the others may be stored."""
        ...

    async def open_path(self, content_hash: bytes) -> Path:
        """Returns a local file with the bytes, to be read only; an object store downloads it first.

        Raises:
            NotFound: There is no such blob.
        """
        ...

    async def exists(self, content_hash: bytes) -> bool:
        """Returns whether the blob is there."""
        ...

    async def delete(self, content_hash: bytes) -> None:
        """Removes the blob; no error if there is none."""
        ...

    def scan(self) -> AsyncIterator[bytes]:
        """Yields the hashes of all blobs, in any order: for the doctor."""
        ...

    async def clean(self) -> int:
        """Removes what uploads that never ended left behind, once it is surely old; returns how many."""
        ...


class LocalBlobStore:
    """Blobs in a directory of this host: ``ab/cd/abcd…``.

    A new blob is written beside its place, flushed to the disk, and renamed: after a crash there is the whole
    of it or a nameless remainder, which `clean` removes.

    Args:
        root: The directory; made if there is none.

    Raises:
        Misconfigured: The directory cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._places = Places(root, self._incoming)
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise Misconfigured(
                f"The folder for originals, {root}, cannot be used: {exc.strerror or exc}.",
                hint="Choose another data directory (KAYNAK_DATA_DIR) or correct its permissions.",
            ) from exc

    async def put(self, content: bytes | Path | AsyncIterator[bytes], *, limit: int | None = None) -> tuple[bytes, int]:
        """See `BlobStore.put`."""
        if not isinstance(content, AsyncIterator):
            return await asyncio.to_thread(self._put, content, limit)
        draft = await asyncio.to_thread(Draft, self._places, limit)
        try:
            async for piece in content:
                await asyncio.to_thread(draft.write, piece)
            return await asyncio.to_thread(draft.keep)
        finally:
            draft.drop()

    async def put_many(self, contents: Sequence[bytes], *, limit: int | None = None) -> list[tuple[bytes, int]]:
        """See `BlobStore.put_many`. Folders are flushed once, after the last of the blobs."""
        return await asyncio.to_thread(self._put_many, contents, limit)

    async def open_path(self, content_hash: bytes) -> Path:
        """See `BlobStore.open_path`."""
        path = self._places.of(content_hash)
        # Asking the system takes a tenth of what the way to a thread and back does.
        if not path.is_file():
            raise NotFound("The original file is not in the store.", hint="Upload the document again.")
        return path

    async def exists(self, content_hash: bytes) -> bool:
        """See `BlobStore.exists`."""
        return self._places.of(content_hash).is_file()

    async def delete(self, content_hash: bytes) -> None:
        """See `BlobStore.delete`."""
        path = self._places.of(content_hash)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def scan(self) -> AsyncIterator[bytes]:
        """See `BlobStore.scan`."""
        for first in await asyncio.to_thread(_folders, self._root):
            for second in await asyncio.to_thread(_folders, first):
                for name in await asyncio.to_thread(os.listdir, second):
                    with contextlib.suppress(ValueError):
                        yield bytes.fromhex(name)

    async def clean(self, older_than: float = _STALE_AFTER) -> int:
        """See `BlobStore.clean`.

        Args:
            older_than: Seconds since the last byte; a younger one may still be coming in.
        """
        return await asyncio.to_thread(self._clean, older_than)

    def _clean(self, older_than: float) -> int:
        removed = 0
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime >= older_than:
                    path.unlink()
                    removed += 1
        if removed:
            _log.info("unfinished_uploads_removed", count=removed)
        return removed

    def _put(self, content: bytes | Path, limit: int | None) -> tuple[bytes, int]:
        if isinstance(content, bytes):
            # What is there already needs no second copy to be made and thrown away.
            content_hash = hashlib.sha256(content).digest()
            if (limit is None or len(content) <= limit) and self._places.settled(content_hash):
                return content_hash, len(content)
        draft = Draft(self._places, limit)
        try:
            if isinstance(content, bytes):
                draft.write(content)
            else:
                draft.copy(content)
            return draft.keep()
        finally:
            draft.drop()

    def _put_many(self, contents: Sequence[bytes], limit: int | None) -> list[tuple[bytes, int]]:
        with Portion(self._places) as portion:
            return [(portion.add(content, limit), len(content)) for content in contents]


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if len(path.name) == 2 and path.is_dir()]
