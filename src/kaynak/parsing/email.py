from __future__ import annotations

import re
import tempfile
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

from kaynak.domain import BlockKind, Json, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.attachments import add_attachment
from kaynak.parsing.builder import TextBuilder, one_line
from kaynak.parsing.encodings import decode
from kaynak.parsing.html import add_html_fragment
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.text import add_plain_text

_WIDE = (b"\xff\xfe", b"\xfe\xff")
_WORD = re.compile(r"\w{3,}")
_SHOWN = (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Date", "date"))
_MAX_DEPTH = 8
_MAX_HEADER = 20_000
_MAX_PARTS = 2000


class EmailParser:
    """Mail: subject, people and date, body, messages within, and the text of readable attachments."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        data = source.path.read_bytes()
        if data.startswith(_WIDE) or b"\x00" in data[:200]:
            data = decode(data).text.encode("utf-8", "replace")
        if data.startswith(b"\xef\xbb\xbf"):
            data = data[3:]
        message = message_from_bytes(data, policy=policy.compat32)
        builder = TextBuilder(limits.text_chars, limits.pages)
        reader = _Reader(builder, limits)
        reader.message(message, 1)
        if reader.encrypted and not reader.has_body:
            raise UnreadableDocument(
                UnreadableReason.ENCRYPTED,
                "The message is encrypted for its recipient.",
                hint="Open it in the mail program and save or forward it decrypted.",
            )
        if not reader.has_body and not header(message, "subject"):
            raise UnreadableDocument(UnreadableReason.NO_TEXT, "The message has neither subject nor text.")
        metadata: dict[str, Json] = {
            "author": people(message, "from"),
            "to": people(message, "to"),
            "created": iso_date(header(message, "date")),
        }
        return builder.build(media.EML, title=header(message, "subject"), metadata=metadata, warnings=reader.warnings)


class _Reader:
    def __init__(self, builder: TextBuilder, limits: ParseLimits) -> None:
        self._builder, self._limits = builder, limits
        self._parts = 0
        self.warnings: list[str] = []
        self.encrypted = False
        self.has_body = False

    def message(self, message: Message, level: int) -> None:
        """Appends a message with its headers."""
        self._builder.add(BlockKind.HEADING, header(message, "subject") or "", min(level, 6))
        values = {
            "from": people(message, "from"),
            "to": people(message, "to"),
            "cc": people(message, "cc"),
            "date": (iso_date(header(message, "date")) or header(message, "date") or "").replace("T", " "),
        }
        lines = [f"{label}: {values[key]}" for label, key in _SHOWN if values[key]]
        self._builder.add(BlockKind.PARAGRAPH, "\n".join(lines))
        self.part(message, level)

    def part(self, part: Message, level: int) -> None:
        """Appends the content of a MIME part."""
        self._parts += 1
        if level > _MAX_DEPTH or self._parts > _MAX_PARTS:
            self.warnings.append("Messages nested too deeply were left out.")
            return
        kind = part.get_content_type()
        if kind in {"multipart/encrypted", "application/pgp-encrypted"} or (
            kind.endswith("pkcs7-mime") and part.get_param("smime-type") in {"enveloped-data", None}
        ):
            self.encrypted = True
        elif kind == "message/rfc822" or (kind == "message/global" and part.is_multipart()):
            for inner in _children(part):
                self.has_body = True
                self.message(inner, level + 1)
        elif kind == "multipart/alternative":
            self._alternative(part, level)
        elif part.is_multipart():
            for inner in _children(part):
                self.part(inner, level)
        elif part.get_content_disposition() == "attachment" or not kind.startswith("text/"):
            self._attachment(part, kind, level)
        elif kind == "text/html":
            self._html(body_text(part))
        else:
            self._plain(body_text(part))

    def _alternative(self, part: Message, level: int) -> None:
        """Appends the richest form; the plain one too where it says something else."""
        choices = _children(part)
        rich = next((one for one in reversed(choices) if one.get_content_type() != "text/plain"), None)
        plain = next((one for one in choices if one.get_content_type() == "text/plain"), None)
        before = self._builder.length
        if rich is not None:
            self.part(rich, level)
        if plain is not None:
            text = body_text(plain)
            written = set(_WORD.findall(self._builder.text_since(before).lower()))
            words = set(_WORD.findall(re.sub(r"<?https?://\S+", "", text.lower())))
            if len(words - written) > 0.4 * len(words):
                self._plain(text)

    def _html(self, markup: str) -> None:
        before = self._builder.length
        add_html_fragment(self._builder, markup)
        self.has_body = self.has_body or self._builder.length > before

    def _plain(self, text: str) -> None:
        before = self._builder.length
        add_plain_text(self._builder, text)
        self.has_body = self.has_body or self._builder.length > before

    def _attachment(self, part: Message, kind: str, level: int) -> None:
        name = _filename(part)
        if not name and kind.startswith(("image/", "application/pgp-signature", "application/pkcs7-signature")):
            return
        data = part.get_payload(decode=True)
        if kind.startswith("image/") and part.get_content_disposition() != "attachment":
            return  # pictures that stand in the HTML body
        with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
            path = Path(folder) / "attachment"
            path.write_bytes(data if isinstance(data, bytes) else b"")
            warning = add_attachment(self._builder, path, name or "unnamed", kind, self._limits, level + 1)
        if warning:
            self.warnings.append(warning)


def header(message: Message, name: str) -> str | None:
    """Returns a header with its MIME words decoded; None if it is absent or blank."""
    raw = message.get(name)
    if raw is None:
        return None
    parts: list[str] = []
    try:
        for piece, charset in decode_header(re.sub(r"\r?\n[ \t]*", " ", str(raw)[:_MAX_HEADER])):
            if isinstance(piece, str):
                parts.append(piece.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            else:
                parts.append(decode(piece, charset if charset != "unknown-8bit" else None).text)
    except (ValueError, LookupError, UnreadableDocument):
        return one_line(str(raw))
    return one_line("".join(parts))


def people(message: Message, name: str) -> str | None:
    """Returns the people in a header as ``Name <address>``, separated by commas."""
    text = header(message, name)
    if not text:
        return None
    found = [(who.strip(), address) for who, address in getaddresses([text]) if who or address]
    shown = [f"{who} <{address}>" if who and address else who or address for who, address in found]
    return ", ".join(shown) or text


def iso_date(text: str | None) -> str | None:
    """Returns a mail date in ISO form; None if it is none."""
    try:
        return parsedate_to_datetime(text or "").isoformat()
    except (ValueError, TypeError, IndexError):
        return None


def body_text(part: Message) -> str:
    """Returns the text of a part in whatever encoding it really has."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset()
    try:
        return decode(payload, charset).text
    except UnreadableDocument:
        return payload.decode("utf-8", "replace")


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _filename(part: Message) -> str | None:
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError):
        return None
    if not name:
        return None
    holder = Message()
    holder["name"] = name.replace("\n", " ").replace("\r", " ")
    return header(holder, "name")
