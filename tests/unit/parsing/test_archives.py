# ruff: noqa: PT017 - a name may be safe or refused
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import UnreadableDocument, UnreadableReason, validate_external_id
from kaynak.parsing import ParseLimits, expand, is_archive
from kaynak.parsing.archive_names import NameBook, safe_name


def zipped(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            with warnings.catch_warnings(action="ignore"):  # of names that come twice, which are meant
                archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def tarred(*entries: tuple[tarfile.TarInfo | str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def contents(tmp_path: Path, data: bytes, name: str = "a.zip", password=None, **limits: int) -> dict[str, bytes]:
    path = tmp_path / "archive"
    path.write_bytes(data)
    members = expand(path, name, ParseLimits(**limits), password)
    return {member.name: member.path.read_bytes() for member in members}


def refused(tmp_path: Path, data: bytes, **kwargs) -> UnreadableDocument:
    with pytest.raises(UnreadableDocument) as caught:
        contents(tmp_path, data, **kwargs)
    return caught.value


def test_members_and_litter(tmp_path: Path) -> None:
    data = zipped(
        ("folder/a.txt", b"a"), ("folder/", b""), ("b ş.txt", b"b"), ("__MACOSX/._a.txt", b"x"), (".DS_Store", b"x"),
        ("folder\\c.txt", b"c"), ("folder/Thumbs.db", b"x"), ("b ş.txt", b"again"), ("empty.txt", b""),
    )  # fmt: skip
    assert contents(tmp_path, data) == {
        "folder/a.txt": b"a", "b ş.txt": b"b", "folder/c.txt": b"c", "b ş (2).txt": b"again", "empty.txt": b"",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (tarred(("a/b.txt", b"b")), "x.tar", {"a/b.txt": b"b"}),
        (tarred(("a.txt", b"a"), mode="w:gz"), "x.tgz", {"a.txt": b"a"}),
        (tarred(("a.txt", b"a"), mode="w:xz"), "x", {"a.txt": b"a"}),
        (gzip.compress(b"text"), "notes.txt.gz", {"notes.txt": b"text"}),
        (bz2.compress(b"text"), "notes.txt.bz2", {"notes.txt": b"text"}),
        (lzma.compress(b"text"), "notes", {"notes": b"text"}),
    ],
)
def test_other_formats(tmp_path: Path, data, name, expected) -> None:
    assert contents(tmp_path, data, name=name) == expected


def test_archives_in_archives(tmp_path: Path) -> None:
    inner = zipped(("deep.txt", b"deep"))
    middle = tarred(("inner.zip", inner), ("side.txt", b"side"), mode="w:gz")
    data = zipped(("middle.tar.gz", middle), ("top.txt", b"top"))
    expected = {"middle.tar.gz/inner.zip/deep.txt": b"deep", "middle.tar.gz/side.txt": b"side", "top.txt": b"top"}
    assert contents(tmp_path, data) == expected
    assert refused(tmp_path, data, archive_depth=2).reason is UnreadableReason.TOO_COMPLEX


def test_an_archive_within_that_cannot_be_opened_fails_alone(tmp_path: Path) -> None:
    found = contents(tmp_path, zipped(("bad.zip", b"PK\x03\x04 nonsense"), ("good.txt", b"good")))
    assert found == {"bad.zip": b"PK\x03\x04 nonsense", "good.txt": b"good"}


def test_office_files_are_no_archives(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(zipped(("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<x/>")))
    assert not is_archive(path, "a.zip")
    path.write_bytes(b"")
    assert not is_archive(path, "a.zip")
    path.write_bytes(zipped(("a", b"a")))
    assert is_archive(path, "a.docx")


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil", "/etc/passwd", "C:\\windows\\x", "\\\\host\\x", "a\\..\\b"]
)
def test_names_that_lead_outside_are_refused_before_anything_is_unpacked(tmp_path: Path, name) -> None:
    for data in (zipped(("good.txt", b"x"), (name, b"evil")), tarred(("good.txt", b"x"), (name, b"evil"))):
        path = tmp_path / "archive"
        path.write_bytes(data)
        with pytest.raises(UnreadableDocument) as caught:
            next(expand(path, "a", ParseLimits()))
        assert caught.value.reason is UnreadableReason.UNSAFE_ARCHIVE
        assert name in caught.value.message


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("real.txt", "real")
    assert contents(tmp_path, buffer.getvalue()) == {"real.txt": b"real"}
    special = []
    for name, kind in (
        ("sym", tarfile.SYMTYPE),
        ("hard", tarfile.LNKTYPE),
        ("dev", tarfile.CHRTYPE),
        ("fifo", tarfile.FIFOTYPE),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        special.append((info, b""))
    assert contents(tmp_path, tarred(*special, ("real.txt", b"real"))) == {"real.txt": b"real"}


def test_limits(tmp_path: Path) -> None:
    many = zipped(*[(f"{n}.txt", b"x") for n in range(20)])
    assert refused(tmp_path, many, archive_files=19).reason is UnreadableReason.TOO_COMPLEX
    large = bytes(range(256)) * 8192
    for data in (zipped(("big", large)), tarred(("big", large)), gzip.compress(large)):
        assert refused(tmp_path, data, archive_mb=1).reason is UnreadableReason.TOO_COMPLEX
    nested = zipped(("a.zip", zipped(("big", large))), ("b.zip", zipped(("big", large))))
    assert refused(tmp_path, nested, archive_mb=3).reason is UnreadableReason.TOO_COMPLEX


def test_bombs(tmp_path: Path) -> None:
    assert refused(tmp_path, zipped(("zeros", bytes(100_000_000)))).reason is UnreadableReason.UNSAFE_ARCHIVE
    assert refused(tmp_path, gzip.compress(bytes(80_000_000)), archive_mb=50).reason is UnreadableReason.TOO_COMPLEX


def test_overlapping_entries(tmp_path: Path) -> None:
    data = bytearray(zipped(("a", b"x" * 50), ("b", b"y" * 50), compression=zipfile.ZIP_STORED))
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    assert refused(tmp_path, bytes(data)).reason is UnreadableReason.UNSAFE_ARCHIVE


def test_a_lie_about_the_size(tmp_path: Path) -> None:
    data = bytearray(zipped(("a", b"x" * 5_000_000)))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert refused(tmp_path, bytes(data)).reason is UnreadableReason.CORRUPT


# PKWARE's cipher, for want of a library that writes it: keys are updated with every plain byte.
def _locked(content: bytes, password: bytes) -> bytes:
    import zlib

    def crc(value: int, byte: int) -> int:
        return (zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF) & 0xFFFFFFFF

    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    checksum = zlib.crc32(content)
    out = bytearray()
    for byte in bytes(11) + bytes([checksum >> 24]) + content:
        pad = (keys[2] | 2) & 0xFFFF
        out.append(byte ^ ((pad * (pad ^ 1)) >> 8 & 0xFF))
        update(byte)
    data = bytearray(zipped(("a.txt", bytes(out)), compression=zipfile.ZIP_STORED))
    central = data.rfind(b"PK\x01\x02")
    for flags, crc_at, plain in ((6, 14, 22), (central + 8, central + 16, central + 24)):
        data[flags] |= 1
        data[crc_at : crc_at + 4] = checksum.to_bytes(4, "little")
        data[plain : plain + 4] = len(content).to_bytes(4, "little")
    return bytes(data)


def test_encrypted_archives(tmp_path: Path) -> None:
    data = _locked(b"the secret plan", b"sesame")
    assert contents(tmp_path, data, password="sesame") == {"a.txt": b"the secret plan"}
    assert refused(tmp_path, data).reason is UnreadableReason.ENCRYPTED
    assert refused(tmp_path, data, password="guess").reason is UnreadableReason.WRONG_PASSWORD
    aes = bytearray(data)
    for at in (8, aes.rfind(b"PK\x01\x02") + 10):
        aes[at] = 99
    assert refused(tmp_path, bytes(aes), password="sesame").reason is UnreadableReason.ENCRYPTED


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 nonsense",
        gzip.compress(b"x" * 10_000)[:30],
        tarred(("a", b"x" * 5000))[:2000],
        lzma.compress(b"abc")[:-9],
    ],
)
def test_damaged_archives(tmp_path: Path, data) -> None:
    assert refused(tmp_path, data).reason is UnreadableReason.CORRUPT


def test_an_empty_archive_and_no_archive(tmp_path: Path) -> None:
    assert refused(tmp_path, zipped(("folder/", b""))).reason is UnreadableReason.EMPTY
    assert refused(tmp_path, b"just text").reason is UnreadableReason.UNSUPPORTED_FORMAT


def test_temporary_files_are_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(zipped(("a", b"1"), ("b", b"2")))
    members = expand(path, "a.zip", ParseLimits())
    first = next(members).path
    assert first.exists()
    members.close()
    assert not first.exists()
    assert not first.parent.exists()


@given(st.text(min_size=1, max_size=50))
def test_names_are_safe_or_refused(name) -> None:
    try:
        safe = safe_name(name)
    except UnreadableDocument as exc:
        assert exc.reason is UnreadableReason.UNSAFE_ARCHIVE
        return
    assert validate_external_id(f"archive.zip/{safe}")
    assert not safe.startswith("/")
    assert ".." not in safe.split("/")


@given(st.lists(st.sampled_from(["a", "a.txt", "b/a.txt", "a (2).txt"]), max_size=20))
def test_equal_names_are_told_apart(names) -> None:
    book = NameBook()
    unique = [book.unique(name) for name in names]
    assert len(set(unique)) == len(unique)
