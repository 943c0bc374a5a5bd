from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice

from kaynak.domain import BlockKind, Json, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.detect import detect
from kaynak.parsing.encodings import decode
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.tables import add_record, record

_MAX_LEVEL = 6
_MAX_DEPTH = 200
_SMALL = 12


class JsonParser:
    """JSON and JSON Lines: a record for each object of a list, a heading for each larger part."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        decoded = decode(source.path.read_bytes())
        warnings = [decoded.warning] if decoded.warning else []
        builder = TextBuilder(limits.text_chars, limits.pages)
        media_type = detect(source.path, source.name)
        text = decoded.text.strip("\ufeff\x00 \t\r\n")
        if media_type == media.JSONL:
            bad = _add_lines(builder, text)
            if bad:
                warnings.append(f"{bad} lines are not JSON; they were kept as plain text.")
        else:
            try:
                add_value(builder, json.loads(text), 1)
            except ValueError:
                builder.add(BlockKind.CODE, text)
                warnings.append("The JSON is incomplete or damaged; it was read as plain text.")
            except RecursionError as exc:
                raise UnreadableDocument(
                    UnreadableReason.TOO_COMPLEX, "The JSON is nested too deeply to be read."
                ) from exc
        return builder.build(media_type, warnings=warnings)


def _add_lines(builder: TextBuilder, text: str) -> int:
    bad = 0
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)].strip()
        start = end + 1 if end >= 0 else len(text) + 1
        if not line:
            continue
        try:
            add_record(builder, record(pairs(json.loads(line))))
        except ValueError:
            bad += 1
            builder.add(BlockKind.PARAGRAPH, line)
        except RecursionError as exc:
            raise UnreadableDocument(UnreadableReason.TOO_COMPLEX, "The JSON is nested too deeply to be read.") from exc
    return bad


def add_value(builder: TextBuilder, value: Json, level: int) -> None:
    """Appends a JSON value.

    Args:
        builder: To append to.
        value: Scalars stand as they are; small objects are one record, large ones a section for each key.
        level: Heading level of its keys, from 1.
    """
    if isinstance(value, Mapping):
        _add_object(builder, value, level)
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, Mapping) and _large(item) and level < _MAX_LEVEL:
                _add_object(builder, item, level)
            else:
                add_record(builder, record(pairs(item)))
    else:
        builder.add(BlockKind.PARAGRAPH, _scalar(value))


def _add_object(builder: TextBuilder, value: Mapping[str, Json], level: int) -> None:
    waiting: list[tuple[str, str]] = []
    for key, item in value.items():
        if isinstance(item, Mapping | list | tuple) and _large(item) and level <= _MAX_LEVEL:
            add_record(builder, record(waiting))
            waiting.clear()
            builder.add(BlockKind.HEADING, key, level)
            add_value(builder, item, level + 1)
        else:
            waiting.extend(pairs(item, key))
    add_record(builder, record(waiting))


def _large(value: Json) -> bool:
    """Whether a value deserves a section: a list of objects, or an object of many leaves."""
    if isinstance(value, Mapping):
        return next(islice(pairs(value), _SMALL, None), None) is not None
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping | list) for item in value)


def pairs(value: Json, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yields the path and text of each leaf: ``address.city``, ``authors[2].name``; lists of scalars as one."""
    if depth > _MAX_DEPTH:
        yield path, json.dumps(value, ensure_ascii=False)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from pairs(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list | tuple) for item in value):
            for number, item in enumerate(value, 1):
                yield from pairs(item, f"{path}[{number}]", depth + 1)
        else:
            yield path, ", ".join(filter(None, map(_scalar, value)))
    else:
        yield path, _scalar(value)


def _scalar(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
