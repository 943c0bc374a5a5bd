"""Server-sent events from bytes, and what ours mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kaynak.client.decoding import decode
from kaynak.client.failures import error_of_problem
from kaynak.domain import (
    Answer,
    AnswerCompleted,
    AnswerEvent,
    AnswerSentence,
    Citation,
    Hit,
    Job,
    PassagesFound,
    SentenceWritten,
    StatusChanged,
    TextWritten,
    Unavailable,
    UsageReported,
)


class EventParser:
    """Cuts a byte stream into events.

    httpx's ``iter_lines`` also splits at U+2028 and its kind, which JSON may hold as they are.

    Attributes:
        last_id: Of the last event; where a stream that can be resumed goes on from. Empty for others.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.last_id = ""

    def restart(self) -> None:
        """Forgets half an event: its connection was lost."""
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, Any]]:
        """Yields the name and the decoded data of each event that ``data`` completes.

        Raises:
            KaynakError: The server sent ``error``.
        """
        self._rest += data
        *blocks, self._rest = self._rest.split(b"\n\n")
        for block in blocks:
            name, value = "message", b""
            for line in block.split(b"\n"):
                field, _, content = line.partition(b": ")
                if field == b"event":
                    name = content.decode()
                elif field == b"data":
                    value += content
                elif field == b"id":
                    self.last_id = content.decode()
            if not value:
                continue  # a heartbeat
            if name == "error":
                raise error_of_problem(json.loads(value))
            yield name, json.loads(value)


class AnswerEvents:
    """Puts the events of one answer together: citations come on their own, and belong to the next sentence."""

    def __init__(self) -> None:
        self._citations: list[Citation] = []

    def read(self, name: str, value: Any) -> AnswerEvent | None:
        """Returns the typed event, or None for one that says nothing alone, or of a kind that we do not know."""
        match name:
            case "status":
                return decode(StatusChanged, value)
            case "sources":
                return PassagesFound(tuple(decode(Hit, hit) for hit in value["hits"]))
            case "delta":
                return decode(TextWritten, value)
            case "citation":
                self._citations.append(decode(Citation, value))
            case "verdict":
                new, self._citations = tuple(self._citations), []
                return SentenceWritten(decode(AnswerSentence, value["sentence"]), new)
            case "usage":
                return decode(UsageReported, value)
            case "done":
                return AnswerCompleted(decode(Answer, value))
        return None


def job_event(value: Any) -> Job:
    """Returns the job of a progress event."""
    return decode(Job, value)


def cut_off() -> Unavailable:
    """Returns the error for a stream that ended before its last event."""
    return Unavailable("The stream ended before it was complete.", hint="Try again.")
