"""Numbers in a text, however they are written, and whether two texts say the same number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kaynak.generation.comparing.number_words import SCALES, WEAK, base, combined, values
from kaynak.generation.comparing.units import AFTER, BEFORE, unit_of

# Not inside a word or a code: IL-6, p53, 3D and version 2.1.3 are names.
_DIGITS = re.compile(r"(?<![\w.])(?<![A-Z]-)(?:[−-](?=\d))?\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?(?![\d])|"
                     r"(?<![\w.])(?<![A-Z]-)(?:[−-](?=\d))?\d+(?:[.,]\d+)?")  # fmt: skip
_CODE = re.compile(r"[^\W\d_]*-?\d[\w-]*[^\W\d_]|\d+\.\d+\.\d")
_ORDINAL = re.compile(r"st|nd|rd|th|s\b|['’]?(?:inci|ıncı|uncu|üncü|nci|ncı|ncu|ncü)")
_LETTERS = re.compile(r"[^\W\d_]+")
_ROMAN = re.compile(r"\b(?=[IVX]{1,6}\b)X{0,3}(?:IX|IV|V?I{0,3})\b")
_ABOUT = re.compile(
    r"\b(?:about|around|approximately|roughly|nearly|almost|some|circa|over|under|more than|less than|fewer than|up to|"
    r"yaklaşık(?: olarak)?|civarında|aşağı yukarı|neredeyse|(?:den|dan|ten|tan) (?:fazla|çok|az))\W{0,2}$",
    re.IGNORECASE,
)
_JOINS = frozenset({"and", "ve", "buçuk"})
_SHORT_SCALES = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "tn": 1e12}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last, the unit not counted.
        text: As written.
        values: What it can mean; two where ``1.500`` may be a thousand and a half, or one and a half.
        unit: Family and factor, if it is a measure.
        weak: Whether the word may be no number at all.
        about: Whether it says to be no exact number.
    """

    start: int
    end: int
    text: str
    values: tuple[float, ...]
    unit: tuple[str, float] | None = None
    weak: bool = False
    about: bool = False

    def agrees(self, other: Quantity) -> bool:
        """Whether the other says this number, of the same unit where both have one."""
        if self.unit and other.unit and self.unit[0] != other.unit[0]:
            return False
        mine, its = (self.unit[1], other.unit[1]) if self.unit and other.unit else (1.0, 1.0)
        return any(self._equal(own * mine, value * its) for own in self.values for value in other.values)

    def _equal(self, own: float, value: float) -> bool:
        slack = 0.06 if self.about else 1e-12
        return abs(own - value) <= slack * max(abs(own), abs(value))


@lru_cache(maxsize=512)
def quantities(text: str, language: str) -> tuple[Quantity, ...]:
    """Returns the numbers of ``text`` in order: digits, words, and Roman numerals."""
    taken: list[tuple[int, int]] = []
    found: list[Quantity] = []
    for one in (*_in_digits(text, language), *_in_words(text, language), *_roman(text)):
        if not any(start < one.end and one.start < end for start, end in taken):
            taken.append((one.start, one.end))
            found.append(one)
    return tuple(sorted(found, key=lambda one: one.start))


