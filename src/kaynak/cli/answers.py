from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from kaynak.cli import output
from kaynak.domain import (
    Answer,
    AnswerCompleted,
    AnswerEvent,
    AnswerSentence,
    Citation,
    SentenceWritten,
    StatusChanged,
    TextWritten,
    Verdict,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_TAGS = {
    Verdict.PARTLY: ("partly borne out", "yellow"),
    Verdict.UNSUPPORTED: ("not borne out", "red"),
    Verdict.UNCITED: ("no source", "magenta"),
}


class AnswerPrinter:
    """Prints an answer while it is written, sentence by sentence, and below it the quotes it rests on.

    A sentence is printed once it is checked: what the sources do not bear out is marked where it stands.

    Args:
        silent: Whether nothing is to be printed.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._text = ""
        self._printed = 0
        self._bad: list[AnswerSentence] = []
        self._console: Console | None = None
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if not self._silent:
            self._console = output.console()
            waiting = output.console(stderr=True)
            if waiting.is_terminal:
                self._status = waiting.status("Searching …")
                self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done_waiting()
        if error is not None and self._console is not None and self._text:
            self._print(len(self._text), "")
            self._console.print()

    def show(self, event: AnswerEvent) -> None:
        """Shows one event of an answer."""
        if self._console is None:
            return
        match event:
            case StatusChanged(stage, detail):
                if self._status is not None:
                    self._status.update(output.printable(f"{stage.capitalize()} … {detail}"))
            case TextWritten(text):
                self._text += text
            case SentenceWritten(sentence):
                self._sentence(sentence)
            case AnswerCompleted(answer):
                self._end(answer)

    def _sentence(self, sentence: AnswerSentence) -> None:
        if sentence.span is None:
            return
        self._print(sentence.span.start, "")
        tag, style = _TAGS.get(sentence.verdict, ("", "")) if sentence.verdict is not None else ("", "")
        self._print(sentence.span.end, style)
        if tag and self._console is not None:
            self._bad.append(sentence)
            self._console.print(f" ⟨{tag}⟩", style=f"bold {style}", end="", markup=False)

    def _print(self, upto: int, style: str) -> None:
        from rich.text import Text

        part = self._text[self._printed : upto]
        if not part or self._console is None:
            return
        self._done_waiting()
        self._printed += len(part)
        self._console.print(Text(output.printable(part), style=style), end="")

    def _done_waiting(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _end(self, answer: Answer) -> None:
        from rich.text import Text

        assert self._console is not None  # noqa: S101 - nothing is shown without one
        self._print(len(self._text), "")
        self._done_waiting()
        if self._text:
            self._console.print()
        if answer.partial and answer.cut is None:  # what else ends an answer is among the notes
            output.note("kaynak: The answer was stopped before its end.")
        for sentence in self._bad:
            for reason in sentence.reasons:
                output.note(f"kaynak: “{_shortened(sentence.text)}”: {reason}")
        if answer.citations:
            self._console.print()
        for citation in answer.citations:
            line = Text(f"[{citation.marker}] ", style="bold")
            line.append("“" + output.printable(" ".join(citation.quote.split())) + "”")
            self._console.print(line)
            self._console.print(Text("    " + place(citation), style="dim"))
        for title in dict.fromkeys(hit.title for hit in answer.hits if hit.suspicious):
            output.note(f"kaynak: “{output.printable(title)}” has a passage that may be meant to steer a model.")
        for sentence_ in answer.degraded:
            output.note(f"kaynak: {sentence_}")
        if answer.usage is not None or answer.cost is not None:
            output.note(f"kaynak: {spent(answer)}")


def place(citation: Citation) -> str:
    """Returns where a quote stands: document, page, version, characters."""
    page = f", p. {citation.page}" if citation.page is not None else ""
    span = f"characters {citation.span.start}–{citation.span.end}"
    where = f"{citation.collection}/{citation.external_id}"
    return output.printable(f"{citation.title} · {where}{page} · version {citation.version}, {span}")


def spent(answer: Answer) -> str:
    """Returns which model wrote an answer, and what that took."""
    parts = [answer.model]
    if answer.usage is not None:
        parts.append(f"{answer.usage.input:,} + {answer.usage.output:,} tokens")
    if answer.cost is not None:
        parts.append(f"${answer.cost:.4f}")
    return ", ".join(parts)


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
