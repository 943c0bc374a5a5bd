from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.archive_names import safe_name
from kaynak.parsing.archives import Budget, Entry

_BOMB_RATIO = 250
_BOMB_SIZE = 64 * 1024 * 1024
_LOCAL_HEADER = 30
_SUFFIXES = {media.GZIP: (".gz", ".gzip"), media.BZIP2: (".bz2",), media.XZ: (".xz", ".lzma")}


@contextmanager
def translated(name: str, encrypted: bool = False) -> Iterator[None]:
    """Turns errors of the archive libraries into ours.

    Args:
        name: The entry that is being read.
        encrypted: Whether a wrong password is the likeliest cause of damage; ZIP checks only a byte of it.

    Raises:
        UnreadableDocument: ``wrong-password``, ``encrypted`` (with a method we cannot undo) or ``corrupt``.
    """
    try:
        yield
    except RuntimeError as exc:  # zipfile says so of passwords; NotImplementedError is one too
        if isinstance(exc, NotImplementedError):
            raise UnreadableDocument(
                UnreadableReason.UNSUPPORTED_FORMAT,
                f"“{name}” is packed with a method that is not supported.",
                hint="Pack the archive again with the usual ZIP compression.",
            ) from exc
        raise _wrong_password() from exc
    except (BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # the disk, not the archive
        if encrypted:
            raise _wrong_password() from exc
        raise UnreadableDocument(
            UnreadableReason.CORRUPT, f"The archive is damaged at “{name}”.", hint="Pack it again."
        ) from exc


def _wrong_password() -> UnreadableDocument:
    return UnreadableDocument(
        UnreadableReason.WRONG_PASSWORD, "The password does not open the archive.", hint="Try another one."
    )


def zip_entries(path: Path, budget: Budget, password: str | None) -> Iterator[Entry]:
    """Yields the files of a ZIP; its whole directory is checked first."""
    with translated(path.name):
        archive = ZipFile(path)
    with archive:
        infos = archive.infolist()
        _check_overlaps(infos)
        files = [(safe_name(info.filename), info) for info in infos if not info.is_dir()]
        files = [(name, info) for name, info in files if not stat.S_ISLNK(info.external_attr >> 16)]
        budget.fits(sum(info.file_size for _, info in files))
        for name, info in files:
            _check_entry(name, info, password)
        key = password.encode() if password else None
        for name, info in files:
            yield Entry(name, partial(archive.open, info, "r", key), bool(info.flag_bits & 1))


def _check_entry(name: str, info: ZipInfo, password: str | None) -> None:
    if info.file_size > _BOMB_SIZE and info.file_size > _BOMB_RATIO * max(1, info.compress_size):
        raise _unsafe(f"“{name}” unpacks to {info.file_size // max(1, info.compress_size):,} times its size")
    if info.flag_bits & 1 and info.compress_type == 99:
        raise UnreadableDocument(
            UnreadableReason.ENCRYPTED,
            "The archive is encrypted with AES, which is not supported.",
            hint="Unpack it, or pack it without a password.",
        )
    if info.flag_bits & 1 and not password:
        raise UnreadableDocument(
            UnreadableReason.ENCRYPTED, "The archive is encrypted.", hint="Upload it again together with its password."
        )


def _check_overlaps(infos: list[ZipInfo]) -> None:
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise _unsafe("its entries overlap")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size


def _unsafe(what: str) -> UnreadableDocument:
    return UnreadableDocument(
        UnreadableReason.UNSAFE_ARCHIVE,
        f"The archive looks like a trap: {what}.",
        hint="Unpack it where that is safe, and upload the files.",
    )


def holds_tar(path: Path, media_type: str) -> bool:
    """Returns whether a compressed file holds a TAR archive."""
    try:
        with _decompressor(path, media_type) as stream:
            return stream.read(512)[257:262] == b"ustar"
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return False


def tar_entries(path: Path, budget: Budget) -> Iterator[Entry]:
    """Yields the regular files of a TAR, compressed or not; all names and sizes are checked first."""
    with translated(path.name), tarfile.open(path, "r|*") as archive:
        total = 0
        for info in archive:
            safe_name(info.name)
            total += max(0, info.size) if info.isfile() else 0
            budget.fits(total)
    with translated(path.name):
        archive = tarfile.open(path, "r|*")  # noqa: SIM115 - closed below; errors of opening are translated
    with archive:
        for info in archive:
            if info.isfile() and not info.issparse():
                yield Entry(safe_name(info.name), partial(_tar_file, archive, info))


def _tar_file(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return archive.extractfile(info) or io.BytesIO()


def single_entry(path: Path, name: str, media_type: str) -> Iterator[Entry]:
    """Yields the one file in a GZ, BZ2 or XZ, named after it."""
    for suffix in _SUFFIXES[media_type]:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
            break
    yield Entry(name, partial(_decompressor, path, media_type))


def _decompressor(path: Path, media_type: str) -> IO[bytes]:
    if media_type == media.GZIP:
        return cast("IO[bytes]", gzip.open(path))
    return cast("IO[bytes]", bz2.open(path) if media_type == media.BZIP2 else lzma.open(path))
