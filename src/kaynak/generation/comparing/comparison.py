"""A sentence against its evidence, in numbers, and what was found wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kaynak.generation.comparing.aligning import Alignment
from kaynak.generation.comparing.anchors import Anchor, Kind, anchors, negated
from kaynak.generation.comparing.words import Reading

NAMES = (
    "one", "two", "all", "missing", "number", "date", "name", "name_swap", "name_slot", "roles", "number_swap",
    "number_slot", "opposite", "negation", "unnegated", "order", "short",
)  # fmt: skip
"""Features of a pair.

one, two, all: share of the sentence's words in the best evidence sentence, in the best two that follow each other, in
all. missing: share of its words that are nowhere. number, date, name: how many of them are not in the evidence.
name_swap, number_swap: how much better another one of the evidence fits in the place. name_slot, number_slot: how much
better the surroundings fit at a place where it does not stand. roles: how much better two names
of the sentence fit when exchanged. opposite: likewise for words with an opposite. negation: is negated where the
evidence is not; unnegated: the other way. order: share of the words that stand in another order. short: says next to
nothing.
"""

_LEAST_MATCH = 0.45
"""Share of a sentence that an evidence sentence must have for its negations to count."""


_MOST_ANCHORS, _MOST_OTHERS = 48, 64
"""Numbers, dates and names of a sentence that are looked for, and others in the evidence that each is compared with:
what has more is a list, and must not take more time than there is."""


@dataclass(frozen=True)
class Fault:
    """Something that was found wrong: the feature it counts in, how much, and the words for it."""

    feature: str
    amount: float
    anchor: str
    other: str = ""


@dataclass
class Comparison:
    """What was found.

    Attributes:
        features: By `NAMES`.
        faults: What speaks against the sentence.
        missing: Words of the sentence that are nowhere in the evidence, heaviest first.
        coverage: Share of the sentence's words in each sentence of the evidence.
    """

    features: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NAMES, 0.0))
    faults: list[Fault] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Notes a fault; what counts is the worst of its kind, or their number where things are missing."""
        self.faults.append(fault)
        old = self.features[fault.feature]
        total = old + fault.amount if fault.feature in ("number", "date", "name") else max(old, fault.amount)
        self.features[fault.feature] = total


def compare(sentence: Reading, evidence: Reading) -> Comparison:
    """Compares a sentence with all its evidence as one text."""
    alignment = Alignment(sentence, evidence)
    found = Comparison()
    anchored = anchors(sentence, evidence)[:_MOST_ANCHORS]
    for anchor in anchored:
        if anchor.kind is not Kind.OPPOSITE and anchor.share == 1:
            alignment.found(anchor.words, anchor.same)
    one, two = alignment.coverage(1), alignment.coverage(2)
    found.features["one"], found.features["two"] = float(one.max()), float(two.max())
    found.features["all"] = float(alignment.coverage(0).max())
    found.missing = [sentence.words[at].text for at in alignment.missing()]
    found.coverage = one.tolist()
    content = sum(not word.stop for word in sentence.words)
    found.features["missing"] = len(found.missing) / max(1, content)
    found.features["short"] = float(content < 3)
    for anchor in anchored:
        for fault in (*_anchored(anchor, alignment, anchored), *_exchanged(anchor, alignment, anchored)):
            found.add(fault)
    for fault in _negations(alignment, one):
        found.add(fault)
    found.features["order"] = _inversions(alignment, int(one.argmax()))
    return found


def _anchored(anchor: Anchor, alignment: Alignment, all_of_them: Sequence[Anchor]) -> Iterator[Fault]:
    """Yields what is wrong with one thing: it is not there, or another one stands in its place."""
    own = frozenset(anchor.words)
    elsewhere = {place for other in all_of_them if other.kind is anchor.kind for place in other.same}
    best = max(
        (
            (alignment.company(anchor.place, [place], leave=own), text)
            for place, text in anchor.others[:_MOST_OTHERS]
            if anchor.kind is Kind.OPPOSITE or place not in elsewhere
        ),
        default=(0.0, ""),
    )
    kept = alignment.company(anchor.place, anchor.same, leave=own)
    swap = max(0.0, best[0] - kept)
    if anchor.kind is Kind.OPPOSITE:
        yield Fault("opposite", swap, anchor.text, best[1])
        return
    if anchor.needed and anchor.share < 1:
        other = best[1] if best[0] > 0.4 and swap > 0 else ""
        yield Fault(anchor.kind.value, 1 - anchor.share, anchor.text, other)
    elif anchor.needed:
        kind = "name" if anchor.kind is Kind.NAME else "number"
        yield Fault(f"{kind}_swap", swap, anchor.text, best[1])
        yield Fault(f"{kind}_slot", max(0.0, alignment.anywhere(anchor.place, leave=own) - kept), anchor.text)


def _exchanged(anchor: Anchor, alignment: Alignment, all_of_them: Sequence[Anchor]) -> Iterator[Fault]:
    """Yields two things of a sentence that stand in each other's place in the evidence."""
    if anchor.kind not in (Kind.NAME, Kind.NUMBER) or not anchor.same:
        return
    for other in all_of_them:
        if other.kind is not anchor.kind or other.place <= anchor.place or not other.same:
            continue
        if not set(other.same).isdisjoint(anchor.same):
            continue
        leave = frozenset((*anchor.words, *other.words))
        fits = alignment.company(anchor.place, anchor.same, leave=leave)
        fits += alignment.company(other.place, other.same, leave=leave)
        crossed = alignment.company(anchor.place, other.same, leave=leave)
        crossed += alignment.company(other.place, anchor.same, leave=leave)
        feature = "roles" if anchor.kind is Kind.NAME else "number_swap"
        yield Fault(feature, max(0.0, (crossed - fits) / 2), anchor.text, other.text)


def _negations(alignment: Alignment, coverage: np.ndarray) -> Iterator[Fault]:
    here, there = negated(alignment.left), negated(alignment.right)
    for at, text in here.items():
        kept = alignment.company(at, list(there), leave=frozenset(here))
        yield Fault("negation", max(0.0, alignment.anywhere(at, leave=frozenset(here)) - kept), text)
    likely = {
        number for number, share in enumerate(coverage.tolist()) if share >= max(_LEAST_MATCH, coverage.max() - 0.1)
    }
    spots = [at for at in there if alignment.right.words[at].sentence in likely]
    if not spots:
        return
    back = Alignment(alignment.right, alignment.left)
    for at in spots:
        kept = back.company(at, list(here), leave=frozenset(there))
        yield Fault("unnegated", max(0.0, back.anywhere(at, leave=frozenset(there)) - kept), there[at])


def _inversions(alignment: Alignment, sentence: int) -> float:
    """Returns the share of pairs of words that stand in another order in an evidence sentence."""
    right = alignment.right
    places = []
    for at, word in enumerate(alignment.left.words):
        if word.stop or alignment.table[sentence, at] < 1:
            continue
        spots = [place for place in right.places.get(word.stem, ()) if right.words[place].sentence == sentence]
        if len(spots) == 1:
            places.append(spots[0])
    pairs = [(left, later) for number, left in enumerate(places) for later in places[number + 1 :]]
    return sum(left > later for left, later in pairs) / len(pairs) if len(pairs) >= 3 else 0.0
