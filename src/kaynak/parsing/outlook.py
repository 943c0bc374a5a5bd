from __future__ import annotations

import datetime as dt
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, Json, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.attachments import add_attachment
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.encodings import decode
from kaynak.parsing.html import add_html_fragment
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.text import add_plain_text

if TYPE_CHECKING:
    from olefile import OleFileIO

# Property ids of MS-OXPROPS.
_SUBJECT, _BODY, _HTML, _CLASS = 0x0037, 0x1000, 0x1013, 0x001A
_SENDER, _SENDER_SMTP, _SENDER_MAIL = 0x0C1A, 0x5D01, 0x0C1F
_TO, _CC = 0x0E04, 0x0E03
_ATTACHED, _LONG_NAME, _SHORT_NAME, _MIME = 0x3701, 0x3707, 0x3704, 0x370E
_SENT, _RECEIVED = 0x0039, 0x0E06
_EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
_MAX_DEPTH = 5


class OutlookParser:
    """Outlook messages (MSG): subject, people, date, body, and the text of readable attachments."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        import olefile

        builder = TextBuilder(limits.text_chars, limits.pages)
        try:
            with olefile.OleFileIO(source.path) as ole:
                message = _Message(ole, ())
                reader = _Reader(builder, limits)
                reader.message(message, 1)
                encrypted = reader.encrypted or "smime" in message.text(_CLASS).lower()
                title = message.text(_SUBJECT)
                metadata: dict[str, Json] = {
                    "author": message.sender(),
                    "to": message.text(_TO),
                    "created": message.date(),
                }
        except (OSError, IndexError, ValueError) as exc:
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The Outlook message is damaged.") from exc
        if encrypted and not reader.has_body:
            raise UnreadableDocument(
                UnreadableReason.ENCRYPTED,
                "The message is encrypted for its recipient.",
                hint="Open it in Outlook and save or forward it decrypted.",
            )
        return builder.build(media.MSG, title=title, metadata=metadata, warnings=reader.warnings)


class _Message:
    """A message, or an attachment: a storage with property streams."""

    def __init__(self, ole: OleFileIO, path: tuple[str, ...]) -> None:
        self._ole, self._path = ole, path
        depth = len(path)
        entries = [entry for entry in ole.listdir(storages=True) if tuple(entry[:depth]) == path]
        self._streams = {entry[depth].lower(): entry[depth] for entry in entries if len(entry) > depth}

    def raw(self, number: int, kind: str) -> bytes | None:
        name = self._streams.get(f"__substg1.0_{number:04x}{kind}")
        path = [*self._path, name] if name else None
        if path is None or self._ole.get_type(path) != 2:  # 2: a stream, not a storage
            return None
        with self._ole.openstream(path) as stream:
            data: bytes = stream.read()
        return data

    def text(self, number: int) -> str:
        wide = self.raw(number, "001f")
        if wide is not None:
            return wide.decode("utf-16-le", "replace").rstrip("\x00")
        narrow = self.raw(number, "001e")
        return decode(narrow.rstrip(b"\x00")).text if narrow else ""

    def sender(self) -> str:
        name, address = self.text(_SENDER), self.text(_SENDER_SMTP) or self.text(_SENDER_MAIL)
        if name and "@" in address and name != address:
            return f"{name} <{address}>"
        return name or address

    def date(self) -> str | None:
        name = self._streams.get("__properties_version1.0")
        if not name:
            return None
        with self._ole.openstream([*self._path, name]) as stream:
            data: bytes = stream.read()
        start = 24 if self._path and not self._path[-1].startswith("__attach") else 32
        times: dict[int, int] = {}
        for at in range(start, len(data) - 15, 16):
            kind, number = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
            if kind == 0x40 and number in {_SENT, _RECEIVED}:
                times[number] = int.from_bytes(data[at + 8 : at + 16], "little")
        ticks = times.get(_SENT) or times.get(_RECEIVED) or 0
        if not 0 < ticks < 3 * 10**18:
            return None
        return (_EPOCH + dt.timedelta(microseconds=ticks // 10)).isoformat(timespec="seconds")

    def attachments(self) -> list[_Message]:
        names = sorted(name for low, name in self._streams.items() if low.startswith("__attach_version1.0"))
        return [_Message(self._ole, (*self._path, name)) for name in names]

    def embedded(self) -> _Message | None:
        name = self._streams.get(f"__substg1.0_{_ATTACHED:04x}000d")
        return _Message(self._ole, (*self._path, name)) if name else None


class _Reader:
    def __init__(self, builder: TextBuilder, limits: ParseLimits) -> None:
        self._builder, self._limits = builder, limits
        self.warnings: list[str] = []
        self.has_body = False
        self.encrypted = False

    def message(self, message: _Message, level: int) -> None:
        self._builder.add(BlockKind.HEADING, message.text(_SUBJECT), level)
        date = (message.date() or "").replace("T", " ")
        shown = (("From", message.sender()), ("To", message.text(_TO)), ("Cc", message.text(_CC)), ("Date", date))
        self._builder.add(BlockKind.PARAGRAPH, "\n".join(f"{label}: {value}" for label, value in shown if value))
        self._body(message)
        for attachment in message.attachments():
            self._attachment(attachment, level + 1)

    def _body(self, message: _Message) -> None:
        before = self._builder.length
        html = message.raw(_HTML, "0102")
        if html:
            declared = re.search(rb"charset=[\"']?([\w-]+)", html[:2000])
            add_html_fragment(self._builder, decode(html, declared.group(1).decode() if declared else None).text)
        elif message.text(_HTML):
            add_html_fragment(self._builder, message.text(_HTML))
        if self._builder.length == before:
            add_plain_text(self._builder, message.text(_BODY))
        self.has_body = self._builder.length > before

    def _attachment(self, attachment: _Message, level: int) -> None:
        embedded = attachment.embedded()
        if embedded is not None:
            if level <= _MAX_DEPTH:
                self.message(embedded, level)
            return
        data = attachment.raw(_ATTACHED, "0102")
        if data is not None and b"-----BEGIN PGP MESSAGE-----" in data[:2000]:
            self.encrypted = True
            return
        name = attachment.text(_LONG_NAME) or attachment.text(_SHORT_NAME) or "unnamed"
        if data is None or name == "smime.p7m":
            return
        with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
            path = Path(folder) / "attachment"
            path.write_bytes(data)
            kind = attachment.text(_MIME) or "application/octet-stream"
            warning = add_attachment(self._builder, path, name, kind, self._limits, level)
        if warning:
            self.warnings.append(warning)
