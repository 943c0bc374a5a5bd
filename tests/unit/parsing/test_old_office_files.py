"""Files of Word 97 and Outlook, in compound files written by hand."""

from __future__ import annotations

import struct

import pytest

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import media

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Tree = dict[str, "bytes | Tree"]


def compound(tree: Tree) -> bytes:
    """Returns a compound file: a file system of its own, with one kind of sector for small streams."""
    entries: list[list] = [["Root Entry", 5, _FREE, _FREE, _FREE, b""]]

    def add(parent: int, branch: Tree) -> None:
        previous = None
        for name, content in branch.items():
            number = len(entries)
            is_stream = isinstance(content, bytes)
            entries.append([name, 2 if is_stream else 1, _FREE, _FREE, _FREE, content if is_stream else b""])
            if previous is None:
                entries[parent][4] = number
            else:
                entries[previous][3] = number
            previous = number
            if not is_stream:
                add(number, content)

    add(0, tree)
    sectors, chains = _Chain(512), _Chain(64)
    directory = b""
    placed = [sectors.store(entry[5]) if len(entry[5]) >= 4096 else chains.store(entry[5]) for entry in entries]
    small = b"".join(chains.blocks)
    entries[0][5], placed[0] = small, sectors.store(small)
    for (name, kind, left, right, child, content), where in zip(entries, placed, strict=True):
        wide = name.encode("utf-16-le") + b"\0\0"
        directory += wide.ljust(64, b"\0") + struct.pack("<HBB3I", len(wide), kind, 1, left, right, child)
        directory += bytes(36) + struct.pack("<IQ", where, len(content))
    start = sectors.store(directory)
    small_table = sectors.store(struct.pack(f"<{len(chains.next)}I", *chains.next))
    count = -(-(len(sectors.next) + 8) // 128)
    first = len(sectors.next)
    table = [*sectors.next, *[_FAT] * count]
    fat = struct.pack(f"<{len(table)}I", *table).ljust(512 * count, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, count, start, 0, 4096, small_table, -(-len(chains.next) // 128), _END, 0)
    header += struct.pack("<109I", *range(first, first + count), *[_FREE] * (109 - count))
    return header + b"".join(sectors.blocks) + fat


class _Chain:
    """Blocks of one size, and for each the number of the next of its stream."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.blocks: list[bytes] = []
        self.next: list[int] = []

    def store(self, data: bytes) -> int:
        if not data:
            return _END
        first = len(self.blocks)
        for at in range(0, len(data), self._size):
            self.blocks.append(data[at : at + self._size].ljust(self._size, b"\0"))
            self.next.append(len(self.blocks))
        self.next[-1] = _END
        return first


def word(pieces: list[tuple[str, bool]], *, flags: int = 0x0200, headers: str = "") -> bytes:
    """Returns a Word document of pieces of text, each in UTF-16 or in windows-1252."""
    main = bytearray(0x400)
    struct.pack_into("<HH", main, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", main, 0x0A, flags)
    body = sum(len(text) for text, _ in pieces)
    struct.pack_into("<3I", main, 0x4C, body, 0, len(headers))
    places, descriptors, at = [0], b"", 0
    for text, wide in [*pieces, (headers, True)] if headers else pieces:
        where = len(main) if wide else (len(main) * 2) | 0x4000_0000
        main += text.encode("utf-16-le" if wide else "cp1252")
        at += len(text)
        places.append(at)
        descriptors += struct.pack("<HIH", 0, where, 0)
    plan = struct.pack(f"<{len(places)}I", *places) + descriptors
    clx = b"\x01\x02\x00xx" + b"\x02" + struct.pack("<I", len(plan)) + plan
    struct.pack_into("<II", main, 0x01A2, 0, len(clx))
    return compound({"WordDocument": bytes(main), "1Table": clx})


def kinds(parsed) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, parsed.text[block.start : block.end], block.level) for block in parsed.blocks]


class TestWord97:
    def test_text_fields_and_tables(self, read) -> None:
        text = "Başlık\rSee \x13 HYPERLINK x \x14the page\x15.\ra\x07b\x07\x07c\x07d\x07\x07after\x0b\x1e\x01line\r"
        parsed = read("a.txt", word([(text, True), ("caf\xe9\r", False)], headers="HEADER\r"))
        assert parsed.media_type == media.DOC
        assert kinds(parsed) == [
            ("paragraph", "Başlık", None),
            ("paragraph", "See the page.", None),
            ("table", "| a | b |\n| --- | --- |\n| c | d |", None),
            ("paragraph", "after\n-line", None),
            ("paragraph", "café", None),
        ]

    def test_encrypted_and_damaged(self, read) -> None:
        with pytest.raises(UnreadableDocument) as encrypted:
            read("a.doc", word([("x", True)], flags=0x0300))
        with pytest.raises(UnreadableDocument) as damaged:
            read("a.doc", compound({"WordDocument": b"short", "1Table": b""}))
        assert encrypted.value.reason in {UnreadableReason.ENCRYPTED, UnreadableReason.CORRUPT}
        assert damaged.value.reason is UnreadableReason.CORRUPT


def text(number: int, value: str) -> tuple[str, bytes]:
    return f"__substg1.0_{number:04X}001F", value.encode("utf-16-le")


def times(number: int, ticks: int, header: int) -> bytes:
    return bytes(header) + struct.pack("<HHIQ", 0x40, number, 6, ticks)


class TestOutlook:
    def test_a_message_with_attachments(self, read) -> None:
        inner = dict([text(0x0037, "Inner"), text(0x1000, "Inner words.")])
        inner["__properties_version1.0"] = times(0x0E06, 0, 24)
        tree: Tree = {
            "__properties_version1.0": times(0x0039, 132_276_000_000_000_000, 32),
            **dict([text(0x0037, "Plan"), text(0x1000, "Plain words."), text(0x0C1A, "Ada"), text(0x0C1F, "a@b.c")]),
            "__substg1.0_0E04001E": b"Ali\x00",
            "__substg1.0_10130102": b"<html><body><p>Rich words.</p></body></html>",
            "__attach_version1.0_#00000000": {
                "__substg1.0_37010102": b"attached words",
                **dict([text(0x3707, "note.txt"), text(0x370E, "text/plain")]),
            },
            "__attach_version1.0_#00000001": {"__substg1.0_3701000D": inner},
            "__attach_version1.0_#00000002": {"__substg1.0_37010102": b"\x00\x01", **dict([text(0x3704, "junk.bin")])},
        }  # fmt: skip
        parsed = read("a.txt", compound(tree))
        assert (parsed.media_type, parsed.title) == (media.MSG, "Plan")
        assert parsed.metadata["author"] == "Ada <a@b.c>"
        assert str(parsed.metadata["created"]).startswith("2020-03-")
        texts = [one for _, one, _ in kinds(parsed)]
        assert texts[0] == "Plan"
        assert texts[1].startswith("From: Ada <a@b.c>\nTo: Ali\nDate: 2020-03-")
        assert texts[2:] == [
            "Rich words.", "Attachment: note.txt", "attached words", "Inner", "Inner words.", "Attachment: junk.bin",
        ]  # fmt: skip
        assert len(parsed.warnings) == 1

    def test_encrypted(self, read) -> None:
        tree: Tree = {
            "__properties_version1.0": bytes(32),
            **dict([text(0x001A, "IPM.Note.SMIME"), text(0x0037, "secret")]),
            "__attach_version1.0_#00000000": {"__substg1.0_37010102": b"-----BEGIN PGP MESSAGE-----"},
        }
        with pytest.raises(UnreadableDocument) as caught:
            read("a.msg", compound(tree))
        assert caught.value.reason is UnreadableReason.ENCRYPTED

    def test_damaged(self, read) -> None:
        data = compound({"__properties_version1.0": bytes(32), **dict([text(0x1000, "words")])})
        with pytest.raises(UnreadableDocument) as caught:
            read("a.msg", data[:600])
        assert caught.value.reason in {UnreadableReason.CORRUPT, UnreadableReason.UNSUPPORTED_FORMAT}


@pytest.mark.parametrize("stream", ["PowerPoint Document", "Something"])
def test_other_old_files_are_refused_with_a_hint(read, stream) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.ppt", compound({stream: b"x" * 100}))
    assert caught.value.reason is UnreadableReason.UNSUPPORTED_FORMAT
    assert "PPTX" in (caught.value.hint or "") or "PDF" in (caught.value.hint or "")


def test_a_workbook_that_is_none(read) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.xls", compound({"Workbook": b"x" * 100}))
    assert caught.value.reason is UnreadableReason.CORRUPT
