"""What kind of thing a question asks for, and whether a sentence has such a thing."""

from __future__ import annotations

import re
from enum import StrEnum


class Wanted(StrEnum):
    """Kinds of answers that can be told from the form of the words."""

    NUMBER = "number"
    TIME = "time"
    NAME = "name"
    PLACE = "place"
    REASON = "reason"
    ANY = "any"


# First match wins; Turkish puts the question word anywhere.
_QUESTIONS = (
    (
        Wanted.TIME,
        r"\bwhen\b",
        r"\bwhat (?:year|date|day|month|time|century)\b",
        r"\b(?:which|what) \w* ?(?:year|century)\b",
        r"\bhow (?:long|often|soon)\b",
        r"ne zaman|kaç yıl|kaçıncı yüzyıl|kaç yaş",
        r"hangi (?:yıl|tarih|gün|ay|yüzyıl|dönem)",
    ),
    (
        Wanted.NUMBER,
        r"\bhow (?:many|much|far|old|large|big|tall|high|fast|deep|wide)\b",
        r"\bwhat (?:percent|number|amount|share|fraction|age)",
        r"\bkaç|ne kadar|yüzde kaç",
    ),
    (Wanted.NAME, r"\bwho(?:m|se)?\b", r"\bkim(?:dir|in|e|ler|i|den|lerin)?\b|kim tarafından"),
    (
        Wanted.PLACE,
        r"\bwhere\b|\b(?:what|which) (?:country|city|state|region|town|place)\b",
        r"nere(?:de|ye|den|si|li)|hangi (?:şehir|ülke|kent|bölge|il)",
    ),
    (Wanted.REASON, r"\bwhy\b", r"\bneden\b|\bniçin\b|\bniye\b"),
)
_PATTERNS = tuple((kind, re.compile("|".join(forms), re.IGNORECASE)) for kind, *forms in _QUESTIONS)

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "ocak|şubat|mart|nisan|mayıs|haziran|temmuz|ağustos|eylül|ekim|kasım|aralık"
)
_NUMBER = re.compile(
    r"\d|%|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundreds?|"
    r"thousands?|millions?|billions?|half|twice|third|quarter|dozen|"
    r"bir|iki|üç|dört|beş|altı|yedi|sekiz|dokuz|on|yirmi|otuz|kırk|elli|yüz|bin|milyon|milyar|yarı)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    rf"\b\d{{3,4}}\b|\b(?:{_MONTHS})\b|\d+(?:st|nd|rd|th)\b|\bcentur|yüzyıl|\b(?:years?|days?|weeks?|months?|hours?|minutes?|"
    r"daily|weekly|monthly|yearly|annually)\b|\b(?:yıl|gün|hafta|saat|dakika|tarih)|\b(?:ay|ayın|ayda|ayı)\b",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"(?<=[\w,;:)”\"'’] )[A-ZÇĞİÖŞÜÂ][\w’'.-]+")
_REASON = re.compile(
    r"\bbecause\b|\bdue to\b|\bsince\b|\bin order to\b|\bso that\b|\bcaused?\b|\bresult|"
    r"\breasons?\b|\bas a\b|\bto avoid\b|"
    r"\bçünkü\b|\bnedeni|\bsebeb|\bdolayı|\byüzünden\b|\bsayesinde\b|\bsonucu|\biçin\b|\bamac",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


def wanted(question: str) -> Wanted:
    """Returns what kind of thing ``question`` asks for."""
    lowered = question.replace("İ", "i")
    return next((kind for kind, pattern in _PATTERNS if pattern.search(lowered)), Wanted.ANY)


def gives(sentence: str, kind: Wanted, question: str) -> bool:
    """Returns whether ``sentence`` has a thing of that kind which the question does not name itself."""
    if kind is Wanted.ANY:
        return True
    if kind is Wanted.REASON:
        return _REASON.search(sentence) is not None
    asked = {word.casefold() for word in _WORD.findall(question)}
    pattern = {Wanted.NUMBER: _NUMBER, Wanted.TIME: _TIME}.get(kind, _CAPITAL)
    return any(not _known(match, sentence, asked) for match in pattern.finditer(sentence))


def _known(match: re.Match[str], sentence: str, asked: set[str]) -> bool:
    """Whether the whole word around a match stands in the question."""
    for word in _WORD.finditer(sentence, max(0, match.start() - 20)):
        if word.end() > match.start():
            return word[0].casefold() in asked
    return False
