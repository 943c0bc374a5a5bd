from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from kaynak.domain import BlockKind, Json, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.tables import add_table

_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200  # flags of the file information block
_FLAGS, _TEXT_LENGTHS, _CLX = 0x0A, 0x4C, 0x01A2
_MAX_PIECES = 1_000_000


class Word97Parser:
    """Word 97–2003 documents: text, tables and notes; styles, and with them headings, are not read."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        import olefile

        try:
            with olefile.OleFileIO(source.path) as ole:
                with ole.openstream("WordDocument") as stream:
                    main: bytes = stream.read()
                (flags,) = struct.unpack_from("<H", main, _FLAGS)
                if flags & _ENCRYPTED:
                    return _decrypted(source, limits)
                with ole.openstream("1Table" if flags & _SECOND_TABLE else "0Table") as stream:
                    table: bytes = stream.read()
                properties = ole.get_metadata()
                text = "".join(_pieces(main, table))
        except (OSError, struct.error, IndexError) as exc:
            raise UnreadableDocument(
                UnreadableReason.CORRUPT,
                "The Word document is damaged, or older than Word 97.",
                hint="Open it in Word or LibreOffice and save it as DOCX.",
            ) from exc
        builder = TextBuilder(limits.text_chars, limits.pages)
        _add_text(builder, text)
        metadata: dict[str, Json] = {"author": _told(properties.author), "subject": _told(properties.subject)}
        for key, when in (("created", properties.create_time), ("modified", properties.last_saved_time)):
            if when is not None and when.year > 1980:
                metadata[key] = when.isoformat()
        return builder.build(
            media.DOC,
            title=_told(properties.title),
            metadata=metadata,
            warnings=["Headings are not recognised in the old .doc format; DOCX keeps them."],
        )


def _decrypted(source: Source, limits: ParseLimits) -> ParsedDocument:
    from kaynak.parsing.encrypted import decrypted

    with decrypted(source) as plain:
        return Word97Parser().parse(plain, limits)


def _told(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "ignore") or None
    return value if isinstance(value, str) else None


def _pieces(main: bytes, table: bytes) -> Iterator[str]:
    """Yields the text by the piece table, in order: of the body, then of notes, headers and boxes."""
    start, length = struct.unpack_from("<II", main, _CLX)
    clx = table[start : start + length]
    at = 0
    while clx[at] == 1:  # formatting of pieces comes first
        at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
    (size,) = struct.unpack_from("<I", clx, at + 1)
    plan = clx[at + 5 : at + 5 + size]
    count = min((len(plan) - 4) // 12, _MAX_PIECES)
    places = struct.unpack_from(f"<{count + 1}I", plan, 0)
    (header_start, header_end) = _header_range(main)
    for piece in range(count):
        (where,) = struct.unpack_from("<I", plan, (count + 1) * 4 + piece * 8 + 2)
        length = places[piece + 1] - places[piece]
        if where & 0x4000_0000:
            begin = (where & 0x3FFF_FFFF) // 2
            text = main[begin : begin + length].decode("cp1252", "replace")
        else:
            text = main[where : where + 2 * length].decode("utf-16-le", "replace")
        cut = slice(max(0, header_start - places[piece]), max(0, header_end - places[piece]))
        yield text[: cut.start] + text[cut.stop :]


def _header_range(main: bytes) -> tuple[int, int]:
    """Returns where headers and footers lie: after the body and the footnotes."""
    body, notes, headers = struct.unpack_from("<3I", main, _TEXT_LENGTHS)
    return body + notes, body + notes + headers


def _add_text(builder: TextBuilder, text: str) -> None:
    # A field is 0x13 code 0x14 result 0x15; the codes go, innermost first.
    for _ in range(10):
        shorter = re.sub("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15", r"\1", text)
        if shorter == text:
            break
        text = shorter
    text = re.sub("[\x01\x02\x05\x08\x13-\x15\x1f]", "", text.replace("\x1e", "-").replace("\x0b", "\n"))
    rows: list[list[str]] = []
    row: list[str] = []
    for part in re.findall("[^\r\x07\x0c]*[\r\x07\x0c]?", text):
        body, mark = (part[:-1], part[-1:]) if part[-1:] in {"\r", "\x07", "\x0c"} else (part, "")
        if mark == "\x07":
            if body or not row:
                row.append(body)
            elif _ends_row(row, rows):
                rows.append(row)
                row = []
            else:
                row.append(body)
            continue
        if row:
            # A paragraph within a cell.
            row.append(body)
            continue
        _add_rows(builder, rows)
        builder.add(BlockKind.PARAGRAPH, body)
    _add_rows(builder, [*rows, row] if row else rows)


def _ends_row(row: list[str], rows: list[list[str]]) -> bool:
    """An empty cell mark ends the row, unless the row is shorter than those before."""
    return not rows or len(row) >= len(rows[-1])


def _add_rows(builder: TextBuilder, rows: list[list[str]]) -> None:
    if rows:
        add_table(builder, [list(row) for row in rows])
        rows.clear()
