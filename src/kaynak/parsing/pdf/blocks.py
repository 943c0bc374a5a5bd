"""Lines to paragraphs, list items, code, captions: what belongs together, and what it is."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kaynak.domain import BlockKind
from kaynak.parsing.pdf.lines import Line
from kaynak.parsing.pdf.words import Vocabulary, finished, join

BULLET = re.compile(r"(?:[•▪◦‣●○■□–—*·➢✓☑☐❑❖►▶➔∙⁃\uf0b7]|-(?=\s))\s*(?=\S)")
NUMBERED = re.compile(r"(?:\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{2,4})[.)]|\d{1,2}(?:\.\d{1,2}){1,3}[.:]?)\s+(?=\S)")
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)?|table|chart|scheme|abb(?:ildung|\.)?|tabelle|şekil|tablo|figura|tabla|tableau)\s*"
    r"(?:\d+|[ivx]+)(?:\.\d+)*\s*[.:|–—]",
    re.IGNORECASE,
)
_CODE = re.compile(r"[{}();=<>\[\]$#]{1}.*[{}();=<>\[\]$#]|^\s*(?:\$|>>>|#|//)\s")
_ENDS = re.compile(r"[.:!?…;。！？؟۔]['\"”’»)\]]*$")
_MOST_PITCH = 1.9
_AROUND = 6


@dataclass(slots=True)
class Stretch:
    """Lines that belong together.

    Attributes:
        lines: In order; at least one.
        kind: What they are; headings are found later, by comparison with the rest of the document.
        level: Depth of a list item.
    """

    lines: list[Line]
    kind: BlockKind = BlockKind.PARAGRAPH
    level: int | None = None
    breaks: list[bool] = field(default_factory=list)

    @property
    def size(self) -> float:
        """The size of its type."""
        return max(self.lines, key=lambda line: len(line.text)).size

    @property
    def bold(self) -> bool:
        """Whether all of it is."""
        return all(line.bold for line in self.lines)

    def text(self, vocabulary: Vocabulary) -> str:
        """Returns what it says; lines that were broken on purpose stay lines."""
        if self.kind is BlockKind.CODE:
            return _code(self.lines)
        text = self.lines[0].text
        for line, broken in zip(self.lines[1:], self.breaks, strict=True):
            text = f"{text}\n{line.text}" if broken else join(text, line.text, vocabulary)
        text = finished(text)
        if self.kind is BlockKind.LIST_ITEM:
            text = BULLET.sub("- ", text, count=1) if BULLET.match(text) else text
        return text


class Measures:
    """What is usual in a document: the size of its body text and the pitch of its lines."""

    def __init__(self, pages: Iterable[Sequence[Line]]) -> None:
        sizes: Counter[float] = Counter()
        pitches: Counter[float] = Counter()
        bold = mono = total = 0
        for lines in pages:
            for before, line in zip((None, *lines), lines, strict=False):
                if line.table >= 0 or line.turned:
                    continue
                sizes[round(line.size * 4) / 4] += len(line.text)
                total += len(line.text)
                bold += len(line.text) * line.bold
                mono += len(line.text) * line.mono
                if before is not None and before.region == line.region and abs(before.size - line.size) < 0.5:
                    pitch = (line.base - before.base) / line.size
                    if 0.8 < pitch < _MOST_PITCH:
                        pitches[round(pitch * 20) / 20] += 1
        self.body = sizes.most_common(1)[0][0] if sizes else 10.0
        self.pitch = pitches.most_common(1)[0][0] if pitches else 1.2
        self.mostly_bold = bold * 2 > total
        self.mostly_mono = mono * 2 > total
        self.sizes = sizes


def stretches(lines: Sequence[Line], measures: Measures) -> list[Stretch]:
    """Returns the lines of a page in stretches that belong together, in order."""
    found: list[Stretch] = []
    begin = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or lines[index].region != lines[begin].region:
            _region(lines[begin:index], measures, found)
            begin = index
    for stretch in found:
        if stretch.kind is BlockKind.CODE and len(stretch.lines) == 1 and not _CODE.search(stretch.lines[0].text):
            stretch.kind = BlockKind.PARAGRAPH  # an address or a name in typewriter type
    return found


def _region(lines: Sequence[Line], measures: Measures, found: list[Stretch]) -> None:
    pitch = _pitch(lines, measures)
    own = len(found)
    for index, line in enumerate(lines):
        last = found[-1] if found else None
        if index == 0:
            carried = last is not None and _carries_over(last, line)
            if last is not None and carried:
                _extend(last, line, broken=False)
                continue
            found.append(_begin(line, measures))
            continue
        before = lines[index - 1]
        if last is not None and last.lines[-1] is before:
            left, right = _margins(lines, index)
            verdict = _continues(last, before, line, left, right, pitch)
            if verdict is not None:
                _extend(last, line, broken=verdict)
                continue
        found.append(_begin(line, measures))
    _depths(found[own:])


def _extend(stretch: Stretch, line: Line, *, broken: bool) -> None:
    stretch.lines.append(line)
    stretch.breaks.append(broken)


def _begin(line: Line, measures: Measures) -> Stretch:
    if line.table >= 0:
        return Stretch([line], BlockKind.TABLE)
    if line.mono and not measures.mostly_mono and not BULLET.match(line.text):
        return Stretch([line], BlockKind.CODE)
    if BULLET.match(line.text) or (NUMBERED.match(line.text) and len(line.text) > 4):
        return Stretch([line], BlockKind.LIST_ITEM, 0)
    if _CAPTION.match(line.text):
        return Stretch([line], BlockKind.CAPTION)
    return Stretch([line])


def _continues(stretch: Stretch, before: Line, line: Line, left: float, right: float, pitch: float) -> bool | None:
    """Returns None if a new stretch begins, else whether the line was broken on purpose."""
    em = max(before.size, line.size)
    gap = line.base - before.base
    if before.table >= 0 or line.table >= 0 or gap < 0 or line.turned != before.turned:
        return None
    if stretch.kind is BlockKind.CODE:
        return True if line.mono and gap < 3.2 * em else None
    if gap > 1.3 * pitch * em:
        return None
    if line.mono != before.mono and min(len(line.text), len(before.text)) > 2:
        return None
    if abs(line.size - before.size) > 0.12 * em and min(len(line.text), len(before.text)) > 2:
        return None
    if line.bold != before.bold and _styled_apart(before, line):
        return None
    if _item_begins(stretch, before, line) or _CAPTION.match(line.text):
        return None
    return _same_paragraph(stretch, before, line, left, right, em)


def _same_paragraph(stretch: Stretch, before: Line, line: Line, left: float, right: float, em: float) -> bool | None:
    centred = abs((before.left + before.right) - (line.left + line.right)) < 0.8 * em and before.left > left + em
    edge, margin = (-line.right, -before.right) if line.rtl else (line.left, before.left)
    indented = edge - margin > 0.8 * em
    first = len(stretch.lines) == 1
    room = (before.left - left) if line.rtl else (right - before.right)
    fits = room > line.first_word + 0.5 * em
    ended = _ENDS.search(before.text) is not None
    if centred:
        return fits
    if before.parts > 1 or line.parts > 1:
        return True  # rows of columns
    if indented and not (first and stretch.kind is BlockKind.LIST_ITEM) and stretch.kind is not BlockKind.CAPTION:
        # The lines after the first may hang in, in bibliographies for one; a full line that goes on does not end.
        if first and not ended:
            return fits
        return None if ended or fits or line.text[:1].isupper() else False
    if stretch.kind is BlockKind.LIST_ITEM and margin - edge > 0.8 * em and not first:
        return None  # back at the margin: the list is over
    if fits and room > 0.12 * (right - left):
        if ended:
            return None
        return bool(not line.text[:1].islower())
    return False


def _styled_apart(before: Line, line: Line) -> bool:
    """Returns whether a change to or from bold parts two lines: not where one word of a sentence is bold."""
    return not (line.text[:1].islower() and not _ENDS.search(before.text))


def _item_begins(stretch: Stretch, before: Line, line: Line) -> bool:
    if BULLET.match(line.text):
        return line.text[0] not in "–—-*·" or stretch.kind is BlockKind.LIST_ITEM or bool(_ENDS.search(before.text))
    if NUMBERED.match(line.text):
        return stretch.kind is BlockKind.LIST_ITEM or bool(_ENDS.search(before.text))
    return False


def _carries_over(stretch: Stretch, line: Line) -> bool:
    """Returns whether a paragraph goes on at the top of the next column."""
    last = stretch.lines[-1]
    return (
        stretch.kind in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM)
        and line.table < 0
        and not line.turned
        and len(last.text) > 15
        and line.base < last.base
        and abs(last.size - line.size) < 0.06 * last.size
        and last.bold == line.bold
        and line.text[:1].islower()
        and not _ENDS.search(last.text)
    )


def _margins(lines: Sequence[Line], index: int) -> tuple[float, float]:
    """Returns where the text around a line begins and ends: lines of the same type, a few up and down."""
    size = lines[index].size
    near = lines[max(0, index - _AROUND) : index + _AROUND]
    texts = [line for line in near if line.table < 0 and abs(line.size - size) < 0.1 * size] or near
    return min(line.left for line in texts), max(line.right for line in texts)


def _pitch(lines: Sequence[Line], measures: Measures) -> float:
    """Returns the usual distance of base lines in this column, in ems, never so large as to join paragraphs."""
    pitches = sorted(
        (line.base - before.base) / line.size
        for before, line in itertools.pairwise(lines)
        if before.table < 0 and line.table < 0 and line.base - before.base > 0.7 * line.size
    )
    if len(pitches) < 3:
        return measures.pitch
    return min(max(pitches[len(pitches) // 4], measures.pitch * 0.9), max(_MOST_PITCH, measures.pitch))


def _depths(found: Sequence[Stretch]) -> None:
    """Gives list items their depth by how far they are indented."""
    edges: list[float] = []
    for stretch in found:
        if stretch.kind is not BlockKind.LIST_ITEM:
            if stretch.kind is not BlockKind.PARAGRAPH or not edges or stretch.lines[0].left < edges[0] + 1:
                edges = []
            continue
        left = stretch.lines[0].left
        while edges and left < edges[-1] - 0.5 * stretch.size:
            edges.pop()
        if not edges or left > edges[-1] + 0.5 * stretch.size:
            edges.append(left)
        stretch.level = min(6, len(edges) - 1)


def _code(lines: Sequence[Line]) -> str:
    """Returns lines of code with the indentation and the blank lines they were set with."""
    left = min(line.left for line in lines)
    widths = [(line.right - line.left) / len(line.text) for line in lines if line.text]
    width = max(1.0, sorted(widths)[len(widths) // 2])
    texts: list[str] = []
    for before, line in zip((None, *lines), lines, strict=False):
        if before is not None and line.base - before.base > 1.8 * line.size:
            texts.append("")
        texts.append(" " * min(80, round((line.left - left) / width)) + finished(line.text))
    return "\n".join(texts)
