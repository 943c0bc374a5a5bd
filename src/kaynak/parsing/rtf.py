from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kaynak.domain import BlockKind, Json, ParsedDocument
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.tables import add_table

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.S
)
_SKIPPED = frozenset({
    b"colortbl", b"stylesheet", b"pict", b"object", b"themedata", b"colorschememapping", b"datastore",
    b"latentstyles", b"listtable", b"listoverridetable", b"rsidtbl", b"generator", b"fldinst", b"xmlnstbl",
    b"filetbl", b"revtbl", b"mmathPr", b"nonshppict", b"pntxtb", b"pntxta", b"pnseclvl", b"bkmkstart", b"bkmkend",
    b"headerl", b"headerr", b"headerf", b"footerl", b"footerr", b"footerf", b"header", b"footer", b"userprops",
    b"wgrffmtfilter", b"passwordhash", b"operator", b"company", b"manager", b"comment", b"doccomm", b"buptim",
    b"sp", b"atnid", b"atnauthor", b"tc", b"xe", b"listname", b"falt", b"panose", b"fontemb",
})  # fmt: skip
_INFO = {b"title": "title", b"author": "author", b"subject": "subject", b"keywords": "keywords"}
_SPECIAL = {
    b"par": "\n\n", b"sect": "\n\n", b"page": "\n\n", b"column": "\n\n", b"line": "\n", b"lbr": "\n", b"tab": "\t",
    b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”",
    b"bullet": "•", b"emspace": " ", b"enspace": " ", b"qmspace": " ", b"~": "\xa0", b"_": "-", b"\n": "\n\n",
    b"\r": "\n\n", b"zwj": "\u200d", b"zwnj": "\u200c", b"ltrmark": "\u200e", b"rtlmark": "\u200f",
}  # fmt: skip
_CHARSETS = {0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "cp936", 136: "cp950",
             161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257",
             204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437"}  # fmt: skip
_MAX_GROUPS = 10_000


@dataclass(frozen=True, slots=True)
class _State:
    """What a group of RTF inherits from the one around it."""

    destination: str = "body"
    skip_after_unicode: int = 1
    codec: str = ""
    hidden: bool = False


class RtfParser:
    """RTF: paragraphs, lists, tables, headings by outline level; Unicode and code pages."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        builder = TextBuilder(limits.text_chars, limits.pages)
        reader = _Reader(builder)
        reader.read(source.path.read_bytes())
        title = reader.info.pop("title", None)
        metadata: dict[str, Json] = dict(reader.info)
        return builder.build(media.RTF, title=title or builder.first_heading, metadata=metadata)


class _Reader:
    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._state = _State()
        self._stack: list[_State] = []
        self._bytes = bytearray()
        self._text: dict[str, list[str]] = {"body": []}
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._default_codec = "cp1252"
        self._to_skip = 0
        self._starred = False
        self._outline: int | None = None
        self._in_table = False
        self._row: list[str] = []
        self._rows: list[list[str]] = []
        self.info: dict[str, str] = {}

    def read(self, data: bytes) -> None:
        for match in _TOKEN.finditer(data):
            word, number, code, symbol, brace, plain = match.groups()
            if brace:
                self._brace(brace)
            elif word:
                self._word(word, int(number) if number else None)
                if word == b"bin" and number:  # raw bytes follow that may look like anything
                    self._state = replace(self._state, destination="skip")
            elif code:
                self._byte(int(code, 16))
            elif symbol:
                self._symbol(symbol)
            elif plain:
                self._plain(plain)
        self._end_paragraph()
        self._end_table()

    def _brace(self, brace: bytes) -> None:
        self._flush_bytes()
        self._to_skip = 0
        if brace == b"{":
            if len(self._stack) < _MAX_GROUPS:
                self._stack.append(self._state)
        elif self._stack:
            closed, self._state = self._state, self._stack.pop()
            if closed.destination != self._state.destination:
                self._end_destination(closed.destination)

    def _end_destination(self, destination: str) -> None:
        text = _united("".join(self._text.pop(destination, []))).strip()
        if destination in _INFO.values() and text:
            self.info[destination] = text
        elif destination == "footnote" and text:
            self._write(f" [{' '.join(text.split())}]")
        elif destination == "marker":
            self._text["marker"] = [text]

    def _word(self, word: bytes, number: int | None) -> None:
        if self._to_skip and word != b"u":
            self._to_skip -= 1
            return
        if word == b"u" and number is not None:
            self._flush_bytes()
            self._write(_character(number))
            self._to_skip = self._state.skip_after_unicode
            return
        self._flush_bytes()
        starred, self._starred = self._starred, False
        if word in _SPECIAL:
            self._special(word)
        elif word in {b"cell", b"nestcell"}:
            self._row.append(self._take())
        elif word in {b"row", b"nestrow"}:
            self._rows.append(self._row)
            self._row = []
        else:
            self._format(word, number, starred)

    def _format(self, word: bytes, number: int | None, starred: bool) -> None:
        state = self._state
        if word in _INFO and state.destination == "info":
            self._state = replace(state, destination=_INFO[word])
        elif word == b"info":
            self._state = replace(state, destination="info")
        elif word == b"fonttbl":
            self._state = replace(state, destination="fonts")
        elif word in {b"footnote", b"annotation"} and state.destination == "body":
            self._state = replace(state, destination="footnote")
        elif word in {b"listtext", b"pntext"}:
            self._state = replace(state, destination="marker")
        elif word in _SKIPPED or (starred and word not in {b"shpinst", b"shptxt", b"ud", b"bkmkstart"}):
            self._state = replace(state, destination="skip")
        elif word == b"upr":
            pass  # an ANSI twin, then the same in Unicode; the twin is dropped where \*\ud begins
        elif word == b"uc":
            self._state = replace(state, skip_after_unicode=max(0, number or 0))
        elif word == b"v":
            self._state = replace(state, hidden=number != 0)
        elif word == b"plain":
            self._state = replace(state, hidden=False, codec="")
        elif word in {b"pard", b"intbl", b"outlinelevel"}:
            self._paragraph_format(word, number)
        else:
            self._font_format(word, number)

    def _paragraph_format(self, word: bytes, number: int | None) -> None:
        if word == b"pard":
            self._outline, self._in_table = None, False
        elif word == b"intbl":
            self._in_table = True
        elif number is not None and 0 <= number < 9:
            self._outline = number + 1

    def _font_format(self, word: bytes, number: int | None) -> None:
        if word == b"ansicpg" and number:
            self._default_codec = _codec(number)
        elif word == b"mac":
            self._default_codec = "mac_roman"
        elif word == b"f" and number is not None:
            self._font = number
            if self._state.destination != "fonts":
                self._state = replace(self._state, codec=self._fonts.get(number, ""))
        elif word == b"fcharset" and number in _CHARSETS and number != 0:
            self._fonts[self._font] = _CHARSETS[number]

    def _special(self, word: bytes) -> None:
        text = _SPECIAL[word]
        if text != "\n\n":
            self._write(text)
        elif self._in_table or self._state.destination != "body":
            self._write("\n")
        else:
            self._end_paragraph()

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif symbol in b"{}\\":
            self._plain(symbol)
        elif symbol in _SPECIAL:
            self._flush_bytes()
            self._special(symbol)

    def _byte(self, value: int) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._bytes.append(value)

    def _plain(self, plain: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(plain))
            plain, self._to_skip = plain[skipped:], self._to_skip - skipped
        self._bytes.extend(plain)

    def _flush_bytes(self) -> None:
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            self._write(data.decode(self._state.codec or self._default_codec, "replace"))

    def _write(self, text: str) -> None:
        state = self._state
        if state.destination not in {"skip", "fonts", "info"} and not state.hidden:
            self._text.setdefault(state.destination, []).append(text)

    def _take(self) -> str:
        text = _united("".join(self._text["body"]))
        self._text["body"] = []
        marker = "".join(self._text.pop("marker", []))
        return f"{marker} {text.strip()}" if marker else text.strip()

    def _end_paragraph(self) -> None:
        self._flush_bytes()
        if not self._in_table:
            self._end_table()
        marker = "".join(self._text.pop("marker", []))
        text = self._take()
        if not text:
            return
        if self._outline:
            self._builder.add(BlockKind.HEADING, f"{marker} {text}", self._outline)
        elif marker:
            label = marker if any(char.isalnum() for char in marker) else "-"
            self._builder.add(BlockKind.LIST_ITEM, f"{label} {text}", 0)
        else:
            self._builder.add(BlockKind.PARAGRAPH, text)

    def _end_table(self) -> None:
        if self._row:
            self._rows.append(self._row)
        if self._rows:
            rows, self._rows, self._row = self._rows, [], []
            add_table(self._builder, rows)


def _character(number: int) -> str:
    return chr(number & 0xFFFF)


def _united(text: str) -> str:
    """Returns the text with surrogate halves, as Word writes astral characters, joined."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _codec(page: int) -> str:
    name = {10000: "mac_roman", 65001: "utf-8", 708: "iso8859_6", 0: "cp1252"}.get(page, f"cp{page}")
    try:
        b"".decode(name)
    except LookupError:
        return "cp1252"
    return name
