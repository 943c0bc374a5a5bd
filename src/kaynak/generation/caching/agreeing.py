"""Whether two questions that lie near each other ask the same.

An embedding hardly sees a number, a name or a *not*; to an answer they are all. So whatever one question says and the
other does not must be of no weight, or the same word in another form.
"""

from __future__ import annotations

import re
import unicodedata

from kaynak.generation.extractive.cues import wanted

_WORD = re.compile(r"\w+(?:[.,:/'’-]\w+)*")
# What can be left out of a question, or put otherwise, without making another one of it. Words that turn a question
# round (not, by, from, with, to, before, least, …) are not among them, and neither is any that could be a thing.
_SAID_ANYHOW = """
a an the of in on at for as that this these those it its is are was were be been being do does did has have had can
could would i we you me us my our your there here what which who whom whose when where why much many please tell say
explain describe know find give exactly s re ve ll d
bir bu şu o ile ki de da mi mı mu mü midir mıdır mudur müdür dir dır ne nedir neler kim kimdir hangi hangisi kaç
nasıl neden niçin niye nerede nereye nereden için olarak olan lütfen söyle anlat bana acaba
"""
_WEIGHTLESS = frozenset(_SAID_ANYHOW.split())
_ENDINGS = ("ies", "es", "s", "ed", "ing")
_SHORTEST = 4
_FREE = 2
"""Words whose order says nothing: “the religion of the Normans”, “the Norman religion”. With three, it may be who
did what to whom."""


def agree(first: str, second: str) -> bool:
    """Returns whether two questions want the same kind of thing, and are about the same, in the same order."""
    if wanted(first) is not wanted(second):
        return False
    one, other = _weighty(first), _weighty(second)
    return one == other or (len(one) <= _FREE and sorted(one) == sorted(other))


def _weighty(question: str) -> list[str]:
    """Returns what a question is about: its words in small letters without their endings, weightless ones left out."""
    words = [_uninflected(_folded(match[0])) for match in _WORD.finditer(question)]
    return [_stem(word) for word in words if word not in _WEIGHTLESS]


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word.replace("İ", "i").casefold())


def _uninflected(word: str) -> str:
    """Returns what stands before an apostrophe: what's, Ada's, Ankara'nın; but the *not* of “can't” stays."""
    before, *after = re.split("['’]", word)
    return word.replace("’", "'") if after == ["t"] or len(before) < 2 else before


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST and word.isascii():
            return word[: -len(ending)]
    return word
