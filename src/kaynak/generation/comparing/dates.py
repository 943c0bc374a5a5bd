"""Dates in a text, however they are written, and whether two texts say the same day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_ENGLISH = "january february march april may june july august september october november december"
_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec"
_TURKISH = "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık"
_MONTHS = {name: at for names in (_ENGLISH, _SHORT, _TURKISH) for at, name in enumerate(names.split(), 1)} | {"sept": 9}
_ANY = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_ORDINAL = r"(?:st|nd|rd|th)?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)",
        r"(?<![\d.])(?P<day>\d{1,2})(?P<mark>[./])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4})(?!\d)",
        rf"\b(?P<day>\d{{1,2}}){_ORDINAL}(?: of)?[ -](?P<name>{_ANY})\b\.?(?:,? {_YEAR}\b)?",
        rf"\b(?P<name>{_ANY})\b\.? (?P<day>\d{{1,2}}){_ORDINAL}(?!\d)(?:,? {_YEAR}\b)?",
        rf"\b(?P<name>{_ANY})\b\.?,?(?: of)? {_YEAR}\b",
        rf"\b{_YEAR}(?:['’]?\w+)? (?P<name>{_ANY})(?=[^\W\d_]*\b)",
    )
)
# A month alone. Not “may”, “mar” or “ocak”, which mostly are other words.
_ALONE = re.compile(
    r"\b(?P<name>January|February|April|June|July|August|September|October|November|December|"
    r"Şubat|Nisan|Mayıs|Haziran|Temmuz|Ağustos|Eylül|Kasım|Aralık)(?=['’\w]*)"
)


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month, or a month of a year.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        text: As written.
        year: None if it is not said.
        months: What the month can be; two where 3/4 may be March or April.
        days: Likewise; empty if no day is said.
    """

    start: int
    end: int
    text: str
    year: int | None
    months: tuple[int, ...]
    days: tuple[int, ...] = ()

    def agrees(self, other: Date) -> bool:
        """Whether the other says all of this one."""
        if self.year is not None and other.year is not None and self.year != other.year:
            return False
        if not self.days:
            return not set(self.months).isdisjoint(other.months)
        mine = set(zip(self.months, self.days, strict=True))
        return not mine.isdisjoint(zip(other.months, other.days, strict=False))


@lru_cache(maxsize=512)
def dates(text: str) -> tuple[Date, ...]:
    """Returns the dates of ``text`` in order; years alone are numbers."""
    found: list[Date] = []
    for one in _all(text):
        if not any(one.start < other.end and other.start < one.end for other in found):
            found.append(one)
    return tuple(sorted(found, key=lambda one: one.start))


def _all(text: str) -> Iterator[Date]:
    for form in _FORMS:
        for match in form.finditer(text):
            date = _date(match)
            if date is not None:
                yield date
    for match in _ALONE.finditer(text):
        yield Date(match.start(), match.end(), match[0], None, (_month(match["name"]),))


def _date(match: re.Match[str]) -> Date | None:
    parts = match.groupdict()
    year = int(parts["year"]) if parts.get("year") else None
    day = int(parts["day"]) if parts.get("day") else None
    if parts.get("name"):
        # “may 5” is a verb and a number as often as a date.
        if parts["name"].islower() and parts["name"] in ("may", "mar", "mart", "ekim", "ocak") and year is None:
            return None
        pairs = [(_month(parts["name"]), day)]
    else:
        month = int(parts["month"])
        pairs = [(month, day)]
        if parts.get("mark") == "/" and day is not None and day != month:
            pairs.append((day, month))
    good = [(month, one) for month, one in pairs if 1 <= month <= 12 and (one is None or 1 <= one <= 31)]
    if not good:
        return None
    days = tuple(one for _, one in good if one is not None)
    return Date(match.start(), match.end(), match[0].strip(), year, tuple(month for month, _ in good), days)


def _month(name: str) -> int:
    plain = name.replace("İ", "i")
    # In capitals, an I is a Turkish ı in some months and an i in others.
    return next(_MONTHS[form] for form in (plain.lower(), plain.replace("I", "ı").lower()) if form in _MONTHS)
