from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.encodings import decode
from kaynak.parsing.html import add_html_fragment
from kaynak.parsing.markdown import add_markdown
from kaynak.parsing.protocol import ParseLimits, Source

_MAX_OUTPUT = 20_000


class NotebookParser:
    """Jupyter notebooks: Markdown, code and textual outputs, in order."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        try:
            notebook = json.loads(decode(source.path.read_bytes()).text)
        except ValueError as exc:
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The notebook is not complete JSON.") from exc
        builder = TextBuilder(limits.text_chars, limits.pages)
        title: str | None = None
        for cell in _cells(notebook):
            text = _joined(cell.get("source") or cell.get("input"))
            kind = cell.get("cell_type")
            if kind == "markdown":
                title = add_markdown(builder, text) or title
            elif kind == "heading":
                builder.add(BlockKind.HEADING, text, int(cell.get("level") or 1))
            elif kind == "code":
                builder.add(BlockKind.CODE, text)
                for output in cell.get("outputs") or []:
                    _output(builder, output)
            else:
                builder.add(BlockKind.PARAGRAPH, text)
        metadata = notebook.get("metadata") if isinstance(notebook, dict) else None
        metadata = metadata if isinstance(metadata, dict) else {}
        named = metadata.get("title")
        authors = [one.get("name") for one in metadata.get("authors") or [] if isinstance(one, dict)]
        return builder.build(
            media.NOTEBOOK,
            title=named if isinstance(named, str) else title,
            metadata={"author": ", ".join(filter(None, authors))},
        )


def _cells(notebook: Any) -> list[Mapping[str, Any]]:
    if not isinstance(notebook, dict):
        return []
    cells = notebook.get("cells")
    if cells is None:  # notebooks of format 3 keep them in worksheets
        cells = [cell for sheet in notebook.get("worksheets") or [] for cell in sheet.get("cells") or []]
    return [cell for cell in cells if isinstance(cell, dict)]


def _output(builder: TextBuilder, output: Mapping[str, Any]) -> None:
    data = output.get("data") or output
    if output.get("output_type") in {"error", "pyerr"}:
        builder.add(BlockKind.CODE, f"{output.get('ename')}: {output.get('evalue')}"[:_MAX_OUTPUT])
        return
    if "text/markdown" in data:
        add_markdown(builder, _joined(data["text/markdown"])[:_MAX_OUTPUT])
    elif "text/html" in data and "<table" in _joined(data["text/html"]):
        add_html_fragment(builder, _joined(data["text/html"])[: 20 * _MAX_OUTPUT])
    else:
        builder.add(BlockKind.CODE, _joined(data.get("text/plain") or data.get("text"))[:_MAX_OUTPUT])


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "".join(str(line) for line in value)
    return value if isinstance(value, str) else ""
