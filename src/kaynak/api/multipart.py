"""Multipart forms streamed to disk: never a file in memory, refused as soon as a limit is passed."""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from kaynak.api.reading import declared_length, too_large
from kaynak.domain import InvalidRequest, KaynakError, StorageFull, TooLarge

MEBIBYTE = 1024 * 1024
FORM_OVERHEAD = MEBIBYTE
"""What boundaries, headers and fields may add to the files."""
MAX_FIELD = MEBIBYTE


@dataclass(slots=True)
class FilePart:
    """One uploaded file, lying in a temporary directory."""

    field: str
    filename: str
    media_type: str | None
    path: Path
    size: int = 0


@dataclass(slots=True)
class Form:
    """What a multipart body held."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[FilePart] = field(default_factory=list)


@asynccontextmanager
async def received_form(request: Request, *, root: Path, limit: int, parts: int) -> AsyncIterator[Form]:
    """Receives the form; its files live until the block ends.

    Args:
        request: With an unread body.
        root: Where the temporary directory is made; on the disk of the originals, not in a RAM-backed /tmp.
        limit: Bytes all files together may have.
        parts: Files, and fields, there may be.

    Raises:
        TooLarge: A limit is passed, or Content-Length says that it would be.
        InvalidRequest: It is not a well-formed form.
        StorageFull: The disk is full.
    """
    if (declared_length(request) or 0) > limit + FORM_OVERHEAD:
        raise too_large(limit)
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidRequest("The multipart form has no boundary.", hint="Let your HTTP library build the form.")
    folder = await asyncio.to_thread(make_folder, root)
    try:
        collector = _Collector(folder, boundary, parts)
        try:
            await _receive(request, collector, limit)
        finally:
            await asyncio.to_thread(collector.close)
        yield collector.form
    finally:
        await asyncio.to_thread(rmtree, folder, ignore_errors=True)


def make_folder(root: Path) -> Path:
    """Returns a new directory in ``root``, for its owner only."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(dir=root))


async def _receive(request: Request, collector: _Collector, limit: int) -> None:
    received = 0
    pending: list[bytes] = []
    waiting = 0
    try:
        async for part in request.stream():
            received += len(part)
            if received > limit + FORM_OVERHEAD:
                raise too_large(limit)
            pending.append(part)
            waiting += len(part)
            # A thread per 64 kB packet would cost more than the write; one per megabyte does not.
            if waiting >= MEBIBYTE:
                await asyncio.to_thread(collector.write, b"".join(pending))
                pending, waiting = [], 0
        await asyncio.to_thread(collector.finish, b"".join(pending))
    except ClientDisconnect as exc:
        raise InvalidRequest("The request ended before its form was complete.") from exc
    if sum(part.size for part in collector.form.files) > limit:
        raise too_large(limit)


class _Collector:
    """Turns parser callbacks into fields and files. Runs in one thread at a time."""

    def __init__(self, folder: Path, boundary: bytes, parts: int) -> None:
        self.form = Form()
        self._folder = folder
        self._most = parts
        self._seen = 0
        self._ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._field: str = ""
        self._text: bytearray | None = None
        self._file: BinaryIO | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_finish,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_ends,
                    "on_end": self._ends,
                },
            )
        except FormParserError as exc:
            raise _malformed() from exc

    def write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except KaynakError:
            raise
        except FormParserError as exc:
            raise _malformed() from exc
        except OSError as exc:
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise StorageFull(
                    "There is no space left for the upload.", hint="Free some space on the disk of the data directory."
                ) from exc
            raise

    def finish(self, data: bytes) -> None:
        self.write(data)
        if not self._ended:
            raise InvalidRequest("The form ends in the middle of a part.", hint="Send it again.")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _part_begins(self) -> None:
        self._seen += 1
        if self._seen > 2 * self._most + 16:
            raise TooLarge("The form has too many parts.", hint="Send fewer files in one request.")
        self._headers = {}

    def _header_ends(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headers_finish(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise InvalidRequest("A part of the form has no name.")
        self._field = _decoded(options[b"name"])
        self._text = None
        if b"filename" not in options:
            self._text = bytearray()
            return
        if len(self.form.files) >= self._most:
            raise TooLarge(
                f"A request may carry at most {self._most} documents.", hint="Send them in several requests."
            )
        media_type, _ = parse_options_header(self._headers.get(b"content-type", b""))
        path = self._folder / f"{len(self.form.files)}"
        self._file = path.open("xb")
        self.form.files.append(
            FilePart(self._field, _decoded(options[b"filename"]), media_type.decode("latin-1") or None, path)
        )

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._text is not None:
            self._text += data[start:end]
            if len(self._text) > MAX_FIELD:
                raise TooLarge(f"The form field “{self._field[:80]}” is too long.")
        elif self._file is not None:
            self._file.write(data[start:end])
            self.form.files[-1].size += end - start

    def _part_ends(self) -> None:
        if self._text is not None:
            try:
                value = self._text.decode()
            except UnicodeDecodeError as exc:
                raise InvalidRequest(f"The form field “{self._field[:80]}” is not UTF-8.") from exc
            self.form.fields.setdefault(self._field, []).append(value)
        self.close()

    def _ends(self) -> None:
        self._ended = True


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _malformed() -> InvalidRequest:
    return InvalidRequest("The multipart form is malformed.", hint="Let your HTTP library build the form.")
