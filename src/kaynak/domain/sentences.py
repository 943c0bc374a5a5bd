"""Where sentences begin and end. Rules only, so that it is the same everywhere and costs next to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaynak.domain.spans import Span

_CLOSERS = "\"'”’»›)]}」』】）］"
_END = re.compile(
    rf"(?P<wide>[。！？｡．؟۔।॥]+[{re.escape(_CLOSERS)}]*)"
    rf"|(?P<mark>[.!?…]+)(?P<close>[{re.escape(_CLOSERS)}]*)"
    r"|(?P<blank>\n[ \t]*\n)"
    r"|(?P<item>\n(?=[ \t]{0,16}(?:[-*+•◦▪–]\s|\||\#{1,6}\s|\d{1,3}[.)]\s|[a-zA-Z]\)\s|```)))"
)

_BEGINS_END = re.compile("[.!?…\n。！？｡．؟۔।॥]")
"""What every match of `_END` begins with. Looking for one of a few characters is many times as fast."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A full stop after these is never the end of a sentence.
_TITLES = _words(
    "mr mrs ms dr prof doç yrd arş gör st sr jr gen col capt lt sgt rev hon av hz sn vs cf eg ie viz fig figs "
    "eq eqs sec ch vol pp al bkz krş örn yak no nr tel mah sok cad apt bul alb yzb md mad approx ca resp usu "
    "müh op uzm öğr ord dn"
)
# After these it is, if what follows looks like a beginning.
_SHORT = _words(
    "etc inc ltd co corp vb vd bros dept est min max ave blvd jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue wed thu fri sat sun şti aş yy am pm"
)
_STARTERS = _words(
    "The This That These Those It In On At A An We He She They I You However But And If When While For As "
    "There Bu Şu O Ancak Ve Fakat Ama Bir İlk Daha Buna Bunun Sonra"
)
_WORD_BEFORE = re.compile(r"[^\W_]+(?:[.'’][^\W_]+)*$")
_WORD_AFTER = re.compile(r"[\"'“‘«(\[¿¡]*([^\W_]+)?")
_LOOK_BACK = 40


def sentence_spans(text: str) -> list[Span]:
    """Returns the sentences of ``text``: in order, trimmed, without overlap, covering all non-blank text.

    Knows abbreviations, initials, decimals and ordinals of English and Turkish, closing quotes, the full
    stops of Chinese, Japanese, Arabic, Urdu and Hindi, and takes blank lines and list items as boundaries.
    A single line break within a paragraph is white space. Time is linear in the length of the text.
    """
    spans: list[Span] = []
    start = 0
    for match in _ends(text):
        if match.start() < start or not _ends_sentence(text, match):
            continue
        _append(spans, text, start, match.end())
        start = match.end()
    _append(spans, text, start, len(text))
    return spans


def _ends(text: str) -> Iterator[re.Match[str]]:
    """Yields the matches of `_END`."""
    place = _BEGINS_END.search(text)
    while place is not None:
        match = _END.match(text, place.start())
        if match is not None:
            yield match
        place = _BEGINS_END.search(text, place.end() if match is None else match.end())


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        spans.append(Span(start, end))


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match["mark"] is None:
        return True
    end = match.end()
    if end >= len(text):
        return True
    if not text[end].isspace():
        # "3.5", "example.com", "file.txt"; but Japanese and Chinese follow "!" and "?" without a space.
        return match["mark"][-1] != "." and _is_wide(text[end])
    follows = _WORD_AFTER.match(text, _skip_space(text, end))
    word = follows[1] if follows else None
    if match["mark"] != ".":
        # “Why?” he asked.
        return not (word and word[0].islower() and (match["close"] or match["mark"][0] in ".…"))
    return _full_stop_ends(text, match, word)


def _full_stop_ends(text: str, match: re.Match[str], after: str | None) -> bool:
    window = max(0, match.start() - _LOOK_BACK)
    found = _WORD_BEFORE.search(text[window : match.start()])
    if found is None:
        return not (after and after[0].islower())
    before = found[0]
    if match["close"]:
        return not (after and after[0].islower())
    if before.isdigit():
        return _number_ends(text, window + found.start(), before, after)
    plain = before.lower().replace("i̇", "i")
    if plain in _TITLES:
        return False
    dotted = "." in before and all(len(part) <= 2 for part in before.split("."))
    if len(before) == 1 or dotted or plain in _SHORT:
        # "J. Smith" goes on; "at 5 p.m. The" and "U.S. The" do not.
        if len(before) == 1 and before.isupper() and before != "I":
            return after in _STARTERS
        return bool(after and after[0].isupper() and (not dotted or after in _STARTERS))
    if after and after[0].islower():
        # Unknown abbreviations are short; a long word before a small letter is careless writing.
        return len(before) >= 5 and before.isalpha()
    return True


def _number_ends(text: str, start: int, before: str, after: str | None) -> bool:
    if after and after[0].islower():
        return False
    line = text.rfind("\n", max(0, start - 8), start)
    if (line >= 0 or start < 8) and not text[line + 1 : start].strip():
        return False  # "1. First item"
    # Turkish ordinals: "1. Dünya Savaşı", "2. Mehmet".
    return len(before) > 2 or after is None or after in _STARTERS


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _is_wide(char: str) -> bool:
    return "\u2e80" <= char <= "\uffef"
