from __future__ import annotations

import re
from dataclasses import dataclass, field

from kaynak.domain import Span
from kaynak.domain.sentences import sentence_spans
from kaynak.generation.citing.pieces import Kind, Marks, Piece

_AHEAD = 26
"""Characters after a sentence that decide whether it ends there, see `sentence_spans`; and the whole next word."""

_MOST = 3000
"""Longer than this is no sentence: it is cut at a space."""

_NEXT_WORD = re.compile(r"[\"'“‘«(\[¿¡]*[^\W_]*")
_LINE_HEAD = re.compile(r"[\s>|*+•◦▪–#_-]*(?:\d{1,3}[.)]|[a-zA-Z]\))?[\s*_|]*")
_RULE = re.compile(r"\|?[ \t]*:?--")
_WORDS = re.compile(r"\w{2,}")
_FEW = 3
_BEFORE_STOP = re.compile(r"(?<!\])\s+([.,;:!?…])")  # but “[x] :” is apart for a reason, see `LinkGuard`


@dataclass(slots=True)
class Mark:
    """A reference to passages.

    Attributes:
        labels: Numbers of the passages.
        at: Before which character of the text it stands.
        claim: What it stands for, as far as that was written before it. Empty where that was too little, until the
            sentence is complete.
    """

    labels: tuple[int, ...]
    at: int
    claim: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A complete sentence of an answer, or what takes the place of one: a row of a table, a block of code.

    Attributes:
        text: On one line, without references; code as it is.
        span: Where it is in the text without references.
        end: Where what belongs to it ends there: references that follow it included.
        marks: Its references.
        code: Whether it is a block of code.
        head: Whether it is the head of a table.
    """

    text: str
    span: Span
    end: int
    marks: tuple[Mark, ...]
    code: bool = False
    head: bool = False


@dataclass(slots=True)
class Splitter:
    """Cuts an answer into sentences while it comes in; each reference belongs to one.

    It belongs to the sentence it stands in, or else to the one before it; at the head of a line, to the one after.

    Attributes:
        text: All that came, without references.
        marks: All references, in order.
    """

    text: str = ""
    marks: list[Mark] = field(default_factory=list)
    _begin: int = 0
    _block: bool = False
    _given: int = 0

    def feed(self, piece: Piece) -> list[Sentence]:
        """Takes the next piece, and returns the sentences that are complete with it."""
        if isinstance(piece, Marks):
            if not self._block:
                self.marks.append(Mark(piece.labels, len(self.text), self._claim()))
                return []
            self.marks.append(Mark(piece.labels, len(self.text), ""))
            self._block = False
            return self._end_block()
        found: list[Sentence] = []
        block = piece.kind is Kind.BLOCK
        if block != self._block:
            found += self._rest() if block else self._end_block()
            self._block = block
        if self.marks and self.marks[-1].at == len(self.text) and _joins(self.text[-1:], piece.text[:1]):
            self.text += " "  # “26 days.[1]Notice …”
        self.text += piece.text
        if not block:
            found += self._complete()
        return found

    def finish(self) -> list[Sentence]:
        """Returns the sentences that are left when nothing more comes."""
        return self._end_block() if self._block else self._rest()

    def _claim(self) -> str:
        """Returns the sentence so far, from the reference before if there is enough after that; "" if too little."""
        tail = self.text[self._begin :]
        if _LINE_HEAD.fullmatch(tail.rpartition("\n")[2]):
            return ""
        spans = sentence_spans(tail)
        if not spans:
            return ""
        start = self._begin + spans[-1].start
        last = max(start, self.marks[-1].at if self.marks else start)
        after = self.text[last:]
        claim = _plain(after if len(_WORDS.findall(after)) >= _FEW else self.text[start:])
        return claim if len(_WORDS.findall(claim)) >= _FEW else ""

    def _complete(self) -> list[Sentence]:
        """Cuts off sentences as long as what follows them is long enough to be sure."""
        found: list[Sentence] = []
        while True:
            tail = self.text[self._begin :].lstrip()
            self._begin = len(self.text) - len(tail)
            if len(tail) <= _AHEAD:
                return found
            spans = sentence_spans(tail[: _MOST + 2 * _AHEAD])
            if not spans:
                return found
            first = spans[0]
            if len(first) > _MOST:
                cut = tail.rfind(" ", first.start + 1, first.start + _MOST)
                first = Span(first.start, cut if cut > 0 else first.start + _MOST)
            elif not _sure(tail[first.end :]):
                return found
            found.append(self._sentence(first))

    def _rest(self) -> list[Sentence]:
        found: list[Sentence] = []
        while spans := sentence_spans(self.text[self._begin :]):
            found.append(self._sentence(spans[0]))
        return found

    def _end_block(self) -> list[Sentence]:
        block = self.text[self._begin :]
        bare = block.strip()
        if not bare:
            return []
        start = block.index(bare)
        return [self._sentence(Span(start, start + len(bare)), code=True)]

    def _sentence(self, span: Span, *, code: bool = False) -> Sentence:
        """Takes the sentence at ``span``, counted from where the one before ended."""
        span = span.shift(self._begin)
        ahead = self.text[span.end :]
        bare = ahead.lstrip()
        following = span.end + len(ahead) - len(bare)
        marks: list[Mark] = []
        while self._given < len(self.marks) and self.marks[self._given].at <= following:
            mark = self.marks[self._given]
            if mark.at > span.end and bare and self._heads_line(mark.at, following):
                break
            marks.append(mark)
            self._given += 1
        text = span.of(self.text) if code else _plain(span.of(self.text))
        for mark in marks:
            mark.claim = mark.claim or text
        self._begin = span.end
        head = text.startswith("|") and bool(_RULE.match(bare))
        return Sentence(text, span, max([span.end, *(mark.at for mark in marks)]), tuple(marks), code, head)

    def _heads_line(self, at: int, following: int) -> bool:
        """Whether a reference stands alone at the head of the line on which the next sentence begins."""
        line = self.text.rfind("\n", 0, at)
        return line >= 0 and not self.text[line:at].strip() and "\n" not in self.text[at:following]


def _sure(rest: str) -> bool:
    bare = rest.lstrip()
    word = _NEXT_WORD.match(bare)
    return len(bare) >= _AHEAD and word is not None and word.end() < len(bare)


def _joins(before: str, after: str) -> bool:
    return before in ".!?…" and before != "" and after.isalnum()


def _plain(text: str) -> str:
    return _BEFORE_STOP.sub(r"\1", " ".join(text.split()))
