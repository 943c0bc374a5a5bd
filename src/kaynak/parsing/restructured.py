from __future__ import annotations

import re

from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.dialect import Dialect

_ADORNMENT = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}\s*$")


class ReStructured(Dialect):
    """reStructuredText."""

    inline = (
        (re.compile(r"``([^`\n]+)``"), r"\1"),
        (re.compile(r":[\w:.+-]+:`~?([^`<\n]+?)(?:\s*<[^>`\n]+>)?`"), r"\1"),
        (re.compile(r"`([^`<\n]+?)(?:\s*<[^>`]+>)?`__?"), r"\1"),
        (re.compile(r"(?<![\w*])(\*{1,2})(?=\S)([^*\n]+?)(?<=\S)\1(?![\w*])"), r"\2"),
        (re.compile(r"(?<!\w)(\w+)_(?=\s|[.,;:]|$)"), r"\1"),
    )

    def __init__(self, builder: TextBuilder) -> None:
        super().__init__(builder)
        self._adornments: list[str] = []

    def block(self, lines: list[str], at: int) -> int:
        """See `Dialect.block`."""
        line = lines[at]
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if not self._lines and _ADORNMENT.match(line) and at + 2 < len(lines) and lines[at + 2].strip() == line.strip():
            self._titled(after, line[0] * 2)
            return 3
        if not self._lines and _underlined(line, after):
            self._titled(line, after[0])
            return 2
        if re.match(r"\s*\.\.(?:\s|$)", line):
            return self._directive(lines, at)
        if re.match(r"\s*:[\w -]+:(?:\s|$)", line) and self._builder.blocks < 3:
            name, _, value = line.strip()[1:].partition(":")
            self.fields.setdefault(name.lower(), value.strip())
            return 1
        if re.match(r"\s*\+[-=+]+\+\s*$", line):
            end = next((one for one in range(at, len(lines)) if lines[one].strip()[:1] not in {"+", "|"}), len(lines))
            self.table(_grid(lines[at:end]))
            return end - at
        if re.match(r"\s*={2,}(?:\s+={2,})+\s*$", line) and not self._lines:
            return self._simple_table(lines, at)
        if line.rstrip().endswith("::") and not line.lstrip().startswith(".."):
            return self._literal(lines, at)
        return 0

    def _titled(self, text: str, adornment: str) -> None:
        if adornment not in self._adornments:
            self._adornments.append(adornment)
        self.heading(text, self._adornments.index(adornment) + 1)

    def _literal(self, lines: list[str], at: int) -> int:
        text = lines[at].rstrip()[:-2].rstrip()
        if text and not self._item(text + ":"):
            self._lines.append(text.strip() + ":")
        indent = len(lines[at]) - len(lines[at].lstrip())
        end = self.indented(lines, at + 1, indent)
        if any(line.strip() for line in lines[at + 1 : end]):
            self.code(lines[at + 1 : end])
        return end - at

    def _directive(self, lines: list[str], at: int) -> int:
        line = lines[at].strip()
        end = self.indented(lines, at + 1, len(lines[at]) - len(lines[at].lstrip()))
        body = [one for one in lines[at + 1 : end] if not re.match(r"\s+:[\w-]+:", one)]
        named = re.match(r"\.\. (?:\|[^|]+\| )?([\w:-]+)::\s*(.*)", line)
        self.flush()
        if named and named.group(1) in {"code", "code-block", "sourcecode", "parsed-literal", "literalinclude", "math"}:
            self.code(body)
        elif named and named.group(1) in {"note", "warning", "tip", "important", "caution", "hint", "attention",
                                          "admonition", "danger", "seealso", "topic", "sidebar", "versionadded",
                                          "versionchanged", "deprecated", "rubric", "epigraph", "pull-quote",
                                          "container", "figure", "table"}:  # fmt: skip
            shown = named.group(2) if named.group(1) not in {"figure"} else ""
            margin = min((len(one) - len(one.lstrip()) for one in body if one.strip()), default=0)
            self.read([shown, *(one[margin:] for one in body)])
        elif line.startswith(".. [") and "]" in line:
            self._lines.append(line[3:])
            self._lines.extend(one.strip() for one in body if one.strip())
            self.flush()
        return end - at

    def _simple_table(self, lines: list[str], at: int) -> int:
        starts = [match.start() for match in re.finditer("=+", lines[at])]
        rule = re.compile(r"\s*={2,}(?:\s+={2,})+\s*$")
        blank = next((one for one in range(at + 1, len(lines)) if not lines[one].strip() and one > at + 1
                      and rule.match(lines[one - 1])), len(lines))  # fmt: skip
        rows = []
        for line in lines[at:blank]:
            if not rule.match(line) and not re.match(r"\s*-{2,}[\s-]*$", line) and line.strip():
                bounds = [*starts[1:], max(len(line), starts[-1])]
                rows.append([line[start:stop] for start, stop in zip(starts, bounds, strict=True)])
        self.table(rows)
        return blank - at


def _underlined(line: str, after: str) -> bool:
    if not line.strip() or line[0].isspace() or not _ADORNMENT.match(after) or _ADORNMENT.match(line):
        return False
    return len(after.strip()) >= len(line.strip()) - 2


def _grid(lines: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    fresh = True
    for line in lines:
        if line.strip().startswith("+"):
            fresh = True
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if fresh or len(cells) != len(rows[-1]):
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
        fresh = False
    return rows
