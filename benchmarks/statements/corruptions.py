"""True statements made false, by rule: other numbers, other names, exchanged roles, negations and opposites."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?![\w]*[^\W\d_]{3,})")
_ENGLISH_NUMBERS = "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty"
_TURKISH_NUMBERS = "iki üç dört beş altı yedi sekiz dokuz yirmi otuz kırk elli"
_WORDS = {"en": _ENGLISH_NUMBERS.split(), "tr": _TURKISH_NUMBERS.split()}
_SMALL = r"(?:of|the|von|de|van|bin|ibn|el)"
_NAME = re.compile(rf"[A-ZÇĞİÖŞÜ][\w’'-]*[^\W\d_](?: (?:{_SMALL} )?[A-ZÇĞİÖŞÜ][\w’'-]*[^\W\d_])*")
_OPENERS = """
The This That These Those In On At It He She They We I A An And But However While When After Before During Since  For
From With As By To Of If There Although Because Many Most Some Its His Her Their Our Bu Bir O Ve Ancak Fakat  Daha
Sonra İlk Ayrıca Onun Bunun Buna Böylece Ama Her Hem Ne Kendisi One Two Three Such Other Another
"""
_NO_NAMES = frozenset(_OPENERS.split())
_BE = r"\b(is|are|was|were|can|could|will|would|should|must|may|has been|have been|had been)\b(?! not\b)"
_SIMPLE = {"did": "did not", "does": "does not", "do": "do not", "has": "has not", "have": "have not", "had": "had not"}
_OPPOSITES = {
    "en": "before/after increase/decrease increased/decreased increases/decreases more/less higher/lower first/last "
    "largest/smallest most/least northern/southern north/south eastern/western east/west always/never early/late "
    "positive/negative won/lost above/below begins/ends began/ended old/new highest/lowest maximum/minimum "
    "with/without internal/external public/private allowed/forbidden many/few better/worse improves/impairs "
    "inhibits/activates greater/smaller older/younger reduces/increases promotes/prevents all/none",
    "tr": "önce/sonra büyük/küçük kuzey/güney doğu/batı ilk/son fazla/az eski/yeni vardır/yoktur kuzeyinde/güneyinde "
    "uzun/kısa artmıştır/azalmıştır iyi/kötü yüksek/düşük kabul/reddi",
}
# Endings of Turkish statements, and the same with “not”; the vowel before decides.
_TURKISH_NOT = (
    (r"(\w*[aıou]\w*?)(?:mıştır|muştur)$", r"\1mamıştır"),
    (r"(\w*[eiöü]\w*?)(?:miştir|müştür)$", r"\1memiştir"),
    (r"(\w*[aıou])(?:maktadır)$", r"\1mamaktadır"),
    (r"(\w*[aıou]\w*?)maktadır$", r"\1mamaktadır"),
    (r"(\w*[eiöü]\w*?)mektedir$", r"\1memektedir"),
    (r"(\w*[aıou]\w*?)(?:dı|du|tı|tu)$", r"\1madı"),
    (r"(\w*[eiöü]\w*?)(?:di|dü|ti|tü)$", r"\1medi"),
    (r"vardır$", "yoktur"),
    (r"(\w+)(?:dır|dir|dur|dür|tır|tir|tur|tür)$", r"\1 değildir"),
)


def names_in(text: str, *, inside: bool = True) -> list[str]:
    """Returns the names in a text in order; without those that open a sentence, whose capital may say nothing."""
    found = []
    for match in _NAME.finditer(text):
        opens = match.start() == 0 or text[: match.start()].rstrip()[-1:] in ".!?"
        if match[0] in _NO_NAMES or (inside and opens and " " not in match[0]):
            continue
        if match[0].split()[0] not in _NO_NAMES and len(match[0]) > 2:
            found.append(match[0])
    return found


def another_number(text: str, passage: str, language: str, rng: random.Random) -> str | None:
    """Returns the statement with one number changed: to another of the passage, or to one that is not there."""
    found = list(_NUMBER.finditer(text))
    words = [match for match in re.finditer(r"\w+", text) if match[0].lower() in _WORDS[language]]
    if not found and not words:
        return None
    match = rng.choice(found or words)
    if match in found:
        others = [one for one in _NUMBER.findall(passage) if len(one) == len(match[0]) and one not in text]
        new = rng.choice(others) if others and rng.random() < 0.5 else _near(match[0], rng)
    else:
        new = rng.choice([word for word in _WORDS[language] if word != match[0].lower()])
    return text[: match.start()] + new + text[match.end() :] if new != match[0] else None


def _near(number: str, rng: random.Random) -> str:
    """Returns a number that looks alike: some of its digits changed."""
    places = [at for at, char in enumerate(number) if char.isdigit()]
    digits = list(number)
    for at in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
        choices = [one for one in "123456789" if one != digits[at]]
        digits[at] = rng.choice(choices)
    return "".join(digits)


def another_name(text: str, passage: str, language: str, rng: random.Random) -> str | None:
    """Returns the statement with one name changed to another of the same passage."""
    mine = names_in(text, inside=not text.startswith(tuple(names_in(passage))))
    others = [one for one in dict.fromkeys(names_in(passage)) if not _shares(one, text)]
    if not mine or not others:
        return None
    old = rng.choice(mine)
    return text.replace(old, rng.choice(others), 1)


def _shares(name: str, text: str) -> bool:
    low = text.casefold()
    return any(part.casefold()[:5] in low for part in re.split(r"[\W_]+", name) if len(part) > 2)


def exchanged_roles(text: str, passage: str, language: str, rng: random.Random) -> str | None:
    """Returns the statement with two of its names exchanged, unless they stand in one list."""
    mine = list(dict.fromkeys(names_in(text, inside=False)))
    for first, second in pairwise(mine):
        between = text[text.find(first) + len(first) : text.find(second)]
        apart = len(between.split()) >= 2 and not re.search(r",|\band\b|\bor\b|\bve\b|\bile\b|\bveya\b|\(", between)
        if apart and not _shares(first, second) and not _shares(second, first):
            if language == "tr" and ("’" in first + second or "'" in first + second):
                continue
            return text.replace(first, "\0").replace(second, first).replace("\0", second)
    return None


def negated(text: str, passage: str, language: str, rng: random.Random) -> str | None:
    """Returns the statement with a negation put in or taken out."""
    if language == "tr":
        return _negated_turkish(text)
    if re.search(r"\b(?:not|never|no|nor)\b", text):
        made = re.sub(r" not\b", "", text, count=1)
        return made if made != text else None
    match = re.search(_BE, text)
    if match is not None:
        return (
            f"{text[: match.end()]} not{text[match.end() :]}"
            if " been" not in match[1]
            else (text[: match.start()] + match[1].replace(" been", " not been") + text[match.end() :])
        )
    match = re.search(r"\b(did|does|do|has|have|had)\b", text)
    return text[: match.start()] + _SIMPLE[match[1]] + text[match.end() :] if match else None


def _negated_turkish(text: str) -> str | None:
    body = text.rstrip(". ")
    head, _, last = body.rpartition(" ")
    for form, put in _TURKISH_NOT:
        if re.search(form, last):
            return f"{head} {re.sub(form, put, last)}."
    return None


def opposed(text: str, passage: str, language: str, rng: random.Random) -> str | None:
    """Returns the statement with one word exchanged for its opposite."""
    pairs = [pair.split("/") for pair in _OPPOSITES[language].split()]
    table = {one: other for pair in pairs for one, other in (pair, pair[::-1])}
    places = [match for match in re.finditer(r"\w+", text) if match[0] in table]
    if not places:
        return None
    match = rng.choice(places)
    return text[: match.start()] + table[match[0]] + text[match.end() :]


Corruption = Callable[[str, str, str, random.Random], "str | None"]
CORRUPTIONS: dict[str, Corruption] = {
    "number": another_number,
    "name": another_name,
    "roles": exchanged_roles,
    "negation": negated,
    "opposite": opposed,
}


def corrupted(
    text: str, passage: str, language: str, rng: random.Random, kinds: Sequence[str]
) -> tuple[str, str] | None:
    """Returns (kind, statement) of the first corruption that can be made, tried in random order."""
    for kind in rng.sample(list(kinds), len(kinds)):
        made = CORRUPTIONS[kind](text, passage, language, rng)
        if made is not None and made != text:
            return kind, made
    return None
