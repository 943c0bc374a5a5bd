"""What must happen to characters before words are cut: the part that differs by language and script."""

from __future__ import annotations

import re
import unicodedata

from kaynak.engines.analysis.languages import ELIDING, TURKIC

APOSTROPHES = "'’ʼ‘`´＇"
_A = f"[{APOSTROPHES}]"

_TURKISH_CASE = str.maketrans({"I": "ı", "İ": "i", "Â": "a", "â": "a", "Î": "i", "î": "i", "Û": "u", "û": "u"})
_PLAIN_CASE = str.maketrans({"İ": "i"})

# Marks and letters that are written or left out at the writer's pleasure. Removed: soft hyphen, zero-width
# and direction marks, Arabic harakat and tatweel, Hebrew points. Folded: forms of alef, ya and kaf, yo.
_REMOVED = (0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF, 0x0640, 0x0670, *range(0x064B, 0x0660))
_POINTS = range(0x0591, 0x05C8)
_FOLDED: dict[str, str | int | None] = {
    "\u0623": "\u0627",
    "\u0625": "\u0627",
    "\u0622": "\u0627",
    "\u0671": "\u0627",
    "\u0649": "\u064a",
    "\u06cc": "\u064a",
    "\u06a9": "\u0643",
    "\u0451": "\u0435",
}
_OPTIONAL: dict[int, str | int | None] = {**dict.fromkeys((*_REMOVED, *_POINTS)), **str.maketrans(_FOLDED)}
_HAS_OPTIONAL = re.compile(
    "[\u00ad\u0591-\u05c7\u0622\u0623\u0625\u0629\u0640-\u0660\u0670\u0671\u06a9\u06cc\u200b-\u200f\u2060\ufeffё]"
)

_SURROGATES = re.compile("[\ud800-\udfff]")

_SUFFIX = re.compile(rf"(?<=\w){_A}\w+")  # Ankara'nın: what follows the apostrophe is inflection
_POSSESSIVE = re.compile(rf"(?<=\w){_A}s\b")
_NEGATION = re.compile(rf"(?<=\wn){_A}t\b")  # don't is one word
_CONTRACTION = re.compile(rf"(?<=\w){_A}(?:re|ve|ll|d|m)\b")
_ARTICLES = "[ldjcnsmt]|qu|jusqu|lorsqu|puisqu|quoiqu|dell|all|dall|nell|sull|coll|un|quest"
_ELISION = re.compile(rf"\b(?:{_ARTICLES}){_A}(?=\w)")

# Han, kana, bopomofo, hangul.
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
_RUNS = re.compile(rf"([{_CJK}]+)|([{_UNSPACED}]+)")
_GRAMMED = re.compile(rf"[{_CJK}{_UNSPACED}]")


def normalise(text: str, language: str | None, *, short_grams: bool) -> str:
    """Returns ``text`` in one case and one form, with apostrophes resolved and unspaced scripts cut.

    Compatibility forms are unified (NFKC), letter case is folded (``I`` is ``ı`` in Turkish and ``i``
    elsewhere), and runs of scripts written without spaces become overlapping character n-grams.

    Args:
        text: Any text.
        language: Its language.
        short_grams: Whether the next shorter n-grams are added. A text to be found needs them, for queries
            that are too short for one n-gram; a query does not.
    """
    if text.isascii():
        text = (text.translate(_TURKISH_CASE) if language in TURKIC else text).lower()
    else:
        text = unicodedata.normalize("NFKC", _SURROGATES.sub("", text))
        text = text.translate(_TURKISH_CASE if language in TURKIC else _PLAIN_CASE).casefold()
        if _HAS_OPTIONAL.search(text):
            text = text.translate(_OPTIONAL)
        if _GRAMMED.search(text):
            text = _RUNS.sub(lambda run: _grams(run[0], 2 if run[1] else 3, short_grams), text)
    if any(mark in text for mark in APOSTROPHES):
        text = _resolve_apostrophes(text, language)
    return text


def _resolve_apostrophes(text: str, language: str | None) -> str:
    if language in TURKIC:
        return _SUFFIX.sub("", text)
    if language in ELIDING:
        return _ELISION.sub(" ", text)
    text = _POSSESSIVE.sub("", text)
    if language == "en":
        text = _CONTRACTION.sub("", _NEGATION.sub("t", text))
    return text


def _grams(run: str, size: int, short: bool) -> str:
    """Returns the overlapping n-grams of ``run`` between spaces; a shorter run stands for itself."""
    if len(run) < size:
        return f" {run} "
    found = [run[at : at + size] for at in range(len(run) - size + 1)]
    if short:
        found += [run[at : at + size - 1] for at in range(len(run) - size + 2)]
    return f" {' '.join(found)} "
