"""What an answer says of itself, in the language of the question."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_TURKISH_LETTERS = frozenset("çğıöşüİÇĞÖŞÜ")
_TURKISH = """
bir bu şu ve ile mi mı mu mü ne nedir kim kimdir kimin kime hangi hangisi kaç kaçıncı nasıl neden niçin niye nerede
nereye nereden için var yok mıdır midir olan olarak göre kadar zaman gün ay yıl hakkında şirket izin
"""
_ENGLISH = """
the a an of in to is are was were do does did what which who whom whose when where why how many much and or for
with on at by from can could should must may i we you my our your it that this there be have has had
"""
_TURKISH_WORDS, _ENGLISH_WORDS = frozenset(_TURKISH.split()), frozenset(_ENGLISH.split())
_NOT_FOUND = {"en": "The sources do not say.", "tr": "Kaynaklarda bu bilgi yok."}
_WITHHELD = {
    "en": "The answer is withheld: not all of it is borne out by the sources.",
    "tr": "Yanıt gösterilmiyor: tamamı kaynaklara dayanmıyor.",
}
_NO_LINK = {"en": "(link removed)", "tr": "(bağlantı kaldırıldı)"}
_SAYS_NOTHING = re.compile(
    r"\b(?:sources?|passages?|documents?|texts?|context|excerpts?)\b[^.!?]{0,60}?"
    r"\b(?:(?:do|does|did)(?: not|n[’']t)|contain no|(?:have|has|give|provide)s? no|(?:is|are) silent|no information)\b"
    r"|\bnot (?:mentioned|stated|found|specified|answered|said) (?:in|by) the (?:sources?|passages?|documents?|text)"
    r"|\b(?:kaynak|belge|metin|pasaj)\w*\b[^.!?]{0,80}?"
    r"\b(?:yok|yoktur|bulunm\w+|yer almıyor\w*|belirtilm\w+|söylenm\w+|söylemiyor\w*|geçmiyor\w*|değinilm\w+)\b",
    re.IGNORECASE,
)

_ASKS = re.compile(
    r"\?|\b(?:who|whom|whose|what|which|when|where|how (?:many|much|long|often|old|far|soon))\b"
    r"|\b(?:kim\w*|ne zaman|nerede|hangi|kaç\w*|ne kadar)\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(?:summari[sz]e|summary|overview|write|draft|compare|explain|list|describe|outline|translate|rewrite|review|"
    r"tell me (?:more )?about|what (?:should|can|do|does) .{0,40}\b(?:know|do)|"
    r"özet\w*|yaz\w*|karşılaştır\w*|açıkla\w*|listele\w*|anlat\w*|çevir\w*|hazırla\w*)\b",
    re.IGNORECASE,
)


def asks_for_fact(question: str) -> bool:
    """Returns whether a question wants something that stands in a passage, and not something to be made of passages."""
    return _ASKS.search(question) is not None and _TASK.search(question) is None


def language_of(question: str) -> str:
    """Returns ``tr`` or ``en``: the language to speak to the person in."""
    words = [word.lower() for word in _WORD.findall(question.replace("I", "ı" if _is_turkish(question) else "i"))]
    turkish = sum(word in _TURKISH_WORDS for word in words) + _is_turkish(question)
    return "tr" if turkish > sum(word in _ENGLISH_WORDS for word in words) else "en"


def not_found(question: str) -> str:
    """Returns the sentence that says that the sources do not answer ``question``."""
    return _NOT_FOUND[language_of(question)]


def withheld(question: str) -> str:
    """Returns the sentence that says that an answer is not shown because of its policy."""
    return _WITHHELD[language_of(question)]


def no_link(question: str) -> str:
    """Returns what is shown in the place of an address that no source has."""
    return _NO_LINK[language_of(question)]


def says_nothing(sentence: str) -> bool:
    """Returns whether a sentence only says that the sources do not say something."""
    return _SAYS_NOTHING.search(sentence) is not None


def _is_turkish(text: str) -> bool:
    return any(char in _TURKISH_LETTERS for char in text)
