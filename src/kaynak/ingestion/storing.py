from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kaynak.catalog import BlobStore, Catalog, validate_metadata
from kaynak.domain import InvalidRequest, KaynakError, NotFound, TooLarge, Unavailable, clean
from kaynak.domain import validate_external_id as validate
from kaynak.domain.documents import MAX_EXTERNAL_ID
from kaynak.ingestion.uploads import Entry, Stored, Upload, failed, unreadable_file
from kaynak.parsing import Member, ParseLimits, expand, is_archive

_NAME_MOST = 1024
_SMALL_BYTES = 64 * 1024
_SIGNS = (b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf")
"""How archives begin, but for TAR, which says so at its byte 257."""
_TAR_SIGN, _TAR_PLACE = b"ustar", 257


class Storing:
    """Puts uploads into the blob store, and takes archives apart on the way.

    Args:
        catalog: Knows which blobs are in use.
        blobs: Where originals are kept.
        limits: What an archive may hold.
        upload_bytes: Largest single file.
    """

    def __init__(self, catalog: Catalog, blobs: BlobStore, limits: ParseLimits, upload_bytes: int) -> None:
        self._catalog = catalog
        self.blobs = blobs
        self._limits = limits
        self._upload_bytes = upload_bytes

    async def store(self, upload: Upload) -> list[Entry]:
        """Returns the upload stored, or, for an archive, each file in it; what is not acceptable as a failed item.

        Raises:
            StorageFull: There is no room.
            Unavailable: The blob store does not answer.
        """
        try:
            return await self._store(_checked(upload))
        except KaynakError as error:
            if error.transient:
                raise
            return [failed(upload.external_id, error)]
        except OSError as error:
            return [unreadable_file(upload.external_id, error)]

    def together(self, upload: Upload) -> bool:
        """Returns whether the upload may go through `store_many`."""
        content = upload.content
        return (
            isinstance(content, bytes)
            and len(content) <= min(_SMALL_BYTES, self._upload_bytes)
            and not _looks_archived(content)
        )

    async def store_many(self, uploads: Sequence[Upload]) -> list[Entry]:
        """As `store`, for those that may go `together`: the way to the disk is most of the work of a short text."""
        entries: list[Entry | None] = []
        checked: list[Upload] = []
        for upload in uploads:
            try:
                checked.append(_checked(upload))
                entries.append(None)
            except KaynakError as error:
                entries.append(failed(upload.external_id, error))
        kept = await self.blobs.put_many([one.content for one in checked if isinstance(one.content, bytes)])
        stored = (Stored(replace(one, content=b""), *put) for one, put in zip(checked, kept, strict=True))
        return [next(stored) if entry is None else entry for entry in entries]

    async def check(self, hashes: Sequence[bytes]) -> None:
        """Returns if the blobs are still there, now that versions refer to them and they will stay.

        Raises:
            Unavailable: One was removed in between, with the last document that had the same bytes.
        """
        if not all(await asyncio.gather(*(self.blobs.exists(content_hash) for content_hash in hashes))):
            raise Unavailable("A document with the same bytes was deleted at this very moment.", hint="Try again.")

    async def _store(self, upload: Upload) -> list[Entry]:
        content = upload.content
        if isinstance(content, Path):
            # Known beforehand, so that a gigabyte is not copied first only to be refused.
            self._check_size((await asyncio.to_thread(content.stat)).st_size)
            if await asyncio.to_thread(_archived, content, upload.filename):
                return await self._members(upload, content)
        elif isinstance(content, bytes):
            if _looks_archived(content):
                self._check_size(len(content))
                return await self._from_bytes(upload, content)
        else:
            return await self._from_stream(upload)
        return [await self._put(upload)]

    async def _put(self, upload: Upload) -> Stored:
        content_hash, size = await self.blobs.put(upload.content, limit=self._upload_bytes)
        # The bytes are in the store: nobody needs them in memory while the rest of the request comes in.
        return Stored(replace(upload, content=b""), content_hash, size)

    async def _from_bytes(self, upload: Upload, content: bytes) -> list[Entry]:
        with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
            path = Path(folder) / "upload"
            await asyncio.to_thread(path.write_bytes, content)
            if await asyncio.to_thread(is_archive, path, upload.filename):
                return await self._members(upload, path)
        return [await self._put(upload)]

    async def _from_stream(self, upload: Upload) -> list[Entry]:
        """A stream can be read once, so it goes into the store before anyone knows what it is."""
        stored = await self._put(upload)
        try:
            path = await self.blobs.open_path(stored.content_hash)
        except NotFound as exc:
            raise Unavailable("The same archive was taken apart at this very moment.", hint="Try again.") from exc
        if not await asyncio.to_thread(_archived, path, upload.filename):
            return [stored]
        try:
            return await self._members(upload, path)
        finally:
            async with self._catalog.begin() as unit:
                for content_hash in await unit.versions.release_contents([stored.content_hash]):
                    await self.blobs.delete(content_hash)

    async def _members(self, upload: Upload, path: Path) -> list[Entry]:
        """Members are unpacked one at a time: at most one lies there twice."""
        members = expand(path, upload.filename, self._limits, upload.password)
        found: list[Entry] = []
        try:
            while (member := await asyncio.to_thread(_next, members)) is not None:
                found.append(await self._member(upload, member))
        except KaynakError as error:
            if error.transient:
                raise
            found.append(failed(upload.external_id, error))
        finally:
            if isinstance(members, Generator):
                await asyncio.to_thread(members.close)
        return found

    async def _member(self, upload: Upload, member: Member) -> Entry:
        name = f"{upload.external_id}/{member.name}"
        try:
            part = replace(
                upload,
                external_id=validate(name),
                filename=member.name.rpartition("/")[2][-_NAME_MOST:],
                content=member.path,
                title=None,
                media_type=None,
            )
            return await self._put(part)
        except KaynakError as error:
            if error.transient:
                raise
            return failed(name, error)

    def _check_size(self, size: int) -> None:
        if size > self._upload_bytes:
            raise TooLarge(
                f"The file is larger than the limit of {self._upload_bytes:,} bytes.",
                hint="Split it, or raise KAYNAK_LIMITS__UPLOAD_MB.",
            )


def _checked(upload: Upload) -> Upload:
    """Returns the upload as it can be kept.

    Raises:
        InvalidRequest: Its id, metadata or password cannot be kept.
        TooLarge: Its metadata cannot be kept.
    """
    validate(upload.external_id)
    metadata = None if upload.metadata is None else validate_metadata(upload.metadata)
    password = upload.password or None
    if password is not None and clean(password) != password:
        raise InvalidRequest("The password has a character that no password can have.")
    return replace(
        upload,
        filename=clean(upload.filename)[-_NAME_MOST:] or upload.external_id[:MAX_EXTERNAL_ID],
        media_type=clean(upload.media_type)[:255] if upload.media_type else None,
        metadata=metadata,
        title=(" ".join(clean(upload.title).split())[:_NAME_MOST] or None) if upload.title else None,
        password=password,
    )


def _archived(path: Path, name: str) -> bool:
    with path.open("rb") as file:
        return _looks_archived(file.read(_TAR_PLACE + len(_TAR_SIGN))) and is_archive(path, name)


def _looks_archived(head: bytes) -> bool:
    """Returns whether it may be an archive: most uploads are none, and need no closer look."""
    return head.startswith(_SIGNS) or head[_TAR_PLACE : _TAR_PLACE + len(_TAR_SIGN)] == _TAR_SIGN


def _next(members: Iterator[Member]) -> Member | None:
    with suppress(StopIteration):
        return next(members)
    return None
