from __future__ import annotations

import re

from kaynak.parsing.dialect import Dialect


class OrgMode(Dialect):
    """Org."""

    inline = (
        (re.compile(r"\[\[[^\[\]\n]{1,2000}\]\[([^\]\n]{1,500})\]\]"), r"\1"),
        (re.compile(r"\[\[([^\[\]\n]{1,2000})\]\]"), r"\1"),
        (re.compile(r"(?<!\S)([*/_=~+])(?=\S)([^\n]{1,300}?)(?<=\S)\1(?=\s|[.,;:!?)]|$)"), r"\2"),
    )

    def block(self, lines: list[str], at: int) -> int:
        """See `Dialect.block`."""
        line = lines[at]
        title = re.match(r"(\*+)\s+(?:(?:TODO|DONE|NEXT|WAITING)\s+)?(?:\[#\w\]\s+)?(\S.*?)(?:\s+:[\w@:]+:)?\s*$", line)
        if title:
            self.heading(title.group(2), len(title.group(1)))
            return 1
        begin = re.match(r"\s*#\+begin_(\w+)", line, re.I)
        if begin:
            end = self.until(lines, at + 1, re.compile(rf"\s*#\+end_{begin.group(1)}", re.I))
            if begin.group(1).lower() in {"src", "example", "export"}:
                self.code(lines[at + 1 : end])
            else:
                self.flush()
                self.read(lines[at + 1 : end])
            return end - at + 1
        keyword = re.match(r"\s*#\+(\w+)(?:\[[^\]]*\])?:\s*(.*)", line)
        if keyword:
            if keyword.group(1).lower() == "caption":
                self.caption(keyword.group(2))
            else:
                self.fields.setdefault(keyword.group(1).lower(), keyword.group(2))
            return 1
        if re.match(r"\s*:(?:PROPERTIES|LOGBOOK):\s*$", line, re.I):
            return self.until(lines, at, re.compile(r"\s*:END:", re.I)) - at + 1
        if re.match(r"\s*#(?:\s|$)|\s*(?:SCHEDULED|DEADLINE|CLOSED):", line):
            return 1
        if re.match(r"\s*\|", line):
            end = next((one for one in range(at, len(lines)) if not re.match(r"\s*\|", lines[one])), len(lines))
            rows = [row.strip().strip("|").split("|") for row in lines[at:end] if not re.match(r"\s*\|-", row)]
            self.table(rows)
            return end - at
        return 0
