from __future__ import annotations

import re

from kaynak.parsing.dialect import Dialect


class AsciiDoc(Dialect):
    """AsciiDoc."""

    item = re.compile(r"(\s*)([-*]{1,5}|\.{1,5}|\d+\.|[a-z]\.)\s+(?=\S)(.*)")
    inline = (
        (
            re.compile(
                r"(?:link:|mailto:)?(?:https?://[^\s\[\]]{1,2000}|(?<=link:)[^\s\[\]]{1,2000}|(?<=mailto:)[^\s\[\]]{1,300})\[([^\[\]\n]{1,500})\]"
            ),
            r"\1",
        ),
        (re.compile(r"<<[^,<>\n]{1,200},\s*([^<>\n]{1,500})>>"), r"\1"),
        (re.compile(r"image:[^\s:\[][^\s\[]{0,2000}\[([^\],\n]{0,500})[^\]\n]{0,500}\]"), r"\1"),
        (re.compile(r"footnote:\[([^\[\]\n]{0,2000})\]"), r" (\1)"),
        (re.compile(r"(?<![\w*`_])([*_`+]{1,2})(?=\S)([^*_`+\n]+?)(?<=\S)\1(?![\w*`_])"), r"\2"),
    )
    _fence = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|```\w*|\|===|,===|--)\s*$")

    def block(self, lines: list[str], at: int) -> int:
        """See `Dialect.block`."""
        line = lines[at]
        title = re.match(r"(={1,6}|#{1,6})\s+(\S.*)", line)
        if title:
            self.heading(re.sub(r"\s=+$", "", title.group(2)), len(title.group(1)))
            return 1
        attribute = re.match(r":!?([\w-]+)!?:\s*(.*)", line)
        if attribute:
            self.fields.setdefault(attribute.group(1).lower(), attribute.group(2))
            return 1
        if re.match(r"//(?!/)|\[[^\]]*\]\s*$|include::|toc::|'''\s*$|<<<\s*$|ifdef::|endif::|ifndef::", line):
            return 1
        picture = re.match(r"(?:image|video|audio)::\S+\[\"?([^\],\"]*)", line)
        if picture:
            self.caption(picture.group(1) if "=" not in picture.group(1) else "")
            return 1
        if re.match(r"\.[^\s.]", line) and not self._lines:
            self.caption(line[1:])
            return 1
        fence = self._fence.match(line)
        if fence and not self._lines:
            return self._fenced(lines, at, fence.group(1))
        if line.startswith("|") and not self._lines:
            end = next((one for one in range(at, len(lines)) if not lines[one].startswith("|")), len(lines))
            self.table([_bars(row) for row in lines[at:end]])
            return end - at
        return 1 if line.strip() == "+" else 0

    def _fenced(self, lines: list[str], at: int, fence: str) -> int:
        end = self.until(lines, at + 1, re.compile(re.escape(fence[:3] if fence[0] == "`" else fence) + r"\s*$"))
        inner = lines[at + 1 : end]
        if fence == "|===":
            self.table(_cells(inner))
        elif fence[0] in "=*_" or fence == "--":
            self.flush()
            self.read(inner)
        elif fence[0] != "/":
            self.code(inner)
        return end - at + 1

    def depth(self, indent: int, marker: str) -> int:
        """See `Dialect.depth`; a repeated marker is deeper."""
        return len(marker) - 1 if len(marker) > 1 and not marker[0].isalnum() else super().depth(indent, marker)


def _bars(row: str) -> list[str]:
    cells = [re.sub(r"\s*(?:\d+\+|\.\d+\+|\w*=\d+)$", "", cell) for cell in row.split("|")[1:]]
    return cells[:-1] if len(cells) > 1 and not cells[-1].strip() and row.rstrip().endswith("|") else cells


def _cells(lines: list[str]) -> list[list[str]]:
    """Returns AsciiDoc rows; where each cell has a line of its own, the first line tells how many make a row."""
    rows = [_bars(line) for line in lines if line.startswith("|")]
    if rows and len(rows[0]) > 1 and all(len(row) == 1 for row in rows[1:]) and len(rows) > 2:
        width, cells = len(rows[0]), [row[0] for row in rows[1:]]
        return [rows[0], *(cells[one : one + width] for one in range(0, len(cells), width))]
    return rows
