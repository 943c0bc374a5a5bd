"""The key-value heads of Markdown, AsciiDoc and the like."""

from __future__ import annotations

import re

from kaynak.domain import Json

_FENCE = re.compile(r"\A\ufeff?---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_PAIR = re.compile(r"([\w][\w .-]{0,60}?)[ \t]*:(?:[ \t]+(.*)|[ \t]*)$")


def split_front_matter(text: str) -> tuple[dict[str, Json], str]:
    """Returns the values of a YAML head, and the text after it.

    Only what such heads hold in practice is understood: scalars and lists of scalars. Nested values are left
    out; a head that is something else stays in the text.
    """
    match = _FENCE.match(text)
    if not match:
        return {}, text
    values: dict[str, Json] = {}
    key = ""
    for line in match.group(1).split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = re.match(r"\s*-\s+(.*)$", line)
        pair = _PAIR.match(line)
        if item and key and isinstance(values.get(key), list):
            values[key] = [*values[key], _scalar(item.group(1))]  # type: ignore[misc]
        elif pair:
            key = pair.group(1).strip()
            values[key] = _value(pair.group(2) or "")
        elif not line[0].isspace():
            return {}, text
    return {name: value for name, value in values.items() if value not in ([], "")}, text[match.end() :]


def _value(written: str) -> Json:
    written = written.strip()
    if not written:
        return []  # a list may follow
    if written.startswith("[") and written.endswith("]"):
        return [_scalar(item) for item in written[1:-1].split(",") if item.strip()]
    return _scalar(written)


def _scalar(written: str) -> str:
    written = written.strip()
    if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'":
        return written[1:-1]
    return written
