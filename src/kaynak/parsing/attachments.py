"""Files within files: attachments of mail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.protocol import ParseLimits, Source

_NOT_READ = ("image/", "audio/", "video/")


def add_attachment(
    builder: TextBuilder, path: Path, name: str, kind: str, limits: ParseLimits, level: int
) -> str | None:
    """Appends the name of an attachment, and its text if it can be read.

    Args:
        builder: To append to.
        path: Where its bytes lie.
        name: As attached.
        kind: Media type as declared.
        limits: Of the whole file; each level of nesting takes one off the archive depth.
        level: Heading level.

    Returns:
        A sentence about why its text is missing, or None.
    """
    from kaynak.parsing.dispatch import parse_file

    parsed: ParsedDocument | None = None
    warning: str | None = None
    if kind.startswith(_NOT_READ):
        warning = f"The attachment “{name}” was not read."
    elif limits.archive_depth <= 0:
        warning = f"The attachment “{name}” lies too deep and was not read."
    else:
        left = max(0, limits.text_chars - builder.length)
        inner = replace(limits, archive_depth=limits.archive_depth - 1, text_chars=left)
        try:
            parsed = parse_file(Source(path, name, kind), inner)
        except UnreadableDocument as exc:
            warning = f"The attachment “{name}” was not read: {exc.message}"
    if parsed is None:
        builder.add(BlockKind.PARAGRAPH, f"Attachment: {name}")
    else:
        builder.add(BlockKind.HEADING, f"Attachment: {name}", min(level, 6))
        builder.extend(parsed, min(level, 6))
    return warning
