from __future__ import annotations

from pathlib import Path
from typing import Final

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.detect_text import text_type
from kaynak.parsing.encodings import decode, looks_binary

_HEAD = 64 * 1024

_MAGIC: Final = (
    (b"%!PS", media.POSTSCRIPT),
    (b"\x89PNG\r\n\x1a\n", media.PNG),
    (b"\xff\xd8\xff", media.JPEG),
    (b"II*\x00", media.TIFF),
    (b"MM\x00*", media.TIFF),
    (b"II+\x00", media.TIFF),
    (b"GIF87a", media.GIF),
    (b"GIF89a", media.GIF),
    (b"AT&TFORM", media.DJVU),
    (b"\x1f\x8b", media.GZIP),
    (b"BZh", media.BZIP2),
    (b"\xfd7zXZ\x00", media.XZ),
    (b"7z\xbc\xaf\x27\x1c", media.SEVEN_ZIP),
    (b"Rar!\x1a\x07", media.RAR),
    (b"SQLite format 3\x00", media.SQLITE),
    (b"PAR1", media.PARQUET),
    (b"\x7fELF", media.EXECUTABLE),
    (b"ID3", media.AUDIO),
    (b"fLaC", media.AUDIO),
    (b"OggS", media.AUDIO),
    (b"\x1aE\xdf\xa3", media.VIDEO),
)
_ISO_BRANDS: Final = {
    b"heic": media.HEIC,
    b"heix": media.HEIC,
    b"hevc": media.HEIC,
    b"mif1": media.HEIC,
    b"msf1": media.HEIC,
    b"heim": media.HEIC,
    b"avif": media.HEIC,
    b"M4A ": media.AUDIO,
}
_ODF_TYPES: Final = {
    media.ODT: media.ODT,
    media.ODS: media.ODS,
    media.ODP: media.ODP,
    media.ODG: media.ODG,
    media.EPUB: media.EPUB,
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def detect(path: Path, name: str, claimed: str | None = None) -> str:
    """Returns the media type of a file, from its content.

    Args:
        path: The file.
        name: Its extension decides between text formats that look alike, and nothing else.
        claimed: Likewise, after the name.

    Raises:
        UnreadableDocument: The file is empty.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        raise UnreadableDocument(UnreadableReason.EMPTY, "The file is empty.")
    binary = _binary_type(head) or _container_type(path, head)
    if binary:
        return binary
    if _is_tar(head):
        return media.TAR
    try:
        sample = decode(_whole_lines(head)).text
    except UnreadableDocument:
        return media.BINARY
    return text_type(sample, name, claimed, whole=len(head) < _HEAD)


def _binary_type(head: bytes) -> str | None:
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF":
        return media.WEBP if head[8:12] == b"WEBP" else media.AUDIO
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12], media.VIDEO)
    if head[:2] == b"BM" and head[6:10] == b"\x00\x00\x00\x00" and len(head) > 26:
        return media.BMP
    if head[:2] == b"MZ" and b"\x00" in head[:64]:
        return media.EXECUTABLE
    if head.lstrip()[:5] == b"{\\rtf":
        return media.RTF
    # Readers accept up to 1 KB of rubbish before the mark of a PDF; mail and HTML may mention it in text.
    where = head[:1024].find(b"%PDF-")
    if where == 0 or (where > 0 and (looks_binary(head) or not head[:where].strip(b"\xef\xbb\xbf\r\n\t \x00"))):
        return media.PDF
    return None


def _container_type(path: Path, head: bytes) -> str | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_type(path)
    if head.startswith(_OLE):
        return _ole_type(path)
    return None


def _zip_type(path: Path) -> str:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as package:
            names = [name.replace("\\", "/").lstrip("/") for name in package.namelist()[:20_000]]
            present = {name.lower() for name in names}
            if "mimetype" in present:
                original = package.namelist()[[name.lower() for name in names].index("mimetype")]
                info = package.getinfo(original)
                stated = package.read(info).decode("ascii", "replace") if info.file_size < 200 else ""
                stated = stated.strip().removesuffix("-template")
                if stated in _ODF_TYPES:
                    return _ODF_TYPES[stated]
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError):
        return media.ZIP  # damaged or encrypted; unpacking it says which
    if "[content_types].xml" in present:
        for folder, media_type in (("word/", media.DOCX), ("ppt/", media.PPTX), ("xl/", media.XLSX)):
            if any(name.startswith(folder) for name in present):
                return media.XLSB if "xl/workbook.bin" in present else media_type
    if "meta-inf/container.xml" in present:
        return media.EPUB
    if any(name.startswith("index/") and name.endswith(".iwa") for name in present) or "index.zip" in present:
        return media.PAGES
    return media.ZIP


def _ole_type(path: Path) -> str:
    import olefile

    try:
        with olefile.OleFileIO(path) as ole:
            streams = {"/".join(entry).lower() for entry in ole.listdir()}
    except Exception:
        return media.OLE
    if "encryptedpackage" in streams:
        return media.ENCRYPTED_OFFICE
    for stream, media_type in (
        ("worddocument", media.DOC),
        ("powerpoint document", media.PPT),
        ("workbook", media.XLS),
        ("book", media.XLS),
        ("__properties_version1.0", media.MSG),
    ):
        if stream in streams:
            return media_type
    return media.OLE


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _whole_lines(head: bytes) -> bytes:
    """Cuts a sample at its last line end, so that it does not end inside a character."""
    if len(head) < _HEAD:
        return head
    cut = head.rfind(b"\n")
    if cut > _HEAD // 2 and b"\x00" not in head[cut - 3 : cut + 4]:
        return head[: cut + 1]
    end = len(head) - len(head) % 4
    while end > _HEAD - 8 and head[end - 1] >= 0x80 and b"\x00" not in head[-8:]:
        end -= 1
    return head[:end]
