"""What passes between the service and its parsing processes: lengths and JSON, never pickled objects.

A process that has read hostile bytes may be in hostile hands, so its replies are checked like any input.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from kaynak.domain import Block, BlockKind, Page, ParsedDocument, UnreadableDocument, UnreadableReason, clean
from kaynak.parsing.protocol import ParseLimits, Source

HEAD: Final = struct.Struct(">I")
REPLY_MOST: Final = 1 << 30
"""Bytes of a reply beyond which the process is not believed."""
_MESSAGE_MOST = 500


class Garbled(Exception):
    """A reply that no honest process sends."""


def frame(message: dict[str, Any]) -> bytes:
    """Returns a message with its length before it."""
    body = orjson.dumps(message)
    return HEAD.pack(len(body)) + body


def request_of(source: Source, limits: ParseLimits) -> dict[str, Any]:
    """Returns the request to parse a file."""
    return {
        "path": str(source.path.absolute()),
        "name": source.name,
        "media_type": source.media_type,
        "password": source.password,
        "limits": asdict(limits),
    }


def read_request(body: bytes) -> tuple[Source, ParseLimits]:
    """Returns the file and its limits."""
    return _file_of(orjson.loads(body))


def _file_of(request: dict[str, Any]) -> tuple[Source, ParseLimits]:
    source = Source(Path(request["path"]), request["name"], request["media_type"], request["password"])
    return source, ParseLimits(**request["limits"])


def batch_of(sources: Sequence[Source], limits: ParseLimits) -> dict[str, Any]:
    """Returns the request to parse several files, each with the same limits of its own."""
    return {"files": [request_of(source, limits) for source in sources]}


def read_batch(body: bytes) -> list[tuple[Source, ParseLimits]] | None:
    """Returns the files of such a request, and their limits; None if it is another kind of request."""
    request = orjson.loads(body)
    return [_file_of(one) for one in request["files"]] if "files" in request else None


def failure_of(error: UnreadableDocument) -> dict[str, Any]:
    """Returns an error as the child replies with it."""
    return {"reason": error.reason, "message": error.message, "hint": error.hint}


def result_of(reply: dict[str, Any]) -> ParsedDocument | UnreadableDocument:
    """Returns what a reply says: a document, or why there is none.

    Raises:
        Garbled: It says nothing that makes sense.
    """
    try:
        return _document(reply["parsed"]) if "parsed" in reply else failure_in(reply["error"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Garbled from exc


def _document(parsed: dict[str, Any]) -> ParsedDocument:
    text = parsed["text"]
    if clean(text) != text:
        raise ValueError("characters that no parser returns")
    blocks = tuple(Block(BlockKind(one["kind"]), one["start"], one["end"], one["level"]) for one in parsed["blocks"])
    pages = tuple(Page(**one) for one in parsed["pages"])
    _check_order([(block.start, block.end) for block in blocks], len(text))
    _check_order([(page.start, page.end) for page in pages], len(text))
    return ParsedDocument(
        text=text,
        media_type=str(parsed["media_type"]),
        blocks=blocks,
        pages=pages,
        title=_optional(parsed["title"]),
        language=_optional(parsed["language"]),
        metadata=dict(parsed["metadata"]),
        warnings=tuple(str(warning) for warning in parsed["warnings"]),
    )


def _check_order(spans: list[tuple[int, int]], length: int) -> None:
    last = 0
    for start, end in spans:
        if not last <= start <= end <= length:
            raise ValueError("spans out of order")
        last = end


def _optional(value: object) -> str | None:
    return None if value is None else str(value)


def failure_in(error: dict[str, Any]) -> UnreadableDocument:
    """Returns the error that a reply has; raises anything but `Garbled` if it makes no sense."""
    hint = error["hint"]
    return UnreadableDocument(
        UnreadableReason(error["reason"]),
        str(error["message"])[:_MESSAGE_MOST],
        hint=None if hint is None else str(hint)[:_MESSAGE_MOST],
    )
