"""The things in a sentence that must not be changed: numbers, dates, names, opposites and negations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kaynak.generation.comparing.dates import dates
from kaynak.generation.comparing.names import Name, folded, initials, names, same
from kaynak.generation.comparing.polarity import has_opposite, negations, opposed, without_prefix
from kaynak.generation.comparing.quantities import Quantity, quantities
from kaynak.generation.comparing.words import Reading


class Kind(StrEnum):
    """What an anchor is."""

    NUMBER = "number"
    DATE = "date"
    NAME = "name"
    OPPOSITE = "opposite"
    NEGATION = "negation"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A thing in a sentence, and what of its kind the evidence has.

    Attributes:
        kind: What it is.
        text: As written.
        words: Indices of its words in the sentence.
        same: Places in the evidence that say the same.
        others: Places in the evidence with another thing of its kind.
        needed: Whether it must stand in the evidence; a number word such as *one* need not.
        share: How much of it the evidence has, in [0, 1]; for names, by their parts.
    """

    kind: Kind
    text: str
    words: tuple[int, ...]
    same: tuple[int, ...]
    others: tuple[tuple[int, str], ...]
    needed: bool = True
    share: float = 1.0

    @property
    def place(self) -> int:
        """Index of its first word."""
        return self.words[0]


def anchors(sentence: Reading, evidence: Reading) -> list[Anchor]:
    """Returns the anchors of ``sentence``, looked up in ``evidence``."""
    dated = [*_dates(sentence, evidence)]
    taken = {at for anchor in dated for at in anchor.words}
    counted = [one for one in _numbers(sentence, evidence) if taken.isdisjoint(one.words)]
    taken |= {at for anchor in counted for at in anchor.words}
    named = [one for one in _names(sentence, evidence) if not taken.issuperset(one.words)]
    return [*dated, *counted, *named, *_opposites(sentence, evidence)]


def _dates(sentence: Reading, evidence: Reading) -> Iterator[Anchor]:
    there = [(one, evidence.between(one.start, one.end)) for one in dates(evidence.text)]
    years = {value for one in quantities(evidence.text, evidence.language) for value in one.values}
    for date in dates(sentence.text):
        words = tuple(sentence.between(date.start, date.end))
        if not words:
            continue
        equal = tuple(span[0] for one, span in there if span and date.agrees(one))
        others = tuple((span[0], one.text) for one, span in there if span and not date.agrees(one))
        # The year may stand apart from the day: “In 1923 …, on 29 October”.
        full = not equal or date.year is None or any(one.year == date.year for one, _ in there) or date.year in years
        yield Anchor(Kind.DATE, date.text, words, equal if full else (), others, share=float(bool(equal) and full))


def _numbers(sentence: Reading, evidence: Reading) -> Iterator[Anchor]:
    there = [(one, evidence.between(one.start, one.end)) for one in quantities(evidence.text, evidence.language)]
    for one in quantities(sentence.text, sentence.language):
        words = tuple(sentence.between(one.start, one.end))
        if not words:
            continue
        equal = tuple(span[0] for other, span in there if span and one.agrees(other))
        bare = any(_same_value(one, other) for other, _ in there)
        others = tuple(
            (span[0], other.text) for other, span in there if span and not one.agrees(other) and not other.weak
        )
        yield Anchor(
            Kind.NUMBER, one.text, words, equal, others, needed=not one.weak, share=1.0 if equal else 0.3 * bare
        )


def _same_value(one: Quantity, other: Quantity) -> bool:
    return not set(one.values).isdisjoint(other.values)


def _names(sentence: Reading, evidence: Reading) -> Iterator[Anchor]:
    there = names(evidence.text, evidence.language)
    written = [folded(word.text) for word in evidence.words]
    capitals = [word.text for word in evidence.words if word.capital]
    shortened = initials(capitals) if any(name.code for name in names(sentence.text, sentence.language)) else set()
    codes = {part for name in there if name.code for part in name.parts}
    for name in names(sentence.text, sentence.language):
        words = tuple(range(name.first, name.last + 1))
        places: list[int] = []
        found = 0
        for part in name.parts:
            here = [at for at, other in enumerate(written) if same(part, other)]
            places += here
            found += bool(here)
        share = found / len(name.parts)
        if share < 1 and (_short_for(name, shortened) or _long_for(name, codes)):
            share = 1.0
        others = tuple((other.first, other.text) for other in there if not _related(name, other))
        yield Anchor(Kind.NAME, name.text, words, tuple(places), others, share=share)


def _short_for(name: Name, shortened: set[str]) -> bool:
    return name.code and len(name.parts) == 1 and name.parts[0] in shortened


def _long_for(name: Name, codes: set[str]) -> bool:
    return len(name.parts) > 1 and "".join(part[0] for part in name.parts) in codes


def _related(left: Name, right: Name) -> bool:
    return any(same(one, other) for one in left.parts for other in right.parts)


def _opposites(sentence: Reading, evidence: Reading) -> Iterator[Anchor]:
    for at, word in enumerate(sentence.words):
        base = without_prefix(word.stem) if sentence.language == "en" else None
        if not has_opposite(word.stem, sentence.language) and base is None and sentence.language != "en":
            continue
        equal = evidence.places.get(word.stem, ())
        others = tuple(
            (place, other.text)
            for place, other in enumerate(evidence.words)
            if opposed(word.stem, other.stem, sentence.language)
            or (base is not None and other.stem == base)
            or (sentence.language == "en" and word.stem != other.stem and without_prefix(other.stem) == word.stem)
        )
        if others:
            yield Anchor(Kind.OPPOSITE, word.text, (at,), equal, others, needed=False)


def negated(reading: Reading) -> dict[int, str]:
    """Returns the indices of the words that negate, with how they are written."""
    return {one.at: one.text for one in negations(reading.text, reading.language)}
