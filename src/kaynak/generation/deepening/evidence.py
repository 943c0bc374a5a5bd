"""What several searches found, as one list of passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kaynak.domain import Hit, SearchResult

MAIN = 1.0
"""Weight of the question itself."""

HELP = 0.5
"""Weight of all other queries together: they bring passages in, and do not decide."""


@dataclass(slots=True)
class Evidence:
    """Passages of the question itself, and of what was asked beside it.

    The best passages of everything that was asked beside it have their places in the list, so that each part of a
    question is heard: the list is shared out evenly, the question itself included.

    Attributes:
        main: What the question itself found.
        beside: What each other query found.
        opened: Passages that were read further, in place of what they grew out of.
    """

    main: SearchResult
    beside: list[SearchResult] = field(default_factory=list)
    opened: list[Hit] = field(default_factory=list)

    def hits(self, limit: int) -> tuple[Hit, ...]:
        """Returns the best ``limit`` passages, none of which overlaps another."""
        groups = _grouped([(MAIN, self.main.hits), *((HELP / len(self.beside), one.hits) for one in self.beside)])
        total = MAIN + (HELP if self.beside else 0.0)
        ranked = sorted((group.as_hit(total) for group in groups), key=lambda hit: -hit.score)
        kept = ranked[:limit]
        share = max(1, limit // (len(self.beside) + 1))
        wanted = [hit for one in self.beside for hit in one.hits[:share]]
        missing = [hit for hit in ranked[limit:] if any(_overlap(hit, best) for best in wanted)]
        first = 1 if self.main.hits else 0  # the best passage of all stays
        for hit in missing:
            at = _last_unwanted(kept, wanted, first)
            if at is None:
                break
            kept[at] = hit
        kept.sort(key=lambda hit: -hit.score)
        return self._grown(kept)

    def result(self, limit: int) -> SearchResult:
        """Returns the whole as the result of one search."""
        all_ = [self.main, *self.beside]
        names = {name for one in all_ for name in one.revisions}
        return replace(
            self.main,
            hits=self.hits(limit),
            more=any(one.more for one in all_),
            revisions={name: min(one.revisions[name] for one in all_ if name in one.revisions) for name in names},
            degraded=tuple(dict.fromkeys(said for one in all_ for said in one.degraded)),
        )

    def _grown(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """Puts what was opened in place of what it grew out of."""
        shown: list[Hit] = []
        for hit in hits:
            grown = next((one for one in reversed(self.opened) if _overlap(one, hit)), None)
            one = hit if grown is None else replace(grown, score=hit.score)
            if not any(_overlap(one, other) for other in shown):
                shown.append(one)
        return tuple(shown)


@dataclass(slots=True)
class _Group:
    """Passages of several lists that overlap: one passage, as far as a reader is concerned."""

    best: Hit
    weight: float
    score: float
    counted: set[int]

    def as_hit(self, total: float) -> Hit:
        """Returns the passage with the weighed mean of its scores."""
        return replace(self.best, score=round(min(1.0, self.score / total), 6))


def _grouped(lists: Sequence[tuple[float, Sequence[Hit]]]) -> list[_Group]:
    groups: list[_Group] = []
    for number, (weight, hits) in enumerate(lists):
        for hit in hits:
            group = next((one for one in groups if _overlap(one.best, hit)), None)
            if group is None:
                groups.append(_Group(hit, weight, weight * hit.score, {number}))
            elif number not in group.counted:
                group.counted.add(number)
                group.score += weight * hit.score
    return groups


def _overlap(one: Hit, other: Hit) -> bool:
    return one.version_id == other.version_id and one.span.overlap(other.span) > 0


def _last_unwanted(kept: Sequence[Hit], wanted: Sequence[Hit], first: int) -> int | None:
    """Returns the place of the last passage, from ``first`` on, that is among the best of nothing beside."""
    for at in range(len(kept) - 1, first - 1, -1):
        if not any(_overlap(kept[at], best) for best in wanted):
            return at
    return None
