from __future__ import annotations

import re
from collections.abc import Iterator

from kaynak.generation.citing.pieces import Kind, Text

_MOST_INLINE = 400
_MOST_INFO = 100
_INDENT = re.compile(r" {0,3}")
_RUN = re.compile(r"`+|~+")
_SPECIAL = re.compile(r"[`\\\n]")


class CodeSplitter:
    """Tells code in Markdown from prose, while it comes in: fenced blocks, and code within a line.

    Stricter than Markdown where renderers differ: what is only perhaps code is prose.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._line_start = True
        self._fence = ""

    def feed(self, text: str) -> Iterator[Text]:
        """Yields what is decided with ``text``."""
        self._rest += text
        yield from self._run(final=False)

    def finish(self) -> Iterator[Text]:
        """Yields what was held back."""
        yield from self._run(final=True)

    def _run(self, *, final: bool) -> Iterator[Text]:
        while self._rest:
            step = self._in_block if self._fence else self._at_line_start if self._line_start else self._in_line
            taken = step(self._rest, final)
            if taken is None:
                return
            length, kind = taken
            if length:
                piece, self._rest = self._rest[:length], self._rest[length:]
                self._line_start = piece.endswith("\n")
                yield Text(piece, kind)

    def _in_block(self, text: str, final: bool) -> tuple[int, Kind] | None:
        """One line of a block, or as much of it as is there."""
        end = text.find("\n")
        if not self._line_start:
            return (len(text) if end < 0 else end + 1), Kind.BLOCK
        line = text if end < 0 else text[:end]
        bare = line.strip(" \t")
        closing = len(line) - len(line.lstrip(" ")) <= 3 and bare == self._fence[0] * len(bare)
        if end < 0 and closing and not final:
            return None
        if closing and len(bare) >= len(self._fence):
            self._fence = ""
        return (len(text) if end < 0 else end + 1), Kind.BLOCK

    def _at_line_start(self, text: str, final: bool) -> tuple[int, Kind] | None:
        """The line that opens a block; else nothing is taken, and the line is read as prose."""
        indent = _INDENT.match(text)
        assert indent is not None  # noqa: S101 - it matches nothing as well
        at = indent.end()
        run = _RUN.match(text, at)
        if (run is None and at < len(text)) or (run is not None and run.end() < len(text) and len(run[0]) < 3):
            self._line_start = False
            return 0, Kind.PROSE
        end = text.find("\n")
        short = end < 0 and len(text) <= _MOST_INFO
        if run is None or len(run[0]) < 3 or end < 0:
            if short and not final:
                return None
            self._line_start = False
            return 0, Kind.PROSE
        if end > _MOST_INFO or (run[0][0] == "`" and "`" in text[run.end() : end]):
            self._line_start = False
            return 0, Kind.PROSE
        self._fence = run[0]
        return end + 1, Kind.BLOCK

    def _in_line(self, text: str, final: bool) -> tuple[int, Kind] | None:
        found = _SPECIAL.search(text)
        if found is None:
            return len(text), Kind.PROSE
        at = found.start()
        if at:
            return at, Kind.PROSE
        if text[0] == "\n":
            return 1, Kind.PROSE
        if text[0] == "\\":
            return (min(2, len(text)), Kind.PROSE) if len(text) > 1 or final else None
        return self._inline(text, final)

    def _inline(self, text: str, final: bool) -> tuple[int, Kind] | None:
        run = _RUN.match(text)
        assert run is not None  # noqa: S101 - the text begins with one
        size = run.end()
        if size == len(text) and not final:
            return None
        seen = text[: _MOST_INLINE + size]
        newline = seen.find("\n", size)
        for other in _RUN.finditer(seen if newline < 0 else seen[:newline], size):
            if other[0][0] != "`" or other.end() - other.start() != size:
                continue
            if other.end() == len(text) and not final:
                return None  # it may be a longer run
            if other.end() == len(seen) and len(text) > len(seen):
                continue
            content = text[size : other.start()]
            # A cell of a table ends at a bar, and code in it then is none.
            return other.end(), (Kind.PROSE if "|" in content or "](" in content else Kind.INLINE)
        if newline < 0 and len(text) < _MOST_INLINE + size and not final:
            return None
        return size, Kind.PROSE
