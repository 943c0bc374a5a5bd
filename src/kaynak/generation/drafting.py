from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from kaynak.domain import AnswerSentence, Citation, CitationPolicy, Hit, SentenceWritten, Span, TextWritten, Verdict
from kaynak.generation.citing import Citations
from kaynak.generation.citing.reader import AnswerReader, Piece
from kaynak.generation.citing.splitting import Mark, Sentence, Splitter
from kaynak.generation.citing.supporting import Support
from kaynak.generation.judging import Judge, good
from kaynak.generation.protocol import Quote
from kaynak.generation.wording import no_link, withheld

Drafted = TextWritten | SentenceWritten
Pages = Callable[[Sequence[Quote]], Awaitable[list[int | None]]]


@dataclass(slots=True)
class _Judging:
    """A sentence that is shown already, while it is checked."""

    sentence: AnswerSentence
    new: tuple[Citation, ...]
    verdict: asyncio.Task[tuple[Verdict | None, tuple[str, ...]]]


@dataclass(slots=True)
class _Shown:
    """The text as it is shown, and where characters of the unmarked text are in it."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    cursor: int = 0
    shifts: list[tuple[int, int]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def place(self, at: int, *, after: bool) -> int:
        """Returns where character ``at`` is shown, or (``after``) where what belongs before it has ended."""
        return at + sum(by for place, by in self.shifts if place < at or (after and place == at))


class Draft:
    """An answer while a model writes it: its text becomes sentences with citations, each of them checked.

    Under the policy ``mark`` text is shown as it comes, and verdicts follow; under ``drop`` a sentence is shown once
    it is checked; under ``refuse`` all is shown at the end, or nothing.

    Args:
        hits: The passages.
        labels: The numbers, from 1, of those that the model was given.
        support: Finds the quotes.
        judge: Gives the verdicts.
        pages: Finds the pages of quotes.
        policy: For sentences without support.
        question: What the answer is to.

    Attributes:
        sentences: Those that are shown, in order.
        citations: What they cite.
        refused: Whether the policy withholds the answer; then nothing more is needed from the model.
        dropped: How many sentences are left out.
    """

    def __init__(
        self,
        hits: Sequence[Hit],
        labels: Collection[int],
        *,
        support: Support,
        judge: Judge,
        pages: Pages,
        policy: CitationPolicy,
        question: str,
    ) -> None:
        self._reader = AnswerReader(hits, labels, no_link(question))
        self._splitter = Splitter()
        self._support = support
        self._judge = judge
        self._pages = pages
        self._policy = policy
        self._question = question
        self._shown = _Shown()
        self._quotes: dict[int, tuple[Quote, ...]] = {}
        self._markers: dict[int, tuple[Citation, ...]] = {}
        self._marked = 0
        self._announced: set[int] = set()
        self._judging: deque[_Judging] = deque()
        self._held: list[Drafted] = []
        self.sentences: list[AnswerSentence] = []
        self.citations = Citations(hits)
        self.refused = False
        self.dropped = 0

    @property
    def text(self) -> str:
        """What is shown so far."""
        return self._shown.text

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know, for people."""
        unknown, removed, unchecked = self._reader.unknown, self._reader.removed, self._judge.unchecked
        said = (
            (unknown, f"The model cited sources that do not exist ({unknown}); these references were removed."),
            (removed, f"Addresses or pictures that are not in the sources were removed ({removed})."),
            (unchecked, f"{unchecked} of the sentences could not be checked against their sources."),
            (self.dropped, f"Sentences that the sources do not bear out were left out ({self.dropped})."),
        )
        return tuple(sentence for count, sentence in said if count)

    async def feed(self, text: str) -> AsyncGenerator[Drafted, None]:
        """Takes the next characters that the model wrote, and yields what can be shown."""
        async for event in self._take(list(self._reader.feed(text))):
            if self._policy is CitationPolicy.REFUSE:
                self._held.append(event)
            else:
                yield event

    async def finish(self) -> AsyncGenerator[Drafted, None]:
        """Yields what is left when the model has ended, or was stopped."""
        left = [event async for event in self._take(list(self._reader.finish()))]
        for sentence in self._splitter.finish():
            left += [event async for event in self._complete(sentence)]
        left += [event async for event in self._flow(len(self._splitter.text))]
        while self._judging:
            left.append(await self._verdict())
        if self.refused:
            self._withhold()
            left = []
        for event in (*self._held, *left):
            yield event

    def close(self) -> None:
        """Ends checks that are under way."""
        for one in self._judging:
            one.verdict.cancel()

    async def _take(self, pieces: Sequence[Piece]) -> AsyncGenerator[Drafted, None]:
        for piece in pieces:
            for sentence in self._splitter.feed(piece):
                async for event in self._complete(sentence):
                    yield event
        if self._policy is CitationPolicy.MARK:
            async for event in self._flow(len(self._splitter.text)):
                yield event
        while self._judging and self._judging[0].verdict.done():
            yield await self._verdict()

    async def _complete(self, sentence: Sentence) -> AsyncGenerator[Drafted, None]:
        """Takes a sentence that is complete: it is checked, before it is shown or while it is."""
        quotes = [quote for mark in sentence.marks for quote in await self._quotes_of(mark)]
        says = any(char.isalnum() for char in sentence.text)
        if self._policy is CitationPolicy.MARK:
            async for event in self._flow(sentence.end):
                yield event
            if says:
                judging = asyncio.create_task(self._judge.judge(sentence, quotes))
                self._judging.append(_Judging(*self._as_shown(sentence), judging))
            return
        verdict, reasons = await self._judge.judge(sentence, quotes)
        if not good(verdict, self._policy):
            self.dropped += 1
            self.refused = self.refused or self._policy is CitationPolicy.REFUSE
            self._skip(sentence)
            return
        async for event in self._flow(sentence.end):
            yield event
        if says:
            shown, new = self._as_shown(sentence)
            self.sentences.append(replace(shown, verdict=verdict, reasons=reasons))
            yield SentenceWritten(self.sentences[-1], new)

    async def _verdict(self) -> SentenceWritten:
        one = self._judging.popleft()
        verdict, reasons = await one.verdict
        self.sentences.append(replace(one.sentence, verdict=verdict, reasons=reasons))
        return SentenceWritten(self.sentences[-1], one.new)

    async def _flow(self, upto: int) -> AsyncGenerator[TextWritten, None]:
        """Shows text and references up to a place, or to the first reference whose claim is not complete."""
        marks = self._splitter.marks
        made: list[str] = []
        while self._marked < len(marks) and marks[self._marked].at <= upto:
            mark = marks[self._marked]
            if not mark.claim:
                upto = mark.at
                break
            made += self._until(mark.at), await self._number(mark)
            self._marked += 1
        made.append(self._until(upto))
        if shown := "".join(made):
            yield TextWritten(shown)

    def _until(self, upto: int) -> str:
        """Shows text without references; white space waits for what comes after it."""
        shown = self._shown
        text = self._splitter.text[shown.cursor : upto].rstrip()
        begin = shown.cursor
        shown.cursor += len(text)
        if not shown.length:
            bare = text.lstrip()
            shown.shifts.append((begin, len(bare) - len(text)))
            text = bare
        shown.add(text)
        return text

    async def _number(self, mark: Mark) -> str:
        """Gives the quotes of a reference their numbers, and shows these."""
        quotes = await self._quotes_of(mark)
        pages = await self._pages(quotes) if quotes else []
        found = {one.marker: one for one in (self.citations.number(*pair) for pair in zip(quotes, pages, strict=True))}
        self._markers[id(mark)] = tuple(found.values())
        marker = "".join(f"[{number}]" for number in found)
        if not marker:
            return ""
        shown = self._shown
        space = self._splitter.text[shown.cursor : mark.at] if shown.length else ""
        shown.shifts += [(shown.cursor, len(space) - (mark.at - shown.cursor)), (mark.at, len(marker))]
        shown.cursor = mark.at
        shown.add(space + marker)
        return space + marker

    def _skip(self, sentence: Sentence) -> None:
        shown, marks = self._shown, self._splitter.marks
        while self._marked < len(marks) and marks[self._marked].at <= sentence.end:
            self._marked += 1
        shown.shifts.append((shown.cursor, shown.cursor - sentence.end))
        shown.cursor = sentence.end

    def _as_shown(self, sentence: Sentence) -> tuple[AnswerSentence, tuple[Citation, ...]]:
        """Returns the sentence with its place in what is shown, and the citations that are new with it."""
        cited = {one.marker: one for mark in sentence.marks for one in self._markers.get(id(mark), ())}
        begin = min([sentence.span.start, *(mark.at for mark in sentence.marks)])
        start = self._shown.place(begin, after=all(mark.at != begin for mark in sentence.marks))
        span = Span(start, max(start, min(self._shown.length, self._shown.place(sentence.end, after=True))))
        new = tuple(one for marker, one in cited.items() if marker not in self._announced)
        self._announced.update(cited)
        return AnswerSentence(sentence.text, tuple(cited), span=span), new

    async def _quotes_of(self, mark: Mark) -> tuple[Quote, ...]:
        if id(mark) not in self._quotes:
            self._quotes[id(mark)] = await self._support.quotes(mark.claim, mark.labels)
        return self._quotes[id(mark)]

    def _withhold(self) -> None:
        text = withheld(self._question)
        self._shown = _Shown()
        self._shown.add(text)
        self.sentences = [AnswerSentence(text, (), span=Span(0, len(text)))]
        self.citations = Citations(())
        self._held = [TextWritten(text), SentenceWritten(self.sentences[0], ())]
