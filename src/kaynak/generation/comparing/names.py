"""Names in a text: people, places, organisations, acronyms and codes, told by how they are written."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from kaynak.generation.comparing.words import Reading, read

_TITLE_WORDS = """
mr mrs ms dr prof professor sir lord lady king queen president prime minister emperor pope saint st general  captain
colonel duke count prince princess bishop judge senator governor mayor chancellor secretary the of  bey hanım paşa
efendi sultan padişah kral kraliçe doktor profesör başkan bakan cumhurbaşkanı sayın hz
"""
_TITLES = frozenset(_TITLE_WORDS.split())
_CODE = re.compile(r"(?=[^\W\d_])(?=\w*\d)[\w-]+|[^\W\d_]+-\d\w*|\d+[A-Z]\w*|[^\W\d_]*[^\W\d_a-zçğıöşü]{2,}[^\W\d_]*")
_JOINS = re.compile(r"[ \-–'’.&]{1,2}(?:(?:of|the|de|von|van|der|da|di|la|le|bin|ibn|b\.|al|el) )?|\s")
# Peoples, languages and countries whose names do not begin alike.
_KIN = """
france=french=frenchman germany=german=deutsch england=english=britain=british=uk turkey=turkish=türkiye=turk
spain=spanish=spaniard netherlands=dutch=holland poland=polish=pole greece=greek=hellenic denmark=danish=dane
sweden=swedish=swede wales=welsh ireland=irish switzerland=swiss scotland=scottish=scots
usa=us=america=american=americas china=chinese portugal=portuguese almanya=alman=almanca fransa=fransız=fransızca
ingiltere=ingiliz=ingilizce yunanistan=yunan=yunanca italya=italyan=italyanca=italy=italian
rusya=rus=rusça=russia=russian çin=çinli=çince japonya=japon=japonca ispanya=ispanyol=ispanyolca
amerika=amerikan=abd=amerikalı arabistan=arap=arapça iran=fars=farsça=persian macaristan=macar=macarca
hollanda=hollandalı ab=eu=avrupa=europe=european un=bm
"""


def folded(word: str) -> str:
    """Returns a name in small letters without diacritics."""
    low = unicodedata.normalize("NFD", word.replace("ı", "i").replace("I", "i").casefold())
    return "".join(char for char in low if char.isalnum())


_FAMILY = {folded(word): at for at, words in enumerate(_KIN.split()) for word in words.split("=")}


@dataclass(frozen=True, slots=True)
class Name:
    """Words that are a name together.

    Attributes:
        first: Index of its first word.
        last: Index of its last word.
        text: As written.
        parts: Its words that matter, without diacritics and case.
        code: Whether it is an acronym or has digits in it.
    """

    first: int
    last: int
    text: str
    parts: tuple[str, ...]
    code: bool


@lru_cache(maxsize=512)
def names(text: str, language: str) -> tuple[Name, ...]:
    """Returns the names of ``text`` in order."""
    reading = read(text, language)
    found: list[Name] = []
    run: list[int] = []
    for at in range(len(reading.words)):
        if not _is_name(reading, at):
            continue
        if run and not _joined(reading, run[-1], at):
            found += _named(reading, run)
            run = []
        run.append(at)
    return tuple(found + _named(reading, run))


def _is_name(reading: Reading, at: int) -> bool:
    word = reading.words[at]
    if is_code(word.text):
        return True
    if not word.capital or word.text == "I":
        return False
    if not word.opens:
        return not word.stop or len(word.text) > 3
    # The first word of a sentence has its capital for that; a name goes on, or stands elsewhere too.
    if word.stop:
        return False
    following = reading.words[at + 1] if at + 1 < len(reading.words) else None
    goes_on = following is not None and following.capital and not following.opens
    apostrophe = any(mark in reading.text[word.start : word.end] for mark in "'’")
    elsewhere = any(other != at and reading.words[other].capital and not reading.words[other].opens
                    for other in reading.places[word.stem])  # fmt: skip
    return goes_on or apostrophe or elsewhere


def is_code(text: str) -> bool:
    """Returns whether a word is an acronym, or letters and digits in one."""
    return len(text) > 1 and not text.isdigit() and _CODE.fullmatch(text) is not None


def _joined(reading: Reading, left: int, right: int) -> bool:
    """Whether two words are parts of one name: nothing but a space, or a small word of names, between them."""
    if reading.words[left].sentence != reading.words[right].sentence or right - left > 2:
        return False
    gap = reading.text[reading.words[left].end : reading.words[right].start]
    return _JOINS.fullmatch(gap) is not None


def _named(reading: Reading, run: list[int]) -> list[Name]:
    if not run:
        return []
    first, last = reading.words[run[0]], reading.words[run[-1]]
    words = [reading.words[at].text for at in run]
    parts = tuple(part for part in map(folded, words) if part not in _TITLES and part)
    if not parts:
        return []
    return [Name(run[0], run[-1], reading.text[first.start : last.end], parts, all(map(is_code, words)))]


def same(left: str, right: str) -> bool:
    """Returns whether two folded parts of names are one name: equal, one inflected, or people and country."""
    if left == right:
        return True
    if left in _FAMILY and right in _FAMILY:
        return _FAMILY[left] == _FAMILY[right]
    short, long = sorted((left, right), key=len)
    return (
        len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 5 and not long[len(short) :].isdigit()
    )


def initials(words: list[str]) -> set[str]:
    """Returns the acronyms that runs of capitalised words can be shortened to."""
    letters = [folded(word)[:1] for word in words]
    return {
        "".join(letters[start:end])
        for start in range(len(letters))
        for end in range(start + 2, min(len(letters), start + 7) + 1)
    }
