"""What becomes of each sentence of an answer: does it claim anything, and is it borne out by what it cites?"""

from __future__ import annotations

import re
from collections.abc import Sequence

import structlog

from kaynak.domain import CitationPolicy, Hit, Span, Unavailable, Verdict
from kaynak.domain.sentences import sentence_spans
from kaynak.generation.citing import quoted
from kaynak.generation.citing.reader import NOTHING
from kaynak.generation.citing.splitting import Sentence
from kaynak.generation.protocol import Quote
from kaynak.generation.verifying import Judgement, Verifier
from kaynak.generation.wording import says_nothing

_AROUND = 300
"""Characters of context on each side of a quote."""

_WORD = re.compile(r"[^\W_]+")
_HEADING = re.compile(r"#{1,6}\s|[*_]{2}[^*_]+[*_]{2}:?$")
_FILLER = re.compile(
    r"(?:sure|certainly|of course|hello|hi|thanks|thank you|i hope|let me know|here (?:is|are)|tabii|elbette|merhaba|"
    r"işte|umarım|rica ederim)\b",
    re.IGNORECASE,
)
_FILLER_WORDS = 12

_log = structlog.get_logger(__name__)


class Judge:
    """Gives each sentence of an answer its verdict.

    Args:
        hits: The passages.
        verifier: Checks sentences against quotes; None where nothing checks them, and they have no verdict.
        question: What the answer is to.

    Attributes:
        unchecked: How many sentences could not be checked, because a model was away.
    """

    def __init__(self, hits: Sequence[Hit], verifier: Verifier | None, question: str) -> None:
        self._hits = hits
        self._verifier = verifier
        self._question = question
        self.unchecked = 0

    async def judge(self, sentence: Sentence, quotes: Sequence[Quote]) -> tuple[Verdict | None, tuple[str, ...]]:
        """Returns the verdict, and why it is not better; None for a sentence that claims nothing."""
        if not quotes:
            if any(NOTHING in mark.labels for mark in sentence.marks):
                return None, ()  # it says that the sources do not say
            return (Verdict.UNCITED if claims(sentence) else None), ()
        if self._verifier is None:
            return None, ()
        evidence = [with_context(self._hits[quote.hit], quote.span) for quote in dict.fromkeys(quotes)]
        try:
            found: Judgement = await self._verifier.verify(sentence.text, evidence, question=self._question)
        except Unavailable as error:
            _log.warning("sentence_unchecked", error=error.type)
            self.unchecked += 1
            return None, (error.message,)
        return found.verdict, found.reasons


def claims(sentence: Sentence) -> bool:
    """Returns whether a sentence says something that wants a source.

    Headings, questions, what only leads over to a list, heads of tables, code, courtesies, and that the sources do
    not say something, do not.
    """
    text = sentence.text.strip()
    words = _WORD.findall(text)
    if sentence.code or sentence.head or not words or _HEADING.match(text):
        return False
    if text.rstrip("*_ ").endswith((":", "?", "？")):
        return False
    return not says_nothing(text) and not (_FILLER.match(text) and len(words) <= _FILLER_WORDS)


def good(verdict: Verdict | None, policy: CitationPolicy) -> bool:
    """Returns whether a sentence is shown under ``policy``; what is partly borne out is, with its verdict."""
    return policy is CitationPolicy.MARK or verdict not in (Verdict.UNSUPPORTED, Verdict.UNCITED)


def with_context(hit: Hit, span: Span) -> str:
    """Returns a quote with the sentences around it, under the title and headings it stands under."""
    own = span.shift(-hit.span.start)
    start, end = own.start, own.end
    for sentence in sentence_spans(hit.text):
        if own.start - _AROUND <= sentence.start and sentence.end <= own.end + _AROUND:
            start, end = min(start, sentence.start), max(end, sentence.end)
    around = quoted(hit, Span(start, end).shift(hit.span.start))
    return "\n".join((" › ".join((hit.title, *hit.headings)), around))
