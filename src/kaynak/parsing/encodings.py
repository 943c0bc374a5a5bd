"""Bytes of unknown encoding to text."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from kaynak.domain import UnreadableDocument, UnreadableReason

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 128 * 1024
_JUNK = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# Single-byte Latin code pages that detectors confuse; all but the Turkish pair below differ little in text.
_LATIN = frozenset({
    "cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "cp437", "cp850", "cp852", "cp857", "cp858", "cp775",
    "cp500", "cp037", "cp1026", "cp1140", "cp273", "hp_roman8", "iso8859_1", "latin_1", "iso8859_3", "iso8859_9",
    "iso8859_10", "iso8859_13", "iso8859_14", "iso8859_15", "iso8859_4", "mac_roman", "mac_turkish",
    "mac_iceland", "mac_latin2", "cp860", "cp861", "cp863", "cp865", "ascii", "utf_8",
})  # fmt: skip
_TURKISH = frozenset(b"\xd0\xdd\xde\xf0\xfd\xfe")  # Ğ İ Ş ğ ı ş; in cp1252 the Icelandic Ð Ý Þ ð ý þ
_ICELANDIC = frozenset(b"\xe1\xe6\xe9\xed\xf3\xfa")  # á æ é í ó ú, which Turkish does not have
_ALIASES = {"iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "x-sjis": "cp932", "shift_jis": "cp932",
            "gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252", "ascii": "cp1252",
            "us-ascii": "cp1252", "iso-8859-9": "cp1254", "ks_c_5601-1987": "cp949", "euc-kr": "cp949",
            "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "unicode": "utf-16"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text with the encoding it was read in, and what had to be guessed, for the person who uploaded it."""

    text: str
    encoding: str
    warning: str | None = None


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Returns ``data`` as text.

    In order: byte order mark; UTF-16 and UTF-32 without one; UTF-8; the declared encoding; broken UTF-8 (its
    bad bytes become U+FFFD, with a warning); the most likely legacy encoding.

    Args:
        data: Whole or part of a file.
        declared: What the file or its envelope says; not trusted blindly.

    Raises:
        UnreadableDocument: The bytes are no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lenient(data, encoding)
    wide = _wide_encoding(data[:_SAMPLE])
    if wide:
        return _lenient(data[: len(data) - len(data) % (4 if "32" in wide else 2)], wide)
    if looks_binary(data):
        raise UnreadableDocument(
            UnreadableReason.UNSUPPORTED_FORMAT,
            "The file is binary data of no format we know.",
            hint="Convert it to PDF, DOCX, HTML or plain text.",
        )
    text = _strict(data, "utf-8")
    if text is not None:
        return Decoded(text, "utf-8")
    claimed = known_encoding(declared)
    if claimed and claimed != "utf-8":
        text = _strict(data, claimed)
        if text is not None:
            return Decoded(text, claimed)
    return _broken_utf8(data) or _legacy(data)


def known_encoding(name: str | None) -> str | None:
    """Returns the Python codec that browsers use for a declared encoding; None if it is no text codec."""
    if not name:
        return None
    wanted = name.strip().strip("\"'").lower()
    wanted = _ALIASES.get(wanted, wanted)
    try:
        codec = codecs.lookup(wanted)
    except (LookupError, ValueError):
        return None
    return codec.name if getattr(codec, "_is_text_encoding", True) else None


def looks_binary(data: bytes) -> bool:
    """Returns whether single-byte or UTF-8 text is ruled out by control characters."""
    sample = data[:_SAMPLE]
    if not sample:
        return False
    return len(_JUNK.findall(sample)) > max(4, len(sample) // 50)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, UnicodeError):
        return None


def _lenient(data: bytes, encoding: str) -> Decoded:
    text = _strict(data, encoding)
    if text is not None:
        return Decoded(text, encoding)
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding, f"Some bytes are not valid {encoding.upper()} and were replaced.")


def _wide_encoding(sample: bytes) -> str | None:
    """Returns UTF-16 or UTF-32 if NUL bytes stand where those encodings of mostly Latin text put them."""
    if len(sample) < 4 or sample.count(0) < len(sample) // 5:
        return _wide_without_nuls(sample)
    usable = sample[: len(sample) // 4 * 4]
    lanes = [usable[lane::4].count(0) / max(1, len(usable) // 4) for lane in range(4)]
    if lanes[1] > 0.5 and lanes[2] > 0.9 and lanes[3] > 0.9 and lanes[0] < 0.5:
        return "utf-32-le"
    if lanes[0] > 0.9 and lanes[1] > 0.9 and lanes[2] > 0.5 and lanes[3] < 0.5:
        return "utf-32-be"
    even, odd = (lanes[0] + lanes[2]) / 2, (lanes[1] + lanes[3]) / 2
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    return None


def _wide_without_nuls(sample: bytes) -> str | None:
    """Returns UTF-16 for text of another script: its spaces and line ends still carry NUL bytes."""
    if len(sample) < 16 or b"\x00" not in sample:
        return None
    even = sample[: len(sample) // 2 * 2]
    for encoding, marks in (("utf-16-le", (b" \x00", b"\n\x00")), ("utf-16-be", (b"\x00 ", b"\x00\n"))):
        spaces = sum(even.count(mark) for mark in marks)
        if spaces >= max(1, even.count(0) * 0.7):
            text = _strict(even, encoding)
            if text and sum(char.isalnum() or char.isspace() for char in text) > 0.8 * len(text):
                return encoding
    return None


def _broken_utf8(data: bytes) -> Decoded | None:
    """Returns UTF-8 with replacements where valid multi-byte characters far outnumber the bad bytes."""
    sample = data[:_SAMPLE] if len(data) > 4 * _SAMPLE else data
    good = len(_MULTIBYTE.findall(sample))
    text = sample.decode("utf-8", "replace")
    bad = text.count("\ufffd") - sample.count(b"\xef\xbf\xbd")
    if good < 3 * bad or good == 0:
        return None
    text = data.decode("utf-8", "replace")
    return Decoded(text, "utf-8", "Some bytes are not valid UTF-8 and were replaced.")


def _legacy(data: bytes) -> Decoded:
    encoding = _guess(data)
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding, f"The encoding is not declared; the text was read as {encoding}.")


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    sample = _sample_with_letters(data)
    best = from_bytes(sample, cp_exclusion=["utf_7"]).best()
    guess = best.encoding if best else "cp1252"
    if guess not in _LATIN:
        return _ALIASES.get(guess.replace("_", "-"), _ALIASES.get(guess, guess))
    high = [byte for byte in sample if byte >= 0x80]
    turkish = sum(byte in _TURKISH for byte in high)
    if turkish and turkish > sum(byte in _ICELANDIC for byte in high):
        return "cp1254"
    if guess in {"cp1250", "cp852", "cp850", "cp857", "mac_roman", "cp437", "cp1257"} and len(high) > 40:
        return guess
    return "cp1252"


def _sample_with_letters(data: bytes) -> bytes:
    """Returns a sample around the first byte that is not ASCII."""
    if len(data) <= _SAMPLE:
        return data
    match = re.search(rb"[\x80-\xff]", data)
    start = max(0, (match.start() if match else 0) - 1024)
    start = data.rfind(b"\n", 0, start) + 1 if b"\n" in data[:start] else start
    return data[start : start + _SAMPLE]
