"""Words that are not empty, but carry little of what a sentence claims: it may well be said with others."""

from __future__ import annotations

from functools import cache

from kaynak.engines.analysis import normalise, stems

_ENGLISH = """
call called know known name named term title located situate place take took taken occur happen become became make made
use used using one part type kind form process people person group thing way number amount main major many several
include including include base based give given go come get found say said state stated describe described consider
considered serve served provide provided help cause caused result lead led originally currently today later also well
first early new large great common similar certain different various year date time day period area region country city
"""
_TURKISH = """
ad adı adlı isim ismi isimli olarak olan olmuş olmuştur bulun bulunan bulunmaktadır yer alan almıştır almış yıl yılında
tarih tarihinde gün dönem döneminde kişi insan şey şekil şekilde biçimde tür çeşit bölge şehir ülke ilk büyük önemli
yapmış yapmıştır yapılmıştır yapılan etmiş etmiştir edilmiş edilmiştir eden edilen sahip ait bilinen bilinmektedir denir
vermiş verilmiş verilen gelmiş gelen göre ünlü eser eseri asıl aynı zamanda sonra önce
"""
_WORDS = {"en": _ENGLISH, "tr": _TURKISH}


@cache
def light_words(language: str) -> frozenset[str]:
    """Returns the stems of a language's light words."""
    words = _WORDS.get(language, "")
    return frozenset(stems(normalise(" ".join(words.split()), language, short_grams=False), language))
