"""Words of questions as the rules for follow-ups see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kaynak.domain import fold

_TOKEN = re.compile(r"(?P<base>\w+)(?:['’](?P<suffix>\w+))?")

# Words that hold a question together and say nothing of what it is about.
_FUNCTION = """
a an the and or but so if then of in on at to from by for with without about into onto over under after before during
between within until till since per as than via off
is are was were be been being am do does did have has had can could will would shall should may might must
what which who whom whose when where why how many much long often far old big large soon
i me my mine we us our ours you your yours he him his she her hers it its they them their theirs
this that these those there here such same one ones other others another else also too not no yes any some all each
every both either neither more most less least very just only please tell give get gets got know there's it's
day days week weeks month months year years hour hours minute minutes
ve veya ya da de ile ama fakat için gibi kadar göre sonra önce beri üzere dair hakkında doğru karşı
ne nedir neler nelerdir kim kimdir kimin kime kimi kimler hangi hangisi kaç kaçta kaçıncı nasıl nasıldır neden niçin
niye nerede nereye nereden neresi neresidir nerededir nereli zaman zamandan zamana zamanki
mi mı mu mü midir mıdır mudur müdür miyim mıyım misin mısın miyiz mıyız
bir bu şu o bunu buna bunun bunda bundan bunlar bunları bunların bunlara şunu şuna şunun onu ona onun onda ondan onlar
onları onların onlara kendisi kendi burada orada şurada oraya buraya oradan buradan böyle öyle aynı diğer başka hepsi
ben biz sen siz benim bizim senin sizin bana bize sana size
var yok olan olarak olur oldu olacak olsa ise eğer peki evet hayır daha en çok az her tüm bütün hiç
gün günü günler hafta ay yıl yılı yılında saat dakika gündür yıldır aydır
"""


def word_set(text: str) -> frozenset[str]:
    """Returns the words of ``text``, folded."""
    return frozenset(fold(word) for word in text.split())


FUNCTION = word_set(_FUNCTION)

_SAME_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Token:
    """One word.

    Attributes:
        text: As written, without what follows an apostrophe: ``Ankara`` of ``Ankara'da``.
        plain: The same, folded.
        suffix: What follows the apostrophe, folded.
        start: In the question.
        end: In the question, the suffix included.
    """

    text: str
    plain: str
    suffix: str
    start: int
    end: int

    @property
    def content(self) -> bool:
        """Whether it says what the question is about."""
        return self.plain not in FUNCTION and (len(self.plain) > 1 or self.plain.isdigit())

    @property
    def number(self) -> bool:
        """Whether it is a number."""
        return self.plain.isdigit()

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital."""
        return self.text[0].isupper()


def tokens_of(text: str) -> list[Token]:
    """Returns the words of ``text`` in order."""
    return [
        Token(match["base"], fold(match["base"]), fold(match["suffix"] or ""), match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


def same(one: Token, other: Token) -> bool:
    """Returns whether two words are forms of one: equal, or alike in their beginnings."""
    if one.plain == other.plain:
        return True
    if one.plain[:_SAME_LETTERS] != other.plain[:_SAME_LETTERS]:
        return False
    short, long = sorted((one.plain, other.plain), key=len)
    if short.isdigit():
        return False
    shared = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return shared >= max(_SAME_LETTERS, len(short) - 2)


def content_of(tokens: Iterable[Token], without: Sequence[Token] = (), *, most: int) -> list[Token]:
    """Returns the first ``most`` words of content, each once, except forms of ``without``."""
    found: list[Token] = []
    for token in tokens:
        if len(found) == most:
            break
        if token.content and not any(same(token, other) for other in (*found, *without)):
            found.append(token)
    return found


def names_in(text: str, without: Sequence[Token] = ()) -> list[Token]:
    """Returns the first run of words with capitals that are not ``without``: a name, if there is one.

    A single word at the beginning of ``text`` is not taken for one.
    """
    run: list[Token] = []
    for token in tokens_of(text):
        if token.capital and token.content and not any(same(token, other) for other in without):
            run.append(token)
        elif run and (len(run) > 1 or run[0].start > 0):
            break
        else:
            run = []
    return run if len(run) > 1 or (run and run[0].start > 0) else []