def _in_digits(text: str, language: str) -> Iterator[Quantity]:
    for match in _DIGITS.finditer(text):
        word_end = match.end()
        code = _CODE.match(text, match.start())
        if code is not None and code.end() > word_end and _part_of_a_code(text, word_end, code.end(), language):
            continue
        readings = _readings(match[0], language)
        if re.compile(r"00['’]?s\b").match(text, word_end - 2):  # the 1600s are the 17th century
            readings = (*readings, readings[0] // 100 + 1)
        end, scale = _scale(text, word_end, language)
        unit = _unit(text, match.start(), end, language)
        yield Quantity(
            match.start(), end, text[match.start() : end], tuple(value * scale for value in readings), unit,
            about=_ABOUT.search(text, max(0, match.start() - 30), match.start()) is not None,
        )  # fmt: skip


def _part_of_a_code(text: str, start: int, end: int, language: str) -> bool:
    """Whether the letters after a number make a code of it, being no ending, unit or scale."""
    return not _ORDINAL.match(text, start) and not _scaled(text, start) and unit_of(text[start:end], language) is None


def _scaled(text: str, at: int) -> bool:
    word = _LETTERS.match(text, at)
    return word is not None and word[0].lower() in _SHORT_SCALES


def _readings(digits: str, language: str) -> tuple[float, ...]:
    """Returns what digits with points and commas can mean."""
    sign = -1.0 if digits[0] in "−-" else 1.0
    plain = re.sub(r"[\s−-]", "", digits)
    marks = [char for char in plain if char in ".,"]
    if not marks:
        return (sign * float(plain),)
    if len(set(marks)) == 2 or len(marks) > 1:
        last = marks[-1] if len(set(marks)) == 2 else ""
        whole, _, part = plain.rpartition(last) if last else (plain, "", "")
        return (sign * float(f"{re.sub('[.,]', '', whole)}.{part or 0}"),)
    before, _, after = plain.partition(marks[0])
    decimal = sign * float(f"{before}.{after}")
    if len(after) != 3 or before.startswith("0") or len(before) > 3:
        return (decimal,)
    grouped = sign * float(before + after)
    usual = "." if language == "tr" else ","
    return (grouped,) if marks[0] == usual else (decimal, grouped)


def _scale(text: str, at: int, language: str) -> tuple[int, float]:
    """Returns where a number ends with its ``million``, and by what that multiplies it."""
    scale = 1.0
    while (match := re.compile(r"[\s-]?([^\W\d_]+)").match(text, at)) is not None:
        word = match[1].replace("İ", "i").lower()
        if word in SCALES.get(language, {}) and word != "yüz":
            scale *= SCALES[language][word]
        elif match.start(1) == at and word in _SHORT_SCALES and unit_of(match[1], language) is None:
            scale *= _SHORT_SCALES[word]
        else:
            break
        at = match.end()
    return at, scale


def _unit(text: str, start: int, end: int, language: str) -> tuple[str, float] | None:
    before = BEFORE.search(text, max(0, start - 7), start)
    if before is not None:
        return unit_of(before[0].strip(), language)
    after = AFTER.match(text, end)
    if after is None:
        return None
    if after[0].strip(" -") == "per cent":
        return "percent", 1.0
    if after[2] == "s" and after[0] == "s":  # the 1990s
        return None
    return unit_of(after[1] or after[2] or "", language)


def _in_words(text: str, language: str) -> Iterator[Quantity]:
    simple, scales = values(language), SCALES.get(language, {})
    run: list[tuple[int, int, str]] = []
    for match in _LETTERS.finditer(text):
        word = base(match[0].replace("İ", "i").lower(), language)
        gap = text[run[-1][1] : match.start()] if run else ""
        if word in simple or word in scales:
            if run and (gap not in (" ", "-", "\n", "") or _starts_anew(run[-1][2], word, language)):
                yield from _of_words(text, run, language)
                run = []
            run.append((match.start(), match.end(), word))
        elif run and word in _JOINS and gap == " " and run[-1][2] in scales:
            run.append((match.start(), match.end(), word))
        else:
            yield from _of_words(text, run, language)
            run = []
    yield from _of_words(text, run, language)


def _starts_anew(last: str, word: str, language: str) -> bool:
    """Whether a number word cannot continue the number before it: *two five*, *first ten*."""
    simple = values(language)
    if word not in simple or last not in simple:
        return False
    return not (simple[last] >= 20 and simple[last] % 10 == 0 and 1 <= simple[word] <= 9) and not (
        language == "tr" and simple[last] == 10 and 1 <= simple[word] <= 9
    )


def _of_words(text: str, run: Sequence[tuple[int, int, str]], language: str) -> Iterator[Quantity]:
    kept = list(run)
    while kept and kept[-1][2] in _JOINS:
        kept.pop()
    if not kept:
        return
    words = [word for _, _, word in kept]
    start, end = kept[0][0], kept[-1][1]
    lone_scale = len(words) == 1 and words[0] in SCALES.get(language, {})
    weak = (len(words) == 1 and words[0] in WEAK) or lone_scale
    about = _ABOUT.search(text, max(0, start - 30), start) is not None
    value = combined(words, language)
    spelled = (value, value * 100) if words[0] in ("half", "quarter", "yarısı", "yarı", "çeyrek") else (value,)
    yield Quantity(start, end, text[start:end], spelled, _unit(text, start, end, language), weak, about)


def _roman(text: str) -> Iterator[Quantity]:
    for match in _ROMAN.finditer(text):
        if match[0] and match[0] != "I":
            yield Quantity(match.start(), match.end(), match[0], (float(_value(match[0])),), weak=True)


def _value(roman: str) -> int:
    digits = [{"I": 1, "V": 5, "X": 10}[char] for char in roman]
    return sum(-one if one < max(digits[at:]) else one for at, one in enumerate(digits))
