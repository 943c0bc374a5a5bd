from __future__ import annotations

import html
import re

from kaynak.domain import BlockKind, ParsedDocument
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder, tidy
from kaynak.parsing.detect import detect
from kaynak.parsing.encodings import decode
from kaynak.parsing.protocol import ParseLimits, Source

_TIMES = re.compile(r"((?:\d+:)?\d{1,2}:\d{2}[.,]\d{3})\s+-->\s+((?:\d+:)?\d{1,2}:\d{2}[.,]\d{3})")
_VOICE = re.compile(r"<v(?:\.[\w.]+)?\s+([^<>]+)>")
_TAG = re.compile(r"</?[a-zA-Z0-9][^<>]*>|\{\\an?\d\}")
_PAUSE = 4.0
_PARAGRAPH = 600


class SubtitleParser:
    """WebVTT and SubRip: what is said, without times; one paragraph per speaker and pause."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        decoded = decode(source.path.read_bytes())
        builder = TextBuilder(limits.text_chars, limits.pages)
        text = tidy(decoded.text)
        head = text.partition("\n")[0]
        title = head.removeprefix("WEBVTT").strip(" -\t") if head.startswith("WEBVTT") else None
        said: list[str] = []
        speaker, until = "", 0.0
        for start, end, voice, words in _cues(text):
            length = sum(map(len, said))
            full = length > _PARAGRAPH and said[-1].endswith((".", "!", "?"))
            if said and (voice != speaker or start - until > _PAUSE or full):
                _add(builder, speaker, said)
            speaker, until = voice, end
            if not said or said[-1] != words:  # roll-up captions repeat a line
                said.append(words)
        _add(builder, speaker, said)
        return builder.build(
            detect(source.path, source.name) if title is None else media.VTT,
            title=title,
            warnings=[decoded.warning] if decoded.warning else [],
        )


def _cues(text: str) -> list[tuple[float, float, str, str]]:
    cues = []
    for block in re.split(r"\n[ \t]*\n", text):
        times = _TIMES.search(block)
        if not times or block.startswith(("NOTE", "STYLE", "REGION")):
            continue
        lines = block[times.end() :].partition("\n")[2]
        for voice, words in _voices(lines):
            spoken = " ".join(html.unescape(_TAG.sub("", words)).split())
            if spoken:
                cues.append((_seconds(times.group(1)), _seconds(times.group(2)), voice, spoken))
    return cues


def _voices(lines: str) -> list[tuple[str, str]]:
    pieces = _VOICE.split(lines)
    found = [("", pieces[0])] if pieces[0].strip() else []
    return found + [(pieces[at].strip(), pieces[at + 1]) for at in range(1, len(pieces) - 1, 2)]


def _seconds(stamp: str) -> float:
    total = 0.0
    for part in stamp.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total


def _add(builder: TextBuilder, speaker: str, said: list[str]) -> None:
    if said:
        builder.add(BlockKind.PARAGRAPH, (f"{speaker}: " if speaker else "") + "\n".join(said))
        said.clear()
