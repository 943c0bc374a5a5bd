"""What a model's text is taken apart into, and the shape of the stages that do it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias


class Kind(StrEnum):
    """What a stretch of text is."""

    PROSE = "prose"
    INLINE = "inline"
    """Code within a line, with its backticks."""
    BLOCK = "block"
    """Part of a fenced block of code, fences included."""


@dataclass(frozen=True, slots=True)
class Text:
    """Some characters. How a text is cut into pieces of the same kind means nothing."""

    text: str
    kind: Kind = Kind.PROSE


@dataclass(frozen=True, slots=True)
class Marks:
    """References to passages, by the numbers they have in the prompt, in the order in which they were written."""

    labels: tuple[int, ...]


Piece: TypeAlias = Text | Marks


class Stage(Protocol):
    """Turns pieces into pieces, however they are cut: what it cannot decide yet it holds back."""

    def feed(self, piece: Piece) -> Iterator[Piece]:
        """Takes the next piece, and yields what is decided."""
        ...

    def finish(self) -> Iterator[Piece]:
        """Yields what was held back."""
        ...


class Chain:
    """Stages one after the other. See `Stage`."""

    def __init__(self, *stages: Stage) -> None:
        self._stages = stages

    def feed(self, piece: Piece) -> list[Piece]:
        """See `Stage`."""
        return self._through([piece], 0)

    def finish(self) -> list[Piece]:
        """See `Stage`."""
        found: list[Piece] = []
        for at, stage in enumerate(self._stages):
            found += self._through(list(stage.finish()), at + 1)
        return found

    def _through(self, pieces: Iterable[Piece], begin: int) -> list[Piece]:
        current = list(pieces)
        for stage in self._stages[begin:]:
            current = [made for piece in current for made in stage.feed(piece)]
        return current


class Held(ABC):
    """A stage over prose: looks at it from one special character to the next. Code passes.

    Subclasses say what is special, and what it becomes.
    """

    special: str = ""
    """Characters at which `take` is asked."""

    def __init__(self) -> None:
        self._rest = ""
        self._last = ""

    def feed(self, piece: Piece) -> Iterator[Piece]:
        """See `Stage`."""
        if isinstance(piece, Text) and piece.kind is Kind.PROSE:
            self._rest += piece.text
            yield from self._run(final=False)
            return
        yield from self._run(final=True)
        yield from self.passing(piece)

    def finish(self) -> Iterator[Piece]:
        """See `Stage`."""
        yield from self._run(final=True)

    def passing(self, piece: Piece) -> Iterator[Piece]:
        """Yields what becomes of a piece that is not prose."""
        yield self.noted(piece)

    @abstractmethod
    def take(self, text: str, at: int, *, final: bool) -> tuple[int, list[Piece]] | None:
        """Returns how many characters from ``at`` are taken, and what they become; None to see more first.

        Zero characters: it is nothing special. What is decided must not depend on what is after what was seen.
        """

    def noted(self, piece: Piece) -> Piece:
        """Remembers the last character that was shown, and returns the piece."""
        self._last = piece.text[-1:] or self._last if isinstance(piece, Text) else "]"
        return piece

    def gap(self) -> list[Piece]:
        """Returns what stands in for something that is left out.

        Two backticks left and one right of it would become the three that open a block of code.
        """
        return [Text(" ")] if self._last in "`~" and self._last else []

    def _run(self, *, final: bool) -> Iterator[Piece]:
        text, at = self._rest, 0
        start = 0
        while at < len(text):
            if text[at] not in self.special:
                at += 1
                continue
            if at > start:
                yield self.noted(Text(text[start:at]))
                start = at
            taken = self.take(text, at, final=final)
            if taken is None:
                break
            length, pieces = taken
            if length == 0:
                at += 1  # plain after all; it goes with what follows
                continue
            for piece in pieces:
                yield self.noted(piece)
            at = start = at + length
        else:
            if start < len(text):
                yield self.noted(Text(text[start:]))
            start = len(text)
        self._rest = text[start:]
