"""What turns a statement into its opposite: negations and words that have an opposite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from kaynak.generation.comparing.words import Reading, read

_NOT_ENGLISH = """
not no never none nobody nothing nor neither nowhere without cannot cant dont doesnt didnt wont isnt arent wasnt werent
wouldnt shouldnt couldnt hasnt havent hadnt hardly rarely seldom fail fails failed failing lack lacks lacked lacking
except excluding unable refuse refused refuses denied deny denies absent absence unless barely scarcely
"""
_NOT_TURKISH = """
değil değildir değildi değillerdi değilse yok yoktur yoktu yoksa hiç hiçbir hariç dışında asla olmayan olmadan
olmaksızın maksızın ne haricinde kimse hiçbiri
"""
_NOT = {"en": frozenset(_NOT_ENGLISH.split()), "tr": frozenset(_NOT_TURKISH.split())}
_CONTRACTED = re.compile(r"n['’]t\b", re.IGNORECASE)
# Endings of Turkish verbs that say no, after the stem: gel-mez, git-medi, yap-mamıştır, bil-miyor, ol-mayan.
_TURKISH_NO = re.compile(
    r"\w{2,}?(?:m[ae](?:z|zlar|zler|zdı|zdi|z[ıi]n|mış\w*|miş\w*|d[ıi]\w*|yan\w*|yen\w*|yacak\w*|yecek\w*|"
    r"d[ae]n|dığ\w*|diğ\w*|mal[ıi]\w*|mel[ıi]\w*|mıştır|miştir|makta\w*|mekte\w*|s[ıi]\w*|yıp|yip)|m[ıiuü]yor\w*|m[ae]zs[ıiuü]\w*)"
)
_NOT_NO = re.compile(
    r"\w*(?:lama|leme|alma|elme)(?:s[ıi]|dan|den)\w*|\w+m[ae](?:s[ıi]|den|dan)\w*|tama\w*|hama\w*|deme\w*"
)
_ENGLISH_PREFIX = re.compile(r"(?:un|in|im|ir|il|dis|non|mis)(?=\w{4})")

_PAIRS = {
    "en": """
before,prior,earlier|after,following,later,since more,greater|less,fewer most,majority|least,minority,few
higher,above,exceed|lower,below
increase,rise,grow,raise,gain|decrease,fall,decline,reduce,lower,drop,lose
enhance,improve,upregulate,promote,accelerate,elevate|impair,worsen,downregulate,inhibit,suppress,delay,attenuate
increase,grow,rise,improve|diminish,suppress,inhibit increase,raise,elevate|attenuate,suppress
promote,enhance,increase|reduce,decrease,lower
maximum,max|minimum,min always|never all,every,each|none,no first,earliest|last,latest,final
largest,biggest,greatest,highest|smallest,lowest start,begin,open|end,finish,close,stop
win,won,victory|lose,lost,defeat positive|negative north,northern|south,southern east,eastern|west,western left|right
early|late old,older,oldest|new,young,newer,younger,newest,youngest long,longer,longest|short,shorter,shortest
male,man,men|female,woman,women allow,permit,permitted,legal|forbid,prohibit,ban,illegal,prevent include|exclude
accept,agree|reject,refuse require,required,mandatory,must|optional,voluntary strong,stronger|weak,weaker rich|poor
fast,faster|slow,slower import|export buy,purchase|sell internal|external public|private with|without
success,succeed,successful|fail,failure,unsuccessful many|few up|down arrive,enter|leave,exit,depart
better|worse,poorer high|low large,big|small inside|outside same|different active|inactive support,favor|oppose
easy|hard,difficult born|died over|under true|false present|absent friend|enemy activate|deactivate,inhibit
protect|harm both|neither hot,warm|cold
""",
    "tr": """
önce,evvel|sonra fazla,çok|az artmak,arttı,artmış,yüksel,arttır,artır,çoğal|azal,azaldı,düş,düştü,azalt büyük|küçük
ilk,birinci|son,sonuncu başla,başladı,başlamış|bit,bitti,sona,bitmiş kuzey|güney doğu|batı her,tüm,bütün|hiçbir
üst,üstün,yukarı|alt,aşağı var,vardır|yok,yoktur içinde|dışında eski|yeni genç|yaşlı uzun|kısa iç|dış hızlı|yavaş
kabul|ret,red zorunlu,mecburi|isteğe,serbest izin,serbest|yasak kazan,kazandı,kazanmış|kaybet,kaybetti dahil|hariç
iyi|kötü doğru|yanlış erkek|kadın,kız zengin|fakir güçlü|zayıf sıcak|soğuk pozitif,olumlu|negatif,olumsuz erken|geç
uzak|yakın aynı|farklı kolay|zor
asgari|azami
""",
}


@dataclass(frozen=True, slots=True)
class Negation:
    """A word that negates what stands near it. ``at``: index of the word."""

    at: int
    text: str


@lru_cache(maxsize=512)
def negations(text: str, language: str) -> tuple[Negation, ...]:
    """Returns what negates in ``text``, in order."""
    reading = read(text, language)
    return tuple(
        Negation(at, text[word.start : word.end])
        for at, word in enumerate(reading.words)
        if _negates(reading, at, language)
    )


def _negates(reading: Reading, at: int, language: str) -> bool:
    word = reading.words[at]
    written = reading.text[word.start : word.end]
    low = (
        word.text.replace("İ", "i").lower()
        if language != "tr"
        else word.text.replace("I", "ı").replace("İ", "i").lower()
    )
    if language == "en" and _CONTRACTED.search(written):
        return True
    if low in _NOT.get(language, ()):
        if low == "ne":  # ne … ne …
            return any(other.text.lower() == "ne" for other in reading.words[at + 1 : at + 6])
        if low == "no":  # No. 5
            return reading.text[word.end : word.end + 1] != "."
        return not (low == "not" and _follows(reading, at, "only"))
    if language != "tr" or (word.capital and not word.opens):
        return False
    return _TURKISH_NO.fullmatch(low) is not None and _NOT_NO.fullmatch(low) is None


def _follows(reading: Reading, at: int, text: str) -> bool:
    return at + 1 < len(reading.words) and reading.words[at + 1].text.lower() == text


def without_prefix(stem: str) -> str | None:
    """Returns what an English word is without *un-*, *in-* and the like; None if it has none of them."""
    match = _ENGLISH_PREFIX.match(stem)
    return stem[match.end() :] if match else None


@lru_cache(maxsize=8)
def _opposites(language: str) -> dict[str, tuple[tuple[int, int], ...]]:
    """Stem to the pairs it is in: number of the pair, and the side."""
    found: dict[str, list[tuple[int, int]]] = {}
    for number, pair in enumerate(_PAIRS.get(language, "").split()):
        for side, words in enumerate(pair.split("|")):
            for one in read(words.replace(",", " "), language).words:
                found.setdefault(one.stem, []).append((number, side))
    return {stem: tuple(dict.fromkeys(sides)) for stem, sides in found.items()}


def opposed(left: str, right: str, language: str) -> bool:
    """Returns whether two stems are opposites: *before* and *after*, *artmak* and *azalmak*."""
    known = _opposites(language)
    return any((number, 1 - side) in known.get(right, ()) for number, side in known.get(left, ()))


def has_opposite(stem: str, language: str) -> bool:
    """Returns whether a stem is one of a pair of opposites."""
    return stem in _opposites(language)
